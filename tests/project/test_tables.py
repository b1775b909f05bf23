"""What has a name has it everywhere: the lists in C, our tables of them, and the tests' tables.

A new activation, loss or rule is a line in csrc/kernels/lists.h and in some of these. Each test
says which table lacks what, or has what the kernels do not know.
"""

import inspect
import re
from contextlib import suppress
from typing import get_args

import numpy as np
import pytest
import sklearn.neural_network

import mlp_c
from mlp_c import _core, kernels
from mlp_c._estimators.parameters import CONSTRAINTS
from mlp_c._estimators.to_sklearn import SKLEARN_NAMES
from mlp_c._network.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from mlp_c._network.initial_weights import INITIALIZERS, Init
from mlp_c._saving import state
from mlp_c._saving.registry import OPTIMIZERS
from mlp_c._training.course import COURSES
from mlp_c._training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from mlp_c._training.optimizers import RULES, Optimizer
from mlp_c._training.solvers import SOLVERS
from support import bounds, calls, checkpoints, formulas, states
from support.calls import assert_have

NAMES = _core.names()
LOSSES = {
    loss.name: loss.with_parameters(model)
    for model, losses in (
        (mlp_c.MLPRegressor(), REGRESSION_LOSSES.values()),
        (mlp_c.MLPClassifier(), CLASSIFICATION_LOSSES),
    )
    for loss in losses
}
each_estimator = pytest.mark.parametrize("cls", [mlp_c.MLPClassifier, mlp_c.MLPRegressor])


def test_activations_are_those_of_the_kernels():
    """In the package, in what fits accept, and in the tests' formulas and bounds."""
    options = [name for constraint in CONSTRAINTS["activation"] for name in constraint.options]
    assert_have(
        NAMES["activations"],
        ACTIVATIONS=ACTIVATIONS,
        CONSTRAINTS_of_a_name=CONSTRAINTS["activation"][0].options,
        CONSTRAINTS_of_a_list=CONSTRAINTS["activation"][1].options,
        formulas_ACTIVATIONS=formulas.ACTIVATIONS,
        formulas_SLOPES=formulas.SLOPES,
        bounds_ULPS=bounds.ULPS,
    )
    assert len(options) == 2 * len(ACTIVATIONS)


def test_derivatives_are_where_the_output_tells_them():
    """The kernels refuse to go backward without slopes through those activations alone."""
    without = []
    for name in NAMES["activations"]:
        arguments = calls.example("backward") | {"activation": name, "slopes": None}
        with suppress(ValueError):  # slopes must be a list of arrays
            calls.run("backward", arguments)
            without.append(name)
    assert_have(without, formulas_DERIVATIVES=formulas.DERIVATIVES)


@pytest.mark.parametrize("function", [kernels.forward, kernels.backward])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_docstrings_of_kernels_tell_every_activation(name, function):
    """Its formula; and backward's of its derivative, or where that is said."""
    doc = inspect.getdoc(function)
    formulas_of = doc[: doc.index("Parameters\n")].replace("\\_", "_")
    assert re.search(rf"^- {name}: \S", formulas_of, re.MULTILINE), (
        f"the docstring of {function.__name__} has no formula of {name}"
    )


def test_names_of_activations_are_in_the_order_of_the_kernels():
    """Which is that of the messages."""
    assert list(ACTIVATIONS) == NAMES["activations"]


def said_of(parameter, cls):
    """What the docstring of an estimator says of a parameter."""
    doc = inspect.getdoc(cls)
    begin = doc.index(f"\n{parameter} : ") + 1
    return doc[begin : re.search(r"\n\S", doc[begin:]).start() + begin]


@each_estimator
@pytest.mark.parametrize(
    ("parameter", "names"), [("activation", ACTIVATIONS), ("init", INITIALIZERS)]
)
def test_docstrings_of_estimators_name_every_option(parameter, names, cls):
    """Where the parameter's type is told."""
    assert all(f"'{name}'" in said_of(parameter, cls).splitlines()[0] for name in names)


@pytest.mark.parametrize(
    ("parameter", "names"),
    [("solver", SOLVERS), ("learning_rate", COURSES), ("loss", REGRESSION_LOSSES)],
)
def test_docstrings_of_estimators_tell_what_every_option_is(parameter, names):
    """In a list, whose items may be of several."""
    items = re.findall(r"^ +- ('.*?'): \S", said_of(parameter, mlp_c.MLPRegressor), re.MULTILINE)
    assert_have(names, **{f"told_of_{parameter}": re.findall(r"'(\w+)'", " ".join(items))})


def test_initial_weights_are_of_one_list():
    """What draws them, their type, and the docstring of `initialize`, which tells each."""
    told = re.findall(r"^- (\w+): ", inspect.getdoc(kernels.initialize), re.MULTILINE)
    assert_have(INITIALIZERS, names_of_Init=get_args(Init), told=told)


def test_scikit_learns_names_are_those_of_a_table():
    """Of what to_sklearn converts; all are ours, too."""
    theirs = sklearn.neural_network.MLPRegressor._parameter_constraints
    for parameter, names in SKLEARN_NAMES.items():
        assert_have(theirs[parameter][0].options, **{f"SKLEARN_NAMES_of_{parameter}": names})
        assert names <= mlp_c.MLPRegressor._parameter_constraints[parameter][0].options


def test_what_the_first_format_of_states_knows_is_fixed():
    """What is new is of a later format: versions that read format 1 alone do not know it."""
    assert {name: set(known) for name, known in state._FORMAT_1.items()} == {
        "activation": {"identity", "logistic", "tanh", "relu"},
        "solver": {"lbfgs", "sgd", "adam"},
        "learning_rate": {"constant", "invscaling", "adaptive"},
        "loss": {"squared_error", "poisson"},
    }


@pytest.mark.parametrize("name", state._FORMAT_1)
def test_a_name_that_the_first_format_does_not_know_makes_the_second(name):
    """Before a fit checks it, a parameter may be anything."""
    model = mlp_c.MLPRegressor()
    assert model.__getstate__()["format"] == 1
    assert model.set_params(**{name: "new"}).__getstate__()["format"] == 2


def test_output_activations_are_those_of_the_kernels():
    """In the package and in the tests' formulas; and each is that of a loss."""
    assert_have(
        NAMES["outputs"],
        OUTPUT_ACTIVATIONS=OUTPUT_ACTIVATIONS,
        formulas_OUTPUTS=formulas.OUTPUTS,
        out_activation_of_the_losses={loss.out_activation for loss in LOSSES.values()},
        outputs_of_formulas_LOSSES={loss.output for loss in formulas.LOSSES.values()},
    )


@each_estimator
def test_saved_models_may_have_every_output_activation(cls):
    """Users may set another than their losses have: predictions take it."""
    checks = [part.checks for part in cls._fitted_parts if "out_activation_" in part.checks]
    taken = []
    for name in (*OUTPUT_ACTIVATIONS, "odd"):
        with suppress(ValueError):
            taken.append(checks[0]["out_activation_"]("out_activation_", name))
    assert_have(OUTPUT_ACTIVATIONS, out_activations_of_a_state=taken)


def test_losses_are_those_of_the_kernels():
    """In the package, each once, and in the tests' formulas."""
    ours = [loss.name for loss in (*REGRESSION_LOSSES.values(), *CLASSIFICATION_LOSSES)]
    assert_have(
        NAMES["losses"],
        losses=ours,
        formulas_LOSSES=formulas.LOSSES,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES["losses"])
def test_a_loss_has_the_constants_of_its_kernel(name, dtype):
    """And the output activation that its formula is told with."""
    given = LOSSES[name].for_kernels(dtype)
    assert given.pop("name") == name
    numbers = [n for value in given.values() for n in np.atleast_1d(value)]
    assert all(isinstance(number, float) for number in numbers)
    assert_have(NAMES["losses"][name], **{f"for_kernels_of_{name}": given})
    assert LOSSES[name].out_activation == formulas.LOSSES[name].output


def test_optimizers_are_the_rules_of_the_kernels():
    """Each is registered for states under its rule, and some setting of a solver makes it."""
    made = {
        choose(cls(momentum=momentum, nesterovs_momentum=nesterov)).rule
        for choose in RULES.values()
        for cls in (mlp_c.MLPClassifier, mlp_c.MLPRegressor)
        for momentum in (0, 0.5)
        for nesterov in (False, True)
    }
    assert_have(NAMES["rules"], OPTIMIZERS=OPTIMIZERS, RULES=made, formulas_RULES=formulas.RULES)
    assert all(cls.rule == name for name, cls in OPTIMIZERS.items())


@pytest.mark.parametrize("name", NAMES["rules"])
def test_an_optimizer_has_the_moments_and_constants_of_its_kernel(name):
    """The constants are parameters of the estimators, and states hold them."""
    n_moments, constants = NAMES["rules"][name]
    cls = OPTIMIZERS[name]
    assert cls.n_moments == n_moments == formulas.RULES[name][0]
    assert_have(constants, **{f"{cls.__name__}.constants": cls.constants})
    optimizer = cls.begin(mlp_c.MLPRegressor(), [np.ones(2)])
    assert len(optimizer.moments) == n_moments
    given = optimizer.for_kernels()
    assert given.pop("name") == name
    assert_have(constants, **{f"for_kernels_of_{name}": given})
    assert set(constants) <= cls.stored.keys(), "a state lacks constants"
    assert set(constants) <= mlp_c.MLPClassifier().get_params().keys()


@pytest.mark.parametrize("name", NAMES["rules"])
def test_states_hold_the_first_rate_and_the_steps_of_every_optimizer(name):
    """As Optimizer.stored says: what a class stores is besides these."""
    cls = OPTIMIZERS[name]
    assert Optimizer.stored.items() <= cls.stored.items(), f"{cls.__name__}.stored"


def test_every_course_of_the_learning_rate_has_a_formula():
    assert_have(COURSES, formulas_COURSES=formulas.COURSES)


def test_every_constant_has_a_value_in_the_tests_calls():
    """support.calls fills in what a test does not give."""
    constants = {name for names in NAMES["losses"].values() for name in names}
    constants |= {name for _, names in NAMES["rules"].values() for name in names}
    assert_have(constants, calls_CONSTANTS=calls.CONSTANTS)


@pytest.mark.parametrize("cases", [states.CASES, checkpoints.CASES], ids=["states", "checkpoints"])
def test_models_with_every_rule_and_loss_are_saved(cases):
    """By the tests of saving: a case of theirs fits each."""
    params = [next(part for part in case if isinstance(part, dict)) for case in cases.values()]
    rules = set()
    for given in params:
        solver = given.get("solver", "adam")
        if solver in RULES:
            known = mlp_c.MLPClassifier().get_params().keys() & given.keys()
            rules.add(RULES[solver](mlp_c.MLPClassifier(**{n: given[n] for n in known})).rule)
    assert_have(NAMES["rules"], rules=rules)
    losses = {given.get("loss", "squared_error") for given in params}
    assert_have(REGRESSION_LOSSES, losses=losses)

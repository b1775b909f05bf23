"""What is no activation, or not one for each layer, is refused; the model is as it was."""

import re

import numpy as np
import pytest
import sklearn.neural_network
from scipy.sparse import csr_array
from sklearn.utils._param_validation import InvalidParameterError

from mlp_c import MLPClassifier
from mlp_c._network.activations import ACTIVATIONS
from support import calls
from support.activations import CLASSES, N, X, each_class, make
from support.states import outcome

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# ---- what is refused ----

# As no parameter: what is neither a name nor a list or tuple of names.
WRONG = [
    "odd",
    "GELU",
    "gelu\0",
    None,
    3,
    True,
    b"gelu",
    len,
    np.array(["gelu"] * 3),
    {"gelu"},
    {"gelu": 1},
    ["gelu", "odd", "tanh"],
    ["gelu", None, "tanh"],
    ["gelu", b"tanh", "tanh"],
    [["gelu", "tanh", "relu"]],
    [[], [], []],
    ["softmax"] * 3,
    ("gelu", 0, 1),
    (name for name in ["gelu"] * 3),
]
EACH = [[], ["gelu"], ["gelu"] * 2, ["gelu"] * 4, ("tanh",) * 100]  # for 3 hidden layers
ONE_EACH = r"^activation must be a name or a list of one for each of 3 hidden layers, got {} names$"
each_wrong = pytest.mark.parametrize("wrong", WRONG, ids=lambda value: repr(value)[:25])
each_number = pytest.mark.parametrize("names", EACH, ids=len)
each_solver = pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])


def state_of(model):
    """All that a model has, to compare with ``==``; which objects its parameters are."""
    return outcome(model), {name: id(value) for name, value in vars(model).items()}


def assert_refused(model, call, error, message):
    """With this message, and the model is as it was."""
    before = state_of(model)
    with pytest.raises(error, match=message):
        call()
    assert state_of(model) == before


def message_of(cls):
    """What is said of all that is neither."""
    listed = re.escape(f"a list of str among {sorted(ACTIVATIONS)}")
    return (
        rf"^The 'activation' parameter of {cls.__name__} must be .*{listed}.*\. Got .* instead\.$"
    )


@each_wrong
@each_solver
@each_class
def test_what_is_no_activation_is_refused_by_a_fit(cls, solver, wrong):
    """Of a new model, and of one to go on from, which predicts afterwards as it did before."""
    model = make(cls, wrong, solver=solver)
    assert_refused(model, lambda: model.fit(X, CLASSES), InvalidParameterError, message_of(cls))
    assert not hasattr(model, "coefs_")
    model.set_params(activation="gelu", warm_start=True).fit(X, CLASSES)
    expected = model.predict(X).tobytes()
    model.set_params(activation=wrong)
    assert_refused(model, lambda: model.fit(X, CLASSES), InvalidParameterError, message_of(cls))
    assert model.set_params(activation="gelu").predict(X).tobytes() == expected


@each_wrong
@each_class
def test_what_is_no_activation_is_refused_by_partial_fit(cls, wrong):
    """A first one, and one of a fitted model, whose parameters are checked where they changed."""
    classes = {"classes": np.arange(3)} if cls is MLPClassifier else {}
    for model in (make(cls, "gelu"), make(cls, "gelu").fit(X, CLASSES)):
        model.set_params(activation=wrong)
        assert_refused(
            *(model, lambda: model.partial_fit(X, CLASSES, **classes)),  # noqa: B023
            *(InvalidParameterError, message_of(cls)),
        )


@each_number
@each_solver
@each_class
def test_another_number_of_names_is_refused_by_a_fit(cls, solver, names):
    """Before anything is drawn; and of a model to go on from."""
    model, expected = make(cls, names, solver=solver), ONE_EACH.format(len(names))
    assert_refused(model, lambda: model.fit(X, CLASSES), ValueError, expected)
    model.set_params(activation="gelu", warm_start=True).fit(X, CLASSES)
    model.set_params(activation=names)
    assert_refused(model, lambda: model.fit(X, CLASSES), ValueError, expected)


@each_number
@each_class
def test_another_number_of_names_is_refused_by_partial_fit(cls, names):
    """A first one, and one of a fitted model."""
    classes = {"classes": np.arange(3)} if cls is MLPClassifier else {}
    for model in (make(cls, "gelu"), make(cls, "gelu").fit(X, CLASSES)):
        model.set_params(activation=names)
        assert_refused(
            *(model, lambda: model.partial_fit(X, CLASSES, **classes)),  # noqa: B023
            *(ValueError, ONE_EACH.format(len(names))),
        )


@pytest.mark.parametrize("hidden", [(), [], 3, (3,)])
@each_class
def test_the_number_of_hidden_layers_is_what_their_widths_say(cls, hidden):
    """An integer is one layer, an empty sequence none: the other number is refused."""
    n = 1 if hidden in (3, (3,)) else 0
    model = cls(hidden_layer_sizes=hidden, activation=["gelu"] * n, max_iter=2).fit(X, CLASSES)
    assert model.predict(X).shape == (N,)
    model.set_params(activation=["gelu"] * (1 - n))
    expected = f"for each of {n} hidden layers, got {1 - n} names$"
    assert_refused(model, lambda: model.fit(X, CLASSES), ValueError, expected)


CHANGES = {
    "an odd name": (lambda names: names.__setitem__(1, "odd"), "odd"),
    "no name": (lambda names: names.__setitem__(0, None), "None"),
    "a name less": (list.pop, "2 names"),
    "a name more": (lambda names: names.append("gelu"), "4 names"),
}


@pytest.mark.parametrize("what", CHANGES)
@each_class
def test_a_list_that_is_changed_in_place_is_checked_again(cls, what):
    """By partial_fit, which checks no parameter that is the same object as before."""
    model = make(cls, ["gelu", "tanh", "relu"])
    model.fit(X, CLASSES).partial_fit(X, CLASSES)
    change, named = CHANGES[what]
    change(model.activation)
    for call in (model.partial_fit, model.fit):
        assert_refused(model, lambda: call(X, CLASSES), ValueError, f"activation.*{named}")  # noqa: B023


PREDICTED = [
    ("odd", ValueError, rf"^activation must be one of {calls.ACTIVATIONS}, got 'odd'$"),
    (None, TypeError, r"^activation must be a str or a list of str, got NoneType$"),
    (np.array(["gelu"] * 3), TypeError, r"^activation must be a str or a list of str, got numpy"),
    (["gelu", "odd", "tanh"], ValueError, r"^activation\[1\] must be one of .*, got 'odd'$"),
    (["gelu", "tanh", None], TypeError, r"^activation\[2\] must be a str, got NoneType$"),
    *(
        (names, ValueError, r"^activation must .* 3 names, one for each hidden layer.*, got")
        for names in EACH
    ),
]


@pytest.mark.parametrize(("wrong", "error", "message"), PREDICTED, ids=repr)
@pytest.mark.parametrize(
    "rows", [X, X[:1], X.tolist(), csr_array(X)], ids=lambda r: type(r).__name__
)
@each_class
def test_predictions_refuse_what_set_params_made_of_the_activations(
    cls, rows, wrong, error, message
):
    """As the kernels do, with no row computed; set back, the model predicts as before."""
    model = make(cls, "gelu").fit(X, CLASSES)
    expected = model.predict(rows).tobytes()
    model.set_params(activation=wrong)
    methods = ["predict", *(["predict_proba"] if cls is MLPClassifier else [])]
    for method in methods:
        assert_refused(model, lambda: getattr(model, method)(rows), error, message)  # noqa: B023
    assert model.set_params(activation="gelu").predict(rows).tobytes() == expected


# ---- to scikit-learn ----


@pytest.mark.parametrize(
    "activation", ["gelu", ["gelu"] * 3, ["tanh"] * 3, ("relu", "tanh", "relu")], ids=str
)
@each_class
def test_what_scikit_learn_has_not_is_not_converted(cls, activation):
    """The message names what it has; set back to such a name, the model converts."""
    model = make(cls, activation).fit(X, CLASSES)
    expected = (
        r"^activation must be one of \['identity', 'logistic', 'relu', 'tanh'\] for scikit-learn, "
        rf"which has no other, got {re.escape(repr(activation))}$"
    )
    assert_refused(model, model.to_sklearn, ValueError, expected)
    theirs = model.set_params(activation="tanh").to_sklearn()
    assert theirs.activation == "tanh"
    np.testing.assert_allclose(theirs.predict(X), model.predict(X), rtol=1e-12)


def test_scikit_learns_activations_are_those_that_convert():
    """A table of ours: theirs have no other name, and all of these."""
    theirs = sklearn.neural_network.MLPClassifier._parameter_constraints["activation"][0].options
    for name in ACTIVATIONS:
        model = make(MLPClassifier, name).fit(X, CLASSES)
        if name in theirs:
            assert model.to_sklearn().activation == name
        else:
            with pytest.raises(ValueError, match="activation"):
                model.to_sklearn()

"""What the estimators refuse and warn of: scikit-learn's exceptions, at the caller's line."""

import inspect
import linecache
import pickle
import re
import warnings

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

import mlp_c

rng = np.random.RandomState(0)
X = rng.randn(30, 4)
LABELS = np.arange(30) % 3
INDICATOR = (X[:, :3] > 0).astype(int)
NAMES = ["MLPClassifier", "MLPRegressor"]
each_name = pytest.mark.parametrize("name", NAMES)
ODD_VALUES = [
    -1,
    0,
    1,
    2.5,
    True,
    np.nan,
    np.inf,
    "odd",
    None,
    [],
    [0],
    [2.5],
    [True],
    [[2]],
    {},
]


def make(package, name, **params):
    return getattr(package, name)(**{"hidden_layer_sizes": 2, "max_iter": 2} | params)


def outcome(function):
    """The exception that a call raises, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function()
        except Exception as error:
            return error
    return None


def assert_same_outcome(ours, theirs):
    assert type(ours) is type(theirs), (ours, theirs)
    if isinstance(theirs, InvalidParameterError):
        # A message shows a set of names in any order, and ours may be more; as may random states
        # and learning rates.
        ours, theirs = (re.sub("among {[^}]*}", "among names", str(e)) for e in (ours, theirs))
        for more in ("an instance of 'numpy.random._generator.Generator'", "a callable"):
            ours = ours.replace(f" or {more}", "")
        assert ours == theirs


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        (name, parameter)
        for name in NAMES
        for parameter in inspect.signature(getattr(sklearn.neural_network, name)).parameters
        if parameter != "activation"  # ours may be a list, and the messages say so
    ],
)
def test_odd_parameters_are_taken_or_refused_as_by_scikit_learn(name, parameter, value):
    ours, theirs = (
        outcome(lambda p=package: make(p, name, **{parameter: value}).fit(X, LABELS))
        for package in (mlp_c, sklearn.neural_network)
    )
    assert_same_outcome(ours, theirs)


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
@each_name
def test_odd_activations_are_refused_as_by_scikit_learn_or_as_too_few(name, value):
    """A list of no names is as long as another network is deep."""
    model = make(mlp_c, name, activation=value)
    expected = "got 0 names" if value == [] else f"'activation' parameter of {name}"
    with pytest.raises(ValueError if value == [] else InvalidParameterError, match=expected):
        model.fit(X, LABELS)


@each_name
@pytest.mark.parametrize(
    "params", [{"n_threads": 0}, {"n_threads": 1.0}, {"init": "odd"}, {"init": None}], ids=repr
)
def test_our_own_parameters_are_checked_alike(name, params):
    with pytest.raises(
        InvalidParameterError, match=f"The '{next(iter(params))}' parameter of {name}"
    ):
        make(mlp_c, name, **params).fit(X, LABELS)


# What each parameter is refused for, beside no object being any.
WRONG = {
    "hidden_layer_sizes": [0, [3, -1], [2.5], "odd"],
    "activation": ["odd", None, ["odd"], [None], ["relu"] * 2],
    "solver": ["odd", None],
    "alpha": [-1, np.nan],
    "batch_size": [0, 2.5, "odd"],
    "learning_rate": ["odd", None, 0.1, ["cosine"]],
    "learning_rate_init": [0.0, np.nan],
    "power_t": [-0.5, "odd"],
    "max_iter": [0, 2.0],
    "shuffle": [2, "odd"],
    "random_state": [-1, 2**32, "odd"],
    "tol": [-1e-4, "odd"],
    "verbose": [-1, "odd"],
    "warm_start": [2],
    "momentum": [-0.1, 1.1, np.nan],
    "nesterovs_momentum": [2],
    "early_stopping": [2],
    "validation_fraction": [-0.1, 1.0],
    "beta_1": [-0.1, 1.0],
    "beta_2": [-0.1, 1.0],
    "epsilon": [0.0, np.nan],
    "n_iter_no_change": [0, 2.5, -np.inf],
    "max_fun": [0, 2.5],
    "init": ["odd", None],
    "compute_dtype": ["float16", np.float32],
    "n_threads": [0, 1.0],
    "loss": ["odd", None],
    "class_weight": ["odd", 1.0],
    "scoring": ["odd", 1.0],
    "label_smoothing": [-0.1, 1.0, np.nan, "odd"],
    "dropout": [
        *(-0.1, 1.0, np.nan, "odd", None, [], [0.5, 0.5], [1.0], [-0.1], [np.nan], ["odd"]),
        *([[0.5]], np.array(0.5), np.array([[0.5]]), {0.5: 0}, [10**400], [0.5 + 0j], [None]),
    ],
    "input_dropout": [-0.1, 1.0, np.nan, "odd", None, [0.5]],
    "huber_delta": [0.0, -1.0, np.nan, "odd"],
    "quantile": [
        *(0.0, 1.0, np.nan, "odd", [], [0.5, 0.5], (0.9, 0.1), [0.1, 1.0], [0, 0.5], ["odd"]),
        *(
            [0.1, np.nan],
            [[0.1, 0.9]],
            np.array(0.5),
            np.array([[0.1]]),
            np.array([]),
            {0.1: 0.9},
            [0.5, None],
        ),
        *([0.1, 10**400], [0.1, 0.5 + 0j]),
    ],
    "tweedie_power": [0.99, 2.01, np.nan, "odd"],
    "warmup": [-0.1, 1.1, np.nan, "odd", None],
    "weight_decay": [-0.1, np.nan, "odd"],
    "max_grad_norm": [0.0, -1.0, np.nan, "odd"],
}
HUGE, HUGE_TO_TELL = 10**400, 10**5000  # more than float64, and than a text holds
COUNTS = {"batch_size", "max_iter", "n_iter_no_change", "max_fun", "n_threads", "verbose"}


def assert_refused_by_name(method, parameter):
    error = outcome(lambda: method(X, LABELS))
    assert isinstance(error, (ValueError, TypeError)), error
    assert re.search(rf"\b{parameter}\b", str(error))


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, parameter) for name in NAMES for parameter in getattr(mlp_c, name)().get_params()],
)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_wrong_parameter_is_refused_by_its_name_and_changes_nothing(name, parameter, solver):
    """By partial_fit of a fitted model, too, where scikit-learn looks at none."""
    huge = [-HUGE, HUGE_TO_TELL] if parameter in COUNTS else [HUGE, -HUGE, HUGE_TO_TELL]
    for value in [*WRONG[parameter], object(), *huge]:
        assert_refused_by_name(
            make(mlp_c, name, **{"solver": solver, parameter: value}).fit, parameter
        )
        model = make(mlp_c, name, solver=solver).fit(X, LABELS)
        before = pickle.dumps(model)
        methods = [model.fit] if solver == "lbfgs" else [model.fit, model.partial_fit]
        kept = getattr(model, parameter)
        model.set_params(**{parameter: value})
        for method in methods:
            assert_refused_by_name(method, parameter)
        assert pickle.dumps(model.set_params(**{parameter: kept})) == before


@each_name
@pytest.mark.parametrize("parameter", sorted(COUNTS - {"max_iter", "verbose"}))
def test_no_count_is_too_large(name, parameter):
    assert outcome(lambda: make(mlp_c, name, **{parameter: HUGE}).fit(X, LABELS)) is None


def test_more_weights_than_can_be_addressed_are_refused_by_name():
    for sizes in (2**60, [2**31, 2**31], [3, HUGE]):
        assert_refused_by_name(mlp_c.MLPClassifier(sizes).fit, "hidden_layer_sizes")


def fit(model, rows=X, y=LABELS, **more):
    return model.fit(rows, y, **more)


# By name: the estimator, its parameters, and calls of which the last is refused.
REFUSED = {
    "a vector for rows": (NAMES, {}, lambda m: fit(m, X[:, 0])),
    "NaN in the rows": (NAMES, {}, lambda m: fit(m, np.where(X > 2, np.nan, X))),
    "no rows": (NAMES, {}, lambda m: fit(m, X[:0], LABELS[:0])),
    "fewer targets": (NAMES, {}, lambda m: fit(m, X, LABELS[1:])),
    "no targets": (NAMES, {}, lambda m: fit(m, X, None)),
    "NaN in the targets": (NAMES, {}, lambda m: fit(m, X, np.where(LABELS > 1, np.nan, LABELS))),
    "fewer weights": (NAMES, {}, lambda m: fit(m, sample_weight=np.ones(29))),
    "weights of two dimensions": (NAMES, {}, lambda m: fit(m, sample_weight=np.ones((30, 1)))),
    "no weight at all": (NAMES, {}, lambda m: fit(m, sample_weight=np.zeros(30))),
    "one weight, with early stopping": (
        NAMES,
        {"early_stopping": True, "random_state": 0},
        lambda m: fit(m, sample_weight=1.0 * (np.arange(30) == 7)),
    ),
    "other features to predict": (NAMES, {}, lambda m: fit(m).predict(X[:, :2])),
    "other features to go on with": (
        NAMES,
        {"warm_start": True},
        lambda m: fit(m).fit(X[:, :2], LABELS),
    ),
    "other outputs to go on with": (
        ["MLPRegressor"],
        {"warm_start": True},
        lambda m: fit(m).fit(X, INDICATOR),
    ),
    "numbers for labels": (["MLPClassifier"], {}, lambda m: fit(m, X, X[:, 0])),
    "partial_fit without classes": (["MLPClassifier"], {}, lambda m: m.partial_fit(X, LABELS)),
    "partial_fit with a new label": (
        ["MLPClassifier"],
        {},
        lambda m: m.partial_fit(X, LABELS, classes=[0, 1]),
    ),
    "partial_fit with changed classes": (
        ["MLPClassifier"],
        {},
        lambda m: m.partial_fit(X, LABELS, classes=[0, 1, 2]).partial_fit(X, LABELS, classes=[0]),
    ),
    "partial_fit with several labels where there was one": (
        ["MLPClassifier"],
        {},
        lambda m: fit(m).partial_fit(X, INDICATOR),
    ),
    "warm start with other classes": (
        ["MLPClassifier"],
        {"warm_start": True},
        lambda m: fit(m).fit(X, LABELS % 2),
    ),
    "partial_fit with early stopping": (
        NAMES,
        {"early_stopping": True},
        lambda m: fit(m).partial_fit(X, LABELS),
    ),
    "a validation set of one": (
        NAMES,
        {"early_stopping": True, "validation_fraction": 0.01},
        lambda m: fit(m),
    ),
    "a validation set of none": (
        NAMES,
        {"early_stopping": True, "validation_fraction": 0.0},
        lambda m: fit(m),
    ),
    "one row of a class to split": (
        ["MLPClassifier"],
        {"early_stopping": True},
        lambda m: fit(m, X, 1 * (np.arange(30) == 3)),
    ),
    "divergence": (
        ["MLPRegressor"],
        {"solver": "sgd", "activation": "identity", "learning_rate_init": 1e300, "max_iter": 9},
        lambda m: fit(m),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_data_are_refused_as_by_scikit_learn(case):
    names, params, call = REFUSED[case]
    for name in names:
        ours, theirs = (
            outcome(lambda p=package, n=name: call(make(p, n, **params)))
            for package in (mlp_c, sklearn.neural_network)
        )
        assert theirs is not None
        assert_same_outcome(ours, theirs)


# Warnings: parameters, targets, what is said.
COLUMN = LABELS[:, np.newaxis]
UNCONVERGED = {"n_iter_no_change": np.inf}
WARNED = {
    "epochs": (UNCONVERGED, LABELS, ConvergenceWarning, r"Maximum iterations \(2\) reached"),
    "iterations": ({"solver": "lbfgs"}, LABELS, ConvergenceWarning, "lbfgs failed to converge"),
    "evaluations": (
        {"solver": "lbfgs", "max_iter": 99, "max_fun": 3},
        LABELS,
        ConvergenceWarning,
        "lbfgs failed to converge",
    ),
    "batch": ({"batch_size": 99}, LABELS, UserWarning, "Got `batch_size` less than 1 or larger"),
    "column": ({}, COLUMN, DataConversionWarning, "A column-vector y was passed"),
}


def warnings_of(function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return caught


def assert_warned_here(caught, category, message):
    """One such warning, at a line of this file that says so."""
    found = [w for w in caught if w.category is category and re.search(message, str(w.message))]
    assert len(found) == 1
    assert found[0].filename == __file__
    assert "# warned of" in linecache.getline(__file__, found[0].lineno)


@each_name
@pytest.mark.parametrize("case", WARNED)
def test_warnings_are_scikit_learns_at_the_line_that_calls(name, case):
    params, y, category, message = WARNED[case]
    theirs = make(sklearn.neural_network, name, **params)
    assert any(
        w.category is category and re.search(message, str(w.message))
        for w in warnings_of(lambda: theirs.fit(X, y))
    )
    model = make(mlp_c, name, **params)
    caught = warnings_of(lambda: model.fit(X, y))  # warned of
    assert_warned_here(caught, category, message)


@each_name
def test_partial_fit_warns_at_the_line_that_calls(name):
    model = make(mlp_c, name, batch_size=99)
    classes = {"classes": [0, 1, 2]} if name == "MLPClassifier" else {}
    caught = warnings_of(lambda: model.partial_fit(X, LABELS, **classes))  # warned of
    assert_warned_here(caught, UserWarning, "Got `batch_size`")


@each_name
def test_a_search_over_a_pipeline_warns_at_the_line_that_calls_the_search(name):
    pipeline = make_pipeline(StandardScaler(), make(mlp_c, name, **UNCONVERGED))
    step = name.lower()
    search = GridSearchCV(pipeline, {f"{step}__max_iter": [1]}, cv=2)
    caught = warnings_of(lambda: search.fit(X, LABELS))  # warned of
    assert len(caught) == 3
    for warning in caught:
        assert_warned_here([warning], ConvergenceWarning, "Maximum iterations")


@each_name
def test_an_interrupt_warns_at_the_line_that_calls(name, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlp_c._training.loop.end_epoch", interrupt)
    model = make(mlp_c, name)
    caught = warnings_of(lambda: model.fit(X, LABELS))  # warned of
    assert_warned_here(caught, UserWarning, "Training interrupted by user.")
    assert model.n_iter_ == 1


@each_name
def test_an_interrupt_of_lbfgs_warns_at_the_line_that_calls(name, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlp_c._training.data.minimize", interrupt)
    model = make(mlp_c, name, solver="lbfgs")
    caught = warnings_of(lambda: model.fit(X, LABELS))  # warned of
    assert_warned_here(caught, UserWarning, "Training interrupted by user.")


@each_name
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_a_fit_that_converges_warns_of_nothing(name, solver):
    model = make(mlp_c, name, solver=solver, tol=10.0, n_iter_no_change=1, max_iter=50)
    assert warnings_of(lambda: model.fit(X, LABELS)) == []

"""Weights that a fit begins with."""

import itertools

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier as Theirs

from mlp_c import MLPClassifier, MLPRegressor, kernels
from mlp_c._network.initial_weights import INITIALIZERS
from support import calls

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 5))
Y = np.digitize(X[:, 0], [-0.4, 0.4])
OPTIONS = {"hidden_layer_sizes": (8, 6), "max_iter": 5, "random_state": 0, "shuffle": False}
W, B = kernels.initialize([5, 8, 6, 3], init="glorot_uniform", random_state=0)


def given(dtype=float):
    return {
        "coefs_init": [w.astype(dtype) for w in W],
        "intercepts_init": [b.astype(dtype) for b in B],
    }


@pytest.mark.parametrize("init", INITIALIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_fit_from_what_it_would_draw_is_the_fit(solver, dtype, init):
    """`initialize` draws from the seed what a fit draws; the rows keep their order."""
    rows, options = X.astype(dtype), OPTIONS | {"solver": solver}
    weights, biases = kernels.initialize([5, 8, 6, 3], init=init, random_state=0, dtype=dtype)
    drawn = MLPClassifier(**options, init=init).fit(rows, Y)
    model = MLPClassifier(**options).fit(rows, Y, coefs_init=weights, intercepts_init=biases)
    assert calls.bits([model.coefs_, model.intercepts_]) == calls.bits(
        [drawn.coefs_, drawn.intercepts_]
    )
    assert model.loss_curve_ == drawn.loss_curve_


def test_nothing_is_drawn_for_weights():
    """The first numbers of the stream order the rows."""
    model = MLPClassifier(**OPTIONS | {"shuffle": True, "max_iter": 1}).fit(X, Y, **given())
    theirs = Theirs(**OPTIONS | {"max_iter": 1}).fit(X[:9], [0, 1, 2] * 3)
    theirs.coefs_, theirs.intercepts_ = [w.copy() for w in W], [b.copy() for b in B]
    rows = np.random.RandomState(0).permutation(len(X))
    theirs.set_params(warm_start=True).fit(X[rows], Y[rows])
    np.testing.assert_allclose(model.coefs_[0], theirs.coefs_[0], rtol=1e-12)


def test_they_are_copied_and_go_before_those_of_a_warm_start():
    arguments = given()
    model = MLPClassifier(**OPTIONS, warm_start=True).fit(X, Y)
    model.fit(X, Y, **arguments)
    assert calls.bits(arguments) == calls.bits(given())
    fresh = MLPClassifier(**OPTIONS).fit(X, Y, **arguments)
    assert calls.bits([model.coefs_, model.intercepts_]) == calls.bits(
        [fresh.coefs_, fresh.intercepts_]
    )
    assert model.loss_curve_ == fresh.loss_curve_


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_they_may_be_one_array_or_what_the_model_has(solver):
    """Or the rows: copies are what a fit changes."""
    options = OPTIONS | {"hidden_layer_sizes": (5, 5), "solver": solver}
    rows, labels = X[:5].copy(), X[:5].copy() > 0  # of five features, as many as labels
    alone = MLPClassifier(**options).fit(
        rows.copy(),
        labels,
        coefs_init=[rows.copy() for _ in W],
        intercepts_init=list(np.eye(5)[:3]),
    )
    biases = np.eye(5)
    model = MLPClassifier(**options).fit(
        rows, labels, coefs_init=[rows] * 3, intercepts_init=biases[:3]
    )
    assert calls.bits([model.coefs_, model.intercepts_]) == calls.bits(
        [alone.coefs_, alone.intercepts_]
    )
    assert calls.bits([rows, biases]) == calls.bits([X[:5], np.eye(5)])
    held = model.coefs_, model.intercepts_
    bits = calls.bits(list(held))
    again = MLPClassifier(**options).fit(
        rows, labels, coefs_init=model.coefs_, intercepts_init=model.intercepts_
    )
    model.fit(rows, labels, coefs_init=model.coefs_, intercepts_init=model.intercepts_)
    assert calls.bits(model.coefs_) == calls.bits(again.coefs_) != bits
    assert calls.bits(list(held)) == bits


def test_a_warm_start_with_other_classes_may_begin_with_weights():
    model = MLPClassifier(**OPTIONS, warm_start=True).fit(X, X[:, 0] > 0)
    model.fit(X, Y, **given())
    assert model.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("rows", [np.float32, np.float64])
@pytest.mark.parametrize("weights", [np.float32, np.float64, np.float16])
def test_they_get_the_dtype_of_the_fit(weights, rows):
    model = MLPClassifier(**OPTIONS).fit(rows(X), Y, **given(weights))
    assert {w.dtype for w in model.coefs_ + model.intercepts_} == {np.dtype(rows)}


def test_lists_of_lists_and_a_network_without_hidden_layers():
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=1, learning_rate_init=1e-12)
    model.fit(X, X[:, 0], coefs_init=[[[1], [2], [3], [4], [5]]], intercepts_init=[[6]])
    assert model.coefs_[0].ravel().round(6).tolist() == [1, 2, 3, 4, 5]
    assert model.intercepts_[0].round(6).tolist() == [6]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"intercepts_init": None}, "^coefs_init must be given with intercepts_init, which is N"),
        ({"coefs_init": None}, "^intercepts_init must be given with coefs_init, which is None"),
        ({"coefs_init": W[:2]}, r"^coefs_init must hold arrays .*\(6, 3\)\], got \[\(5, 8\), \(8"),
        ({"coefs_init": [w.T for w in W]}, r"^coefs_init must .* got \[\(8, 5\)"),
        ({"intercepts_init": [*B[:2], 0]}, r"^intercepts_init must .* got \[\(8,\), \(6,\), \(\)"),
        ({"coefs_init": 3}, "^coefs_init must .* got a int"),
        ({"coefs_init": [*W[:2], "weights"]}, "^coefs_init must .* got something else"),
        ({"coefs_init": [w + 0j for w in W]}, "^coefs_init must .* an array of dtype complex128"),
        ({"coefs_init": [w.astype(str) for w in W]}, "^coefs_init must .* an array of dtype <U32"),
        ({"coefs_init": [w.astype("M8[s]") for w in W]}, "^coefs_init must .* dtype datetime64"),
        ({"coefs_init": [*W[:2], [[10**400] * 3] * 6]}, "^coefs_init must .* too large to convert"),
        ({"coefs_init": itertools.count()}, r"^coefs_init must .* got \[\(\), \(\), \(\), \(\)\]$"),
        ({"coefs_init": [*W[:2], W[2] * np.nan]}, "^coefs_init must be finite in float64"),
    ],
)
def test_what_is_refused(change, message):
    model = MLPClassifier(**OPTIONS)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, **given() | change)
    assert not hasattr(model, "coefs_")


def test_what_float32_does_not_hold_is_refused():
    change = {"coefs_init": [*W[:2], W[2] * 1e300]}
    with pytest.raises(ValueError, match=r"^coefs_init must be finite in float32"):
        MLPClassifier(**OPTIONS).fit(np.float32(X), Y, **given() | change)

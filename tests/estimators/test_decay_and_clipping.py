"""Weight decay and clipped gradients, of any threads and rows, and what fits refuse of them."""

import numpy as np
import pytest
from sklearn.base import clone

from mlp_c import MLPClassifier, MLPRegressor, _core
from support import calls
from support.fits import assert_same_bits_on_any_threads_and_of_sparse_rows, bits

RNG = np.random.default_rng(0)
N = 600
X = RNG.standard_normal((N, 70))  # of more than a task's input units
Y = np.digitize(X[:, 0] + X[:, 1], [-0.7, 0.7])
OPTIONS = {"max_iter": 3, "tol": 0, "random_state": 0, "solver": "sgd", "momentum": 0.0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Beside the solver's own: each option, and both.
ASKED = {
    "decay": {"weight_decay": 0.5},
    "clipped": {"max_grad_norm": 0.1},
    "both": {"weight_decay": 0.5, "max_grad_norm": 0.1, "alpha": 0.1},
}


# ---- the bits ----


@pytest.mark.parametrize("widths", [(150,), (20, 9), ()], ids=str)
@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("batch_size", [64, 300])
def test_same_bits_on_any_threads_and_of_sparse_rows(batch_size, asked, solver, widths, dtype):
    """Of a first layer that groups of threads share; and of batches that are two chunks."""
    model = MLPClassifier(widths, batch_size=batch_size, **OPTIONS | {"solver": solver})
    model.set_params(**ASKED[asked])
    assert_same_bits_on_any_threads_and_of_sparse_rows(model, X.astype(dtype), Y)


@pytest.mark.parametrize("norm", [1e12, np.finfo(float).max])
@pytest.mark.parametrize("batch_size", [64, 300])
def test_a_norm_that_no_gradient_has_changes_no_bit(batch_size, norm, dtype):
    """Nor does that gradients are kept, by which they are summed in the same order."""
    model = MLPClassifier((40,), batch_size=batch_size, **OPTIONS)
    plain, clipped = (
        clone(model).set_params(max_grad_norm=most).fit(X.astype(dtype), Y) for most in (None, norm)
    )
    assert bits(plain) == bits(clipped)


# ---- decay ----


def test_biases_do_not_decay():
    """Of a fit whose gradients are next to nothing: weights are multiplied, three times."""
    model = MLPRegressor(hidden_layer_sizes=(5,), batch_size=N, **OPTIONS, learning_rate_init=0.125)
    model.set_params(max_grad_norm=1e-300, alpha=0.0)
    plain, decaying = (clone(model).set_params(weight_decay=w).fit(X, Y) for w in (0, 2.0))
    for before, after in zip(plain.coefs_, decaying.coefs_, strict=True):
        np.testing.assert_allclose(after, before * 0.75**3, rtol=1e-14)
    assert calls.bits(plain.intercepts_) == calls.bits(decaying.intercepts_)


@pytest.mark.parametrize(
    ("solver", "default"), [("sgd", 0.0), ("adam", 0.0), ("rmsprop", 0.0), ("adamw", 0.01)]
)
def test_none_is_the_decay_of_the_solver(solver, default):
    model = MLPClassifier((5,), **OPTIONS | {"solver": solver})
    given, other = (clone(model).set_params(weight_decay=w).fit(X, Y) for w in (default, 0.3))
    assert bits(model.fit(X, Y)) == bits(given)
    assert bits(model) != bits(other)


def test_adamw_knows_no_l2_term():
    """Neither in its steps nor in its loss."""
    model = MLPClassifier((5,), **OPTIONS | {"solver": "adamw"})
    assert bits(clone(model).set_params(alpha=0.0).fit(X, Y)) == bits(
        clone(model).set_params(alpha=10.0).fit(X, Y)
    )


def test_without_decay_adamw_is_adam_but_for_the_place_of_epsilon():
    model = MLPClassifier((5,), **OPTIONS, alpha=0.0, weight_decay=0.0, epsilon=1e-300)
    adam, adamw = (clone(model).set_params(solver=name).fit(X, Y) for name in ("adam", "adamw"))
    assert bits(adam) == bits(adamw)
    model.set_params(epsilon=1e-3)
    adam, adamw = (clone(model).set_params(solver=name).fit(X, Y) for name in ("adam", "adamw"))
    assert bits(adam) != bits(adamw)


# ---- clipping ----


def test_a_step_is_as_long_as_the_norm_says():
    """That of all parameters together, by the learning rate."""
    start = MLPClassifier((9,), **OPTIONS | {"max_iter": 1}, learning_rate_init=1e-300).fit(X, Y)
    model = clone(start).set_params(learning_rate_init=1.0, batch_size=N, max_grad_norm=0.01)
    model.fit(X, Y, coefs_init=start.coefs_, intercepts_init=start.intercepts_)
    moved = [
        (after - before).ravel()
        for after, before in zip(
            model.coefs_ + model.intercepts_, start.coefs_ + start.intercepts_, strict=True
        )
    ]
    assert np.linalg.norm(np.concatenate(moved)) == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("form", ["dense", "csri4"])
def test_float32_gradients_whose_squares_float32_does_not_hold_are_clipped(form):
    """Of targets of 1e30: the step is as long as any."""
    X_now = X.astype(np.float32)
    draw = calls.normal(np.dtype(np.float32))
    weights, biases = [draw(70, 8), draw(8, 2)], [draw(8), draw(2)]
    before = [w.copy() for w in weights + biases]
    fields = calls.fields(
        *("train_epoch", calls.rows_as(form, X_now), np.full((N, 2), 1e30, np.float32)),
        *(weights, biases),
        loss=calls.loss("squared_error"), max_grad_norm=0.5, batch_size=N,
        learning_rates=np.ones(1),
    )  # fmt: skip
    _core.train_epoch(fields)
    moved = [(a - b).ravel() for a, b in zip(weights + biases, before, strict=True)]
    assert np.linalg.norm(np.concatenate(moved).astype(float)) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("target", [1e200, np.finfo(float).max])
def test_a_gradient_whose_norm_float64_does_not_hold_is_an_error(target):
    """And not a fit that moves no more."""
    model = MLPRegressor(hidden_layer_sizes=(5,), **OPTIONS, max_grad_norm=1.0)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="non-finite parameter weights"):
        model.fit(X, np.full(N, target))


# ---- going on ----


@pytest.mark.parametrize("solver", ["adamw", "rmsprop"])
def test_partial_fit_goes_on(solver):
    """With the moments and the count of steps that there are."""
    model = MLPClassifier((5,), **OPTIONS | {"solver": solver, "shuffle": False}, max_grad_norm=1.0)
    whole = clone(model).fit(X, Y)
    for _ in range(3):
        model.partial_fit(X, Y, classes=np.arange(3))
    assert calls.bits([model.coefs_, model.intercepts_]) == calls.bits(
        [whole.coefs_, whole.intercepts_]
    )


# ---- what is refused ----


@pytest.mark.parametrize("params", [{"weight_decay": 0.1}, {"max_grad_norm": 1.0}], ids=repr)
def test_lbfgs_refuses_what_is_of_steps(params):
    """By its name; None and a decay of 0 ask for nothing."""
    name = next(iter(params))
    model = MLPClassifier((3,), solver="lbfgs", max_iter=2, **params)
    with pytest.raises(ValueError, match=f"solver='lbfgs', which makes no steps, takes no {name}="):
        model.fit(X, Y)
    assert not hasattr(model, "coefs_")
    clone(model).set_params(weight_decay=0.0, max_grad_norm=None).fit(X, Y)

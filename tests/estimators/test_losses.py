"""Losses that scikit-learn's networks lack are those of its other estimators."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn._loss import loss as theirs

from mlp_c import MLPRegressor, _core
from support import calls

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 3))
Y = np.exp(X[:, 0] - 0.5 * X[:, 1] + 0.3 * RNG.standard_normal(300))

# By case: our loss and its constants, and scikit-learn's.
LOSSES = {
    "absolute error": ("absolute_error", {}, theirs.AbsoluteError()),
    "Huber": ("huber_loss", {"delta": 0.7}, theirs.HuberLoss(delta=0.7)),
    "pinball": ("pinball_loss", {"quantiles": (0.9,)}, theirs.PinballLoss(quantile=0.9)),
    "gamma": ("gamma_loss", {}, theirs.HalfGammaLoss()),
    "Tweedie of 1": ("tweedie_loss", {"power": 1.0}, theirs.HalfTweedieLoss(power=1.0)),
    "Tweedie of 1.1": ("tweedie_loss", {"power": 1.1}, theirs.HalfTweedieLoss(power=1.1)),
    "Tweedie of 1.9": ("tweedie_loss", {"power": 1.9}, theirs.HalfTweedieLoss(power=1.9)),
    "Tweedie of 2": ("tweedie_loss", {"power": 2.0}, theirs.HalfTweedieLoss(power=2.0)),
}


def loss_and_gradient(name, constants, z, y):
    """Of a network that gives its rows: the sum over them, and the gradient in its bias."""
    n = len(z)
    fields = calls.fields(
        *("loss_gradient", z.reshape(-1, 1), y.reshape(-1, 1)),
        *([np.ones((1, 1), z.dtype)], [np.zeros(1, z.dtype)]),
        loss=calls.loss(name, **constants),
    )
    return n * _core.loss_gradient(fields), n * fields["dbiases"][0][0]


@pytest.mark.parametrize("case", LOSSES)
@pytest.mark.parametrize("scale", [0.01, 1, 8])
def test_losses_and_gradients_are_those_of_sklearn_loss(case, scale):
    """Half deviances with their constants, row by row."""
    name, constants, loss = LOSSES[case]
    z = scale * RNG.standard_normal(200)
    y = np.exp(scale * RNG.standard_normal(200)) if name.endswith(("mma_loss", "ie_loss")) else -z
    y[:20] = np.exp(z[:20])  # as close as may be
    if name == "tweedie_loss" and constants["power"] < 2:
        y[20:40] = 0
    for i in range(len(z)):
        got, slope = loss_and_gradient(name, constants, z[i : i + 1], y[i : i + 1])
        raw, one = z[i : i + 1], y[i : i + 1]
        want = loss.loss(one, raw)[0]
        if hasattr(loss, "constant_to_optimal_zero"):
            want += loss.constant_to_optimal_zero(one)[0]
        size = 1 + abs(z[i]) + abs(y[i]) + np.exp(abs(z[i])) * (1 + y[i] ** 2)
        assert got == pytest.approx(want, rel=1e-12, abs=1e-14 * size)
        assert slope == pytest.approx(loss.gradient(one, raw)[0], rel=1e-12, abs=1e-14 * size)


@pytest.mark.parametrize("name", ["absolute_error", "pinball_loss", "huber_loss"])
def test_the_gradient_at_a_tie_is_zero(name, dtype):
    z = np.array([-1.5, 0, 2], dtype)
    assert loss_and_gradient(name, calls.constants_of(calls.loss(name)), z, z) == (0, 0)


@pytest.mark.parametrize("power", [1 + 1e-12, 1 + 1e-6, 2 - 1e-6, 2 - 1e-12])
def test_the_deviance_of_a_power_beside_a_limit_is_that_of_the_limit(power):
    """No difference of like numbers is divided by almost nothing."""
    z, y = RNG.standard_normal(500), np.exp(RNG.standard_normal(500))
    near = loss_and_gradient("tweedie_loss", {"power": power}, z, y)
    limit = loss_and_gradient("poisson_loss" if power < 1.5 else "gamma_loss", {}, z, y)
    assert near == pytest.approx(limit, rel=1e-4 if 1e-7 < power % 1 < 1 - 1e-7 else 1e-10)


@pytest.mark.parametrize(("power", "loss"), [(1, "poisson"), (2.0, "gamma")])
def test_tweedie_has_the_bits_of_its_limits(power, loss):
    options = {"max_iter": 3, "tol": 0, "n_iter_no_change": 9, "random_state": 0}
    with pytest.warns(match="hasn't converged"):
        limit = MLPRegressor(loss, **options).fit(X, Y)
    with pytest.warns(match="hasn't converged"):
        model = MLPRegressor("tweedie", tweedie_power=power, **options).fit(X, Y)
    assert calls.bits(model.coefs_) == calls.bits(limit.coefs_)
    assert model.loss_curve_ == limit.loss_curve_
    assert model.out_activation_ == "exp"


@pytest.mark.parametrize(
    ("parameters", "y", "expected"),
    [
        ({"loss": "gamma"}, 0.0, "y must be positive for loss='gamma', got 0.0"),
        ({"loss": "gamma"}, -1.0, "y must be positive for loss='gamma', got -1.0"),
        ({"loss": "tweedie", "tweedie_power": 2}, 0.0, "y must be positive for loss='tweedie'"),
        ({"loss": "tweedie"}, -0.5, "y must not be negative for loss='tweedie', got -0.5"),
    ],
)
def test_targets_outside_the_domain_are_refused(parameters, y, expected):
    targets = Y.copy()
    targets[7] = y
    with pytest.raises(ValueError, match=f"^{expected}"):
        MLPRegressor(**parameters).fit(X, targets)


@pytest.mark.parametrize("loss", ["gamma", "tweedie", "huber"])
def test_tags_say_whether_targets_must_be_positive(loss):
    assert MLPRegressor(loss).__sklearn_tags__().target_tags.positive_only == (loss != "huber")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_so_many_targets_lie_below_a_quantile(quantile, solver):
    """Of a model without hidden layers, which cannot follow single rows."""
    model = MLPRegressor(
        *("quantile", ()), quantile=quantile, solver=solver, max_iter=600, tol=1e-9,
        n_iter_no_change=50, learning_rate_init=0.02, alpha=0, random_state=0,
    )  # fmt: skip
    below = np.mean(model.fit(X, Y).predict(X) > Y)
    assert below == pytest.approx(quantile, abs=0.03)


def test_outliers_move_medians_and_huber_less_than_means():
    targets = 2 * X[:, 0]
    spoilt = targets.copy()
    spoilt[:15] += 1000
    errors = {}
    for loss in ("squared_error", "absolute_error", "huber"):
        model = MLPRegressor(loss, (), solver="lbfgs", max_iter=2000, random_state=0)
        errors[loss] = np.abs(model.fit(X, spoilt).predict(X) - targets).mean()
    assert errors["absolute_error"] < 0.1
    assert errors["huber"] < 0.2
    assert errors["squared_error"] > 20


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile", "gamma", "tweedie"])
def test_same_bits_on_any_number_of_threads_and_of_sparse_rows(loss):
    rows = np.where(X > 0, X, 0)
    options = {"max_iter": 4, "tol": 0, "random_state": 1, "batch_size": 64}
    bits = set()
    for n_threads in (1, 2, 3, 8):
        for given in (rows, csr_array(rows)):
            with pytest.warns(match="hasn't converged"):
                model = MLPRegressor(loss, (90,), n_threads=n_threads, **options).fit(given, Y)
            bits.add(repr(calls.bits([model.coefs_, np.array(model.loss_curve_)])))
    assert len(bits) == 1

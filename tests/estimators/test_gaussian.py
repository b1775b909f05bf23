"""The Gaussian loss: means and standard deviations by one network."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

import mlp_c
from mlp_c import MLPRegressor
from mlp_c._estimators.prediction import outputs_of
from support.fits import assert_same_bits_on_any_threads_and_of_sparse_rows, bits

RNG = np.random.default_rng(0)
N = 400
X = RNG.standard_normal((N, 3))
NOISE = RNG.standard_normal((N, 2))
Y = X[:, 0] - X[:, 1] + np.exp(X[:, 2] / 2) * NOISE[:, 0]
TWO = np.column_stack([Y, 0.5 * NOISE[:, 1] - X[:, 1]])
WEIGHT = RNG.uniform(0.5, 2, N)
OPTIONS = {"hidden_layer_sizes": (8,), "max_iter": 6, "tol": 0, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
each_y = pytest.mark.parametrize("y", [Y, TWO], ids=["one target", "two targets"])


def model(**params):
    return MLPRegressor("gaussian", **OPTIONS | params)


@each_y
def test_predictions_are_means_and_with_return_std_these_too(y):
    """The outputs are the means of all targets, then the logarithms of the variances."""
    fitted = model().fit(X, y)
    mean, std = fitted.predict(X, return_std=True)
    assert mean.shape == std.shape == y.shape
    np.testing.assert_array_equal(mean, fitted.predict(X))
    outputs = outputs_of(fitted, X)
    assert fitted.n_outputs_ == outputs.shape[1] == 2 * (1 if y.ndim == 1 else 2)
    means, logs = np.split(outputs, 2, axis=1)
    np.testing.assert_array_equal(mean.reshape(N, -1), means)
    np.testing.assert_array_equal(std.reshape(N, -1), np.exp(logs / 2))
    assert mean.flags.c_contiguous


@each_y
def test_the_loss_is_the_likelihoods_but_for_a_constant(y):
    """Of one step that moves nothing, over all rows: the sum over targets."""
    fitted = model(learning_rate_init=1e-300, alpha=0, batch_size=N).fit(X, y, WEIGHT)
    mean, std = fitted.predict(X, return_std=True)
    losses = (-norm.logpdf(y, mean, std) - np.log(2 * np.pi) / 2).reshape(N, -1).sum(axis=1)
    assert fitted.loss_ == pytest.approx(np.average(losses, weights=WEIGHT), rel=1e-12)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_means_and_spreads_are_found(solver):
    """Where they are linear in the rows, and the logarithm of the variance is."""
    fitted = model(
        hidden_layer_sizes=(), solver=solver, max_iter=2000, tol=1e-9, n_iter_no_change=50,
        learning_rate_init=0.02, alpha=0,
    ).fit(X, TWO)  # fmt: skip
    np.testing.assert_allclose(fitted.coefs_[0][:, 0], [1, -1, 0], atol=0.15)
    np.testing.assert_allclose(fitted.coefs_[0][:, 2], [0, 0, 1], atol=0.2)
    mean, std = fitted.predict(X, return_std=True)
    np.testing.assert_allclose(np.std((TWO - mean) / std, axis=0), [1, 1], atol=0.02)
    np.testing.assert_allclose(std[:, 1].mean(), 0.5, atol=0.05)


def test_a_perfect_fit_stays_finite(dtype):
    """All targets are the same: the variance falls for ever."""
    y = np.full(N, 2.0, dtype)
    fitted = model(learning_rate_init=0.1, max_iter=800).fit(X.astype(dtype), y)
    assert np.isfinite(fitted.loss_curve_).all()
    mean, std = fitted.predict(X.astype(dtype), return_std=True)
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()


def test_a_standard_deviation_beyond_the_dtype_is_infinite():
    """Without a warning; one below it is 0."""
    fitted = model().fit(X, Y)
    fitted.coefs_[-1][:, 1] = 0
    for log, std in ((5000, np.inf), (-5000, 0)):
        fitted.intercepts_[-1][1] = log
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert (fitted.predict(X, return_std=True)[1] == std).all()


@each_y
def test_scores_are_of_the_means(y):
    fitted = model(early_stopping=True).fit(X, y)
    want = r2_score(y, fitted.predict(X), sample_weight=WEIGHT)
    assert fitted.score(X, y, WEIGHT) == want
    assert max(fitted.validation_scores_) == fitted.best_validation_score_ <= 1


def test_scores_of_early_stopping_are_scores():
    """Of the weights that are kept, on the rows held out."""
    _, held_out = train_test_split(np.arange(N), random_state=0, test_size=0.1)
    given = {"X_val": X[held_out], "y_val": TWO[held_out], "sample_weight_val": WEIGHT[held_out]}
    fitted = model(early_stopping=True, max_iter=3).fit(X, TWO, WEIGHT, **given)
    score = fitted.score(X[held_out], TWO[held_out], WEIGHT[held_out])
    assert fitted.best_validation_score_ == pytest.approx(score, rel=1e-12)


@pytest.mark.parametrize("loss", ["squared_error", "quantile", "poisson"])
def test_other_losses_know_no_standard_deviations(loss):
    fitted = MLPRegressor(loss, **OPTIONS).fit(X, np.abs(Y))
    expected = f"^return_std=True needs loss='gaussian', got loss='{loss}'$"
    with pytest.raises(ValueError, match=expected):
        fitted.predict(X, return_std=True)


def test_same_bits_on_any_number_of_threads_and_of_sparse_rows():
    wide = model(hidden_layer_sizes=(90,), batch_size=64)
    assert_same_bits_on_any_threads_and_of_sparse_rows(wide, X, TWO)


def test_float32_follows_float64():
    fitted = model(max_iter=3).fit(X, TWO)
    single = model(max_iter=3).fit(X.astype(np.float32), TWO)
    both = zip(single.predict(X, return_std=True), fitted.predict(X, return_std=True), strict=True)
    for ours, theirs in both:
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_warm_starts_and_partial_fit_go_on_and_refuse_other_targets():
    warm = model(warm_start=True, max_iter=1, shuffle=False).fit(X, TWO)
    part = model(shuffle=False).partial_fit(X, TWO)
    assert bits(part) == bits(warm)
    assert bits(warm.fit(X, TWO)) != bits(part)
    expected = "^y must have as many targets, each of 2 outputs for loss='gaussian', as the "
    expected += "weights to go on from, which have 4 outputs, got 1$"
    with pytest.raises(ValueError, match=expected):
        part.partial_fit(X, Y)


def test_predictions_of_an_odd_number_of_outputs_are_refused():
    fitted = MLPRegressor(**OPTIONS).fit(X, np.column_stack([TWO, Y])).set_params(loss="gaussian")
    expected = "^the weights must have a multiple of 2 outputs for loss='gaussian', got 3$"
    with pytest.raises(ValueError, match=expected):
        fitted.predict(X)


def test_it_is_pickled_and_saved(tmp_path):
    fitted = model().fit(X, TWO)
    fitted.save(tmp_path / "model")
    for copy in (pickle.loads(pickle.dumps(fitted)), mlp_c.load(tmp_path / "model")):
        for ours, theirs in zip(
            copy.predict(X, return_std=True), fitted.predict(X, return_std=True), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)

"""Several quantiles by one network: what is fitted, predicted and scored, and what is refused."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import d2_pinball_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split

import mlp_c
from mlp_c import MLPRegressor, _core
from mlp_c._estimators.prediction import outputs_of
from support.fits import assert_same_bits_on_any_threads_and_of_sparse_rows, bits

RNG = np.random.default_rng(0)
N = 300
X = RNG.standard_normal((N, 3))
NOISE = RNG.standard_normal((N, 2))
Y = X[:, 0] - X[:, 1] + np.exp(X[:, 2] / 2) * NOISE[:, 0]
TWO = np.column_stack([Y, 3 * NOISE[:, 1] - X[:, 1]])
WEIGHT = RNG.uniform(0.5, 2, N)
QUANTILES = [0.1, 0.5, 0.9]
OPTIONS = {"hidden_layer_sizes": (8,), "max_iter": 6, "tol": 0, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def model(quantile=QUANTILES, **params):
    return MLPRegressor("quantile", quantile=quantile, **OPTIONS | params)


def pinball(y, predicted, quantile):
    return np.maximum(quantile * (y - predicted), (quantile - 1) * (y - predicted))


# ---- fits and predictions ----


@pytest.mark.parametrize("quantile", [QUANTILES, tuple(QUANTILES), np.array(QUANTILES)])
def test_predictions_have_an_axis_of_quantiles_that_never_cross(quantile):
    """The last. An untrained network's cross."""
    one, two = model(quantile).fit(X, Y), model(quantile).fit(X, TWO)
    assert one.predict(X).shape == (N, 3)
    assert two.predict(X).shape == (N, 2, 3)
    assert (one.n_outputs_, two.n_outputs_) == (3, 6)
    for fitted in (one, two):
        assert (np.diff(fitted.predict(X)) >= 0).all()
        assert (np.diff(outputs_of(fitted, X).reshape(N, 3, -1), axis=1) < 0).any()


def test_predictions_are_the_outputs_of_each_quantile_in_order():
    """The network has those of the first quantile for all targets, then those of the next."""
    fitted = model().fit(X, TWO)
    outputs = outputs_of(fitted, X)
    for target in range(2):
        want = np.sort(outputs[:, [target, target + 2, target + 4]], axis=1)
        np.testing.assert_array_equal(fitted.predict(X)[:, target], want)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_so_many_targets_lie_below_each_quantile(solver):
    """Of a model without hidden layers, which cannot follow single rows."""
    fitted = model(
        hidden_layer_sizes=(), solver=solver, max_iter=800, tol=1e-9, n_iter_no_change=50,
        learning_rate_init=0.02, alpha=0,
    ).fit(X, TWO)  # fmt: skip
    below = (fitted.predict(X) > TWO[..., np.newaxis]).mean(axis=0)
    np.testing.assert_allclose(below, [QUANTILES] * 2, atol=0.04)


def test_the_loss_is_the_sum_over_quantiles_and_targets():
    """Of one step that moves nothing, over all rows."""
    fitted = model(learning_rate_init=1e-300, alpha=0, batch_size=N).fit(X, TWO, WEIGHT)
    outputs = outputs_of(fitted, X).reshape(N, 3, 2)
    losses = sum(pinball(TWO, outputs[:, i], q).sum(axis=1) for i, q in enumerate(QUANTILES))
    assert fitted.loss_ == pytest.approx(np.average(losses, weights=WEIGHT), rel=1e-12)


@pytest.mark.parametrize("y", [Y, TWO], ids=["one target", "two targets"])
def test_a_list_of_one_quantile_has_the_bits_of_that_quantile(y):
    number, of_one = model(0.3).fit(X, y), model([0.3]).fit(X, y)
    assert bits(of_one) == bits(number)
    assert of_one.predict(X).shape == (*y.shape, 1)
    np.testing.assert_array_equal(of_one.predict(X)[..., 0], number.predict(X))


def test_there_may_be_any_number_of_quantiles():
    """Of no fixed limit in C."""
    quantiles = np.linspace(0, 1, 1002)[1:-1]
    fitted = model(quantiles, max_iter=2).fit(X, Y)
    assert fitted.predict(X).shape == (N, 1000)


def test_same_bits_on_any_number_of_threads_and_of_sparse_rows():
    wide = model(hidden_layer_sizes=(90,), batch_size=64)
    assert_same_bits_on_any_threads_and_of_sparse_rows(wide, X, TWO)


def test_float32_follows_float64():
    fitted = model(max_iter=3).fit(X, TWO)
    single = model(max_iter=3).fit(X.astype(np.float32), TWO)
    assert single.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.predict(X), fitted.predict(X), rtol=1e-3, atol=1e-3)


# ---- scores ----


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@pytest.mark.parametrize("y", [Y, TWO], ids=["one target", "two targets"])
def test_a_score_is_the_mean_of_the_d2_pinball_scores(y, weight):
    """As scikit-learn has them; of a number, it is that of a list of it."""
    fitted = model().fit(X, y)
    scores = [
        d2_pinball_score(y, fitted.predict(X)[..., i], alpha=q, sample_weight=weight)
        for i, q in enumerate(QUANTILES)
    ]
    assert fitted.score(X, y, weight) == pytest.approx(np.mean(scores), rel=1e-14)
    assert type(fitted.score(X, y, weight)) is float
    number, alone = (model(quantile, early_stopping=True).fit(X, y) for quantile in (0.9, [0.9]))
    assert number.score(X, y, weight) == alone.score(X, y, weight)
    assert number.validation_scores_ == alone.validation_scores_
    number.coefs_[0][0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        number.score(X, y, weight)


def test_scores_of_early_stopping_are_scores():
    """Of the weights that are kept, on the rows held out."""
    _, held_out = train_test_split(np.arange(N), random_state=0, test_size=0.1)
    given = {"X_val": X[held_out], "y_val": TWO[held_out], "sample_weight_val": WEIGHT[held_out]}
    fitted = model(early_stopping=True, max_iter=3).fit(X, TWO, WEIGHT, **given)
    score = fitted.score(X[held_out], TWO[held_out], WEIGHT[held_out])
    assert fitted.best_validation_score_ == pytest.approx(score, rel=1e-12)


def test_a_score_refuses_targets_of_another_shape():
    fitted = model().fit(X, TWO)
    for wrong in (Y, TWO[:9], np.hstack([TWO, TWO]), np.full_like(TWO, np.nan), 3.0):
        with pytest.raises((ValueError, TypeError)):  # of scikit-learn's
            fitted.score(X, wrong)


def test_cross_validation_and_searches_score_them():
    scores = cross_val_score(model(), X, Y, cv=3)
    assert np.isfinite(scores).all()
    search = GridSearchCV(
        model(), {"quantile": [QUANTILES, [0.25, 0.75]]}, cv=3, error_score="raise"
    )
    assert search.fit(X, Y).best_estimator_.predict(X).shape == (
        N,
        len(search.best_params_["quantile"]),
    )


# ---- going on, saving ----


def test_warm_starts_and_partial_fit_go_on():
    warm = model(warm_start=True, max_iter=1, shuffle=False).fit(X, TWO)
    before = bits(warm)
    warm.fit(X, TWO)
    assert bits(warm) != before
    part = model(shuffle=False).partial_fit(X, TWO)
    assert bits(part)[:4] == before[:4]
    part.partial_fit(X, TWO)
    assert part.predict(X).shape == (N, 2, 3)


def test_targets_or_quantiles_that_do_not_fit_the_weights_are_refused():
    fitted = model().fit(X, TWO)
    before = bits(fitted)
    expected = "^y must have as many targets, each of 3 outputs for loss='quantile', as the "
    expected += "weights to go on from, which have 6 outputs, got 1$"
    with pytest.raises(ValueError, match=expected):
        fitted.partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"each of 4 outputs .* have 6 outputs, got 2$"):
        fitted.set_params(quantile=[0.1, 0.2, 0.3, 0.4]).partial_fit(X, TWO)
    with pytest.raises(
        ValueError, match=r"^y must have as many outputs as the weights .* is 6, got"
    ):
        fitted.set_params(quantile=0.5).partial_fit(X, TWO)
    assert bits(fitted) == before


def test_predictions_of_another_number_of_quantiles_are_refused():
    fitted = model().fit(X, Y)
    for quantile in ([0.2, 0.8], []):
        expected = f"^the weights must have a multiple of {len(quantile)} outputs for .*, got 3$"
        with pytest.raises(ValueError, match=expected):
            fitted.set_params(quantile=quantile).predict(X)


def test_it_is_cloned_pickled_and_saved(tmp_path):
    for quantile in (QUANTILES, tuple(QUANTILES), np.array(QUANTILES)):
        fitted = model(quantile).fit(X, TWO)
        assert type(clone(fitted).quantile) is type(quantile)
        fitted.save(tmp_path / "model")
        for copy in (pickle.loads(pickle.dumps(fitted)), mlp_c.load(tmp_path / "model")):
            assert type(copy.quantile) is type(quantile)
            assert list(copy.quantile) == QUANTILES
            np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
            assert copy.score(X, TWO) == fitted.score(X, TWO)


# ---- the parameter ----


@pytest.mark.parametrize(
    "wrong", [[], [0.5, 0.5], [0.9, 0.1], [0, 0.5], [0.5, 1], [0.5, np.nan], [["odd"]], {0.5}]
)
def test_lists_that_are_not_of_ascending_quantiles_are_refused(wrong):
    expected = "The 'quantile' parameter of MLPRegressor must be .* or a list of ascending numbers "
    expected += r"between 0 and 1\. Got "
    with pytest.raises(ValueError, match=expected):
        model(wrong).fit(X, Y)


def test_lists_matter_to_no_other_loss():
    """Nor do their predictions have another axis."""
    plain = MLPRegressor(**OPTIONS).fit(X, Y)
    with_list = MLPRegressor(**OPTIONS, quantile=QUANTILES).fit(X, Y)
    assert bits(with_list) == bits(plain)
    assert with_list.predict(X).shape == (N,)
    assert with_list.score(X, Y) == plain.score(X, Y)


def test_a_list_that_changes_in_a_fit_is_read_once_for_training(monkeypatch):
    """What the kernels are given is a copy; predictions say that the weights do not fit."""
    quantiles, epoch = list(QUANTILES), _core.train_epoch
    monkeypatch.setattr(_core, "train_epoch", lambda f: quantiles.append(0.99) or epoch(f))
    fitted = model(quantiles, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        fitted.fit(X, Y)
    assert fitted.n_outputs_ == 3
    with pytest.raises(ValueError, match=r"^the weights must have a multiple of 4 outputs"):
        fitted.predict(X)

"""What the rows that members hold out tell: predictions, temperatures, intervals, importances."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.metrics import accuracy_score, d2_pinball_score, log_loss, r2_score

from mlp_c import TabularMLPClassifier, TabularMLPRegressor
from mlp_c._estimators.intervals import cv_plus
from mlp_c._tables.frames import read
from support.coded import encode
from support.tabular import (
    MIXED,
    NUMBERS,
    TARGETS,
    WEIGHTS,
    WORDS,
    N,
    both,
    held_out_by,
    make,
    targets_for,
)

C, R = TabularMLPClassifier, TabularMLPRegressor


def of_member(model, k, table):
    """What a member says of rows, by NumPy: probabilities, or numbers in the targets' units."""
    rows = model._columns.code(read(table))
    x, member = encode(rows, np.float64), model.members_[k]
    *hidden, last = zip(member.coefs_, member.intercepts_, strict=True)
    for w, b in hidden:
        x = np.maximum(x @ w.astype(float) + b, 0)
    outputs = x @ last[0].astype(float) + last[1]
    if isinstance(model, R):
        y = outputs * model.target_scales_ + model.target_centers_
        return np.clip(y, *model.target_range_)
    if outputs.shape[1] > 1:
        return softmax(outputs, axis=1)
    return np.hstack([1 - expit(outputs), expit(outputs)])


def held_out_by_hand(model, table):
    """The mean of what members say of the rows that they hold out; NaN of others."""
    said = np.full((len(model.members_), N, of_member(model, 0, table).shape[1]), np.nan)
    for k in range(len(model.members_)):
        held_out = held_out_by(model, k)
        said[k, held_out] = of_member(model, k, table)[held_out]
    known = ~np.isnan(said).all(axis=(0, 2))
    mean = np.full(said.shape[1:], np.nan)
    mean[known] = np.nanmean(said[:, known], axis=0)
    return mean


# ---- predictions of rows that were held out ----


@pytest.mark.parametrize("n_members", [1, 3, 5, 8, 13])
@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
def test_a_regressors_are_by_the_members_that_held_them_out(n_members, weight):
    model = make(R, n_members=n_members)
    model.fit(MIXED, TARGETS, weight, groups=np.arange(N) // 6)
    expected = held_out_by_hand(model, MIXED)[:, 0]
    np.testing.assert_allclose(model.oob_prediction_, expected, rtol=1e-4, atol=1e-5)
    known = ~np.isnan(expected)
    assert known.all() == (n_members >= 5)
    in_score = None if weight is None else weight[known]
    score = r2_score(TARGETS[known], model.oob_prediction_[known], sample_weight=in_score)
    assert model.oob_score_ == pytest.approx(score, rel=1e-9)


@pytest.mark.parametrize("n_members", [1, 3, 8])
@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("labels", [WORDS, TARGETS > 0], ids=["three classes", "two"])
def test_a_classifiers_are_at_its_temperature(n_members, weight, labels):
    model = make(C, n_members=n_members).fit(MIXED, labels, weight)
    expected = held_out_by_hand(model, MIXED) ** (1 / model.temperature_)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.oob_prediction_, expected, rtol=1e-4)
    known = ~np.isnan(expected[:, 0])
    found = model.classes_[model.oob_prediction_[known].argmax(axis=1)]
    in_score = None if weight is None else weight[known]
    score = accuracy_score(labels[known], found, sample_weight=in_score)
    assert model.oob_score_ == pytest.approx(score, rel=1e-12)


def test_predictions_are_the_mean_of_the_members():
    model = make(R, n_members=5).fit(MIXED, TARGETS)
    mean = np.mean([of_member(model, k, MIXED)[:, 0] for k in range(5)], axis=0)
    np.testing.assert_allclose(model.predict(MIXED), mean, rtol=1e-4, atol=1e-5)
    model = make(C, n_members=5).fit(MIXED, WORDS)
    mean = np.mean([of_member(model, k, MIXED) for k in range(5)], axis=0)
    expected = mean ** (1 / model.temperature_)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(MIXED), expected, rtol=1e-4)
    np.testing.assert_allclose(model.predict_log_proba(MIXED), np.log(expected), rtol=1e-4)
    assert (model.predict(MIXED) == model.classes_[expected.argmax(axis=1)]).all()
    assert model.score(MIXED, WORDS) == np.mean(model.predict(MIXED) == WORDS)


# ---- temperatures ----


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("learning_rate_init", [1e-3, 0.1])
def test_no_other_temperature_has_a_lower_log_loss(weight, learning_rate_init):
    """Of members that are too sure, and of such as have hardly learned."""
    params = {"n_members": 5, "max_iter": 30, "learning_rate_init": learning_rate_init}
    model = make(C, label_smoothing=0.0, dropout=0.0, **params).fit(MIXED, WORDS, weight)
    probabilities = model.oob_prediction_**model.temperature_  # as members say, but for the sums

    def loss(temperature):
        found = softmax(np.log(probabilities) / temperature, axis=1)
        return log_loss(WORDS, found, sample_weight=weight)

    grid = np.geomspace(0.1, 10, 200)
    losses = [loss(temperature) for temperature in grid]
    assert loss(model.temperature_) <= min(losses) + 1e-7
    best = grid[np.argmin(losses)]
    assert best == pytest.approx(model.temperature_, rel=0.03)


def test_the_surest_probabilities_have_finite_logarithms():
    X = np.repeat([[0.0], [1.0]], 30, axis=0)
    model = make(C, max_iter=20, learning_rate_init=0.1).fit(X, X[:, 0] > 0)
    model.temperature_ = 0.001  # as if they had been held out and right
    logarithms = model.predict_log_proba(X)
    assert model.predict_proba(X).min() == 0
    assert np.isfinite(logarithms).all()
    np.testing.assert_allclose(np.exp(logarithms), model.predict_proba(X), rtol=1e-9)


# ---- intervals ----


def cv_plus_by_brute_force(residuals, predictions, alpha):
    """Barber et al.'s definition, with all of the sums of a row in a list."""
    member = np.concatenate([np.full(len(r), k) for k, r in enumerate(residuals)])
    r, p = np.concatenate(residuals), np.stack(predictions)[member]
    n, ends = len(r), []
    for j in range(p.shape[1]):
        upper, lower = np.sort(p[:, j] + r), np.sort(p[:, j] - r)
        rank = int(np.ceil((1 - alpha) * (n + 1)))
        ends.append((lower[n - rank], upper[rank - 1]) if rank <= n else (-np.inf, np.inf))
    return np.array(ends)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.floats(0.01, 0.99),
    st.sampled_from([1e-300, 1e-9, 1.0, 1e9, 1e300]),
    st.booleans(),
)
def test_cv_plus_is_what_its_definition_says(seed, n_members, alpha, unit, has_ties):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 9, n_members)
    sizes[0] += 1
    residuals = [np.abs(rng.standard_cauchy(size)) * unit for size in sizes]
    predictions = [rng.normal(size=7) * unit for _ in sizes]
    if has_ties:
        residuals = [np.round(r / unit) * unit for r in residuals]
        predictions = [np.round(p / unit) * unit for p in predictions]
    expected = cv_plus_by_brute_force(residuals, predictions, alpha)
    found = cv_plus(residuals, predictions, alpha)
    assert found.shape == (7, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * unit)


def test_the_least_of_the_sums_is_exact():
    assert cv_plus([np.array([0.0, 1.0])], [np.array([5.0])], 0.9).tolist() == [[5.0, 5.0]]


@pytest.mark.parametrize("n_members", [2, 5, 8])
def test_intervals_are_of_the_rows_held_out(n_members):
    model = make(R, n_members=n_members).fit(MIXED, NUMBERS[:, :2])
    known = range(min(n_members, model.folds_.max() + 1))
    for j in range(2):
        residuals = [
            np.abs(NUMBERS[model.folds_ == k, j] - of_member(model, k, MIXED)[model.folds_ == k, j])
            for k in known
        ]
        predictions = [of_member(model, k, MIXED)[:, j] for k in known]
        expected = cv_plus_by_brute_force(residuals, predictions, 0.2)
        found = model.predict_interval(MIXED, alpha=0.2)[:, j]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_members_of_the_same_fold_do_not_count_its_rows_twice():
    """5 rows are too few for alpha=0.1, which takes 9, however many members there are."""
    model = make(R, n_members=20).fit(NUMBERS[:5], TARGETS[:5])
    assert np.isinf(model.predict_interval(NUMBERS, alpha=0.1)).all()
    assert np.isfinite(model.predict_interval(NUMBERS, alpha=0.2)).all()
    residuals = np.abs(TARGETS[:5] - model.oob_prediction_)[np.argsort(model.folds_)]
    of_folds = [
        np.mean([of_member(model, k, NUMBERS)[:, 0] for k in range(fold, 20, 5)], axis=0)
        for fold in range(5)
    ]
    expected = cv_plus_by_brute_force(residuals[:, np.newaxis], of_folds, 0.2)
    found = model.predict_interval(NUMBERS, alpha=0.2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_intervals_grow_as_fewer_rows_may_lie_outside():
    model = make(R, n_members=5).fit(NUMBERS, TARGETS)
    intervals = [model.predict_interval(NUMBERS, alpha) for alpha in np.linspace(0.001, 0.6, 40)]
    for wide, narrow in pairwise(intervals):
        assert (wide[:, 0] <= narrow[:, 0]).all()
        assert (wide[:, 1] >= narrow[:, 1]).all()
    assert np.isinf(intervals[0]).all()
    assert np.isfinite(intervals[-1]).all()
    assert model.predict_interval(NUMBERS).tolist() == model.predict_interval(NUMBERS, 0.1).tolist()


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_intervals_hold_as_many_targets_as_they_should(alpha):
    """Over repeats, with noise of long tails; by Barber et al. at least 1 - 2 alpha, always."""
    covered = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(400, 2))
        y = X[:, 0] + rng.standard_t(3, 400)
        model = make(R, n_members=5, max_iter=10, random_state=seed).fit(X[:150], y[:150])
        low, high = model.predict_interval(X[150:], alpha).T
        covered.append(np.mean((low <= y[150:]) & (y[150:] <= high)))
    assert 1 - alpha - 0.02 < np.mean(covered) < 1 - alpha + 0.05
    assert min(covered) > 1 - 2 * alpha


@pytest.mark.parametrize("alpha", [0, 1, -0.5, 2, np.nan, np.inf, "a", None, True, [0.1]])
def test_an_alpha_that_is_no_share_is_refused(alpha):
    model = make(R).fit(NUMBERS, TARGETS)
    with pytest.raises(ValueError, match="alpha must be a number between 0 and 1, got"):
        model.predict_interval(NUMBERS, alpha)


def test_several_quantiles_have_no_intervals():
    model = make(R, loss="quantile", quantile=[0.1, 0.9]).fit(NUMBERS, TARGETS)
    with pytest.raises(ValueError, match=r"a loss of one estimate, got quantile=\[0.1, 0.9\]"):
        model.predict_interval(NUMBERS)


# ---- importances ----


@pytest.mark.parametrize("cls", [C, R])
def test_importances_find_the_column_that_tells(cls):
    X = np.column_stack([NUMBERS, np.ones(N)])
    y = X[:, 1] > 0 if cls is C else X[:, 1]
    model = make(cls, n_members=5, max_iter=40, learning_rate_init=0.05).fit(X, y)
    found = model.permutation_importance(X, y, n_repeats=4, random_state=0)
    assert found.importances.shape == (4, 4)
    np.testing.assert_array_equal(found.importances_mean, found.importances.mean(axis=1))
    np.testing.assert_array_equal(found.importances_std, found.importances.std(axis=1))
    assert found.importances[3].tolist() == [0] * 4
    others = np.abs(found.importances_mean[[0, 2]])
    assert found.importances_mean[1] > max(0.2, 4 * others.max())
    again = model.permutation_importance(X, y, n_repeats=4, random_state=0)
    np.testing.assert_array_equal(found.importances, again.importances)


def test_values_are_exchanged_among_the_rows_of_a_fold():
    """Of a column that is the fold, each value stays: it is of no importance."""
    model = make(R, n_members=5, max_iter=40, learning_rate_init=0.05)
    groups = np.arange(N) % 5
    X, y = np.column_stack([NUMBERS[:, 0], groups]), groups + 0.1 * NUMBERS[:, 0]
    model.fit(X, y, groups=groups)
    found = model.permutation_importance(X, y, random_state=0)
    assert found.importances[1].tolist() == [0] * 5


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("cls", "params"),
    [(C, {}), (R, {}), (R, {"loss": "quantile", "quantile": [0.2, 0.8]})],
    ids=["classifier", "regressor", "quantiles"],
)
def test_importances_are_differences_from_the_score_of_rows_held_out(cls, params, weight):
    y = targets_for(cls)
    model = make(cls, n_members=2, **params).fit(MIXED, y, weight)
    found = model.permutation_importance(MIXED, y, weight, n_repeats=1, random_state=3)
    constant = list(MIXED.columns).index("constant")
    assert found.importances[constant] == 0
    assert found.importances.any()
    held_out = model.folds_ < 2
    known, kept = y[held_out], model.oob_prediction_[held_out]
    scored = None if weight is None else weight[held_out]
    if cls is C:
        expected = accuracy_score(known, model.classes_[kept.argmax(1)], sample_weight=scored)
    elif params:
        expected = np.mean(
            [
                d2_pinball_score(known, kept[:, i], alpha=quantile, sample_weight=scored)
                for i, quantile in enumerate(params["quantile"])
            ]
        )
    else:
        expected = r2_score(known, kept, sample_weight=scored)
    assert model.oob_score_ == pytest.approx(expected, rel=1e-9)


REFUSED = {
    "fewer rows": (lambda m, y: m.permutation_importance(NUMBERS[:9], y), "60 rows, got 9 and 60"),
    "fewer targets": (lambda m, y: m.permutation_importance(NUMBERS, y[:9]), "got 60 and 9"),
    "fewer of both": (lambda m, y: m.permutation_importance(NUMBERS[:9], y[:9]), "got 9 and 9"),
    "fewer weights": (lambda m, y: m.permutation_importance(NUMBERS, y, [1.0]), "sample_weight"),
    "other columns": (lambda m, y: m.permutation_importance(NUMBERS[:, :2], y), "has 2 features"),
    **{
        f"{n!r} repeats": (
            lambda m, y, n=n: m.permutation_importance(NUMBERS, y, n_repeats=n),
            "n_repeats must be an integer of at least 1",
        )
        for n in (0, -1, 2.5, "a", None, True)
    },
}


@both
@pytest.mark.parametrize("what", REFUSED)
def test_importances_of_other_rows_are_refused(cls, what):
    call, message = REFUSED[what]
    model = make(cls).fit(NUMBERS, targets_for(cls))
    with pytest.raises(ValueError, match=message):
        call(model, targets_for(cls))

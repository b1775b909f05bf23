"""Targets and weights of the estimators for tables: any loss, unit, type and number of them."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import d2_pinball_score, r2_score

from mlp_c import TabularMLPClassifier, TabularMLPRegressor
from mlp_c._training.losses import REGRESSION_LOSSES
from support.tabular import (
    MIXED,
    NUMBERS,
    TARGETS,
    WORDS,
    N,
    both,
    make,
    targets_for,
    weights_of,
)

C, R = TabularMLPClassifier, TabularMLPRegressor
POSITIVE = np.exp(TARGETS / 2)


# ---- losses ----


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_every_loss_learns(loss, n_targets):
    """Better than a constant, on rows that were held out; within the range of the training."""
    y = POSITIVE if n_targets == 1 else np.column_stack([POSITIVE, np.exp(NUMBERS[:, 1] / 2)])
    params = {"n_members": 5, "max_iter": 150, "learning_rate_init": 0.03, "n_bins": 0}
    model = make(R, loss=loss, **params).fit(NUMBERS, y)
    assert model.oob_score_ > 0.05
    predicted = model.predict(NUMBERS)
    assert predicted.shape == model.oob_prediction_.shape == y.shape
    assert (predicted >= y.min(axis=0)).all()
    assert (predicted <= y.max(axis=0)).all()
    assert model.predict(1e6 * NUMBERS).max() <= y.max()
    assert model.predict_interval(NUMBERS).shape == (*y.shape, 2)
    score = d2_pinball_score if loss == "quantile" else r2_score
    assert model.score(NUMBERS, y) == pytest.approx(score(y, predicted), rel=1e-9)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_several_quantiles_are_in_order_on_a_last_axis(n_targets):
    y = TARGETS if n_targets == 1 else NUMBERS[:, :2]
    model = make(R, loss="quantile", quantile=(0.1, 0.5, 0.9)).fit(MIXED, y)
    predicted = model.predict(MIXED)
    assert predicted.shape == model.oob_prediction_.shape == (*y.shape, 3)
    assert (np.diff(predicted) >= 0).all()
    scores = [
        d2_pinball_score(y, predicted[..., i], alpha=quantile)
        for i, quantile in enumerate((0.1, 0.5, 0.9))
    ]
    assert model.score(MIXED, y) == pytest.approx(np.mean(scores), rel=1e-9)


def test_a_gaussians_deviations_are_those_of_the_mixture():
    y = np.column_stack([TARGETS, 100 * NUMBERS[:, 1]])
    model = make(R, loss="gaussian").fit(NUMBERS, y)
    mean, std = model.predict(NUMBERS, return_std=True)
    np.testing.assert_array_equal(mean, model.predict(NUMBERS))
    means, variances = [], []
    (outputs,) = model._outputs(NUMBERS)
    for of_member in outputs:
        scale, center = model.target_scales_, model.target_centers_
        mean_of_member = of_member[:, :2].astype(float) * scale + center
        means.append(np.clip(mean_of_member, y.min(axis=0), y.max(axis=0)))
        variances.append(np.exp(of_member[:, 2:].astype(float)) * scale**2)
    second_moment = np.mean([m**2 + v for m, v in zip(means, variances, strict=True)], axis=0)
    expected = np.sqrt(second_moment - np.mean(means, axis=0) ** 2)
    np.testing.assert_allclose(std, expected, rtol=1e-6)
    assert (std > 0).all()


@pytest.mark.parametrize("loss", sorted(set(REGRESSION_LOSSES) - {"gaussian"}))
def test_other_losses_have_no_deviations(loss):
    model = make(R, loss=loss).fit(NUMBERS, POSITIVE)
    with pytest.raises(ValueError, match="return_std=True needs loss='gaussian'"):
        model.predict(NUMBERS, return_std=True)


@pytest.mark.parametrize(("loss", "least"), [("poisson", -1.0), ("gamma", 0.0), ("tweedie", -1e-9)])
def test_targets_outside_the_domain_of_the_loss_are_refused(loss, least):
    with pytest.raises(ValueError, match=f"y must .* for loss='{loss}', got {least}"):
        make(R, loss=loss).fit(NUMBERS, np.r_[least, POSITIVE[1:]])


# ---- units ----


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
@pytest.mark.parametrize("unit", [2.0**996, 2.0**-996, 2.0**40])
def test_targets_in_another_unit_give_the_same_bits(loss, unit):
    """Of 10 ** 300, or 10 ** -300, whose squares no float64 holds."""
    model, plain = (make(R, loss=loss).fit(NUMBERS, POSITIVE * u) for u in (unit, 1.0))
    assert weights_of(model) == weights_of(plain)
    np.testing.assert_array_equal(model.predict(NUMBERS), plain.predict(NUMBERS) * unit)
    assert model.oob_score_ == plain.oob_score_
    assert model.score(NUMBERS, POSITIVE * unit) == plain.score(NUMBERS, POSITIVE)
    interval = model.predict_interval(NUMBERS)
    np.testing.assert_allclose(interval, plain.predict_interval(NUMBERS) * unit, rtol=1e-12)
    if loss == "gaussian":
        _, std = plain.predict(NUMBERS, return_std=True)
        np.testing.assert_array_equal(model.predict(NUMBERS, return_std=True)[1], std * unit)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("y", [[0.1], [0.0], [-1e300], [1e-310], [1.0, -2.0]], ids=str)
def test_constant_targets_are_predicted(y):
    y = np.squeeze(np.tile(y, (N, 1)))
    model = make(R).fit(NUMBERS, y)
    np.testing.assert_array_equal(model.predict(NUMBERS), y)
    interval = model.predict_interval(NUMBERS)
    np.testing.assert_allclose(interval, np.stack([y, y], axis=-1), rtol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "y",
    [
        np.r_[-1e301, 1e301, np.zeros(N - 2)],
        np.r_[np.full(N - 3, -1e301), np.full(3, 1e301)],
        np.arange(N) * 5e-324,
    ],
    ids=["far apart", "skewed", "denormal"],
)
def test_the_greatest_and_the_least_magnitudes_are_taken(y):
    model = make(R).fit(NUMBERS, y)
    assert np.isfinite(model.predict(NUMBERS)).all()
    assert np.isfinite(model.predict_interval(NUMBERS)).all()
    assert np.isfinite(model.oob_score_)


@pytest.mark.parametrize("target", [1e302, -1.7e308])
def test_targets_whose_sums_are_infinite_are_refused(target):
    with pytest.raises(ValueError, match=r"y must be at most 1.07151e\+301 in magnitude, got"):
        make(R).fit(NUMBERS, np.r_[target, TARGETS[1:]])


def test_targets_of_no_weight_that_are_far_beyond_the_others_are_refused():
    weight = np.r_[0.0, np.ones(N - 1)]
    message = r"y must lie within 1e\+18 times its standard deviation.* by sample_weight, got"
    with pytest.raises(ValueError, match=message):
        make(R).fit(NUMBERS, np.r_[1e30, TARGETS[1:]], weight)
    assert make(R).fit(NUMBERS, np.r_[1e15, TARGETS[1:]], weight).n_iter_ == 3


# ---- types ----

COUNTS = np.digitize(TARGETS, [-0.5, 0, 0.5])
TYPES = {
    "float32": np.float32,
    "int8": np.int8,
    "uint64": np.uint64,
    "bool": lambda y: y > 1,
    "objects": lambda y: y.astype(object),
    "numbers in text": lambda y: y.astype(str).astype(object),
    "list": lambda y: y.tolist(),
    "series": pd.Series,
    "byte-swapped": lambda y: y.astype(">i4"),
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_regressors_targets_may_be_of_any_type_of_number(kind):
    convert = TYPES[kind]
    y = np.array(COUNTS).astype(convert) if isinstance(convert, type) else convert(COUNTS)
    if kind == "series":
        y = pd.Series(COUNTS)
    model = make(R).fit(NUMBERS, y)
    expected = make(R).fit(NUMBERS, np.asarray(y, np.float64))
    assert weights_of(model) == weights_of(expected)
    assert model.predict(NUMBERS).dtype == np.float64
    assert model.predict(NUMBERS).shape == (N,)


NO_NUMBERS = {
    "words": (WORDS, "y must hold numbers, got dtype <U3"),
    "dates": (np.arange(N).astype("M8[D]"), r"y must hold numbers, got dtype datetime64"),
    "None": (np.array([None, 1.0] * (N // 2), object), "y must hold finite numbers, got nan"),
    "NaN": (np.where(COUNTS > 1, np.nan, 1), "Input y contains NaN"),
    "infinity": (np.where(COUNTS > 1, np.inf, 1), "Input y contains infinity"),
    "complex numbers": (TARGETS + 1j, "Complex data not supported"),
    "no column": (np.empty((N, 0)), r"0 feature\(s\)"),
    "three dimensions": (np.ones((N, 1, 1)), "dim 3"),
    "a missing one": (None, "requires y to be passed, but the target y is None"),
}


@pytest.mark.parametrize("what", NO_NUMBERS)
def test_targets_that_are_no_numbers_are_refused_by_a_regressor(what):
    y, message = NO_NUMBERS[what]
    with pytest.raises(ValueError, match=message):
        make(R).fit(NUMBERS, y)


LABELS = {
    "integers": np.array([3, 5, -9])[COUNTS % 3],
    "floats": np.array([0.0, 1.0, 2.0])[COUNTS % 3],
    "bool": COUNTS > 1,
    "text": WORDS,
    "objects": WORDS.astype(object),
    "category": pd.Series(WORDS, dtype="category"),
    "list": WORDS.tolist(),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_may_be_of_any_type(kind):
    model = make(C).fit(NUMBERS, LABELS[kind])
    expected = np.unique(np.asarray(LABELS[kind]))
    assert model.classes_.tolist() == expected.tolist()
    predicted = model.predict(NUMBERS)
    assert predicted.dtype == model.classes_.dtype
    assert set(predicted) <= set(expected)


NO_LABELS = {
    "numbers": (TARGETS, "Unknown label type: continuous"),
    "several a row": (NUMBERS > 0, "y should be a 1d array"),
    "NaN": (np.where(COUNTS > 1, np.nan, 1), "Input y contains NaN"),
    "a missing one": (None, "requires y to be passed, but the target y is None"),
}


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize("what", NO_LABELS)
def test_labels_that_are_none_are_refused_by_a_classifier(what):
    y, message = NO_LABELS[what]
    with pytest.raises(ValueError, match=message):
        make(C).fit(NUMBERS, y)


@both
def test_a_column_of_targets_is_taken_for_a_vector_with_a_warning(cls):
    y = targets_for(cls)
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        model = make(cls).fit(NUMBERS, y[:, np.newaxis])
    assert weights_of(model) == weights_of(make(cls).fit(NUMBERS, y))
    assert len(model.predict(NUMBERS).shape) == 1


@both
@pytest.mark.parametrize("n", [0, N - 1, N + 1])
def test_another_number_of_targets_is_refused(cls, n):
    y = np.resize(targets_for(cls), n)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples|0 sample"):
        make(cls).fit(NUMBERS, y)


# ---- weights ----


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "gaussian"])
def test_rows_of_no_weight_have_targets_of_no_meaning(loss):
    """They are neither learned nor is a score, a center or a scale of theirs."""
    weight = np.where(NUMBERS[:, 1] > 0, 1.0, 0.0)
    other = np.where(weight > 0, TARGETS, 1000 * TARGETS)
    fits = [make(R, loss=loss).fit(NUMBERS, y, weight) for y in (TARGETS, other)]
    assert weights_of(fits[0]) == weights_of(fits[1])
    assert fits[0].target_scales_ == fits[1].target_scales_


@both
def test_weights_of_one_are_none(cls):
    models = [make(cls).fit(NUMBERS, targets_for(cls), w) for w in (None, np.ones(N), 1.0)]
    assert weights_of(models[1]) == weights_of(models[2])
    assert models[0].oob_score_ == pytest.approx(models[1].oob_score_, rel=1e-6)


WRONG_WEIGHTS = {
    "too few": (np.ones(N - 1), "sample_weight"),
    "negative": (np.r_[-1, np.ones(N - 1)], "sample_weight"),
    "NaN": (np.r_[np.nan, np.ones(N - 1)], "sample_weight"),
    "two dimensions": (np.ones((N, 1)), "[Ss]ample.weight"),
    "zero": (np.zeros(N), "at least one non-zero number"),
    "too little": (np.full(N, 1e-45), "the sum of sample_weight must be at least"),
    "beyond float32": (np.full(N, 1e300), "sample_weight contains infinity"),
    "of one row": (
        np.arange(N) == 3,
        "sample weights of the rows that a member (trains on|holds out) are all zero",
    ),
}


@both
@pytest.mark.parametrize("what", WRONG_WEIGHTS)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_weights_that_are_none_are_refused(cls, what):
    weight, message = WRONG_WEIGHTS[what]
    with pytest.raises(ValueError, match=message):
        make(cls).fit(NUMBERS, targets_for(cls), weight)


def test_balanced_classes_are_weighed_by_their_rows():
    """Among all rows, and not among those of a member."""
    counts = {word: np.mean(word == WORDS) for word in ("ant", "bee", "cat")}
    by_hand = {word: 1 / (3 * share) for word, share in counts.items()}
    models = [make(C, class_weight=w).fit(NUMBERS, WORDS) for w in ("balanced", by_hand)]
    assert weights_of(models[0]) == weights_of(models[1])
    assert weights_of(models[0]) != weights_of(make(C).fit(NUMBERS, WORDS))


def test_a_class_of_more_weight_is_predicted_more_often():
    models = [make(C, max_iter=20, class_weight={"ant": w, "bee": 1, "cat": 1}) for w in (0.01, 99)]
    shares = [np.mean(m.fit(NUMBERS, WORDS).predict(NUMBERS) == "ant") for m in models]
    assert shares[0] < np.mean(WORDS == "ant") < shares[1]


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({"ant": -1}, "class_weight must hold finite numbers of at least 0"),
        ({"dog": 1}, "not in class_weight"),
        ({"ant": 0, "bee": 0, "cat": 0}, "class_weight must not be 0 for the classes of all rows"),
        ({"ant": 1e300}, "infinity"),
        ({"ant": 3e38, "bee": 1}, "infinity"),
    ],
    ids=str,
)
def test_class_weights_that_are_none_are_refused(class_weight, message):
    with pytest.raises(ValueError, match=message):
        make(C, class_weight=class_weight).fit(NUMBERS, WORDS, np.full(N, 3.0))


# ---- scores ----


def test_a_regressors_score_needs_two_rows_a_member():
    model = make(R, scoring="score")
    message = "scoring='score' needs at least 2 rows .* got 1; scoring='loss' takes it"
    with pytest.raises(ValueError, match=message):
        model.fit(NUMBERS[:6], TARGETS[:6])
    assert model.fit(NUMBERS[:10], TARGETS[:10]).members_[0].best_iter_ > 0


def test_two_targets_have_the_mean_of_their_scores():
    model = make(R).fit(NUMBERS, NUMBERS[:, :2])
    scores = r2_score(NUMBERS[:, :2], model.predict(NUMBERS), multioutput="raw_values")
    assert model.score(NUMBERS, NUMBERS[:, :2]) == pytest.approx(scores.mean(), rel=1e-9)
    weight = np.arange(N)
    expected = r2_score(NUMBERS[:, :2], model.predict(NUMBERS), sample_weight=weight)
    assert model.score(NUMBERS, NUMBERS[:, :2], weight) == pytest.approx(expected, rel=1e-9)


def test_probabilities_sum_to_one():
    probabilities = make(C).fit(MIXED, WORDS).predict_proba(MIXED)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert (softmax(np.log(probabilities), axis=1) > 0).all()

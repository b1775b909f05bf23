"""Which rows the members of an estimator for tables hold out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlp_c import TabularMLPClassifier, TabularMLPRegressor
from mlp_c._estimators.folds import divide
from support.tabular import NUMBERS, TARGETS, WORDS, N, both, make, targets_for


@st.composite
def settings_of_division(draw):
    n = draw(st.integers(2, 60))
    classes = draw(st.none() | st.lists(st.integers(0, 5), min_size=n, max_size=n))
    if classes is not None:
        classes = np.unique(classes, return_inverse=True)[1]
    groups = draw(st.none() | st.lists(st.integers(0, 9), min_size=n, max_size=n))
    return n, draw(st.integers(2, 12)), classes, groups, draw(st.integers(0, 99))


@settings(max_examples=150, deadline=None)
@given(settings_of_division())
def test_rows_are_divided_as_evenly_as_can_be_and_groups_are_whole(setting):
    n, n_folds, classes, groups, seed = setting
    found = n if groups is None else len(set(groups))
    arguments = {"classes": classes, "groups": groups}
    if found < 2:
        with pytest.raises(ValueError, match="at least 2 groups"):
            divide(n, n_folds, **arguments, random_state=np.random.RandomState(seed))
        return
    folds = divide(n, n_folds, **arguments, random_state=np.random.RandomState(seed))
    again = divide(n, n_folds, **arguments, random_state=np.random.RandomState(seed))
    np.testing.assert_array_equal(folds, again)
    sizes = np.bincount(folds)
    assert folds.shape == (n,)
    assert 2 <= len(sizes) <= min(n_folds, found)
    assert sizes.min() > 0
    if groups is not None:
        pairs = set(zip(groups, folds.tolist(), strict=True))
        assert len(pairs) == found
        return
    assert len(sizes) == min(n_folds, n)
    parts = [folds] if classes is None else [folds, *(folds[classes == c] for c in set(classes))]
    for part in parts:
        counts = np.bincount(part, minlength=len(sizes))
        assert counts.max() - counts.min() <= 1


def test_groups_keep_the_shares_of_classes():
    """Of 40 groups of 5 rows, half of them of either class."""
    groups = np.repeat(np.arange(40), 5)
    folds = divide(200, 5, classes=groups % 2, groups=groups, random_state=np.random.RandomState(0))
    assert [np.mean(groups[folds == fold] % 2) for fold in range(5)] == [0.5] * 5


def test_folds_that_stratification_leaves_empty_are_no_folds():
    """Found by search: scikit-learn's StratifiedGroupKFold leaves the fourth of five empty."""
    rng = np.random.default_rng(357)
    n = int(rng.integers(2, 25))
    groups = rng.integers(0, int(rng.integers(2, n + 1)), n)
    n_folds, classes = int(rng.integers(2, 13)), rng.integers(0, rng.integers(1, 4), n)
    random_state = np.random.RandomState(357)
    folds = divide(n, n_folds, classes=classes, groups=groups, random_state=random_state)
    assert set(folds.tolist()) == {0, 1, 2, 3}
    model = make(TabularMLPClassifier, n_members=n_folds, random_state=357)
    model.fit(NUMBERS[:n], classes, groups=groups)
    assert not np.isnan(model.oob_prediction_).any()


@pytest.mark.parametrize("n", [2, 3])
def test_divisions_are_random(n):
    found = {
        tuple(divide(n, 2, classes=None, groups=None, random_state=np.random.RandomState(seed)))
        for seed in range(30)
    }
    assert len(found) == {2: 2, 3: 3}[n]


@pytest.mark.parametrize(
    ("n_members", "n_folds"), [(1, 5), (2, 5), (5, 5), (8, 8), (12, 12), (70, 60)]
)
@both
def test_there_is_a_fold_a_member_and_at_least_five(cls, n_members, n_folds):
    model = make(cls, n_members=n_members, max_iter=1).fit(NUMBERS, targets_for(cls))
    sizes = np.bincount(model.folds_)
    assert sizes.tolist() == [len(part) for part in np.array_split(np.arange(N), n_folds)]
    known = ~np.isnan(model.oob_prediction_).reshape(N, -1)[:, 0]
    np.testing.assert_array_equal(known, model.folds_ < n_members)


GROUPS = {
    "numbers": np.arange(N) // 10,
    "text": np.array(list("abcdef"))[np.arange(N) // 10],
    "objects": [f"person {i // 10}" for i in range(N)],
    "series": pd.Series(np.arange(N) // 10, dtype="category"),
}


@both
@pytest.mark.parametrize("kind", GROUPS)
def test_rows_of_a_group_are_held_out_together(cls, kind):
    model = make(cls, n_members=4).fit(NUMBERS, targets_for(cls), groups=GROUPS[kind])
    of_groups = model.folds_.reshape(6, 10)
    assert (of_groups == of_groups[:, :1]).all()
    assert model.folds_.max() == 4


REFUSED = {
    "one group": (np.zeros(N), "groups must be of at least 2 groups, got 1"),
    "too few": (np.arange(N - 1), r"inconsistent numbers of samples: \[60, 59\]"),
    "two dimensions": (NUMBERS, r"groups must be a vector, got shape \(60, 3\)"),
    "missing": (np.where(NUMBERS[:, 0] > 0, np.nan, 1), "Input groups contains NaN"),
    "None": ([None, "a"] * (N // 2), "groups must be all numbers or all text"),
}


@both
@pytest.mark.parametrize("what", REFUSED)
def test_groups_that_are_none_are_refused_and_change_nothing(cls, what):
    groups, message = REFUSED[what]
    model = make(cls).fit(NUMBERS, targets_for(cls))
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(NUMBERS, targets_for(cls), groups=groups)
    assert vars(model) == before


# ---- few rows ----


@both
@pytest.mark.parametrize("n", [2, 3, 4, 10])
def test_few_rows_are_enough(cls, n):
    y = targets_for(cls)[:n]
    model = make(cls, n_members=5).fit(NUMBERS[:n], y)
    assert model.folds_.max() + 1 == min(n, 5)
    assert len(model.predict(NUMBERS)) == N
    assert not np.isnan(model.oob_prediction_).any()


@both
def test_one_row_is_refused(cls):
    with pytest.raises(ValueError, match="at least 2 rows to hold out one, got n_samples=1"):
        make(cls).fit(NUMBERS[:1], targets_for(cls)[:1])


@pytest.mark.filterwarnings("error")
def test_a_single_row_held_out_has_no_score_and_is_silent():
    model = make(TabularMLPRegressor, n_members=1).fit(NUMBERS[:5], TARGETS[:5])
    assert np.isfinite(model.oob_prediction_).sum() == 1
    assert np.isnan(model.oob_score_)


def test_classes_of_a_row_each_are_learned_by_those_that_do_not_hold_it_out():
    y = np.where(np.arange(N) == 7, "rare", WORDS)
    model = make(TabularMLPClassifier, n_members=5).fit(NUMBERS, y)
    assert model.classes_.tolist() == ["ant", "bee", "cat", "rare"]
    assert model.predict_proba(NUMBERS).shape == (N, 4)


def test_a_single_class_is_certain():
    model = make(TabularMLPClassifier).fit(NUMBERS, ["only"] * N)
    assert model.predict(NUMBERS).tolist() == ["only"] * N
    assert model.predict_proba(NUMBERS).tolist() == [[1.0]] * N
    assert model.oob_score_ == 1


def test_many_classes_of_two_rows_are_never_held_out_whole():
    y = np.arange(400) % 200
    X = np.random.default_rng(0).normal(size=(400, 2))
    model = make(TabularMLPClassifier).fit(X, y)
    assert (model.folds_[:200] != model.folds_[200:]).all()
    assert model.predict_proba(X).shape == (400, 200)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


@both
@pytest.mark.parametrize("n_columns", [1, 1000])
def test_one_column_and_many_are_taken(cls, n_columns):
    X = np.random.default_rng(0).normal(size=(N, n_columns))
    model = make(cls, max_iter=1).fit(X, targets_for(cls))
    assert model.n_features_in_ == len(model.is_categorical_) == n_columns
    assert len(model.predict(X)) == N

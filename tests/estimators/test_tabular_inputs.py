"""Tables as users have them: values missing anywhere, unseen categories, columns by their names."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError

from support.tabular import MIXED, NUMBERS, N, both, make, targets_for, weights_of


@both
def test_values_may_be_missing_anywhere(cls):
    """A column without any, a row without any, in training or only in prediction."""
    rng = np.random.default_rng(1)
    gaps = MIXED.astype(object).mask(rng.random(MIXED.shape) < 0.4)
    gaps["nothing"] = None
    gaps.iloc[7] = None
    model = make(cls).fit(gaps, targets_for(cls))
    for table in (gaps, gaps.mask(rng.random(gaps.shape) < 0.5), gaps.map(lambda value: None)):
        assert len(model.predict(table)) == N
    assert len(make(cls).fit(MIXED, targets_for(cls)).predict(MIXED.map(lambda value: None))) == N


@both
def test_a_missing_number_says_something_where_training_has_seen_such(cls):
    """And else is the median."""
    X = NUMBERS.copy()
    X[::3, 0] = np.nan
    model = make(cls).fit(X, targets_for(cls))
    row, median = X[1:2].copy(), X[1:2].copy()
    row[0, 1], median[0, 1] = np.nan, np.median(X[:, 1])
    said = getattr(model, "predict_proba", model.predict)
    assert said(row).tolist() == said(median).tolist()
    row[0, 0] = np.nan
    assert said(row).tolist() != said(median).tolist()


@both
def test_unseen_categories_are_all_the_same(cls):
    model = make(cls).fit(MIXED, targets_for(cls))
    said = getattr(model, "predict_proba", model.predict)
    new, newer = MIXED.assign(colour="mauve"), MIXED.assign(colour="puce")
    assert said(new).tolist() == said(newer).tolist()
    assert said(new).tolist() != said(MIXED).tolist()


@both
def test_infinite_numbers_are_refused(cls):
    X = NUMBERS.copy()
    X[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"X contains infinity .*, in column 1"):
        make(cls).fit(X, targets_for(cls))
    model = make(cls).fit(NUMBERS, targets_for(cls))
    with pytest.raises(ValueError, match=r"X contains infinity .*, in column 1"):
        model.predict(X)


# ---- columns ----


def _matching(message):
    return f"^The feature names should match those that were passed during fit.\n{message}"


WRONG_COLUMNS = {
    "another order": (
        lambda: MIXED[MIXED.columns[::-1]],
        _matching("Feature names must be in the same order as they were in fit."),
    ),
    "another name": (
        lambda: MIXED.rename(columns={"size": "extent"}),
        _matching("Feature names unseen at fit time:\n- extent\n.*now missing:\n- size"),
    ),
    "one too few": (
        lambda: MIXED.drop(columns="count"),
        _matching("Feature names seen at fit time, yet now missing:\n- count"),
    ),
    "one too many": (
        lambda: MIXED.assign(more=1.0),
        _matching("Feature names unseen at fit time:\n- more"),
    ),
    "words for numbers": (
        lambda: MIXED.assign(size="much"),
        "column 'size' of X must hold numbers, got 'much'",
    ),
}


@both
@pytest.mark.parametrize("what", WRONG_COLUMNS)
def test_wrong_columns_are_refused_in_scikit_learns_words(cls, what):
    table, message = WRONG_COLUMNS[what]
    model = make(cls).fit(MIXED, targets_for(cls))
    methods = [model.predict, lambda X: model.permutation_importance(X, targets_for(cls))]
    methods += [getattr(model, name) for name in ("predict_proba", "predict_interval")
                if hasattr(model, name)]  # fmt: skip
    for method in methods:
        with pytest.raises(ValueError, match=message):
            method(table())


@both
def test_another_number_of_columns_is_refused_in_scikit_learns_words(cls):
    model = make(cls).fit(NUMBERS, targets_for(cls))
    message = f"X has 2 features, but {cls.__name__} is expecting 3 features as input"
    with pytest.raises(ValueError, match=message):
        model.predict(NUMBERS[:, :2])


@both
def test_a_fit_forgets_the_columns_of_the_last_one(cls):
    model = make(cls).fit(MIXED, targets_for(cls)).fit(NUMBERS, targets_for(cls))
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 3
    assert weights_of(model) == weights_of(make(cls).fit(NUMBERS, targets_for(cls)))
    model.fit(MIXED, targets_for(cls))
    assert model.feature_names_in_.tolist() == list(MIXED.columns)
    assert model.is_categorical_.tolist() == [False, False, True, True, False]


CATEGORIES = {
    "from_dtype": [False, False, True, True, False],
    ("count", "colour", "sold"): [False, True, True, True, False],
    (1, 2, 3): [False, True, True, True, False],
    (False, True, True, True, True): [False, True, True, True, True],
}


@both
@pytest.mark.parametrize("given", CATEGORIES, ids=str)
def test_columns_are_categories_as_users_say(cls, given):
    features = given if isinstance(given, str) else list(given)
    model = make(cls, categorical_features=features).fit(MIXED, targets_for(cls))
    assert model.is_categorical_.tolist() == CATEGORIES[given]
    assert len(model.predict(MIXED)) == N


@both
def test_no_column_is_a_category_where_none_is_to_be(cls):
    model = make(cls, categorical_features=None)
    with pytest.raises(ValueError, match="column 'colour' of X must hold numbers"):
        model.fit(MIXED, targets_for(cls))
    model.fit(MIXED.drop(columns="colour"), targets_for(cls))
    assert not model.is_categorical_.any()


# ---- what is no table ----

NO_TABLES = {
    "a vector": (NUMBERS[:, 0], "Expected 2D array, got 1D array"),
    "no rows": (NUMBERS[:0], r"0 sample\(s\)"),
    "no columns": (NUMBERS[:, :0], r"0 feature\(s\)"),
    "a frame of no rows": (MIXED[:0], r"0 sample\(s\)"),
    "a sparse matrix": (csr_array(NUMBERS), "[Ss]parse"),
    "dates": (np.full((N, 3), np.datetime64("2020")), "column 0 of X is of dtype datetime64"),
    "a number": (3.0, "[Ee]xpected"),
}


@both
@pytest.mark.parametrize("what", NO_TABLES)
def test_what_is_no_table_is_refused_and_changes_nothing(cls, what):
    X, message = NO_TABLES[what]
    model = make(cls).fit(NUMBERS, targets_for(cls))
    before = dict(vars(model))
    for method in (lambda: model.fit(X, targets_for(cls)), lambda: model.predict(X)):
        with pytest.raises((TypeError, ValueError), match=message):
            method()
        assert vars(model) == before


@both
def test_predictions_need_a_fit(cls):
    model = make(cls)
    methods = ["predict", "predict_proba", "predict_log_proba", "predict_interval", "score"]
    for name in [*methods, "permutation_importance"]:
        if hasattr(model, name):
            given = [NUMBERS]
            given += [targets_for(cls)] if name in ("score", "permutation_importance") else []
            with pytest.raises(NotFittedError):
                getattr(model, name)(*given)


@both
def test_one_row_is_predicted_as_among_others(cls):
    model = make(cls).fit(MIXED, targets_for(cls))
    said = getattr(model, "predict_proba", model.predict)
    one_by_one = np.concatenate([said(MIXED[i : i + 1]) for i in range(N)])
    np.testing.assert_allclose(one_by_one, said(MIXED), rtol=1e-5)

"""The members of an estimator for tables are networks that anyone could have trained by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

from mlp_c import TabularMLPClassifier, TabularMLPRegressor
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
    weights_of,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

C, R = TabularMLPClassifier, TabularMLPRegressor
POSITIVE = np.exp(TARGETS)
GROUPS = np.arange(N) // 4

# By name: the class, its parameters, targets, and what else fit is given.
CASES = {
    "three classes": (C, {}, WORDS, {}),
    "two classes": (C, {}, WORDS == "bee", {}),
    "weighted rows": (C, {}, WORDS, {"sample_weight": WEIGHTS}),
    "weighted classes": (C, {"class_weight": {"ant": 1, "bee": 3, "cat": 0.5}}, WORDS, {}),
    "weighted both": (
        *(C, {"class_weight": {"ant": 1, "bee": 3, "cat": 0.5}}, WORDS),
        {"sample_weight": WEIGHTS},
    ),
    "accuracy": (C, {"scoring": "score"}, WORDS, {}),
    "no smoothing": (C, {"label_smoothing": 0.0, "dropout": 0.0, "alpha": 0.1}, WORDS, {}),
    "layers": (
        *(C, {"hidden_layer_sizes": [6, 5], "dropout": [0.2, 0], "activation": ["gelu", "tanh"]}),
        *(WORDS, {}),
    ),
    "no hidden layer": (C, {"hidden_layer_sizes": [], "dropout": []}, WORDS, {}),
    "batches": (C, {"batch_size": 7, "learning_rate_init": 0.1}, WORDS, {}),
    "more members than folds": (R, {"n_members": 7}, TARGETS, {"groups": GROUPS // 4}),
    "numbers": (R, {"n_members": 8}, TARGETS, {}),
    "groups": (R, {}, TARGETS, {"groups": GROUPS}),
    "two targets": (R, {}, NUMBERS[:, :2], {"sample_weight": WEIGHTS}),
    "R^2": (R, {"scoring": "score"}, TARGETS, {}),
    "dropout": (R, {"dropout": 0.5, "n_bins": 0}, TARGETS, {}),
    "absolute error": (R, {"loss": "absolute_error"}, TARGETS, {}),
    "Huber": (R, {"loss": "huber", "huber_delta": 0.3}, TARGETS, {}),
    "quantile": (R, {"loss": "quantile", "quantile": 0.2}, TARGETS, {}),
    "quantiles": (R, {"loss": "quantile", "quantile": [0.2, 0.5, 0.8]}, TARGETS, {}),
    "quantiles of two": (R, {"loss": "quantile", "quantile": [0.2, 0.8]}, NUMBERS[:, :2], {}),
    "gaussian": (R, {"loss": "gaussian"}, TARGETS, {}),
    "Poisson": (R, {"loss": "poisson"}, POSITIVE, {"sample_weight": WEIGHTS}),
    "gamma": (R, {"loss": "gamma"}, POSITIVE, {}),
    "Tweedie": (R, {"loss": "tweedie", "tweedie_power": 1.3}, POSITIVE, {}),
}
OF_MEANS = ("poisson", "gamma", "tweedie")


def standardized(model, y, weight):
    """Targets as the members learn them, by NumPy's formulas."""
    if isinstance(model, C):
        return y
    mean = np.average(y, axis=0, weights=weight)
    if model.loss in OF_MEANS:
        return y / mean
    return (y - mean) / np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weight))


@pytest.mark.parametrize("name", CASES)
def test_a_member_has_the_bits_of_a_network_fitted_by_itself(name):
    """To the codes of the rows that it does not hold out, validated with those that it does."""
    cls, params, y, given = CASES[name]
    fit = {"max_iter": 8, "n_iter_no_change": 2, "learning_rate_init": 0.03, "n_threads": 2}
    model = make(cls, **fit | params).fit(MIXED, y, **given)
    rows = model._columns.code(read(MIXED))
    codes, weight = csr_array(encode(rows, np.float32)), given.get("sample_weight")
    in_training = np.ones(N) if weight is None else weight
    if params.get("class_weight"):
        in_training = in_training * [params["class_weight"][word] for word in y]
    y = standardized(model, y, weight)
    for k, member in enumerate(model.members_):
        held_out = held_out_by(model, k)
        alone = clone(member).fit(
            codes[~held_out],
            y[~held_out],
            sample_weight=in_training[~held_out],
            X_val=codes[held_out],
            y_val=y[held_out],
            sample_weight_val=None if weight is None else weight[held_out],
        )
        assert alone.n_iter_ == member.n_iter_
        assert alone.best_iter_ == member.best_iter_ > 0
        assert alone.loss_curve_ == member.loss_curve_
        assert alone.validation_loss_curve_ == member.validation_loss_curve_
        for ours, theirs in zip(
            member.coefs_ + member.intercepts_, alone.coefs_ + alone.intercepts_, strict=True
        ):
            assert ours.dtype == theirs.dtype == np.float32
            np.testing.assert_array_equal(ours, theirs)
    assert model.n_iter_ == max(member.n_iter_ for member in model.members_)
    seeds = {member.random_state for member in model.members_}
    assert len(seeds) == len(model.members_)


def test_members_that_are_done_leave_the_others_at_it():
    """So that the test above has such."""
    model = make(R, n_members=8, max_iter=8, n_iter_no_change=2, learning_rate_init=0.03)
    lengths = {member.n_iter_ for member in model.fit(MIXED, TARGETS).members_}
    assert len(lengths) > 1


@both
def test_any_number_of_threads_gives_the_same_bits(cls):
    fits = [
        make(cls, n_members=5, n_threads=n_threads).fit(MIXED, targets_for(cls))
        for n_threads in (1, 2, 7)
    ]
    for other in fits[1:]:
        assert weights_of(other) == weights_of(fits[0])
        assert other.oob_prediction_.tobytes() == fits[0].oob_prediction_.tobytes()
        assert other.predict(MIXED).tolist() == fits[0].predict(MIXED).tolist()


@pytest.mark.parametrize(
    "seed",
    [3, np.random.RandomState, np.random.default_rng],
    ids=["int", "RandomState", "Generator"],
)
def test_the_same_seed_gives_the_same_bits(seed):
    fits = [
        make(C, random_state=seed(3) if callable(seed) else seed).fit(MIXED, WORDS)
        for _ in range(2)
    ]
    assert weights_of(fits[0]) == weights_of(fits[1])
    assert weights_of(fits[0]) != weights_of(make(C, random_state=4).fit(MIXED, WORDS))


def _polars(table):
    return pytest.importorskip("polars").DataFrame(table, schema=list("abc"))


FORMS = {
    "frame": lambda: pd.DataFrame(NUMBERS, columns=list("abc")),
    "polars": lambda: _polars(NUMBERS),
    "Fortran's order": lambda: np.asfortranarray(NUMBERS),
    "lists": lambda: NUMBERS.tolist(),
    "objects": lambda: NUMBERS.astype(object),
}


@both
@pytest.mark.parametrize("form", FORMS)
def test_the_same_values_in_another_form_give_the_same_bits(cls, form):
    table = FORMS[form]()
    model, plain = (make(cls).fit(X, targets_for(cls)) for X in (table, NUMBERS))
    assert weights_of(model) == weights_of(plain)
    assert model.predict(table).tolist() == plain.predict(NUMBERS).tolist()
    assert hasattr(model, "feature_names_in_") == (form in ("frame", "polars"))


@both
def test_the_table_is_read_and_not_written(cls):
    X = np.where(NUMBERS > 1.5, np.nan, NUMBERS)
    before = X.copy()
    X.flags.writeable = False
    make(cls).fit(X, targets_for(cls)).permutation_importance(X, targets_for(cls), n_repeats=1)
    np.testing.assert_array_equal(X, before)


# ---- what 'auto' stands for ----


@pytest.mark.parametrize(
    ("cls", "n", "widths", "n_bins", "batch_size"),
    [
        (C, 40, (128, 128), 16, 32),
        (C, 9_999, (128, 128), 16, 128),
        (C, 10_000, (256, 256), 16, 128),
        (R, 9_999, (128, 128), 48, 128),
        (R, 30_000, (128, 128), 48, 512),
    ],
)
def test_defaults_follow_the_number_of_rows(cls, n, widths, n_bins, batch_size):
    X, y = np.arange(n, dtype=float)[:, np.newaxis], np.arange(n) % 2
    model = cls(n_members=1, max_iter=1, random_state=0).fit(X, y)
    (member,) = model.members_
    assert (member.hidden_layer_sizes, member.batch_size) == (widths, batch_size)
    assert model._columns.codes.n_units == n_bins + 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("batch_size", ["auto", 1000, 10**400])
def test_a_batch_is_at_most_all_rows_without_a_warning(batch_size):
    """Users have set nothing that is wrong."""
    model = make(R, batch_size=batch_size).fit(NUMBERS[:10], TARGETS[:10])
    assert [member.batch_size for member in model.members_] == [8] * 3

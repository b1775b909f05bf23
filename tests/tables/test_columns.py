"""What rows to train on tell of columns: centers, scales, knots, levels."""

import copy
import pickle
import tracemalloc
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp_c._tables import columns as columns_module
from mlp_c._tables.codes import CATEGORY, NUMBER, SIGN, CodedRows
from mlp_c._tables.columns import fit
from mlp_c._tables.frames import read
from support.coded import encode
from support.tables import LIBRARIES, TABLE

RNG = np.random.default_rng(5)
ARRAYS = ("kinds", "centers", "scales", "knot_starts", "knots", "unit_starts")


def fitted(*values, **options):
    """A column's codes."""
    return fit(read(np.array(values, float)[:, None]), **options)[0].codes


def levels_of(values, **options):
    columns, rows = fit(read([[value] for value in values]), categorical_features=[0], **options)
    return columns.levels[0], rows


# ---- numbers ----


def test_numbers_are_centered_and_scaled_by_quartiles():
    values = RNG.standard_t(2, 1000)
    codes = fitted(*values)
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    assert (codes.centers[0], codes.scales[0]) == (median, upper - lower)


def test_knots_are_quantiles():
    values = RNG.exponential(size=1001)
    for n_bins in (2, 16, 32):
        expected = np.quantile(values, np.linspace(0, 1, n_bins + 1))
        np.testing.assert_array_equal(fitted(*values, n_bins=n_bins).knots, expected)


def test_missing_numbers_say_nothing_of_the_others():
    values = [3.0, 1, 4, 1, 5, 9, 2, 6]
    codes, others = fitted(*values), fitted(*values, *[np.nan] * 5)
    for name in vars(codes):
        np.testing.assert_array_equal(getattr(codes, name), getattr(others, name))


def test_a_number_that_fills_a_bin_is_a_bound_and_leaves_the_other_bins_to_others():
    codes = fitted(*[0.0] * 50, *[-0.0] * 20, *range(1, 31), n_bins=16)
    np.testing.assert_allclose(codes.knots, [0, *np.linspace(1, 30, 16)], rtol=1e-15)


def test_numbers_of_which_each_fills_a_bin_are_the_bounds():
    codes = fitted(*[1.0] * 3, *[2.0] * 4, *[5.0] * 5, n_bins=6)
    assert codes.knots.tolist() == [1, 2, 5]


def test_two_values_have_no_knots_and_half_their_distance_as_the_scale():
    codes = fitted(*[0.0] * 9, 1.0)  # whose quantiles are 0.4375, among others
    assert (codes.centers[0], codes.scales[0], len(codes.knots)) == (0, 0.5, 0)
    assert codes.n_units == 2


@pytest.mark.parametrize("values", [[7.0] * 9, [1e200], [np.nan, -5.0], [0.0, -0.0], [np.nan] * 3])
def test_constants_say_nothing_whatever_comes(values):
    columns, rows = fit(read(np.array(values)[:, None]))
    assert columns.codes.n_units == 2
    coded = columns.code(read(np.array([[0.0], [1e6], [-1e290]])))
    for matrix in (encode(rows, "f8"), encode(CodedRows(coded.table, rows.codes), "f8")):
        assert (np.abs(matrix[:, 0]) < 1e-10).all()


HARD = {
    "huge": [-1.7e308, 1.7e308, 0, 1e300, -1e300, 5],
    "the largest": [np.finfo(float).max, -np.finfo(float).max] * 3,
    "huge and alike": [1.7e308, 1.6e308, 1.5e308, 1.4e308],
    "denormal": [0, 5e-324, 1e-323, 1.5e-323, 5e-324],
    "two denormal": [0, 5e-324],
    "few denormal": [0, 0, 0, 0, 5e-324],
    "denormal and huge": [5e-324, 1e-310, 1.7e308, 1],
    "zeros of both signs": [0.0, -0.0, 0.0, 1e-320],
    "neighbours": [*np.nextafter(1, [2] * 3 + [0] * 3), 1.0],
    "heavy tails": np.exp(RNG.normal(size=200) * 100).tolist(),
    "large integers": [2**53, 2**53 + 1, 2**53 + 2, 2**60],
    "ten rows": list(range(10)),
    "one row": [1.0],
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("what", HARD)
def test_hard_columns_have_codes_as_they_must_be(what):
    values = np.array(HARD[what], float)
    codes = fitted(*values)
    assert_codes(codes)
    found = encode(CodedRows(values[:, None], codes), np.float64)
    assert np.isfinite(found).all()
    order = np.argsort(values)
    assert (np.diff(found[order, 0]) >= -1e-15).all()


@given(st.lists(st.floats(allow_infinity=False), min_size=1, max_size=40), st.integers(2, 20))
def test_any_numbers_have_codes_as_they_must_be(values, n_bins):
    codes = fitted(*values, n_bins=n_bins)
    assert_codes(codes)
    found = encode(CodedRows(np.array(values)[:, None], codes), np.float64)
    assert np.isfinite(found).all()
    assert (np.abs(found) <= 3).all()


def assert_codes(codes):
    """What the kernels rely on."""
    assert np.isfinite(codes.centers).all()
    assert (np.isfinite(codes.scales) & (codes.scales > 0)).all()
    assert np.isfinite(codes.knots).all()
    assert (codes.unit_starts % 2 == 0).all()
    for begin, end in pairwise(codes.knot_starts):
        assert end - begin != 1
        with np.errstate(over="raise"):
            assert (np.diff(codes.knots[begin:end]) > 0).all()
        assert np.isfinite(
            codes.knots[begin:end].max(initial=0) - codes.knots[begin:end].min(initial=0)
        )


# ---- missing numbers ----


def test_a_missing_number_is_the_median_where_training_had_none():
    X = np.array([[1.0, 1], [2, np.nan], [4, 5]])
    columns, rows = fit(read(X))
    assert columns.had_missing.tolist() == [False, True]
    assert rows.table is X
    given = np.array([[np.nan, np.nan], [3, 4]])
    for form in (given, np.asfortranarray(given), given.tolist(), pd.DataFrame(given)):
        table = columns.code(read(form)).table
        np.testing.assert_array_equal(table, [[2, np.nan], [3, 4]])
    np.testing.assert_array_equal(given, [[np.nan, np.nan], [3, 4]])  # as it was


# ---- categories ----


def test_levels_are_in_order():
    given = ["b", "a", None, 10, 9, True, "B", False, "", 0.5]
    levels, _ = levels_of(given, min_frequency=1)
    assert levels == [False, True, 0.5, 9, 10, "", "B", "a", "b", None]


def test_rare_levels_are_unknown():
    levels, rows = levels_of(["a", "b", "a", "c", "c", "c"])
    assert levels == ["a", "c"]
    np.testing.assert_array_equal(rows.table[:, 0], [0, np.nan, 0, 1, 1, 1])
    assert levels_of(["a", "b", "a", "c", "c", "c"], min_frequency=3)[0] == ["c"]


def test_a_category_of_rare_levels_has_no_units():
    levels, rows = levels_of(["a", "b", "c"])
    assert levels == []
    assert rows.shape == (3, 0)
    assert np.isnan(rows.table).all()


def test_missing_values_are_a_level_however_rare():
    levels, rows = levels_of(["a", "a", None])
    assert levels == ["a", None]
    assert rows.kinds.tolist() == [CATEGORY]
    assert rows.table[:, 0].tolist() == [0, 0, 1]


def test_the_most_frequent_levels_are_kept():
    names = [f"{i:04d}" for i in range(5000)]
    values = [name for i, name in enumerate(names) for _ in range(2 + (i % 10 == 3))] + [None]
    levels, rows = levels_of(values[::-1])
    assert levels == [*names[3:2550:10], None]  # of the equally frequent the first in order
    assert rows.shape[1] == 256
    assert levels_of(values[::-1], max_levels=2)[0] == ["0003", "0013", None]


def test_two_levels_are_a_sign():
    for values in (["no", "yes"] * 2, [True, False] * 2, [0, 1] * 2):
        levels, rows = levels_of(values)
        assert levels == sorted(set(values))
        assert rows.kinds.tolist() == [SIGN]
        assert rows.shape == (4, 2)


def test_levels_that_training_has_not_seen_are_unknown():
    X = pd.DataFrame({"a": ["x", "y"] * 2, "b": [True, False] * 2, "c": ["x", None] * 2})
    columns, _ = fit(read(X))
    other = pd.DataFrame({"a": ["z", None], "b": [None, 1], "c": ["y", "x"]})
    table = columns.code(read(other)).table
    np.testing.assert_array_equal(table, [[np.nan, np.nan, np.nan], [np.nan, np.nan, 0]])
    assert not encode(CodedRows(table, columns.codes), "f4")[0].any()


# ---- tables ----


def test_an_array_of_numbers_is_read_where_it_lies():
    X = RNG.normal(size=(50_000, 8))
    X[::7, 2] = np.nan
    columns, rows = fit(read(X))
    assert rows.table is X
    tracemalloc.start()
    assert columns.code(read(X)).table is X
    blocks = list(columns.code_blocks(read(X)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [block.table.base is None and block.table is X for block in blocks] == [True]
    assert peak < X.nbytes / 2  # a block's marks of what is missing


@pytest.mark.parametrize("library", LIBRARIES)
def test_blocks_of_rows_are_those_of_all(library, monkeypatch):
    monkeypatch.setattr(columns_module, "BLOCK_ELEMENTS", 7 * len(TABLE))
    X = read(LIBRARIES[library](TABLE))
    columns, rows = fit(X)
    blocks = list(columns.code_blocks(X))
    assert [len(block) for block in blocks] == [7] * 5 + [5]
    np.testing.assert_array_equal(np.concatenate([block.table for block in blocks]), rows.table)


@pytest.mark.parametrize("block", [1, 100])
def test_missing_and_infinite_numbers_are_found_in_every_block(block, monkeypatch):
    monkeypatch.setattr(columns_module, "BLOCK_ELEMENTS", block)
    columns, _ = fit(read(np.arange(12.0).reshape(4, 3)))
    for i in range(4):
        X = np.ones((4, 3))
        X[i, 1] = np.nan
        expected = np.ones((4, 3))
        expected[i, 1] = 5.5
        np.testing.assert_array_equal(columns.code(read(X)).table, expected)
        X[i, 2] = np.inf
        with pytest.raises(ValueError, match=r"infinity .*in column 2"):
            columns.code(read(X))
        with pytest.raises(ValueError, match=r"infinity .*in column 2"):
            fit(read(X))


def test_arrays_that_the_kernels_cannot_read_are_copied_in_blocks(monkeypatch):
    monkeypatch.setattr(columns_module, "BLOCK_ELEMENTS", 6)
    X = np.arange(15).reshape(5, 3)
    columns, _ = fit(read(X))
    for form in (X, X.astype("f4"), np.asfortranarray(X.astype(float)), X.astype(float)[:, ::-1]):
        blocks = list(columns.code_blocks(read(form)))
        assert [len(block) for block in blocks] == [2, 2, 1]
        np.testing.assert_array_equal(np.vstack([b.table for b in blocks]), form)


def test_many_columns():
    X = RNG.normal(size=(12, 5000))
    columns, rows = fit(read(X))
    assert rows.table is X
    assert columns.codes.kinds.tolist() == [NUMBER] * 5000
    columns, rows = fit(read(X.astype(object)))
    np.testing.assert_array_equal(rows.table, X)


@pytest.mark.parametrize(
    "through", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_copies_and_pickles(through):
    frame = read(LIBRARIES["pandas"](TABLE))
    columns, rows = fit(frame)
    same = through(columns)
    assert same.levels == columns.levels
    np.testing.assert_array_equal(same.code(frame).table, rows.table)
    assert same.codes.bin_value == columns.codes.bin_value
    for name in ARRAYS:
        array, again = getattr(columns.codes, name), getattr(same.codes, name)
        np.testing.assert_array_equal(again, array)
        assert again.dtype == array.dtype
        assert not again.flags.writeable

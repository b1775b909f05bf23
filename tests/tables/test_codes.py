"""The codes of columns: what a network reads of a table."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from mlp_c._tables.codes import CATEGORY, NUMBER, SIGN, CodedRows, Codes
from support.coded import encode

FLOATS = st.floats(allow_nan=False, width=64)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
KNOTS = st.lists(st.floats(-(2.0**1022), 2.0**1022), min_size=2, max_size=20, unique=True).map(
    lambda knots: np.unique(np.array(knots))
)


def codes_of_numbers(center=0.0, scale=1.0, knots=(), bin_value=0.5):
    return Codes.of([NUMBER], [center], [scale], [np.array(knots, float)], [0], bin_value)


def encoded(codes, *columns, dtype=np.float64):
    return encode(CodedRows(np.array(columns, float).T, codes), dtype)


def bins(codes, values):
    """The units of bins, without the one that makes their number even."""
    return encoded(codes, values)[:, 2 : 1 + len(codes.knots)]


# ---- worked by hand ----


def test_codes_worked_by_hand():
    knots = [np.array([0.0, 1.0, 3.0]), *[np.empty(0)] * 4]
    kinds = [NUMBER, CATEGORY, SIGN, NUMBER, CATEGORY]
    codes = Codes.of(kinds, [1, 0, 0, 5, 0], [2, 1, 1, 1, 1], knots, [0, 3, 2, 0, 0], 0.5)
    assert codes.unit_starts.tolist() == [0, 4, 8, 10, 12, 12]
    assert codes.knot_starts.tolist() == [0, 3, 3, 3, 3, 3]
    assert (len(codes.kinds), codes.n_units) == (5, 12)
    nan = np.nan
    table = np.array(
        [[1.0, 0, 0, 5, 0], [2.5, 2, 1, nan, nan], [nan, nan, nan, 8, 0], [-9, 5, 0.5, 5, -1]]
    )
    place = 3 / np.sqrt(2)  # of a number three scales from the center
    expected = [
        [[0, 0, 0.5, 0], [1, 0, 0, 0], [-1, 0], [0, 0]],
        [[0.75 / np.sqrt(1.0625), 0, 0.5, 0.375], [0, 0, 1, 0], [1, 0], [0, 1]],
        [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0], [place, 0]],
        [[-5 / np.sqrt(1 + 25 / 9), 0, 0, 0], [0, 0, 0, 0], [0, 0], [0, 0]],
    ]
    found = csr_array(encode(CodedRows(table, codes), np.float64))
    np.testing.assert_allclose(found.toarray(), list(map(np.concatenate, expected)), rtol=1e-15)
    assert (found.data != 0).all()
    assert found.has_sorted_indices
    rows = CodedRows(table, codes)
    assert (len(rows), rows.shape) == (4, (4, 12))
    for name, value in vars(codes).items():
        assert getattr(rows, name) is value
        assert name == "bin_value" or not value.flags.writeable


def test_codes_are_rounded_once():
    codes = codes_of_numbers(0.1, 0.7, [0.0, 0.3, 1.0])
    values = np.random.default_rng(0).normal(size=500)
    found = encoded(codes, values, dtype=np.float32)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, encoded(codes, values).astype(np.float32))


# ---- numbers ----


@given(st.lists(FLOATS, min_size=1, max_size=20), KNOTS, st.floats(1e-3, 1e3))
def test_bins_are_full_up_to_one_and_empty_above_it(values, knots, bin_value):
    found = bins(codes_of_numbers(knots=knots, bin_value=bin_value), values)
    assert ((found >= 0) & (found <= bin_value)).all()
    for below, above in pairwise(found.T):
        assert ((below == bin_value) | (above == 0)).all()


@given(st.lists(FLOATS, min_size=1, max_size=20), KNOTS)
def test_bins_tell_the_value_between_the_outermost_knots(values, knots):
    found = bins(codes_of_numbers(knots=knots, bin_value=1), values) @ np.diff(knots)
    limited = np.clip(values, knots[0], knots[-1]) - knots[0]
    width = np.abs(knots).max()
    np.testing.assert_allclose(found, limited, rtol=1e-14, atol=1e-14 * width + 1e-322)


@given(KNOTS)
def test_bins_are_full_from_their_upper_knot_on(knots):
    found = bins(codes_of_numbers(knots=knots), knots)
    np.testing.assert_array_equal(found, 0.5 * np.tri(len(knots), len(knots) - 1, -1))


@given(st.lists(FLOATS, min_size=2, max_size=20), FINITE, st.floats(2.0**-1074, 2.0**1023), KNOTS)
def test_codes_grow_with_the_value(values, center, scale, knots):
    codes = codes_of_numbers(center, scale, knots)
    found = encoded(codes, np.sort(values))
    assert np.isfinite(found).all()
    assert (np.diff(found, axis=0) >= -1e-15).all()
    assert (np.abs(found[:, 0]) <= 3).all()


@given(FINITE, st.floats(2.0**-1074, 2.0**1023))
def test_the_place_is_odd_and_limited(center, scale):
    far = encoded(codes_of_numbers(center, scale), [np.inf, -np.inf, center])[:, 0]
    assert far.tolist() == [3, -3, 0]
    for u in (1e-300, 0.5, 1, 7, 1e8, 1e153, 1e155, 1e308):  # squares of the last overflow
        there, back = encoded(codes_of_numbers(), [u, -u])[:, 0]
        assert there == -back
        np.testing.assert_allclose(there, u if u < 1e-9 else 3 / np.sqrt(1 + (3 / u) ** 2))


def test_missing_numbers_are_one_unit():
    codes = codes_of_numbers(1, 2, [0.0, 1.0, 2.0])
    assert encoded(codes, [np.nan]).tolist() == [[0, 1, 0, 0]]
    assert encoded(codes, [1.0])[0, 1] == 0


# ---- categories ----


@given(arrays(float, 9, elements=st.floats()), st.integers(0, 7))
def test_categories_are_their_level_alone(values, n_levels):
    codes = Codes.of([CATEGORY], [0], [1], [np.empty(0)], [n_levels], 0.5)
    width = n_levels + n_levels % 2
    expected = [[float(value == level) for level in range(width)] for value in values]
    assert encoded(codes, values).tolist() == expected


@given(st.floats())
def test_signs_are_of_two_levels(value):
    codes = Codes.of([SIGN], [0], [1], [np.empty(0)], [2], 0.5)
    assert encoded(codes, [value, 0, 1]).tolist() == [
        [{0: -1, 1: 1}.get(value, 0), 0],
        [-1, 0],
        [1, 0],
    ]


@pytest.mark.parametrize("kind", [NUMBER, CATEGORY, SIGN])
def test_no_rows_have_no_codes(kind):
    codes = Codes.of([kind], [0], [1], [np.empty(0)], [2], 0.5)
    assert encode(CodedRows(np.empty((0, 1)), codes), np.float32).shape == (0, 2)

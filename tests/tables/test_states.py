"""Columns as plain data: what is read again, and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlp_c._saving import files
from mlp_c._tables.columns import Columns, fit
from mlp_c._tables.frames import read
from support.tables import LIBRARIES, TABLE

COLUMNS, ROWS = fit(read(LIBRARIES["pandas"](TABLE)), min_frequency=1)
NAMES = list(TABLE)
FLOATS, WORDS, CONSTANT = (NAMES.index(name) for name in ("floats", "words", "constant"))


def state(**changes):
    return {**COLUMNS.to_state(), **changes}


def with_element(name, place, value):
    array = COLUMNS.to_state()[name].copy()
    array[place] = value
    return state(**{name: array})


def with_levels(j, levels):
    of_columns = COLUMNS.levels
    of_columns[j] = levels
    return state(levels=of_columns)


def test_columns_come_back():
    same = Columns.from_state("columns", COLUMNS.to_state())
    table = same.code(read(LIBRARIES["lists"](TABLE))).table
    np.testing.assert_array_equal(table, ROWS.table)
    assert same.levels == COLUMNS.levels
    assert Columns.from_state("columns", same) is same


def test_columns_come_back_from_files():
    tensors = {}
    document = json.dumps(files._to_json(COLUMNS.to_state(), "columns", tensors), allow_nan=False)
    found = files._from_json(json.loads(document), tensors)
    assert not tensors
    again = Columns.from_state("columns", found)
    assert list(map(repr, again.levels)) == list(map(repr, COLUMNS.levels))
    np.testing.assert_array_equal(again.codes.knots, COLUMNS.codes.knots)


def test_columns_without_knots_and_levels_come_back():
    columns, _ = fit(read([["a", 1], ["b", 1]]))
    same = Columns.from_state("columns", columns.to_state())
    assert same.levels == [[], None]
    assert same.codes.n_units == 2


knots_of_floats = COLUMNS.codes.knots[: COLUMNS.codes.knot_starts[FLOATS + 1]]
REFUSED = {
    "None": (lambda: None, "columns of a state must be a dict"),
    "an entry too few": (lambda: {"levels": []}, "columns of a state lacks"),
    "an entry too many": (lambda: state(more=1), "unknown entries.*more"),
    "no columns": (lambda: state(levels=[]), "columns.levels .* an entry for each column"),
    "levels as a dict": (lambda: state(levels={}), "columns.levels"),
    "a column too few": (lambda: state(levels=COLUMNS.levels[1:]), "columns.centers"),
    "levels as text": (lambda: with_levels(WORDS, "abc"), r"levels\[5\] .* None or a list"),
    "levels as an array": (lambda: with_levels(WORDS, np.arange(3)), r"levels\[5\]"),
    "levels twice": (lambda: with_levels(WORDS, ["a", "a"]), r"levels\[5\] .* that differ"),
    "levels that are equal": (lambda: with_levels(WORDS, [1, 1.0]), r"levels\[5\] .* that differ"),
    "missing first": (lambda: with_levels(WORDS, [None, "a"]), "None at the end"),
    "a level that is a list": (lambda: with_levels(WORDS, [["a"]]), r"levels\[5\]\[0\] .* text"),
    "a level that is a tuple": (lambda: with_levels(WORDS, [(True,)]), r"levels\[5\]\[0\]"),
    "a level that is NaN": (lambda: with_levels(WORDS, [np.nan]), r"levels\[5\]\[0\] .* finite"),
    "an infinite level": (lambda: with_levels(WORDS, ["a", np.inf]), r"levels\[5\]\[1\]"),
    "bytes as a level": (lambda: with_levels(WORDS, [b"a"]), r"levels\[5\]\[0\]"),
    "a category that was a number": (lambda: with_levels(FLOATS, ["a"]), "0 for categories"),
    "centers as a list": (lambda: state(centers=[0.0] * 11), "columns.centers .* a vector"),
    "centers of float32": (lambda: state(centers=np.zeros(11, "f4")), "finite vector of float64"),
    "centers in a matrix": (lambda: state(centers=np.zeros((11, 1))), "a vector of float64"),
    "centers too few": (lambda: state(centers=np.zeros(10)), "11 elements"),
    "a center that is NaN": (lambda: with_element("centers", 0, np.nan), "finite"),
    "an infinite scale": (lambda: with_element("scales", 0, np.inf), "finite"),
    "a scale of 0": (lambda: with_element("scales", 0, 0), "greater than 0"),
    "a negative scale": (lambda: with_element("scales", 0, -1), "greater than 0"),
    "a scale of words": (lambda: with_element("scales", WORDS, 2), "1 for categories"),
    "missing words": (lambda: with_element("had_missing", WORDS, True), "False for categories"),
    "missing as integers": (lambda: state(had_missing=np.zeros(11, int)), "vector of bool"),
    "knots of words": (lambda: with_element("knot_counts", WORDS, 2), "0 for categories"),
    "counts as floats": (lambda: state(knot_counts=np.zeros(11)), "vector of int64"),
    "a negative count": (lambda: with_element("knot_counts", 0, -2), "none or at least 2"),
    "one knot": (
        lambda: with_element("knot_counts", [FLOATS, CONSTANT], [16, 1]),
        "none or at least 2",
    ),
    "a bin of 0": (lambda: state(bin_value=0.0), "bin_value .* finite and greater than 0"),
    "a bin of NaN": (lambda: state(bin_value=np.nan), "bin_value .* finite"),
    "an infinite bin": (lambda: state(bin_value=np.inf), "bin_value .* finite"),
    "a bin of text": (lambda: state(bin_value="0.5"), "bin_value .* a number"),
    "counts that overflow": (
        lambda: state(knot_counts=np.where(COLUMNS.codes.kinds == 0, 2**62, 0)),
        "none or at least 2",
    ),
    "knots too few": (lambda: state(knots=COLUMNS.codes.knots[1:]), "none or at least 2"),
    "knots that descend": (
        lambda: state(knots=np.concatenate([knots_of_floats[::-1], COLUMNS.codes.knots[17:]])),
        "ascending",
    ),
    "knots that are equal": (lambda: with_element("knots", 1, knots_of_floats[0]), "ascending"),
    "a knot that is NaN": (lambda: with_element("knots", 1, np.nan), "finite"),
    "an infinite knot": (lambda: with_element("knots", 0, -np.inf), "finite"),
    "a knot too far": (lambda: with_element("knots", 0, -1.7e308), "in magnitude"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_state_that_no_columns_have(what):
    make, message = REFUSED[what]
    with pytest.raises(ValueError, match=message):
        Columns.from_state("columns", make())


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.sampled_from(
        [np.zeros(0), np.ones(3), np.arange(2), np.array(None), np.zeros((2, 2), bool)]
    ),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(COLUMNS.to_state())), ANYTHING)
@example("bin_value", 1)
def test_whatever_an_entry_is_columns_come_back_or_a_value_error(name, value):
    try:
        columns = Columns.from_state("columns", state(**{name: value}))
    except ValueError:
        return
    assert len(columns.codes.kinds) == len(columns.levels)


@given(ANYTHING)
def test_whatever_a_state_is_it_is_refused(value):
    with pytest.raises(ValueError, match="columns of a state"):
        Columns.from_state("columns", value)

"""What users pass as tables: the same in every library, and what is refused."""

import datetime as dt
import re
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator

from mlp_c._tables import frames
from mlp_c._tables.columns import fit
from mlp_c._tables.frames import read, read_for
from support.coded import encode
from support.tables import LIBRARIES, TABLE


@pytest.fixture(params=LIBRARIES)
def library(request):
    return LIBRARIES[request.param]


def levels_of(X, **options):
    return fit(read(X), min_frequency=1, **options)[0].levels


# ---- the same from every library ----


def test_every_library_gives_the_same_codes(library):
    expected = fit(read(LIBRARIES["pandas"](TABLE)))
    columns, rows = fit(read(library(TABLE)))
    assert columns.levels == expected[0].levels
    np.testing.assert_array_equal(rows.table, expected[1].table)
    for name in ("kinds", "centers", "scales", "knot_starts", "knots", "unit_starts"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(expected[1], name), name)


def test_the_table_is_what_python_says(library):
    columns, rows = fit(read(library(TABLE)))
    for (name, values), column, levels in zip(
        TABLE.items(), rows.table.T, columns.levels, strict=True
    ):
        if levels is None:
            expected = [np.nan if value is None else value for value in values]
        else:
            assert levels == sorted(set(values) - {None}) + [None] * (None in values), name
            expected = [levels.index(value) for value in values]
        np.testing.assert_array_equal(column, expected, name)


@pytest.mark.parametrize("other", LIBRARIES)
def test_rows_of_a_library_fit_the_columns_of_another(library, other):
    columns, rows = fit(read(library(TABLE)))
    again = columns.code(read(LIBRARIES[other](TABLE)))
    np.testing.assert_array_equal(again.table, rows.table)
    assert again.codes is rows.codes


def test_one_row_is_as_it_is_among_others(library):
    columns, rows = fit(read(library(TABLE)))
    for i in (0, 7, len(rows) - 1):
        row = library({name: values[i : i + 1] for name, values in TABLE.items()})
        np.testing.assert_array_equal(columns.code(read(row)).table, rows.table[i : i + 1])


def test_dtypes_of_numbers():
    pl = pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    values = [3, 1, 2, None]
    numbers = np.array([3, 1, 2, np.nan])
    series = [
        pd.Series(values, dtype="Int8"),
        pd.Series(values, dtype="float32"),
        pd.Series(values, dtype="Float64"),
        pd.Series([Decimal(3), Fraction(1), np.int8(2), pd.NA]),
        pd.Series(pd.arrays.SparseArray([3, 1, 2, np.nan])),
        pd.Series(values, dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
    ]
    frames = [pd.DataFrame({"a": of_pandas}) for of_pandas in series]
    frames += [
        pl.DataFrame({"a": pl.Series(values, dtype=dtype)})
        for dtype in (pl.UInt8, pl.Int128, pl.Float32, pl.Decimal(10, 3))
    ]
    frames += [
        pa.table({"a": pa.array(values, dtype)})
        for dtype in (pa.uint64(), pa.int8(), pa.float32(), pa.decimal128(9, 2))
    ]
    for X in frames:
        columns, rows = fit(read(X))
        assert columns.levels == [None], X
        np.testing.assert_array_equal(rows.table[:, 0], numbers, str(X))


@pytest.mark.parametrize("dtype", ["b", "B", "h", "i", "Q", "e", "f", ">f8", "g", ">i4"])
def test_dtypes_of_arrays(dtype):
    X = np.arange(12).reshape(4, 3).astype(dtype)
    for array in (X, np.asfortranarray(X), X[::2], X[:, ::-1]):
        table = fit(read(array))[1].table
        assert table.dtype == np.float64
        assert table.flags.c_contiguous
        np.testing.assert_array_equal(table, array.astype(float))


def test_arrays_of_true_and_false_and_of_text_are_categories():
    X = np.array([[True, False], [False, False]])
    assert levels_of(X) == [[False, True], [False]]
    assert levels_of(np.array([["b", "nan"], ["a", "nan"]])) == [["a", "b"], ["nan"]]


def test_columns_of_nothing():
    pl = pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    values = [None, None, None]
    for X in (
        pd.DataFrame({"a": values}),
        pl.DataFrame({"a": values}),
        pa.table({"a": values}),
        [[None]] * 3,
        np.full((3, 1), np.nan),
    ):
        columns, rows = fit(read(X))
        assert columns.levels == [None]
        assert np.isnan(rows.table).all()
        assert encode(rows, "f8").tolist() == [[0, 1]] * 3


def test_numbers_and_words_of_the_same_look_differ():
    values = ["1", 1, True, "True", 1.5, 0, False, "", None, "nan", float("nan"), "None", 2.0]
    levels = [False, True, 0, 1, 1.5, 2, "", "1", "None", "True", "nan", None]
    columns, rows = fit(read([[value] for value in values]), min_frequency=1)
    assert list(map(repr, columns.levels[0])) == list(map(repr, levels))
    places = [7, 3, 1, 9, 4, 2, 0, 6, 11, 10, 11, 8, 5]
    assert rows.table[:, 0].tolist() == places


def test_missing_values_of_every_kind_are_missing():
    kinds = [None, np.nan, float("nan"), pd.NA, pd.NaT, np.float32("nan"), Decimal("nan")]
    for words in ([], ["a"]):
        values = [*words, 1.5, *kinds]
        rows = fit(read(pd.DataFrame({"a": np.array(values, dtype=object)})), min_frequency=1)[1]
        missing = rows.table[-len(kinds) :, 0]
        assert len(set(missing.tolist())) == 1 if words else np.isnan(missing).all()


# ---- which columns are categories ----

MIXED = {"n": [1.0, 2.0, 2.0], "i": [3, 4, 4], "w": ["a", "b", "b"], "b": [True, False, True]}
MIXED_KINDS = [None, None, ["a", "b"], [False, True]]


@pytest.mark.parametrize(
    ("given", "levels"),
    [
        ("from_dtype", MIXED_KINDS),
        (["w", "b"], MIXED_KINDS),
        ([2, 3], MIXED_KINDS),
        (np.array([False, False, True, True]), MIXED_KINDS),
        (["w", "i"], [None, [3, 4], ["a", "b"], None]),
        ([0, 1, 2], [[1, 2], [3, 4], ["a", "b"], None]),
    ],
    ids=str,
)
def test_categorical_features(library, given, levels):
    X = library(MIXED)
    if getattr(X, "columns", None) is None and isinstance(given, list) and given[0] == "w":
        pytest.skip("these have no names")
    assert levels_of(X, categorical_features=given) == levels


@pytest.mark.parametrize("given", [None, [], [False] * 3], ids=str)
def test_no_categorical_features(given):
    X = pd.DataFrame({"n": [1.0, None], "o": np.array([1, True], object), "b": [True, False]})
    columns, rows = fit(read(X), categorical_features=given)
    assert columns.levels == [None] * 3
    np.testing.assert_array_equal(rows.table, [[1, 1, 1], [np.nan, 1, 0]])


def test_large_integers_as_categories_are_not_rounded(library):
    large = [2**60, 2**60 + 1, 2**60 + 2]
    X = library({"id": large})
    assert levels_of(X, categorical_features=[0]) == [large]


def test_integers_as_categories_are_the_floats_that_they_are():
    columns, _ = fit(read(np.array([[1.0], [2.0], [1.0], [2.0]])), categorical_features=[0])
    for X in ([[2]], [[2.0]], pd.DataFrame([2]), pd.DataFrame({"a": ["x", 2]})[1:]):
        assert columns.code(read(X)).table.tolist() == [[1]]
    assert np.isnan(columns.code(read([["2"]])).table).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("w", "categorical_features must be 'from_dtype', None or an array-like, got 'w'"),
        ([4], r"integer indices must be in \[0, n_features - 1\]"),
        ([-1], r"integer indices must be in \[0, n_features - 1\]"),
        ([True], r"boolean mask must have shape \(n_features,\), got: \(1,\)"),
        (["v"], "an item value 'v' which is not a valid feature name"),
        ([1.5], "array-like of bool, int or str, got: float64"),
    ],
    ids=str,
)
def test_categorical_features_that_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        read(pd.DataFrame(MIXED)).find_categories(given)


def test_names_of_an_array_are_refused():
    with pytest.raises(ValueError, match="on data without feature names"):
        read([["a", 1]]).find_categories(["a"])


# ---- what is refused ----


def of_pandas(values, dtype=None):
    return lambda: pd.DataFrame({"ok": [1] * len(values), "when": pd.Series(values, dtype=dtype)})


def of_polars(values, dtype=None):
    def make():
        pl = pytest.importorskip("polars")
        kind = None if dtype is None else getattr(pl, dtype)
        return pl.DataFrame({"ok": [1] * len(values), "when": pl.Series(values, dtype=kind)})

    return make


def of_arrow(values):
    def make():
        pa = pytest.importorskip("pyarrow")
        return pa.table({"ok": [1] * len(values), "when": values})

    return make


DAY = dt.date(2026, 1, 31)
TIMES = "make numbers of it, such as years, days of the week or seconds since a start, or drop it"
PARTS = "make a column of each of its parts, or drop it"
BYTES = "decode it to text, or drop it"
OTHERS = "make numbers or text of it, or drop it"

REFUSED_TYPES = {
    "datetimes of pandas": (of_pandas(["2026"], "datetime64[us]"), "dtype datetime64", TIMES),
    "time zones of pandas": (of_pandas(["2026"], "datetime64[s, UTC]"), "UTC", TIMES),
    "durations of pandas": (of_pandas([1], "timedelta64[s]"), "dtype timedelta64", TIMES),
    "dates in objects": (of_pandas([DAY]), "holds datetime.date", TIMES),
    "dates among words": (of_pandas(["a", DAY]), "holds datetime.date", TIMES),
    "periods": (of_pandas([pd.Period("2026")]), r"dtype period\[Y-DEC\]", OTHERS),
    "intervals": (of_pandas(pd.interval_range(0, 1)), "dtype interval", OTHERS),
    "bins of pd.cut": (lambda: pd.DataFrame({"when": pd.cut([1, 2], 2)}), "Interval", OTHERS),
    "lists in objects": (of_pandas([[1], [2]]), "holds builtins.list", PARTS),
    "dicts in objects": (of_pandas([{"a": 1}]), "holds builtins.dict", PARTS),
    "bytes in objects": (of_pandas([b"a"]), "holds builtins.bytes", BYTES),
    "objects": (of_pandas([object()]), "holds builtins.object", OTHERS),
    "complex numbers": (of_pandas([1j]), "dtype complex128", OTHERS),
    "dates of polars": (of_polars([DAY]), "dtype Date", TIMES),
    "times of polars": (of_polars([dt.time(1)]), "dtype Time", TIMES),
    "durations of polars": (of_polars([dt.timedelta(1)]), "dtype Duration", TIMES),
    "lists of polars": (of_polars([[1]]), r"dtype List\(Int64\)", PARTS),
    "structs of polars": (of_polars([{"a": 1}]), "dtype Struct", PARTS),
    "bytes of polars": (of_polars([b"a"]), "dtype Binary", BYTES),
    "objects of polars": (of_polars([object()], "Object"), "holds builtins.object", OTHERS),
    "dates of pyarrow": (of_arrow([DAY]), r"dtype date32\[day\]", TIMES),
    "lists of pyarrow": (of_arrow([[1]]), "dtype list", PARTS),
    "structs of pyarrow": (of_arrow([{"a": 1}]), "dtype struct", PARTS),
    "bytes of pyarrow": (of_arrow([b"a"]), "dtype binary", BYTES),
}


@pytest.mark.parametrize("what", REFUSED_TYPES)
@pytest.mark.parametrize("categorical_features", ["from_dtype", None])
def test_a_column_of_a_type_that_is_refused(what, categorical_features):
    if categorical_features is None and what == "dates among words":
        pytest.skip("the word is refused first")
    make, why, advice = REFUSED_TYPES[what]
    expected = f"^column 'when' of X .*{why}.*, which is neither numbers nor categories: {advice}$"
    with pytest.raises(TypeError, match=expected):
        fit(read(make()), categorical_features=categorical_features)


@pytest.mark.parametrize("what", REFUSED_TYPES)
@pytest.mark.parametrize("words", [False, True])
def test_a_column_of_a_type_that_is_refused_in_rows_to_predict(what, words):
    X = REFUSED_TYPES[what][0]()
    fitted = pd.DataFrame({"ok": [1, 2], "when": ["a", "b"] if words else [1.0, 2.0]})
    columns, _ = fit(read(fitted[list(X.columns) if hasattr(X, "iloc") else ["ok", "when"]]))
    refusals = (TypeError, ValueError)  # of dates and words the latter come first
    with pytest.raises(refusals, match=r"^column 'when' of X .*(neither|must hold numbers)"):
        columns.code(read(X))


@pytest.mark.parametrize(
    ("X", "why"),
    [
        (np.array([["2026"]], "M8[D]"), r"is of dtype datetime64\[D\].*days of the week"),
        (np.array([[3]], "m8[s]"), r"is of dtype timedelta64\[s\].*days of the week"),
        (np.array([[b"a"]]), r"is of dtype \|S1.*decode"),
        (np.zeros((1, 1), "i4,i4"), "is of dtype .*a column of each of its parts"),
        ([[[1]]], "a 3|3D|dim 3|dim"),
    ],
    ids=str,
)
def test_arrays_of_types_that_are_refused(X, why):
    with pytest.raises((TypeError, ValueError), match=why):
        fit(read(X))


REFUSED = {
    "a sparse matrix": (sparse.csr_array(np.eye(2)), TypeError, "Sparse data was passed"),
    "an old sparse matrix": (sparse.csc_matrix(np.eye(2)), TypeError, "Sparse data was passed"),
    "a vector": (np.arange(3.0), ValueError, "Expected 2D array, got 1D array instead"),
    "a list": ([1, 2], ValueError, "Expected 2D array, got 1D array instead"),
    "a word": ("table", ValueError, "Expected 2D array, got scalar array instead"),
    "nothing": (None, ValueError, "Expected 2D array, got scalar array instead"),
    "a series": (pd.Series([1]), ValueError, "Expected a 2-dimensional container"),
    "a ragged list": ([[1, 2], [3]], ValueError, "inhomogeneous|Expected 2D array"),
    "an empty list": ([], ValueError, "Expected 2D array, got 1D array instead"),
    "a cube": (np.zeros((2, 2, 2)), ValueError, "dim 3"),
    "no rows": (np.zeros((0, 2)), ValueError, r"0 sample\(s\) \(shape=\(0, 2\)\)"),
    "no columns": (np.zeros((2, 0)), ValueError, r"0 feature\(s\) \(shape=\(2, 0\)\)"),
    "a frame of no rows": (
        pd.DataFrame({"a": []}),
        ValueError,
        r"Found array with 0 sample\(s\) \(shape=\(0, 1\)\) while a minimum of 1 is required",
    ),
    "a frame of no columns": (
        pd.DataFrame(index=[1, 2]),
        ValueError,
        r"0 feature\(s\) \(shape=\(2, 0\)\)",
    ),
    "complex numbers": (np.ones((2, 2)) * 1j, ValueError, "Complex data not supported"),
    "names that are the same": (
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        ValueError,
        "the columns of X must have names that differ: .*'a' 2 times",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_no_table(what):
    X, error, message = REFUSED[what]
    with pytest.raises(error, match=re.compile(message, re.DOTALL)):
        read(X)


def test_a_lazy_frame_is_refused():
    pl = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"in memory, got a lazy frame: pass what its collect\(\)"):
        read(pl.LazyFrame({"a": [1]}))


@pytest.mark.parametrize("value", [np.inf, -np.inf, 10**400, Decimal("1e999"), "longdouble"])
def test_infinite_numbers_are_refused(value):
    if value == "longdouble":
        value = np.longdouble("1e400")
        if np.isinf(value):
            pytest.skip("long doubles are doubles")
    message = r"^Input X contains infinity or a value too large for dtype\('float64'\), in column "
    in_words = np.array([["a", 1], ["b", value]], object)
    tables = {
        "'x'": pd.DataFrame({"ok": [1, 2], "x": np.array([1, value], object)}),
        "1": in_words,
        "2": np.array([[1, 2, value]]),
    }
    for where, X in tables.items():
        with pytest.raises(ValueError, match=f"{message}{where}$"):
            fit(read(X))
        columns, _ = fit(read(np.zeros(X.shape) if where != "1" else [["a", 1], ["b", 2]]))
        with pytest.raises(ValueError, match=f"{message}{where}$"):
            columns.code(read(X))
    with pytest.raises(ValueError, match=f"{message}1$"):
        fit(read(in_words), categorical_features=[0, 1])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("categorical_features", [None, [1]])
def test_numbers_too_large_for_float64_warn_of_nothing(categorical_features):
    X = np.array([[np.longdouble("1e400"), 1]])
    with pytest.raises(ValueError, match="Input X contains infinity"):
        fit(read(X), categorical_features=categorical_features)


def test_values_of_numpy_are_those_of_python():
    values = [np.bool_(True), np.str_("1"), np.int8(1), np.float32(0.5), np.float64("nan")]
    assert levels_of([[value] for value in values]) == [[True, 0.5, 1, "1", None]]
    assert levels_of([[value] for value in values])[0][0] is True


def test_dictionaries_of_pyarrow():
    pa = pytest.importorskip("pyarrow")
    values = [2**60 + 1, None, 2**60, None, 7]
    chunks = [pa.array(values).dictionary_encode(), pa.array([8, None]).dictionary_encode()]
    columns, rows = fit(read(pa.table({"a": pa.chunked_array(chunks)})), min_frequency=1)
    assert columns.levels == [[7, 8, 2**60, 2**60 + 1, None]]
    assert rows.table[:, 0].tolist() == [3, 4, 2, 4, 0, 1, 4]


def test_words_in_a_column_of_numbers_are_refused(library):
    columns, _ = fit(read(library({"a": [1.0, 2.0], "b": [1, 2]})))
    message = r"^column ('b'|1) of X must hold numbers, got 'x+(\.\.\.x+)?': words are taken where "
    for word in ("x", "x" * 10**6):
        with pytest.raises(ValueError, match=message) as refusal:
            columns.code(read(library({"a": [1.0], "b": [word]})))
        assert len(str(refusal.value)) < 200
    with pytest.raises(ValueError, match=r"must hold numbers, got 'c'"):
        fit(read(library({"a": ["c", "d"]})), categorical_features=None)


# ---- the names and the number of columns ----


class Estimator(BaseEstimator):
    pass


def fitted_to(X):
    estimator = Estimator()
    read_for(estimator, X, reset=True)
    return estimator


def test_names_and_number_are_taken(library):
    X = library(MIXED)
    estimator = fitted_to(X)
    assert estimator.n_features_in_ == 4
    names = list(MIXED) if hasattr(X, "columns") else None
    assert getattr(estimator, "feature_names_in_", np.array(None)).tolist() == names
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_for(estimator, X, reset=False).n_rows == 3


def test_names_of_before_are_forgotten():
    estimator = fitted_to(pd.DataFrame(MIXED))
    read_for(estimator, [[1]], reset=True)
    assert estimator.n_features_in_ == 1
    assert not hasattr(estimator, "feature_names_in_")


def test_other_names_are_refused_and_missing_ones_warned_of():
    X = pd.DataFrame(MIXED)
    estimator = fitted_to(X)
    for columns in (["i", "n", "w", "b"], ["n", "i", "w"], ["n", "i", "w", "w2"]):
        other = X.assign(w2=1)[columns]
        with pytest.raises(ValueError, match="The feature names should match those"):
            read_for(estimator, other, reset=False)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        read_for(estimator, X.to_numpy(), reset=False)
    with pytest.warns(UserWarning, match="X has feature names, but Estimator was fitted without"):
        read_for(fitted_to(X.to_numpy()), X, reset=False)
    with pytest.raises(TypeError, match="string names"):
        read_for(Estimator(), X.rename(columns={"n": 5}), reset=True)


@pytest.mark.parametrize("made", [np.zeros((2, 3)), [[0] * 3], np.zeros((2, 3), "f4")], ids=str)
def test_another_number_of_columns_is_refused(made):
    estimator = fitted_to(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="X has 3 features, but Estimator is expecting 2 features"):
        read_for(estimator, made, reset=False)


def test_clean_arrays_pass_without_checks_and_others_with_them(monkeypatch):
    estimator = fitted_to(np.zeros((2, 2)))
    X = np.ones((1, 2))
    with monkeypatch.context() as patches:
        patches.setattr(frames, "read", lambda X: pytest.fail("checked"))
        assert read_for(estimator, X, reset=False).array is X
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        read_for(fitted_to(pd.DataFrame(X, columns=["a", "b"])), X, reset=False)
    for made, message in ((X[0], "1D array"), (X[:0], "0 sample"), (X * 1j, "Complex data")):
        with pytest.raises(ValueError, match=message):
            read_for(estimator, made, reset=False)

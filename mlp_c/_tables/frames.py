"""What users pass as a table: a frame of any library, an array or lists, read column by column."""

import datetime
import math
import reprlib
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from numbers import Integral, Real
from typing import Any, NoReturn

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from sklearn.utils.validation import (
    _check_categorical_features,
    check_array,
    validate_data,
)

from mlp_c._system.blocks import Array

# A value of a category, by which it is looked up: text, a number, or a tuple of True or False,
# which else were 1 and 0; None if it is missing.
Label = str | int | float | tuple[bool] | None

# What a column holds. Objects may be numbers, True and False, and text.
_NUMBERS, _BOOLS, _WORDS, _OBJECTS = range(4)

# The same by the kinds of NumPy's dtypes.
_KINDS = {**dict.fromkeys("iuf", _NUMBERS), "b": _BOOLS, "U": _WORDS, "O": _OBJECTS}

# The types of missing values besides floats; pandas, whose these are, need not be there.
_MISSING_TYPES = {"NAType", "NaTType"}

# What to do about a column that holds something else.
_ABOUT_TIMES = "make numbers of it, such as years, days of the week or seconds since a start"
_ABOUT_PARTS = "make a column of each of its parts"
_ABOUT_BYTES = "decode it to text"
_ABOUT_OTHERS = "make numbers or text of it"

# Below this magnitude floats that are integers are shown as such.
_MAX_INTEGER = 2**53


@dataclass(frozen=True)
class Column:
    """A column of a user's table.

    Attributes
    ----------
    name : str
        What messages call it.
    values : narwhals.Series or ndarray
        Its values as they are.
    """

    name: str
    values: Any

    @property
    def is_category(self) -> bool:
        """Whether its type, or of objects those of the values, are not a number's."""
        if self._kind != _OBJECTS:
            return self._kind != _NUMBERS
        kinds = set(map(type, self._as_list()))
        return any(issubclass(kind, (str, bool, np.bool_)) for kind in kinds)

    def numbers(self) -> Array:
        """The values as numbers of any type, with NaN for missing ones.

        Raises
        ------
        TypeError, ValueError
            If one is no number.
        """
        if self._kind in (_WORDS, _OBJECTS):
            return np.array([self._as_number(value) for value in self._as_list()], np.float64)
        if isinstance(self.values, np.ndarray):
            return self.values
        numbers: Array = self.values.cast(nw.Float64).to_numpy()
        return numbers

    def labels(self) -> tuple[list[Label], Array]:
        """What the values are looked up by: some labels, and the place of each value's there.

        The labels are all that there are, and may be repeated.

        Raises
        ------
        TypeError, ValueError
            If a value is neither a number nor text, nor True or False, or is infinite.
        """
        values: list[Any] = self._as_list()
        if self._kind == _OBJECTS:  # of which True is 1
            values = [self._as_label(value) for value in values]
        seen: defaultdict[Any, int] = defaultdict()
        seen.default_factory = seen.__len__  # the place of a value that has none yet
        places = np.fromiter(map(seen.__getitem__, values), np.intp, len(values))
        labels = list(seen) if self._kind == _OBJECTS else [self._as_label(value) for value in seen]
        return labels, places

    @cached_property
    def _kind(self) -> int:
        """What its type says that it holds."""
        is_array = isinstance(self.values, np.ndarray)
        kind = _KINDS.get(self.values.dtype.kind) if is_array else _kind_of_series(self.values)
        if kind is None:
            _refuse(self.name, *_describe(self.values))
        return kind

    def _as_list(self) -> list[Any]:
        series = self.values
        if isinstance(series, np.ndarray):
            return series.tolist()
        if isinstance(series.dtype, nw.Categorical) and series.implementation.is_pyarrow():
            native = series.to_native()  # has lists of its indices and of what they stand for
            return native.cast(native.type.value_type).to_pylist()
        values: list[Any] = series.to_list()
        return values

    def _as_number(self, value: Any) -> float:
        if type(value) is float:
            return value
        label = self._as_label(value)
        if isinstance(label, str):
            raise ValueError(
                f"{self.name} of X must hold numbers, got {reprlib.repr(label)}: words are taken "
                "where categorical_features made the column a category in fit"
            )
        if label is None:
            return math.nan
        return float(label[0] if isinstance(label, tuple) else label)

    def _as_label(self, value: Any) -> Label:
        kind = type(value)
        if value is None or kind is str:  # most are
            return value
        if issubclass(kind, (bool, np.bool_)):
            return (bool(value),)
        if issubclass(kind, str):
            return str(value)
        if kind.__name__ in _MISSING_TYPES:
            return None
        if not issubclass(kind, (Real, Decimal)):
            _refuse(self.name, f"holds {kind.__module__}.{kind.__qualname__}", _advise(kind))
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            refuse_infinite(self.name)
        if issubclass(kind, Integral):
            return int(value)
        if math.isnan(number):
            return None
        is_integer = number.is_integer() and abs(number) < _MAX_INTEGER
        return int(number) if is_integer else number


class Frame:
    """A user's table that has rows and columns, to be read column by column.

    Parameters
    ----------
    data : narwhals.DataFrame or ndarray of two dimensions
        The table as it is.
    """

    def __init__(self, data: Any):
        self._data = data
        self.n_rows, self.n_columns = data.shape

    def __getitem__(self, rows: slice) -> "Frame":
        """The same columns of some rows."""
        return Frame(self._data[rows])

    @property
    def numbers(self) -> Array | None:
        """The array of numbers that the table is, if it is one."""
        return self.array if self.array is not None and _is_of_numbers(self.array) else None

    @property
    def array(self) -> Array | None:
        """The array that the table is, if it is one."""
        return self._data if isinstance(self._data, np.ndarray) else None

    @property
    def names(self) -> list[Any] | None:
        """The names of the columns; an array has none."""
        return self._data.columns if self.array is None else None

    def call(self, j: int) -> str:
        """What messages call a column."""
        return f"column {j if self.names is None else repr(self.names[j])}"

    @cached_property
    def columns(self) -> list[Column]:
        """The columns."""
        if self.array is not None:
            return [Column(f"column {j}", values) for j, values in enumerate(self.array.T)]
        native = self._data.to_native()
        if nw.dependencies.is_pandas_dataframe(native):
            return [Column(f"column {name!r}", _unwrap(values)) for name, values in native.items()]
        named = zip(self._data.columns, self._data.iter_columns(), strict=True)
        return [Column(f"column {name!r}", values) for name, values in named]

    def find_categories(self, categorical_features: Any) -> Array:
        """Which of the columns are categories.

        Parameters
        ----------
        categorical_features : 'from_dtype', None or array-like
            As scikit-learn's histogram gradient boosting takes it; but by their dtype words, and
            True and False, are categories, too, and so are they in an array.

        Raises
        ------
        ValueError
            If it names columns that there are not.
        """
        if isinstance(categorical_features, str):
            if categorical_features != "from_dtype":
                raise ValueError(
                    "categorical_features must be 'from_dtype', None or an array-like, got "
                    f"{categorical_features!r}"
                )
            return np.array([column.is_category for column in self.columns])
        given = self._data.to_native() if self.array is None else self.array
        found = _check_categorical_features(given, categorical_features)
        return np.zeros(self.n_columns, bool) if found is None else found


def read(X: Any) -> Frame:
    """A table of a user's, which has rows and columns.

    Raises
    ------
    TypeError, ValueError
        If it is no table, or sparse, or not in memory.
    """
    if not nw.dependencies.is_into_dataframe(X):
        if isinstance(nw.from_native(X, pass_through=True), nw.LazyFrame):
            raise TypeError(
                "X must be in memory, got a lazy frame: pass what its collect() returns"
            )
        if isinstance(X, (list, tuple)):  # numbers beside text stay numbers
            X = np.array(X, dtype=object)
        return Frame(check_array(X, dtype=None, ensure_all_finite=False, input_name="X"))
    try:
        frame = nw.from_native(X, eager_only=True)
    except DuplicateError as error:
        raise ValueError(f"the columns of X must have names that differ: {error}") from error
    for n, what in zip(frame.shape, ("sample", "feature"), strict=True):
        if n == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={frame.shape}) while a minimum of 1 is "
                "required."
            )
    return Frame(frame)


def read_for(estimator: Any, X: Any, *, reset: bool) -> Frame:
    """A table of a user's whose columns have the names and the number of those of a fit.

    With `reset`, the estimator takes them as ``feature_names_in_`` and ``n_features_in_``.

    Raises
    ------
    TypeError, ValueError
        If they are others, or ``read`` refuses the table.
    """
    fitted = vars(estimator)
    if not reset and _is_table_of(fitted, X):
        return Frame(X)
    frame = read(X)
    names = fitted.get("feature_names_in_")
    if reset or names is None or frame.names != list(names):
        checked = X if frame.array is None else frame.array  # lists may be of any form
        validate_data(estimator, checked, reset=reset, skip_check_array=True)
    return frame


def _is_table_of(fitted: dict[str, Any], X: Any) -> bool:
    """Whether rows are an array in which ``read_for`` could find nothing wrong."""
    return (
        type(X) is np.ndarray
        and X.dtype == np.float64
        and X.ndim == 2
        and X.shape[1] == fitted.get("n_features_in_")
        and len(X) > 0
        and "feature_names_in_" not in fitted
    )


# ---- what a column's type says ----


def _unwrap(series: Any) -> Any:
    """The array that a series of pandas is, or else the series for narwhals to read."""
    if isinstance(series.dtype, np.dtype):
        return series.to_numpy()
    return nw.from_native(series, series_only=True)


def _is_of_numbers(array: Array) -> bool:
    return _KINDS.get(array.dtype.kind) == _NUMBERS


def _kind_of_series(series: nw.Series[Any]) -> int | None:
    """What a series holds that is no array; None if that is nothing we know."""
    dtype = series.dtype
    sparse_kind = getattr(getattr(series.to_native(), "dtype", None), "kind", "")  # of pandas
    if dtype.is_numeric() or _KINDS.get(sparse_kind) == _NUMBERS:
        return _NUMBERS
    if isinstance(dtype, nw.Boolean):
        return _BOOLS
    if isinstance(dtype, (nw.String, nw.Categorical, nw.Enum)):
        return _WORDS
    if isinstance(dtype, nw.Object):
        return _OBJECTS
    is_empty = isinstance(dtype, nw.Unknown) and series.null_count() == len(series)
    return _NUMBERS if is_empty else None


def _describe(values: Any) -> tuple[str, str]:
    """What a column is that is nothing we know, and what to do about it."""
    if isinstance(values, np.ndarray):
        return f"is of dtype {values.dtype}", _advise(values.dtype.type)
    dtype, native = values.dtype, values.to_native()
    what = f"is of dtype {getattr(native, 'type', getattr(native, 'dtype', dtype))}"
    if dtype.is_temporal():
        return what, _ABOUT_TIMES
    if dtype.is_nested():
        return what, _ABOUT_PARTS
    return what, _ABOUT_BYTES if isinstance(dtype, nw.Binary) else _ABOUT_OTHERS


def _advise(kind: type) -> str:
    """What to do about values of a type."""
    times = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
    if issubclass(kind, times):
        return _ABOUT_TIMES
    if issubclass(kind, (list, tuple, dict, np.ndarray, np.void)):
        return _ABOUT_PARTS
    return _ABOUT_BYTES if issubclass(kind, bytes) else _ABOUT_OTHERS


def _refuse(name: str, what: str, advice: str) -> NoReturn:
    raise TypeError(
        f"{name} of X {what}, which is neither numbers nor categories: {advice}, or drop it"
    )


def refuse_infinite(name: str) -> NoReturn:
    """Refuse a column."""
    raise ValueError(
        f"Input X contains infinity or a value too large for dtype('float64'), in {name}"
    )

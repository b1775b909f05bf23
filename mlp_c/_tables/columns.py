"""What the columns of a table are, as rows to train on tell: centers, scales, knots, levels."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from mlp_c._saving import checks
from mlp_c._system.blocks import BLOCK_ELEMENTS, Array
from mlp_c._tables.codes import CATEGORY, NUMBER, SIGN, CodedRows, Codes, as_constant
from mlp_c._tables.frames import Column, Frame, Label, refuse_infinite

# The scale of a number that is the same in all rows of the training. The weights of its place
# have learned nothing: so the place of any other number is about 0, too.
_SCALE_OF_CONSTANTS = 2.0**1000

# Knots are so near to 0 that the distance of any two is finite.
_MAX_KNOT = 2.0**1022

# Fewer knots would say no more than the place of a number.
_MIN_KNOTS = 3

_ENTRIES = ("centers", "scales", "knot_counts", "knots", "bin_value", "had_missing", "levels")


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a table, as a fit has found them.

    Attributes
    ----------
    codes : Codes
        What a network reads of them.
    labels : tuple of (tuple of labels, or None)
        The levels of each category, in order of their indices; None for numbers.
    had_missing : ndarray of bool, of shape (n_columns,)
        Whether numbers of the training were missing. Where none was, a missing number is taken
        for the median: the weights for missing ones have learned nothing.
    """

    codes: Codes
    labels: tuple[tuple[Label, ...] | None, ...]
    had_missing: Array

    @property
    def is_category(self) -> Array:
        """Which of the columns are categories."""
        return np.array([labels is not None for labels in self.labels])

    @property
    def levels(self) -> list[list[Any] | None]:
        """The levels of each category, in order of their indices; None for numbers.

        Missing values that are a level are None, at the end.
        """
        return [None if labels is None else [_shown(x) for x in labels] for labels in self.labels]

    # ---- what rows are to the kernels ----

    def code(self, frame: Frame) -> CodedRows:
        """All rows of a table that has these columns.

        An array of numbers that the kernels can read is not copied, unless a number is missing
        that is to be the median.

        Raises
        ------
        TypeError, ValueError
            If a column holds what it cannot.
        """
        table = None if self._has_categories else _as_table(frame)
        if table is None:
            table = np.empty((frame.n_rows, frame.n_columns))
            for j, (column, indices) in enumerate(zip(frame.columns, self._indices, strict=True)):
                if indices is None:
                    _put_numbers(table[:, j], column)
                else:
                    table[:, j] = _find_levels(indices, *column.labels())
        return CodedRows(self._fill(table, frame), self.codes)

    def code_blocks(self, frame: Frame) -> Iterator[CodedRows]:
        """The same, a block of rows at a time; an array that is read where it lies is one."""
        if not self._has_categories and frame.numbers is not None and _is_table(frame.numbers):
            yield self.code(frame)
            return
        for rows in _blocks_of_rows((frame.n_rows, frame.n_columns)):
            yield self.code(frame[rows])

    def _fill(self, table: Array, frame: Frame) -> Array:
        """The table of a frame with medians in it; a copy if it is the user's and lacks one."""
        for rows, is_missing in _find_missing(table, frame):
            is_median = is_missing & self._has_median
            if is_median.any():
                table = table.copy() if table is frame.numbers else table
                np.copyto(table[rows], self.codes.centers, where=is_median)
        return table

    @cached_property
    def _has_categories(self) -> bool:
        return bool(self.is_category.any())

    @cached_property
    def _indices(self) -> list[dict[Label, int] | None]:
        """The indices of levels, by their labels."""
        return [None if labels is None else _indices_of(labels) for labels in self.labels]

    @cached_property
    def _has_median(self) -> Array:
        """Which of the columns have a median in place of missing values."""
        return ~(self.had_missing | self.is_category)

    # ---- states ----

    def to_state(self) -> dict[str, Any]:
        """Plain data of which ``from_state`` makes the same columns."""
        return {
            "centers": self.codes.centers,
            "scales": self.codes.scales,
            "knot_counts": np.diff(self.codes.knot_starts),
            "knots": self.codes.knots,
            "bin_value": self.codes.bin_value,
            "had_missing": self.had_missing,
            "levels": self.levels,
        }

    @classmethod
    def from_state(cls, name: str, value: Any) -> Self:
        """The columns that plain data from anywhere stand for, or columns themselves.

        Raises
        ------
        ValueError
            If `value`, which errors call `name`, is not what ``to_state`` gives of any columns.
        """
        if type(value) is cls:
            return value
        checks.entries(name, value, _ENTRIES)
        levels = value["levels"]
        if not isinstance(levels, list) or not levels:
            checks.refuse(f"{name}.levels", "a list of an entry for each column", levels)
        labels = [
            None if of_column is None else _check_levels(f"{name}.levels[{j}]", of_column)
            for j, of_column in enumerate(levels)
        ]
        are_categories = np.array([of_column is not None for of_column in labels])
        vectors = {}
        for entry, kind, of_categories in (
            ("centers", "f", 0),
            ("scales", "f", 1),
            ("had_missing", "b", False),
            ("knot_counts", "i", 0),
        ):
            vector = vectors[entry] = _check_vector(f"{name}.{entry}", value[entry], kind)
            if len(vector) != len(labels) or (vector[are_categories] != of_categories).any():
                expected = f"{len(labels)} elements, {of_categories} for categories"
                checks.refuse(f"{name}.{entry}", expected, vector)
        if not (vectors["scales"] > 0).all():
            checks.refuse(f"{name}.scales", "greater than 0", vectors["scales"])
        knots = _check_vector(f"{name}.knots", value["knots"], "f")
        of_columns = _split_knots(f"{name}.knots", knots, vectors["knot_counts"])
        bin_value = checks.number(f"{name}.bin_value", value["bin_value"])
        if not 0 < bin_value < np.inf:
            checks.refuse(f"{name}.bin_value", "finite and greater than 0", bin_value)
        centers, scales = vectors["centers"], vectors["scales"]
        had_missing = vectors["had_missing"]
        return cls._of(centers, scales, of_columns, labels, had_missing, bin_value)

    def __reduce__(self) -> tuple[Any, ...]:
        """Have pickles and copies hold the state, which is checked when it is read."""
        return type(self).from_state, ("columns", self.to_state())

    @classmethod
    def _of(
        cls,
        centers: Any,
        scales: Any,
        knots: Sequence[Array],
        labels: Sequence[tuple[Label, ...] | None],
        had_missing: Any,
        bin_value: float,
    ) -> Self:
        kinds = [
            NUMBER if of_column is None else SIGN if _are_two(of_column) else CATEGORY
            for of_column in labels
        ]
        n_levels = [0 if of_column is None else len(of_column) for of_column in labels]
        codes = Codes.of(kinds, centers, scales, knots, n_levels, bin_value)
        return cls(codes, tuple(labels), as_constant(had_missing, bool))


# ---- fitting ----


def fit(
    frame: Frame,
    *,
    categorical_features: Any = "from_dtype",
    n_bins: int = 16,
    bin_value: float = 0.5,
    min_frequency: int = 2,
    max_levels: int = 255,
) -> tuple[Columns, CodedRows]:
    """The columns of a table to train on, and its rows as the kernels take them.

    Parameters
    ----------
    frame : Frame
        The table.
    categorical_features : 'from_dtype', None or array-like
        Which columns are categories: see `Frame.find_categories`.
    n_bins : int
        Into about how many bins of as many rows each the knots part the values of a number.
    bin_value : float
        What a full bin is to a network.
    min_frequency : int
        Levels of fewer rows are taken for unknown ones.
    max_levels : int
        Of a category at most so many levels are kept, the most frequent, besides that of missing
        values.

    Raises
    ------
    TypeError, ValueError
        If a column holds what it cannot.
    """
    is_category = frame.find_categories(categorical_features)
    labels: list[tuple[Label, ...] | None] = [None] * frame.n_columns
    table = None if is_category.any() else _as_table(frame)
    if table is None:
        table = np.empty((frame.n_rows, frame.n_columns))
        for j, column in enumerate(frame.columns):
            if is_category[j]:
                found = column.labels()
                levels = labels[j] = _choose_levels(*found, min_frequency, max_levels)
                table[:, j] = _find_levels(_indices_of(levels), *found)
            else:
                _put_numbers(table[:, j], column)
    for _ in _find_missing(table, frame):
        pass
    centers, scales = np.zeros(frame.n_columns), np.ones(frame.n_columns)
    knots, had_missing = [np.empty(0)] * frame.n_columns, np.zeros(frame.n_columns, bool)
    for j in np.flatnonzero(~is_category).tolist():
        is_missing = np.isnan(table[:, j])
        had_missing[j] = is_missing.any()
        centers[j], scales[j], knots[j] = _fit_numbers(table[~is_missing, j], n_bins)
    columns = Columns._of(centers, scales, knots, labels, had_missing, bin_value)
    return columns, CodedRows(table, columns.codes)


def _choose_levels(
    labels: list[Label], places: Array, min_frequency: int, max_levels: int
) -> tuple[Label, ...]:
    """The levels of a category."""
    counts: defaultdict[Label, int] = defaultdict(int)
    for label, count in zip(labels, np.bincount(places).tolist(), strict=True):
        counts[label] += count
    is_missing_known = counts.pop(None, 0) > 0
    frequent = [label for label, count in counts.items() if count >= min_frequency]
    kept = sorted(frequent, key=lambda label: (-counts[label], _order(label)))[:max_levels]
    return (*sorted(kept, key=_order), *([None] if is_missing_known else []))


def _indices_of(levels: Sequence[Label]) -> dict[Label, int]:
    return {label: i for i, label in enumerate(levels)}


def _find_levels(indices: dict[Label, int], labels: list[Label], places: Array) -> Array:
    """The index of the level of each value; NaN where it has none."""
    return np.array([indices.get(label, np.nan) for label in labels])[places]


def _order(label: Any) -> tuple[int, Any]:
    """By what labels are sorted: False and True, numbers, text."""
    return (0 if isinstance(label, tuple) else 2 if isinstance(label, str) else 1), label


def _fit_numbers(values: Array, n_bins: int) -> tuple[float, float, Array]:
    """The center, the scale and the knots of numbers of which none is missing."""
    none = np.empty(0)
    low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
    if not low < high:
        return (float(low) if len(values) else 0.0), _SCALE_OF_CONSTANTS, none
    # Of halves, differences are finite; of denormal numbers halves are not exact.
    half = 0.5 if max(-low, high) > _MAX_KNOT else 1.0
    lower, median, upper = np.quantile(values * half, [0.25, 0.5, 0.75])
    spreads = [upper - lower, half * high / 2 - half * low / 2, half * high - half * low]
    scale = next(spread for spread in spreads if spread > 0)
    bounds = _find_bounds(values * half, n_bins) / half if n_bins > 0 else none
    knots = np.unique(np.clip(bounds, -_MAX_KNOT, _MAX_KNOT))
    if not ((values > low) & (values < high)).any():  # of two values there are quantiles between
        knots = none
    return (
        float(median / half),
        float(min(scale, np.finfo(float).max * half) / half),
        knots if len(knots) >= _MIN_KNOTS else none,
    )


def _find_bounds(values: Array, n_bins: int) -> Array:
    """Bounds of bins that hold as many values each, in any order, some perhaps twice.

    A number of which there are so many that they fill a bin is a bound by itself, and the rest are
    shared out to the other bins: of a column that is mostly 0, most bins are of other numbers.
    """
    distinct, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    fills_bin = counts >= len(values) / n_bins
    n_other_bins = max(n_bins - int(fills_bin.sum()), 1)
    others = values[~fills_bin[places]]
    shares = np.linspace(0, 1, n_other_bins + 1)
    quantiles = np.quantile(others, shares) if len(others) else others
    return np.concatenate([distinct[[0, -1]], distinct[fills_bin], quantiles])


# ---- tables ----


def _as_table(frame: Frame) -> Array | None:
    """The table that an array of numbers is, itself if the kernels can read it; None of others."""
    if frame.numbers is None:
        return None
    with np.errstate(over="ignore"):
        return np.require(frame.numbers, np.float64, ["C", "A"])


def _put_numbers(place: Array, column: Column) -> None:
    with np.errstate(over="ignore"):
        place[:] = column.numbers()


def _find_missing(table: Array, frame: Frame) -> Iterator[tuple[slice, Array]]:
    """Which elements of the blocks of rows are NaN, of those blocks that have any.

    Raises
    ------
    ValueError
        If an element is infinite.
    """
    for rows in _blocks_of_rows(table.shape):
        if np.isfinite(table[rows]).all():
            continue
        is_infinite = np.isinf(table[rows]).any(axis=0)
        if is_infinite.any():
            refuse_infinite(frame.call(int(is_infinite.argmax())))
        yield rows, np.isnan(table[rows])


def _is_table(numbers: Array) -> bool:
    flags = numbers.flags
    return numbers.dtype == np.float64 and flags.c_contiguous and flags.aligned


def _blocks_of_rows(shape: tuple[int, int]) -> Iterator[slice]:
    """Blocks of the rows of a table of a shape."""
    n_rows, n_columns = shape
    step = max(BLOCK_ELEMENTS // n_columns, 1)
    return (slice(begin, begin + step) for begin in range(0, n_rows, step))


# ---- labels and states ----


def _are_two(labels: tuple[Label, ...]) -> bool:
    """Whether levels are two, neither of them that of missing values."""
    return len(labels) == 2 and None not in labels


def _shown(label: Label) -> Any:
    """A label as users see it."""
    return label[0] if isinstance(label, tuple) else label


def _check_levels(name: str, value: Any) -> tuple[Label, ...]:
    """The labels of levels that differ, the missing one, if any, at the end."""
    if not isinstance(value, list):
        checks.refuse(name, "None or a list", value)
    labels = tuple(_check_level(f"{name}[{i}]", level) for i, level in enumerate(value))
    if len(set(labels)) < len(labels) or None in labels[:-1]:
        checks.refuse(name, "levels that differ, None at the end", value)
    return labels


def _check_level(name: str, value: Any) -> Label:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return (value,)
    if not isinstance(value, (int, float)) or not -np.inf < value < np.inf:
        checks.refuse(name, "text, a finite number, True, False or None", value)
    return value


def _check_vector(name: str, value: Any, kind: str) -> Array:
    """A vector of one of float64, bool and int64, finite."""
    dtype = {"f": np.dtype(np.float64), "b": np.dtype(bool), "i": np.dtype(np.int64)}[kind]
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        checks.refuse(name, f"a vector of {dtype}", value)
    if value.dtype.newbyteorder("=") != dtype or not np.isfinite(value).all():
        checks.refuse(name, f"a finite vector of {dtype}", value)
    return value.astype(dtype)


def _split_knots(name: str, knots: Array, counts: Array) -> list[Array]:
    """The knots of each column."""
    are_counts = ((counts == 0) | (counts >= 2)).all()
    if not are_counts or sum(counts.tolist()) != len(knots):
        checks.refuse(name, f"none or at least 2 a column, got counts {counts}", knots)
    of_columns = np.split(knots, np.cumsum(counts)[:-1])
    ascend = all((np.diff(of_column) > 0).all() for of_column in of_columns)
    if not ascend or (np.abs(knots) > _MAX_KNOT).any():
        checks.refuse(name, f"ascending, and at most {_MAX_KNOT} in magnitude", knots)
    return of_columns

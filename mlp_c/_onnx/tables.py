"""The columns of a table as what a network reads of them: `mlp_c._tables.codes` says what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlp_c._onnx.tensors import BOOL, FLOAT32, FLOAT64, ML, TEXT, Tensor, concatenate
from mlp_c._system.blocks import Array
from mlp_c._tables.codes import N_PLACES, SIGN
from mlp_c._tables.columns import Columns

# Beyond, 1 + x is x: as the kernels have it.
_MOST_SQUARE = 2.0**60

# From here on, an integer may be the same as its neighbour in float64.
_LEAST_UNSURE = 2**53

# What stands for a missing word: ONNX has no text that is missing.
_MISSING_WORD = ""


@dataclass(frozen=True)
class Units:
    """What networks read of the columns of a table, in an order of their own.

    Attributes
    ----------
    tensor : Tensor
        The units of rows, in float32.
    rows : ndarray of int64
        Of which row of the first layer's weights each unit is.
    signs : ndarray of float32
        What these weights are to be multiplied with.
    """

    tensor: Tensor
    rows: Array
    signs: Array

    def weights_of(self, weights: Array) -> Array:
        """The weights of a first layer for these units."""
        picked: Array = np.asarray(weights)[self.rows] * self.signs[:, np.newaxis]
        return picked


def names_of(model: Any) -> list[str]:
    """The names of the columns of an estimator of tables; their numbers where they have none."""
    given = list(vars(model).get("feature_names_in_", [""] * model.n_features_in_))
    names = [name or f"column_{j}" for j, name in enumerate(given)]
    for j, name in enumerate(given):
        while not name and names.count(names[j]) > 1:
            names[j] += "_"
    return names


def dtypes_of(model: Any) -> list[np.dtype[Any] | None]:
    """The types of the columns as inputs: float64, truth values or text.

    Numbers and categories of numbers are float64, and NaN where they are missing. So are truth
    values that may be missing. None stands for a category that has no level: any type will do.

    Raises
    ------
    TypeError
        If a column has levels of several kinds, or integers that float64 does not tell apart.
    """
    return [
        FLOAT64 if levels is None else _dtype_of_levels(levels, name)
        for levels, name in zip(model._columns.levels, names_of(model), strict=True)
    ]


def _dtype_of_levels(levels: list[Any], name: Any) -> np.dtype[Any] | None:
    known = [level for level in levels if level is not None]
    kinds = {str if isinstance(x, str) else bool if isinstance(x, bool) else float for x in known}
    if len(kinds) > 1:
        raise TypeError(
            f"column {name!r} has levels of several kinds, for which ONNX has no type, got "
            f"{levels[:5]}"
        )
    if any(isinstance(level, int) and abs(level) >= _LEAST_UNSURE for level in known):
        raise TypeError(
            f"column {name!r} has integers of 2**53 or more in magnitude as levels, which ONNX's "
            f"double does not tell apart, got {levels[:5]}; words of them would do"
        )
    if not kinds:
        return None
    if kinds == {bool} and len(known) == len(levels):
        return BOOL
    return TEXT if kinds == {str} else FLOAT64


def read_columns(columns: Columns, given: Sequence[Tensor]) -> Units:
    """The units of a table, of which there is a tensor of shape (n_samples, 1) for each column."""
    is_number = ~columns.is_category
    parts, rows, signs = [], [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    if is_number.any():
        numbers = concatenate([given[j].cast(FLOAT64) for j in np.flatnonzero(is_number).tolist()])
        read, of_numbers = _read_numbers(columns, np.flatnonzero(is_number), numbers)
        parts.append(read)
        rows.append(of_numbers)
        signs.append(np.ones(len(of_numbers), np.float32))
    for j, levels in enumerate(columns.levels):
        if levels:
            first = int(columns.codes.unit_starts[j])
            is_sign = columns.codes.kinds[j] == SIGN
            parts.append(_read_category(levels, given[j]))
            rows.append(np.full(2, first) if is_sign else first + np.arange(len(levels)))
            signs.append(np.array([-1, 1] if is_sign else [1] * len(levels), np.float32))
    if not parts:
        raise ValueError("model must read a column of X: none has a number or a frequent level")
    return Units(concatenate(parts), np.concatenate(rows), np.concatenate(signs))


def _read_numbers(columns: Columns, places: Array, v: Tensor) -> tuple[Tensor, Array]:
    """The units of numbers, and of which rows of the weights they are."""
    codes, graph = columns.codes, v.graph
    centers = codes.centers[places]
    is_known = ~columns.had_missing[places]
    if is_known.any():
        v = (v.is_nan() & graph.constant(is_known)).where(graph.constant(centers), v)
    is_missing = v.is_nan()
    u = (v - centers) / codes.scales[places]
    third = u / 3
    z = (u / (1 + (third * third).minimum(_MOST_SQUARE)).sqrt()).maximum(-3).minimum(3)
    units = [is_missing.where(graph.constant(0.0), z), is_missing.cast(FLOAT64)]
    first = codes.unit_starts[places]
    rows = [first, first + 1]
    knots = [codes.knots[codes.knot_starts[j] : codes.knot_starts[j + 1]] for j in places]
    n_bins = [max(len(of_column) - 1, 0) for of_column in knots]
    if any(n_bins):
        low = np.concatenate([of_column[:-1] for of_column in knots])
        high = np.concatenate([of_column[1:] for of_column in knots])
        v = v.take(np.repeat(np.arange(len(places)), n_bins), axis=1)
        part = codes.bin_value * ((v.maximum(low).minimum(high) - low) / (high - low))
        units.append(v.is_nan().where(graph.constant(0.0), part))
        rows += [first[k] + N_PLACES + np.arange(n) for k, n in enumerate(n_bins)]
    return concatenate(units).cast(FLOAT32), np.concatenate(rows)


def _read_category(levels: list[Any], given: Tensor) -> Tensor:
    """A unit for each level: 1 where it is the row's."""
    if given.dtype == TEXT:
        words = [_MISSING_WORD if level is None else level for level in levels]
        if None in levels and _MISSING_WORD in levels[:-1]:  # then it is what it says
            words = words[:-1]
        found = given.apply("OneHotEncoder", dtype=FLOAT32, domain=ML, cats_strings=words, zeros=1)
        found = found.reshape(-1, len(words))
        if len(words) < len(levels):
            found = concatenate([found, found.take([0], axis=1) * 0])
        return found
    v = given.cast(FLOAT64)
    known = np.array([level for level in levels if level is not None], np.float64)
    units = [v.equals(known).cast(FLOAT32)] if len(known) else []
    if None in levels:
        units.append(v.is_nan().cast(FLOAT32))
    return concatenate(units)

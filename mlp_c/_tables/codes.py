"""What the columns of a table are to a network: the codes of their values, as its inputs.

A column's inputs, its units, begin at an even place. From there on,

- a number is ``[z, missing, bin_1, ..., bin_{m-1}]``. With ``u = (value - center) / scale``,
  ``z = u / sqrt(1 + (u / 3)^2)`` is its place among the others, at most 3 in magnitude. The bins
  between its m knots have the piecewise linear code of Gorishniy et al., "On embeddings for
  numerical features in tabular deep learning" (2022): those below the value are full, those above
  it 0, and its own as full as the part of it that is below. A missing value is a 1, all else 0.
- a category is a 1 in the place of its level; all 0 for levels that training has not seen.
- a sign, a category of two levels, is -1 or 1 in one unit; 0 for others.

The kernels make codes of a batch of rows at a time, from a table of numbers and of indices of
levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlp_c._system.blocks import Array

NUMBER, CATEGORY, SIGN = range(3)

# Units of a number before those of its bins.
N_PLACES = 2


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of the columns of a table.

    Attributes
    ----------
    kinds : ndarray of uint8, of shape (n_columns,)
        Whether columns are numbers, categories or signs.
    centers, scales : ndarray of float64, of shape (n_columns,)
        Of numbers; 0 and 1 for others. Scales are greater than 0.
    knot_starts : ndarray of int64, of shape (n_columns + 1,)
        Where the columns' knots begin.
    knots : ndarray of float64
        Of a number none or at least two, ascending; of others none.
    unit_starts : ndarray of int64, of shape (n_columns + 1,)
        Where the columns' units begin, all even.
    bin_value : float
        What a full bin is.
    """

    kinds: Array
    centers: Array
    scales: Array
    knot_starts: Array
    knots: Array
    unit_starts: Array
    bin_value: float

    @classmethod
    def of(
        cls,
        kinds: Sequence[int],
        centers: Any,
        scales: Any,
        knots: Sequence[Array],
        n_levels: Sequence[int],
        bin_value: float,
    ) -> "Codes":
        """The codes of columns that have these knots, if they are numbers, or else levels."""
        widths = [
            {NUMBER: N_PLACES + max(len(of_column) - 1, 0), CATEGORY: n, SIGN: 1}[kind]
            for kind, of_column, n in zip(kinds, knots, n_levels, strict=True)
        ]
        return cls(
            as_constant(kinds, np.uint8),
            as_constant(centers, np.float64),
            as_constant(scales, np.float64),
            _starts([len(of_column) for of_column in knots]),
            as_constant(np.concatenate(knots), np.float64),
            _starts([width + width % 2 for width in widths]),
            float(bin_value),
        )

    @property
    def n_units(self) -> int:
        """How many inputs of a network they are."""
        return int(self.unit_starts[-1])


def as_constant(values: Any, dtype: Any) -> Array:
    """An array of its own that cannot be written to."""
    array = np.array(values, dtype)
    array.flags.writeable = False
    return array


def _starts(widths: Sequence[int]) -> Array:
    return as_constant([0, *np.cumsum(widths, dtype=np.int64)], np.int64)


@dataclass(frozen=True, eq=False)
class CodedRows:
    """Rows of a table, and the codes of its columns: what the kernels take as rows.

    Attributes
    ----------
    table : ndarray of float64, of shape (n_rows, n_columns), in C order
        Numbers, NaN where they are missing; of categories the index of the level, NaN where that
        is missing or unknown.
    codes : Codes
        The codes of the columns.
    """

    table: Array
    codes: Codes

    def __len__(self) -> int:
        return len(self.table)

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and units there are."""
        return len(self.table), self.codes.n_units

    def take(self, rows: Array) -> "CodedRows":
        """Some of the rows, by their numbers or a mask: copies."""
        return CodedRows(self.table[rows], self.codes)

    # By these names the kernels read the codes.
    kinds = property(lambda self: self.codes.kinds)
    centers = property(lambda self: self.codes.centers)
    scales = property(lambda self: self.codes.scales)
    knot_starts = property(lambda self: self.codes.knot_starts)
    knots = property(lambda self: self.codes.knots)
    unit_starts = property(lambda self: self.codes.unit_starts)
    bin_value = property(lambda self: self.codes.bin_value)

"""Rows of a table and what its columns' codes are: as the extension takes them, and in NumPy."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

NUMBER, CATEGORY, SIGN = range(3)


@dataclass(frozen=True)
class Coded:
    """What csrc/python/codes.h says that the extension reads."""

    table: np.ndarray
    kinds: np.ndarray
    centers: np.ndarray
    scales: np.ndarray
    knot_starts: np.ndarray
    knots: np.ndarray
    unit_starts: np.ndarray
    bin_value: float = 0.5

    def having(self, **changes):
        return replace(self, **changes)

    @property
    def n_units(self):
        return int(self.unit_starts[-1])


def coded(table, columns, bin_value=0.5):
    """Coded rows of which each column is (center, scale, knots), a number of levels, or SIGN."""
    kinds, centers, scales, knots, widths = [], [], [], [], []
    for column in columns:
        is_number = isinstance(column, tuple)
        center, scale, own = column if is_number else (0.0, 1.0, [])
        kinds.append(NUMBER if is_number else SIGN if column == "sign" else CATEGORY)
        centers.append(center)
        scales.append(scale)
        knots.append(np.asarray(own, float))
        width = 2 + max(len(own) - 1, 0) if is_number else 2 if column == "sign" else column
        widths.append(width + width % 2)
    starts = [np.cumsum([0, *map(len, knots)]), np.cumsum([0, *widths])]
    return Coded(
        np.asarray(table, float).reshape(len(table), len(columns)), np.array(kinds, np.uint8),
        np.array(centers, float), np.array(scales, float), starts[0].astype(np.int64),
        np.concatenate([*knots, []]), starts[1].astype(np.int64), bin_value,
    )  # fmt: skip


def code_number(v, center, scale, knots, bin_value):
    """The units of one number."""
    units = np.zeros(2 + max(len(knots) - 1, 0))
    if np.isnan(v):
        units[1] = 1
        return units
    with np.errstate(over="ignore", under="ignore"):
        u = (v - center) / scale
        square = (u / 3) * (u / 3)  # not ** 2, which for a scalar is pow
        units[0] = np.clip(u / np.sqrt(1 + min(square, 2.0**60)), -3, 3)
        parts = (v - knots[:-1]) / (knots[1:] - knots[:-1])
        units[2:] = bin_value * np.clip(parts, 0, 1)
    return units


def code(v, kind, center, scale, knots, bin_value, width):
    """The units of one element of a table, as csrc/kernels/codes.h has them: `width` of them."""
    units = np.zeros(width)
    if kind == NUMBER:
        found = code_number(v, center, scale, knots, bin_value)
        units[: len(found)] = found
    elif kind == SIGN:
        units[0] = {0: -1, 1: 1}.get(v, 0)
    elif v in range(width):
        units[int(v)] = 1
    return units


def encode(rows, dtype):
    """All units of coded rows, dense."""
    n, d = rows.table.shape
    X = np.zeros((n, int(rows.unit_starts[-1])), dtype)
    knots = np.split(rows.knots, rows.knot_starts[1:-1]) if d else []
    for c in range(d):
        begin, end = rows.unit_starts[c : c + 2]
        for i in range(n):
            X[i, begin:end] = code(rows.table[i, c], rows.kinds[c], rows.centers[c],
                                   rows.scales[c], knots[c], rows.bin_value,
                                   end - begin)  # fmt: skip
    return X


def parts(rows, dtype):
    """The same rows as the parts of a CSR matrix."""
    X = csr_array(encode(rows, dtype))
    return X.data, X.indices, X.indptr.astype(np.int64), rows.n_units


def draw(rng, n, d=7, n_knots=(0, 2, 3, 8, 33), missing=0.1):
    """Coded rows of columns of every kind, with missing and extreme elements."""
    columns, table = [], np.empty((n, d))
    for c in range(d):
        kind = rng.integers(4)
        if kind < 2:
            knots = np.unique(rng.standard_normal(n_knots[rng.integers(len(n_knots))]))
            columns.append((rng.standard_normal(), rng.random() + 0.1, knots))
            table[:, c] = 2 * rng.standard_normal(n)
            if len(knots) > 0:
                on_knots = rng.random(n) < 0.1
                table[on_knots, c] = rng.choice(knots, on_knots.sum())
        elif kind == 2:
            columns.append(int(rng.integers(0, 9)))
            table[:, c] = rng.integers(-1, 10, n)
        else:
            columns.append("sign")
            table[:, c] = rng.integers(0, 2, n)
    extreme = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300, 5e-324, 0.5]
    some = rng.random(table.shape) < missing
    table[some] = rng.choice(extreme, some.sum())
    return coded(table, columns, bin_value=(0.5, 1.0, 0.3)[rng.integers(3)])

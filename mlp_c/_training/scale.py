"""Advice on data whose scale makes training fail."""

from typing import Any

import numpy as np
from scipy.sparse import issparse

# How many times as large or small as 1 the scale of data may be before it is worth a word.
_FAR = 100.0

# How many numbers tell.
_SAMPLE = 10_000


def _scale(values: Any) -> float:
    """The greatest size of some numbers; 1 of anything else."""
    if isinstance(values, tuple):  # as the kernels take sparse rows: their elements
        values = values[0]
    if issparse(values):
        values = values.tocsr().data
    values = np.asarray(values)
    if values.dtype.kind not in "fiu" or values.size == 0:
        return 1.0
    rows = max(1, _SAMPLE // values[:1].size)
    some = values[:rows].reshape(-1)[:_SAMPLE].astype(np.float64)
    with np.errstate(all="ignore"):
        scale = float(np.max(np.abs(some)))
    return scale if np.isfinite(scale) and scale > 0 else 1.0


def advise_on_scale(X: Any, y: Any) -> str:
    """A sentence for each of rows and numeric targets that are far from unit scale; '' if none."""
    advice = ""
    if not 1 / _FAR <= (of_x := _scale(X)) <= _FAR:
        advice += (
            f" X holds numbers of up to {of_x:.3g}: scale it, as with "
            "sklearn.preprocessing.StandardScaler in a pipeline."
        )
    if np.asarray(y).dtype.kind == "f" and not 1 / _FAR <= (of_y := _scale(y)) <= _FAR:
        advice += (
            f" y holds numbers of up to {of_y:.3g}: scale it, as with "
            "sklearn.compose.TransformedTargetRegressor."
        )
    return advice

"""Curves of losses and scores of several networks, put together."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest

import numpy as np

from mlp_c._system.blocks import Array


def mean_at_work(curves: Iterable[Sequence[float] | Array]) -> Array:
    """The mean of curves, at each epoch of those that have a value then; NaN where none has."""
    table = np.array(list(zip_longest(*curves, fillvalue=np.nan)), float).T
    n = (~np.isnan(table)).sum(axis=0)
    return np.divide(np.nansum(table, axis=0), n, out=np.full(len(n), np.nan), where=n > 0)

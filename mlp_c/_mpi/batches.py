"""Which rows of each batch a process has, and in which parts."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlp_c._system.blocks import Array


def cut(n: Any, n_parts: int, part: Any) -> Any:
    """Where a part of `n` things begins, of parts that are as equal as can be."""
    return part * n // n_parts


@dataclass(frozen=True)
class Division:
    """How the rows of every batch are divided into shards, of which a process has some.

    Attributes
    ----------
    n_shards : int
        How many there are in all processes.
    first, last : int
        The shards from the first to before the last are here.
    bounds : ndarray of int64, of shape (n_shards + 1,), or None
        Each shard's rows are those with numbers from its bound to the next; with None, as many
        rows of a batch as another's.
    """

    n_shards: int
    first: int
    last: int
    bounds: Array | None = None

    @property
    def n_parts(self) -> int:
        """How many shards are here."""
        return self.last - self.first

    def take(self, batch: Array) -> tuple[Array, Array]:
        """A batch in the order that it is taken in, and where the shards that are here begin."""
        shards = np.arange(self.first, self.last + 1)
        if self.bounds is None:
            return batch, cut(len(batch), self.n_shards, shards)
        batch = np.sort(batch)
        return batch, np.searchsorted(batch, self.bounds[shards])


def share_epoch(
    division: Division, order: Array, batch_size: int, weights: Array | None, least: float
) -> tuple[Array, dict[str, Array]]:
    """What a process has of the batches of an epoch.

    Parameters
    ----------
    division : Division
        How batches are divided.
    order : ndarray of int
        The numbers of all rows, batch after batch.
    batch_size : int
        Rows of a batch.
    weights : ndarray of shape (n_samples,) or None
        Weights of the rows by number.
    least : float
        Batches whose weights have a lesser sum are passed over.

    Returns
    -------
    rows : ndarray of int64
        The numbers of the rows that are here.
    fields : dict of ndarrays
        What the kernels take of the batches.
    """
    batches = [
        division.take(order[begin : begin + batch_size])
        for begin in range(0, len(order), batch_size)
    ]
    sizes = np.array([len(batch) for batch, _ in batches], np.int64)
    sums = sizes.astype(np.float64)
    if weights is not None:  # one after the other, as the kernels add them
        sums = np.array([np.cumsum(weights[batch], dtype=np.float64)[-1] for batch, _ in batches])
    parts = np.concatenate([np.diff(cuts) for _, cuts in batches])
    fields = {
        "part_starts": np.concatenate([[0], np.cumsum(parts)]).astype(np.int64),
        "batch_rows": np.where(sums < least, 0, sizes),
        "first_rows": np.array([cuts[0] for _, cuts in batches], np.int64),
        "weight_sums": sums,
    }
    rows = np.concatenate([batch[cuts[0] : cuts[-1]] for batch, cuts in batches])
    return rows.astype(np.int64, copy=False), fields

"""What an estimator for tables is fitted to."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mlp_c._system.blocks import Array
from mlp_c._tables.codes import CodedRows
from mlp_c._training.data import Data, digest_of

DTYPE = np.dtype(np.float32)  # in which members compute


@dataclass
class Sample:
    """The rows of a training with their targets, weights and groups, all checked.

    Attributes
    ----------
    rows : CodedRows
        The table.
    targets : ndarray of shape (n_samples, ...)
        What predictions are compared with: the numbers of the classes, or the targets.
    classes : list or None
        The labels of the classes; of a regressor None.
    groups : ndarray of int of shape (n_samples,) or None
        The numbers of the rows' groups.
    data : Data
        The rows, targets and weights as the members take them.
    """

    rows: CodedRows
    targets: Array
    classes: list[Any] | None
    groups: Array | None
    data: Data

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all that the user gave."""
        given = self.targets, self.classes, self.data.score_weight, self.groups
        return digest_of(self.rows.table, *given)

    def hold_out(self, is_held_out: Array) -> Data:
        """The data of a member: what it trains on, and what it holds out.

        Raises
        ------
        ValueError
            If all rows of either have a weight of 0.
        """
        training, held_out = np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
        weight = self.data.score_weight
        for rows, what in ((training, "trains on"), (held_out, "holds out")):
            if weight is not None and not weight[rows].any():
                raise ValueError(
                    f"the sample weights of the rows that a member {what} are all zero"
                )
        return replace(self.data, rows=training, held_out=replace(self.data, rows=held_out))

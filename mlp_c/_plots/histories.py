"""What displays read of a model's history: rows of its members, best epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlp_c._estimators.base import BaseMLP
from mlp_c._estimators.history import best_epoch_of
from mlp_c._estimators.tabular import BaseTabularMLP

# The lists of a history, by name.
History = Mapping[str, Sequence[float]]


def is_known(curve: Sequence[float]) -> bool:
    """Whether a curve has a point."""
    return not np.isnan(np.asarray(curve, float)).all()


def rows_of_members(history: History) -> list[Any]:
    """The rows of each member of an ensemble; all rows, of one network."""
    if "member" not in history:
        return [slice(None)]
    number = np.asarray(history["member"])
    return [number == k for k in np.unique(number)]


def best_epochs_of(model: BaseMLP | BaseTabularMLP) -> list[int]:
    """The epoch with the best score of a network or of each member; 0 where there is none."""
    networks = model.members_ if isinstance(model, BaseTabularMLP) else [model]
    return [best_epoch_of(network) for network in networks]

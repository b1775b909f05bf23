"""The processes that fit a model: one by itself, as far as nothing else says so."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from mlp_c._system.blocks import Array
from mlp_c._training.callbacks import Tasks
from mlp_c._training.data import Data
from mlp_c._training.generators import random_source


class World:
    """A process that fits a model by itself. Others are `mlp_c._mpi.ranks.Ranks`."""

    checks_all = True

    def speaking_for(self, model: Any) -> AbstractContextManager[None]:
        """Have a model speak once, by what it prints, its warnings and its callbacks."""
        return nullcontext()

    def random_source(self, random_state: Any) -> np.random.RandomState:
        """The generator that draws weights, splits and orders."""
        return random_source(random_state)

    def whole(self, part: Array) -> Array:
        """Targets of all rows, of those of the rows that are here."""
        return part

    def whole_weights(self, sample_weight: Any, n_own: int) -> Any:
        """Weights of all rows, of those, if there are any, of the rows that are here."""
        return sample_weight

    def check_finite(self, X: Any, name: str) -> None:
        """Refuse infinity and NaN among rows that have not been looked at."""

    def data(self, *args: Any) -> Data:
        """Rows, targets and weights to train on or to validate with, as `Data` takes them."""
        return Data(*args)

    def agree(self) -> None:
        """Wait until all are ready to train."""

    def report(self, tasks: Tasks) -> Tasks:
        """What a fit is to report to, of what one process would."""
        return tasks


ALONE = World()

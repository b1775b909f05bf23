"""The solvers by name: two kinds of thing with one interface."""

from typing import Any, Protocol

import numpy as np

from mlp_c._training.callbacks import Tasks
from mlp_c._training.data import Data
from mlp_c._training.lbfgs import LBFGS
from mlp_c._training.loop import Stochastic
from mlp_c._training.model import Model
from mlp_c._training.optimizers import RULES


class Solver(Protocol):
    """Trains a model from where a fit begins.

    Attributes
    ----------
    max_epochs : int
        The most epochs, or iterations of L-BFGS, that there can be.
    """

    max_epochs: int

    @classmethod
    def begin(cls, model: Model, data: Data, random_state: np.random.RandomState) -> "Solver":
        """Begin a fit of a model, whose weights are drawn or kept."""

    @staticmethod
    def work_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return in which dtype to compute for weights of a dtype."""

    def run(self, tasks: Tasks) -> None:
        """Train the model, and tell `tasks` of every epoch, which may stop the training."""


SOLVERS: dict[str, type[Solver]] = {"lbfgs": LBFGS, **dict.fromkeys(RULES, Stochastic)}


def solver_named(name: str) -> type[Solver]:
    """The solver of a name; a ValueError for another, which another thread may have set."""
    if name not in SOLVERS:
        raise ValueError(f"solver must be one of {sorted(SOLVERS)}, got {name!r}")
    return SOLVERS[name]

"""The solvers by name: how each begins to train a model, and in which dtype it computes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from mlp_c._training.callbacks import Tasks
from mlp_c._training.course import NEED_LENGTH
from mlp_c._training.data import Data
from mlp_c._training.lbfgs import LBFGS
from mlp_c._training.loop import Stochastic
from mlp_c._training.model import Model
from mlp_c._training.optimizers import RULES


class Training(Protocol):
    """A model's training, from where a fit begins.

    Attributes
    ----------
    max_epochs : int
        The most epochs, or iterations of L-BFGS, that there can be.
    data : Data
        What it trains on.
    """

    max_epochs: int
    data: Data

    def run(self, tasks: Tasks) -> None:
        """Train the model, and tell `tasks` of every epoch, which may stop the training."""


Begin = Callable[[Model, Data, np.random.RandomState], Training]


@dataclass(frozen=True)
class Solver:
    """What the name of a solver stands for.

    Attributes
    ----------
    begin : callable
        Begins a fit of a model, whose weights are drawn or kept.
    begin_epoch : callable or None
        Begins a fit of one epoch, which goes on with the moments that there are; None where there
        is no such thing.
    work_dtype : callable
        In which dtype to compute for weights of a dtype.
    refused : mapping
        Parameters of which it takes some values, and whether a value is not among them.
    """

    begin: Begin
    begin_epoch: Begin | None
    work_dtype: Callable[[np.dtype[Any]], np.dtype[Any]]
    refused: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)


def _of_the_weights(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype


def _float64(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float64)


# Parameters that are of steps, and whether a value asks for anything.
OF_STEPS: dict[str, Callable[[Any], bool]] = {
    **NEED_LENGTH,
    "weight_decay": bool,
    "max_grad_norm": bool,
    "dropout": np.any,
    "input_dropout": bool,
}

SOLVERS = {"lbfgs": Solver(LBFGS.begin, None, _float64, refused=OF_STEPS)}
for _name, _choose_rule in RULES.items():
    SOLVERS[_name] = Solver(
        partial(Stochastic.begin, _choose_rule),
        partial(Stochastic.begin_epoch, _choose_rule),
        _of_the_weights,
    )


def solver_named(name: str) -> Solver:
    """The solver of a name; a ValueError for any other, where no validation has refused it."""
    if name not in SOLVERS:
        raise ValueError(f"solver must be one of {sorted(SOLVERS)}, got {name!r}")
    return SOLVERS[name]


def refuse_parameters(model: Model, refused: Mapping[str, Callable[[Any], bool]], by: str) -> None:
    """Raise a ValueError where a parameter has a value that is refused, by what is named."""
    for name, is_refused in refused.items():
        value = getattr(model, name)
        if is_refused(value):
            raise ValueError(f"{by} takes no {name}={value!r}")

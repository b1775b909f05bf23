"""The losses: what each needs to be trained with, in tables by name.

A new loss is an entry here, besides its kernel.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlp_c._network.activations import OutputActivation
from mlp_c._system.blocks import Array


@dataclass(frozen=True)
class Domain:
    """The targets that a loss is defined for.

    Attributes
    ----------
    least : float
        The least of them.
    requirement : str
        What an error says that `y` must do.
    """

    least: float = -np.inf
    requirement: str = "be real"

    def check(self, y: Array, loss: str) -> None:
        """Refuse targets outside the domain of the loss of this name."""
        if self.least > -np.inf and np.min(y) < self.least:
            raise ValueError(f"y must {self.requirement} for loss={loss!r}, got {np.min(y)}")


REAL = Domain()
NOT_NEGATIVE = Domain(0.0, "not be negative")


def clipped_probability(dtype: Any) -> dict[str, float]:
    """Bounds of a class's loss: those of probabilities clipped to [eps, 1 - eps] of a dtype."""
    eps = float(np.finfo(dtype).eps)
    return {"floor": -float(np.log1p(-eps)), "ceiling": -float(np.log(eps))}


def clipped_softmax(dtype: Any) -> dict[str, float]:
    """The same bounds; nothing is added to a probability before its logarithm is taken."""
    return {"eps": 0.0, **clipped_probability(dtype)}


def no_constants(dtype: Any) -> dict[str, float]:
    """Of a loss that has none."""
    return {}


@dataclass(frozen=True)
class Loss:
    """A loss, and the output activation that goes with it.

    Attributes
    ----------
    name : str
        The kernels' name of it.
    out_activation : str
        The output activation.
    constants_for : callable
        Its own constants, by the kernels' names, for arithmetic in a dtype.
    averages_outputs : bool
        Whether it is a mean over the outputs, and not a sum.
    domain : Domain
        The targets that it is defined for.
    """

    name: str
    out_activation: OutputActivation
    constants_for: Callable[[Any], dict[str, float]] = field(default=no_constants)
    averages_outputs: bool = False
    domain: Domain = REAL

    def for_kernels(self, dtype: Any) -> dict[str, Any]:
        """Its name and constants, as the kernels take them for arithmetic in a dtype."""
        return {"name": self.name, **self.constants_for(dtype)}

    def gradient_scale(self, n_outputs: int) -> float:
        """What makes the kernels' gradient, of a sum over outputs, that of the reported loss."""
        return 1.0 / n_outputs if self.averages_outputs else 1.0


# What a regressor minimises, by what its parameter `loss` says.
REGRESSION_LOSSES = {
    "squared_error": Loss("squared_error", "identity", averages_outputs=True),
    "poisson": Loss("poisson_loss", "exp", domain=NOT_NEGATIVE),
}

# What a classifier minimises: the log loss of classes that exclude each other, or do not.
EXCLUSIVE_CLASSES = Loss("cross_entropy", "softmax", clipped_softmax)
INDEPENDENT_CLASSES = Loss("logistic_loss", "logistic", clipped_probability)
CLASSIFICATION_LOSSES = (EXCLUSIVE_CLASSES, INDEPENDENT_CLASSES)

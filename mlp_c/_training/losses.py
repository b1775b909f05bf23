"""The losses: what each needs to be trained with, in tables by name.

A new loss is an entry here, besides its kernel.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
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
    is_open : bool
        Whether the least is not one of them.
    """

    least: float = -np.inf
    requirement: str = "be real"
    is_open: bool = False

    def check(self, y: Array, loss: str) -> None:
        """Refuse targets outside the domain of the loss of this name."""
        if self.least == -np.inf:
            return
        least = np.min(y)
        if least < self.least or (self.is_open and least == self.least):
            raise ValueError(f"y must {self.requirement} for loss={loss!r}, got {least}")


# The constants of a loss, by the kernels' names: a number each, or several.
Constants = dict[str, Any]

REAL = Domain()
NOT_NEGATIVE = Domain(0.0, "not be negative")
POSITIVE = Domain(0.0, "be positive", is_open=True)


def clipped_probability(dtype: Any) -> dict[str, float]:
    """Bounds of a class's loss: those of probabilities clipped to [eps, 1 - eps] of a dtype.

    Targets are not smoothed.
    """
    eps = float(np.finfo(dtype).eps)
    return {"floor": -float(np.log1p(-eps)), "ceiling": -float(np.log(eps)), "smoothing": 0.0}


def clipped_softmax(dtype: Any) -> dict[str, float]:
    """The same bounds; nothing is added to a probability before its logarithm is taken."""
    return {"eps": 0.0, **clipped_probability(dtype)}


def no_constants(dtype: Any) -> Constants:
    """Of a loss that has none but parameters of the estimator."""
    return {}


def with_constants(others: Callable[[Any], Constants], values: Constants, dtype: Any) -> Constants:
    """Constants that are the same for every dtype, in the place of some or beside others."""
    return {**others(dtype), **values}


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
        Its own constants, by the kernels' names, for arithmetic in a dtype; without those
        parameters that have to be given.
    averages_outputs : bool
        Whether it is a mean over the outputs, and not a sum.
    domain : Domain
        The targets that it is defined for.
    parameters : dict
        Of its constants, those that are parameters of the estimator: their names there.
    outputs_per_target : int
        Outputs of the network for each target: first those for all targets that are of one
        thing, then those of the next.
    widths : tuple of int or None
        How many outputs each head has, a softmax with a label of its own; None for one head.
    """

    name: str
    out_activation: OutputActivation
    constants_for: Callable[[Any], Constants] = field(default=no_constants)
    averages_outputs: bool = False
    domain: Domain = REAL
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs_per_target: int = 1
    widths: tuple[int, ...] | None = None

    def with_parameters(self, model: Any) -> "Loss":
        """The loss with the constants that an estimator's parameters are."""
        if not self.parameters:
            return self
        values = {
            name: float(getattr(model, parameter)) for name, parameter in self.parameters.items()
        }
        return replace(self, constants_for=partial(with_constants, self.constants_for, values))

    def unsmoothed(self) -> "Loss":
        """The loss of targets as they are, by which rows held out are judged."""
        if "smoothing" not in self.parameters:
            return self
        as_they_are = {"smoothing": 0.0}
        return replace(self, constants_for=partial(with_constants, self.constants_for, as_they_are))

    def for_kernels(self, dtype: Any) -> dict[str, Any]:
        """Its name and constants, as the kernels take them for arithmetic in a dtype."""
        return {"name": self.name, **self.constants_for(dtype)}

    def targets_for_kernels(self, y: Array) -> Any:
        """Encoded targets as the kernels take them: with the widths of several heads."""
        return y if self.widths is None else (y, np.array(self.widths))

    def gradient_scale(self, n_outputs: int) -> float:
        """What makes the kernels' gradient, of a sum over outputs, that of the reported loss."""
        return 1.0 / n_outputs if self.averages_outputs else 1.0


class PinballLoss(Loss):
    """The pinball loss, of one quantile or several."""

    def with_parameters(self, model: Any) -> Loss:
        """The loss with its quantiles, each of which has outputs of its own."""
        quantiles = tuple(map(float, np.atleast_1d(model.quantile)))
        constants_for = partial(with_constants, self.constants_for, {"quantiles": quantiles})
        return replace(self, constants_for=constants_for, outputs_per_target=len(quantiles))


class TweedieLoss(Loss):
    """Half the Tweedie deviance, whose power says what targets it is defined for."""

    def with_parameters(self, model: Any) -> Loss:
        """The loss with its power, of which 2 is that of the gamma deviance."""
        loss = super().with_parameters(model)
        return replace(loss, domain=POSITIVE) if model.tweedie_power == 2 else loss


# What a regressor minimises, by what its parameter `loss` says.
REGRESSION_LOSSES = {
    "squared_error": Loss("squared_error", "identity", averages_outputs=True),
    "absolute_error": Loss("absolute_error", "identity"),
    "huber": Loss("huber_loss", "identity", parameters={"delta": "huber_delta"}),
    "quantile": PinballLoss("pinball_loss", "identity"),
    "gaussian": Loss("gaussian_loss", "identity", outputs_per_target=2),
    "poisson": Loss("poisson_loss", "exp", domain=NOT_NEGATIVE),
    "gamma": Loss("gamma_loss", "exp", domain=POSITIVE),
    "tweedie": TweedieLoss(
        "tweedie_loss", "exp", domain=NOT_NEGATIVE, parameters={"power": "tweedie_power"}
    ),
}

# What a classifier minimises: the log loss of classes that exclude each other, or do not.
# They are those of the labels as they are; `with_parameters`, of smoothed ones.
_SMOOTHING = {"smoothing": "label_smoothing"}
EXCLUSIVE_CLASSES = Loss("cross_entropy", "softmax", clipped_softmax, parameters=_SMOOTHING)
INDEPENDENT_CLASSES = Loss("logistic_loss", "logistic", clipped_probability, parameters=_SMOOTHING)
CLASSIFICATION_LOSSES = (EXCLUSIVE_CLASSES, INDEPENDENT_CLASSES)

"""What the learning rate is multiplied by over the course of a fit, whose length is known before.

A new course is a function here, with its name.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mlp_c._system.blocks import Array
from mlp_c._training.hyperparameters import Hyperparameters

# Takes the parts of a fit that are over before some of its steps, each from 0 to below 1; returns
# a factor for each step.
Factors = Callable[[Array], Any]


def _one_cycle(t: Array) -> Array:
    return np.where(t < 0.3, t / 0.3, (1 + np.cos(np.pi * (t - 0.3) / 0.7)) / 2)


COURSES: dict[str, Factors] = {
    "cosine": lambda t: (1 + np.cos(np.pi * t)) / 2,
    "one_cycle": _one_cycle,
    "exponential": lambda t: 0.01**t,
    "coslog4": lambda t: (1 - np.cos(2 * np.pi * np.log2(1 + 15 * t))) / 2,
}


def is_course(learning_rate: Any) -> bool:
    """Whether the parameter `learning_rate` is a course: the name of one, or a callable."""
    return callable(learning_rate) or (isinstance(learning_rate, str) and learning_rate in COURSES)


# Parameters of which some values need to know how long a fit is, and whether a value does.
NEED_LENGTH: dict[str, Callable[[Any], bool]] = {"learning_rate": is_course, "warmup": bool}


@dataclass(frozen=True)
class Course:
    """The factors of a fit's learning rates.

    Attributes
    ----------
    factors : callable or None
        What `learning_rate` says of them, if it does.
    warmup : float
        The part of the fit in which the rate rises.
    n_epochs : int
        The most epochs that there can be.
    """

    factors: Factors | None
    warmup: float
    n_epochs: int

    @classmethod
    def of(cls, model: Hyperparameters, n_epochs: int) -> Self:
        """Return the course of a fit of so many epochs."""
        factors = model.learning_rate
        if isinstance(factors, str):
            factors = COURSES.get(factors)
        return cls(factors, float(model.warmup), n_epochs)  # float32 would round the steps

    def scale(self, rates: Array, epoch: int) -> Array:
        """Multiply the rates of an epoch's steps; epochs count from 0.

        Raises
        ------
        ValueError
            If a callable does not return a finite factor, not negative, for each step.
        """
        if self.factors is None and not self.warmup:
            return rates
        n_steps = len(rates)
        step = epoch * n_steps + np.arange(n_steps, dtype=np.float64)
        total = float(min(self.n_epochs * n_steps, sys.float_info.max))  # of any integer
        errors = np.geterr()  # the caller's, which are for the callable
        with np.errstate(all="ignore"):
            if self.factors is not None:
                rates = rates * _call(self.factors, step / total, errors)
            n_warmup = round(self.warmup * total)
            if n_warmup > 0:
                rates = rates * np.minimum(1, (step + 1) / float(n_warmup))
        return rates


def _call(factors: Factors, t: Array, errors: Any) -> Array:
    """What a callable says of parts of a fit, checked; it is called with numpy.errstate(errors)."""
    shape = t.shape
    expected = f"learning_rate must return an array of shape {shape} of numbers"
    with np.errstate(**errors):
        found = factors(t)
    try:
        values = np.asarray(found)
    except (TypeError, ValueError) as error:  # of lists of several lengths
        raise ValueError(f"{expected}, got {found!r} from {factors!r}") from error
    if values.dtype.kind not in "biuf" or values.shape != shape:
        raise ValueError(f"{expected}, got {values.dtype} of shape {values.shape} from {factors!r}")
    values = values.astype(np.float64)
    refused = ~(np.isfinite(values) & (values >= 0))
    if refused.any():
        raise ValueError(
            f"{expected} that are finite and not negative, got {values[refused][0]} from "
            f"{factors!r}"
        )
    return values

"""The schedules of the learning rate that change it at the ends of epochs, and keep what it is.

A new schedule is a class here, with its name.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from mlp_c._saving import checks
from mlp_c._saving.registry import Check
from mlp_c._system.blocks import Array


@dataclass
class Schedule:
    """A learning rate that changes at the ends of epochs.

    Attributes
    ----------
    learning_rate_init : float
        The rate at first.
    learning_rate : float
        The rate now.
    power_t : float
        The exponent of 'invscaling'.
    """

    name: ClassVar[str]

    learning_rate_init: float
    learning_rate: float
    power_t: float

    @classmethod
    def begin(cls, learning_rate_init: float, power_t: float = 0.5) -> Self:
        """Return the schedule before the first step."""
        rate = float(learning_rate_init)
        return cls(rate, rate, float(power_t))  # an integer would make powers that never end

    def entries(self) -> dict[str, Any]:
        """Return what a state holds of a schedule."""
        return {"schedule": self.name, **vars(self)}

    def rates(self, n_steps: int) -> Array:
        """Return the rates of the next epoch, one a step."""
        return np.full(n_steps, self.learning_rate)

    def end_epoch(self, n_samples_seen: int) -> None:
        """Change the rate after an epoch, with so many rows seen since the fit began."""

    def answer_plateau(self) -> tuple[bool, str]:
        """Answer a plateau: whether to stop, and what that is in words."""
        return True, "Stopping."


class Constant(Schedule):
    """The same rate for every step."""

    name = "constant"


class InverseScaling(Schedule):
    """A rate that is divided by a power of the rows seen."""

    name = "invscaling"

    def end_epoch(self, n_samples_seen: int) -> None:
        """Divide the first rate by the power."""
        self.learning_rate = self.learning_rate_init / (n_samples_seen + 1) ** self.power_t


class Adaptive(Schedule):
    """A rate that is divided by 5 on every plateau, until it is 1e-6."""

    name = "adaptive"

    def answer_plateau(self) -> tuple[bool, str]:
        """Lower the rate, or stop where it is too small."""
        if self.learning_rate <= 1e-6:
            return True, "Learning rate too small. Stopping."
        self.learning_rate /= 5.0
        return False, f"Setting learning rate to {self.learning_rate:f}"


SCHEDULES: dict[str, type[Schedule]] = {
    cls.name: cls for cls in (Constant, InverseScaling, Adaptive)
}

# What a state holds of a schedule.
SCHEDULE_CHECKS: dict[str, Check] = {
    "schedule": checks.one_of(*SCHEDULES),
    "learning_rate_init": checks.not_negative,
    "learning_rate": checks.not_negative,
    "power_t": checks.not_negative,
}


def restore_schedule(entries: dict[str, Any]) -> Schedule:
    """The schedule that has these checked entries: all of them, or the initial rate alone."""
    if "schedule" not in entries:
        return Constant.begin(entries["learning_rate_init"])
    values = {name: entries[name] for name in SCHEDULE_CHECKS if name != "schedule"}
    return SCHEDULES[entries["schedule"]](**values)

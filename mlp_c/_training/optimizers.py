"""The update rules, and what each carries from step to step: moments, a learning rate, a count.

A new rule is a class here, besides its kernel, and a solver that uses it a line of `RULES`.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from mlp_c._saving import checks
from mlp_c._saving.registry import Check, stored_optimizer
from mlp_c._system.blocks import Array, Arrays
from mlp_c._training.course import is_course
from mlp_c._training.hyperparameters import Hyperparameters
from mlp_c._training.schedules import SCHEDULE_CHECKS, SCHEDULES, Schedule, restore_schedule


class Optimizer:
    """An update rule with its constants, its moments and the schedule of its learning rate.

    Parameters
    ----------
    moments : tuple of lists of ndarrays
        `n_moments` lists, each with an array like every parameter.
    schedule : Schedule
        The schedule of the learning rate.
    values : mapping
        The constants by name; and `steps`, if some were made.

    Attributes
    ----------
    rule : str
        The kernels' name of the rule.
    n_moments : int
        How many moments it keeps of each parameter.
    constants : tuple of str
        Its constants, by the names that the kernels and the estimators' parameters have.
    stored : dict
        The checks of what a state holds besides the rule and the moments, by name.
    steps : ndarray of int64 of shape (1,)
        How many steps were made, which the kernels count.
    has_l2 : bool
        Whether the L2 term belongs to the gradient that it follows.
    weight_decay : float
        What ``weight_decay=None`` stands for.
    """

    rule: ClassVar[str]
    n_moments: ClassVar[int]
    constants: ClassVar[tuple[str, ...]] = ()
    stored: ClassVar[dict[str, Check]] = {
        "learning_rate_init": checks.not_negative,
        "steps": checks.counter,
    }
    has_l2: ClassVar[bool] = True
    weight_decay: ClassVar[float] = 0.0

    def __init__(
        self, moments: tuple[Arrays, ...], schedule: Schedule, values: Mapping[str, Any]
    ) -> None:
        self.moments = moments
        self.schedule = schedule
        self.steps: Array = values.get("steps", np.zeros(1, np.int64))
        for name in self.constants:
            setattr(self, name, values[name])

    @classmethod
    def begin(cls, model: Hyperparameters, params: Arrays) -> Self:
        """Return what a fit of these parameters begins with."""
        has_schedule = "schedule" in cls.stored and not is_course(model.learning_rate)
        schedule = SCHEDULES[model.learning_rate if has_schedule else "constant"]
        return cls(
            tuple(_zeros_for(params) for _ in range(cls.n_moments)),
            schedule.begin(model.learning_rate_init, model.power_t),
            {name: float(getattr(model, name)) for name in cls.constants},
        )

    @classmethod
    def restore(cls, moments: tuple[Arrays, ...], entries: dict[str, Any]) -> Self:
        """Return the optimizer that has these moments and entries, which are checked."""
        return cls(moments, restore_schedule(entries), entries)

    def adapt(self, params: Arrays) -> bool:
        """Cast the moments to the dtypes of parameters; whether their shapes fit them."""
        shapes = [p.shape for p in params]
        if any([m.shape for m in moments] != shapes for moments in self.moments):
            return False
        self.moments = tuple(
            [m.astype(p.dtype, copy=False) for m, p in zip(moments, params, strict=True)]
            for moments in self.moments
        )
        return True

    def entries(self) -> dict[str, Any]:
        """Return what a state holds of it besides the rule and the moments."""
        scheduled = self.schedule.entries()
        return {
            name: scheduled[name] if name in scheduled else getattr(self, name)
            for name in self.stored
        }

    def for_kernels(self) -> dict[str, Any]:
        """Return the rule and its constants as the kernels take them."""
        return {"name": self.rule, **{name: getattr(self, name) for name in self.constants}}

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self.schedule.learning_rate


def _zeros_for(params: Arrays) -> Arrays:
    """Moments of parameters; np.zeros_like would write all of them, which this leaves for later."""
    return [np.zeros(p.shape, p.dtype) for p in params]


@stored_optimizer
class SGD(Optimizer):
    """Stochastic gradient descent."""

    rule = "sgd"
    n_moments = 0
    momentum = 0.0
    stored: ClassVar = {**Optimizer.stored, **SCHEDULE_CHECKS, "momentum": checks.fraction}


@stored_optimizer
class Momentum(SGD):
    """Stochastic gradient descent with a velocity."""

    rule = "momentum"
    n_moments = 1
    constants = ("momentum",)


@stored_optimizer
class Nesterov(Momentum):
    """Stochastic gradient descent with Nesterov's momentum."""

    rule = "nesterov"


@stored_optimizer
class Adam(Optimizer):
    """Adam, whose steps are scaled by estimates of the gradient's moments."""

    rule = "adam"
    n_moments = 2
    constants = ("beta_1", "beta_2", "epsilon")
    stored: ClassVar = {
        **Optimizer.stored,
        "beta_1": checks.fraction,
        "beta_2": checks.fraction,
        "epsilon": checks.not_negative,
    }


@stored_optimizer
class AdamW(Adam):
    """Adam with decoupled weight decay in the place of the L2 term."""

    rule = "adamw"
    has_l2 = False
    weight_decay = 0.01


@stored_optimizer
class RMSprop(Optimizer):
    """RMSprop, whose steps are scaled by an estimate of the squared gradient."""

    rule = "rmsprop"
    n_moments = 1
    constants = ("beta_2", "epsilon")
    stored: ClassVar = {
        **Optimizer.stored,
        "beta_2": checks.fraction,
        "epsilon": checks.not_negative,
    }


def _sgd_rule(model: Hyperparameters) -> type[Optimizer]:
    if model.momentum == 0:
        return SGD
    return Nesterov if model.nesterovs_momentum else Momentum


ChooseRule = Callable[[Hyperparameters], type[Optimizer]]

# The update rule of each stochastic solver.
RULES: dict[str, ChooseRule] = {
    "sgd": _sgd_rule,
    "adam": lambda model: Adam,
    "adamw": lambda model: AdamW,
    "rmsprop": lambda model: RMSprop,
}

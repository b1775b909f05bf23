"""What an update rule carries from epoch to epoch: moments and the learning rate.

An optimizer has a `rule` the kernels know, its `constants()` and `moments`, and answers
the end of an epoch and a plateau.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Arrays = Sequence[np.ndarray[Any, np.dtype[Any]]]


class SGD:
    """Stochastic gradient descent with momentum and a learning-rate schedule.

    Parameters
    ----------
    params : list of ndarrays
        The parameters; the velocities take their shapes.
    learning_rate_init, schedule, power_t, momentum, nesterov
        As the estimators' `learning_rate_init`, `learning_rate`, `power_t`, `momentum` and
        `nesterovs_momentum`.
    """

    def __init__(
        self,
        params: Arrays,
        *,
        learning_rate_init: float,
        schedule: str,
        power_t: float,
        momentum: float,
        nesterov: bool,
    ) -> None:
        self.learning_rate_init = learning_rate_init
        self.learning_rate = float(learning_rate_init)
        self.schedule = schedule
        self.power_t = power_t
        self.momentum = float(momentum)
        self.rule = "sgd" if momentum == 0 else "nesterov" if nesterov else "momentum"
        self.moments: tuple[Arrays, ...] = ()
        if self.rule != "sgd":
            self.moments = ([np.zeros_like(p) for p in params],)

    def constants(self) -> tuple[Any, ...]:
        """The rule and its constants, as the kernels take them."""
        return self.rule, self.learning_rate, self.momentum, 0.0, 0.0, 0.0, 0

    def epoch_ends(self, steps: int, n_samples_seen: int) -> None:
        """Move the learning rate along its schedule."""
        if self.schedule == "invscaling":
            self.learning_rate = (
                float(self.learning_rate_init) / (n_samples_seen + 1) ** self.power_t
            )

    def plateau(self, message: str, verbose: bool) -> bool:
        """Answer a plateau: whether to stop, or to go on with a lower learning rate."""
        stop = self.schedule != "adaptive" or self.learning_rate <= 1e-6
        if self.schedule != "adaptive":
            reaction = "Stopping."
        elif stop:
            reaction = "Learning rate too small. Stopping."
        else:
            self.learning_rate /= 5.0
            reaction = f"Setting learning rate to {self.learning_rate:f}"
        if verbose:
            print(f"{message} {reaction}")
        return stop


class Adam:
    """Adam, whose steps are scaled by estimates of the gradient's moments.

    Parameters
    ----------
    params : list of ndarrays
        The parameters; the moments take their shapes.
    learning_rate_init, beta_1, beta_2, epsilon
        As the estimators' parameters.
    """

    rule = "adam"

    def __init__(
        self,
        params: Arrays,
        *,
        learning_rate_init: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
    ) -> None:
        self.learning_rate_init = float(learning_rate_init)
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)
        self.steps = 0
        self.moments: tuple[Arrays, ...] = (
            [np.zeros_like(p) for p in params],
            [np.zeros_like(p) for p in params],
        )

    def constants(self) -> tuple[Any, ...]:
        """The rule and its constants, as the kernels take them."""
        return (
            self.rule,
            self.learning_rate_init,
            0.0,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            self.steps,
        )

    def epoch_ends(self, steps: int, n_samples_seen: int) -> None:
        """Count the steps made, which the bias corrections depend on."""
        self.steps = steps

    def plateau(self, message: str, verbose: bool) -> bool:
        """Answer a plateau: stop."""
        if verbose:
            print(f"{message} Stopping.")
        return True

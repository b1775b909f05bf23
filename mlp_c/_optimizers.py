"""What an update rule carries from epoch to epoch: moments and the learning rate."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Arrays = Sequence[np.ndarray[Any, np.dtype[Any]]]


class SGD:
    """Stochastic gradient descent with momentum and a learning-rate schedule.

    Parameters
    ----------
    weights, biases : lists of ndarrays
        The parameters; the velocities take their shapes.
    learning_rate_init, schedule, power_t, momentum, nesterov
        As the estimators' `learning_rate_init`, `learning_rate`, `power_t`,
        `momentum` and `nesterovs_momentum`.
    """

    def __init__(
        self,
        weights: Arrays,
        biases: Arrays,
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
        self.moments: tuple[Arrays | None, Arrays | None] = (None, None)
        if self.rule != "sgd":
            self.moments = (
                [np.zeros_like(w) for w in weights],
                [np.zeros_like(b) for b in biases],
            )

    def epoch_ends(self, n_samples_seen: int) -> None:
        """Move the learning rate along its schedule."""
        if self.schedule == "invscaling":
            self.learning_rate = (
                float(self.learning_rate_init) / (n_samples_seen + 1) ** self.power_t
            )

    def plateau(self, message: str, verbose: bool) -> bool:
        """Answer a plateau: whether to stop, or to go on with a lower learning rate."""
        if self.schedule != "adaptive":
            reaction = "Stopping."
        elif self.learning_rate <= 1e-6:
            reaction = "Learning rate too small. Stopping."
        else:
            self.learning_rate /= 5.0
            reaction = f"Setting learning rate to {self.learning_rate:f}"
        if verbose:
            print(f"{message} {reaction}")
        return not reaction.startswith("Setting")

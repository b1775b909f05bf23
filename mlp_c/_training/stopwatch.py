"""The seconds that epochs take, which are of a run and not of the model."""

import math
from time import perf_counter
from typing import Any

# The attribute that has them: of the same epochs as `loss_curve_`. Copies and files hold none, so
# that the same seed gives the same bytes.
SECONDS = "_epoch_seconds"


def seconds_of(model: Any, n_epochs: int) -> list[float]:
    """The seconds of each epoch: NaN for those that this process has not run or not ended."""
    seconds = _recorded(model)
    if len(seconds) == n_epochs:
        return seconds.copy()
    if was_cut_off(model, n_epochs):
        return [*seconds, math.nan]
    return [math.nan] * n_epochs


def was_cut_off(model: Any, n_epochs: int) -> bool:
    """Whether Ctrl-C has cut off the last of so many epochs."""
    return len(_recorded(model)) == n_epochs - 1


def _recorded(model: Any) -> list[float]:
    seconds = vars(model).get(SECONDS)
    return seconds if isinstance(seconds, list) else []


class Stopwatch:
    """Records how long each epoch takes, its validation included and callbacks not.

    Parameters
    ----------
    model : estimator
        Its ``loss_curve_`` has the epochs of before.
    """

    def __init__(self, model: Any) -> None:
        self._seconds = seconds_of(model, len(model.loss_curve_))
        vars(model)[SECONDS] = self._seconds

    def start(self) -> None:
        """Begin an epoch."""
        self._started = perf_counter()

    def stop(self) -> None:
        """End and record it."""
        self._seconds.append(perf_counter() - self._started)

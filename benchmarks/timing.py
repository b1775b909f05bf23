"""Clocks: what to repeat, and how often, for one figure."""

import math
import time
from collections.abc import Callable
from statistics import median

MIN_CALLS = 3


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class Calls:
    """Times a call: the median of as many calls as fit into `goal` seconds."""

    def __init__(self, call: Callable[[], object], goal: float) -> None:
        self.call = call
        call()
        typical = median(seconds(call) for _ in range(MIN_CALLS))
        self.repeats = max(MIN_CALLS, round(goal / typical))

    def read(self) -> tuple[float, float]:
        return median(seconds(self.call) for _ in range(self.repeats)), 0.0


class Fits:
    """Times an epoch by the difference between a long fit and a fit of one epoch.

    The long fit takes `goal` seconds, but has at least two epochs.
    """

    def __init__(self, fit: Callable[[int], None], goal: float, rest: float) -> None:
        self.fit, self.rest = fit, rest
        self.epochs, taken = 1, self.time(1)
        while taken < goal:
            self.epochs = math.ceil(self.epochs * min(10, 1.2 * goal / taken))
            taken = self.time(self.epochs)
        self.epochs = max(2, self.epochs)

    def time(self, epochs: int) -> float:
        time.sleep(self.rest)
        return seconds(lambda: self.fit(epochs))

    def read(self) -> tuple[float, float]:
        """Seconds of an epoch, and of a fit besides its epochs."""
        short, long = self.time(1), self.time(self.epochs)
        epoch = (long - short) / (self.epochs - 1)
        return epoch, short - epoch

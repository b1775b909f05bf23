"""Ctrl-C in a process that others wait for: when it is heard."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from types import FrameType
from typing import Any, Self


class When(Enum):
    """When a process that is sent Ctrl-C does what the handler of the signal says."""

    NOW = auto()  # at once: the others are told in their next check
    AT_CHECK = auto()  # in the next check, where it ends the training of all; a second one at once
    LATER = auto()  # behind the exchange in progress, in which others wait for this process


# To defer Ctrl-C where nothing may be called before, for a signal is heard in calls: a member of an
# enumeration may be read by one.
LATER = When.LATER

# Where a terminal sends all processes one, each has its own so long after another's at most.
_SECONDS_OF_SAME = 1.0


class ToldInterrupt(KeyboardInterrupt):
    """The Ctrl-C of one process, or of several, that all have been told of."""


class Interrupts:
    """Has Ctrl-C wait, in the main thread, while it is entered.

    Attributes
    ----------
    when : When
        When it is heard.
    behind : When
        When it will be, behind the exchange in progress.
    """

    def __init__(self) -> None:
        self.when, self.behind = LATER, When.NOW
        self._pending: tuple[int, FrameType | None] | None = None
        self._ignores_until = -math.inf
        self._previous: Any = None

    def __enter__(self) -> Self:
        previous = signal.getsignal(signal.SIGINT)
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and callable(previous):
            self._previous = previous
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
        self.hear()

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if time.monotonic() < self._ignores_until:
            self._ignores_until = -math.inf
            with suppress(KeyboardInterrupt):
                self._previous(signum, frame)
        elif self.when is LATER or (self.when is When.AT_CHECK and not self.is_pending):
            self._pending = signum, frame
        else:
            self._previous(signum, frame)

    @property
    def is_pending(self) -> bool:
        """Whether one waits."""
        return self._pending is not None

    def hear(self) -> None:
        """Do what is to be done about one that has waited."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._previous(*pending)

    def ignore_same(self) -> None:
        """Ignore one that waits, or else the next, if it comes soon: all know of another's.

        Where a terminal sends all processes one, they do not come at the same moment.
        """
        if self.is_pending:
            with suppress(KeyboardInterrupt):
                self.hear()
        else:
            self._ignores_until = time.monotonic() + _SECONDS_OF_SAME

    def wait(self) -> None:
        """From now on, have it wait until this is left."""
        self.when = self.behind = LATER

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Do what Ctrl-C may end at any place."""
        before, self.when = self.when, When.NOW
        try:
            self.hear()
            yield
        finally:
            self.when = before

    @contextmanager
    def later(self) -> Iterator[None]:
        """Do what Ctrl-C must not end."""
        if self.when is LATER:
            yield
            return
        self.behind, self.when = self.when, LATER
        try:
            yield
        finally:
            self.when = self.behind
            if self.when is When.NOW:
                self.hear()

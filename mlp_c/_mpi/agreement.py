"""How processes end together: an error or Ctrl-C on one is told to all at the same place.

Each process runs the same sequence of exchanges, and `Agreement.check` comes before each. One that
has failed takes part in the next check, wherever the others are, and says so. Nothing may fail
between a check and the exchange that it is before.
"""

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from mlp_c._system.blocks import Array
from mlp_c._system.warnings import warn_caller

# What processes tell of themselves: that Ctrl-C has ended the training, or the whole of the work.
GOES_ON, INTERRUPTED, CANCELLED, FAILED = 0.0, 1.0, 2.0, 3.0

# Where processes are in a check, by what errors call it.
PLACES = (
    "its beginning",
    "its parameters",
    "its random numbers",
    "its targets",
    "its weights",
    "its rows",
    "the first epoch",
    "an epoch",
    "a batch",
    "the end of a batch",
    "an evaluation",
    "the end of an epoch",
    "a step of L-BFGS",
    "its end",
)

# The most numbers that a process tells the others in a check.
N_VALUES = 64


class Agreement:
    """The agreement of some processes about whether to go on.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        The processes.
    """

    def __init__(self, comm: Any) -> None:
        self._comm = comm
        self._mine = np.zeros(2 + N_VALUES)
        self._all = np.zeros((comm.Get_size(), 2 + N_VALUES))
        self._is_over = False
        self._is_told = False  # that the KeyboardInterrupt on its way is everybody's
        self._is_interrupted = False  # by another process
        # What Ctrl-C does depends on these.
        self._is_busy = True
        self._is_training = False
        self._is_signalled = False
        self._insists = False
        self._pending: tuple[int, FrameType | None] | None = None

    def check(self, place: str, values: Any = ()) -> Array:
        """Go on only if all do, at one of the `PLACES`; what each tells the others, by rank.

        Raises
        ------
        KeyboardInterrupt
            If Ctrl-C has ended the work on a rank.
        RuntimeError
            If an error has.
        """
        status = GOES_ON
        try:
            self.hear()
        except KeyboardInterrupt:
            if not self._waits:
                raise
            status = INTERRUPTED
        gathered = self._tell(status, place, values)
        if gathered[:, 0].max() == INTERRUPTED:
            self._is_told = self._is_interrupted = True
            with suppress(KeyboardInterrupt):  # it is the same
                self.hear()
            raise KeyboardInterrupt
        return gathered[:, 2:]

    def interrupt(self) -> None:
        """Tell the others that Ctrl-C has ended the training, if it was not they that told of it.

        Raises
        ------
        KeyboardInterrupt
            If it has ended more than that.
        """
        if self._is_over or self._insists:
            raise KeyboardInterrupt
        self._is_training = False
        if not self._is_told:
            with self.undisturbed():
                self._tell(INTERRUPTED)
        self._is_told = False

    def _tell(
        self,
        status: float,
        place: str = PLACES[0],
        values: Any = (),
        error: BaseException | None = None,
    ) -> Array:
        self._mine[:2] = status, PLACES.index(place)
        self._mine[2 : 2 + len(values)] = values
        self._comm.Allgather(self._mine, self._all)
        worst = self._all[:, 0].max()
        is_elsewhere = self._all[:, 1] != self._all[0, 1]
        self._is_over = worst >= CANCELLED or (worst == GOES_ON and bool(is_elsewhere.any()))
        if worst == FAILED:
            self._raise(error)
        if worst == CANCELLED:
            raise KeyboardInterrupt
        if self._is_over:
            other = int(is_elsewhere.argmax())
            first, second = (PLACES[int(self._all[r, 1])] for r in (0, other))
            raise RuntimeError(
                f"training must go the same way on all ranks, got rank 0 at {first} and rank "
                f"{other} at {second}"
            )
        return self._all

    def _raise(self, error: BaseException | None) -> NoReturn:
        """Raise what has ended the work, on all ranks: the error itself where all have the same."""
        mine = None if error is None else _describe(error)
        failures = self._comm.allgather(mine)
        if error is not None and all(failure == mine for failure in failures):
            raise error
        rank = next(r for r, failure in enumerate(failures) if failure is not None)
        raise RuntimeError(f"training failed on rank {rank}: {failures[rank]}") from error

    def together(self, work: Callable[[], None]) -> None:
        """Do what all processes do; where one fails or is interrupted, all are.

        Ctrl-C waits from the moment that the work has ended, however it has: a signal is heard
        where a function is called, and none is before the others are told.
        """
        previous = self._take_signal()
        try:
            self._is_busy = False
            self.hear()
            work()
            self._is_busy = True
            self._conclude()
        except KeyboardInterrupt:
            self._is_busy = True
            if not self._is_over:
                self._tell(CANCELLED)
            raise
        except BaseException as error:
            self._is_busy = True
            if not self._is_over:
                self._tell(FAILED, error=error)
            raise
        finally:
            if previous is not None:
                signal.signal(signal.SIGINT, previous)
            self.hear()

    def _conclude(self) -> None:
        """End the work where all do, but for some whose training Ctrl-C ends: that end is near."""
        self._is_training = is_interrupted = False
        while self._tell(GOES_ON, "its end")[:, 0].max() == INTERRUPTED:
            is_interrupted = True
        self.hear()  # of what has come meanwhile, which may be long
        self._tell(GOES_ON, "its end")
        self._is_over = True
        if is_interrupted:
            warn_caller("Training interrupted by user.")

    # ---- Ctrl-C ----

    def _take_signal(self) -> Any:
        """Have Ctrl-C wait for the end of an exchange; what was done about it before."""
        previous = signal.getsignal(signal.SIGINT)
        is_main = threading.current_thread() is threading.main_thread()
        if not (is_main and callable(previous)):
            return None

        def handle(signum: int, frame: FrameType | None) -> None:
            is_same = self._is_interrupted and not self._is_signalled
            self._is_signalled = True
            if is_same:  # as when all processes are sent one
                with suppress(KeyboardInterrupt):
                    previous(signum, frame)
            elif self._is_busy or (self._waits and self._pending is None):
                self._pending = signum, frame
            else:
                self._insists = self._waits
                self._pending = None
                previous(signum, frame)

        self._previous = previous
        signal.signal(signal.SIGINT, handle)
        return previous

    @property
    def _waits(self) -> bool:
        """Whether Ctrl-C waits for the next check, where all end; a second one does not."""
        return self._is_training and len(self._all) > 1

    def begin_training(self) -> None:
        """From now on, have Ctrl-C end the training of all at the same place, which then go on."""
        self._is_training = True

    @contextmanager
    def breaking_off(self) -> Iterator[None]:
        """Do in training what Ctrl-C may end at any place, as other processes wait."""
        was_training, self._is_training = self._is_training, False
        try:
            self.hear()
            yield
        finally:
            self._is_training = was_training

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Exchange something: Ctrl-C is heard afterwards, lest others wait for what does not come.

        When all is over, it is not heard before `together` ends.
        """
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = self._is_over
            if not (self._is_over or self._waits):
                self.hear()

    def hear(self) -> None:
        """Do what is to be done about a Ctrl-C that has waited."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._previous(*pending)


def _describe(error: BaseException) -> str:
    """The name and the text of an error, where it has one."""
    name = type(error).__name__
    try:
        return without_addresses(f"{name}: {error}")
    except BaseException:  # its own
        return f"{name}: (its text cannot be had)"


def without_addresses(text: str) -> str:
    """A text without where objects are, which each process has elsewhere."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)

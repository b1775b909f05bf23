"""How processes end together: an error or Ctrl-C on one is told to all at the same place.

Each process runs the same sequence of exchanges, and `Agreement.check` comes before each. One that
has failed takes part in the next check, wherever the others are, and says so. Nothing may fail
between a check and the exchange that it is before.
"""

import os
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NoReturn

import numpy as np

from mlp_c._mpi.interrupts import LATER, Interrupts, ToldInterrupt, When
from mlp_c._mpi.launch import require_mpi
from mlp_c._system.warnings import warn_caller

# What a process tells in a check: that it goes on, that Ctrl-C ends the training here, or the whole
# of the work, or that an error does. What the most urgent of them says is what all do.
GOES_ON, INTERRUPTED, CANCELLED, FAILED = 0.0, 1.0, 2.0, 3.0

# Where processes are in a check, by what errors call it.
PLACES = (
    "its beginning",
    "its checkpoint",
    "its parameters",
    "its random numbers",
    "its targets",
    "its weights",
    "its rows",
    "the first epoch",
    "the beginning of an epoch",
    "a batch",
    "the end of a batch",
    "an evaluation",
    "a score",
    "the end of an epoch",
    "a step of L-BFGS",
    "its end",
)


class Agreement:
    """The agreement of some processes about whether to go on.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        The processes, as their caller has them.

    Attributes
    ----------
    comm : mpi4py.MPI.Comm
        The same processes with messages of their own, while they work together.
    interrupts : Interrupts
        When Ctrl-C is heard. It is to be entered around `together`.
    """

    def __init__(self, comm: Any) -> None:
        self._callers, self._max = comm, require_mpi().MAX
        self._process = os.getpid()
        self._told, self._heard = np.zeros((2, 5))
        self.interrupts = Interrupts()
        self._is_over = False  # all have been told of an end: nothing is to be told any more

    def check(self, place: str, value: float = 0.0) -> tuple[float, float]:
        """Go on only if all do, at one of the `PLACES`; the least and the greatest of the values.

        Raises
        ------
        ToldInterrupt
            If Ctrl-C has ended the training on a rank.
        KeyboardInterrupt
            If it has ended the whole of the work.
        RuntimeError
            If an error has.
        """
        status = GOES_ON
        try:
            self.interrupts.hear()
        except KeyboardInterrupt:
            if self.interrupts.behind is not When.AT_CHECK:
                raise
            status = INTERRUPTED
        if self._tell(status, place, value) == INTERRUPTED:
            raise ToldInterrupt
        return self._values()

    def check_weights(self, place: str, checksum: float) -> None:
        """Go on only if all do with the same weights.

        Raises
        ------
        RuntimeError
            If a rank has others; and as `check` does.
        """
        self.check(place, checksum)
        self._require_same_weights(place, checksum)

    def interrupt(self) -> None:
        """Go on where Ctrl-C, whose exception is being handled, has ended the training of all.

        The others are told of it, if it is not what all have been told.

        Raises
        ------
        KeyboardInterrupt
            If it has ended more than that: if it was a second one, and the first still waits.
        """
        if self._is_over or self.interrupts.is_pending:
            raise KeyboardInterrupt
        self.interrupts.when = When.NOW
        if not isinstance(sys.exception(), ToldInterrupt):
            with self.undisturbed():
                self._tell(INTERRUPTED)

    # ---- what processes tell each other ----

    def _tell(
        self,
        status: float,
        place: str = PLACES[0],
        value: float = 0.0,
        error: BaseException | None = None,
    ) -> float:
        """Tell the others of this process; what the most urgent of all says."""
        self.require_own_process()
        number = PLACES.index(place)
        self._told[:] = status, number, -number, value, -value
        self.comm.Allreduce(self._told, self._heard, self._max)
        self.require_own_process()
        worst, last, minus_first = self._heard[:3].tolist()
        is_elsewhere = worst == GOES_ON and last != -minus_first
        if worst >= CANCELLED or is_elsewhere:
            self._end()
        if worst == FAILED:
            self._raise(error)
        if worst == CANCELLED:
            raise KeyboardInterrupt
        if is_elsewhere:
            other, places = self._first_other(place)
            raise RuntimeError(
                f"training must go the same way on all ranks, got rank 0 at {places[0]} and rank "
                f"{other} at {places[other]}"
            )
        if worst > status:
            self.interrupts.ignore_same()
        return worst

    def _values(self) -> tuple[float, float]:
        """The least and the greatest of the values that processes have told."""
        greatest, minus_least = self._heard[3:].tolist()
        return -minus_least, greatest

    def _first_other(self, told: Any) -> tuple[int, list[Any]]:
        """The first rank that tells something else than rank 0, where one does; what all tell."""
        of_ranks = self.comm.allgather(told)
        return next(r for r, of_rank in enumerate(of_ranks) if of_rank != of_ranks[0]), of_ranks

    def _require_same_weights(self, place: str, checksum: float) -> None:
        least, greatest = self._values()
        if least != greatest:
            self._end()
            raise RuntimeError(
                "the weights must be the same on all ranks, and no callback may change them, got "
                f"others on rank {self._first_other(checksum)[0]} at {place}"
            )

    def _raise(self, error: BaseException | None) -> NoReturn:
        """Raise what has ended the work, on all ranks: the error itself where all have the same."""
        mine = _describe(error)
        failures = self.comm.allgather(mine)
        if error is not None and all(failure == mine for failure in failures):
            raise error
        rank = next(r for r, failure in enumerate(failures) if failure is not None)
        raise RuntimeError(f"training failed on rank {rank}: {failures[rank]}") from error

    # ---- the whole of the work ----

    def together(self, work: Callable[[], float]) -> None:
        """Do what all processes do; where one fails or is interrupted, all are.

        It returns a checksum of the weights. When it has ended, however it has, Ctrl-C waits until
        the others are told. A signal is heard where a function is called, so that a mere store
        defers Ctrl-C, before any is.
        """
        interrupts = self.interrupts
        self.comm = self._callers.Dup()
        try:
            interrupts.when = When.NOW
            interrupts.hear()
            checksum = work()
            interrupts.when = interrupts.behind = LATER
            self._conclude(checksum)
        except BaseException as error:
            interrupts.when = interrupts.behind = LATER
            if not self._is_over:
                cancels = isinstance(error, KeyboardInterrupt)
                self._tell(CANCELLED if cancels else FAILED, error=error)
            raise
        finally:
            if os.getpid() == self._process:
                self.comm.Free()

    def _conclude(self, checksum: float) -> None:
        """End the work where all do, but for some whose training Ctrl-C ends: that end is near."""
        is_interrupted = False
        while self._tell(GOES_ON, "its end", checksum) == INTERRUPTED:
            is_interrupted = True
        self._require_same_weights("its end", checksum)
        if is_interrupted:
            warn_caller("Training interrupted by user.")
        self.interrupts.hear()  # of what has come meanwhile, which may be long
        self._tell(GOES_ON, "its end")
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self.interrupts.wait()

    # ---- parts of the work ----

    def begin_training(self) -> None:
        """From now on, have Ctrl-C end the training of all in the same check; they then go on."""
        self.interrupts.when = When.AT_CHECK

    def breaking_off(self) -> AbstractContextManager[None]:
        """Do in training what Ctrl-C may end at any place, as other processes wait."""
        return self.interrupts.at_once()

    def undisturbed(self) -> AbstractContextManager[None]:
        """Exchange something: Ctrl-C is heard afterwards, lest others wait for what does not come.

        When all is over, it is not heard before `together` ends.
        """
        self.require_own_process()
        return self.interrupts.later()

    def require_own_process(self) -> None:
        """Refuse to go on in a child process, whose messages would be its parent's.

        Raises
        ------
        RuntimeError
            If this is one, which a callback or the handler of a signal has forked.
        """
        if os.getpid() != self._process:
            self._end()
            raise RuntimeError(
                "a child process that a callback or a signal handler has forked in the midst of "
                "mlp_c.mpi.fit must not go on with it: its messages are its parent's"
            )


def _describe(error: BaseException | None) -> str | None:
    """The name and the text of an error, where it has one; None where it is none, as of Ctrl-C."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return None
    name = type(error).__name__
    try:
        return without_addresses(f"{name}: {error}")
    except BaseException:  # its own
        return f"{name}: (its text cannot be had)"


def without_addresses(text: str) -> str:
    """A text without where objects are, which each process has elsewhere."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)

"""Ctrl-C at the moments at which a rank could leave others waiting, or go another way than they."""

import _thread
import itertools
import signal
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from mlp_c import MLPClassifier, mpi
from mlp_c._mpi import agreement, exchanges, interrupts
from mlp_c._mpi.interrupts import Interrupts, When
from mlp_c._training import loop
from support.mpi_faults import ending_of, launch
from support.ranks import require

# With as many columns, a chain has four pieces.
X = np.random.default_rng(0).standard_normal((64, 64))
Y = (X[:, 0] > 0).astype(int)


def fit(comm):
    mpi.fit(MLPClassifier((4,), max_iter=3, batch_size=16, random_state=0), X, Y, comm=comm)


def fail_as_interrupted(*args):
    """Fails in C as a signal comes, which is heard where the next function is called."""
    list(map(_thread.interrupt_main, [signal.SIGINT, "no number"]))


# ---- of several ranks ----


def fail_in_work(rank, patch):
    if rank == 1:
        patch.setattr(mpi, "_check_model", fail_as_interrupted)


def fail_in_batch(rank, patch):
    """Rank 0 fails where a piece is to be sent, as a second Ctrl-C comes and a first one waits."""
    call, numbers = exchanges.Exchange.__call__, itertools.count()

    def call_or_fail(self, point, *args):
        if point == "send" and next(numbers) == 2:
            _thread.interrupt_main()
            fail_as_interrupted()
        return call(self, point, *args)

    if rank == 0:
        patch.setattr(exchanges.Exchange, "__call__", call_or_fail)


def interrupt_as_it_begins(rank, patch):
    class Interrupted(list):
        def append(self, item):
            super().append(item)
            _thread.interrupt_main()

    if rank == 1:
        patch.setattr(mpi, "_in_progress", Interrupted())


def fail_or_cancel(rank, patch):
    def leave(*args):
        raise KeyboardInterrupt if rank == 0 else ValueError("no")

    patch.setattr(mpi, "_check_model", leave)


def refuse_warning(rank, patch):
    """Rank 0 is interrupted behind its last check; rank 1, at its end, has warnings for errors."""

    def interrupt(*args):
        raise KeyboardInterrupt

    if rank == 0:
        patch.setattr(loop, "advise_on_scale", interrupt)
    else:
        patch.setattr(agreement, "warn_caller", raise_warning)


def raise_warning(message):
    """Warns where filters make it an error."""
    raise UserWarning(message)


FAILED = "RuntimeError: training failed on rank "

# What happens, and how the fit ends on the two ranks.
MOMENTS = {
    fail_in_work: (FAILED + "1: TypeError: ", "KeyboardInterrupt"),
    fail_in_batch: ("KeyboardInterrupt", FAILED + "0: TypeError: "),
    interrupt_as_it_begins: ("KeyboardInterrupt", "KeyboardInterrupt"),
    fail_or_cancel: (FAILED + "1: ValueError: no", FAILED + "1: ValueError: no"),
    refuse_warning: (FAILED + "1: UserWarning: ", FAILED + "1: UserWarning: "),
}


def moments(comm):
    """How a fit ends at each moment, whether it is in progress then, and how the next one ends."""
    for moment in MOMENTS:
        with pytest.MonkeyPatch.context() as patch:
            moment(comm.Get_rank(), patch)
            ending, *_ = ending_of(lambda: fit(comm))
            is_in_progress = mpi._in_progress != []
        yield moment.__name__, [ending, is_in_progress, *ending_of(lambda: fit(comm))]


def test_ctrl_c_at_no_moment_leaves_other_ranks_waiting():
    """As C code fails; in a batch; as a fit begins; as another rank fails; behind the last check.

    All are told of an error where one fails as another is cancelled, of the warning that one has
    for an error, and the next fit is as any.
    """
    require()
    launched = launch(2, moments)
    assert launched.failure is None, launched.failure
    made = launched.by_case()
    for moment, endings in MOMENTS.items():
        said = made[moment.__name__]
        for expected, (ending, *others) in zip(endings, said, strict=True):
            assert ending.startswith(expected), (moment, said)
            assert others == [False, "done"], (moment, said)


# ---- of one ----


def test_a_ctrl_c_that_comes_late_is_not_the_one_that_others_had(monkeypatch):
    """One is ignored that a terminal has sent to all ranks at once."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(interrupts, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with Interrupts() as of_rank:
        of_rank.when = When.NOW
        of_rank.ignore_same()
        clock.now = 0.5
        _thread.interrupt_main()
        of_rank.ignore_same()
        clock.now = 2.5
        with pytest.raises(KeyboardInterrupt):
            _thread.interrupt_main()


def test_ctrl_c_in_an_exchange_in_another_one_is_heard_behind_both():
    def exchange():
        with Interrupts() as of_rank:
            of_rank.when = When.NOW
            with of_rank.later():
                with of_rank.later():
                    _thread.interrupt_main()
                ended.append("the inner one")
            ended.append("both")

    ended = []
    with pytest.raises(KeyboardInterrupt):
        exchange()
    assert ended == ["the inner one"]


class Before:
    """The rank before this one, which is the last: where a message of it is asked for, one fails.

    Attributes
    ----------
    waited_for : list of int
        The numbers of the messages that were waited for.
    """

    def __init__(self, failing):
        self._calls, self._failing, self.waited_for = itertools.count(), failing, []

    def Get_rank(self):
        return 1

    def Get_size(self):
        return 2

    def Irecv(self, message, source, number):
        if next(self._calls) == self._failing:
            raise MemoryError
        return SimpleNamespace(Wait=lambda: self.waited_for.append(number))


def test_a_chain_is_left_with_no_piece_on_its_way_where_some_were_not_asked_for():
    """The rank before sends them all, and waits until they have come."""
    comm = Before(failing=2)
    of_rank = SimpleNamespace(
        comm=comm, check=id, undisturbed=nullcontext, require_own_process=lambda: None
    )
    chain = exchanges.Chain(of_rank, [np.zeros((64, 3)), np.zeros(3)])
    chain.begin({"part_starts": np.array([0, 4]), "batch_rows": np.array([4])}, 1)
    with pytest.raises(MemoryError):
        chain("receive", 0, 0.0)
    chain.abandon()
    assert comm.waited_for == [0, 1, 2, 3]

"""What ranks find out of each other before and while they train."""

import sys
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

import mlp_c
from mlp_c import mpi
from support import ranks
from support.callbacks import Recorder


def meddle(estimator, epoch):
    """Changes a weight, on rank 0 alone, where callbacks are called."""
    estimator.coefs_[0][0, 0] += 1


def make(**params):
    return mlp_c.MLPClassifier((4,), max_iter=2, random_state=0, **params)


class Alone:
    """A communicator of one process."""

    def Get_size(self):
        return 1


class Meeting(list):
    """A list that waits a while for two threads that both append to it."""

    def __init__(self):
        super().__init__()
        self._barrier = threading.Barrier(2)

    def append(self, item):
        with suppress(threading.BrokenBarrierError):
            self._barrier.wait(0.2)
        super().append(item)


def test_of_two_threads_that_begin_at_once_one_is_refused(monkeypatch):
    """With one communicator: each would look for the fit of the other before that has begun."""
    monkeypatch.setattr(mpi, "_in_progress", Meeting())
    comm, entered = Alone(), []

    def begin():
        with suppress(RuntimeError), mpi._one_fit_of(comm):
            entered.append(threading.get_ident())
            time.sleep(0.5)

    threads = [threading.Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 1


def test_without_mpi_the_libraries_are_named_that_bring_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match=r"needs mpi4py and .* pip install mpi4py mpich brings"):
        mpi.rank()


def said():
    """What each fit ended with, by what is wrong or unusual of it."""
    import mlp_c.mpi

    rank = mlp_c.mpi.rank()
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 5))
    y = (X[:, 0] > 0).astype(int)
    own = slice(50 * rank, 50 * rank + 50)
    val = {"X_val": X[: 3 + rank], "y_val": y[: 3 + rank]}  # seven rows: not whole shards
    fits = {
        "labels": lambda: mlp_c.mpi.fit(make(), X, y if rank else y.astype(str)),
        "callback": lambda: mlp_c.mpi.fit(make().set_callbacks(Recorder(meddle)), X, y),
        "shards": lambda: mlp_c.mpi.fit(make(), X, y, n_shards=10**9),
        "too few shards": lambda: mlp_c.mpi.fit(make(), X, y, n_shards=1),
        "table": lambda: mlp_c.mpi.fit(mlp_c.TabularMLPClassifier(), X, y),
        "validation": lambda: mlp_c.mpi.fit(
            make(early_stopping=True), X[own], y[own], **val, rows="own", n_shards=4
        ),
        "division": lambda: mlp_c.mpi.fit(
            make(), X[: 40 + 20 * rank], y[: 40 + 20 * rank], rows="own", n_shards=4
        ),
    }
    endings = {}
    for name, fit in fits.items():
        try:
            endings[name] = f"{fit().n_iter_} epochs"
        except Exception as error:
            endings[name] = f"{type(error).__name__}: {error}"
    return endings


@pytest.mark.filterwarnings("ignore")
def test_all_ranks_say_the_same_of_what_is_refused(tmp_path):
    ranks.require()
    first, second = ranks.run(2, said, tmp_path)
    assert first == second
    expected = {
        "labels": "ValueError: y (with rows='same') must be the same on all ranks, got ",
        "callback": "RuntimeError: the weights must be the same on all ranks, and no callback may",
        "shards": "ValueError: n_shards must be at most 65536, got 1000000000",
        "too few shards": "ValueError: n_shards must be at least the number of ranks, which is 2",
        "table": "TypeError: model must be an MLPClassifier or MLPRegressor of mlp_c, got a",
        "validation": "2 epochs",
        "division": "ValueError: the rows of rank 0 must end where a shard does, before row 50 of",
    }
    assert {name: text[: len(expected[name])] for name, text in first.items()} == expected

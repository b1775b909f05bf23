"""How many threads a call runs on, and that none of them outlives it."""

import os
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import mlp_c
from mlp_c import _threads
from mlp_c._threads import effective_n_threads

TASKS = "/proc/self/task"
counts_threads = pytest.mark.skipif(not os.path.isdir(TASKS), reason=f"needs Linux's {TASKS}")

X = np.random.default_rng(0).random((2000, 300))
WEIGHTS, BIASES = [np.full((300, 300), 0.01)] * 4, [np.zeros(300)] * 4


def forward(n_threads=None):
    return mlp_c.kernels.forward(X, WEIGHTS, BIASES, n_threads=n_threads)


def fit(n_threads=None):
    model = mlp_c.MLPRegressor(hidden_layer_sizes=(300,), n_threads=n_threads)
    return model.partial_fit(X, X[:, :2])  # an epoch, as fit runs them; no warning of too few


def count_threads(call, *args):
    """The most threads that a call runs on, the calling one included."""
    seen, started, done = [], threading.Event(), threading.Event()

    def watch():
        while not done.is_set():
            seen.append(set(os.listdir(TASKS)))
            started.set()
            time.sleep(0.0005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started.wait()
    before = seen[-1]
    try:
        for _ in range(3):
            call(*args)
    finally:
        done.set()
        watcher.join()
    return max(len(tasks - before) for tasks in seen) + 1


@pytest.fixture
def five_cpus(monkeypatch):
    monkeypatch.setattr(_threads, "_count_cpus", lambda affinity: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@counts_threads
@pytest.mark.parametrize("call", [forward, fit])
def test_a_call_runs_on_the_threads_it_asks_for_and_joins_them(call):
    before = os.listdir(TASKS)
    assert [count_threads(call, n) for n in (1, 2, 3)] == [1, 2, 3]
    assert os.listdir(TASKS) == before


@counts_threads
def test_small_work_stays_on_one_thread():
    small = X[:20], [WEIGHTS[0]], [BIASES[0]]
    assert count_threads(lambda: mlp_c.kernels.forward(*small, n_threads=8)) == 1


# ---- threadpoolctl ----


def listed():
    return [entry for entry in threadpool_info() if entry["internal_api"] == "mlp_c"]


def test_threadpoolctl_lists_the_extension_once(monkeypatch):
    import scipy.optimize._highspy._core as other_core  # a _core.*.so that is not ours

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (entry,) = listed()
    assert os.path.samefile(entry["filepath"], mlp_c._core.__file__)
    assert not os.path.samefile(entry["filepath"], other_core.__file__)
    assert entry["user_api"] == "mlp_c"
    assert entry["version"] == mlp_c.__version__
    assert entry["num_threads"] == effective_n_threads()


@counts_threads
@pytest.mark.parametrize("call", [forward, fit])
def test_threadpoolctl_limits_any_call_and_restores(call):
    with threadpool_limits(limits=1):
        assert count_threads(call, 3) == 1
        with threadpool_limits(limits={"mlp_c": 2}):
            assert count_threads(call, 3) == 2
        assert count_threads(call, 3) == 1
    assert count_threads(call, 3) == 3


def test_the_limit_shows_and_is_gone_afterwards(five_cpus):
    def shown():
        return listed()[0]["num_threads"], mlp_c.show_config(mode="dicts")["n_threads"]

    assert (shown(), mlp_c._core.thread_limit()) == ((5, 5), 0)
    with threadpool_limits(limits=2):
        assert (shown(), mlp_c._core.thread_limit()) == ((2, 2), 2)
        with threadpool_limits(limits=7):
            assert (shown(), mlp_c._core.thread_limit()) == ((7, 5), 7)
    assert (shown(), mlp_c._core.thread_limit()) == ((5, 5), 0)


@pytest.mark.parametrize(("limit", "kept"), [(0, 0), (-1, 0), (2**32 + 1, 2**31 - 1)])
def test_limits_that_are_no_count(limit, kept):
    with threadpool_limits(limits=limit):
        assert mlp_c._core.thread_limit() == kept
    assert mlp_c._core.thread_limit() == 0


def test_the_limit_is_of_the_process_and_of_our_library_only():
    with threadpool_limits(limits=1, user_api="blas"):
        assert mlp_c._core.thread_limit() == 0
    with threadpool_limits(limits=1, user_api="mlp_c"):
        limits = []
        thread = threading.Thread(target=lambda: limits.append(mlp_c._core.thread_limit()))
        thread.start()
        thread.join()
        assert limits == [1]

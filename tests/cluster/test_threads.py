"""How many threads a call takes by itself in a task of Dask's, in this process."""

import sys
import threading
import time
import types

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config

from cluster.conftest import local_client
from mlp_c._system import threads
from mlp_c._system.threads import effective_n_threads
from system.test_threads import count_threads, counts_threads, fit, forward


@pytest.fixture(autouse=True)
def twelve_cpus(monkeypatch):
    monkeypatch.setattr(threads, "_count_cpus", lambda affinity: 12)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def in_a_thread(call):
    """What a call returns in a thread that nobody knows."""
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


# ---- workers in this process ----


@pytest.mark.parametrize(
    ("n_workers", "threads_per_worker", "expected"), [(1, 1, 12), (1, 3, 4), (2, 2, 3), (3, 5, 1)]
)
def test_tasks_that_run_at_once_share_the_cpus(n_workers, threads_per_worker, expected):
    """Those of all workers of the process, and of no worker that an earlier cluster had."""
    options = {"n_workers": n_workers, "threads_per_worker": threads_per_worker}
    with local_client(processes=False, **options) as client:
        assert client.submit(effective_n_threads).result() == expected


def test_a_worker_that_is_closed_has_no_share():
    with local_client(processes=False, n_workers=2, threads_per_worker=2) as client:
        workers = list(client.cluster.workers.values())  # so that both are there
        assert client.submit(effective_n_threads, pure=False).result() == 3
        client.cluster.scale(1)
        end = time.monotonic() + 30
        while all(worker.status.name != "closed" for worker in workers):
            assert time.monotonic() < end
            time.sleep(0.01)
        assert client.submit(effective_n_threads, pure=False).result() == 6


@counts_threads
@pytest.mark.parametrize("call", [forward, fit])
def test_a_call_in_a_task_runs_on_its_share(worker_threads, call):
    """Two workers of two threads have three of twelve CPUs each."""
    assert worker_threads.submit(count_threads, call).result() == 3


def test_a_number_is_used_as_it_is(worker_threads):
    assert worker_threads.submit(effective_n_threads, 8).result() == 8


def test_the_variable_limits_the_share(worker_threads, monkeypatch):
    for value, expected in (("2", 2), ("9", 3)):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert worker_threads.submit(effective_n_threads, pure=False).result() == expected


def test_what_is_no_task_has_all_cpus(worker_threads):
    assert effective_n_threads() == in_a_thread(effective_n_threads) == 12
    assert set(worker_threads.run(effective_n_threads).values()) == {12}


class Asked:
    def n_threads(self):
        return effective_n_threads()


def test_an_actor_has_the_share_of_a_task(worker_threads):
    actor = worker_threads.submit(Asked, actor=True).result()
    assert actor.n_threads().result() == 3


def test_jobs_of_joblib_by_dask_have_the_share_of_a_task(worker_threads):
    with parallel_config("dask"):
        assert Parallel()([delayed(effective_n_threads)() for _ in range(4)]) == [3] * 4


def test_threads_of_joblib_in_a_task_have_one_cpu_each(worker_threads):
    def task():
        return Parallel(n_jobs=2, backend="threading")([delayed(effective_n_threads)()])

    assert worker_threads.submit(task).result() == [1]


# ---- Dask without workers ----


@pytest.mark.parametrize("here", [lambda call: call(), in_a_thread], ids=["main", "thread"])
def test_the_threads_of_dasks_own_scheduler_share_the_cpus(here):
    array = pytest.importorskip("dask.array")
    rows = array.ones(20, chunks=1)
    asked = rows.map_blocks(lambda block: np.full(1, effective_n_threads()), dtype=int)
    found = here(lambda: asked.compute(scheduler="threads", num_workers=3))
    assert found.tolist() == [4] * 20
    assert here(effective_n_threads) == 12


def test_dasks_own_scheduler_has_a_thread_for_each_cpu_unless_told():
    array, system = pytest.importorskip("dask.array"), pytest.importorskip("dask.system")
    asked = array.ones(1).map_blocks(lambda block: np.full(1, effective_n_threads()), dtype=int)
    expected = max(12 // system.CPU_COUNT, 1)
    assert asked.compute(scheduler="threads").tolist() == [expected]


def test_the_synchronous_scheduler_runs_one_task_at_a_time():
    array = pytest.importorskip("dask.array")
    asked = array.ones(1).map_blocks(lambda block: np.full(1, effective_n_threads()), dtype=int)
    assert asked.compute(scheduler="synchronous").tolist() == [12]


# ---- without Dask ----


@pytest.mark.parametrize("name", ["distributed.worker", "dask.threaded"])
@pytest.mark.parametrize("make", [lambda name: None, types.ModuleType], ids=["absent", "empty"])
def test_dask_is_neither_imported_nor_trusted_to_be_whole(monkeypatch, name, make):
    """Absent, its import would raise; empty, another thread is importing it, or it has changed."""
    monkeypatch.setitem(sys.modules, name, make(name))
    assert in_a_thread(effective_n_threads) == 12

"""How many threads a call runs on."""

import math
import os
import threading
import time
from functools import partial

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_info, threadpool_limits

import mlp_c
from mlp_c._system import threads
from mlp_c._system.cgroups import cpu_quota
from mlp_c._system.threads import effective_n_threads
from support import calls
from support.processes import end_parked_threads

TASKS = "/proc/self/task"
counts_threads = pytest.mark.skipif(not os.path.isdir(TASKS), reason=f"needs Linux's {TASKS}")

X = np.random.default_rng(0).random((2000, 300))
WEIGHTS, BIASES = [np.full((300, 300), 0.01)] * 4, [np.zeros(300)] * 4


def forward(n_threads=None):
    return mlp_c.kernels.forward(X, WEIGHTS, BIASES, n_threads=n_threads)


def fit(n_threads=None):
    model = mlp_c.MLPRegressor(hidden_layer_sizes=(300,), n_threads=n_threads)
    return model.partial_fit(X, X[:, :2])  # an epoch, as fit runs them; no warning of too few


def members(n_threads=None):
    """Three networks: no thread has a part of one."""
    draw = calls.normal(np.dtype(float))
    networks = [([draw(300, 100), draw(100, 2)], [draw(100), draw(2)]) for _ in range(3)]
    fields = [calls.fields("train_epoch", X, np.arange(2000) % 2, *n) for n in networks]
    return mlp_c._core.train_members([(epoch, None) for epoch in fields], n_threads)


def count_threads(call, *args):
    """The most threads that a call runs on, the calling one included."""
    end_parked_threads()
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
    monkeypatch.setattr(threads, "_count_cpus", lambda affinity: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@counts_threads
@pytest.mark.parametrize("call", [forward, fit])
def test_a_call_runs_on_the_threads_it_asks_for(call):
    assert [count_threads(call, n) for n in (1, 2, 3)] == [1, 2, 3]


@counts_threads
def test_members_run_on_no_more_threads_than_they_are():
    assert [count_threads(members, n) for n in (1, 2, 3, 4, 9)] == [1, 2, 3, 3, 3]


@counts_threads
def test_small_work_stays_on_one_thread():
    small = X[:20], [WEIGHTS[0]], [BIASES[0]]
    assert count_threads(lambda: mlp_c.kernels.forward(*small, n_threads=8)) == 1


@pytest.mark.parametrize(("batch_size", "n_threads"), [(64, 1), (200, 2)])
def test_small_batches_stay_on_one_thread(batch_size, n_threads):
    """A batch of 64 is 0.7 million multiply-adds, one of 200 two million."""
    weights, biases = mlp_c.kernels.initialize((20, 64, 32, 4), random_state=0, dtype="f4")
    rows, labels = np.ones((20_000, 20), "f4"), np.arange(20_000) % 4
    options = {"batch_size": batch_size, "n_threads": 2}
    train = partial(calls.train_epoch, rows, labels, weights, biases, **options)
    assert count_threads(train) == n_threads


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


# ---- n_threads=None ----


@pytest.mark.parametrize(
    ("value", "expected"), [("2", 2), ("3,1", 3), (" 4 ", 4), ("9", 5), ("0", 5), ("x", 5), ("", 5)]
)
def test_the_default_follows_omp_num_threads_at_each_call(five_cpus, monkeypatch, value, expected):
    assert effective_n_threads() == 5
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert effective_n_threads() == expected
    assert effective_n_threads(8) == 8


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_the_default_follows_the_affinity_at_each_call(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cpus = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cpus)})
        assert effective_n_threads() == 1
    finally:
        os.sched_setaffinity(0, cpus)
    assert 1 <= effective_n_threads() <= len(cpus)


@counts_threads
@pytest.mark.parametrize("call", [forward, fit])
def test_one_thread_in_the_threads_of_joblib(five_cpus, call):
    (count,) = Parallel(n_jobs=2, backend="threading")([delayed(count_threads)(call)])
    assert count == 1
    assert count_threads(call) == 5


def test_one_thread_in_nested_threads_of_joblib_unless_asked_for_more(five_cpus):
    def outer():
        return Parallel(n_jobs=2, backend="threading")([delayed(effective_n_threads)()])

    assert Parallel(n_jobs=2, backend="threading")([delayed(outer)()]) == [[1]]
    assert Parallel(n_jobs=2, backend="threading")([delayed(effective_n_threads)(3)]) == [3]


def test_other_threads_and_one_job_are_not_limited(five_cpus):
    found = Parallel(n_jobs=1)([delayed(effective_n_threads)()])
    with parallel_config(backend="threading", n_jobs=2):
        found.append(effective_n_threads())
        found += Parallel(n_jobs=1)([delayed(effective_n_threads)()])

    def in_a_thread():
        found.append(effective_n_threads())
        found.extend(Parallel(n_jobs=1)([delayed(effective_n_threads)()]))

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    assert found == [5] * 5


def test_processes_of_joblib_share_the_cpus(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    n_cpus = effective_n_threads()
    jobs = [delayed(effective_n_threads)() for _ in range(2)]
    assert Parallel(n_jobs=2, backend="loky")(jobs) == [max(n_cpus // 2, 1)] * 2
    with parallel_config(backend="loky", inner_max_num_threads=2):
        assert Parallel(n_jobs=2)(jobs) == [min(2, n_cpus)] * 2


# ---- control groups ----


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        ("0::/", {}, math.inf),
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, 2),
        ("0::/a/b", {"a/cpu.max": "max 100000", "a/b/cpu.max": "300000 100000"}, 3),
        ("0::/outside/path", {"cpu.max": "50000 100000"}, 0.5),
        ("0::/../..", {"cpu.max": "50000 100000"}, 0.5),
        ("0::/a", {"cpu.max": "", "a/cpu.max": "rubbish"}, math.inf),
        (
            "3:cpuset:/x\n2:cpu,cpuacct:/a\n0::/",
            {"cpu/a/cpu.cfs_quota_us": "400000", "cpu/a/cpu.cfs_period_us": "100000"},
            4,
        ),
        ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        ("1:cpu:/\n0::/s", {"unified/s/cpu.max": "200000 100000"}, 2),
    ],
)
def test_the_least_quota_of_a_group_and_those_above(tmp_path, cgroup, files, expected):
    files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in {"proc/self/cgroup": cgroup, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert cpu_quota(tmp_path) == expected


def test_no_control_groups_no_quota(tmp_path):
    assert cpu_quota(tmp_path) == math.inf


@pytest.mark.parametrize(("quota", "expected"), [(math.inf, 64), (2.5, 3), (0.1, 1)])
def test_the_default_follows_the_quota(monkeypatch, quota, expected):
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    monkeypatch.setattr(threads.joblib, "cpu_count", lambda: 64)
    assert threads._count_cpus.__wrapped__(64) == expected

"""Threads that are parked between calls: who gets them, where they run, and when they end."""

import atexit
import os
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import mlp_c
from support import calls, processes
from support.processes import end_parked_threads

TASKS = "/proc/self/task"
IDLE = 1.0  # seconds until a parked thread ends

pytestmark = [
    pytest.mark.skipif(not os.path.isdir(TASKS), reason=f"needs Linux's {TASKS}"),
    pytest.mark.thread_unsafe(reason="counts the threads of the process"),
]

X = np.random.default_rng(0).random((200, 300))  # soon multiplied, but by several threads
WEIGHTS, BIASES = [np.full((300, 300), 0.01)] * 2, [np.zeros(300)] * 2


def forward(n_threads):
    return mlp_c.kernels.forward(X, WEIGHTS, BIASES, n_threads=n_threads)


def tasks():
    return set(os.listdir(TASKS))


@pytest.fixture
def others():
    """The threads of the process that are not the kernels'."""
    end_parked_threads()
    return tasks()


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_calls_take_the_threads_that_are_parked(others):
    forward(3)
    parked = tasks() - others
    assert len(parked) == 2
    for n_threads in (3, 2, 1, 3):
        forward(n_threads)
        assert tasks() - others == parked
    forward(4)
    assert len(tasks() - others) == 3
    assert parked < tasks()


def test_parked_threads_end_by_themselves(others):
    def are_parked_for_a_while():
        forward(3)
        time.sleep(IDLE / 4)
        return len(tasks() - others) == 2

    assert any(are_parked_for_a_while() for _ in range(3))  # a busy machine may pause for long
    assert wait_until(lambda: tasks() == others, 3 * IDLE)
    forward(2)
    assert len(tasks() - others) == 1


def test_parked_threads_are_asleep(others):
    forward(3)
    time.sleep(0.05)
    began = time.process_time()
    time.sleep(IDLE / 4)
    assert time.process_time() - began < 0.02


def test_threads_that_call_at_once_share_what_is_parked(others):
    """Each call has the bits it has alone."""
    want = calls.bits(forward(1))
    forward(5)
    right, start = [], threading.Barrier(4)

    def call():
        start.wait()
        right.extend(calls.bits(forward(3)) == want for _ in range(5))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert right == [True] * 20
    assert len(tasks() - others) >= 4
    assert wait_until(lambda: len(tasks() - others) <= 8, IDLE / 2)  # callers may be listed yet


def test_a_fork_ends_them_first(others):
    """So that it is the fork of a process with one thread, of which Python does not warn."""
    forward(3)
    alone = len(others) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error" if alone else "ignore")
        child = os.fork()
    if child == 0:
        right = len(tasks()) == 1 and calls.bits(forward(3)) == calls.bits(forward(1))
        os._exit(0 if right and len(tasks()) == 3 else 1)
    assert wait_until(lambda: tasks() == others, IDLE / 2)  # one may be listed yet
    assert os.waitpid(child, 0)[1] == 0
    forward(3)
    assert len(tasks() - others) == 2


def test_a_child_of_a_fork_in_another_thread_has_none_of_a_call_in_progress(others):
    stop = threading.Event()

    def call():
        while not stop.is_set():
            forward(3)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        for _ in range(20):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of the calling thread
                child = os.fork()
            if child == 0:
                os._exit(0 if np.isfinite(forward(3)[-1]).all() and len(tasks()) == 3 else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        caller.join()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an affinity")
def test_they_run_where_the_caller_may_run(others):
    cpus = os.sched_getaffinity(0)
    if len(cpus) < 2:
        pytest.skip("needs two CPUs")

    def where():
        forward(2)
        (parked,) = tasks() - others
        return os.sched_getaffinity(int(parked))

    assert where() == cpus
    try:
        for cpu in cpus:
            os.sched_setaffinity(0, {cpu})
            assert where() == {cpu}
    finally:
        os.sched_setaffinity(0, cpus)
    assert where() == cpus


def test_they_are_as_nice_as_the_caller(others):
    """On Linux each thread has a niceness of its own, which cannot be taken back."""

    def call():
        os.nice(1)
        forward(3)

    caller = threading.Thread(target=call)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    caller.start()
    caller.join()
    nicer = tasks() - others
    forward(3)
    parked = tasks() - others - nicer
    assert len(parked) == 2
    for task in parked:
        assert os.getpriority(os.PRIO_PROCESS, int(task)) == before


DROP = """
import gc, importlib, os, sys, time
import numpy as np
import mlp_c._core

def drop():
    for module in [m for name, m in sys.modules.items() if name.split(".")[0] == "mlp_c"]:
        for name, value in list(vars(module).items()):
            if value is sys.modules["mlp_c._core"]:
                delattr(module, name)
    del sys.modules["mlp_c._core"]

X, W = np.ones((200, 300)), [np.ones((300, 300))]
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
for _ in range(3):
    core = importlib.import_module("mlp_c._core")
    core.forward(X, W, [np.ones(300)], "relu", None, None, 3)
    print(count() - before)
    del core
    drop()
    gc.collect()
    end = time.monotonic() + 0.5  # one may be listed yet
    while count() > before and time.monotonic() < end:
        time.sleep(0.001)
    print(count() - before)
"""


def test_a_module_that_is_dropped_leaves_none():
    command = [sys.executable, "-X", "faulthandler", "-c", DROP]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["2", "0"] * 3


def end(when, n_threads):
    """Prints the time at its last line; "late", a call is made as the interpreter ends."""

    def call():
        forward(int(n_threads))

    if when == "late":
        atexit.register(call)
    call()
    print(time.time(), flush=True)


@pytest.mark.parametrize("when", ["early", "late"])
def test_the_interpreter_does_not_wait_for_them(when):
    seconds = {1: [], 3: []}  # to end, by threads: on a busy machine, it takes time without any
    for _ in range(2):
        for n_threads, of in seconds.items():
            printed = processes.run(end, when, n_threads)
            of.append(time.time() - float(printed))
    assert min(seconds[3]) < min(seconds[1]) + 0.6 * IDLE

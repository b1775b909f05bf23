"""Processes: what forks, ends or starts anew is not waited for.

Elsewhere: a child forked after a fit (ecosystem/test_tools), signals (test_interrupt,
test_signals), threads (test_threads).
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone

from mlp_c import MLPClassifier, _core, kernels
from support import calls, processes
from support.wide import Callback, X, Y, bits, in_a_thread, make, virtual

pytestmark = pytest.mark.filterwarnings("ignore")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def long_fit(**params):
    """A model whose fit nothing but a signal, or the end of the process, ends in time."""
    return make(max_iter=10**6, tol=0, n_iter_no_change=np.inf, **params)


def when_training(action):
    """Does something, once, some time into an epoch."""
    original = _core.train_epoch

    def call(*arguments):
        _core.train_epoch = original
        threading.Timer(0.05, action).start()
        return original(*arguments)

    _core.train_epoch = call


# ---- threads that cannot be had ----

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int had;

int
threads_had(void)
{
    return had;
}

/* Of the threads that mlp_c's extension asks for, only the first few are to be had. */
int
pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    Dl_info caller;
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
    if (dladdr((void *)run, &caller) && strstr(caller.dli_fname, "/mlp_c/_core.")) {
        if (had == atoi(getenv("THREADS_TO_HAVE"))) {
            return EAGAIN;
        }
        had++;
    }
    return create(thread, attr, run, arg);
}
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and Linux's LD_PRELOAD")
    path = tmp_path_factory.mktemp("shim") / "shim.so"
    (path.parent / "shim.c").write_text(SHIM)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", path, path.parent / "shim.c", "-ldl"]
    subprocess.run(command, check=True)
    return path


def check_without_threads():
    """Eight threads are asked for. Prints how many there were, of all calls."""
    rows, models = np.tile(X, (10, 1)), []
    for n_threads in (8, 1):
        model = make(n_threads=n_threads).fit(X, Y)
        lbfgs = make(n_threads=n_threads, solver="lbfgs").fit(X, Y)
        models.append((bits(model), bits(lbfgs), model.predict(rows).tobytes()))
    assert models[0] == models[1]
    print(ctypes.CDLL(None).threads_had())


@pytest.mark.parametrize("to_have", [0, 1, 3, 7])
def test_threads_that_the_system_refuses_are_done_without(shim, to_have):
    """To the same bits, from the first call on or in the midst of a team, whose threads all calls
    share."""
    environment = {"LD_PRELOAD": str(shim), "THREADS_TO_HAVE": str(to_have)}
    assert int(processes.run(check_without_threads, **environment)) == to_have


# ---- fork ----


def fit_in_child(report):
    """In a forked child: whether a fit gives the bits that the parent's gives."""
    os._exit(0 if bits(make().fit(X, Y)) == report else 3)


def wait_for(child, seconds=20):
    """The exit status of a child that ends in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


def fork_during_a_fit():
    """While another thread is in C code."""
    report = bits(make().fit(X, Y))
    in_a_thread(lambda: long_fit().fit(X, Y))
    for _ in range(20):
        time.sleep(0.013)
        child = os.fork()
        if child == 0:
            fit_in_child(report)
        assert wait_for(child) == 0
    os._exit(0)


def fork_at_alarm(child_does, in_child):
    """A list that SIGALRM's handler puts a child into, who does something, or returns from it."""
    children = []

    def handler(*_):
        child = os.fork()
        if child:
            children.append(child)
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        if child_does == "fit":
            in_child()
        elif child_does == "exit":
            sys.exit(0)
        elif child_does == "raise":
            raise InTheChild

    signal.signal(signal.SIGALRM, handler)
    return children


def call_that_forks(call, child_does, in_child):
    """What a call returns; the child must get an exception from it, and then does something."""
    parent = os.getpid()
    try:
        result = call()
    except BaseException as error:
        if os.getpid() == parent:
            raise
        expected = {"exit": SystemExit, "raise": InTheChild, "return": RuntimeError}[child_does]
        if not isinstance(error, expected):
            os._exit(4)
        in_child()
    if os.getpid() != parent:
        os._exit(5)
    return result


def fork_in_a_handler(child_does):
    """A signal handler, which a fit's poll runs, forks; the child returns into the fit, or not."""
    report = bits(make().fit(X, Y))
    in_child = partial(fit_in_child, report)
    children = fork_at_alarm(child_does, in_child)
    rows = np.tile(X, (20, 1))
    labels = np.tile(Y, 20)
    parent = os.getpid()
    model = make(max_iter=2, batch_size=len(rows), hidden_layer_sizes=(1000,))
    alone = bits(clone(model).fit(rows, labels))
    when_training(lambda: os.kill(parent, signal.SIGALRM))
    call_that_forks(lambda: model.fit(rows, labels), child_does, in_child)
    assert bits(model) == alone
    assert len(children) == 1
    assert wait_for(children[0]) == 0


def fork_in_a_barrier(child_does):
    """Of two members one has all the work, of a single piece; if it is the other, the caller waits.

    Prints for how much of the time the caller did.
    """
    n = 2**24
    arguments = virtual(2, n), None, [virtual(n, 1)], [virtual(1)], "relu", "identity"

    def predict():
        return _core.predict(*arguments, False, 2).tobytes()

    def in_child():
        os._exit(0 if predict() == alone else 3)

    alone, waits = predict(), 0
    children = fork_at_alarm(child_does, in_child)
    while waits < 0.5:
        begin, worked = time.perf_counter(), time.thread_time()
        signal.setitimer(signal.ITIMER_REAL, 0.03)
        assert call_that_forks(predict, child_does, in_child) == alone
        seconds, worked = time.perf_counter() - begin, time.thread_time() - worked
        waits = 1 - worked / seconds
        assert wait_for(children.pop()) == 0
        assert not children
    print(waits)


def fork_in_members(child_does, are_equal):
    """The caller works at a member, or waits for another thread that does, as its handler forks."""
    rows, labels = np.tile(X, (30, 1)), np.tile(Y, 30)
    sizes = [len(rows)] * 2 if are_equal == "equal" else [1, len(rows)]

    def train():
        members = []
        for n in sizes:
            weights, biases = kernels.initialize((60, 300, 3), random_state=0, dtype=X.dtype)
            fields = calls.fields("train_epoch", rows[:n], labels[:n], weights, biases)
            members.append((fields, calls.fields("evaluate", X, Y, weights, biases)))
        result = _core.train_members(members, 2)
        return result, calls.bits([fields["weights"] for fields, _ in members])

    def in_child():
        os._exit(0 if train() == alone else 3)

    alone, waits = train(), 0
    children = fork_at_alarm(child_does, in_child)
    while waits < 0.5:
        begin, worked = time.perf_counter(), time.thread_time()
        signal.setitimer(signal.ITIMER_REAL, 0.03)
        assert call_that_forks(train, child_does, in_child) == alone
        seconds, worked = time.perf_counter() - begin, time.thread_time() - worked
        waits = 1 if are_equal == "equal" else 1 - worked / seconds
        assert wait_for(children.pop()) == 0
        assert not children


class InTheChild(Exception):
    pass


@forks
def test_a_child_forked_while_another_thread_fits_fits():
    processes.run(fork_during_a_fit, timeout=60)


@forks
@pytest.mark.parametrize("child_does", ["fit", "exit", "raise", "return"])
def test_a_child_forked_by_a_signal_handler_in_a_fit_gets_out_of_it(child_does):
    """It has none of the team's threads; to return into the fit raises RuntimeError."""
    processes.run(fork_in_a_handler, child_does, timeout=300)


@forks
@pytest.mark.parametrize("child_does", ["fit", "exit", "raise", "return"])
def test_a_child_forked_while_the_caller_waits_for_another_thread_gets_out_of_it(child_does):
    """At a barrier, where the caller sleeps; the parent has its bits nonetheless."""
    assert float(processes.run(fork_in_a_barrier, child_does, timeout=60)) > 0.5


@forks
@pytest.mark.parametrize("are_equal", ["equal", "not"])
@pytest.mark.parametrize("child_does", ["fit", "exit", "raise", "return"])
def test_a_child_forked_while_members_are_trained_gets_out_of_it(child_does, are_equal):
    processes.run(fork_in_members, child_does, are_equal, timeout=120)


def fork_in_a_callback():
    """The child goes on with the fit: between epochs there is no team."""
    report = bits(make(max_iter=6).fit(X, Y))
    children = []

    def fork(estimator):
        if not children:
            children.append(os.fork())

    model = make(max_iter=6).set_callbacks(Callback(fork)).fit(X, Y)
    assert bits(model) == report
    if children[0]:
        assert wait_for(children[0]) == 0


@forks
def test_a_child_forked_by_a_callback_goes_on_with_the_fit():
    processes.run(fork_in_a_callback)


# ---- the interpreter's beginning and end ----


def exit_while_threads_work():
    weights, biases = [np.ones((60, 900), np.float32)], [np.ones(900, np.float32)]
    work = [
        lambda: long_fit(solver="sgd").fit(X, Y),
        lambda: long_fit(solver="lbfgs", max_fun=10**9).fit(X, Y),
        lambda: [kernels.forward(X, weights, biases, n_threads=2) for _ in range(10**6)],
    ]
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        # CPython 3.13t, as it ends, may wait for ever for the lock of sys.modules, held by a thread
        # that it has stopped: by any that looks into it, as a fit does.
        work = work[-1:] * len(work)
    for function in work:
        in_a_thread(function)
    time.sleep(0.2)


def test_the_interpreter_ends_while_threads_work():
    for _ in range(3):
        processes.run(exit_while_threads_work, timeout=30)


def fit_at_exit():
    import atexit

    class Last:
        def __del__(self):
            model.predict(X)

    model = make().fit(X, Y)
    atexit.register(lambda: bits(make().fit(X, Y)))
    sys.modules["last"] = Last()


def test_the_interpreter_may_fit_while_it_ends():
    processes.run(fit_at_exit)


def import_again():
    """As a module that was dropped, and as a second one."""
    import importlib

    old = make().fit(X, Y)
    names = [name for name in sys.modules if name.partition(".")[0] == "mlp_c"]
    for name in names:
        del sys.modules[name]
    again = importlib.import_module("mlp_c")
    assert again.MLPClassifier is not MLPClassifier
    model = make(again.MLPClassifier).fit(X, Y)
    assert bits(model) == bits(old) == bits(make().fit(X, Y))
    importlib.reload(again)
    importlib.reload(sys.modules["mlp_c._core"])
    assert bits(make(again.MLPClassifier).fit(X, Y)) == bits(old)
    assert isinstance(old.predict(X), np.ndarray)


def test_the_package_can_be_imported_again():
    processes.run(import_again)


SUBINTERPRETER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("mlp_c._core", {path!r})
try:
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
except ImportError as error:
    print(error)
"""


def import_in_a_subinterpreter():
    testcapi = pytest.importorskip("_testcapi")
    testcapi.run_in_subinterp(SUBINTERPRETER.format(path=_core.__file__))


def test_a_subinterpreter_is_told_that_it_is_not_supported():
    pytest.importorskip("_testcapi", reason="this CPython was built without _testcapi")
    told = processes.run(import_in_a_subinterpreter)
    assert "does not support" in told
    assert "subinterpreters" in told

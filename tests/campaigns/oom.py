"""Every single allocation and start of a thread fails, one after the other.

failing_malloc.c makes those fail that the extension asks for, itself or through Python and NumPy,
while it runs a valid call: the first only, the second only, and so on until none is left; then
all from the first on, all from the second on, and so on. Each call ends with a MemoryError or,
where it can do with less, with the bits of the call that had everything; made again each time, it
has these bits; and no failing call leaves anything on the heap.
"""

import copy
import ctypes
import gc
import os
import pickle
import resource
import subprocess
import warnings

import numpy as np

import mlp_c
from campaigns import build, options
from mlp_c import _core
from support import calls, core_calls
from support.processes import end_parked_threads

SHIM = build.BUILDS / "failing_malloc.so"
FOREVER = 2**62
MEMORY = 512 << 20
REPEATS = 50, 100, 200, 400, 800  # of a failing call, while the heap grows
LEAK = 16  # bytes a call; the C library gives out no less than 24 at a time

X, Y = np.random.default_rng(0).random((40, 8)), np.arange(40) % 3


def build_shim():
    source = build.TESTS / "campaigns" / "failing_malloc.c"
    SHIM.parent.mkdir(exist_ok=True)
    command = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*command, "-shared", "-fPIC", source, "-o", SHIM], check=True)


def targets():
    """{label: function of nothing that returns what has the bits of its result}."""

    def core_call(case, arguments):
        before = [(array, array.copy()) for _, array in calls.leaves(arguments)]

        def call():
            for array, content in before:
                array[...] = content
            return [core_calls.run(case, arguments), arguments]

        return call

    def method_call(model, name, *arguments):
        def call():
            made = getattr(copy.deepcopy(model), name)(*arguments)
            return made if name == "predict" else [made.coefs_, made.loss_]

        return call

    found = {case: core_call(case, given) for case, given in core_calls.examples().items()}
    # Enough work for three threads, of which members need few rows.
    wide = {"widths": (100, 64, 3), "n_threads": 3}
    shared = core_calls.examples(n=800, batch_size=800, **wide)
    shared["train_members"] = core_calls.examples(n=60, **wide)["train_members"]
    for case, given in shared.items():
        if given and isinstance([*given.values()][-1], int):
            found[f"{case}, 3 threads"] = core_call(case, given)
    for cls in (mlp_c.MLPClassifier, mlp_c.MLPRegressor):
        for solver in ("adam", "sgd", "lbfgs"):
            model = cls(
                hidden_layer_sizes=4, solver=solver, max_iter=3, random_state=0, n_threads=2
            )
            found[f"{cls.__name__}.fit, {solver}"] = method_call(model, "fit", X, Y)
        found[f"{cls.__name__}.predict"] = method_call(model.fit(X, Y), "predict", X)
    return found


def count_threads():
    return len(os.listdir("/proc/self/task"))


class Shim:
    """failing_malloc.so, which LD_PRELOAD has loaded, watching the extension."""

    def __init__(self):
        self._library = ctypes.CDLL(None)
        self._library.failing_malloc_watch.restype = ctypes.c_bool
        self._library.failing_malloc_disarm.restype = ctypes.c_long
        extension = ctypes.CDLL(_core.__file__)
        function = ctypes.cast(extension.mlp_c_get_num_threads, ctypes.c_void_p)
        assert self._library.failing_malloc_watch(function), "where is the extension's code?"
        end_parked_threads()  # and OpenBLAS's
        self._n_threads = count_threads()
        for name in {case.split()[0] for case in core_calls.CASES}:
            setattr(_core, name, self._counted(getattr(_core, name)))

    def _counted(self, function):
        def call(*arguments):
            self._library.failing_malloc_count(True)
            try:
                return function(*arguments)
            finally:
                self._library.failing_malloc_count(False)

        return call

    def attempt(self, call, first, last):
        """(result or None after a MemoryError, how many requests there were).

        The threads that calls have left parked end first, so that this one starts its own.
        """
        if count_threads() > self._n_threads:
            end_parked_threads()
        self._library.failing_malloc_arm(ctypes.c_long(first), ctypes.c_long(last))
        try:
            return call(), self._library.failing_malloc_disarm()
        except MemoryError:
            return None, self._library.failing_malloc_disarm()

    def sweep(self, call, expected, onwards):
        """Fails each request in turn, alone or with all after it; how many there are."""
        nth, asked, failures = 0, 0, 0
        while asked >= nth:
            nth += 1
            result, asked = self.attempt(call, nth, FOREVER if onwards else nth)
            assert result is None or pickle.dumps(result) == expected, (
                f"wrong once request {nth} failed"
            )
            assert pickle.dumps(call()) == expected, f"wrong the next time, after request {nth}"
            failures += result is None
        assert failures > 0, "no request failed"
        return asked


def heap_used():
    import psutil

    gc.collect()
    heap = psutil.heap_info()
    return heap.heap_used + heap.mmap_used


def leaks(shim, call, nth):
    """Whether each call of which request nth fails leaves memory, and not only caches grow."""
    for repeats in REPEATS:
        before = heap_used()
        for _ in range(repeats):
            shim.attempt(call, nth, nth)
        if heap_used() - before < LEAK * repeats:
            return False
    return True


def work():
    warnings.simplefilter("ignore")
    shim, total = Shim(), 0
    found = targets()
    gc.freeze()  # the modules' objects: to look through them at each count takes longest
    for label, call in found.items():
        expected = pickle.dumps(call())
        shim.sweep(call, expected, onwards=True)
        asked = shim.sweep(call, expected, onwards=False)
        if label in core_calls.CASES:  # scikit-learn's caches grow in a fit
            leaking = [nth for nth in range(1, asked + 1) if leaks(shim, call, nth)]
            assert not leaking, f"{label}: what is left where request {leaking} fails?"
        print(f"{label}: {asked} requests", flush=True)
        total += asked
    print(f"oom: each of {total} requests failed, alone and with all that follow")


def work_in_little_memory():
    """Calls of ever more rows, in 512 MB of addresses: a result, or MemoryError and go on."""
    warnings.simplefilter("ignore")
    model = mlp_c.MLPClassifier(4, max_iter=1)
    weights, biases = mlp_c.kernels.initialize([8, 64, 3])
    model.fit(X, Y)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    outcomes = []
    for rows in (np.broadcast_to(0.5, (2**exponent, 8)) for exponent in range(6, 25)):
        labels = np.broadcast_to(1, len(rows))
        for call in (
            lambda rows=rows: mlp_c.kernels.forward(rows, weights, biases),
            lambda rows=rows: mlp_c.kernels.softmax(rows),
            lambda rows=rows, labels=labels: mlp_c.kernels.softmax_cross_entropy(rows, labels),
            lambda rows=rows: _core.predict(
                rows, None, weights, biases, "relu", "softmax", True, 2
            ),
            lambda rows=rows: mlp_c.MLPClassifier(len(rows), max_iter=1).fit(X, Y),
        ):
            try:
                call()
                outcomes.append("result")
            except MemoryError:
                outcomes.append("MemoryError")
            model.fit(X, Y)
    assert min(map(outcomes.count, ("result", "MemoryError"))) > 5, outcomes
    print(f"oom: {outcomes.count('MemoryError')} of {len(outcomes)} calls had too little of 512 MB")


def main() -> int:
    options.parse(__doc__)
    code, failed = "from campaigns import oom; oom.", 0
    if all([build.has_programs("gcc"), build.has_modules("psutil")]):
        build_shim()
        environment = {"LD_PRELOAD": str(SHIM), "PYTHONMALLOC": "malloc"}
        failed = build.run("-c", f"{code}work()", environment=environment)
    # OpenBLAS keeps addresses for each thread.
    one_thread = {"OPENBLAS_NUM_THREADS": "1"}
    failed += build.run("-c", f"{code}work_in_little_memory()", environment=one_thread)
    return 1 if failed else 0


if __name__ == "__main__":
    build.end(main())

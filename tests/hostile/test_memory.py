"""Memory: no size wraps around, too little is a MemoryError, and nothing is left behind.

Elsewhere: references and memory left behind by 2,000 calls (kernels/test_memory), every
allocation that fails (test_out_of_memory).
"""

import gc
import mmap
import os
import resource
import sys
import threading
from functools import partial

import numpy as np
import pytest
import scipy.sparse
from numpy.lib.stride_tricks import as_strided

import mlp_c
from hostile.test_guard_pages import CORE, core_example, linux
from mlp_c import _core, kernels
from support import calls, processes, wide

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# ---- sizes ----

virtual = partial(wide.virtual, value=1)


def zeros(*shape):
    return np.zeros(shape, np.float32)


def outputs(X, weights, biases, order=None):
    return _core.predict(X, order, weights, biases, "relu", "identity", False, 2)


HUGE, ALL = 2**40, 2**63 - 1
# What would take more memory than there is, or more than can be counted.
TOO_LARGE = {
    "new outputs": lambda: kernels.forward(virtual(HUGE, 1), [zeros(1, 3)], [zeros(3)]),
    "new outputs of 2**62 elements": lambda: kernels.forward(
        virtual(2**31, 1), [virtual(1, 2**31)], [virtual(2**31)]
    ),
    "new outputs of 2**64 elements": lambda: kernels.forward(
        virtual(2**32, 1), [virtual(1, 2**32)], [virtual(2**32)]
    ),
    "packed weights": lambda: kernels.forward(virtual(9, HUGE), [virtual(HUGE, 8)], [zeros(8)]),
    "packed weights of 2**64 bytes": lambda: kernels.forward(
        virtual(9, 2**58), [virtual(2**58, 8)], [zeros(8)]
    ),
    "new gradients": lambda: kernels.backward(
        virtual(9, HUGE), [virtual(9, 2)], virtual(9, 2), [virtual(HUGE, 2)]
    ),
    "probabilities": lambda: kernels.softmax(virtual(HUGE, 1024)),
    "a gradient": lambda: kernels.softmax_cross_entropy(
        virtual(HUGE, 4), virtual(HUGE, 4, dtype=bool)
    ),
    "labels": lambda: kernels.softmax_cross_entropy(
        virtual(HUGE, 4), virtual(HUGE, dtype=np.int8), out=zeros(1, 4)
    ),
    "predictions": lambda: outputs(virtual(HUGE, 2), [zeros(2, 1)], [zeros(1)]),
    "an order": lambda: outputs(
        virtual(9, 2), [zeros(2, 1)], [zeros(1)], order=virtual(HUGE, dtype=np.uint8)
    ),
    "copied labels": lambda: calls.train_epoch(
        virtual(HUGE, 2), virtual(HUGE, dtype=np.int8), [zeros(2, 3)], [zeros(3)]
    ),
    "a list of places": lambda: calls.train_epoch(
        (virtual(9, HUGE), None), np.zeros(9, int), [virtual(HUGE, 3)], [zeros(3)]
    ),
    "an index": lambda: _core.index_nonzeros(virtual(HUGE, 2), "float32", 1.0, np.inf, 2),
    "an index of all rows that can be": lambda: _core.index_nonzeros(
        np.empty((ALL, 0), np.uint8), "float32", 1.0, np.inf, 2
    ),
    "a fit": lambda: mlp_c.MLPRegressor().fit(virtual(HUGE, 2), virtual(HUGE)),
    "a fit of bytes": lambda: mlp_c.MLPClassifier().fit(
        virtual(HUGE, 2, dtype=np.uint8), virtual(HUGE, dtype=np.int8)
    ),
    "hidden units": lambda: mlp_c.MLPClassifier((2**62,)).fit(np.ones((9, 2)), np.arange(9) % 2),
    "weights": lambda: mlp_c.MLPClassifier((2**31, 2**31)).fit(np.ones((9, 2)), np.arange(9) % 2),
    "a prediction": lambda: fitted().predict(virtual(HUGE, 2)),
    "a prediction of bytes": lambda: fitted().predict(virtual(HUGE, 2, dtype=np.uint8)),
}


def fitted():
    return mlp_c.MLPRegressor(hidden_layer_sizes=3, max_iter=1).fit(zeros(9, 2), zeros(9))


def refuse_too_large():
    """Prints each case, and what is wrong with it: too much memory, or no exception."""
    fitted()
    for name, call in TOO_LARGE.items():
        print(name, end=": ", flush=True)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            call()
        except (MemoryError, ValueError) as error:
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            print("refused" if grown < 32 << 10 else f"{grown} KiB used before {error!r}")
        else:
            print("taken")


@linux
def test_what_no_memory_holds_is_refused_before_any_is_used():
    lines = processes.run(refuse_too_large, timeout=60).splitlines()
    assert lines == [f"{name}: refused" for name in TOO_LARGE]


MAP_NORESERVE = 0x4000
FAR = 2**31 + 2  # elements from a row to the next


def reserved(n_bytes):
    """Zeros, of which only what is written takes memory."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    return np.frombuffer(mmap.mmap(-1, n_bytes, flags), np.uint8)


def far_apart(path, array):
    """A copy of a matrix with so long a stride, from row to row or from column to column."""
    if array.ndim == 1 or array.dtype.kind not in "fb":
        return array.copy()
    rows_stay = path[0] == "outputs" or sum(map(ord, path[0])) % 2
    turned = array if rows_stay else array.T
    raw = reserved(len(turned) * FAR * array.itemsize).view(array.dtype)
    view = as_strided(raw, turned.shape, (FAR * array.itemsize, array.itemsize))
    view = view if turned is array else view.T
    view[...] = array
    return view


def check_far_rows(dtype):
    for kernel in calls.KERNELS:
        arguments = calls.example(kernel, np.dtype(dtype))
        far = calls.rebuilt(arguments, far_apart)
        calls.run(kernel, arguments)
        calls.run(kernel, far)
        assert calls.bits(far) == calls.bits(arguments), kernel
    for form in ("dense", "scanned", "f4", "f8", "?"):
        near = core_example(np.dtype(dtype), form, "squared_error", "adam", 9, (7, 5, 3))
        far = calls.rebuilt(near, far_apart)
        for call in CORE:
            assert calls.bits(call(far)) == calls.bits(call(near)), (call, form)
        assert calls.bits(far) == calls.bits(near), form


def check_many_elements():
    """Bytes that are all zero but four, against a sparse matrix of these."""
    n, n_in = 2**16 + 1, 2**15
    X = reserved(n * n_in).reshape(n, n_in)
    assert X.size > 2**31
    rows, columns = [0, 40_000, n - 1, n - 1], [1, 12_345, n_in - 2, n_in - 1]
    X[rows, columns] = values = np.float32([3, 2, 7, 5])
    sparse = scipy.sparse.csr_matrix((values, (rows, columns)), X.shape)
    params = {"hidden_layer_sizes": 3, "solver": "sgd", "max_iter": 1, "random_state": 0}
    models = [
        mlp_c.MLPRegressor(**params, compute_dtype="float32").fit(given, np.arange(n) % 7)
        for given in (X, sparse)
    ]
    assert len({tuple(calls.bits(model.coefs_)) for model in models}) == 1
    assert (models[0].predict(X[-2:]) == models[1].predict(sparse[-2:])).all()


def check_many_floats():
    """Predictions for float32 rows that are all zero but three, against those for these alone."""
    n, n_in, some = 2**16 + 1, 2**15, [0, 40_000, 2**16]
    X = reserved(4 * n * n_in).view(np.float32).reshape(n, n_in)
    X[some, [1, 12_345, n_in - 1]] = 3, 2, 7
    weights, biases = [calls.normal(np.float32)(n_in, 3)], [np.float32([1, 2, 3])]
    wanted = np.tile(biases[0], (n, 1))
    wanted[some] = outputs(X[some], weights, biases)
    assert (wanted[some] != biases[0]).all()
    for form in (X, (X, None)):
        assert (outputs(form, weights, biases) == wanted).all()


@linux
@pytest.mark.skipif(sys.maxsize < 2**33, reason="needs 64-bit addresses")
def test_offsets_beyond_two_to_the_31_are_no_wrapped_ones(dtype):
    processes.run(check_far_rows, dtype)


@linux
@pytest.mark.skipif(sys.maxsize < 2**33, reason="needs 64-bit addresses")
def test_more_than_two_to_the_31_elements_are_trained_on():
    processes.run(check_many_elements)


@linux
@pytest.mark.skipif(sys.maxsize < 2**33, reason="needs 64-bit addresses")
def test_more_than_two_to_the_31_floats_are_predicted_for():
    processes.run(check_many_floats)


# ---- little memory ----


def check_little_memory():
    """With 256 MB more than the interpreter has now: refused, and the next call works."""
    model = fitted()
    with open("/proc/self/statm") as file:
        limit = int(file.read().split()[0]) * mmap.PAGESIZE + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    X = virtual(9, 20_000)
    for call in (
        lambda: kernels.forward(virtual(10**6, 5), [zeros(5, 200)], [zeros(200)]),
        lambda: kernels.forward(X, [virtual(20_000, 9000)], [zeros(9000)]),
        lambda: kernels.backward(X, [virtual(9, 9000)], virtual(9, 9000), [virtual(20_000, 9000)]),
        lambda: kernels.softmax(virtual(10**6, 100)),
        lambda: mlp_c.MLPRegressor(hidden_layer_sizes=20_000).fit(np.ones((9, 9000)), np.ones(9)),
        lambda: model.predict(virtual(10**8, 2)),
    ):
        with pytest.raises(MemoryError):
            call()
        assert np.isfinite(model.predict(zeros(9, 2))).all()
        fitted()


@linux
def test_too_little_memory_is_a_memory_error_and_the_next_call_works():
    processes.run(check_little_memory)


def check_small_stack():
    """The caller's stack; the team's other threads have theirs."""
    threading.stack_size(64 << 10)
    done = []

    def work(isa):
        _core.set_isa(isa)
        X = np.ones((1000, 300), np.float32)
        model = mlp_c.MLPClassifier((40,), max_iter=2, n_threads=2, early_stopping=True)
        model.fit(X, np.arange(1000) % 3).predict_proba(X)
        mlp_c.MLPRegressor(hidden_layer_sizes=40, solver="lbfgs", max_iter=2).fit(
            X, X[:, 0]
        ).predict(X)
        activations = kernels.forward(X, model.coefs_, model.intercepts_, n_threads=2)
        _, dlogits = kernels.softmax_cross_entropy(activations[-1], np.arange(1000) % 3)
        gradients = kernels.backward(X, activations, dlogits, model.coefs_, n_threads=2)
        kernels.sgd_step(model.coefs_, gradients[0], 0.1)
        for dtype in (np.float32, np.float64):  # gradients that are wide, of which rows are copied
            weights = [np.ones((300, 600), dtype)]
            deltas = np.ones((1000, 600), dtype)
            kernels.backward(X.astype(dtype), [deltas], deltas, weights, n_threads=1)
        done.append(isa)

    for isa in _core.config()["supported_isas"]:
        thread = threading.Thread(target=work, args=(isa,))
        thread.start()
        thread.join()
    assert done == _core.config()["supported_isas"]


@linux
def test_a_stack_of_64_kib_is_enough():
    processes.run(check_small_stack)


@linux
def test_weights_without_columns_take_no_time():
    """Whatever their rows: 2**40 steps of nothing take minutes."""
    n = 2**40
    X, weights = wide.virtual(5, n), [np.empty((n, 0), np.float32)]
    (out,) = kernels.forward(X, weights, [np.empty(0, np.float32)])
    assert out.shape == (5, 0)


# ---- little by little ----


def in_use():
    """Threads, open files, and bytes of resident memory."""
    gc.collect()
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * mmap.PAGESIZE
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), resident


def check_a_thousand_models():
    X = np.ones((700, 60), np.float32)  # enough for a second thread
    for i in range(1100):
        if i == 100:
            processes.end_parked_threads()
            threads, files, resident = in_use()
        model = mlp_c.MLPRegressor(hidden_layer_sizes=100, n_threads=2, random_state=i)
        model.partial_fit(X, X[:, 0]).predict(X)
        del model
    after = in_use()
    assert after[0] <= threads + 1  # one is parked
    assert after[1] <= files
    assert after[2] - resident < 2 << 20


@linux
def test_a_thousand_models_leave_no_thread_no_file_and_no_memory():
    processes.run(check_a_thousand_models)

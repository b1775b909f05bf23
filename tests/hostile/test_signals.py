"""Signals in the middle of C code: handlers run beside it, soon, whatever work is not divided."""

import signal
import time
import warnings

import numpy as np
import pytest

from mlp_c import MLPClassifier, MLPRegressor, _core, kernels
from support import processes
from support.signals import PROMISED_SECONDS, TOLERATED_SECONDS, epoch, has_alarms, rows, run
from support.wide import virtual

# ---- work that no row, layer or step of divides ----


def forward_row():
    """One sum of 2**27 products."""
    n = 2**27
    X, weights, biases = virtual(1, n), [virtual(n, 1)], [virtual(1)]
    return lambda: kernels.forward(X, weights, biases, n_threads=2)


def predict_row():
    """A single piece of work for two threads, whichever of them takes it."""
    n = 2**26
    X, weights, biases = virtual(2, n), [virtual(n, 1)], [virtual(1)]
    return lambda: _core.predict(X, None, weights, biases, "relu", "identity", False, 2)


def softmax_row():
    logits, out = virtual(1, 2**27), np.zeros((1, 2**27), np.float32)
    return lambda: kernels.softmax(logits, out=out)


def cross_entropy_row():
    logits, out = virtual(1, 2**27), np.zeros((1, 2**27), np.float32)
    return lambda: kernels.softmax_cross_entropy(logits, logits, out=out)


def backward_wide():
    """A layer of 2**19 units, each of one weight."""
    n, width = 64, 2**19
    weights = [virtual(1, width), virtual(width, 1)]
    activations, dlogits = [virtual(n, width), virtual(n, 1)], virtual(n, 1)
    X = virtual(n, 1)
    return lambda: kernels.backward(
        X, activations, dlogits, weights, activation="tanh", n_threads=1
    )


def pack_weights():
    """2**27 elements, to be copied before there is anything to multiply."""
    n = 12000
    X, weights, biases = virtual(5, n), [virtual(n, n)], [virtual(n)]
    return lambda: kernels.forward(X, weights, biases, n_threads=1)


def convert_row():
    X = virtual(1, 2**27, value=0, dtype=np.float16)
    return lambda: _core.index_nonzeros(X, "float32", 0.5, np.inf, 1)


def list_sparse_rows():
    """128 rows of 100,000 elements that are not zero, to be listed by column."""
    n, n_values, width = 128, 100_000, 1_000_000
    columns = np.tile(np.arange(0, width, width // n_values, dtype=np.int32), n)
    X = np.ones(n * n_values, np.float32), columns, np.arange(n + 1) * n_values, width
    weights, biases = [np.ones((width, 1), np.float32)], [np.ones(1, np.float32)]
    return epoch(X, virtual(n, 1), weights, biases, batch_size=n, learning_rates=np.full(1, 1e-9))


def pass_over_batches():
    """Batches of few rows, whose weights are none."""
    n = 2**27
    weights, biases = [np.ones((1, 1), np.float32)], [np.ones(1, np.float32)]
    weight = np.zeros(n, np.float32)
    options = {"sample_weight": weight, "batch_size": 16, "n_threads": 2}
    return epoch(virtual(n, 1), virtual(n, 1), weights, biases, **options)


def count_slots():
    """Of 2**24 sparse rows in any order, before anything is trained; then steps are refused."""
    n = 2**24
    order = np.random.default_rng(0).permutation(n)
    X = np.ones(1, np.float32), np.zeros(1, np.int32), np.ones(n + 1, np.int32), 1
    X[2][0] = 0
    network = [np.ones((1, 1), np.float32)], [np.ones(1, np.float32)]
    train = epoch(X, virtual(n, 1), *network, order=order, batch_size=n, steps=None)

    def work():
        with pytest.raises(TypeError, match="steps"):
            train()

    return work


def large_layers():
    """Training of which to draw the weights, and to clear their moments, takes a second alone."""
    _core.set_isa("baseline")
    X = rows(256, 64, np.float64)
    model = MLPRegressor(hidden_layer_sizes=(4500, 4500), batch_size=len(X))
    model.set_params(max_iter=1, n_threads=1, random_state=0)
    return lambda: model.fit(X, X[:, 0])


INDIVISIBLE = {
    "forward_row": forward_row,
    "predict_row": predict_row,
    "softmax_row": softmax_row,
    "cross_entropy_row": cross_entropy_row,
    "backward_wide": backward_wide,
    "pack_weights": pack_weights,
    "convert_row": convert_row,
    "list_sparse_rows": list_sparse_rows,
    "pass_over_batches": pass_over_batches,
    "count_slots": count_slots,
    "large_layers": large_layers,
}


def watch_waits(case):
    """Seconds that a call takes, and that a signal waits in it at most; two calls.

    Where the machine pauses the process, the clock goes on, but not that of the CPU.
    """
    work = INDIVISIBLE[case]()
    handled = []

    def note(*_):
        handled.append((time.perf_counter(), time.process_time()))

    signal.signal(signal.SIGALRM, note)
    for _ in range(2):
        handled.clear()
        note()
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            work()
        signal.setitimer(signal.ITIMER_REAL, 0)
        note()
        yield handled[-1][0] - handled[0][0], np.diff(handled, axis=0).min(axis=1).max()


@has_alarms
@pytest.mark.parametrize("case", INDIVISIBLE)
def test_a_signal_waits_for_no_work_of_any_size(case):
    seen = run(watch_waits, case)
    assert min(wait for _, wait in seen) < TOLERATED_SECONDS, seen


# ---- work in the midst of which handlers run ----


def watch_alarms(solver):
    """One fit without and one with an alarm every millisecond, of one long iteration."""
    X = rows(20000, 300)
    y = np.arange(len(X)) % 10
    model = MLPClassifier((300,), solver=solver, batch_size=len(X), max_iter=3, random_state=0)
    model.set_params(n_threads=2)

    def fit():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        return [p.tobytes() for p in model.coefs_ + model.intercepts_]

    alone = fit()
    inside = []
    run = _core.loss_gradient if solver == "lbfgs" else _core.train_epoch

    def run_and_count(*arguments):
        handled = len(alarms)
        start = time.perf_counter()
        result = run(*arguments)
        inside.append((time.perf_counter() - start, len(alarms) - handled))
        return result

    setattr(_core, run.__name__, run_and_count)
    alarms = []
    signal.signal(signal.SIGALRM, lambda *_: alarms.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    beside = fit()
    signal.setitimer(signal.ITIMER_REAL, 0)
    yield beside == alone, *np.sum(inside, axis=0)


@has_alarms
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_handlers_run_in_the_midst_of_a_fit_and_change_no_bit(solver):
    ((same_bits, seconds, handled),) = run(watch_alarms, solver)
    assert same_bits
    # Polls are 20 ms apart; while one C call runs, nothing else lets a handler in.
    assert handled >= seconds / PROMISED_SECONDS


def handle_alarms_in_an_update():
    """Prints how many are handled in a step of 2**28 parameters in one vector."""
    params, alarms = np.ones(2**28, np.float32), []
    signal.signal(signal.SIGALRM, lambda *_: alarms.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    before = len(alarms)
    kernels.sgd_step([params], [virtual(2**28)], 0.1)
    handled = len(alarms) - before
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert (params == np.float32(1) - np.float32(0.1) * np.float32(0.5)).all()
    print(handled)


@has_alarms
def test_handlers_run_in_the_midst_of_an_update():
    """Some more may be handled as the call begins and returns."""
    assert int(processes.run(handle_alarms_in_an_update)) > 3

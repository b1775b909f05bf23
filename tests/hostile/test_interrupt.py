"""Ctrl-C in the middle of C code stops it at once.

Each case runs in a process of its own, and prints what it saw: seconds from the signal to the
end of the call, and how that ended.
"""

import copy
import os
import signal
import statistics
import threading
import time
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.metrics import log_loss

from mlp_c import MLPClassifier, MLPRegressor, TabularMLPClassifier, _core, kernels
from support import calls, processes
from support.signals import PROMISED_SECONDS, TOLERATED_SECONDS, has_alarms, rows, run
from support.wide import virtual

DELAYS = (0.05, 0.11, 0.17)  # from the start of the C call to the signal


def endless(cls, **params):
    """A fit that nothing but the signal ends in reasonable time."""
    defaults = {"max_iter": 10**6, "tol": 0, "n_iter_no_change": np.inf, "n_threads": 2}
    return cls(random_state=0, **defaults | params)


def interrupt_fit(model, X, y):
    def work():
        model.fit(X, y)

    def check():
        parameters = model.coefs_ + model.intercepts_
        assert all(np.isfinite(p).all() for p in parameters)
        assert np.isfinite(model.predict(X[:50].astype(np.float64))).all()

    return work, check


def small_batches(**params):
    X = rows(3000, 50)
    return interrupt_fit(endless(MLPClassifier, **params), X, np.arange(len(X)) % 4)


def whole_batch(**params):
    """An epoch of some seconds that is one batch."""
    X = rows(60000, 784)
    model = endless(MLPClassifier, hidden_layer_sizes=(512,), batch_size=len(X), **params)
    return interrupt_fit(model, X, np.arange(len(X)) % 10)


def held_out(**params):
    """With rows to validate with, which take most of the time; the best weights are kept."""
    X, X_val = rows(1500, 50), rows(6000, 50)[::-1]
    y, y_val = np.arange(len(X)) % 4, np.arange(len(X_val)) % 4
    model = endless(MLPClassifier, early_stopping=True, scoring="loss", **params)

    def work():
        model.fit(X, y, X_val=X_val, y_val=y_val)

    def check():
        curve = model.validation_loss_curve_
        assert len(curve) == len(model.validation_scores_) <= model.n_iter_
        if not curve:  # on a machine so slow that the first iteration did not end
            assert model.best_iter_ == 0
            return
        assert -model.best_validation_score_ == min(curve) == curve[model.best_iter_ - 1]
        kept = log_loss(y_val, model.predict_proba(X_val))
        assert abs(kept - min(curve)) <= 1e-5 * kept

    return work, check


def table():
    """Members whose epochs are long for their rows, which are looked back at in the end."""
    X = rows(3000, 20, np.float64)
    y = np.arange(len(X)) % 3
    model = TabularMLPClassifier(max_iter=10**6, n_threads=2, random_state=0)
    model.set_params(n_members=3, n_iter_no_change=np.inf, batch_size=1)

    def check():
        assert len(model.members_) == 3
        assert np.isfinite(model.predict_proba(X[:50])).all()

    return lambda: model.fit(X, y), check


def lbfgs(**params):
    X = rows(3000, 50)
    return interrupt_fit(endless(MLPRegressor, solver="lbfgs", **params), X, X[:, 0] * X[:, 1])


def wide_layer():
    """Products that take seconds, of inputs that take no memory."""
    X = virtual(6000, 20000)
    weights, biases = [np.full((20000, 2000), 1e-3, np.float32)], [np.zeros(2000, np.float32)]
    return X, weights, biases


def forward():
    X, weights, biases = wide_layer()
    out = [np.empty((len(X), 2000), np.float32)]
    return lambda: kernels.forward(X, weights, biases, out=out, n_threads=2), lambda: None


def backward():
    X, weights, biases = wide_layer()
    dlogits = virtual(len(X), 2000)
    out = [np.empty_like(w) for w in weights], [np.empty_like(b) for b in biases]
    return (
        lambda: kernels.backward(X, [dlogits], dlogits, weights, out=out, n_threads=2),
        lambda: None,
    )


def train_step():
    X, weights, biases = wide_layer()
    y = np.zeros(len(X), np.int32)

    def check():
        """Before any update, for the products alone take longer."""
        assert (weights[0] == np.float32(1e-3)).all()
        assert (biases[0] == 0).all()

    return lambda: kernels.train_step(X, y, weights, biases, 0.1, n_threads=2), check


def sgd_step():
    """Columns far apart, which take long to update for the memory they take."""
    params = np.ones((20000, 8000), np.float32).T
    gradients = virtual(*params.shape, value=1)
    return lambda: kernels.sgd_step([params], [gradients], 0.1), lambda: None


def predict():
    X = rows(60000, 300)
    layers = (1024,) * 4
    model = MLPRegressor(hidden_layer_sizes=layers, max_iter=1, n_threads=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[:20], X[:20, 0])
    return lambda: model.predict(X), lambda: model.predict(X[:50])


def predict_sparse():
    """Rows without a zero: each of them is 18 million multiply-adds."""
    X = csr_matrix(rows(2000, 3000))
    model = MLPRegressor(hidden_layer_sizes=(6000,), max_iter=1, n_threads=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[:20], np.arange(20))
    return lambda: model.predict(X), lambda: model.predict(X[:50])


class SlowNetwork:
    """Batches of one row, but of long: the weights lie in the order that takes longest."""

    def __init__(self, width):
        weights = [
            np.full((width, width), 1e-3, np.float32, order="F"),
            virtual(width, 1, value=1e-3).copy(),
        ]
        self.network = weights, [np.zeros(width, np.float32), np.zeros(1, np.float32)]
        self.parameters = [p for part in self.network for p in part]
        self.X = np.linspace(0, 0.01, width, dtype=np.float32).reshape(1, -1)
        self.steps = np.zeros(1, np.int64)

    def fields(self, n, steps):
        """Of n batches."""
        rows = self.X.repeat(n, axis=0), virtual(n, 1)
        options = {"loss": calls.loss("squared_error"), "learning_rates": np.ones(n)}
        options |= {"l2": 0.1, "batch_size": 1, "steps": steps, "n_threads": 2}
        return calls.fields("train_epoch", *rows, *self.network, **options)

    def begin(self):
        """The fields of an epoch that is to be interrupted in its first batch."""
        self.before = [p.copy(order="A") for p in self.parameters]
        return self.fields(100, self.steps)

    def check(self):
        """Each parameter is as before or as after the first batch, which does not count."""
        found = [p.copy(order="A") for p in self.parameters]
        for p, old in zip(self.parameters, self.before, strict=True):
            p[...] = old
        _core.train_epoch(self.fields(1, np.zeros(1, np.int64)))
        for got, old, new in zip(found, self.before, self.parameters, strict=True):
            assert ((got == old) | (got == new)).all()
        assert self.steps == 0


def long_updates():
    """Of a second each."""
    slow = SlowNetwork(8000)
    return lambda: _core.train_epoch(slow.begin()), slow.check


def long_updates_of_members():
    slow = [SlowNetwork(6000) for _ in range(2)]

    def work():
        _core.train_members([(network.begin(), None) for network in slow], 2)

    return work, lambda: [network.check() for network in slow]


def members():
    """Three networks on two threads, which have one to begin when the signal comes."""
    X, size, epochs = rows(400_000, 20), 10, []
    y = np.arange(len(X)) % 3

    def begin(i, n):
        """The fields of the i-th, for n rows; each other one clips its gradients."""
        weights, biases = kernels.initialize((20, 100, 3), random_state=i, dtype=X.dtype)
        options = {"max_grad_norm": 0.1, "dropout": [0.1, 0.2]} if i % 2 else {}
        options |= {"moments": calls.moments("adam", weights + biases)}
        options |= {"learning_rates": calls.rates(1e-3, len(X), size)}
        return calls.fields(
            *("train_epoch", X[:n], y[:n], weights, biases),
            rule=calls.rule("adam"), batch_size=size, **options,
        )  # fmt: skip

    def work():
        epochs[:] = [begin(i, len(X)) for i in range(3)]
        _core.train_members([(epoch, None) for epoch in epochs], 2)

    def check():
        """Each is as its first batches leave it, which are counted."""
        steps = [int(epoch["steps"][0]) for epoch in epochs]
        assert 0 < steps[0] < len(X) // size
        assert steps[2] == 0
        written = "weights", "biases", "moments", "steps"
        for i, epoch in enumerate(epochs):
            first = begin(i, size * steps[i])
            _core.train_epoch(first)
            assert all(calls.bits(epoch[name]) == calls.bits(first[name]) for name in written)

    return work, check


def members_held_out():
    """Two networks whose rows held out take most of the time."""
    X, widths = rows(20, 300), (300, 1024, 1024, 1)
    network = kernels.initialize(widths, random_state=0, dtype=X.dtype)
    shared = {"loss": calls.loss("squared_error"), "activation": "relu"}
    held_out = calls.fields("evaluate", virtual(300_000, 300), virtual(300_000, 1), *network)

    def work():
        networks = [copy.deepcopy(network) for _ in range(2)]
        _core.train_members(
            [
                (
                    calls.fields("train_epoch", X, X[:, :1], weights, biases, **shared),
                    held_out | shared | {"weights": weights, "biases": biases},
                )
                for weights, biases in networks
            ],
            2,
        )

    return work, lambda: None


CLIPPED = {"max_grad_norm": 0.1, "dropout": 0.2, "input_dropout": 0.1}

# By name: the C function to interrupt, the case, and how the call ends.
WARNS, RAISES = "Training interrupted by user.", "KeyboardInterrupt"
CASES = {
    "sgd": ("train_epoch", lambda: small_batches(solver="sgd"), WARNS),
    "adam": ("train_epoch", lambda: small_batches(solver="adam"), WARNS),
    "adam_early_stopping": ("train_epoch", lambda: small_batches(early_stopping=True), WARNS),
    "adam_held_out": ("evaluate", lambda: held_out(hidden_layer_sizes=(30,)), WARNS),
    "clipped": ("train_epoch", lambda: small_batches(**CLIPPED), WARNS),
    "clipped_whole_batch": ("train_epoch", lambda: whole_batch(**CLIPPED), WARNS),
    "lbfgs": ("loss_gradient", lbfgs, WARNS),
    "lbfgs_held_out": (
        *("evaluate", lambda: held_out(hidden_layer_sizes=(30,), solver="lbfgs")),
        WARNS,
    ),
    "sgd_whole_batch": ("train_epoch", lambda: whole_batch(solver="sgd"), WARNS),
    "adam_whole_batch": ("train_epoch", whole_batch, WARNS),
    "lbfgs_large": ("loss_gradient", lambda: whole_batch(solver="lbfgs"), WARNS),
    "forward": ("forward", forward, RAISES),
    "backward": ("backward", backward, RAISES),
    "train_step": ("train_step", train_step, RAISES),
    "sgd_step": ("sgd_step", sgd_step, RAISES),
    "long_updates": ("train_epoch", long_updates, RAISES),
    "members": ("train_members", members, RAISES),
    "table": ("train_members", table, WARNS),
    "members_held_out": ("train_members", members_held_out, RAISES),
    "members_long_updates": ("train_members", long_updates_of_members, RAISES),
    "predict": ("predict", predict, RAISES),
    "predict_sparse": ("predict", predict_sparse, RAISES),
}


def when_called(function, action):
    """Has the C function do the action when it is first called."""
    original = getattr(_core, function)

    def call(*arguments):
        setattr(_core, function, original)
        action()
        return original(*arguments)

    setattr(_core, function, call)


def watch_interrupt(case):
    function, prepare, _ = CASES[case]
    work, check = prepare()
    for delay in DELAYS:
        sent = []

        def interrupt(sent=sent):
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        when_called(function, threading.Timer(delay, interrupt).start)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                work()
            except KeyboardInterrupt:
                ending = RAISES
            else:
                ending = " ".join(str(w.message) for w in caught)
            seconds = time.perf_counter() - sent[0]
        check()
        yield seconds, ending


def shared_arrays():
    """As many arrays that lie in one place; any of them might have been one to write to."""
    n, one = 15000, np.ones((1, 1), np.float32)
    return lambda: kernels.forward(one, [one] * n, [one[0]] * n)


def many_layouts():
    """Memory is laid out for 500 threads, for 1500 layers each."""
    n = 1500
    X, weights, biases = virtual(20000, 20), [virtual(20, 20)] * n, [virtual(20)] * n
    arguments = X, None, weights, biases, "relu", "identity", False, 500
    return lambda: _core.predict(*arguments)


PREPARED = {"shared_arrays": shared_arrays, "many_layouts": many_layouts}


def watch_preparation(case):
    """Seconds from a signal, whose handler raises, to the end of a call that is still preparing."""
    work = PREPARED[case]()

    signal.signal(signal.SIGALRM, signal.default_int_handler)
    for delay in 3 * DELAYS:  # of which one is to be undisturbed by other processes
        start = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, delay)
        with pytest.raises(KeyboardInterrupt):
            work()
        yield time.perf_counter() - start - delay


def watch_steps(case):
    """Whether an epoch that was interrupted left what its first batches alone make, counted."""
    X = rows(400_000, 20)
    y = np.arange(len(X)) % 3
    n_threads, *clipped = case.split()
    size = 10 if n_threads == "1" else 1000  # enough for more threads
    model = MLPClassifier(max_iter=1, batch_size=size, shuffle=False, random_state=0)
    model.set_params(n_threads=int(n_threads), **CLIPPED if clipped else {})

    signal.signal(signal.SIGALRM, signal.default_int_handler)
    when_called("train_epoch", lambda: signal.setitimer(signal.ITIMER_REAL, 0.05))
    model.fit(X, y)
    steps = int(model._optimizer.steps[0])
    assert 0 < steps < len(X) // size
    first = clone(model).fit(X[: size * steps], y[: size * steps])
    assert first._optimizer.steps == steps
    trained = [[m.coefs_, m.intercepts_, *m._optimizer.moments] for m in (model, first)]
    yield calls.bits(trained[0]) == calls.bits(trained[1])


@pytest.mark.parametrize("case", CASES)
def test_an_interrupt_stops_c_code_at_once(case):
    seen = run(watch_interrupt, case)
    assert [ending for _, ending in seen] == [CASES[case][2]] * len(DELAYS)
    seconds = [seconds for seconds, _ in seen]
    assert min(seconds) < PROMISED_SECONDS
    assert statistics.median(seconds) < TOLERATED_SECONDS


@has_alarms
@pytest.mark.parametrize("case", PREPARED)
def test_an_interrupt_stops_what_comes_before_the_kernel(case):
    assert min(run(watch_preparation, case)) < PROMISED_SECONDS


@has_alarms
@pytest.mark.parametrize("case", ["1", "2", "1 clipped", "2 clipped"])
def test_the_steps_of_an_epoch_that_is_interrupted_count(case):
    """Adam's bias corrections in the next epoch depend on them, and masks."""
    assert run(watch_steps, case) == [True]


# ---- arrays of billions of elements ----


def interrupt_kernels():
    """Prints seconds from Ctrl-C to the end of each kernel, of arrays of a billion elements."""
    for name, call in LONG_CALLS.items():
        work = call()
        sent = []

        def interrupt(sent=sent):
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Timer(0.1, interrupt).start()
        try:
            work()
            time.sleep(10)  # with nothing to do, it had ended before
        except KeyboardInterrupt:
            print(f"{name}: {time.perf_counter() - sent[0]}", flush=True)


def room(*shape):
    return np.empty(shape, np.float32)


LONG_CALLS = {
    "forward": lambda: (
        lambda: kernels.forward(
            virtual(10**6, 1000), [virtual(1000, 300)], [virtual(300)], out=[room(10**6, 300)]
        )
    ),
    "backward": lambda: (
        lambda: kernels.backward(
            virtual(2**30, 8), [virtual(2**30, 2)], virtual(2**30, 2), [virtual(8, 2)]
        )
    ),
    "softmax": lambda: lambda: kernels.softmax(virtual(2**25, 16), out=room(2**25, 16)),
    "softmax_cross_entropy": lambda: (
        lambda: kernels.softmax_cross_entropy(
            virtual(2**25, 16), virtual(2**25, 16), out=room(2**25, 16)
        )
    ),
    "no columns": lambda: lambda: kernels.softmax(np.empty((2**50, 0))),
    "no columns, loss": lambda: (
        lambda: kernels.softmax_cross_entropy(np.empty((2**50, 0)), np.empty((2**50, 0)))
    ),
    "no columns, forward": lambda: (
        lambda: kernels.forward(np.empty((2**50, 0)), [np.empty((0, 0))], [np.empty(0)])
    ),
    "no columns, backward": lambda: (
        lambda: kernels.backward(
            np.empty((2**50, 0)), [np.empty((2**50, 0))], np.empty((2**50, 0)), [np.empty((0, 0))]
        )
    ),
}


def test_an_interrupt_stops_every_kernel_at_once():
    seen = [line.split(": ") for line in processes.run(interrupt_kernels).splitlines()]
    assert [name for name, _ in seen] == list(LONG_CALLS)
    slow = {name: seconds for name, seconds in seen if float(seconds) > TOLERATED_SECONDS}
    assert slow == {}

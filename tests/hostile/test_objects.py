"""Objects and threads that change arguments as they are taken, or are not what they say.

A result or an exception, and nothing outside the arrays that were given. Elsewhere: arrays that
keep still (test_arrays), callbacks (test_callbacks).
"""

import threading
import time
from functools import partial
from itertools import product

import numpy as np
import pytest
import scipy.sparse

from hostile.test_arrays import ARGUMENTS, N_IN, N, clean, fitted
from mlp_c import MLPClassifier, MLPRegressor, _core, kernels
from support import calls, processes


class Acting:
    """An array that does something whenever it is asked for its elements."""

    def __init__(self, array, action):
        self.array, self.action = array, action

    def __array__(self, dtype=None, copy=None):
        self.action()
        return self.array if dtype is None else self.array.astype(dtype)

    def __len__(self):
        self.action()
        return len(self.array)

    def __getitem__(self, key):
        self.action()
        return self.array[key]


class Fickle(Acting):
    """Another array each time."""

    def __init__(self, *arrays):
        super().__init__(arrays[0], self.next)
        self.arrays = arrays
        self.turn = 0

    def next(self):
        self.turn += 1
        self.array = self.arrays[self.turn % len(self.arrays)]


class ActingList(list):
    def __init__(self, items, action):
        super().__init__(items)
        self.action = action

    def __iter__(self):
        for item in list(super().__iter__()):
            yield item
            self.action()


class ActingInt(int):
    """An int that does something when it is compared or converted."""

    action = staticmethod(lambda: None)

    def __int__(self):
        self.action()
        return 2

    __index__ = __int__

    def __lt__(self, other):
        self.action()
        return False


class ActingReal(float):
    action = staticmethod(lambda: None)

    def __float__(self):
        self.action()
        return 0.5


def outcome(call):
    """Whether a call gives a result or raises an exception that it may raise."""
    try:
        call()
    except (TypeError, ValueError, IndexError, AttributeError, RuntimeError):
        return "refused"
    return "done"


def forward_with(change):
    a = calls.example("forward")
    change(a)
    return lambda: kernels.forward(a.pop("X"), **a)


def acting_weights(a):
    def act():
        a["biases"].clear()
        a["out"].clear()
        a["weights"][:] = [np.ones((1, 1))]

    a["weights"] = ActingList(a["weights"], act)


def acting_threads(a):
    a["n_threads"] = ActingInt(2)
    a["n_threads"].action = lambda: (a["weights"].clear(), a["biases"].clear())


def lying_list(a):
    class Lying(list):
        def __len__(self):
            return 10**9

        def __getitem__(self, key):
            raise IndexError

    a["weights"], a["out"] = Lying(a["weights"]), Lying(a["out"])


def reshaped_input(a):
    def act():
        a["X"].shape = (1, a["X"].size)
        a["out"][0].shape = (a["out"][0].size,)

    a["biases"] = ActingList(a["biases"], act)


def learning_rate():
    a = calls.example("sgd_step")
    rate = ActingReal(0.5)
    rate.action = a["params"].clear
    return kernels.sgd_step(a["params"], a["grads"], rate)


def eps():
    a = calls.example("softmax_cross_entropy")
    value = ActingReal(0.5)
    value.action = lambda: a["logits"].resize((1, 1), refcheck=False)
    return kernels.softmax_cross_entropy(a["logits"], a["y"], eps=value)


def use_with(change, method, cls=MLPClassifier):
    model = fitted(cls)
    a = {name: clean(name) for name in ARGUMENTS[method]}
    change(model, a)
    return getattr(model, method)(**a)


def emptied_labels(model, a):
    y = a["y"].tolist()
    a["X"], a["y"] = Acting(a["X"], y.clear), y


def shorter_labels(model, a):
    y = ActingList(a["y"], lambda: None)
    y.action = lambda: y.pop() if len(y) > 2 else None
    a["y"] = y


def changed_model(model, a):
    def act():
        model.hidden_layer_sizes, model.batch_size, model.n_threads = (2**40,), -5, "many"

    a["X"] = Acting(a["X"], act)


def deleted_model(model, a):
    a["X"] = Acting(a["X"], lambda: vars(model).pop("coefs_", None))


def fickle_rows(model, a):
    a["X"] = Fickle(a["X"], a["X"][:5], np.ones((N, 9)), a["X"] * np.nan)


def fickle_labels(model, a):
    a["y"] = Fickle(a["y"], a["y"][:5], a["y"] + 2**40)


def fickle_weights(model, a):
    a["sample_weight"] = Fickle(np.ones(N), np.ones(3), -np.ones(N))


def fickle_widths(model, a):
    model.hidden_layer_sizes = Fickle(np.array([3]), np.array([7, 2]), np.array([]))


def odd_stream(model, a):
    class Odd(np.random.RandomState):
        def uniform(self, *args, **kwargs):
            return np.ones((2, 2))

        def shuffle(self, x):
            x[:] = 2**40

    model.random_state = Odd(0)


def changed_by_keys(model, a):
    class Keyed(dict):
        def keys(self):
            a["y"].resize(2, refcheck=False)
            return super().keys()

    a["X"] = Keyed({i: a["X"][:, i] for i in range(N_IN)})


CHANGES = [emptied_labels, shorter_labels, changed_model, deleted_model, fickle_rows]
CHANGES += [fickle_labels, fickle_weights, fickle_widths, odd_stream, changed_by_keys]


def check_changing_arguments():
    """Prints how each call ended."""
    for change in (acting_weights, acting_threads, lying_list, reshaped_input):
        print(change.__name__, outcome(forward_with(change)), flush=True)
    for call in (learning_rate, eps):
        print(call.__name__, outcome(call), flush=True)
    uses = product(CHANGES, ("fit", "partial_fit"), (MLPClassifier, MLPRegressor))
    for change, *use in [*uses, (deleted_model, "predict"), (fickle_rows, "predict")]:
        print(change.__name__, outcome(partial(use_with, change, *use)), flush=True)


def test_arguments_that_change_as_they_are_taken_are_no_danger():
    seen = [line.split() for line in processes.run(check_changing_arguments).splitlines()]
    assert {ending for _, ending in seen} == {"done", "refused"}
    assert len(seen) == 6 + 4 * len(CHANGES) + 2


def test_an_array_cannot_talk_its_way_past_the_overlap_check():
    class Smooth(np.ndarray):
        def __array_function__(self, function, types, args, kwargs):
            return False

    logits = np.ones((4, 3)).view(Smooth)
    with pytest.raises(ValueError, match="out must be an array of its own"):
        kernels.softmax(logits, out=logits[::-1])


# ---- another thread ----


def rewrite(arrays, stop):
    """Fills arrays with anything and with what belongs there, in turns."""
    good = [array.copy() for array in arrays]
    turn = 0
    while not stop.is_set():
        turn += 1
        for array, was in zip(arrays, good, strict=True):
            array[...] = was if turn % 3 == 0 else [2**31 - 1, -1][turn % 2]


def check_rewriting_thread():
    """In bounds whatever labels, orders, columns and zeros another thread writes."""
    n, n_in, k = 3000, 300, 5
    rng = np.random.default_rng(0)
    X = rng.integers(0, 9, (n, n_in)).astype(np.float32) * (rng.random((n, n_in)) < 0.1)
    csr = scipy.sparse.csr_matrix(X)
    wide = csr.indices.astype(np.int64)
    starts = csr.indptr.astype(np.int64)
    pairs = _core.index_nonzeros(X, "float32", 1.0, np.inf, 1)
    y, order = np.arange(n) % k, rng.permutation(n)
    weights, biases = [np.ones((n_in, 40), np.float32)], [np.zeros(40, np.float32)]
    rows = X.copy(), (X, None), (csr.data, csr.indices, starts, n_in), pairs
    rows += ((csr.data, wide, starts, n_in),)
    stop = threading.Event()
    rewritten = [y, order, csr.indices, wide, starts, X, pairs[1], pairs[2]]
    threads = [threading.Thread(target=rewrite, args=([a], stop)) for a in rewritten]
    logits = np.ones((n, k), np.float32)
    arguments = weights, biases, "relu", "identity", False, 2
    ended = {"done": 0, "refused": 0}
    for thread in threads:
        thread.start()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        for form in rows:
            ended[outcome(lambda form=form: _core.predict(form, order, *arguments))] += 1
            ended[outcome(lambda form=form: _core.predict(form, None, *arguments))] += 1
            ended[outcome(lambda form=form: calls.train_epoch(form, y, weights, biases))] += 1
        ended[outcome(lambda: _core.index_nonzeros(X, "float32", 1.0, np.inf, 2))] += 1
        ended[outcome(lambda: kernels.softmax_cross_entropy(logits, y))] += 1
    stop.set()
    for thread in threads:
        thread.join()
    assert min(ended.values()) > 5, ended


def test_what_another_thread_writes_meanwhile_leads_nowhere_else():
    processes.run(check_rewriting_thread)

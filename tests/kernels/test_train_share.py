"""An epoch whose batches several processes share: here, threads of one process.

The oracle is train_epoch: where each goes on from the sums of the one before, all have its bits.
"""

import threading
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from mlp_c import _core
from support import calls

N, WIDTHS = 601, (21, 19, 3)


class Processes:
    """Some threads that stand for processes, in a chain."""

    def __init__(self, n):
        self.n = n
        self._barrier = threading.Barrier(n, timeout=60)
        self._pieces = [threading.Semaphore(0) for _ in range(n)]
        self.messages = [None] * n  # gradients and losses that each goes on from
        self.total = None

    def exchange(self, rank, gradients, n_rows):
        """For the rows of each batch that is not passed over."""
        left = iter(n_rows)

        def exchange(point, index, loss):
            is_empty = (point, index) == ("send", 0) and next(left) == 0
            if rank == 0 and is_empty:
                for own in gradients:
                    own[...] = 0
            if point == "receive":
                assert self._pieces[rank].acquire(timeout=60)
                if index == 0:
                    for own, given in zip(gradients, self.messages[rank][0], strict=True):
                        own[...] = given
                return self.messages[rank][1] if index == 0 else loss
            if point == "send":
                self._send(rank, index, loss, gradients)
                return loss
            self._barrier.wait()
            for own, total in zip(gradients, self.total[0], strict=True):
                own[...] = total
            self._barrier.wait()
            return self.total[1]

        return exchange

    def _send(self, rank, index, loss, gradients):
        """Give the next all pieces when the last of them is there."""
        if index == 0:
            self._losses = getattr(self, "_losses", {}) | {rank: loss}
        if index < 1:
            return
        message = [g.copy() for g in gradients], self._losses[rank]
        if rank + 1 == self.n:
            self.total = message
        else:
            self.messages[rank + 1] = message
            for _ in range(2):
                self._pieces[rank + 1].release()


def problem(dtype, form="dense", rule="sgd", **options):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((N, WIDTHS[0])).astype(dtype)
    if form != "dense":
        X[rng.random(X.shape) < 0.8] = 0
    if form == "csr":
        rows = sp.csr_array(X)
        X = rows.data, rows.indices, rows.indptr, WIDTHS[0]
    shapes = list(pairwise(WIDTHS))
    weights = [rng.standard_normal(shape).astype(dtype) / 4 for shape in shapes]
    biases = [rng.standard_normal(k).astype(dtype) for k in WIDTHS[1:]]
    return calls.fields(
        *("train_epoch", X, np.arange(N) % 3, weights, biases),
        rule=calls.rule(rule),
        moments=calls.moments(rule, weights + biases),
        **options,
    )


def share_of(fields, n, rank, batch_size):
    """The rows of each batch that one of n processes has, and the fields that tell of them."""
    order = np.arange(N) if fields["order"] is None else fields["order"]
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    cuts = [(rank * len(b) // n, (rank + 1) * len(b) // n) for b in batches]
    weights = fields["sample_weight"]
    sums = [len(b) if weights is None else np.cumsum(weights[b], dtype=float)[-1] for b in batches]
    rows = np.concatenate([b[i:j] for b, (i, j) in zip(batches, cuts, strict=True)])
    gradients = {
        "dweights": [np.zeros_like(w) for w in fields["weights"]],
        "dbiases": [np.zeros_like(b) for b in fields["biases"]],
    }
    return rows, gradients | {
        "part_starts": np.cumsum([0, *(j - i for i, j in cuts)]),
        "batch_rows": np.where(np.array(sums) > 0, [len(b) for b in batches], 0),
        "first_rows": np.array([i for i, _ in cuts]),
        "weight_sums": np.array(sums, float),
        "piece_starts": np.array([0, WIDTHS[0] // 4 * 2, WIDTHS[0]]),
        "n_parts": 1,
        "goes_on": int(rank > 0),
    }


def run_shared(make, n, batch_size):
    """What each of n processes comes to, and makes of its fields."""
    processes, made, threads = Processes(n), [None] * n, []

    def run(rank):
        fields = make()
        rows, exchange = share_of(fields, n, rank, batch_size)
        gradients = exchange["dweights"] + exchange["dbiases"]
        n_rows = np.diff(exchange["part_starts"])[exchange["batch_rows"] > 0]
        exchange["exchange"] = processes.exchange(rank, gradients, n_rows)
        made[rank] = _core.train_share(fields | {"order": rows}, exchange), bits(fields)

    for rank in range(n):
        threads.append(threading.Thread(target=run, args=(rank,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return made


def bits(fields):
    arrays = fields["weights"] + fields["biases"] + [fields["steps"]]
    return b"".join(a.tobytes() for a in [*arrays, *(m for ms in fields["moments"] for m in ms)])


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("form", ["dense", "zeros", "csr"])
@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 150},
        {"batch_size": N, "rule": "adam", "l2": 0.1, "n_threads": 3},
        {"batch_size": 290, "rule": "momentum", "max_grad_norm": 0.05, "dropout": [0.1, 0.4]},
        {"batch_size": 2, "sample_weight": "some"},
    ],
    ids=["sgd", "adam", "clipped", "weighted"],
)
def test_a_chain_has_the_bits_of_one_process(options, form, n, dtype, isa):
    """Parameters, moments, steps and loss, after rows, batches and pieces of any size."""
    options = dict(options)
    batch_size = options["batch_size"]
    if "sample_weight" in options:
        weights = (np.arange(N) % 5 / 3).astype(dtype)
        weights[40:60] = 0  # batches that are passed over
        options["sample_weight"] = weights
    order = np.random.default_rng(0).permutation(N)[:-40] if batch_size > 2 else None

    def make():
        return problem(dtype, form, order=order, seed=7, **options)

    alone = make()
    result = _core.train_epoch(alone)
    expected = result, bits(alone)
    for shared in run_shared(make, n, batch_size):
        assert shared == expected


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("n_parts", [1, 3])
def test_parts_are_summed_by_the_caller(n_parts, n_threads, dtype):
    """Gradients of each part are given, and what the caller makes of them is what is stepped by."""
    fields = problem(dtype, n_threads=n_threads, batch_size=N, learning_rates=np.ones(1))
    before = [w.copy() for w in fields["weights"]]
    _, exchange = share_of(fields, 1, 0, N)
    given = []

    def add(point, index, loss):
        if point == "send":
            given.append(([g.copy() for g in exchange["dweights"]], loss))
            return loss
        assert (point, index) == ("conclude", 0)
        for layer, gradient in enumerate(exchange["dweights"]):
            gradient[...] = 2 * sum(weights[layer] for weights, _ in given)
        return 0.25 * N

    starts = np.arange(n_parts + 1) * N // n_parts
    exchange |= {"exchange": add, "n_parts": n_parts, "part_starts": starts}
    exchange["piece_starts"] = np.array([0, WIDTHS[0]])
    total, n = _core.train_share(fields, exchange)
    assert (total, n, len(given)) == (0.25 * N, N, n_parts)
    gradients = {"dweights": [np.empty_like(w) for w in before]}
    whole = problem(dtype) | {"dbiases": [np.empty_like(b) for b in fields["biases"]]} | gradients
    taken = {"gradient_scale": 1.0, "l2": 0.0, "order": None}
    names = "X", "y", "sample_weight", "weights", "biases", "activation", "loss", "n_threads"
    value = _core.loss_gradient({k: whole[k] for k in (*names, "dweights", "dbiases")} | taken)
    np.testing.assert_allclose(sum(loss for _, loss in given) / N, value, rtol=1e-6)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for old, new, gradient in zip(before, fields["weights"], gradients["dweights"], strict=True):
        np.testing.assert_allclose(old - new, 2 * gradient, rtol=0, atol=tolerance)


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("at", [("receive", 1), ("send", 0), ("send", 1), ("conclude", 1)])
def test_what_an_exchange_raises_ends_the_epoch(at, n_threads, dtype):
    """Before the update of its batch, whose steps are not counted."""
    fields = problem(dtype, n_threads=n_threads, batch_size=150)
    rows, exchange = share_of(fields, 2, 1, 150)
    batch = -1

    def fail(point, index, loss):
        nonlocal batch
        batch += (point, index) == ("receive", 0)
        if (point, index) == at and batch == 1:
            raise MemoryError("no room")
        return loss

    with pytest.raises(MemoryError, match="no room"):
        _core.train_share(fields | {"order": rows}, exchange | {"exchange": fail})
    assert fields["steps"][0] == 1


WRONG = [
    ("exchange", 3, TypeError, "exchange must be callable, got int"),
    ("n_parts", 0, ValueError, "n_parts must be 1 or more that can be counted, got 0"),
    ("n_parts", 2**62, ValueError, "n_parts must be 1 or more that can be counted, got "),
    ("n_parts", 2, ValueError, r"part_starts must have shape \(11,\), got \(6,\)"),
    ("goes_on", 1.5, TypeError, "fields of an exchange: goes_on must be an integer, got float"),
    ("part_starts", np.array([0, 9, 8, 9, 9, 9]), ValueError, "part_starts must ascend from 0"),
    ("part_starts", np.array([0, 1, 2, 3, 4, 602]), ValueError, r"hold integers in \[0, 602\)"),
    ("part_starts", np.array([0, 1, 2, 3, 4, 5]), ValueError, r"part_starts\[5\] must be all rows"),
    ("part_starts", np.zeros(6), TypeError, "part_starts must hold integers"),
    ("piece_starts", np.array([0]), ValueError, "must hold two numbers or more, got fewer"),
    ("piece_starts", np.array([0, 3, 21]), ValueError, r"\[1\] must be an even number of them"),
    ("piece_starts", np.array([0, 20]), ValueError, r"\[1\] must be all inputs, got 20"),
    ("piece_starts", [0, 21], TypeError, "piece_starts must be a NumPy array, got list"),
    ("batch_rows", np.full(5, 5), ValueError, r"batch_rows\[0\] must be no fewer than first_rows"),
    ("batch_rows", np.full(5, -1), ValueError, "batch_rows must hold integers in"),
    ("first_rows", np.zeros(4, int), ValueError, r"first_rows must have shape \(5,\), got \(4,\)"),
    ("first_rows", np.full(5, 1), ValueError, r"batch_rows\[0\] must be no fewer than first_rows"),
    ("weight_sums", np.zeros(5), ValueError, r"weight_sums\[0\] must be above 0 for a batch"),
    ("weight_sums", np.full(5, np.nan), ValueError, r"weight_sums\[0\] must be above 0"),
    ("weight_sums", np.ones(5, np.float32), TypeError, "weight_sums must have dtype float64"),
    ("dweights", [], ValueError, "dweights must hold 2 arrays, got 0"),
    ("dbiases", [np.zeros(19), np.zeros(4)], ValueError, r"dbiases\[1\] must have shape \(3,\)"),
]


@pytest.mark.parametrize(("name", "value", "error", "message"), WRONG)
def test_a_wrong_field_is_refused_by_name(name, value, error, message):
    fields = problem(np.float64, batch_size=150)
    _, exchange = share_of(fields, 1, 0, 150)
    exchange |= {"exchange": lambda point, index, loss: loss, name: value}
    before = bits(fields)
    with pytest.raises(error, match=message):
        _core.train_share(fields, exchange)
    assert bits(fields) == before


def test_one_that_goes_on_has_one_part():
    fields = problem(np.float64, batch_size=N, learning_rates=np.ones(1))
    _, exchange = share_of(fields, 1, 0, N)
    exchange |= {"exchange": print, "goes_on": 1, "n_parts": 2, "part_starts": np.array([0, 9, N])}
    with pytest.raises(ValueError, match="n_parts must be 1 of a process that goes on, got 2"):
        _core.train_share(fields, exchange)


@pytest.mark.parametrize("returned", [None, "0", 1 + 2j])
def test_an_exchange_returns_a_number(returned):
    fields = problem(np.float64, batch_size=150)
    _, exchange = share_of(fields, 1, 0, 150)
    with pytest.raises(TypeError, match="must be real number, not"):
        _core.train_share(fields, exchange | {"exchange": lambda *at: returned})


def test_gradients_overlap_nothing():
    """Not the weights, which are written to as they are exchanged."""
    fields = problem(np.float64, batch_size=150)
    _, exchange = share_of(fields, 1, 0, 150)
    exchange |= {"exchange": lambda *at: 0.0, "dweights": fields["weights"]}
    with pytest.raises(ValueError, match=r"share memory|overlap"):
        _core.train_share(fields, exchange)

"""`train_step` is the five kernels one after the other, on rows that it does not copy."""

from itertools import pairwise

import numpy as np
import pytest

from mlp_c import kernels
from support import calls

NETWORKS = [(20, 5), (21, 17, 5), (784, 128, 10), (30, 70, 33, 5)]


def problem(dtype, widths, n=700, zeros=0.0):
    draw, rng = calls.normal(dtype), np.random.default_rng(1)
    X = draw(n, widths[0])
    X[rng.random(X.shape) < zeros] = 0
    weights = [draw(*shape) / 4 for shape in pairwise(widths)]
    biases = [draw(width) for width in widths[1:]]
    return X, rng.integers(widths[-1], size=n), weights, biases


def five_kernels(X, y, weights, biases, rate, activation, eps):
    slopes = [np.empty((len(X), w.shape[1]), X.dtype) for w in weights[:-1]]
    out = kernels.forward(X, weights, biases, activation=activation, slopes=slopes)
    loss, dlogits = kernels.softmax_cross_entropy(out[-1], y, eps=eps)
    gradients = kernels.backward(X, out, dlogits, weights, activation=activation, slopes=slopes)
    kernels.sgd_step(weights + biases, gradients[0] + gradients[1], rate)
    return loss


@pytest.mark.parametrize("n_threads", [1, 2, 4])
@pytest.mark.parametrize("n_rows", [None, 0, 1, 4, 128, 300, 1000])
@pytest.mark.parametrize("zeros", [0.0, 0.9])
@pytest.mark.parametrize("widths", NETWORKS, ids=str)
def test_it_has_the_bits_of_the_five_kernels(widths, zeros, n_rows, n_threads, dtype, isa):
    X, y, *network = problem(dtype, widths, zeros=zeros)
    copies = [[p.copy() for p in params] for params in network]
    rng = np.random.default_rng(2)
    rows = None if n_rows is None else rng.integers(len(X), size=n_rows)  # some more than once
    chosen = slice(None) if rows is None else rows
    for activation, eps in (("tanh", 0.0), ("gelu", 1e-8)):
        loss = kernels.train_step(
            X, y, *network, 0.3, rows=rows, activation=activation, eps=eps, n_threads=n_threads
        )
        assert loss == five_kernels(X[chosen], y[chosen], *copies, 0.3, activation, eps)
        for params, want in zip(network, copies, strict=True):
            assert calls.bits(params) == calls.bits(want)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("targets", ["soft", "bool", "uint8", "int32"])
def test_rows_and_targets_of_any_kind(targets, layout, dtype):
    X, y, *network = problem(dtype, (21, 17, 5))
    if targets == "soft":
        y = kernels.softmax(calls.normal(dtype)(len(X), 5))
    else:
        y = np.eye(5, dtype=bool)[y] if targets == "bool" else y.astype(targets)
    copies = [[p.copy() for p in params] for params in network]
    rows = np.arange(0, len(X), 3, dtype=np.uint16)
    X.flags.writeable = False
    loss = kernels.train_step(layout(X), y, *network, 0.3, rows=rows)
    assert loss == five_kernels(X[rows], y[rows], *copies, 0.3, "relu", 0.0)
    for params, want in zip(network, copies, strict=True):
        assert calls.bits(params) == calls.bits(want)


def test_what_is_tiny_is_kept():
    """As in the five kernels, and not as in training."""
    X, y, *network = problem(np.dtype(np.float32), (21, 17, 5), n=60)
    network[1][-1][0] = 80  # probabilities of about 1e-35
    copies = [[p.copy() for p in params] for params in network]
    kernels.train_step(X * 0, y * 0, *network, 1e30)
    five_kernels(X * 0, y * 0, *copies, 1e30, "relu", 0.0)
    assert network[1][-1][1] != problem(np.dtype(np.float32), (21, 17, 5), n=60)[3][-1][1]
    assert calls.bits(network[1]) == calls.bits(copies[1])


def test_labels_of_other_rows_are_not_looked_at():
    X, y, *network = problem(np.dtype(float), (21, 17, 5))
    y[::2] = -1
    kernels.train_step(X, y, *network, 0.1, rows=np.arange(1, len(X), 2))
    with pytest.raises(
        ValueError, match=r"^y\[rows\] must hold integers in \[0, 5\), got -1 at index 1$"
    ):
        kernels.train_step(X, y, *network, 0.1, rows=np.array([3, 6]))


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (np.array([0, 700]), IndexError, r"integers in \[0, 700\), got 700 at index 1"),
        (np.array([-1]), IndexError, r"integers in \[0, 700\), got -1 at index 0"),
        (np.array([2**64 - 1], np.uint64), IndexError, r"integers in \[0, 700\), got"),
        (np.array([0.0]), TypeError, "integers, got float64"),
        (np.array([True]), TypeError, "integers, got bool"),
        (np.array([[1]]), ValueError, "1 dimension|shape"),
        ([1], TypeError, "array, got list"),
        (slice(3), TypeError, "array, got slice"),
    ],
    ids=str,
)
def test_rows_that_are_none(rows, error, message):
    X, y, *network = problem(np.dtype(float), (21, 17, 5))
    before = calls.bits(network[0] + network[1])
    with pytest.raises(error, match=f"^rows must .*{message}"):
        kernels.train_step(X, y, *network, 0.1, rows=rows)
    assert calls.bits(network[0] + network[1]) == before


@pytest.mark.parametrize("rows", [None, np.array([1])])
def test_labels_for_another_number_of_rows(rows):
    X, y, *network = problem(np.dtype(float), (21, 17, 5))
    with pytest.raises(ValueError, match=r"^y must have shape \(700,\), got \(699,\)"):
        kernels.train_step(X, y[1:], *network, 0.1, rows=rows)


def test_weights_that_overlap_the_rows_are_refused():
    X, y, *network = problem(np.dtype(float), (21, 17, 5))
    network[0][0] = X[:21, :17]
    with pytest.raises(ValueError, match=r"^weights\[0\] must be an array of its own"):
        kernels.train_step(X, y, *network, 0.1)

"""Rows that are mostly zeros: their zeros are skipped, and nobody sees it in the results.

Rows whose elements do not follow each other are never scanned for zeros, so that a copy in
Fortran's order gives what the dense products give. Where a weight is infinite, 0 times it tells
which of both it was.
"""

from itertools import pairwise

import numpy as np
import pytest

from mlp_c import kernels

NETWORKS = {
    "one layer": (40, 10),
    "odd columns": (41, 24, 3),
    "three layers": (30, 70, 33, 5),
    "MNIST's": (784, 128, 10),
}


def mostly_zero(n, n_in, dtype, share=0.1):
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, n_in)).astype(dtype)
    X[rng.random(X.shape) >= share] = 0
    return X


def problem(n, widths, dtype):
    rng = np.random.default_rng(1)
    weights = [rng.standard_normal(shape).astype(dtype) for shape in pairwise(widths)]
    biases = [rng.standard_normal(width).astype(dtype) for width in widths[1:]]
    return mostly_zero(n, widths[0], dtype), weights, biases


@pytest.mark.parametrize("n_threads", [1, 2, 4])
@pytest.mark.parametrize("n", [1, 4, 5, 96, 129, 300, 600])
@pytest.mark.parametrize("widths", NETWORKS.values(), ids=NETWORKS)
def test_passes_have_the_bits_of_the_dense_ones(widths, n, n_threads, dtype, isa):
    X, weights, biases = problem(n, widths, dtype)
    deltas = np.random.default_rng(2).standard_normal((n, widths[-1])).astype(dtype)
    slopes = [np.empty((n, width), dtype) for width in widths[1:-1]]
    results = []
    for rows in (X, np.asfortranarray(X)):
        for activation in ("relu", "gelu"):
            out = kernels.forward(
                rows, weights, biases, activation=activation, slopes=slopes, n_threads=n_threads
            )
            gradients = kernels.backward(
                rows, out, deltas, weights,
                activation=activation, slopes=slopes, n_threads=n_threads,
            )  # fmt: skip
            results.append([out, [s.copy() for s in slopes], *gradients])
    half = len(results) // 2
    for scanned, dense in zip(results[:half], results[half:], strict=True):
        for ours, theirs in zip(scanned, dense, strict=True):
            assert [a.tobytes() for a in ours] == [a.tobytes() for a in theirs]


def skips(X):
    """Whether zeros are left out of `forward` and `backward` of these rows: the same of both."""
    weights = [np.zeros((X.shape[1], 8), X.dtype)]
    weights[0][:] = np.where(X.any(axis=0), 0, np.inf)[:, None]
    with np.errstate(invalid="ignore"):
        (out,) = kernels.forward(X, weights, [np.zeros(8, X.dtype)])
        deltas = np.zeros((len(X), 8), X.dtype)
        deltas[~X.any(axis=1)] = np.inf
        (gradient,), _ = kernels.backward(X, [out], deltas, weights)
    answers = {bool(np.isfinite(a).all()) for a in (out, gradient)}
    assert len(answers) == 1
    return answers.pop()


def test_zeros_are_skipped_where_they_are_many(dtype):
    X = mostly_zero(128, 784, dtype)
    X[:, :28] = X[-9:] = 0
    assert skips(X)
    assert not skips(np.asfortranarray(X))
    X[:100, 28:] = 1
    assert not skips(X)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_zeros_are_skipped_in_few_rows(n, dtype):
    X = np.zeros((n, 2000), dtype)
    X[:, 1000:1100] = 1
    X[-1] = 0
    assert skips(X)
    X[:, :1500] = 1
    X[-1] = 0
    assert not skips(X)


@pytest.mark.parametrize("period", [2, 3, 4, 5, 7, 8, 16, 28, 32, 49, 64, 98, 196])
def test_the_sample_sees_through_any_period(period, dtype):
    """One pair in so many is not zero, in each row; or one row in so many."""
    n_in = 784
    where = np.arange(n_in) // 2 % period
    for first in (0, period - 1):
        X = np.zeros((128, n_in), dtype)
        X[:, where == first] = 1
        X[-1] = 0
        assert skips(X) == (period > 2)
        by_row = np.zeros((800, n_in), dtype)
        by_row[np.arange(800) % period == first] = 1
        by_row[:, :2] = 0
        assert skips(by_row) == (period > 2)

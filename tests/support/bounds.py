"""What rounding allows a kernel to be off by, against plain NumPy in a wider precision.

A sum of n products is off by at most (n + 1) u times the sum of their magnitudes
(Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), with u half
the machine epsilon. The magnitudes are the oracle's results on absolute values.
"""

from itertools import pairwise

import numpy as np
import pytest

from mlp_c import _core, kernels
from support import formulas, oracle
from support.calls import bits, normal

ACTIVATIONS = _core.names()["activations"]
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)

# How many ulps an activation may be off by; and its slope, in ulps of 1. What the tests of single
# functions find may be rounded up.
ULPS = {
    "identity": (0, 0),
    "logistic": (3, 2),
    "tanh": (3, 7),
    "relu": (0, 0),
    "gelu": (5, 2),
    "silu": (4, 1),
    "mish": (5, 2),
    "elu": (2, 1),
    "selu": (2, 2),
    "leaky_relu": (1, 1),
    "softplus": (3, 1),
}


def unit(dtype):
    """The largest relative error of one rounding."""
    return np.finfo(dtype).eps / 2


def assert_within(got, want, bound):
    """|got - want| <= bound, with the same NaN and infinities.

    Each of up to 64 products may also underflow, which costs a denormal.
    """
    want = np.asarray(want)
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite].astype(got.dtype))
    bound = np.broadcast_to(bound, want.shape)[finite]
    error = np.abs(got[finite] - want[finite])
    assert (error <= bound + 64 * np.finfo(got.dtype).smallest_subnormal).all(), (
        f"off by {np.max(error / bound)} times the bound"
    )


def network(dtype, widths):
    """Weights scaled so that activations stay of order 1, and biases."""
    draw = normal(dtype)
    weights = [draw(*shape) / dtype.type(max(1, shape[0]) ** 0.5) for shape in pairwise(widths)]
    return weights, [draw(width) for width in widths[1:]]


def magnitudes(nest):
    return [np.abs(array) for array in nest]


def check_forward(X, weights, biases, activation, n_threads=None):
    """Each layer, and its slopes, against the oracle's from the kernel's own layer before.

    An activation's own error is that of ULPS, which are of 2 u. Where the output tells the slope,
    it is compared with that of the output; else it changes no faster than what is activated.
    """
    u, a = unit(X.dtype), X
    slopes = [np.empty((len(X), w.shape[1]), X.dtype) for w in weights[:-1]]
    options = {"activation": activation, "n_threads": n_threads}
    outputs = kernels.forward(X, weights, biases, slopes=slopes, **options)
    assert bits(outputs) == bits(kernels.forward(X, weights, biases, **options))
    layers = zip(weights, biases, outputs, oracle.of_layers(activation, weights), strict=True)
    for (w, b, output, name), slope in zip(layers, [*slopes, None], strict=True):
        z = oracle.forward(a, [w], [b])[0]
        want, (ulps, ulps_of_slope) = formulas.ACTIVATIONS[name](z), ULPS[name]
        size = formulas.STEEPEST * oracle.forward(np.abs(a), [np.abs(w)], [np.abs(b)])[0]
        assert_within(output, want, u * ((w.shape[0] + 2) * size + 2 * ulps * np.abs(want)))
        if slope is not None and name in formulas.DERIVATIVES:
            assert_within(slope, formulas.DERIVATIVES[name](oracle.wide(output)), 4 * u)
        elif slope is not None:
            assert_within(
                slope, formulas.SLOPES[name](z), u * ((w.shape[0] + 2) * size + 2 * ulps_of_slope)
            )
        a = output
    return outputs, slopes


def check_backward(X, activations, dlogits, weights, activation, slopes):
    """With the slopes that forward wrote, and without them where the activations tell them.

    A sum over the rows of products with sums over the widths above: the factors (1 + u) of all of
    them add up; slopes are off by at most 2 u.
    """
    arguments = X, activations, dlogits, weights
    sizes = oracle.backward(
        np.abs(X), magnitudes(activations), np.abs(dlogits), magnitudes(weights), "identity",
        slopes=[np.full_like(slope, formulas.STEEPEST) for slope in slopes],
    )  # fmt: skip
    got = kernels.backward(*arguments, activation=activation, slopes=slopes)
    assert_gradients(
        got, oracle.backward(*arguments, slopes=list(map(oracle.wide, slopes))), sizes, weights, X
    )
    if all(name in formulas.DERIVATIVES for name in oracle.of_layers(activation, weights)):
        got = kernels.backward(*arguments, activation=activation)
        assert_gradients(got, oracle.backward(*arguments, activation), sizes, weights, X)


def assert_gradients(got, want, sizes, weights, X):
    u = unit(X.dtype)
    for layer in range(len(weights)):
        terms = len(X) + 2 + sum(w.shape[1] + 4 for w in weights[layer + 1 :])
        for which in range(2):
            assert_within(got[which][layer], want[which][layer], u * terms * sizes[which][layer])


def softmax_bound(logits):
    """Relative errors: the shift's rounding as exp magnifies it, for the class and
    for the sum; exp's 1.5 ulp twice; the sum's k additions; the division.
    """
    p = formulas.softmax(oracle.wide(logits))
    shift = np.maximum(oracle.wide(logits) - logits.max(axis=1, keepdims=True, initial=0), -2e4)
    spread = np.sum(p * np.abs(shift), axis=1, keepdims=True)
    return unit(logits.dtype) * p * (np.abs(shift) + spread + logits.shape[1] + 8)


def check_softmax(logits):
    got = kernels.softmax(logits)
    assert_within(got, formulas.softmax(oracle.wide(logits)), softmax_bound(logits))


def check_loss(logits, y, eps=0.0):
    (n, k), u = logits.shape, unit(logits.dtype)
    loss, dlogits = kernels.softmax_cross_entropy(logits, y, eps=eps)
    want_loss, want = oracle.softmax_cross_entropy(logits, y, eps)
    want_loss = float(want_loss)  # infinite where no float64 holds it
    rows, p = oracle.targets(y, k), formulas.softmax(oracle.wide(logits))
    bound = softmax_bound(logits)
    assert_within(dlogits, want, (bound + 3 * u * (p + np.abs(rows))) / max(n, 1))
    if not np.isfinite(want_loss):
        assert loss == want_loss
        return
    log_p = np.log(p + eps) if eps else formulas.log_softmax(oracle.wide(logits))
    log_p = np.where(rows == 0, 0, log_p)
    relative = bound / np.where(p + eps == 0, 1, p + eps) if eps else (k + 8) * u
    bounds = np.abs(rows) * (relative + u * (4 * np.abs(log_p) + 4))
    assert abs(loss - want_loss) <= bounds.sum() / max(n, 1) + n * k * 1e-16 * abs(want_loss)

"""Long rows, which kernels go through in segments with a poll between, against plain NumPy."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from mlp_c import _core, kernels
from support import calls, oracle
from support.bounds import (
    assert_within,
    check_backward,
    check_forward,
    check_loss,
    check_softmax,
    each_activation,
    network,
    unit,
)
from support.calls import leaves, normal, rebuilt, rows_as
from support.formulas import LOSSES, OUTPUTS

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy's own arithmetic


SEGMENT = 1 << 16  # MLP_POLL_WORK
LONG = [SEGMENT, SEGMENT + 1, 2 * SEGMENT + 3]
FEW, SOME = 4, 8  # rows, whose mean is exact; of few, each is multiplied for itself
each_length = pytest.mark.parametrize("length", LONG)


def about_edges(length):
    """The places of the first and the last elements of each segment."""
    edges = {0, length - 1}
    edges.update(*({begin - 1, begin} for begin in range(SEGMENT, length, SEGMENT)))
    return sorted(edges)


def integers(dtype, seed=0):
    """A function that draws arrays of -1, 0 and 1, not 0 about the edges of segments.

    All sums are exact, and each element counts.
    """
    rng = np.random.default_rng(seed)

    def draw(*shape):
        array = rng.integers(-1, 2, shape).astype(dtype)
        for axis, length in enumerate(shape):
            if length >= SEGMENT:
                np.moveaxis(array, axis, 0)[about_edges(length)] = 1
        return array

    return draw


@cache
def exact_problem(n, *widths):
    """Rows, weights, biases, targets; and of the squared error all activations and gradients.

    Of float32, for float64 holds them, too. The longest rows have more pairs than are
    multiplied without a poll.
    """
    draw = integers(np.float32)
    weights, biases = [draw(*shape) for shape in pairwise(widths)], [draw(w) for w in widths[1:]]
    X, y = draw(n, widths[0]), draw(n, widths[-1])
    X[:, ::2] += X[:, ::2] == 0
    activations = [a.astype(np.float32) for a in oracle.forward(X, weights, biases)]
    gradients = oracle.backward(X, activations, (activations[-1] - y) / n, weights)
    return X, weights, biases, y, activations, gradients


def cast(nest, dtype):
    return rebuilt(nest, lambda _, array: array.astype(dtype))


def assert_exact(got, want):
    for (_, g), (_, w) in zip(leaves(got), leaves(want), strict=True):
        np.testing.assert_array_equal(g, w)


@each_length
@pytest.mark.parametrize("name", ["inputs", "hidden", "outputs"])
def test_forward_and_backward_of_long_rows_are_exact(name, length, dtype, isa):
    shape = {"rows": FEW, "inputs": 3, "hidden": 3, "outputs": 2, name: length}
    *problem, wanted, gradients = exact_problem(*shape.values())
    X, weights, biases, y = cast(problem, dtype)
    activations = kernels.forward(X, weights, biases)
    assert_exact(activations, wanted)
    dlogits = (activations[-1] - y) / dtype.type(FEW)
    assert_exact(kernels.backward(X, activations, dlogits, weights), gradients)


@each_activation
def test_activations_of_long_rows(activation, dtype, isa):
    """The last segment is of one element."""
    weights, biases = network(dtype, [2, SEGMENT + 1, 2])
    draw = normal(dtype, seed=1)
    X = draw(3, 2)
    outputs, slopes = check_forward(X, weights, biases, activation)
    check_backward(X, outputs, draw(3, 2), weights, activation, slopes)


@each_length
@pytest.mark.parametrize("n", [FEW, SOME])
@pytest.mark.parametrize("form", ["dense", "int8", "scanned", "pairs", "csri4"])
def test_predictions_and_gradients_of_long_rows_are_exact(form, n, length, dtype, isa):
    *problem, activations, wanted = exact_problem(n, length, 3, 2)
    X, weights, biases, y = cast(problem, dtype)
    rows = rows_as(form, X)
    out = _core.predict(rows, None, weights, biases, "relu", "identity", False, 2)
    assert_exact(out, activations[-1])
    arguments, loss = (rows, y, weights, biases), calls.loss("squared_error")
    fields = calls.fields("loss_gradient", *arguments, loss=loss, n_threads=2)
    mean = np.mean(np.float64(activations[-1] - y) ** 2) / 2
    assert _core.loss_gradient(fields) == mean
    assert_exact((fields["dweights"], fields["dbiases"]), wanted)
    assert _core.evaluate(calls.fields("evaluate", *arguments, loss=loss, n_threads=2)) == n * mean


@each_length
def test_long_rows_are_listed_as_the_pairs_that_they_have(length, dtype, isa):
    """Sparse ones, with an element about each edge, against what NumPy finds."""
    X = integers(dtype)(2, length)
    X[np.random.default_rng(1).random(X.shape) < 0.9] = 0
    X[0, about_edges(length)] = 2
    values, columns, starts, n_columns = _core.index_nonzeros(X, X.dtype.name, 1.0, np.inf, 2)
    pairs = np.pad(X, ((0, 0), (0, length % 2))).reshape(2, -1, 2)
    row, column = pairs.any(axis=2).nonzero()
    assert n_columns == length
    np.testing.assert_array_equal(columns, column)
    np.testing.assert_array_equal(np.reshape(values, (-1, 2)), pairs[row, column])
    np.testing.assert_array_equal(starts, np.searchsorted(row, [0, 1, 2]))


@each_length
def test_softmax_and_loss_of_long_rows(length, dtype, isa):
    """Most of the probability is about the edges of segments, and half of the targets."""
    logits, edges = normal(dtype)(2, length), about_edges(length)
    logits[:, edges] += dtype.type(np.log(length))
    y = np.abs(normal(dtype, seed=1)(2, length)) / length
    y[:, edges] = 1 / len(edges)
    check_softmax(logits)
    check_loss(logits, y)
    check_loss(logits, np.array(edges[-2:]))
    check_loss(logits, y > 0.1)


@each_length
@pytest.mark.parametrize("loss", LOSSES)
def test_outputs_and_losses_of_long_rows(loss, length, dtype, isa):
    """Logits are the weights: each of two rows has one of the two inputs, which is 1.

    Where all are summed in the dtype, most of the sum is about the edges of segments.
    """
    width = length * calls.outputs_per_target(calls.loss(loss))
    logits, y = normal(dtype)(2, width), np.maximum(normal(dtype, seed=1)(2, length), 0)
    u, output = unit(dtype), LOSSES[loss].output
    if loss == "cross_entropy":
        edges, u = about_edges(length), u * length
        logits[:, edges] += dtype.type(np.log(length))
        y = np.zeros_like(y)
        y[:, edges] = 1 / len(edges)
    X, weights, biases = np.eye(2, dtype=dtype), [logits], [np.zeros(width, dtype)]
    want = OUTPUTS[output](oracle.wide(logits))
    got = _core.predict(X, None, weights, biases, "relu", output, False, 2)
    assert_within(got, want, 4 * u * np.abs(want))
    arguments = X, y, weights, biases
    fields = calls.fields("loss_gradient", *arguments, loss=calls.loss(loss), n_threads=2)
    value = _core.loss_gradient(fields)
    constants = calls.constants_of(fields["loss"])
    gradient = LOSSES[loss].gradient(oracle.wide(logits), oracle.wide(y), **constants)
    if LOSSES[loss].gradient_sizes is None:
        sizes = np.abs(gradient) + 2 * y
    else:
        sizes = LOSSES[loss].gradient_sizes(oracle.wide(logits), oracle.wide(y), **constants)
    assert_within(fields["dweights"][0], gradient / 2, 4 * u * sizes)
    total = oracle.losses(logits, y, loss, **constants).sum()
    bound = 16 * u + length * unit(np.float64)  # the sum is in float64
    np.testing.assert_allclose(value, total / 2, rtol=bound)
    fields = calls.fields("evaluate", *arguments, loss=calls.loss(loss), n_threads=2)
    np.testing.assert_allclose(_core.evaluate(fields), total, rtol=bound)


@each_length
def test_sgd_step_of_long_parameters_is_exact(length, dtype, isa):
    draw = integers(dtype)
    params = [draw(length), draw(2, length), draw(length, 2)]
    grads = [draw(*p.shape) for p in params]
    wants = oracle.sgd_step(params, grads, 0.5)
    kernels.sgd_step(params, grads, 0.5)
    assert_exact(params, wants)

"""Every kernel against plain NumPy in a wider precision, within rounding's own bounds.

A sum of n products is off by at most (n + 1) u times the sum of their magnitudes
(Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), with u half
the machine epsilon. The magnitudes are the oracle's results on absolute values.
"""

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mlp_c import _core, kernels
from support import calls, oracle
from support.calls import bits, leaves, normal, rebuilt, rows_as

ACTIVATIONS = _core.names()["activations"]
SOURCES = Path(__file__).parents[2].glob("csrc/kernels/isa/*.c")

# Tiles of 5 to 8 rows and 4 to 32 columns; blocks of 96 rows, 128 or 256 columns and
# 256 products; chunks of 256 rows.
# fmt: off
EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33,
         95, 96, 97, 127, 128, 129, 255, 256, 257, 600]
# fmt: on
SIZES = {"rows": 11, "inputs": 5, "hidden": 9, "outputs": 3}
SHAPES = [{**SIZES, name: size} for name in SIZES for size in EDGES]
SHAPES += [{"rows": 263, "inputs": 300, "hidden": 259, "outputs": 130}]

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy's own arithmetic
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
each_shape = pytest.mark.parametrize(
    "shape", SHAPES, ids=lambda shape: "-".join(map(str, shape.values()))
)


def test_the_oracle_has_all_that_the_kernels_have():
    names = _core.names()
    assert set(oracle.ACTIVATIONS) == set(oracle.SLOPES) == set(ACTIVATIONS)
    assert set(oracle.OUTPUTS) == set(names["outputs"])
    assert set(oracle.LOSSES) == set(oracle.CANONICAL) == set(names["losses"])


@pytest.mark.parametrize("name", sorted(path.stem for path in SOURCES))
def test_instruction_set_is_tested_here(name):
    if name not in _core.config()["supported_isas"]:
        pytest.skip(f"this machine or build has no {name}: its kernels are not tested")
    assert _core.set_isa(name) == name
    _core.set_isa(_core.config()["supported_isas"][-1])


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


def assert_ulps(got, want, ulps):
    """|got - want| in units of the last place of the result."""
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite].astype(got.dtype))
    place = np.spacing(np.abs(want[finite].astype(got.dtype)))
    worst = np.max(np.abs(got[finite] - want[finite]) / place)
    assert worst <= ulps, f"off by {worst} ulp"


def network(dtype, widths):
    """Weights scaled so that activations stay of order 1, and biases."""
    draw = normal(dtype)
    weights = [draw(*shape) / dtype.type(max(1, shape[0]) ** 0.5) for shape in pairwise(widths)]
    return weights, [draw(width) for width in widths[1:]]


def magnitudes(nest):
    return [np.abs(array) for array in nest]


def check_forward(X, weights, biases, activation, n_threads=None):
    """Each layer, and its slopes, against the oracle's from the kernel's own layer before.

    An activation's own error is at most 4 ulp. A slope changes no faster than what is activated,
    but for relu, whose slope the sign of the output tells; its own error is at most 4 u.
    """
    u, a = unit(X.dtype), X
    slopes = [np.empty((len(X), w.shape[1]), X.dtype) for w in weights[:-1]]
    options = {"activation": activation, "n_threads": n_threads}
    outputs = kernels.forward(X, weights, biases, slopes=slopes, **options)
    assert bits(outputs) == bits(kernels.forward(X, weights, biases, **options))
    layers = zip(weights, biases, outputs, oracle.of_layers(activation, weights), strict=True)
    for (w, b, output, name), slope in zip(layers, [*slopes, None], strict=True):
        z = oracle.forward(a, [w], [b])[0]
        want = oracle.ACTIVATIONS[name](z)
        size = oracle.STEEPEST * oracle.forward(np.abs(a), [np.abs(w)], [np.abs(b)])[0]
        assert_within(output, want, u * ((w.shape[0] + 2) * size + 8 * np.abs(want)))
        if name == "relu" and slope is not None:
            np.testing.assert_array_equal(slope, oracle.DERIVATIVES["relu"](output))
        elif slope is not None:
            assert_within(slope, oracle.SLOPES[name](z), u * ((w.shape[0] + 2) * size + 4))
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
        slopes=[np.full_like(slope, oracle.STEEPEST) for slope in slopes],
    )  # fmt: skip
    got = kernels.backward(*arguments, activation=activation, slopes=slopes)
    assert_gradients(
        got, oracle.backward(*arguments, slopes=list(map(oracle.wide, slopes))), sizes, weights, X
    )
    if "gelu" not in oracle.of_layers(activation, weights):
        got = kernels.backward(*arguments, activation=activation)
        assert_gradients(got, oracle.backward(*arguments, activation), sizes, weights, X)


def assert_gradients(got, want, sizes, weights, X):
    u = unit(X.dtype)
    for layer in range(len(weights)):
        terms = len(X) + 2 + sum(w.shape[1] + 4 for w in weights[layer + 1 :])
        for which in range(2):
            assert_within(got[which][layer], want[which][layer], u * terms * sizes[which][layer])


@each_shape
def test_forward_and_backward_at_every_tile_edge(shape, dtype, isa):
    """Every dimension about every boundary of tiles, blocks and chunks; and all at once."""
    n, *widths = shape.values()
    weights, biases = network(dtype, widths)
    draw = normal(dtype, seed=1)
    X = draw(n, widths[0])
    outputs, slopes = check_forward(X, weights, biases, "relu")
    check_backward(X, outputs, draw(n, widths[-1]), weights, "relu", slopes)


@each_activation
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_forward_and_backward_at_every_depth(depth, activation, dtype, isa):
    widths = [10, 21, 7, 18, 5][: depth + 1]
    weights, biases = network(dtype, widths)
    draw = normal(dtype, seed=2)
    X = draw(23, widths[0])
    outputs, slopes = check_forward(X, weights, biases, activation)
    check_backward(X, outputs, draw(23, widths[-1]), weights, activation, slopes)


@pytest.mark.parametrize("turn", range(len(ACTIVATIONS)))
def test_forward_and_backward_with_an_activation_for_each_layer(turn, dtype, isa):
    activation = (2 * ACTIVATIONS)[turn : turn + 3]
    weights, biases = network(dtype, [10, 21, 7, 18, 5])
    draw = normal(dtype, seed=2)
    X = draw(23, 10)
    outputs, slopes = check_forward(X, weights, biases, activation)
    check_backward(X, outputs, draw(23, 5), weights, activation, slopes)
    check_backward(X, outputs, draw(23, 5), weights, tuple(activation), slopes)


@each_activation
def test_slopes_are_what_backward_multiplies_with_itself(activation, dtype, isa):
    """To give them changes no bit, but of gelu, which cannot do without."""
    weights, biases = network(dtype, [10, 21, 7, 5])
    draw = normal(dtype, seed=2)
    X, dlogits = draw(23, 10), draw(23, 5)
    slopes = [np.empty((23, 21), dtype), np.empty((23, 7), dtype)]
    outputs = kernels.forward(X, weights, biases, activation=activation, slopes=slopes)
    arguments = {"X": X, "dlogits": dlogits, "weights": weights, "activation": activation}
    given = kernels.backward(activations=outputs, slopes=slopes, **arguments)
    if activation == "gelu":
        with pytest.raises(ValueError, match="slopes must be a list of arrays for activation 'gel"):
            kernels.backward(activations=outputs, **arguments)
    else:
        assert bits(given) == bits(kernels.backward(activations=outputs, **arguments))


@each_activation
@pytest.mark.parametrize("power", [-1.02, -0.5, 0.2])
def test_forward_and_backward_of_extreme_inputs(power, activation, dtype, isa):
    """Denormals are kept and large values saturate as they should."""
    scale = np.finfo(dtype).max.astype(float) ** power
    weights, biases = network(dtype, [9, 6, 4])
    draw = normal(dtype, seed=3)
    X, dlogits = draw(8, 9) * dtype.type(scale), draw(8, 4) * dtype.type(scale)
    scaled = [b * dtype.type(scale) for b in biases]
    outputs, slopes = check_forward(X, weights, scaled, activation)
    check_backward(X, outputs, dlogits, weights, activation, slopes)


@each_activation
def test_nan_and_infinities_go_through_as_in_numpy(activation, dtype, isa):
    """In their own row only; relu of NaN is NaN."""
    weights, biases = network(dtype, [3, 5, 4])
    X, slopes = np.ones((5, 3), dtype), [np.empty((5, 5), dtype)]
    X[1, 1], X[2, 0], X[3, 2] = np.nan, np.inf, -np.inf
    hidden, logits = kernels.forward(X, weights, biases, activation=activation, slopes=slopes)
    z = X @ weights[0] + biases[0]
    want = oracle.ACTIVATIONS[activation](z)
    np.testing.assert_allclose(slopes[0], oracle.SLOPES[activation](z), rtol=1e-4, atol=1e-6)
    want_logits = hidden @ weights[1] + biases[1]
    np.testing.assert_allclose(hidden, want, rtol=1e-5)
    np.testing.assert_allclose(logits, want_logits, rtol=1e-4, atol=1e-4)
    assert np.isnan(hidden[1]).all()
    assert np.isfinite(hidden[[0, 4]]).all()


def softmax_bound(logits):
    """Relative errors: the shift's rounding as exp magnifies it, for the class and
    for the sum; exp's 1.5 ulp twice; the sum's k additions; the division.
    """
    p = oracle.softmax(logits)
    shift = np.maximum(oracle.wide(logits) - logits.max(axis=1, keepdims=True, initial=0), -2e4)
    spread = np.sum(p * np.abs(shift), axis=1, keepdims=True)
    return unit(logits.dtype) * p * (np.abs(shift) + spread + logits.shape[1] + 8)


def check_softmax(logits):
    got = kernels.softmax(logits)
    assert_within(got, oracle.softmax(logits), softmax_bound(logits))


def check_loss(logits, y, eps=0.0):
    (n, k), u = logits.shape, unit(logits.dtype)
    loss, dlogits = kernels.softmax_cross_entropy(logits, y, eps=eps)
    want_loss, want = oracle.softmax_cross_entropy(logits, y, eps)
    want_loss = float(want_loss)  # infinite where no float64 holds it
    rows, p = oracle.targets(y, k), oracle.softmax(logits)
    bound = softmax_bound(logits)
    assert_within(dlogits, want, (bound + 3 * u * (p + np.abs(rows))) / max(n, 1))
    if not np.isfinite(want_loss):
        assert loss == want_loss
        return
    log_p = np.where(rows == 0, 0, np.log(p + eps) if eps else oracle.log_softmax(logits))
    relative = bound / np.where(p + eps == 0, 1, p + eps) if eps else (k + 8) * u
    bounds = np.abs(rows) * (relative + u * (4 * np.abs(log_p) + 4))
    assert abs(loss - want_loss) <= bounds.sum() / max(n, 1) + n * k * 1e-16 * abs(want_loss)


@pytest.mark.parametrize(("n", "k"), [(n, 7) for n in EDGES] + [(3, k) for k in EDGES])
def test_softmax_and_loss_of_every_shape(n, k, dtype, isa):
    """Soft targets whose rows do not sum to 1, zeros among them, and labels."""
    draw = normal(dtype)
    logits, y = 3 * draw(n, k), np.maximum(draw(n, k), 0)
    check_softmax(logits)
    check_loss(logits, y)
    if n == 0 or k > 0:
        check_loss(logits, np.arange(n) % max(k, 1))


@pytest.mark.parametrize("eps", [0.0, 1e-8, 1e-3, 1.0])
@pytest.mark.parametrize("kind", ["labels", "soft", "bool"])
def test_loss_of_every_kind_of_target(kind, eps, dtype, isa):
    draw = normal(dtype)
    logits, y = 5 * draw(40, 11), draw(40, 11)
    check_loss(logits, {"labels": np.arange(40) % 11, "soft": y, "bool": y > 0.5}[kind], eps)


def extreme_logits(dtype):
    largest, tiny = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    big = {4: 1e38, 8: 1e300}[dtype.itemsize]
    rows = [
        [big, -big, 0, 1],
        [-big, -big, -big, -big],
        [big, big, big, big / 2],
        [tiny, 0, -tiny, 1000 * tiny],
        [88, -88, 104, -104],
        [-np.inf, 0, 1, -np.inf],
        [-np.inf, -np.inf, -big, -np.inf],
        [largest, -largest, 0, largest],
    ]
    return np.array(rows, dtype)


@pytest.mark.parametrize("row", range(8))
@pytest.mark.parametrize("eps", [0.0, 1e-8])
def test_softmax_and_loss_of_extreme_logits(row, eps, dtype, isa):
    """Stable for any finite logits, and for -inf beside a finite one."""
    logits = extreme_logits(dtype)[row : row + 1]
    check_softmax(logits)
    for label in range(4):
        check_loss(logits, np.array([label]), eps)
    check_loss(logits, np.array([[0.25, 0, 0.5, 0.25]], dtype), eps)


def test_softmax_and_loss_of_nan(dtype, isa):
    """A row with a NaN or without a finite logit is all NaN; the others do not notice."""
    logits = normal(dtype)(6, 5)
    logits[1, 2], logits[3, 4], logits[4] = np.nan, np.inf, -np.inf
    bad = [1, 3, 4]
    good = np.delete(logits, bad, axis=0)
    for got in (kernels.softmax(logits), kernels.softmax_cross_entropy(logits, logits > 0)[1] * 6):
        assert np.isnan(got[bad]).all()
        assert np.isfinite(np.delete(got, bad, axis=0)).all()
    np.testing.assert_array_equal(
        np.delete(kernels.softmax(logits), bad, axis=0), kernels.softmax(good)
    )
    assert np.isnan(kernels.softmax_cross_entropy(logits, np.zeros(6, int))[0])


@pytest.mark.parametrize("code", np.typecodes["AllInteger"])
def test_labels_of_every_integer_dtype(code, dtype, isa):
    """Byte-swapped and strided ones too: all give the bits of int64."""
    logits, labels = normal(dtype)(30, 7), np.arange(30) % 7
    want_loss, want = kernels.softmax_cross_entropy(logits, labels)
    native = labels.astype(code)
    swapped = labels.astype(np.dtype(code).newbyteorder())
    for y in (native, swapped, np.repeat(native, 2)[::2], native[::-1].copy()[::-1]):
        loss, dlogits = kernels.softmax_cross_entropy(logits, y)
        assert loss == want_loss
        np.testing.assert_array_equal(dlogits, want)


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("learning_rate", [0.0, 0.1, -3.0, 1e10])
def test_sgd_step_of_every_size(size, learning_rate, dtype, isa):
    draw = normal(dtype)
    params = [draw(size), draw(3, size), draw(size, 3)]
    grads = [draw(*p.shape) for p in params]
    wants = oracle.sgd_step(params, grads, learning_rate)
    sizes = oracle.sgd_step(magnitudes(params), magnitudes(grads), -abs(learning_rate))
    kernels.sgd_step(params, grads, learning_rate)
    for got, want, largest in zip(params, wants, sizes, strict=True):
        assert_within(got, want, 3 * unit(dtype) * largest)


def test_sgd_step_of_nan_and_infinities(dtype, isa):
    """As NumPy's: an infinite parameter stays infinite under a finite step."""
    p = np.array([np.inf, -np.inf, np.nan, 1, 1, 1, np.inf], dtype)
    g = np.array([1, 1, 1, np.inf, -np.inf, np.nan, np.inf], dtype)
    want = p - dtype.type(0.5) * g
    kernels.sgd_step([p], [g], 0.5)
    np.testing.assert_array_equal(p, want)


# ---- rows that are gone through in pieces ----

PIECE = 1 << 16  # POLL_WORK
LONG = [PIECE, PIECE + 1, 2 * PIECE + 3]
FEW, SOME = 4, 8  # rows, whose mean is exact; of few, each is multiplied for itself
each_length = pytest.mark.parametrize("length", LONG)


def about_edges(length):
    """The places of the first and the last elements of each piece."""
    edges = {0, length - 1}
    edges.update(*({piece - 1, piece} for piece in range(PIECE, length, PIECE)))
    return sorted(edges)


def integers(dtype, seed=0):
    """A function that draws arrays of -1, 0 and 1, not 0 about the edges of pieces.

    All sums are exact, and each element counts.
    """
    rng = np.random.default_rng(seed)

    def draw(*shape):
        array = rng.integers(-1, 2, shape).astype(dtype)
        for axis, length in enumerate(shape):
            if length >= PIECE:
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


@each_length
@pytest.mark.parametrize("activation", ["tanh", "logistic", "gelu"])
def test_activations_of_long_rows(activation, length, dtype, isa):
    weights, biases = network(dtype, [2, length, 2])
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
    assert _core.loss(calls.fields("loss", *arguments, loss=loss, n_threads=2)) == n * mean


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
    """Most of the probability is about the edges of pieces, and half of the targets."""
    logits, edges = normal(dtype)(2, length), about_edges(length)
    logits[:, edges] += dtype.type(np.log(length))
    y = np.abs(normal(dtype, seed=1)(2, length)) / length
    y[:, edges] = 1 / len(edges)
    check_softmax(logits)
    check_loss(logits, y)
    check_loss(logits, np.array(edges[-2:]))
    check_loss(logits, y > 0.1)


@each_length
@pytest.mark.parametrize("loss", oracle.LOSSES)
def test_outputs_and_losses_of_long_rows(loss, length, dtype, isa):
    """Logits are the weights: each of two rows has one of the two inputs, which is 1.

    Where all are summed in the dtype, most of the sum is about the edges of pieces.
    """
    logits, y = normal(dtype)(2, length), np.maximum(normal(dtype, seed=1)(2, length), 0)
    u, output = unit(dtype), oracle.CANONICAL[loss]
    if loss == "cross_entropy":
        edges, u = about_edges(length), u * length
        logits[:, edges] += dtype.type(np.log(length))
        y = np.zeros_like(y)
        y[:, edges] = 1 / len(edges)
    X, weights, biases = np.eye(2, dtype=dtype), [logits], [np.zeros(length, dtype)]
    want = oracle.OUTPUTS[output](oracle.wide(logits))
    got = _core.predict(X, None, weights, biases, "relu", output, False, 2)
    assert_within(got, want, 4 * u * np.abs(want))
    arguments = X, y, weights, biases
    fields = calls.fields("loss_gradient", *arguments, loss=calls.loss(loss), n_threads=2)
    value = _core.loss_gradient(fields)
    assert_within(fields["dweights"][0], (want - y) / 2, 4 * u * (np.abs(want) + y))
    total = oracle.losses(logits, y, loss).sum()
    bound = 16 * u + length * unit(np.float64)  # the sum is in float64
    np.testing.assert_allclose(value, total / 2, rtol=bound)
    fields = calls.fields("loss", *arguments, loss=calls.loss(loss), n_threads=2)
    np.testing.assert_allclose(_core.loss(fields), total, rtol=bound)


@each_length
def test_sgd_step_of_long_parameters_is_exact(length, dtype, isa):
    draw = integers(dtype)
    params = [draw(length), draw(2, length), draw(length, 2)]
    grads = [draw(*p.shape) for p in params]
    wants = oracle.sgd_step(params, grads, 0.5)
    kernels.sgd_step(params, grads, 0.5)
    assert_exact(params, wants)


# ---- the elementary functions, through the kernels ----


def samples(dtype, low, high):
    """Evenly spread over the range and, by magnitude, down to the denormals."""
    tiny = np.finfo(dtype).smallest_subnormal
    by_size = np.geomspace(tiny.astype(float), max(-low, high), 4000)
    x = np.concatenate([np.linspace(low, high, 40001), by_size, -by_size, [0]])
    return x[(low <= x) & (x <= high)].astype(dtype)


def apply(activation, x):
    """The activation and its slopes alone: a hidden layer of one unit of weight 1."""
    one, zero = np.ones((1, 1), x.dtype), np.zeros(1, x.dtype)
    X, slopes = x[:, np.newaxis], np.empty((len(x), 1), x.dtype)
    options = {"activation": activation, "slopes": [slopes]}
    return kernels.forward(X, [one] * 2, [zero] * 2, **options)[0][:, 0], slopes[:, 0]


@pytest.mark.parametrize(("activation", "ulps"), [("tanh", 3), ("logistic", 2), ("gelu", 4)])
def test_activation_is_accurate_over_the_whole_range(activation, ulps, dtype, isa):
    x = samples(dtype, -800, 800)
    got, _ = apply(activation, x)
    assert_ulps(got, oracle.ACTIVATIONS[activation](x.astype(np.longdouble)), ulps)


def test_slopes_of_gelu_are_accurate_over_the_whole_range(dtype, isa):
    """To 4 u, and as it falls to 0 to 4 ulp; where it crosses 0, of the terms whose sum it is."""
    x = samples(dtype, -800, 800)
    _, slopes = apply("gelu", x)
    want = oracle.SLOPES["gelu"](x.astype(np.longdouble))
    assert_within(slopes, want, 4 * unit(dtype))
    falling = x < -1.5
    assert_ulps(slopes[falling], want[falling], 16)


@each_activation
def test_activation_of_special_values(activation, dtype, isa):
    largest = np.finfo(dtype).max
    x = np.array([np.inf, -np.inf, np.nan, largest, -largest, 0], dtype)
    got, slopes = apply(activation, x)
    np.testing.assert_array_equal(got, oracle.ACTIVATIONS[activation](x))
    np.testing.assert_array_equal(slopes, oracle.SLOPES[activation](x))


def test_exp_is_accurate_over_the_whole_range(dtype, isa):
    """Of two logits x and 0, the first one's probability is exp(x) / (1 + exp(x)).

    In the tail, where the sum is 1, it is exp(x) itself, down to the denormals and 0.
    """
    x = samples(dtype, -800, 0)
    p = kernels.softmax(np.stack([x, np.zeros_like(x)], axis=1))[:, 0]
    want = np.exp(x.astype(np.longdouble))
    tail = want < unit(dtype) / 2
    assert_ulps(p[tail], want[tail], 1.5)
    assert_ulps(p, want / (1 + want), 3)


def test_log_is_accurate_over_the_whole_range(dtype, isa):
    """Where the label's probability is 0, the loss is -log(eps)."""
    largest = np.finfo(dtype).max.astype(float)
    eps = np.concatenate([samples(dtype, 0, 2)[::37], np.geomspace(1, largest / 2, 500)])
    eps = eps[eps > 0].astype(dtype)
    logits, label = np.array([[0, -2e4]], dtype), np.array([1])
    loss = [kernels.softmax_cross_entropy(logits, label, eps=float(e))[0] for e in eps]
    assert_ulps(np.array(loss, dtype), -np.log(eps.astype(np.longdouble)), 2)


# ---- gradients ----


@each_activation
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_gradients_are_those_of_the_loss(depth, activation, dtype, isa):
    """Central differences of the oracle's loss in longdouble, along every parameter."""
    weights, biases = network(dtype, [4, 5, 3, 6, 2][: depth + 1])
    params = [oracle.wide(p).astype(np.longdouble) for p in weights + biases]
    X, y = normal(dtype, seed=4)(9, 4), np.arange(9) % len(biases[-1])

    def loss():
        logits = oracle.forward(X, params[:depth], params[depth:], activation)[-1]
        return oracle.softmax_cross_entropy(logits, y)[0]

    slopes = [np.empty((9, w.shape[1]), dtype) for w in weights[:-1]]
    activations = kernels.forward(X, weights, biases, activation=activation, slopes=slopes)
    _, dlogits = kernels.softmax_cross_entropy(activations[-1], y)
    dweights, dbiases = kernels.backward(
        X, activations, dlogits, weights, activation=activation, slopes=slopes
    )
    step = 1e-6
    for p, gradient in zip(params, dweights + dbiases, strict=True):
        for at in np.ndindex(p.shape):
            kept, losses = p[at], []
            for p[at] in (kept + step, kept - step):
                losses.append(loss())
            p[at] = kept
            slope = (losses[0] - losses[1]) / (2 * step)
            assert abs(gradient[at] - slope) <= 1e-10 + 40 * unit(dtype)

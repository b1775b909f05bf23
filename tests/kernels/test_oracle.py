"""Every kernel against plain NumPy in a wider precision, within rounding's own bounds."""

from pathlib import Path

import numpy as np
import pytest

from mlp_c import _core, kernels
from support import formulas, oracle
from support.bounds import (
    ACTIVATIONS,
    assert_within,
    check_backward,
    check_forward,
    check_loss,
    check_softmax,
    each_activation,
    magnitudes,
    network,
    unit,
)
from support.calls import bits, normal

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
each_shape = pytest.mark.parametrize(
    "shape", SHAPES, ids=lambda shape: "-".join(map(str, shape.values()))
)


@pytest.mark.parametrize("name", sorted(path.stem for path in SOURCES))
def test_instruction_set_is_tested_here(name):
    if name not in _core.config()["supported_isas"]:
        pytest.skip(f"this machine or build has no {name}: its kernels are not tested")
    assert _core.set_isa(name) == name
    _core.set_isa(_core.config()["supported_isas"][-1])


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
    """To give them changes no bit, unless backward cannot do without."""
    weights, biases = network(dtype, [10, 21, 7, 5])
    draw = normal(dtype, seed=2)
    X, dlogits = draw(23, 10), draw(23, 5)
    slopes = [np.empty((23, 21), dtype), np.empty((23, 7), dtype)]
    outputs = kernels.forward(X, weights, biases, activation=activation, slopes=slopes)
    arguments = {"X": X, "dlogits": dlogits, "weights": weights, "activation": activation}
    given = kernels.backward(activations=outputs, slopes=slopes, **arguments)
    if activation in formulas.DERIVATIVES:
        assert bits(given) == bits(kernels.backward(activations=outputs, **arguments))
    else:
        wanted = f"^slopes must be a list of arrays for activation '{activation}'"
        with pytest.raises(ValueError, match=wanted):
            kernels.backward(activations=outputs, **arguments)


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
    want = formulas.ACTIVATIONS[activation](z)
    np.testing.assert_allclose(slopes[0], formulas.SLOPES[activation](z), rtol=1e-4, atol=1e-6)
    want_logits = hidden @ weights[1] + biases[1]
    np.testing.assert_allclose(hidden, want, rtol=1e-5)
    np.testing.assert_allclose(logits, want_logits, rtol=1e-4, atol=1e-4)
    assert np.isnan(hidden[1]).all()
    assert np.isfinite(hidden[[0, 4]]).all()


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

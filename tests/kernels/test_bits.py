"""The kernels' results have the same bits on every instruction set with fused multiply-add.

NaNs aside, whose sign differs between x86 and ARM.
"""

import hashlib
import platform
from itertools import pairwise

import numpy as np
import pytest

from mlp_c import _core, kernels
from support import calls, coded
from support.formulas import ACTIVATIONS, DERIVATIVES, LOSSES, RULES

FMA_IS_DEFAULT = platform.machine() in {"aarch64", "arm64"}
FMA_ISAS = [
    name for name in _core.config()["supported_isas"] if name != "baseline" or FMA_IS_DEFAULT
]
# Rows beyond a chunk, inputs beyond a block, widths that are not whole tiles, an odd number
# of inputs, and a first layer that four groups of threads can share.
ROWS, WIDTHS = 300, (271, 141, 11)

# Rules whose step depends on its number: the C library's pow is exact for the first.
ONE_STEP = {"adam", "adamw"}


def exact(dtype, seed=0):
    """A function that draws an array in [-1, 1), exact in any dtype and on any machine."""
    rng = np.random.RandomState(seed)
    return lambda *shape: (rng.randint(-(2**22), 2**22, shape) / 2**22).astype(dtype)


def problem(dtype, outputs_per_target=1):
    """Rows, labels, soft targets, an order, weights and biases."""
    draw, layers = exact(dtype), (*WIDTHS[:-1], WIDTHS[-1] * outputs_per_target)
    X, soft = draw(ROWS, WIDTHS[0]), np.abs(draw(ROWS, WIDTHS[-1]))
    weights = [draw(*shape) / 4 for shape in pairwise(layers)]
    biases = [draw(width) for width in layers[1:]]
    order = np.arange(ROWS) * 7 % ROWS
    return X, np.arange(ROWS) % WIDTHS[-1], soft, order, weights, biases


def forward(activation, dtype):
    X, _, _, _, weights, biases = problem(dtype)
    return kernels.forward(X, weights, biases, activation=activation)


def slopes(activation, dtype):
    X, _, _, _, weights, biases = problem(dtype)
    written = [np.empty((ROWS, width), dtype) for width in WIDTHS[1:-1]]
    kernels.forward(X, weights, biases, activation=activation, slopes=written)
    return written


def backward(activation, dtype):
    X, _, soft, _, weights, _ = problem(dtype)
    given = slopes(activation, dtype) if activation not in DERIVATIVES else None
    return kernels.backward(
        X, forward(activation, dtype), soft, weights, activation=activation, slopes=given
    )


def softmax(scale, dtype):
    return kernels.softmax(exact(dtype)(ROWS, WIDTHS[-1]) * dtype.type(scale))


def cross_entropy(kind, eps, dtype):
    _, labels, soft, *_ = problem(dtype)
    logits = exact(dtype, seed=1)(ROWS, WIDTHS[-1]) * 32
    return kernels.softmax_cross_entropy(logits, labels if kind == "labels" else soft, eps=eps)


def epoch(rule, batch_size, zeros, options, dtype):
    """Training; of zeros, as a sparse array."""
    X, y, _, order, weights, biases = problem(dtype)
    if zeros:
        X[X < 0.5] = 0
        X = _core.index_nonzeros(X, dtype.name, 0.5, np.inf, 1)
    moments = calls.moments(rule, weights + biases, np.abs)
    total = calls.train_epoch(
        *(X, y, weights, biases), rule=calls.rule(rule), order=order, batch_size=batch_size,
        moments=moments, learning_rates=calls.rates(0.03125, ROWS, batch_size), l2=0.25, **options,
    )  # fmt: skip
    return total, weights, biases, moments


def coded_epoch(dtype):
    """Training on coded rows: of numbers exact, of which some are knots, and two categories."""
    X, y, _, order, _, _ = problem(np.dtype(float))
    table = X[:, :9]
    table[:, 7], table[:, 8] = np.arange(ROWS) % 5, order % 2
    numbers = [(0.25, 0.375, np.sort(X[: 3 * n, 20 + n])) for n in range(7)]
    rows = coded.coded(table, [*numbers, 5, "sign"])
    draw = exact(dtype, seed=1)
    weights = [draw(rows.n_units, 141) / 4, draw(141, WIDTHS[-1]) / 4]
    biases = [draw(141), draw(WIDTHS[-1])]
    total = calls.train_epoch(
        *(rows, y, weights, biases), order=order, batch_size=64,
        learning_rates=calls.rates(0.03125, ROWS, 64), l2=0.25,
    )  # fmt: skip
    return total, weights, biases


def gradient(loss, constants, kind, dtype):
    """Of an L2-regularised loss over all rows; and what is predicted."""
    named = calls.loss(loss, **constants)
    X, labels, soft, _, weights, biases = problem(dtype, calls.outputs_per_target(named))
    gradients = [[np.empty_like(p) for p in group] for group in (weights, biases)]
    fields = calls.fields(
        *("loss_gradient", X, labels if kind == "labels" else soft, weights, biases),
        loss=named,
        activation="tanh", dweights=gradients[0], dbiases=gradients[1], l2=0.25,
    )  # fmt: skip
    value, output = _core.loss_gradient(fields), LOSSES[loss].output
    return value, gradients, _core.predict(X, None, weights, biases, "tanh", output, False, 1)


def heads(dtype):
    """A gradient and predictions of a softmax for each of three heads."""
    X, labels, _, order, weights, biases = problem(dtype)
    widths = np.array([2, 8, 1])
    gradients = [[np.empty_like(p) for p in group] for group in (weights, biases)]
    fields = calls.fields(
        *("loss_gradient", X, (np.stack([labels, order, labels], axis=1) % widths, widths)),
        *(weights, biases), dweights=gradients[0], dbiases=gradients[1], l2=0.25,
    )  # fmt: skip
    value = _core.loss_gradient(fields)
    output = "softmax", widths
    return value, gradients, _core.predict(X, None, weights, biases, "relu", output, False, 1)


BOTH = {"weight_decay": 0.5, "max_grad_norm": 0.25}
DROPPED = {"dropout": [0.25, 0.4], "seed": 2**40 + 1}
CASES = {
    **{f"forward {name}": (forward, name) for name in ACTIVATIONS},
    **{f"backward {name}": (backward, name) for name in ACTIVATIONS},
    **{f"slopes {name}": (slopes, name) for name in ACTIVATIONS if name not in DERIVATIVES},
    **{f"softmax of {scale}": (softmax, scale) for scale in (1, 128, 1024)},
    "cross-entropy of labels": (cross_entropy, "labels", 0.0),
    "cross-entropy of labels, eps": (cross_entropy, "labels", 1e-8),
    "cross-entropy of rows": (cross_entropy, "rows", 0.0),
    **{rule: (epoch, rule, ROWS if rule in ONE_STEP else 64, False, {}) for rule in RULES},
    "sgd on zeros": (epoch, "sgd", 64, True, {}),
    "nesterov, decay": (epoch, "nesterov", 64, False, {"weight_decay": 0.5}),
    "rmsprop, clipped": (epoch, "rmsprop", 64, False, {"max_grad_norm": 0.25}),
    "momentum, decay, clipped on zeros": (epoch, "momentum", 64, True, BOTH),
    "dropout": (epoch, "sgd", 64, False, DROPPED),
    "dropout on zeros": (epoch, "sgd", 64, True, DROPPED),
    "sgd on coded rows": (coded_epoch,),
    **{f"gradient of {loss}": (gradient, loss, {}, "rows") for loss in LOSSES},
    "gradient of three quantiles": (
        gradient,
        "pinball_loss",
        {"quantiles": (0.125, 0.5, 0.75)},
        "rows",
    ),
    "gradient of smoothed labels": (gradient, "cross_entropy", {"smoothing": 0.25}, "labels"),
    "gradient of smoothed rows": (gradient, "cross_entropy", {"smoothing": 0.25}, "rows"),
    "gradient of smoothed logistic_loss": (gradient, "logistic_loss", {"smoothing": 0.25}, "rows"),
    "gradient of heads": (heads,),
}


# float32, float64, as AVX2, AVX-512 and NEON gave them. Who changes the kernels'
# arithmetic writes them anew, once all three agree again: make test, make test-neon.
GOLDEN = {
    "forward identity": ("f359169cd822", "af2f66cf25f3"),
    "forward logistic": ("7b4f0171f2bf", "277708c885fa"),
    "forward relu": ("1db752d54646", "d8b1a67c55ee"),
    "forward tanh": ("4b64d63725de", "39a59bae2968"),
    "backward identity": ("5e8e5cbba656", "37095452987d"),
    "backward logistic": ("34bc660a4e0f", "d43578529c4a"),
    "backward relu": ("557605b66766", "70b82f2ca137"),
    "backward tanh": ("dfb5a734874c", "c24ed6f7c056"),
    "forward gelu": ("67e04063ee0e", "0e727a400f2d"),
    "backward gelu": ("95f0cee250c0", "53b71c12b401"),
    "slopes gelu": ("b7ed7ef1be61", "cb0e87839fbc"),
    "forward silu": ("295dc2d2ff69", "28b8c909ca82"),
    "backward silu": ("5e9e6a72d1d9", "ecbe2b6914fd"),
    "slopes silu": ("e0e5df378f7d", "ae6f35c9c908"),
    "forward mish": ("350fbbc2d23c", "963819418c1d"),
    "backward mish": ("a6a8a4693210", "9ffd695adbc8"),
    "slopes mish": ("aa3d3145da93", "4a78ce88e054"),
    "forward elu": ("6d67bf333c32", "72745e3121ff"),
    "backward elu": ("5c380e45a737", "edd720e53174"),
    "forward selu": ("0e2289f009c0", "518ca49278bd"),
    "backward selu": ("f1f1ec203621", "f9dd581ded56"),
    "forward leaky_relu": ("c235ddff25d9", "b79adc8cf2bd"),
    "backward leaky_relu": ("736665d3ba1d", "19a0861de48e"),
    "forward softplus": ("4295c08ed24e", "6205e81c6489"),
    "backward softplus": ("0c1d79b0f0d6", "d2de8096b726"),
    "softmax of 1": ("2dd9e1bd97dd", "69e33bbcbfa3"),
    "softmax of 128": ("33b61ccfdc28", "f031ee029d4f"),
    "softmax of 1024": ("bad27627e9a2", "6f41f782d023"),
    "cross-entropy of labels": ("2df800478f34", "08c48c683bb5"),
    "cross-entropy of labels, eps": ("0f10c2e69870", "c2a87b8cdbf5"),
    "cross-entropy of rows": ("23fc4a0f2ae6", "9a11ee90b245"),
    "sgd": ("8265403daa8b", "da1fb2ff9a15"),
    "sgd on zeros": ("0e301153597d", "7d7dfefd5b4e"),
    "dropout": ("976fbd143d93", "6dd9e9e5a3c6"),
    "dropout on zeros": ("7e27b6a51b34", "9c8b1cfd3ba0"),
    "sgd on coded rows": ("2e6a994c6236", "54b02902a3bb"),
    "momentum": ("2e0fa1465c96", "9a26bdf99912"),
    "nesterov": ("d11a688134f0", "d9f695a42834"),
    "adam": ("6a4e973f52dc", "82e4fc39a58b"),
    "adamw": ("02b8a2ba4268", "2d66e2355d25"),
    "rmsprop": ("7b35fd15e046", "ea10d3832e87"),
    "nesterov, decay": ("fa3279ff7d52", "ff61ee2ecc3b"),
    "rmsprop, clipped": ("90036ca8f6a4", "d057ed3b8592"),
    "momentum, decay, clipped on zeros": ("2bc4cdfe92b9", "b6663a527193"),
    "gradient of cross_entropy": ("0f1b95eb1d8a", "69bc1707a408"),
    "gradient of heads": ("6e4cd1705191", "a777adb554b3"),
    "gradient of logistic_loss": ("bf9059d47855", "daaea6697297"),
    "gradient of smoothed labels": ("e4e2ec9483d2", "5728dc98e8d3"),
    "gradient of smoothed rows": ("3232285b2010", "bd4d0c439cc8"),
    "gradient of smoothed logistic_loss": ("2553fd2482f8", "669aa2efd3fc"),
    "gradient of squared_error": ("948a14411e22", "e12463465e96"),
    "gradient of absolute_error": ("f7ac144db552", "a009ab97e5a2"),
    "gradient of huber_loss": ("77946e2ff466", "131171376486"),
    "gradient of pinball_loss": ("9fb4672e06fc", "01354d18327b"),
    "gradient of three quantiles": ("e493c9abc91c", "ef17a70e7fef"),
    "gradient of gaussian_loss": ("3ae3f91b7694", "869ea6ec60f5"),
    "gradient of gamma_loss": ("3e1d06bb0c94", "bf082f4be8c6"),
    "gradient of tweedie_loss": ("c5f4b9291e8a", "c527f9425aed"),
    "gradient of poisson_loss": ("cefacd8ed784", "7141eec60496"),
}


def digest(nest):
    """Of the arrays and floats in nested lists and tuples."""
    if isinstance(nest, (list, tuple)):
        return hashlib.sha256("".join(map(digest, nest)).encode()).hexdigest()[:12]
    return hashlib.sha256(np.asarray(nest).tobytes()).hexdigest()[:12]


def result(case, dtype):
    function, *arguments = CASES[case]
    return digest(function(*arguments, dtype))


each_case = pytest.mark.parametrize("case", CASES)


@pytest.mark.skipif(len(FMA_ISAS) < 2, reason=f"needs two ISAs with FMA, has {FMA_ISAS}")
@each_case
def test_same_bits_on_every_instruction_set_of_this_machine(case, dtype):
    before, results = _core.config()["isa"], {}
    for name in FMA_ISAS:
        _core.set_isa(name)
        results[name] = result(case, dtype)
    _core.set_isa(before)
    assert len(set(results.values())) == 1, results


@pytest.mark.skipif(
    _core.config()["isa"] not in FMA_ISAS or not _core.config()["compiler"].startswith("gcc"),
    reason="the digests are of GCC's choice which of two products fuses; and they need FMA",
)
@each_case
def test_same_bits_as_on_other_machines(case):
    found = tuple(result(case, np.dtype(dtype)) for dtype in (np.float32, np.float64))
    line = f'    "{case}": ("{found[0]}", "{found[1]}"),'
    assert found == GOLDEN.get(case), f"GOLDEN needs this line, if it is meant to change:\n{line}"

"""The kernels' results have the same bits on every instruction set with fused multiply-add.

NaNs aside, whose sign differs between x86 and ARM.
"""

import hashlib
import platform
from itertools import pairwise

import calls
import numpy as np
import oracle
import pytest

from mlp_c import _core, kernels

FMA_IS_DEFAULT = platform.machine() in {"aarch64", "arm64"}
FMA_ISAS = [
    name for name in _core.config()["supported_isas"] if name != "baseline" or FMA_IS_DEFAULT
]
# Rows beyond a chunk, inputs beyond a block, widths that are not whole tiles.
ROWS, WIDTHS = 300, (270, 41, 11)
LOSSES = ("cross_entropy", "logistic_loss", "squared_error", "poisson_loss")


def exact(dtype, seed=0):
    """A function that draws an array in [-1, 1), exact in any dtype and on any machine."""
    rng = np.random.RandomState(seed)
    return lambda *shape: (rng.randint(-(2**22), 2**22, shape) / 2**22).astype(dtype)


def problem(dtype):
    """Rows, labels, soft targets, an order, weights and biases."""
    draw = exact(dtype)
    X, soft = draw(ROWS, WIDTHS[0]), np.abs(draw(ROWS, WIDTHS[-1]))
    weights = [draw(*shape) / 4 for shape in pairwise(WIDTHS)]
    biases = [draw(width) for width in WIDTHS[1:]]
    order = np.arange(ROWS) * 7 % ROWS
    return X, np.arange(ROWS) % WIDTHS[-1], soft, order, weights, biases


def forward(activation, dtype):
    X, _, _, _, weights, biases = problem(dtype)
    return kernels.forward(X, weights, biases, activation=activation)


def backward(activation, dtype):
    X, _, soft, _, weights, _ = problem(dtype)
    return kernels.backward(X, forward(activation, dtype), soft, weights, activation=activation)


def softmax(scale, dtype):
    return kernels.softmax(exact(dtype)(ROWS, WIDTHS[-1]) * dtype.type(scale))


def cross_entropy(kind, eps, dtype):
    _, labels, soft, *_ = problem(dtype)
    logits = exact(dtype, seed=1)(ROWS, WIDTHS[-1]) * 32
    return kernels.softmax_cross_entropy(logits, labels if kind == "labels" else soft, eps=eps)


def epoch(rule, n_moments, batch_size, zeros, dtype):
    """Training; of zeros, as a sparse array."""
    X, y, _, order, weights, biases = problem(dtype)
    if zeros:
        X[X < 0.5] = 0
        X = _core.index_nonzeros(X, dtype.name, 0.5, np.inf, 1)
    moments = tuple([np.abs(p) for p in weights + biases] for _ in range(n_moments))
    total = calls.train_epoch(
        *(X, y, weights, biases), rule=rule, order=order, batch_size=batch_size, moments=moments,
        learning_rate=0.03125, momentum=0.9, l2=0.25,
    )  # fmt: skip
    return total, weights, biases, moments


def gradient(loss, dtype):
    """Of an L2-regularised loss over all rows; and what is predicted."""
    X, _, soft, _, weights, biases = problem(dtype)
    gradients = [[np.empty_like(p) for p in group] for group in (weights, biases)]
    value = _core.loss_gradient(
        *(X, soft, None, weights, biases, "tanh", (loss, -np.inf, np.inf, 1.0), 0.25),
        *(*gradients, 1),
    )
    return value, gradients, _core.predict(X, None, weights, biases, "tanh", loss, False, 1)


CASES = {
    **{f"forward {name}": (forward, name) for name in sorted(oracle.ACTIVATIONS)},
    **{f"backward {name}": (backward, name) for name in sorted(oracle.ACTIVATIONS)},
    **{f"softmax of {scale}": (softmax, scale) for scale in (1, 128, 1024)},
    "cross-entropy of labels": (cross_entropy, "labels", 0.0),
    "cross-entropy of labels, eps": (cross_entropy, "labels", 1e-8),
    "cross-entropy of rows": (cross_entropy, "rows", 0.0),
    "sgd": (epoch, "sgd", 0, 64, False),
    "sgd on zeros": (epoch, "sgd", 0, 64, True),
    "momentum": (epoch, "momentum", 1, 64, False),
    "nesterov": (epoch, "nesterov", 1, 64, False),
    "adam": (epoch, "adam", 2, ROWS, False),  # one step: the C library's pow is exact for it
    **{f"gradient of {loss}": (gradient, loss) for loss in LOSSES},
}


# float32, float64, as AVX2, AVX-512 and NEON gave them. Who changes the kernels'
# arithmetic writes them anew, once all three agree again: make test, make test-neon.
GOLDEN = {
    "forward identity": ("df00f66f8966", "cfb7376c062e"),
    "forward logistic": ("266043bf514a", "8da32657c9f7"),
    "forward relu": ("4ad2e1860ed2", "2fbcfa444cfa"),
    "forward tanh": ("78bff1f391f8", "98f4fac97bc4"),
    "backward identity": ("215004068ea7", "775f8c3957e4"),
    "backward logistic": ("964844504037", "7c3f3e6b68c5"),
    "backward relu": ("3c303a1e37e0", "77dfe6f91ee6"),
    "backward tanh": ("0f230effe05f", "bda203954a52"),
    "softmax of 1": ("2dd9e1bd97dd", "69e33bbcbfa3"),
    "softmax of 128": ("33b61ccfdc28", "f031ee029d4f"),
    "softmax of 1024": ("bad27627e9a2", "6f41f782d023"),
    "cross-entropy of labels": ("2df800478f34", "08c48c683bb5"),
    "cross-entropy of labels, eps": ("0f10c2e69870", "c2a87b8cdbf5"),
    "cross-entropy of rows": ("977922c89b75", "69633806f958"),
    "sgd": ("1411256fb282", "5ba2f72a927c"),
    "sgd on zeros": ("9ac62255d0b3", "cebc44264480"),
    "momentum": ("3a28f28040a5", "0754de7b4629"),
    "nesterov": ("9e46664e4dae", "dc0ae726f2b3"),
    "adam": ("a54355208a50", "3a4ea6475337"),
    "gradient of cross_entropy": ("03685f846028", "7f7749cf3a30"),
    "gradient of logistic_loss": ("fdeea22482cc", "c2c79e5a0b42"),
    "gradient of squared_error": ("50bb03056bb3", "6185a7166308"),
    "gradient of poisson_loss": ("46e01b42e7b7", "5c061d20d92e"),
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
def test_same_bits_as_on_other_machines(case, dtype):
    assert result(case, dtype) == GOLDEN[case][dtype == np.float64]

"""Each public kernel, paired with the NumPy code that does the same on the same arrays.

To add a pair, write a builder here and list its shapes in kernels.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from mlp_c.kernels import backward, forward, sgd_step, softmax, softmax_cross_entropy


@dataclass(frozen=True)
class Spec:
    """A kernel's name in BUILDERS, its number of rows, and the network's widths."""

    kernel: str
    rows: int
    sizes: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.kernel} {self.rows:,} x {'-'.join(map(str, self.sizes))}"


@dataclass
class Pair:
    """A call of our kernel, and a NumPy call that does the same."""

    ours: Callable[[], object]
    numpys: Callable[[], object]
    flop: int = 0  # of matrix products
    nbytes: int = 0  # read and written, where there are no products


class Network:
    """A network's arrays, its input rows and their gradients. All values are normal."""

    def __init__(self, spec: Spec, dtype: str) -> None:
        rng = np.random.default_rng(0)

        def normal(*shape: int) -> np.ndarray:
            return rng.standard_normal(shape).astype(dtype)

        self.x = normal(spec.rows, spec.sizes[0])
        self.weights = [normal(*shape) for shape in pairwise(spec.sizes)]
        self.biases = [normal(width) for width in spec.sizes[1:]]
        self.activations = [normal(spec.rows, width) for width in spec.sizes[1:]]
        self.deltas = [normal(spec.rows, width) for width in spec.sizes[1:]]
        self.gradients = tuple(
            [np.empty_like(a) for a in arrays] for arrays in (self.weights, self.biases)
        )
        self.flop_of_product = 2 * spec.rows * sum(w.size for w in self.weights)


def pair_product(spec: Spec, dtype: str, threads: int) -> Pair:
    """X W + b."""
    net = Network(spec, dtype)
    (weights,), (biases,), (out,) = net.weights, net.biases, net.activations

    def numpys() -> None:
        np.matmul(net.x, weights, out=out)
        np.add(out, biases, out=out)

    ours = partial(forward, net.x, net.weights, net.biases, out=[out], n_threads=threads)
    return Pair(ours, numpys, net.flop_of_product)


def pair_weights_gradient(spec: Spec, dtype: str, threads: int) -> Pair:
    """The transpose of X times deltas, and the deltas' sum over the rows."""
    net = Network(spec, dtype)
    (deltas,), out = net.deltas, net.gradients

    def numpys() -> None:
        np.matmul(net.x.T, deltas, out=out[0][0])
        np.sum(deltas, axis=0, out=out[1][0])

    ours = partial(
        backward, net.x, net.activations, deltas, net.weights, out=out, n_threads=threads
    )
    return Pair(ours, numpys, net.flop_of_product)


def pair_forward(spec: Spec, dtype: str, threads: int) -> Pair:
    net = Network(spec, dtype)

    def numpys() -> None:
        a = net.x
        for weights, biases, z in zip(net.weights, net.biases, net.activations, strict=True):
            np.matmul(a, weights, out=z)
            z += biases
            if z is not net.activations[-1]:
                np.maximum(z, 0, out=z)
            a = z

    ours = partial(forward, net.x, net.weights, net.biases, out=net.activations, n_threads=threads)
    return Pair(ours, numpys, net.flop_of_product)


def pair_backward(spec: Spec, dtype: str, threads: int) -> Pair:
    net = Network(spec, dtype)
    inputs = [net.x, *net.activations[:-1]]

    def numpys() -> None:
        for layer in reversed(range(len(inputs))):
            deltas = net.deltas[layer]
            np.matmul(inputs[layer].T, deltas, out=net.gradients[0][layer])
            np.sum(deltas, axis=0, out=net.gradients[1][layer])
            if layer:
                np.matmul(deltas, net.weights[layer].T, out=net.deltas[layer - 1])
                net.deltas[layer - 1] *= inputs[layer] > 0

    ours = partial(
        backward,
        net.x,
        net.activations,
        net.deltas[-1],
        net.weights,
        out=net.gradients,
        n_threads=threads,
    )
    return Pair(ours, numpys, 2 * net.flop_of_product - 2 * spec.rows * net.weights[0].size)


def pair_softmax(spec: Spec, dtype: str, threads: int) -> Pair:
    net = Network(spec, dtype)
    out = np.empty_like(net.x)
    ours = partial(softmax, net.x, out=out)
    return Pair(ours, partial(softmax_by_numpy, net.x, out), nbytes=2 * out.nbytes)


def softmax_by_numpy(logits: np.ndarray, out: np.ndarray) -> None:
    np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)


def pair_softmax_cross_entropy(spec: Spec, dtype: str, threads: int) -> Pair:
    net = Network(spec, dtype)
    out = np.empty_like(net.x)
    y = np.random.default_rng(0).integers(spec.sizes[0], size=spec.rows)
    labels = np.arange(spec.rows), y

    def numpys() -> float:
        softmax_by_numpy(net.x, out)
        loss = -np.log(out[labels]).mean()
        out[labels] -= 1
        np.divide(out, spec.rows, out=out)
        return loss

    ours = partial(softmax_cross_entropy, net.x, y, out=out)
    return Pair(ours, numpys, nbytes=2 * out.nbytes)


def pair_sgd_step(spec: Spec, dtype: str, threads: int) -> Pair:
    net = Network(spec, dtype)
    parameters = net.weights + net.biases
    gradients = [np.zeros_like(a) for a in parameters]  # so that steps change nothing
    scratch = [np.empty_like(a) for a in parameters]

    def numpys() -> None:
        for p, g, s in zip(parameters, gradients, scratch, strict=True):
            np.multiply(g, 0.1, out=s)
            np.subtract(p, s, out=p)

    ours = partial(sgd_step, parameters, gradients, 0.1, n_threads=threads)
    return Pair(ours, numpys, nbytes=3 * sum(a.nbytes for a in parameters))


BUILDERS = {
    "product": pair_product,
    "weights_gradient": pair_weights_gradient,
    "forward": pair_forward,
    "backward": pair_backward,
    "softmax": pair_softmax,
    "softmax_cross_entropy": pair_softmax_cross_entropy,
    "sgd_step": pair_sgd_step,
}

"""NumPy as an expert writes it, without needless allocations and copies."""

from itertools import pairwise

import numpy as np

from benchmarks.cases import Case
from benchmarks.rivals.base import Rival
from benchmarks.roof import numpy_version

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class NumPy(Rival):
    """All parameters are in one vector, and so are the gradients: an update is a few calls."""

    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray) -> None:
        self.version = numpy_version()
        self.case, self.x, self.y = case, x, y
        shapes = list(pairwise(case.layer_sizes))
        self.n_weights = sum(n_in * n_out for n_in, n_out in shapes)
        size = self.n_weights + sum(case.hidden) + case.layer_sizes[-1]
        self.parameters, self.gradients, self.scratch, self.mean, self.square = (
            np.zeros(size, x.dtype) for _ in range(5)
        )
        self.layers = self.views(self.parameters)
        self.layer_gradients = self.views(self.gradients)
        self.activations, self.deltas = (
            [np.empty((case.batch_size, width), x.dtype) for width in case.layer_sizes]
            for _ in range(2)
        )
        self.masks = [np.empty((case.batch_size, width), bool) for width in case.layer_sizes]

    def views(self, vector: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Views of the layers' weights and biases in `vector`, which has all weights first."""
        weights, biases = vector[: self.n_weights], vector[self.n_weights :]
        layers = []
        for n_in, n_out in pairwise(self.case.layer_sizes):
            layers.append((weights[: n_in * n_out].reshape(n_in, n_out), biases[:n_out]))
            weights, biases = weights[n_in * n_out :], biases[n_out:]
        return layers

    def fit(self, n_epochs: int) -> None:
        rng = np.random.default_rng(0)
        for weights, biases in self.layers:
            weights[:] = rng.standard_normal(weights.shape) * np.sqrt(2 / len(weights))
            biases[:] = 0
        self.mean[:] = self.square[:] = 0
        self.steps = 0
        update = {"sgd": self.sgd, "adam": self.adam}[self.case.solver]
        for _ in range(n_epochs):
            order = rng.permutation(len(self.x))
            for i in range(0, len(order), self.case.batch_size):
                self.differentiate(order[i : i + self.case.batch_size])
                update()

    def differentiate(self, rows: np.ndarray) -> None:
        """Computes the loss and gradients of a batch."""
        n = len(rows)
        activations, deltas, masks = (
            [buffer[:n] for buffer in buffers]
            for buffers in (self.activations, self.deltas, self.masks)
        )
        # mode "clip" writes to `out` without an intermediate copy
        np.take(self.x, rows, axis=0, out=activations[0], mode="clip")
        self.forward(activations)
        logits, delta = activations[-1], deltas[-1]
        labels = np.arange(n), self.y[rows]
        np.subtract(logits, logits.max(axis=1, keepdims=True), out=delta)
        np.exp(delta, out=delta)
        delta /= delta.sum(axis=1, keepdims=True)
        self.loss = -np.log(delta[labels]).mean()
        delta[labels] -= 1
        delta /= n
        for layer in reversed(range(len(self.layers))):
            weights_gradient, biases_gradient = self.layer_gradients[layer]
            np.matmul(activations[layer].T, deltas[layer + 1], out=weights_gradient)
            np.sum(deltas[layer + 1], axis=0, out=biases_gradient)
            if layer:
                np.matmul(deltas[layer + 1], self.layers[layer][0].T, out=deltas[layer])
                np.greater(activations[layer], 0, out=masks[layer])
                deltas[layer] *= masks[layer]
        if self.case.alpha:
            np.multiply(self.parameters, self.case.alpha / n, out=self.scratch)
            self.gradients[: self.n_weights] += self.scratch[: self.n_weights]

    def forward(self, activations: list[np.ndarray]) -> None:
        """Fills all activations but the first, which are the inputs."""
        for (weights, biases), (a, z) in zip(self.layers, pairwise(activations), strict=True):
            np.matmul(a, weights, out=z)
            z += biases
            if z is not activations[-1]:
                np.maximum(z, 0, out=z)

    def sgd(self) -> None:
        self.gradients *= self.case.learning_rate
        self.parameters -= self.gradients

    def adam(self) -> None:
        g, s = self.gradients, self.scratch
        np.subtract(g, self.mean, out=s)
        s *= 1 - BETA_1
        self.mean += s
        np.multiply(g, g, out=s)
        s -= self.square
        s *= 1 - BETA_2
        self.square += s
        self.steps += 1
        np.sqrt(self.square, out=s)
        s += EPSILON
        np.divide(self.mean, s, out=s)
        s *= self.case.learning_rate * np.sqrt(1 - BETA_2**self.steps) / (1 - BETA_1**self.steps)
        self.parameters -= s

    def predict(self, x: np.ndarray) -> np.ndarray:
        a = x
        for weights, biases in self.layers[:-1]:
            a = a @ weights
            a += biases
            np.maximum(a, 0, out=a)
        weights, biases = self.layers[-1]
        return (a @ weights + biases).argmax(axis=1)

"""Our kernels, as a loop of one's own calls them: the five, and train_step."""

from abc import abstractmethod

import numpy as np

from benchmarks.cases import Case
from benchmarks.rivals.base import Rival
from benchmarks.rivals.estimators import MlpC
from mlp_c.kernels import (
    backward,
    forward,
    initialize,
    sgd_step,
    softmax_cross_entropy,
    train_step,
)


class Loop(Rival):
    """Plain gradient descent on batches of shuffled rows."""

    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray) -> None:
        self.version = MlpC(case, x, y).version
        self.case, self.x, self.y = case, x, y

    def fit(self, n_epochs: int) -> None:
        rng = np.random.default_rng(0)
        self.weights, self.biases = initialize(
            self.case.layer_sizes, random_state=rng, dtype=self.x.dtype
        )
        for _ in range(n_epochs):
            order = rng.permutation(len(self.x))
            for i in range(0, len(order), self.case.batch_size):
                self.train(order[i : i + self.case.batch_size])

    @abstractmethod
    def train(self, rows: np.ndarray) -> None:
        """Takes one step on these rows."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        logits = forward(x, self.weights, self.biases, n_threads=self.case.threads)[-1]
        return logits.argmax(axis=1)


class FiveKernels(Loop):
    def train(self, rows: np.ndarray) -> None:
        x, threads = self.x[rows], self.case.threads
        activations = forward(x, self.weights, self.biases, n_threads=threads)
        _, dlogits = softmax_cross_entropy(activations[-1], self.y[rows])
        dweights, dbiases = backward(x, activations, dlogits, self.weights, n_threads=threads)
        sgd_step(
            [*self.weights, *self.biases],
            [*dweights, *dbiases],
            self.case.learning_rate,
            n_threads=threads,
        )


class TrainStep(Loop):
    def train(self, rows: np.ndarray) -> None:
        train_step(
            self.x,
            self.y,
            self.weights,
            self.biases,
            self.case.learning_rate,
            rows=rows,
            n_threads=self.case.threads,
        )

"""The libraries that are compared, each behind one interface.

To add a rival: a subclass of Rival and a line in RIVALS. What a rival needs is
imported by its constructor, in the rival's own process; an ImportError there says
that it is absent.
"""

import warnings
from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.cases import Case


class Rival(ABC):
    """Trains the case's network on x (rows, features) and y (labels)."""

    version: str

    @abstractmethod
    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray, threads: int) -> None:
        """Imports the library and readies the data: what a user would do once."""

    @abstractmethod
    def fit(self, n_epochs: int) -> None:
        """Trains a new network from its first weights on."""

    @abstractmethod
    def predict(self, x: np.ndarray) -> np.ndarray:
        """Labels by the network that was trained last."""


class Estimator(Rival):
    """A classifier with scikit-learn's parameters."""

    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray, threads: int) -> None:
        self.x, self.y = x, y
        self.make, self.version, more = self.load(threads)
        self.parameters = {
            "hidden_layer_sizes": case.layer_sizes[1:-1],
            "solver": "sgd",
            "momentum": 0,
            "alpha": 0,
            "batch_size": case.batch_size,
            "learning_rate_init": case.learning_rate,
            "random_state": 0,
            **more,
        }

    @abstractmethod
    def load(self, threads: int) -> tuple[Any, str, dict[str, Any]]:
        """The class, its version and the parameters it has beyond the common ones."""

    def fit(self, n_epochs: int) -> None:
        self.model = self.make(**self.parameters, max_iter=n_epochs, n_iter_no_change=n_epochs + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            self.model.fit(self.x, self.y)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict(x)


class MlpC(Estimator):
    def load(self, threads: int) -> tuple[Any, str, dict[str, Any]]:
        from mlp_c import MLPClassifier, show_config

        config = show_config(mode="dicts")
        version = f"{config['version']} ({config['isa']})"
        return MLPClassifier, version, {"n_threads": threads, "init": "he_normal"}


class ScikitLearn(Estimator):
    def load(self, threads: int) -> tuple[Any, str, dict[str, Any]]:
        import sklearn
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier, sklearn.__version__, {}


class NumPy(Rival):
    """The notebook's own functions, in the case's dtype and for any number of layers."""

    version = np.__version__

    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray, threads: int) -> None:
        self.case = case
        self.x = x
        self.y = np.eye(case.layer_sizes[-1], dtype=x.dtype)[y]

    def fit(self, n_epochs: int) -> None:
        rng = np.random.RandomState(42)
        self.weights, self.biases = [], []
        for n_in, n_out in pairwise(self.case.layer_sizes):
            weights = rng.randn(n_in, n_out) * np.sqrt(2.0 / n_in)
            self.weights.append(weights.astype(self.x.dtype))
            self.biases.append(np.zeros(n_out, self.x.dtype))
        for _ in range(n_epochs):
            order = rng.permutation(len(self.x))
            x, y = self.x[order], self.y[order]
            for i in range(0, len(x), self.case.batch_size):
                batch = slice(i, i + self.case.batch_size)
                self.step(x[batch], y[batch])

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        inputs, z, out = self.forward(x)
        self.loss = -np.sum(y * np.log(out + 1e-8)) / len(x)
        dz = (out - y) / len(x)
        grads = []
        for layer in reversed(range(len(self.weights))):
            grads.append((np.dot(inputs[layer].T, dz), np.sum(dz, axis=0)))
            if layer:
                dz = np.dot(dz, self.weights[layer].T) * (z[layer - 1] > 0)
        for weights, biases, (dw, db) in zip(
            self.weights, self.biases, reversed(grads), strict=True
        ):
            weights -= self.case.learning_rate * dw
            biases -= self.case.learning_rate * db

    def forward(self, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
        """The layers' inputs, their sums, and the probabilities."""
        inputs, z = [x], []
        for weights, biases in zip(self.weights, self.biases, strict=True):
            z.append(np.dot(inputs[-1], weights) + biases)
            inputs.append(np.maximum(0, z[-1]))
        exp_z = np.exp(z[-1] - np.max(z[-1], axis=1, keepdims=True))
        return inputs, z, exp_z / exp_z.sum(axis=1, keepdims=True)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.argmax(self.forward(x)[-1], axis=1)


class PyTorch(Rival):
    """nn.Sequential, SGD and CrossEntropyLoss on tensors, batches by index_select."""

    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.torch, self.version = torch, str(torch.__version__)
        self.case = case
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)

    def fit(self, n_epochs: int) -> None:
        torch = self.torch
        torch.manual_seed(0)
        layers = []
        for n_in, n_out in pairwise(self.case.layer_sizes):
            layers += [torch.nn.Linear(n_in, n_out, dtype=self.x.dtype), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        optimizer = torch.optim.SGD(self.model.parameters(), lr=self.case.learning_rate)
        loss_of = torch.nn.CrossEntropyLoss()
        for _ in range(n_epochs):
            for batch in torch.randperm(len(self.x)).split(self.case.batch_size):
                x, y = self.x.index_select(0, batch), self.y.index_select(0, batch)
                optimizer.zero_grad()
                loss_of(self.model(x), y).backward()
                optimizer.step()

    def predict(self, x: np.ndarray) -> np.ndarray:
        with self.torch.no_grad():
            return self.model(self.torch.from_numpy(x)).argmax(dim=1).numpy()


class MatrixProduct(Rival):
    """No rival but the roof: an "epoch" is NumPy's product of two square matrices."""

    SIZE = 1024
    version = np.__version__

    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray, threads: int) -> None:
        rng = np.random.default_rng(0)
        self.a = rng.random((self.SIZE, self.SIZE)).astype(case.dtype)
        self.out = np.empty_like(self.a)

    def fit(self, n_epochs: int) -> None:
        for _ in range(n_epochs):
            np.matmul(self.a, self.a, out=self.out)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.zeros(len(x))


ROOF = "GEMM"
RIVALS: dict[str, type[Rival]] = {
    "mlp_c": MlpC,
    "numpy": NumPy,
    "sklearn": ScikitLearn,
    "torch": PyTorch,
}

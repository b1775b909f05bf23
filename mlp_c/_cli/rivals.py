"""What ``python -m mlp_c bench`` measures: the cases, and who trains and predicts in them.

Each rival has a process of its own, in which `prepare` and `measure` are called.
"""

import importlib
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import sklearn
from sklearn import neural_network
from threadpoolctl import threadpool_limits

from mlp_c._estimators.classifier import MLPClassifier
from mlp_c._system.config import show_config

_LEARNING_RATE = 0.01


@dataclass(frozen=True)
class Case:
    """A network that is trained by plain gradient descent, and may predict then.

    Attributes
    ----------
    name : str
        What the table calls it.
    widths : tuple of int
        Of the layers, from the inputs to the classes.
    dtype : str
        Of the rows.
    n_rows : int
        Rows to train on.
    n_predicted : int
        How many of them to predict; 0 to measure the training.
    share_of_ink : float
        The share of elements that are not zero, in runs of four like the pixels of digits.
    batch_size : int
        Rows of a batch.
    """

    name: str
    widths: tuple[int, ...]
    dtype: str
    n_rows: int
    n_predicted: int = 0
    share_of_ink: float = 1.0
    batch_size: int = 128

    def make_data(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of a fixed seed, and their classes, which a linear function of the rows tells."""
        rng = np.random.default_rng(0)
        n_in, n_classes = self.widths[0], self.widths[-1]
        X = rng.standard_normal((self.n_rows, n_in))
        if self.share_of_ink < 1:
            has_ink = rng.random((self.n_rows, n_in // 4)) < self.share_of_ink
            X = np.abs(X) * np.repeat(has_ink, 4, axis=1)
        y = np.argmax((X - X.mean(axis=0)) @ rng.standard_normal((n_in, n_classes)), axis=1)
        return X.astype(self.dtype), y


class ScikitLearn:
    """scikit-learn's classifier."""

    version = f"scikit-learn {sklearn.__version__}"
    make: Callable[..., Any] = neural_network.MLPClassifier

    def __init__(self, case: Case, n_threads: int) -> None:
        self.case, self.n_threads = case, n_threads
        self.X, self.y = case.make_data()

    def parameters(self, n_epochs: int) -> dict[str, Any]:
        """What the classifier is made with."""
        return {
            "hidden_layer_sizes": self.case.widths[1:-1],
            "solver": "sgd",
            "momentum": 0,
            "alpha": 0,
            "batch_size": self.case.batch_size,
            "learning_rate_init": _LEARNING_RATE,
            "max_iter": n_epochs,
            "n_iter_no_change": n_epochs + 1,
            "random_state": 0,
        }

    def fit(self, n_epochs: int) -> None:
        """Train a new network."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            self.model = type(self).make(**self.parameters(n_epochs)).fit(self.X, self.y)

    def predict(self, X: np.ndarray) -> Any:
        """Predict the classes of rows with the network trained last."""
        return self.model.predict(X)


class Ours(ScikitLearn):
    """The classifier of this package."""

    version = "mlp_c {version} ({isa})".format(**show_config(mode="dicts") or {})
    make = MLPClassifier

    def parameters(self, n_epochs: int) -> dict[str, Any]:
        return {**super().parameters(n_epochs), "n_threads": self.n_threads}


class PyTorch(ScikitLearn):
    """A plain training loop of PyTorch."""

    def __init__(self, case: Case, n_threads: int) -> None:
        super().__init__(case, n_threads)
        self.torch: Any = importlib.import_module("torch")
        self.version = f"PyTorch {self.torch.__version__}"
        self.torch.set_num_threads(n_threads)

    def fit(self, n_epochs: int) -> None:
        torch, nn = self.torch, self.torch.nn
        torch.manual_seed(0)
        X, y = torch.from_numpy(self.X), torch.from_numpy(self.y)
        layers = []
        for n_in, n_out in pairwise(self.case.widths):
            layers += [nn.Linear(n_in, n_out, dtype=X.dtype), nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1])
        optimizer = torch.optim.SGD(self.model.parameters(), lr=_LEARNING_RATE)
        loss_of = nn.CrossEntropyLoss()
        for _ in range(n_epochs):
            for batch in torch.randperm(len(X)).split(self.case.batch_size):
                optimizer.zero_grad()
                loss_of(self.model(X[batch]), y[batch]).backward()
                optimizer.step()

    def predict(self, X: np.ndarray) -> Any:
        with self.torch.inference_mode():
            return self.model(self.torch.from_numpy(X)).argmax(dim=1).numpy()


# The first is what the others are compared with.
RIVALS = {"mlp_c": Ours, "scikit-learn": ScikitLearn, "PyTorch": PyTorch}


# ---- in the process of a rival ----

_measured: dict[str, Any] = {}


def prepare(name: str, case: Case, n_threads: int) -> str:
    """Make a rival and the data of a case, and warm up; its version.

    Raises
    ------
    ImportError
        If the rival cannot be imported.
    """
    _measured.clear()
    rival = RIVALS[name](case, n_threads)
    threadpool_limits(n_threads)
    _measured["rival"], _measured["seconds"] = rival, _mean_seconds(lambda: rival.fit(1), 0)
    return rival.version


def measure(goal: float) -> float:
    """Seconds of an epoch or a prediction, the mean of as many as `goal` seconds hold."""
    rival = _measured["rival"]
    if n_predicted := rival.case.n_predicted:
        X = rival.X[:n_predicted]
        return _mean_seconds(lambda: rival.predict(X), goal)
    n_epochs = max(1, int(goal / _measured["seconds"]))
    _measured["seconds"] = _mean_seconds(lambda: rival.fit(n_epochs), 0) / n_epochs
    return float(_measured["seconds"])


def _mean_seconds(call: Callable[[], Any], goal: float) -> float:
    """Seconds of a call, the mean of as many as begin within `goal` seconds."""
    n_calls, start = 0, time.perf_counter()
    while True:
        call()
        n_calls += 1
        taken = time.perf_counter() - start
        if taken >= goal:
            return taken / n_calls

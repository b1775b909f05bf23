"""scikit-learn's classifier and ours."""

import warnings
from typing import Any

import numpy as np
import sklearn.neural_network

import mlp_c
from benchmarks.cases import Case
from benchmarks.data import Rows
from benchmarks.rivals.base import Rival


class ScikitLearn(Rival):
    make: type = sklearn.neural_network.MLPClassifier
    version = sklearn.__version__

    def __init__(self, case: Case, x: Rows, y: np.ndarray) -> None:
        self.x, self.y = x, y
        self.parameters: dict[str, Any] = {
            "hidden_layer_sizes": case.hidden,
            "solver": case.solver,
            "momentum": 0,
            "alpha": case.alpha,
            "batch_size": case.batch_size,
            "learning_rate_init": case.learning_rate,
            "random_state": 0,
        }

    def fit(self, n_epochs: int) -> None:
        self.model = self.make(**self.parameters, max_iter=n_epochs, n_iter_no_change=n_epochs + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the warning that it has not converged
            self.train()

    def train(self) -> None:
        self.model.fit(self.x, self.y)

    def predict(self, x: Rows) -> np.ndarray:
        return self.model.predict(x)


class MlpC(ScikitLearn):
    make = mlp_c.MLPClassifier

    def __init__(self, case: Case, x: Rows, y: np.ndarray) -> None:
        super().__init__(case, x, y)
        self.parameters["n_threads"] = case.threads
        config = mlp_c.show_config(mode="dicts")
        self.version = f"{config['version']} ({config['isa']})"


class MlpCOneThread(MlpC):
    def __init__(self, case: Case, x: Rows, y: np.ndarray) -> None:
        super().__init__(case, x, y)
        self.parameters["n_threads"] = 1

"""Small problems, and models of three hidden layers that have an activation each."""

import numpy as np
import pytest

from mlp_c import MLPClassifier, MLPRegressor

each_class = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])

N, WIDTHS = 50, [7, 6, 5]
rng = np.random.default_rng(0)
X = rng.standard_normal((N, 4))
X[rng.random(X.shape) < 0.4] = 0
NUMBERS = np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2], X[:, 3]])
CLASSES = np.digitize(NUMBERS[:, 1], [-0.3, 0.3])
SMALL = {"hidden_layer_sizes": WIDTHS, "max_iter": 8, "random_state": 3}
MIXED = {
    "gelu, tanh, relu": ["gelu", "tanh", "relu"],
    "logistic, gelu, identity": ["logistic", "gelu", "identity"],
    "gelu and logistic": ["gelu", "gelu", "logistic"],
}


def make(cls, activation, **params):
    return cls(**SMALL | {"batch_size": 16} | params, activation=activation)

"""A small classification, its fits, and a callback that records what it is told."""

import pytest
from sklearn.datasets import make_classification

from mlp_c import MLPClassifier, MLPRegressor

both = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
solvers = pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])

X, Y = make_classification(100, 5, random_state=0)
EPOCHS = 6


def make(cls=MLPClassifier, **params):
    defaults = {"hidden_layer_sizes": (7,), "max_iter": EPOCHS, "random_state": 0}
    return cls(**defaults | params)


def bits(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


class Recorder:
    """Notes each call of a hook; does what the test asks for at the end of an epoch."""

    def __init__(self, at_epoch_end=None):
        self.at_epoch_end = at_epoch_end
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.calls.append(("end", context.task_name, context.task_id))
        if context.task_name == "epoch" and self.at_epoch_end is not None:
            return self.at_epoch_end(estimator, context.task_id)
        return False


def tasks(epochs):
    yield from ("setup", ("begin", "fit", 0))
    for epoch in range(epochs):
        yield from (("begin", "epoch", epoch), ("end", "epoch", epoch))
    yield from (("end", "fit", 0), "teardown")

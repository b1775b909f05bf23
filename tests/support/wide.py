"""A problem, and models, of which a batch is enough work for a second thread; larger arrays."""

import threading

import numpy as np

from mlp_c import MLPClassifier

X = np.random.default_rng(0).standard_normal((2000, 60), dtype=np.float32)
Y = np.arange(len(X)) % 3


def make(cls=MLPClassifier, **params):
    defaults = {"hidden_layer_sizes": (100,), "max_iter": 3, "n_threads": 2, "random_state": 0}
    return cls(**defaults | params)


def bits(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


def virtual(*shape, value=0.5, dtype=np.float32):
    """An array of any size that takes no memory."""
    return np.broadcast_to(np.array(value, dtype), shape)


def in_a_thread(function):
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


class Callback:
    """Does something with the estimator at the end of each epoch."""

    setup = teardown = on_fit_task_begin = lambda *args, **kwargs: None

    def __init__(self, at_end):
        self.at_end = at_end

    def __reduce__(self):
        return Callback, (print,)

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.at_end(estimator)
        return False

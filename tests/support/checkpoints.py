"""Fits that are interrupted, with checkpoints, and the data of each."""

import copy

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from mlp_c import Checkpoint, MLPClassifier, MLPRegressor, _core
from support.states import CLASSES, COLUMNS, NAMES, NUMBERS, TEXT, N, X

WEIGHT = np.random.default_rng(1).uniform(0.5, 2, N)
EPOCHS = 6


class Interrupted(Exception):
    pass


class Interrupt:
    """Ends a fit with an exception after some epochs."""

    def __init__(self, epochs):
        self.epochs = epochs

    def setup(self, estimator, context):
        pass

    teardown = setup

    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch" and self.epochs == 0:
            raise Interrupted

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch" and estimator.n_iter_ == self.epochs:
            raise Interrupted


def interrupt(model, path, epochs, data, every=1, **keywords):
    """Fit with checkpoints up to the end of an epoch."""
    model.set_callbacks(Checkpoint(path, every), Interrupt(epochs))
    with pytest.raises(Interrupted):
        model.fit(*data, **keywords)


def interrupt_after(monkeypatch, name, epochs):
    """Have Ctrl-C come as a function of the core returns from the epoch after so many."""
    train, calls = getattr(_core, name), []

    def train_or_stop(*arguments):
        calls.append(None)
        result = train(*arguments)
        if len(calls) == epochs + 1:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(_core, name, train_or_stop)


# Parameters, rows, targets, weights.
CASES = {
    "sgd": ({"solver": "sgd"}, X, TEXT, None),
    "no momentum": ({"solver": "sgd", "momentum": 0}, X, TEXT, None),
    "momentum": ({"solver": "sgd", "nesterovs_momentum": False}, X, TEXT, None),
    "invscaling": ({"solver": "sgd", "learning_rate": "invscaling"}, X, TEXT, None),
    "adaptive": (
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
        X,
        TEXT,
        None,
    ),
    "adaptive to its end": (
        {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 1e-5, "tol": 9.0}
        | {"n_iter_no_change": 1},
        X,
        TEXT,
        None,
    ),
    "adam": ({}, X, TEXT, None),
    "cosine": ({"learning_rate": "cosine", "early_stopping": True}, X, TEXT, None),
    "one cycle": ({"learning_rate": "one_cycle", "solver": "sgd"}, X, TEXT, WEIGHT),
    "exponential": ({"learning_rate": "exponential", "batch_size": 1}, X, NUMBERS, None),
    "coslog4": ({"learning_rate": "coslog4", "solver": "sgd", "warmup": 0.5}, X, TEXT, None),
    "warmup": ({"warmup": 1.0}, X, TEXT, None),
    "adaptive from warmup": (
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1}
        | {"warmup": 0.8},
        X,
        TEXT,
        None,
    ),
    "adamw": ({"solver": "adamw"}, X, TEXT, WEIGHT),
    "rmsprop": ({"solver": "rmsprop"}, X, NUMBERS, None),
    "decay": ({"solver": "sgd", "weight_decay": 0.5}, X, TEXT, None),
    "clipped": ({"max_grad_norm": 0.05, "early_stopping": True}, X, TEXT, WEIGHT),
    "a plateau": ({"tol": 1.0, "n_iter_no_change": 2}, X, TEXT, None),
    "early stopping": ({"early_stopping": True, "learning_rate_init": 0.05}, X, CLASSES, None),
    "stopped early": ({"early_stopping": True, "n_iter_no_change": 1, "tol": 1.0}, X, TEXT, None),
    "weights": ({"early_stopping": True}, X, TEXT, WEIGHT),
    "whole rows": ({"shuffle": False, "batch_size": 7}, X, TEXT, WEIGHT),
    "float32": ({}, X.astype(np.float32), TEXT, None),
    "float32 of float64": ({"compute_dtype": "float32"}, X, TEXT, None),
    "integers": ({}, (10 * X).astype(np.int16), TEXT, None),
    "sparse": ({"early_stopping": True}, csr_array(np.where(X > 0, X, 0)), TEXT, None),
    "mostly zero": ({}, np.where(np.abs(X) > 1.7, X, 0), TEXT, None),
    "Fortran's order": ({}, np.asfortranarray(X), TEXT, None),
    "a frame": ({}, pd.DataFrame(X, columns=list("abcd")), pd.Series(TEXT), None),
    "many labels": ({}, X, (X[:, :3] > 0).astype(int), None),
    "sparse labels": ({"early_stopping": True}, X, csr_array((X[:, :3] > 0).astype(int)), None),
    "columns": ({"early_stopping": True}, X, COLUMNS, WEIGHT),
    "columns of any kind": ({}, csr_array(X), NAMES, None),
    "numbers": ({}, X, NUMBERS, WEIGHT),
    "several numbers": ({"early_stopping": True}, X, X[:, :2], None),
    "poisson": ({"loss": "poisson"}, X, np.abs(NUMBERS), None),
    "absolute error": ({"loss": "absolute_error"}, X, NUMBERS, WEIGHT),
    "Huber": ({"loss": "huber", "huber_delta": 0.5}, X, NUMBERS, None),
    "quantile": ({"loss": "quantile", "quantile": 0.9}, X, NUMBERS, None),
    "quantiles": (
        {"loss": "quantile", "quantile": [0.1, 0.9], "early_stopping": True},
        X,
        X[:, :2],
        WEIGHT,
    ),
    "gaussian": ({"loss": "gaussian", "early_stopping": True}, X, NUMBERS, WEIGHT),
    "gamma": ({"loss": "gamma"}, X, 0.1 + np.abs(NUMBERS), None),
    "Tweedie": ({"loss": "tweedie", "tweedie_power": 1.2}, X, np.abs(NUMBERS), None),
    "smoothed labels": ({"label_smoothing": 0.1}, X, TEXT, WEIGHT),
    "dropout": ({"dropout": 0.5, "solver": "sgd", "momentum": 0}, X, TEXT, WEIGHT),
    "a dropout each": (
        {"hidden_layer_sizes": (5, 4), "dropout": [0.2, 0.5], "input_dropout": 0.1}
        | {"early_stopping": True},
        csr_array(np.where(X > 0, X, 0)),
        NUMBERS,
        None,
    ),
    "an instance": ({"random_state": np.random.RandomState(3)}, X, TEXT, None),
    "three threads": ({"n_threads": 3}, X, TEXT, None),
    "gelu": ({"activation": "gelu"}, X, TEXT, WEIGHT),
    "an activation each": (
        {"hidden_layer_sizes": (5, 4), "activation": ["gelu", "tanh"], "early_stopping": True},
        X,
        NUMBERS,
        None,
    ),
}


def setting(case):
    """A new model of a case, and its data."""
    params, *data = CASES[case]
    regression = getattr(data[1], "dtype", None) == np.float64
    cls = MLPRegressor if regression else MLPClassifier
    defaults = {"hidden_layer_sizes": (5,), "max_iter": EPOCHS, "random_state": 0}
    return cls(**defaults | {"batch_size": 10} | copy.deepcopy(params)), data

"""Small fitted models that tests edit, and the ways in which they are saved."""

import copy
import pickle

import joblib
import pytest
import sklearn.neural_network

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor
from support.states import NUMBERS, TEXT, X

both = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
THEIRS = {"MLPClassifier": sklearn.neural_network.MLPClassifier}
THEIRS["MLPRegressor"] = sklearn.neural_network.MLPRegressor


def fitted(cls=MLPClassifier, **params):
    params = {"hidden_layer_sizes": (4,), "max_iter": 4, "random_state": 0} | params
    return cls(**params).fit(X, TEXT if cls is MLPClassifier else NUMBERS)


def outputs(model, rows=X):
    return model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)


def saved(model, way, path):
    """The model again: after a pickle, a copy, joblib or a file."""
    if way == "pickle":
        return pickle.loads(pickle.dumps(model))
    if way == "deepcopy":
        return copy.deepcopy(model)
    if way == "joblib":
        joblib.dump(model, path)
        return joblib.load(path)
    model.save(path)
    return mlp_c.load(path)


def weights(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


each_way = pytest.mark.parametrize("way", ["pickle", "deepcopy", "joblib", "file"])

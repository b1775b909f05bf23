"""Callbacks that meddle with the model that is being fitted: the fit ends, or raises.

Elsewhere: callbacks that raise, stop, pickle, fit another model or the same
(estimators/test_callback_faults); one that forks (test_processes).
"""

import pickle
import sys

import numpy as np
import pytest

import mlp_c
from support import processes
from support.wide import Callback, X, Y, bits, make


def emptied(model):
    for name in list(vars(model)):
        if name.endswith("_") and not name.startswith("_"):
            delattr(model, name)


def replaced(value):
    return lambda model: setattr(model, "coefs_", value)


MEDDLING = {
    "deletes what was fitted": emptied,
    "deletes everything": lambda model: vars(model).clear(),
    "deletes the optimizer": lambda model: vars(model).pop("_optimizer", None),
    "empties the weights": lambda model: model.coefs_.clear(),
    "has other weights": replaced([np.ones((2, 2))]),
    "has no weights": replaced(None),
    "has objects for weights": replaced([object()] * 2),
    "has read-only weights": lambda model: [w.setflags(write=False) for w in model.coefs_],
    "has one array for all": lambda model: model.coefs_.__setitem__(1, model.coefs_[0]),
    "shares its moments": lambda model: setattr(
        model._optimizer, "moments", (model.coefs_ + model.intercepts_,) * 2
    ),
    "has other moments": lambda model: setattr(model._optimizer, "moments", ([], [])),
    "has other parameters": lambda model: model.set_params(
        hidden_layer_sizes=(2**40,), activation="tanh", alpha=-1, n_threads="many"
    ),
    "has an activation of None": lambda model: model.set_params(activation=None),
    "has a loss of another shape": lambda model: setattr(model, "out_activation_", "softmax"),
    "rewrites the labels": lambda model: Y_OF_MEDDLER.fill(2**40),
    "takes another number of steps": lambda model: setattr(model._optimizer, "steps", 2**63 - 1),
    "raises an exit": lambda model: sys.exit("no"),
    "raises a recursion": lambda model: MEDDLING["raises a recursion"](model),
    "copies and fits": lambda model: pickle.loads(pickle.dumps(model)).set_callbacks().fit(X, Y),
    "fits itself": lambda model: model.fit(X, Y),
}
Y_OF_MEDDLER = Y.copy()


def meddle(cls):
    """Prints how each fit with a meddling callback ended; the next one is as ever."""
    for solver in ("sgd", "adam", "lbfgs"):
        meddle_with(getattr(mlp_c, cls), solver)


def meddle_with(cls, solver):
    alone = bits(make(cls, solver=solver).fit(X, Y))
    for name, action in MEDDLING.items():
        Y_OF_MEDDLER[:] = Y
        model = make(cls, solver=solver).set_callbacks(Callback(action))
        try:
            model.fit(X, Y_OF_MEDDLER)
        except (Exception, SystemExit) as error:
            print(f"{name}: {type(error).__name__}", flush=True)
        else:
            print(f"{name}: done", flush=True)
        model = make(cls, solver=solver)
        assert bits(model.fit(X, Y)) == alone


@pytest.mark.parametrize("cls", ["MLPClassifier", "MLPRegressor"])
def test_a_callback_that_meddles_with_the_model_does_no_harm(cls):
    """The fit ends, or raises; and models fitted after are as ever."""
    lines = processes.run(meddle, cls).splitlines()
    assert [line.partition(":")[0] for line in lines] == 3 * list(MEDDLING)
    allowed = {"done", "TypeError", "ValueError", "AttributeError", "RuntimeError", "IndexError"}
    allowed |= {"OverflowError", "SystemExit", "RecursionError", "KeyError"}
    assert {line.rpartition(" ")[2] for line in lines} <= allowed

"""Calls of every function and method of mlp_c with some of their arguments replaced by junk.

Call n of a seed is always the same call, so that one that goes wrong can be made again alone.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sklearn.neural_network

import mlp_c
from campaigns import junk
from mlp_c import _core, kernels
from support import calls, core_calls

X, Y = np.random.default_rng(0).random((20, 8)), np.arange(20) % 3

# Of networks with one hidden layer.
ACTIVATIONS = ["relu", "gelu", ["gelu"], ("gelu",), ["logistic"]]

# Integers up to which a parameter means no long work; above, no mistake but a long wait.
LONGEST = {"max_iter": 20, "max_fun": 200}


@dataclass
class Call:
    """What is called, how, and the arguments of which a refused call must change no bit."""

    label: str
    make: Any
    arguments: Any = None


def functions():
    """{label: (function, arguments by name or place)} of what is no method.

    Of those that take fields, the arguments are one dict of them.
    """
    theirs = sklearn.neural_network.MLPClassifier(2, max_iter=1).fit(X, Y)
    sizes = {"layer_sizes": [8, 4, 3], "init": "he_normal", "random_state": 0, "dtype": "float32"}
    found = {f"kernels.{name}": (getattr(kernels, name), calls.example(name))
             for name in calls.KERNELS}  # fmt: skip
    found["kernels.forward"][1]["activation"] = ["gelu"]
    found["kernels.backward"][1]["activation"] = ["gelu"]
    for case, arguments in core_calls.examples(n_threads=2).items():
        given = dict(enumerate(core_calls.positional(arguments)))
        found[f"_core.{case}"] = core_calls.function(case), given
    return found | {
        "_core.set_isa": (_core.set_isa, {0: "avx2"}),
        "kernels.initialize": (kernels.initialize, sizes),
        "show_config": (mlp_c.show_config, {"mode": "dicts"}),
        "from_sklearn": (mlp_c.from_sklearn, {"model": theirs}),
    }


def methods():
    """{label: (class, method, arguments by name)} of the estimators."""
    rows, data = {"X": X}, {"X": X, "y": Y, "sample_weight": np.ones(20)}
    every = {"fit": data, "partial_fit": data, "score": data, "predict": rows, "to_sklearn": {}}
    every["hidden_activations"] = rows | {"layer": -1}
    only = {"predict_proba": rows, "predict_log_proba": rows}
    only["partial_fit"] = data | {"classes": np.arange(3)}
    found = {}
    for cls in (mlp_c.MLPClassifier, mlp_c.MLPRegressor):
        listed = cls(hidden_layer_sizes=4, activation=["gelu"], max_iter=1)
        known = every | {"set_params": listed.get_params()}
        known |= {"__setstate__": {"state": listed.fit(X, Y).__getstate__()}}
        known |= only if cls is mlp_c.MLPClassifier else {}
        for method, arguments in known.items():
            found[f"{cls.__name__}.{method}"] = cls, method, arguments
    return found


FUNCTIONS, METHODS = functions(), methods()
LABELS = [*FUNCTIONS, *METHODS]


def spoil(rng, value, victims, depth=4):
    """Junk in place of a value or of one of its parts, or the value in another layout."""
    if isinstance(value, (list, tuple)) and value and depth > 0 and rng.random() < 0.7:
        items = list(value)
        place = rng.integers(len(items))
        items[place] = spoil(rng, items[place], victims, depth - 1)
        return type(value)(items)
    if type(value) is dict and value and depth > 0 and rng.random() < 0.9:
        return respelled(rng, spoil_some(rng, value, depth - 1))
    if isinstance(value, np.ndarray) and rng.random() < 0.8:
        others = [victim for victim in victims if isinstance(victim, np.ndarray)]
        if others and rng.random() < 0.2:
            return junk.choose(rng, others)  # memory that another argument has
        return junk.choose(rng, [junk.laid_out, junk.laid_out, junk.retyped, junk.extreme])(
            rng, value
        )
    return junk.value(rng, victims)


def respelled(rng, fields):
    """The same dict, now and then with a key less or more, or as one whose methods all fail."""
    kind = rng.integers(8)
    if kind == 0:
        fields.pop(junk.choose(rng, list(fields)))
    elif kind == 1:
        fields[junk.choose(rng, [0, "", "x", None, b"X", junk.Name("X"), (1, 2)])] = None
    return junk.Liar(fields) if kind == 2 else fields


def spoil_some(rng, arguments, depth=4):
    """The same arguments, of which one or a few are spoiled."""
    arguments = dict(arguments)
    for _ in range(junk.choose(rng, [1, 1, 1, 2, 3, 6])):
        if arguments:
            name = junk.choose(rng, list(arguments))
            victims = [value for key, value in arguments.items() if key != name]
            victims += [item for value in victims if isinstance(value, list) for item in value]
            victims.append(arguments)
            arguments[name] = spoil(rng, arguments[name], victims, depth)
    return arguments


def copied(arguments):
    return calls.rebuilt(arguments, lambda _, array: array.copy())


def is_endless(value):
    return any(array.size >= junk.ENDLESS for array in junk.arrays_in(value))


def draw_params(rng, cls):
    """Parameters of a small estimator, up to two of them junk."""
    params = {"hidden_layer_sizes": (4,), "max_iter": 2, "n_threads": 2}
    for _ in range(rng.integers(3)):
        name = junk.choose(rng, cls._get_param_names())
        value = junk.value(rng, [params])
        is_long = isinstance(value, int) and value > LONGEST.get(name, value)
        params[name] = LONGEST[name] if is_long else value
    return params


def plan_function(rng, label):
    function, example = FUNCTIONS[label]
    arguments = spoil_some(rng, copied(example))
    if label == "_core.index_nonzeros" and is_endless(arguments):
        arguments = example
    if all(isinstance(name, int) for name in arguments):
        return Call(label, partial(function, *arguments.values()), arguments)
    return Call(label, partial(function, **arguments), arguments)


def plan_method(rng, label):
    """A method of an estimator, fitted or not, with junk for parameters, data or both."""
    cls, method, example = METHODS[label]
    params, arguments = draw_params(rng, cls), spoil_some(rng, copied(example))
    if rng.random() < 0.3:
        arguments = example
    if is_endless([arguments, params]):
        arguments, params = example, {}
    fitted, activation = rng.random() < 0.8, junk.choose(rng, ACTIVATIONS)

    def make():
        model = cls(hidden_layer_sizes=(4,), activation=activation, max_iter=2)
        if fitted:
            model.fit(X, Y)
        model.set_params(**params)
        getattr(model, method)(**arguments)
        if method in ("set_params", "__setstate__"):
            model.predict(X)

    return Call(label, make)


def plan(rng, label):
    """A call of what the label names."""
    return (plan_function if label in FUNCTIONS else plan_method)(rng, label)


def nth_plan(seed, n):
    """Call n of a seed: of everything in turn."""
    return plan(np.random.default_rng([seed, n]), LABELS[n % len(LABELS)])

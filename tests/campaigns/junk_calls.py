"""Calls of every function and method of mlp_c with some of their arguments replaced by junk.

Call n of a seed is always the same call, so that one that goes wrong can be made again alone.
"""

import tempfile
from dataclasses import dataclass, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.neural_network

import mlp_c
from campaigns import junk
from mlp_c import _core, kernels
from support import calls, core_calls

X, Y = np.random.default_rng(0).random((20, 8)), np.arange(20) % 3

# Of networks with one hidden layer.
ACTIVATIONS = ["relu", "gelu", ["gelu"], ("gelu",), ["logistic"], ["mish"], "softplus"]

# Parameters that mean something together, by class.
COMMON = [
    {},
    {"solver": "lbfgs"},
    {"early_stopping": True, "scoring": "loss", "validation_fraction": 0.2},
    {"early_stopping": True, "scoring": "loss", "solver": "lbfgs"},
    {"early_stopping": True, "scoring": lambda model, X, y: score(model, X, y)},
    {"activation": ["gelu"]},
    {"learning_rate": "one_cycle", "warmup": 0.5},
    {"learning_rate": lambda t: factors(t), "solver": "sgd"},
    {"solver": "adamw", "weight_decay": 0.1},
    {"solver": "rmsprop", "max_grad_norm": 0.5},
    {"dropout": [0.5], "input_dropout": 0.2},
]
PARAMS = {
    mlp_c.MLPClassifier: [
        *COMMON,
        {"early_stopping": True, "scoring": "neg_log_loss"},
        {"class_weight": {0: 1.0, 1: 2.0}},
        {"class_weight": "balanced", "label_smoothing": 0.1},
        {"label_smoothing": 0.2, "solver": "lbfgs"},
    ],
    mlp_c.MLPRegressor: [
        *COMMON,
        {"early_stopping": True, "scoring": "r2"},
        {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]},
        {"loss": "quantile", "quantile": np.array([0.2, 0.7]), "solver": "lbfgs"},
        {"loss": "gaussian"},
        {"loss": "gaussian", "solver": "lbfgs"},
        {"loss": "huber", "huber_delta": 0.5},
        {"loss": "poisson"},
        {"loss": "tweedie", "tweedie_power": 1.3},
    ],
    mlp_c.TabularMLPClassifier: [{}, {"class_weight": "balanced"}, {"scoring": "score"}],
    mlp_c.TabularMLPRegressor: [
        {},
        {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]},
        {"loss": "gaussian"},
        {"categorical_features": [0, 3]},
    ],
}

# Integers up to which a parameter means no long work; above, no mistake but a long wait.
LONGEST = {"max_iter": 20, "max_fun": 200, "n_members": 20}


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
    masked = {"shape": (7, 5), "dropout": 0.5, "seed": 1, "step": 2, "layer": 1, "n_threads": 2}
    found = {f"kernels.{name}": (getattr(kernels, name), calls.example(name))
             for name in calls.KERNELS}  # fmt: skip
    found["kernels.forward"][1]["activation"] = ["gelu"]
    found["kernels.backward"][1]["activation"] = ["gelu"]
    for case, arguments in core_calls.examples(n_threads=2).items():
        given = dict(enumerate(core_calls.positional(arguments)))
        found[f"_core.{case}"] = core_calls.function(case), given
    found |= {f"_core.evaluate of {name}": (_core.evaluate, {0: evaluation(name)})
              for name in calls.LOSSES}  # fmt: skip
    return found | {
        "_core.set_isa": (_core.set_isa, {0: "avx2"}),
        "kernels.initialize": (kernels.initialize, sizes),
        "kernels.dropout_mask": (kernels.dropout_mask, masked),
        "show_config": (mlp_c.show_config, {"mode": "dicts"}),
        "from_sklearn": (mlp_c.from_sklearn, {"model": theirs}),
    }


def evaluation(name):
    """The fields of an evaluation by a loss, of several quantiles if that has them."""
    constants = {"quantiles": [0.2, 0.5, 0.7]} if "quantiles" in calls.LOSSES[name] else {}
    loss = calls.loss(name, **constants)
    fields = core_calls.examples(widths=(8, 4, 6), n_threads=2)["evaluate"]
    return fields | {"loss": loss, "y": np.ones((20, 6 // calls.outputs_per_target(loss)))}


def score(model, X, y):
    return model.predict(X).sum() / 7


def factors(t):
    return 1 - t


def checkpoint(model, **arguments):
    """The bytes of one of a fit."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "fit"
        model.set_callbacks(mlp_c.Checkpoint(path)).fit(**arguments)
        return path.read_bytes()


def resume(contents, **arguments):
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "fit"
        path.write_bytes(contents)
        return mlp_c.resume(path, **arguments)


def transform(estimator, layer, X, y, rows, **fit_params):
    transformer = mlp_c.HiddenActivations(estimator, layer=layer).fit(X, y, **fit_params)
    return transformer.transform(rows), transformer.get_feature_names_out()


def uses():
    """{label: (function, arguments by name)} of what may raise any exception."""
    data = {"X": X, "y": Y, "sample_weight": np.ones(20)}
    network = {"estimator": mlp_c.MLPClassifier((4, 3), max_iter=2), "layer": -1}
    given = {"X": X, "y": Y, "sample_weight": None, **VALIDATION, "callbacks": []}
    given |= {"learning_rate": factors, "scoring": score}
    model = mlp_c.MLPClassifier(4, max_iter=2, early_stopping=True, scoring=score)
    of_network = checkpoint(model.set_params(learning_rate=factors), X=X, y=Y, **VALIDATION)
    grouped = data | {"groups": np.arange(20) // 2}
    ensemble = mlp_c.TabularMLPClassifier(2, hidden_layer_sizes=4, max_iter=2)
    of_ensemble = checkpoint(ensemble, **grouped)
    return {
        "resume": (partial(resume, of_network), given),
        "resume for tables": (partial(resume, of_ensemble), grouped | {"callbacks": []}),
        "HiddenActivations": (transform, network | data | {"rows": X}),
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
        network = {"coefs_init": listed.coefs_, "intercepts_init": listed.intercepts_}
        known["fit from weights"] = data | network
        known["fit validated"] = data | VALIDATION | {"sample_weight_val": np.ones(20)}
        for method, arguments in known.items():
            found[f"{cls.__name__}.{method}"] = cls, method.split()[0], arguments
    return found | methods_for_tables()


def methods_for_tables():
    """The same of the estimators for tables."""
    rows, data = {"X": X}, {"X": X, "y": Y, "sample_weight": np.ones(20)}
    known = {"fit": data | {"groups": np.arange(20) // 2}, "score": data, "predict": rows}
    known["permutation_importance"] = data | {"random_state": 0}
    found = {}
    for cls in (mlp_c.TabularMLPClassifier, mlp_c.TabularMLPRegressor):
        listed = cls(2, hidden_layer_sizes=4, max_iter=1)
        only = {"set_params": listed.get_params()}
        only["__setstate__"] = {"state": listed.fit(X, Y).__getstate__()}
        if cls is mlp_c.TabularMLPClassifier:
            only |= {"predict_proba": rows, "predict_log_proba": rows}
        else:
            only["predict_interval"] = rows | {"alpha": 0.5}
        for method, arguments in (known | only).items():
            found[f"{cls.__name__}.{method}"] = cls, method, arguments
    return found


VALIDATION = {"X_val": X[::-1], "y_val": Y[::-1]}
FUNCTIONS, USES, METHODS = functions(), uses(), methods()
LABELS = [*FUNCTIONS, *USES, *METHODS]


def spoil(rng, value, victims, depth=4):
    """Junk in place of a value or of one of its parts, or the value in another layout."""
    if isinstance(value, (list, tuple)) and value and depth > 0 and rng.random() < 0.7:
        items = list(value)
        place = rng.integers(len(items))
        items[place] = spoil(rng, items[place], victims, depth - 1)
        return type(value)(items)
    if is_dataclass(value) and depth > 0 and rng.random() < 0.9:
        return replace(value, **spoil_some(rng, vars(value), depth - 1))
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


def draw_params(rng, cls, arguments):
    """Parameters of a small estimator, which go together and with a method's arguments.

    But for some junk in them, and up to two that are junk.
    """
    params = {"hidden_layer_sizes": (4,), "max_iter": 2, "n_threads": 2}
    together = junk.choose(rng, PARAMS[cls])
    params |= spoil_some(rng, together) if rng.random() < 0.3 else together
    if "X_val" in arguments:
        params["early_stopping"] = True
    for _ in range(rng.integers(3)):
        params[junk.choose(rng, cls._get_param_names())] = junk.value(rng, [params])
    for name, longest in LONGEST.items():
        if isinstance(params.get(name), int) and params[name] > longest:
            params[name] = longest
    return params


def plan_use(rng, label):
    function, example = USES[label]
    arguments = spoil_some(rng, copied(example))
    return Call(label, partial(function, **(example if is_endless(arguments) else arguments)))


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
    params, arguments = draw_params(rng, cls, example), spoil_some(rng, copied(example))
    if rng.random() < 0.3:
        arguments = example
    if is_endless([arguments, params]):
        arguments, params = example, {}
    fitted, activation = rng.random() < 0.8, junk.choose(rng, ACTIVATIONS)

    def make():
        model = cls(hidden_layer_sizes=(4,), activation=activation, max_iter=2)
        if "n_members" in cls._get_param_names():
            model.n_members = 2
        if fitted:
            model.fit(X, Y)
        model.set_params(**params)
        getattr(model, method)(**arguments)
        if method in ("set_params", "__setstate__"):
            model.predict(X)

    return Call(label, make)


def plan(rng, label):
    """A call of what the label names."""
    if label in FUNCTIONS:
        return plan_function(rng, label)
    return (plan_use if label in USES else plan_method)(rng, label)


def nth_plan(seed, n):
    """Call n of a seed: of everything in turn."""
    return plan(np.random.default_rng([seed, n]), LABELS[n % len(LABELS)])

"""What pickles, copies and files hold of an estimator: plain data, checked when it comes back.

A state is a dict of

- ``format``, a number that grows when the rest changes its meaning;
- ``parameters`` by name, `random_state` as a dict if it is a generator;
- ``requests``, the metadata that scikit-learn is to route to each method;
- ``fitted``, the attributes that a fit sets, by name;
- ``optimizer``, the attributes of what a stochastic solver goes on from, or None;
- ``own``, what users have set besides: callbacks, and attributes of their own, as they are.

But for ``own``, and parameters of unusual types, it is made of arrays of numbers or times, scalars,
strings, lists, tuples, dicts and None.
"""

from contextlib import suppress
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from sklearn.utils.metadata_routing import MetadataRequest

from mlp_c._saving import checks
from mlp_c._saving.classes import as_classes
from mlp_c._saving.generators import decode_generator, encode_generator
from mlp_c._saving.registry import OPTIMIZERS, FittedPart, StoredEstimator, StoredOptimizer
from mlp_c._system.blocks import Arrays, as_floats
from mlp_c._version import __version__

# The newest format, and what format 1 knows. A state says 2 only if it holds something else, so
# that versions that know format 1 alone read all others.
FORMAT = 2
_FORMAT_1 = {
    "activation": ("identity", "logistic", "tanh", "relu"),
    "solver": ("lbfgs", "sgd", "adam"),
    "learning_rate": ("constant", "invscaling", "adaptive"),
    "loss": ("squared_error", "poisson"),
}

# Parameters that format 1 does not know, with their defaults. A state leaves them out where they
# have these.
_LATER = {
    "class_weight": None,
    "dropout": 0.0,
    "huber_delta": 1.0,
    "input_dropout": 0.0,
    "label_smoothing": 0.0,
    "max_grad_norm": None,
    "quantile": 0.5,
    "scoring": None,
    "tweedie_power": 1.5,
    "warmup": 0.0,
    "weight_decay": None,
}

# Parameters that may be functions of the user's. A file holds none, and has their defaults instead.
CALLABLES = ("learning_rate", "scoring")

# What a fit sets that format 1 does not know.
_LATER_FITTED = {"dropout_seed_", "learning_rate_curve_", "validation_loss_curve_", "best_iter_"}

# Rules whose steps format 1 does not count.
_UNCOUNTED = ("sgd", "momentum", "nesterov")

# Attributes that are parts of a state of their own.
_OPTIMIZER, _REQUESTS = "_optimizer", "_metadata_request"

PARTS = ("format", "parameters", "requests", "fitted", "optimizer", "own")


def encode(model: StoredEstimator, attributes: dict[str, Any]) -> dict[str, Any]:
    """The state of an estimator with these attributes, whose arrays it shares."""
    own = {name: value for name, value in attributes.items() if name not in model._of_a_fit}
    parameters = {name: own.pop(name) for name in model._get_param_names() if name in own}
    parameters = {name: v for name, v in parameters.items() if not _is_later_default(name, v)}
    if "random_state" in parameters:
        parameters["random_state"] = encode_generator(parameters["random_state"])
    encoders = {name: e for part in model._fitted_parts for name, e in part.encoders.items()}
    fitted = {
        name: encoders.get(name, partial(_encode_fitted, name))(own.pop(name))
        for name in _fitted(model)
        if name in own
    }
    optimizer = _encode_optimizer(own.pop(_OPTIMIZER, None))
    requests = own.pop(_REQUESTS, None)
    return {
        "format": _format_of(parameters, fitted, optimizer),
        "parameters": parameters,
        "requests": None if requests is None else requests._serialize(),
        "fitted": fitted,
        "optimizer": optimizer,
        "own": own,
    }


def leave_out_callables(cls: type[StoredEstimator], state: dict[str, Any]) -> list[str]:
    """Take parameters that are functions of the user's out of a state; returns their names."""
    parameters = state["parameters"]
    left_out = [name for name in CALLABLES if callable(parameters.get(name))]
    defaults = signature(cls).parameters
    state["parameters"] = {**parameters, **{name: defaults[name].default for name in left_out}}
    return left_out


def _is_later_default(name: str, value: Any) -> bool:
    return name in _LATER and type(value) is type(_LATER[name]) and bool(value == _LATER[name])


def _format_of(parameters: dict[str, Any], fitted: dict[str, Any], optimizer: Any) -> int:
    is_later = _LATER.keys() & parameters.keys() or _LATER_FITTED & fitted.keys()
    if is_later or isinstance(fitted.get("classes_"), list) or optimizer is not None:
        return FORMAT  # every optimizer has steps
    values = [(parameters.get(name, known[0]), known) for name, known in _FORMAT_1.items()]
    return 1 if all(isinstance(v, str) and v in known for v, known in values) else FORMAT


def decode(cls: type[StoredEstimator], state: Any) -> dict[str, Any]:
    """The attributes of an estimator of class `cls` that has this state.

    Raises
    ------
    ValueError
        If any part of the state is not what an estimator of that class can have.
    """
    check_format(state)
    checks.entries("the whole", state, PARTS)
    fitted = _decode_fitted(cls, state["fitted"])
    parameters = _decode_parameters(cls, state["parameters"])
    attributes = {**parameters, **fitted}
    if state["optimizer"] is not None and "coefs_" in fitted:
        with suppress(ValueError):  # training begins with new moments
            weights = fitted["coefs_"] + fitted["intercepts_"]
            attributes[_OPTIMIZER] = _decode_optimizer(state["optimizer"], weights)
    if state["requests"] is not None:
        attributes[_REQUESTS] = _decode_requests(cls, state["requests"])
    taken = {*parameters, *_fitted(cls), *cls._of_a_fit, _OPTIMIZER, _REQUESTS}
    return {**attributes, **_decode_own(state["own"], taken)}


def _fitted(model: StoredEstimator | type[StoredEstimator]) -> dict[str, Any]:
    """The checks of all that a fit sets, by name."""
    return {name: check for part in model._fitted_parts for name, check in part.checks.items()}


def check_format(state: Any) -> None:
    """Refuse a state of a version of this package that is newer, or older than states are."""
    if not isinstance(state, dict) or "format" not in state:
        checks.refuse("the whole", "a dict with a format", state)
    if checks.count("format", state["format"]) > FORMAT:
        raise ValueError(
            f"the state has format {state['format']}, and mlp_c {__version__} knows those up to "
            f"{FORMAT}: it was saved by a newer version"
        )
    if state["format"] < 1:
        checks.refuse("format", "at least 1", state["format"])


def _encode_fitted(name: str, value: Any) -> Any:
    """An attribute as plain data. What users gave in lists or in other types becomes arrays."""
    if isinstance(value, (list, tuple)):
        with suppress(TypeError, ValueError):  # what no array holds is refused as it is
            if name in ("coefs_", "intercepts_"):
                return [as_floats(array) for array in value]
            if name == "classes_":
                value = as_classes(value)
    if name == "feature_names_in_" and getattr(value, "dtype", None) != np.dtype(object):
        with suppress(TypeError):
            value = np.array(list(value), dtype=object)
    if isinstance(value, list) and name == "classes_":
        return [_encode_labels(of_column) for of_column in value]
    return _encode_labels(value)


def _encode_labels(value: Any) -> Any:
    """Labels or names that are text or Python objects as a list, with the array's dtype."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "OU":
        return value
    if value.nbytes > checks.MAX_TEXT_BYTES:
        return value
    return {"dtype": value.dtype.str, "labels": value.tolist()}


def _decode_parameters(cls: type[StoredEstimator], parameters: Any) -> dict[str, Any]:
    """Parameters of the constructor, which takes anything: those that a fit refuses are kept."""
    names = cls._get_param_names()
    required = [name for name in names if name not in _LATER]
    later = {name: default for name, default in _LATER.items() if name in names}
    checks.entries("parameters", parameters, required, later)
    parameters = {**later, **parameters}
    if "random_state" in parameters:
        generator = decode_generator("parameters.random_state", parameters["random_state"])
        parameters["random_state"] = generator
    return parameters


def _decode_fitted(cls: type[StoredEstimator], state: Any) -> dict[str, Any]:
    """What a fit has set: what predictions need, and of the rest what fits it."""
    checks.entries("fitted", state, (), _fitted(cls))
    fitted: dict[str, Any] = {}
    for part in cls._fitted_parts:
        is_needed = not state.keys().isdisjoint(part.needed_with)
        given = {**state, **part.complete({**state, **fitted})}
        try:
            if is_needed or not given.keys().isdisjoint(part.checks):
                fitted |= _decode_part(part, given, fitted)
        except ValueError:
            if is_needed:
                raise
    return fitted


def _decode_part(part: FittedPart, given: Any, fitted: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a part, beside the fitted ones of the parts before it."""
    if missing := [name for name in part.checks if name not in given]:
        raise ValueError(f"fitted of a state lacks {missing}")
    found = {name: check(name, given[name]) for name, check in part.checks.items()}
    part.check_whole({**fitted, **found})
    return found


def _encode_optimizer(optimizer: Any) -> dict[str, Any] | None:
    """An optimizer of ours; None for anything else that users have put in its place."""
    try:
        entries = {"rule": optimizer.rule, "moments": optimizer.moments, **optimizer.entries()}
    except AttributeError:
        return None
    return dict(sorted(entries.items()))


def _decode_optimizer(state: Any, params: Arrays) -> StoredOptimizer:
    """The optimizer of `params` that a dict stands for.

    Raises
    ------
    ValueError
        If an entry is not what its rule has, or the moments do not fit `params`.
    """
    if not isinstance(state, dict):
        checks.refuse("optimizer", "a dict", state)
    cls = OPTIMIZERS[checks.one_of(*OPTIMIZERS)("optimizer.rule", state.get("rule"))]
    if cls.rule in _UNCOUNTED:
        state = {"steps": np.zeros(1, np.int64), **state}
    checks.entries("optimizer", state, ["rule", "moments", *cls.stored])
    moments = state["moments"]
    if not isinstance(moments, tuple) or len(moments) != cls.n_moments:
        checks.refuse("optimizer.moments", f"a tuple of {cls.n_moments} lists", moments)
    return cls.restore(
        tuple(
            checks.floats_like(f"optimizer.moments[{m}]", arrays, params)
            for m, arrays in enumerate(moments)
        ),
        {name: check(f"optimizer.{name}", state[name]) for name, check in cls.stored.items()},
    )


def _decode_requests(cls: Any, state: Any) -> MetadataRequest:
    """What scikit-learn is to route to which method."""
    requests = MetadataRequest(owner=cls.__name__)
    try:
        for method, params in state.items():
            for param, alias in params.items():
                getattr(requests, method).add_request(param=param, alias=alias)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"requests of a state must be metadata requests: {error}") from error
    return requests


def _decode_own(state: Any, taken: set[str]) -> dict[str, Any]:
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        checks.refuse("own", "a dict by name", state)
    if ours := [name for name in state if name in taken]:
        checks.refuse("own", "of names that are not the estimator's", ours)
    return state

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

from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.metadata_routing import MetadataRequest

from mlp_c._estimators import labels
from mlp_c._saving import checks
from mlp_c._saving.generators import decode_generator, encode_generator
from mlp_c._training.optimizers import optimizer_from_state
from mlp_c._version import __version__

FORMAT = 1

# What an estimator has while it is being fitted only, or finds anew; the callbacks' part is
# scikit-learn's.
OF_A_FIT = (
    "_callback_fit_ctx",
    "_fitting",
    "_parent_callback_ctx",
    "_progress",
    "_skl_callbacks_to_teardown",
    "_valid_params",
)

# Attributes that are parts of a state of their own.
_OPTIMIZER, _REQUESTS = "_optimizer", "_metadata_request"

PARTS = ("format", "parameters", "requests", "fitted", "optimizer", "own")

# What a fit has set as soon as there are weights, and what it sets later or in some fits.
_NETWORK = {
    "coefs_": lambda name, value: checks.floats_list(name, value, ndim=2),
    "intercepts_": lambda name, value: checks.floats_list(name, value, ndim=1),
    "n_features_in_": checks.count,
    "n_layers_": checks.count,
    "n_outputs_": checks.count,
    "n_iter_": checks.count,
    "t_": checks.count,
    "out_activation_": checks.one_of("identity", "exp", "softmax", "logistic"),
}
_CLASSES = {
    "classes_": checks.labels,
    "_target_kind": checks.one_of(*labels.KINDS),
}
_RECORD = {
    "_no_improvement_count": checks.count,
    "loss_curve_": checks.numbers,
    "best_loss_": checks.optional(checks.number),
    "validation_scores_": checks.optional(checks.numbers),
    "best_validation_score_": checks.optional(checks.number),
}
_FITTED = {
    **_NETWORK,
    **_CLASSES,
    **_RECORD,
    "feature_names_in_": checks.labels,
    "loss_": checks.number,
}


def encode(model: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """The state of an estimator with these attributes, whose arrays it shares."""
    own = {name: value for name, value in attributes.items() if name not in OF_A_FIT}
    parameters = {name: own.pop(name) for name in model._get_param_names() if name in own}
    if "random_state" in parameters:
        parameters["random_state"] = encode_generator(parameters["random_state"])
    fitted = {name: _encode_labels(own.pop(name)) for name in _FITTED if name in own}
    optimizer = own.pop(_OPTIMIZER, None)
    requests = own.pop(_REQUESTS, None)
    return {
        "format": FORMAT,
        "parameters": parameters,
        "requests": None if requests is None else requests._serialize(),
        "fitted": fitted,
        "optimizer": None if optimizer is None else dict(sorted(vars(optimizer).items())),
        "own": own,
    }


def decode(cls: Any, state: Any) -> dict[str, Any]:
    """The attributes of an estimator of class `cls` that has this state.

    Raises
    ------
    ValueError
        If any part of the state is not what an estimator of that class can have.
    """
    check_format(state)
    checks.entries("the whole", state, PARTS)
    fitted = _decode_fitted(cls, state["fitted"])
    parameters = _decode_parameters(cls, state["parameters"], check="coefs_" in fitted)
    attributes = {**parameters, **fitted}
    if state["optimizer"] is not None:
        weights = fitted.get("coefs_", []) + fitted.get("intercepts_", [])
        attributes[_OPTIMIZER] = optimizer_from_state(state["optimizer"], weights)
    if state["requests"] is not None:
        attributes[_REQUESTS] = _decode_requests(cls, state["requests"])
    taken = {*parameters, *_FITTED, *OF_A_FIT, _OPTIMIZER, _REQUESTS}
    return {**attributes, **_decode_own(state["own"], taken)}


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


def _encode_labels(value: Any) -> Any:
    """Labels or names that are text or Python objects as a list, with the array's dtype."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "OU":
        return value
    if value.nbytes > checks.MAX_TEXT_BYTES:
        return value
    return {"dtype": value.dtype.str, "labels": value.tolist()}


def _decode_parameters(cls: Any, parameters: Any, *, check: bool) -> dict[str, Any]:
    """Parameters of the constructor, which takes anything; those of a fitted model are valid."""
    checks.entries("parameters", parameters, cls._get_param_names())
    parameters = dict(parameters)
    if "random_state" in parameters:
        generator = decode_generator("parameters.random_state", parameters["random_state"])
        parameters["random_state"] = generator
    if check:
        validate_parameter_constraints(cls._parameter_constraints, parameters, cls.__name__)
        if isinstance(parameters.get("n_threads"), bool):  # an integer to scikit-learn
            checks.refuse("parameters.n_threads", "None or an integer", parameters["n_threads"])
    return parameters


def _decode_fitted(cls: Any, state: Any) -> dict[str, Any]:
    is_classifier = issubclass(cls, ClassifierMixin)
    known = [name for name in _FITTED if is_classifier or name not in _CLASSES]
    required = []
    if isinstance(state, dict) and not state.keys().isdisjoint(("coefs_", "intercepts_")):
        required += [*_NETWORK, *(_CLASSES if is_classifier else ())]
    if isinstance(state, dict) and not state.keys().isdisjoint(_RECORD):
        required += _RECORD
    checks.entries("fitted", state, required, known)
    fitted = {name: _FITTED[name](name, value) for name, value in state.items()}
    if "feature_names_in_" in fitted:
        _check_names(fitted)
    if "_target_kind" in fitted and "classes_" in fitted:
        _check_classes(fitted)
    if "best_loss_" in fitted:
        _check_record(fitted)
    if "coefs_" in fitted:
        _check_network(fitted)
        _check_outputs(fitted)
    return fitted


def _check_names(fitted: dict[str, Any]) -> None:
    names = fitted["feature_names_in_"]
    if len(names) != fitted.get("n_features_in_") or not all(isinstance(n, str) for n in names):
        checks.refuse("feature_names_in_", "n_features_in_ strings", names)


def _check_classes(fitted: dict[str, Any]) -> None:
    classes = fitted["classes_"]
    try:
        ascend = bool(np.all(classes[:-1] < classes[1:]))
    except TypeError:  # of labels that have no order
        ascend = False
    if not ascend:
        checks.refuse("classes_", "in ascending order", classes)
    kind, expected = fitted["_target_kind"], "binary" if len(classes) <= 2 else "multiclass"
    if kind in ("binary", "multiclass") and kind != expected:
        checks.refuse("_target_kind", f"{expected!r} with {len(classes)} classes", kind)


def _check_record(fitted: dict[str, Any]) -> None:
    """The loss is watched, or the validation score is."""
    absent = [fitted[name] is None for name in ("best_validation_score_", "validation_scores_")]
    if absent != [fitted["best_loss_"] is not None] * 2:
        checks.refuse(
            "best_loss_, best_validation_score_, validation_scores_",
            "the first or the others",
            [fitted["best_loss_"], fitted["best_validation_score_"], fitted["validation_scores_"]],
        )


def _check_network(fitted: dict[str, Any]) -> None:
    """The weights and biases are a chain of layers, and all of one dtype."""
    coefs, intercepts = fitted["coefs_"], fitted["intercepts_"]
    shapes = [w.shape for w in coefs]
    if not coefs or any(left[1] != right[0] for left, right in pairwise(shapes)):
        checks.refuse("coefs_", "of shapes that fit each other", shapes)
    if [b.shape for b in intercepts] != [(n_out,) for _, n_out in shapes]:
        checks.refuse("intercepts_", f"as wide as {shapes}", [b.shape for b in intercepts])
    if len(dtypes := {p.dtype.name for p in coefs + intercepts}) > 1:
        checks.refuse("coefs_ and intercepts_", "all of one dtype", sorted(dtypes))
    for name, value in (
        ("n_features_in_", shapes[0][0]),
        ("n_outputs_", shapes[-1][1]),
        ("n_layers_", len(shapes) + 1),
    ):
        if fitted[name] != value:
            checks.refuse(name, f"{value} with weights of shapes {shapes}", fitted[name])


def _check_outputs(fitted: dict[str, Any]) -> None:
    """The outputs of a classifier fit its labels, those of a regressor have no labels."""
    activations = {"identity", "exp"}
    if "classes_" in fitted:
        kind, classes = fitted["_target_kind"], fitted["classes_"]
        activations = {"softmax" if kind == "multiclass" else "logistic"}
        if labels.count_outputs(kind, classes) != fitted["n_outputs_"]:
            checks.refuse("n_outputs_", f"right for {kind} {classes}", fitted["n_outputs_"])
    checks.one_of(*activations)("out_activation_", fitted["out_activation_"])


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

"""What a fit to a table sets, as states hold it."""

from typing import Any

import numpy as np

from mlp_c._estimators.regressor import MLPRegressor
from mlp_c._saving import checks
from mlp_c._saving.registry import FittedPart
from mlp_c._system.blocks import Array
from mlp_c._tables.columns import Columns

# ---- of both ----


def members_of(cls: type[Any]) -> FittedPart:
    """The columns and the members, which are of a class."""

    def read(name: str, value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            checks.refuse(name, "a list of the states of members", value)
        members = []
        for state in value:
            member = object.__new__(cls)
            member.__setstate__(state)
            members.append(member)
        return members

    return FittedPart(
        {"_columns": Columns.from_state, "members_": read},
        needed_with=("members_", "_columns"),
        check_whole=_check_members,
        encoders={
            "_columns": Columns.to_state,
            "members_": lambda members: [_encode_member(member) for member in members],
        },
    )


def _encode_member(member: Any) -> dict[str, Any]:
    """The state of a member, without a scorer of the user's, which is the estimator's."""
    state: dict[str, Any] = member.__getstate__()
    if callable(state["parameters"].get("scoring")):
        del state["parameters"]["scoring"]
    return state


def _check_members(fitted: dict[str, Any]) -> None:
    """The members are fitted, read what the columns' codes are, and agree on their outputs."""
    n_units = fitted["_columns"].codes.n_units
    are_fitted = all(hasattr(member, "coefs_") for member in fitted["members_"])
    shapes = {(m.n_features_in_, m.n_outputs_) for m in fitted["members_"]} if are_fitted else {}
    if len(shapes) != 1 or next(iter(shapes))[0] != n_units:
        checks.refuse("members_", f"fitted alike, with {n_units} inputs", fitted["members_"])


def _complete_sizes(fitted: dict[str, Any]) -> dict[str, Any]:
    if "_columns" not in fitted:
        return {}
    is_category = fitted["_columns"].is_category
    return {"n_features_in_": len(is_category), "is_categorical_": is_category}


def _read_bools(name: str, value: Any) -> Array:
    if not isinstance(value, np.ndarray) or value.dtype != bool or value.ndim != 1:
        checks.refuse(name, "a vector of bool", value)
    return value


def _read_folds(name: str, value: Any) -> Array:
    is_vector = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu"
    if not is_vector or not _are_several(np.unique(value)):
        checks.refuse(name, "a vector of the folds of rows, two or more, from 0", value)
    return value.astype(np.int64)


def _are_several(ascending: Array) -> bool:
    return len(ascending) > 1 and np.array_equal(ascending, np.arange(len(ascending)))


def _read_array(name: str, value: Any) -> Array:
    """An array of floats of any number of dimensions."""
    return checks.floats(name, value, getattr(value, "ndim", 1))


SIZES = FittedPart(
    {"n_features_in_": checks.count, "is_categorical_": _read_bools}, complete=_complete_sizes
)


def _check_held_out(fitted: dict[str, Any]) -> None:
    lengths = [len(fitted.get(name, ())) for name in ("folds_", "oob_prediction_")]
    if lengths[0] != lengths[1]:
        checks.refuse("folds_, oob_prediction_", "of as many rows", lengths)


FOLDS = FittedPart({"folds_": _read_folds})
HELD_OUT = FittedPart(
    {"oob_prediction_": _read_array, "oob_score_": checks.number}, check_whole=_check_held_out
)


# ---- of a classifier ----


def _check_classes(fitted: dict[str, Any]) -> None:
    """The members' classes are the estimator's."""
    for member in fitted["members_"]:
        if not np.array_equal(member.classes_, fitted["classes_"]):
            checks.refuse("classes_", "those of its members", fitted["classes_"])


CLASSES = FittedPart(
    {"classes_": checks.labels, "_target_kind": checks.one_of("binary", "multiclass")},
    needed_with=("members_",),
    check_whole=_check_classes,
)


def _read_temperature(name: str, value: Any) -> float:
    temperature = checks.number(name, value)
    if not 0 < temperature < np.inf:
        checks.refuse(name, "a finite number greater than 0", value)
    return temperature


CALIBRATION = FittedPart({"temperature_": _read_temperature}, needed_with=("members_",))


# ---- of a regressor ----


def _check_targets(fitted: dict[str, Any]) -> None:
    """What brings outputs to the units of the targets is there for each target."""
    n = len(fitted["target_centers_"])
    shapes = [fitted[name].shape for name in ("target_scales_", "target_range_")]
    if shapes != [(n,), (2, n)]:
        checks.refuse("target_scales_, target_range_", f"of {n} targets", shapes)
    if fitted["_is_vector"] and n > 1:
        checks.refuse("_is_vector", f"False of {n} targets", True)
    scales, (low, high) = fitted["target_scales_"], fitted["target_range_"]
    if not (np.isfinite(scales) & (scales > 0)).all() or not (low <= high).all():
        checks.refuse(
            "target_scales_, target_range_", "above 0, and ascending", [scales, low, high]
        )
    estimated = {_shape_of_estimates(member) for member in fitted["members_"]}
    if len(estimated) > 1 or next(iter(estimated))[1] != n:
        checks.refuse("members_", f"of {n} targets, with the same loss", fitted["members_"])


def _shape_of_estimates(member: MLPRegressor) -> tuple[int, ...]:
    """The shape of a row's estimates, by the loss that a member of a state has."""
    try:
        return member._estimate(np.zeros((1, member.n_outputs_))).shape
    except (TypeError, ValueError):  # of what is no loss, or one of other outputs
        checks.refuse("members_", "with a loss for their outputs", member)


def _check_residuals(fitted: dict[str, Any]) -> None:
    """There are residuals of folds that members hold out, of all targets; or none at all."""
    found = [r.shape[1] for r in fitted["_residuals"]]
    n_targets, n_members = len(fitted["target_centers_"]), len(fitted["members_"])
    are_distances = all((residuals >= 0).all() for residuals in fitted["_residuals"])
    if len(found) > n_members or {*found} - {n_targets} or not are_distances:
        expected = f"of at most {n_members} folds and of {n_targets} targets"
        checks.refuse("_residuals", expected, found)


TARGETS = FittedPart(
    {
        "target_centers_": lambda name, value: checks.floats(name, value, 1),
        "target_scales_": lambda name, value: checks.floats(name, value, 1),
        "target_range_": lambda name, value: checks.floats(name, value, 2),
        "_is_vector": checks.flag,
    },
    needed_with=("members_",),
    check_whole=_check_targets,
)
RESIDUALS = FittedPart(
    {"_residuals": lambda name, value: checks.floats_list(name, value, 2)},
    needed_with=("_residuals",),
    check_whole=_check_residuals,
)

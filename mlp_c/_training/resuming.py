"""What a checkpoint holds of a fit besides the model, and how a fit goes on from there."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlp_c._saving import checks
from mlp_c._saving.generators import decode_generator, encode_generator
from mlp_c._system.blocks import Array
from mlp_c._training.data import Data
from mlp_c._training.dropout import require_masks
from mlp_c._training.generators import random_source
from mlp_c._training.loop import Stochastic
from mlp_c._training.model import Model
from mlp_c._training.optimizers import RULES
from mlp_c._training.progress import EnsembleProgress, Fingerprinted, Progress, Validation
from mlp_c._training.stopping import CURVE, RECORD, begin_rates, begin_record

# What is held of a single model's place in its training.
_PLACE = ("generator", "position", "split", "best_weights", "converged")

# What is held of a fit: of a model by itself, and of an ensemble.
OF_MODEL = ("data", *_PLACE)
OF_ENSEMBLE = ("data", "members")


def encode(progress: Progress | EnsembleProgress) -> dict[str, Any]:
    """What a checkpoint holds of a fit besides the model."""
    data = {"data": progress.data.fingerprint}
    if isinstance(progress, EnsembleProgress):
        return {**data, "members": [_encode_place(member) for member in progress.members]}
    return {**data, **_encode_place(progress)}


def is_stochastic(model: Any) -> bool:
    """Whether the solver of a model, which may be anything, is a stochastic one."""
    return isinstance(model.solver, str) and model.solver in RULES


def is_in_a_fit(model: Any) -> bool:
    """Whether a model of a file has what a stochastic solver leaves of a fit that goes on."""
    needed = {"_optimizer", "n_iter_", "t_", *CURVE.checks, *RECORD.checks}
    return is_stochastic(model) and needed <= vars(model).keys()


def go_on(
    checkpoint: dict[str, Any], model: Model, data: Data, random_state: np.random.RandomState
) -> Stochastic:
    """Begin where a model was in a fit of the same data."""
    data.list_nonzeros(model.n_threads)
    require_same(
        checkpoint,
        data,
        "X, y and sample_weight, and those to validate with, must be those of the interrupted fit, "
        "in the same dtypes and containers",
    )
    return _begin_at("checkpoint", checkpoint, model, data)


def go_on_together(
    checkpoint: dict[str, Any], members: Sequence[Model], data: Sequence[Data]
) -> list[Stochastic]:
    """Begin where the members of an ensemble were, each with the data that it had.

    Raises
    ------
    ValueError
        If `checkpoint` is not what was written of such members.
    """
    places = checkpoint["members"]
    if not isinstance(places, list) or len(places) != len(members):
        checks.refuse("checkpoint.members", f"a list of {len(members)} places", places)
    trainings = []
    for k, (place, member, own) in enumerate(zip(places, members, data, strict=True)):
        name = f"checkpoint.members[{k}]"
        checks.entries(name, place, _PLACE)
        trainings.append(_begin_at(name, place, member, own))
    return trainings


def require_same(checkpoint: dict[str, Any], data: Fingerprinted, expected: str) -> None:
    """Refuse data that are not those of the interrupted fit, and say what was expected."""
    if checkpoint["data"] != data.fingerprint:
        raise ValueError(f"{expected}, got others")


def _begin_at(name: str, place: dict[str, Any], model: Model, data: Data) -> Stochastic:
    begin_record(model)  # what a file of before does not have
    begin_rates(model)
    require_masks(model)
    return Stochastic(model, _decode_place(name, place, model, data))


# ---- a place, as plain data ----


def _encode_place(progress: Progress) -> dict[str, Any]:
    data, validation, split = progress.data, progress.validation, None
    if validation is not None and data.held_out is None:
        split = [_as_small(data.rows), _as_small(validation.data.rows)]
    return {
        "generator": encode_generator(progress.random_state),
        "position": _as_small(progress.order),
        "split": split,
        "best_weights": None if validation is None else validation.best_weights,
        "converged": progress.converged,
    }


def _as_small(indices: Array) -> Array:
    """Indices in as few bytes as they need."""
    return indices.astype(np.min_scalar_type(indices.max(initial=0)), copy=False)


def _decode_place(name: str, place: dict[str, Any], model: Model, data: Data) -> Progress:
    """Where a model was in a fit of the same data.

    Raises
    ------
    ValueError
        If `place`, which errors call by a name, is not what was written of such a model.
    """
    split = place["split"]
    stops_early = model.early_stopping
    has_rows = split is not None or data.held_out is not None
    if {has_rows, model.validation_scores_ is not None} != {stops_early}:
        checks.refuse(f"{name}.split", f"that of early_stopping={stops_early}", split)
    held_out = data.held_out
    if split is not None:
        if held_out is not None:
            checks.refuse(f"{name}.split", "None of rows of their own to validate with", split)
        data.rows, rows = _decode_split(f"{name}.split", split, len(data.y))
        held_out = replace(data, rows=rows)
    validation = None
    if held_out is not None:
        best_weights = _decode_weights(f"{name}.best_weights", place["best_weights"], model)
        validation = Validation(held_out, best_weights)
    random_state = model.random_state
    if isinstance(random_state, np.random.Generator):
        random_state = random_source(random_state)
    elif not isinstance(random_state, np.random.RandomState):
        random_state = decode_generator(f"{name}.generator", place["generator"])
        if not isinstance(random_state, np.random.RandomState):
            checks.refuse(f"{name}.generator", "a RandomState", random_state)
    return Progress(
        data,
        random_state,
        checks.permutation(f"{name}.position", place["position"], data.n),
        validation=validation,
        converged=checks.flag(f"{name}.converged", place["converged"]),
    )


def _decode_split(name: str, split: Any, n: int) -> tuple[Array, Array]:
    """The rows to train on and those held out: each row once."""
    if not isinstance(split, list) or [type(part) for part in split] != [np.ndarray] * 2:
        checks.refuse(name, "a list of two arrays", split)
    rows = checks.permutation(name, np.concatenate(split, axis=None), n)
    return rows[: split[0].size], rows[split[0].size :]


def _decode_weights(
    name: str, weights: Any, model: Model
) -> tuple[list[Array], list[Array]] | None:
    if weights is None:
        return None
    if not isinstance(weights, tuple) or len(weights) != 2:
        checks.refuse(name, "a tuple of two lists", weights)
    return (
        checks.floats_like(f"{name}[0]", weights[0], model.coefs_),
        checks.floats_like(f"{name}[1]", weights[1], model.intercepts_),
    )

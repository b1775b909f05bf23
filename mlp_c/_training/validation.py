"""Validation: which rows are held out, how they are scored, and the weights that score best."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing

from mlp_c._saving import checks
from mlp_c._saving.registry import FittedPart
from mlp_c._system.blocks import Array, are_finite
from mlp_c._training.data import Data
from mlp_c._training.model import Model
from mlp_c._training.progress import Validation

VALIDATION = FittedPart({"validation_loss_curve_": checks.numbers, "best_iter_": checks.count})


def says_what_to_watch(model: Model, data: Data) -> bool:
    """Whether early stopping has a score or rows of its own, beyond what scikit-learn knows."""
    return model.scoring is not None or data.held_out is not None


def hold_out(model: Model, data: Data, random_state: np.random.RandomState) -> Validation:
    """The rows to validate with: those that the user gave, or some that `data` then lacks."""
    held_out = data.held_out
    if held_out is None:
        data.rows, rows = _split(model, data, random_state)
        held_out = replace(data, rows=rows)
    elif held_out.n < 2 and model.scoring is None and not is_classifier(model):
        raise ValueError(
            "X_val must have at least 2 rows for the score of a regressor, got 1; scoring='loss' "
            "takes it"
        )
    return Validation(held_out, model._copy_weights())


def _split(model: Model, data: Data, random_state: np.random.RandomState) -> tuple[Array, Array]:
    """Draw the rows to train on and those to validate with."""
    # A single binary output is stratified, as in scikit-learn.
    stratify = data.y if is_classifier(model) and model.n_outputs_ == 1 else None
    rows, held_out = train_test_split(
        data.rows,
        random_state=random_state,
        test_size=model.validation_fraction,
        stratify=stratify,
    )
    if len(held_out) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of "
            "your dataset."
        )
    for weight, part, name in (
        (data.sample_weight, rows, "training"),
        (data.score_weight, held_out, "validation"),
    ):
        if weight is not None and not weight[part].any():
            raise ValueError(f"The sample weights of the {name} set are all zero.")
    return rows, held_out


def restore_best(model: Model, validation: Validation) -> None:
    """Give a model the weights that scored best, if any of this fit did."""
    if validation.best_weights is not None:
        model.coefs_, model.intercepts_ = validation.best_weights


# ---- scores ----

# The score of rows, of their loss and outputs with the model's present weights.
Score = Callable[[float, Array], float]


def score_for(model: Model, data: Data) -> Score:
    """How `scoring` says that rows are scored: the greater, the better."""
    if model.scoring is None:
        return _own_score(model, data)
    if isinstance(model.scoring, str) and model.scoring == "loss":
        return lambda loss, outputs: -loss
    return _scorer(model, data)


def _own_score(model: Model, data: Data) -> Score:
    """The estimator's own: what its ``score`` gives."""
    rows = slice(None) if data.takes_all else data.rows  # a view, where that will do
    y = data.y[rows]
    weight = None if data.score_weight is None else data.score_weight[rows]
    return lambda loss, outputs: model._score_outputs(y, outputs, weight)


def _scorer(model: Model, data: Data) -> Score:
    """A scorer of scikit-learn's, or of the user's, which is given a copy of the rows."""
    given = data.for_scorers
    assert given is not None
    estimator = given.estimator_of(model)
    scorer = check_scoring(estimator, model.scoring)
    X, y = (_safe_indexing(part, data.rows) for part in (given.X, given.y))
    weights: dict[str, Any] = {}
    if data.score_weight is not None and _takes_weights(scorer):
        weights["sample_weight"] = data.score_weight[data.rows]

    def score(loss: float, outputs: Array) -> float:
        if not are_finite(model.coefs_ + model.intercepts_):
            return -np.inf  # most scorers refuse what they predict
        try:
            return _as_number(scorer(estimator, X, y, **weights), model.scoring)
        except ValueError as error:
            if not isinstance(model.scoring, str):
                raise
            failure = f"scoring={model.scoring!r} failed on the rows held out"
            if is_classifier(model):
                failure += ", which may lack a class; scoring='loss' needs none"
            raise ValueError(f"{failure}: {error}") from error

    return score


def _as_number(value: Any, scoring: Any) -> float:
    """A score, which may be an array of one element, as scikit-learn takes it."""
    if hasattr(value, "item"):
        with suppress(ValueError):  # of several
            value = value.item()
    if not isinstance(value, Real) or value != value:
        raise ValueError(f"scoring must return a number, got {value!r} from {scoring!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(
            f"scoring must return a number that float64 holds, got a larger one from {scoring!r}"
        ) from None


def _takes_weights(scorer: Any) -> bool:
    """Whether a scorer is one of scikit-learn's whose metric knows sample weights."""
    accepts = getattr(scorer, "_accept_sample_weight", None)
    return accepts is not None and accepts()

"""When a training ends: the record of its epochs, and what counts in it as progress."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from mlp_c._saving import checks
from mlp_c._saving.registry import FittedPart
from mlp_c._training.evaluation import Evaluation
from mlp_c._training.model import Model
from mlp_c._training.progress import Validation
from mlp_c._training.validation import VALIDATION, score_for

# ---- the record ----


def _check_record(fitted: dict[str, Any]) -> None:
    """The loss is watched, or the validation score is."""
    absent = [fitted[name] is None for name in ("best_validation_score_", "validation_scores_")]
    if absent != [fitted["best_loss_"] is not None] * 2:
        checks.refuse(
            "best_loss_, best_validation_score_, validation_scores_",
            "the first or the others",
            [fitted["best_loss_"], fitted["best_validation_score_"], fitted["validation_scores_"]],
        )


_RECORD_CHECKS = {
    "_no_improvement_count": checks.count,
    "best_loss_": checks.optional(checks.number),
    "validation_scores_": checks.optional(checks.numbers),
    "best_validation_score_": checks.optional(checks.number),
}
RECORD = FittedPart(_RECORD_CHECKS, check_whole=_check_record)
CURVE = FittedPart({"loss_curve_": checks.numbers})
RATES = FittedPart({"learning_rate_curve_": checks.numbers})
ROWS_SEEN = FittedPart({"t_": checks.count})


def begin_curve(model: Model) -> None:
    """Begin the curve of the losses, or go on with it in a list of its own."""
    curve = getattr(model, "loss_curve_", ())
    model.loss_curve_ = list(curve) if isinstance(curve, (list, tuple, np.ndarray)) else []
    if not is_whole(CURVE, model):
        model.loss_curve_ = []


def begin_rates(model: Model) -> None:
    """Begin the curve of the learning rates, or go on with it: NaN where they are not known."""
    n = len(model.loss_curve_)
    if not (is_whole(RATES, model) and len(model.learning_rate_curve_) == n):
        model.learning_rate_curve_ = [np.nan] * n  # before: of lbfgs, or scikit-learn's
    model.learning_rate_curve_ = list(model.learning_rate_curve_)


def begin_record(model: Model) -> None:
    """Begin the record of the training, or those parts of it that the last fit did not need.

    What users have put in the place of what a fit leaves is begun anew.
    """
    begin_curve(model)
    if not is_whole(ROWS_SEEN, model):
        model.t_ = 0
    watched = "best_validation_score_" if model.early_stopping else "best_loss_"
    if not is_whole(RECORD, model) or getattr(model, watched) is None:
        _begin_watched(model)
    if not model.early_stopping:
        drop(VALIDATION, model)
        return
    scores = model.validation_scores_
    if not (is_whole(VALIDATION, model) and len(model.validation_loss_curve_) == len(scores)):
        # of scikit-learn's, or of a file of before: the losses are not known
        model.validation_loss_curve_ = [np.nan] * len(scores)
        model.best_iter_ = 1 + int(np.argmax(scores)) if scores else 0


def _begin_watched(model: Model) -> None:
    """Begin the record of what is watched."""
    model._no_improvement_count = 0
    model.best_loss_ = None if model.early_stopping else np.inf
    model.validation_scores_ = [] if model.early_stopping else None
    model.best_validation_score_ = -np.inf if model.early_stopping else None


def drop(part: FittedPart, model: Model) -> None:
    """Drop a part of the record, of which a fit has none."""
    for name in part.checks:
        vars(model).pop(name, None)


def compare_record(model: Model, validation: Validation) -> None:
    """Begin the record of scores anew where the weights to go on from do not score its best.

    Other rows are held out then, `scoring` is another, or the weights were edited: scores of
    before cannot be compared with those to come.
    """
    best = model.best_validation_score_
    if model.validation_scores_ and watch(model, validation).measure() != best:
        _begin_watched(model)
        model.validation_loss_curve_, model.best_iter_ = [], 0


def is_whole(part: FittedPart, model: Model) -> bool:
    """Whether a model has all of a part, as a fit leaves it."""
    if not part.checks.keys() <= vars(model).keys():
        return False
    fitted = {name: vars(model)[name] for name in part.checks}
    try:
        for name, check in part.checks.items():
            check(name, fitted[name])
        part.check_whole(fitted)
    except ValueError:
        return False
    return True


# ---- what is watched ----


class Watch(ABC):
    """A number of each epoch, which is to improve on the best before it by more than ``tol``."""

    name: ClassVar[str]

    @abstractmethod
    def measure(self, held_out_total: float | None = None) -> float:
        """Return the number of the epoch that has ended.

        Parameters
        ----------
        held_out_total : float, default=None
            What an evaluation of the rows held out has given, if one ran since.
        """

    @abstractmethod
    def report(self, value: float) -> str | None:
        """Return what to print of it; None where that is printed already."""

    @abstractmethod
    def improves(self, value: float) -> bool:
        """Whether it is an improvement."""

    @abstractmethod
    def record(self, value: float) -> None:
        """Record it in the model."""


class TrainingLoss(Watch):
    """The loss of the epoch."""

    name = "Training loss"

    def __init__(self, model: Model) -> None:
        self._model = model

    def measure(self, held_out_total: float | None = None) -> float:
        """Return the loss, which the epoch has given."""
        return self._model.loss_

    def report(self, value: float) -> None:
        """Return None: every epoch prints its loss."""

    def improves(self, value: float) -> bool:
        """Whether the loss is lower than the best by ``tol``."""
        return not value > self._model.best_loss_ - self._model.tol

    def record(self, value: float) -> None:
        """Record the least loss."""
        if value < self._model.best_loss_:
            self._model.best_loss_ = value


class ValidationScore(Watch):
    """The score of the rows held out; their loss is recorded beside it."""

    name = "Validation score"

    def __init__(self, model: Model, validation: Validation) -> None:
        self._model, self._validation = model, validation
        loss = model._choose_loss().unsmoothed()
        self.evaluation = Evaluation(model, loss, validation.data)
        self._score = score_for(model, validation.data)

    def measure(self, held_out_total: float | None = None) -> float:
        """Score the present weights."""
        if held_out_total is None:
            held_out_total = self.evaluation.run()
        loss = self._last_loss = self.evaluation.mean(held_out_total)
        return self._validation.data.agreed(lambda: self._score(loss, self.evaluation.outputs))

    def report(self, value: float) -> str:
        """Return the score in words."""
        return f"Validation score: {value:f}"

    def improves(self, value: float) -> bool:
        """Whether the score is higher than the best by ``tol``."""
        return not value < self._model.best_validation_score_ + self._model.tol

    def record(self, value: float) -> None:
        """Record the score and the loss, and the weights that have the best score."""
        model = self._model
        is_best = value > model.best_validation_score_
        if is_best:  # first, as Ctrl-C may come while a large network is copied
            self._validation.best_weights = model._copy_weights()
        model.validation_scores_.append(value)
        model.validation_loss_curve_.append(self._last_loss)
        if is_best:
            model.best_validation_score_ = value
            model.best_iter_ = len(model.validation_scores_)


def watch(model: Model, validation: Validation | None) -> TrainingLoss | ValidationScore:
    """What decides about stopping in a fit."""
    return TrainingLoss(model) if validation is None else ValidationScore(model, validation)


# ---- deciding ----


def end_epoch(model: Model, watched: Watch, held_out_total: float | None = None) -> bool:
    """Measure and record an epoch; whether too many have brought no improvement."""
    value = watched.measure(held_out_total)
    say(model, watched.report(value))
    improved = watched.improves(value)
    watched.record(value)
    model._no_improvement_count = 0 if improved else model._no_improvement_count + 1
    return model._no_improvement_count > model.n_iter_no_change


def describe_plateau(model: Model, watched: Watch) -> str:
    """A plateau in words."""
    return (
        f"{watched.name} did not improve more than tol={model.tol:f} for {model.n_iter_no_change} "
        "consecutive epochs."
    )


def say(model: Model, text: str | None) -> None:
    """Print what ``verbose`` asks for, if there is anything."""
    if model.verbose and text is not None:
        print(text)

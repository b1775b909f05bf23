"""The stochastic solvers: where a fit begins, the loop over epochs and what ends it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import shuffle

from mlp_c import _core
from mlp_c._estimators.prediction import run_network
from mlp_c._system.threads import effective_n_threads
from mlp_c._system.warnings import warn_caller
from mlp_c._training.data import Data
from mlp_c._training.optimizers import new_optimizer


@dataclass
class Progress:
    """Where a fit stands, but for what the model itself holds.

    Attributes
    ----------
    data : Data
        What to train on.
    random_state : RandomState
        Draws the order of the rows, one shuffle of the last order for every epoch.
    position : ndarray of int
        The last order, of ``data.rows``.
    held_out : ndarray of int or None
        The rows whose score decides about stopping; the training loss does where None.
    best_weights : (list of ndarrays, list of ndarrays) or None
        Weights and biases when that score was best, in this fit.
    one_epoch : bool
        Whether to stop after one epoch in any case, as ``partial_fit`` does.
    converged : bool
        Whether the model no longer improves.
    """

    data: Data
    random_state: np.random.RandomState
    position: np.ndarray
    held_out: np.ndarray | None = None
    best_weights: tuple[list[np.ndarray], list[np.ndarray]] | None = None
    one_epoch: bool = False
    converged: bool = False


def begin(
    model: Any, data: Data, random_state: np.random.RandomState, *, incremental: bool
) -> Progress:
    """Where a fit begins: by ``partial_fit``, if it is `incremental`."""
    if not (incremental and hasattr(model, "_optimizer")):
        model._optimizer = new_optimizer(model)
    _begin_record(model)
    model.n_iter_ = 0
    held_out = best_weights = None
    if model.early_stopping:
        data.rows, held_out = _split(model, data, random_state)
        best_weights = None if model.validation_scores_ else model._copy_weights()
    return Progress(
        data,
        random_state,
        np.arange(data.n),
        held_out=held_out,
        best_weights=best_weights,
        one_epoch=incremental,
    )


def _begin_record(model: Any) -> None:
    """Begin the record of the training, or what the last fit had no use for of it."""
    if not hasattr(model, "loss_curve_"):
        model.loss_curve_ = []
    watched = "best_validation_score_" if model.early_stopping else "best_loss_"
    if getattr(model, watched, None) is None:
        model._no_improvement_count = 0
        model.best_loss_ = None if model.early_stopping else np.inf
        model.validation_scores_ = [] if model.early_stopping else None
        model.best_validation_score_ = -np.inf if model.early_stopping else None


def _split(
    model: Any, data: Data, random_state: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
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
    if data.sample_weight is not None:
        for part, name in ((rows, "training"), (held_out, "validation")):
            if not data.sample_weight[part].any():
                raise ValueError(f"The sample weights of the {name} set are all zero.")
    return rows, held_out


def train(model: Any, progress: Progress, tasks: Any) -> None:
    """Train a model for up to ``max_iter`` epochs, or until it no longer improves.

    Parameters
    ----------
    model : estimator
        Its ``coefs_`` and ``intercepts_`` are updated in place; the attributes that report
        on the training are set. It goes on from its ``n_iter_`` epochs.
    progress : Progress
        Where to begin; kept up to date.
    tasks : FitTasks or NoTasks
        Told of every epoch; may stop the training.
    """
    data, optimizer, max_iter = progress.data, model._optimizer, model.max_iter
    batch_size = _batch_size(model.batch_size, data.n)
    n_threads = effective_n_threads(model.n_threads)
    loss = (model._loss_name, *model._loss_bounds(model.coefs_[0].dtype))
    in_order = data.takes_all and not model.shuffle
    score_validation = _validation_score(model, progress)
    try:
        while not progress.converged:
            if model.n_iter_ >= max_iter:
                warn_caller(
                    f"Stochastic Optimizer: Maximum iterations ({max_iter}) reached and the "
                    "optimization hasn't converged yet.",
                    ConvergenceWarning,
                )
                break
            tasks.begin_epoch()
            if model.shuffle:
                progress.position = shuffle(progress.position, random_state=progress.random_state)
            total_loss, n_counted = _core.train_epoch(
                data.X,
                data.y,
                data.sample_weight,
                None if in_order else data.rows[progress.position],
                model.coefs_,
                model.intercepts_,
                model.activation,
                loss,
                float(model.alpha),
                batch_size,
                optimizer.constants(),
                optimizer.moments,
                optimizer.steps,
                n_threads,
            )
            model.n_iter_ += 1
            model.t_ += data.n
            model.loss_ = total_loss / max(n_counted, 1)  # batches of weight 0 do not count
            model.loss_curve_.append(model.loss_)
            if model.verbose:
                print(f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
            plateau = _watch_progress(model, progress, score_validation)
            optimizer.epoch_ends(model.t_)
            if plateau is not None:
                progress.converged = optimizer.plateau(plateau, model.verbose)
                if not progress.converged:
                    model._no_improvement_count = 0
            if tasks.end_epoch() or progress.one_epoch:
                break
    except KeyboardInterrupt:
        warn_caller("Training interrupted by user.")


def _batch_size(requested: Any, n_samples: int) -> int:
    if isinstance(requested, str):  # 'auto'
        return min(200, n_samples)
    if requested > n_samples:
        warn_caller(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
        )
    return min(int(requested), n_samples)


def _validation_score(model: Any, progress: Progress) -> Callable[[], float] | None:
    """A function that scores the present weights on the rows held out, if there are any."""
    data, held_out = progress.data, progress.held_out
    if held_out is None:
        return None
    y = data.y[held_out]
    weight = None if data.sample_weight is None else data.sample_weight[held_out]
    return lambda: model._score_outputs(
        y, run_network(model, data.X, held_out, dtype=data.dtype), weight
    )


def _watch_progress(
    model: Any, progress: Progress, score_validation: Callable[[], float] | None
) -> str | None:
    """Note whether the epoch brought an improvement; what to say if too many did not."""
    if score_validation is not None:
        score = score_validation()
        model.validation_scores_.append(score)
        if model.verbose:
            print(f"Validation score: {score:f}")
        improved = not score < model.best_validation_score_ + model.tol
        if score > model.best_validation_score_:
            model.best_validation_score_ = score
            progress.best_weights = model._copy_weights()
        what = "Validation score"
    else:
        improved = not model.loss_ > model.best_loss_ - model.tol
        if model.loss_ < model.best_loss_:
            model.best_loss_ = model.loss_
        what = "Training loss"
    model._no_improvement_count = 0 if improved else model._no_improvement_count + 1
    if model._no_improvement_count <= model.n_iter_no_change:
        return None
    return (
        f"{what} did not improve more than tol={model.tol:f} for {model.n_iter_no_change} "
        "consecutive epochs."
    )

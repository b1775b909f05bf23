"""The loop over epochs and the rule that ends it."""

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import shuffle

from mlp_c import _core
from mlp_c._threads import effective_n_threads


def train(
    model: Any,
    X: np.ndarray,
    y: np.ndarray,
    rows: np.ndarray | None,
    validation: tuple[np.ndarray, np.ndarray] | None,
    *,
    one_epoch: bool = False,
) -> None:
    """Train a model for up to ``max_iter`` epochs, or until it no longer improves.

    Parameters
    ----------
    model : estimator
        Its ``coefs_`` and ``intercepts_`` are updated in place; the attributes that
        report on the training are set.
    X : ndarray of shape (n_samples, n_features)
    y : ndarray
        Encoded targets of all rows of `X`.
    rows : ndarray of int or None
        The rows to train on; all where None.
    validation : tuple (X, y) or None
        Rows whose score decides about stopping; the training loss does where None.
    one_epoch : bool
        Whether to stop after one epoch in any case, as ``partial_fit`` does.
    """
    optimizer = model._optimizer
    n_samples = X.shape[0] if rows is None else len(rows)
    batch_size = _batch_size(model.batch_size, n_samples)
    n_threads = effective_n_threads(model.n_threads)
    position = np.arange(n_samples)
    try:
        model.n_iter_ = 0
        for _ in range(model.max_iter):
            if model.shuffle:
                position = shuffle(position, random_state=model._random_state)
            order = position if rows is None else rows[position]
            total_loss = _core.train_epoch(
                X,
                y,
                order if model.shuffle or rows is not None else None,
                batch_size,
                model.coefs_,
                model.intercepts_,
                optimizer.moments,
                model.activation,
                optimizer.rule,
                optimizer.learning_rate,
                optimizer.momentum,
                model.alpha,
                model._loss_bounds(X.dtype),
                n_threads,
            )
            model.n_iter_ += 1
            model.t_ += n_samples
            model.loss_ = total_loss / n_samples
            model.loss_curve_.append(model.loss_)
            if model.verbose:
                print(f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
            message = _watch_progress(model, validation)
            optimizer.epoch_ends(model.t_)
            if message is not None:
                if optimizer.plateau(message, model.verbose):
                    break
                model._no_improvement_count = 0
            if one_epoch:
                break
        else:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({model.max_iter}) reached and "
                "the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=4,
            )
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)


def _batch_size(requested: Any, n_samples: int) -> int:
    if isinstance(requested, str):  # 'auto'
        return min(200, n_samples)
    if requested > n_samples:
        warnings.warn(
            f"Got `batch_size` {requested}, larger than the {n_samples} training samples. "
            "It is going to be clipped.",
            stacklevel=5,
        )
    return min(int(requested), n_samples)


def _watch_progress(model: Any, validation: Any) -> str | None:
    """Note whether the epoch brought an improvement; what to say if too many did not."""
    if validation is not None:
        score = model._score(*validation)
        model.validation_scores_.append(score)
        if model.verbose:
            print(f"Validation score: {score:f}")
        improved = not score < model.best_validation_score_ + model.tol
        if score > model.best_validation_score_:
            model.best_validation_score_ = score
            model._best_weights = (
                [w.copy() for w in model.coefs_],
                [b.copy() for b in model.intercepts_],
            )
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

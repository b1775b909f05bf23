"""Checkpoints of a fit, and going on from them to what it would have come to."""

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from mlp_c._estimators.arguments import FitArguments
from mlp_c._estimators.base import BaseMLP
from mlp_c._saving import checks, files
from mlp_c._saving.generators import decode_generator, encode_generator
from mlp_c._saving.state import CALLABLES
from mlp_c._training.data import Data
from mlp_c._training.dropout import require_masks
from mlp_c._training.generators import random_source
from mlp_c._training.loop import Stochastic
from mlp_c._training.model import Model
from mlp_c._training.optimizers import RULES
from mlp_c._training.progress import Progress, Validation
from mlp_c._training.stopping import CURVE, RECORD, begin_rates, begin_record

# What a file has in `checkpoint`.
_PARTS = ("every", "data", "generator", "position", "split", "best_weights", "converged")


class Checkpoint:
    """Callback that writes a file from which an interrupted fit can be resumed.

    It writes when a fit begins, and after every so many epochs, to one file, which it puts in
    the place of the last one whole or not at all. `partial_fit`, whose epochs are the user's to
    count, leaves the file alone.

    Parameters
    ----------
    path : str or path-like
        The file. `load` reads it, too, as the model at that time.
    every : int, default=1
        Epochs from one checkpoint to the next.

    Raises
    ------
    ValueError
        In ``fit``, if the solver is 'lbfgs', whose state is inside SciPy.
    TypeError, OSError, ImportError
        In ``fit``, for the reasons that an estimator's ``save`` has.

    See Also
    --------
    resume : Go on from a checkpoint.

    Notes
    -----
    Fits that write to the same file, as those of a grid search do, replace each other's.

    Examples
    --------
    >>> import os, tempfile
    >>> import mlp_c
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "fit.safetensors")
    ...     model = mlp_c.MLPClassifier(random_state=1, max_iter=500)
    ...     model = model.set_callbacks(mlp_c.Checkpoint(path, every=100)).fit(X, y)
    ...     resumed = mlp_c.resume(path, X, y)
    >>> resumed.loss_curve_ == model.loss_curve_
    True
    """

    __module__ = "mlp_c"  # what pickles name, wherever this file lies

    def __init__(self, path: Any, every: int = 1) -> None:
        if not isinstance(every, Integral) or isinstance(every, bool):
            raise TypeError(f"every must be an integer of at least 1, got {type(every).__name__}")
        if every < 1:
            raise ValueError(f"every must be an integer of at least 1, got {every}")
        self.path: str | bytes = os.fspath(path)
        self.every: int = int(every)

    def setup(self, estimator: Any, context: Any) -> None:
        """Refuse what there is no checkpoint of before the fit takes its time."""
        if not isinstance(estimator, BaseMLP):
            raise TypeError(
                "Checkpoint goes with mlp_c's MLPClassifier and MLPRegressor, got a "
                f"{type(estimator).__name__}"
            )
        if not _is_stochastic(estimator):
            raise ValueError(
                f"Checkpoint goes with the stochastic solvers, got {estimator.solver!r}, whose "
                "state is inside SciPy"
            )
        files.require_safetensors()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Write as the first epoch begins, so that no file of another fit is left."""
        if context.task_name == "epoch" and estimator.n_iter_ == 0:
            self._write(estimator)

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Write if it is the time, but not for an epoch that Ctrl-C ended: it is no place to be."""
        is_whole = hasattr(estimator, "_progress")
        if context.task_name == "epoch" and is_whole and estimator.n_iter_ % self.every == 0:
            self._write(estimator)

    def teardown(self, estimator: Any, context: Any) -> None:
        """Leave the file."""

    def _write(self, estimator: BaseMLP) -> None:
        progress = estimator._progress
        if not progress.one_epoch:
            files.save(estimator, self.path, {"every": self.every, **_encode(progress)})


def resume(
    path: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    X_val: Any = None,
    y_val: Any = None,
    sample_weight_val: Any = None,
    learning_rate: Any = None,
    scoring: Any = None,
    callbacks: Iterable[Any] = (),
) -> Any:
    """Go on with a fit from its last checkpoint to its end.

    The result has the bits that the fit would have come to if nothing had stopped it, on this
    machine: weights, loss curve, validation scores and what `partial_fit` makes of them later.

    Parameters
    ----------
    path : str or path-like
        The file of a `Checkpoint`; it is kept up to date, as often as before.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows that the fit was given; in a pipeline, what its other steps made of them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Their weights.
    X_val, y_val, sample_weight_val : default=None
        Rows to validate with, their targets and weights, if the fit was given any.
    learning_rate, scoring : callable, default=None
        The estimator's parameters of these names if they were callables, which no file holds.
    callbacks : iterable of callbacks, default=()
        Callbacks besides the `Checkpoint`. A file holds none, nor that one has asked to stop.

    Returns
    -------
    MLPClassifier or MLPRegressor
        The fitted model. Its `random_state` is as after the fit where it is an integer or an
        instance; where it is None, NumPy's global generator is left alone.

    Raises
    ------
    ValueError
        If the file is damaged, of a newer version of this package, or holds no checkpoint; if
        the data are not, to the bit, those that were being fitted; or if `learning_rate` or
        `scoring` is missing, or in the file.
    OSError
        If the file cannot be read, or a new checkpoint cannot be written.
    ImportError
        If safetensors is not installed: ``pip install 'mlp_c[files]'``.

    See Also
    --------
    Checkpoint : Write checkpoints.

    Examples
    --------
    >>> import os, tempfile
    >>> import mlp_c
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> def fit(path):
    ...     if os.path.exists(path):
    ...         return mlp_c.resume(path, X, y)
    ...     model = mlp_c.MLPClassifier(random_state=1, max_iter=500)
    ...     return model.set_callbacks(mlp_c.Checkpoint(path, every=100)).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "fit.safetensors")
    ...     first, again = fit(path), fit(path)
    >>> first.n_iter_ == again.n_iter_
    True
    """
    content = files.read(path)
    if "checkpoint" not in content:
        raise ValueError(f"{os.fspath(path)!r} holds a model and no checkpoint")
    model = files.restore(content)
    needed = {"_optimizer", "n_iter_", "t_", *CURVE.checks, *RECORD.checks}
    if not (_is_stochastic(model) and needed <= vars(model).keys()):
        raise ValueError(f"{os.fspath(path)!r} holds no model that a stochastic solver was fitting")
    checkpoint = checks.entries("checkpoint", content["checkpoint"], _PARTS, ["left_out"])
    left_out = checkpoint.get("left_out", [])
    if not isinstance(left_out, list) or left_out != [n for n in CALLABLES if n in left_out]:
        checks.refuse("checkpoint.left_out", f"a list of some of {[*CALLABLES]}", left_out)
    for name, value in {"learning_rate": learning_rate, "scoring": scoring}.items():
        _take_callable(model, path, name, value, is_left_out=name in left_out)
    every = checks.count("checkpoint.every", checkpoint["every"])
    model.set_callbacks(Checkpoint(path, every), *callbacks)
    given = FitArguments(X, y, sample_weight, X_val, y_val, sample_weight_val)
    return model._resume(given, partial(_go_on, checkpoint))


def _take_callable(model: BaseMLP, path: Any, name: str, value: Any, *, is_left_out: bool) -> None:
    """Set a parameter that a file left out; refuse one that it holds."""
    if is_left_out and not callable(value):
        raise ValueError(
            f"{name} must be the callable of the fit of {os.fspath(path)!r}, which the file "
            f"does not hold, got {value!r}"
        )
    held = getattr(model, name)
    is_held = isinstance(value, str) and value == held
    if not (is_left_out or value is None or is_held):
        raise ValueError(
            f"{name} must be None where the file holds it: {held!r} in {os.fspath(path)!r}, got "
            f"{value!r}"
        )
    if is_left_out:
        model.set_params(**{name: value})


def _is_stochastic(model: BaseMLP) -> bool:
    return isinstance(model.solver, str) and model.solver in RULES  # a file may say anything


def _go_on(
    checkpoint: dict[str, Any], model: Model, data: Data, random_state: np.random.RandomState
) -> Stochastic:
    """Begin where a model was in a fit of the same data."""
    data.list_nonzeros(model.n_threads)
    begin_record(model)  # what a file of before does not have
    begin_rates(model)
    require_masks(model)
    return Stochastic(model, _decode(checkpoint, model, data))


def _encode(progress: Progress) -> dict[str, Any]:
    """What a file holds of a fit besides the model."""
    data, validation, split = progress.data, progress.validation, None
    if validation is not None and data.held_out is None:
        split = [_as_small(data.rows), _as_small(validation.data.rows)]
    return {
        "data": data.fingerprint,
        "generator": encode_generator(progress.random_state),
        "position": _as_small(progress.order),
        "split": split,
        "best_weights": None if validation is None else validation.best_weights,
        "converged": progress.converged,
    }


def _as_small(indices: np.ndarray) -> np.ndarray:
    """Indices in as few bytes as they need."""
    return indices.astype(np.min_scalar_type(indices.max(initial=0)), copy=False)


def _decode(checkpoint: dict[str, Any], model: Model, data: Data) -> Progress:
    """Where a model was in a fit of the same data.

    Raises
    ------
    ValueError
        If the data are others, or `checkpoint` is not what was written of such a model.
    """
    if checkpoint["data"] != data.fingerprint:
        raise ValueError(
            "X, y and sample_weight, and those to validate with, must be those of the interrupted "
            "fit, in the same dtypes and containers, got others"
        )
    split = checkpoint["split"]
    stops_early = model.early_stopping
    has_rows = split is not None or data.held_out is not None
    if {has_rows, model.validation_scores_ is not None} != {stops_early}:
        checks.refuse("checkpoint.split", f"that of early_stopping={stops_early}", split)
    held_out = data.held_out
    if split is not None:
        data.rows, rows = _decode_split(split, len(data.y))
        held_out = replace(data, rows=rows)
    validation = None
    if held_out is not None:
        validation = Validation(held_out, _decode_weights(checkpoint["best_weights"], model))
    random_state = model.random_state
    if isinstance(random_state, np.random.Generator):
        random_state = random_source(random_state)
    elif not isinstance(random_state, np.random.RandomState):
        random_state = decode_generator("checkpoint.generator", checkpoint["generator"])
        if not isinstance(random_state, np.random.RandomState):
            checks.refuse("checkpoint.generator", "a RandomState", random_state)
    return Progress(
        data,
        random_state,
        checks.permutation("checkpoint.position", checkpoint["position"], data.n),
        validation=validation,
        converged=checks.flag("checkpoint.converged", checkpoint["converged"]),
    )


def _decode_split(split: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows to train on and those held out: each row once."""
    if not isinstance(split, list) or [type(part) for part in split] != [np.ndarray] * 2:
        checks.refuse("checkpoint.split", "a list of two arrays", split)
    rows = checks.permutation("checkpoint.split", np.concatenate(split, axis=None), n)
    return rows[: split[0].size], rows[split[0].size :]


def _decode_weights(weights: Any, model: Model) -> Any:
    if weights is None:
        return None
    if not isinstance(weights, tuple) or len(weights) != 2:
        checks.refuse("checkpoint.best_weights", "a tuple of two lists", weights)
    return (
        checks.floats_like("checkpoint.best_weights[0]", weights[0], model.coefs_),
        checks.floats_like("checkpoint.best_weights[1]", weights[1], model.intercepts_),
    )

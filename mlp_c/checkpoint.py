"""Checkpoints of a fit, and going on from them to what it would have come to."""

import os
from collections.abc import Iterable
from typing import Any

from mlp_c._estimators.arguments import FitArguments
from mlp_c._estimators.base import BaseMLP
from mlp_c._estimators.tabular import BaseTabularMLP
from mlp_c._saving import checks, files
from mlp_c._saving.registry import ESTIMATORS
from mlp_c._saving.state import CALLABLES
from mlp_c._training import resuming
from mlp_c._training.callbacks import check_every


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
    Of a fit to a table, the file holds every member and where each of them stands. Fits that
    write to the same file, as those of a grid search do, replace each other's.

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
        self.every: int = check_every(every)
        self.path: str | bytes = os.fspath(path)

    def setup(self, estimator: Any, context: Any) -> None:
        """Refuse what there is no checkpoint of before the fit takes its time."""
        if not isinstance(estimator, (BaseMLP, BaseTabularMLP)):
            raise TypeError(
                f"Checkpoint goes with mlp_c's {' and '.join(ESTIMATORS)}, got a "
                f"{type(estimator).__name__}"
            )
        if isinstance(estimator, BaseMLP) and not resuming.is_stochastic(estimator):
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

    def _write(self, estimator: BaseMLP | BaseTabularMLP) -> None:
        progress = estimator._progress
        if not progress.one_epoch:
            files.save(estimator, self.path, {"every": self.every, **resuming.encode(progress)})


def resume(
    path: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    X_val: Any = None,
    y_val: Any = None,
    sample_weight_val: Any = None,
    groups: Any = None,
    learning_rate: Any = None,
    scoring: Any = None,
    callbacks: Iterable[Any] = (),
) -> Any:
    """Go on with a fit from its last checkpoint to its end.

    The result has the bits that the fit would have come to if nothing had stopped it, on this
    machine: weights, loss curve, validation scores and what `partial_fit` makes of them later.
    Of an estimator for tables these are the members', and all that held-out rows tell is the same.

    Parameters
    ----------
    path : str or path-like
        The file of a `Checkpoint`; it is kept up to date, as often as before.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        The rows that the fit was given; in a pipeline, what its other steps made of them. A table
        may be in another form with the same values.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Their weights.
    X_val, y_val, sample_weight_val : default=None
        Rows to validate with, their targets and weights, if the fit was given any.
    groups : array-like of shape (n_samples,), default=None
        The groups of the rows of a table, if the fit was given any.
    learning_rate, scoring : callable, default=None
        The estimator's parameters of these names if they were callables, which no file holds.
    callbacks : iterable of callbacks, default=()
        Callbacks besides the `Checkpoint`. A file holds none, nor that one has asked to stop.

    Returns
    -------
    MLPClassifier, MLPRegressor, TabularMLPClassifier or TabularMLPRegressor
        The fitted model. A `time_limit` begins anew with each call. The model's `random_state` is
        as after the fit where it is an integer or an instance; where it is None, NumPy's global
        generator is left alone.

    Raises
    ------
    ValueError
        If the file is damaged, of a newer version of this package, or holds no checkpoint; if
        the data are not, to the bit, those that were being fitted; if an argument is given that
        the estimator's ``fit`` does not take; or if `learning_rate` or `scoring` is missing, or
        in the file.
    OSError
        If the file cannot be read, or a new checkpoint cannot be written.
    ImportError
        If safetensors is not installed: ``pip install safetensors``.

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

    A fit to a table that was ended, here by its limit, goes on from its last epoch:

    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "fit.safetensors")
    ...     model = mlp_c.TabularMLPClassifier(random_state=0, max_iter=5, time_limit=1e-9)
    ...     model = model.set_callbacks(mlp_c.Checkpoint(path)).fit(X, y)
    ...     resumed = mlp_c.resume(path, X, y)
    >>> model.n_iter_, resumed.n_iter_
    (1, 2)
    """
    model, checkpoint = restore(path, files.read(path), learning_rate, scoring, callbacks)
    given = FitArguments(X, y, sample_weight, X_val, y_val, sample_weight_val, groups=groups)
    return model._resume(given, checkpoint)


def restore(
    path: Any, content: dict[str, Any], learning_rate: Any, scoring: Any, callbacks: Iterable[Any]
) -> tuple[Any, dict[str, Any]]:
    """The model of a file's content, and where its fit stood, to go on with.

    The arguments are `resume`'s.
    """
    if "checkpoint" not in content:
        raise ValueError(f"{os.fspath(path)!r} holds a model and no checkpoint")
    model = files.restore(content)
    is_ensemble = isinstance(model, BaseTabularMLP)
    models = vars(model).get("members_", []) if is_ensemble else [model]
    if not models or not all(map(resuming.is_in_a_fit, models)):
        raise ValueError(f"{os.fspath(path)!r} holds no model that a stochastic solver was fitting")
    parts = resuming.OF_ENSEMBLE if is_ensemble else resuming.OF_MODEL
    checkpoint = checks.entries(
        "checkpoint", content["checkpoint"], ["every", *parts], ["left_out"]
    )
    left_out = checkpoint.get("left_out", [])
    if not isinstance(left_out, list) or left_out != [n for n in CALLABLES if n in left_out]:
        checks.refuse("checkpoint.left_out", f"a list of some of {[*CALLABLES]}", left_out)
    for name, value in {"learning_rate": learning_rate, "scoring": scoring}.items():
        _take_callable(model, path, name, value, is_left_out=name in left_out)
    every = checks.count("checkpoint.every", checkpoint["every"])
    model.set_callbacks(Checkpoint(path, every), *callbacks)
    return model, checkpoint


def _take_callable(
    model: BaseMLP | BaseTabularMLP, path: Any, name: str, value: Any, *, is_left_out: bool
) -> None:
    """Set a parameter that a file left out; refuse one that it holds, or that there is not."""
    if is_left_out and not callable(value):
        raise ValueError(
            f"{name} must be the callable of the fit of {os.fspath(path)!r}, which the file "
            f"does not hold, got {value!r}"
        )
    if not (hasattr(model, name) or value is None):
        raise ValueError(
            f"{name} must be None for {type(model).__name__}, which has no such parameter, got "
            f"{value!r}"
        )
    held = getattr(model, name, None)
    is_held = isinstance(value, str) and value == held
    if not (is_left_out or value is None or is_held):
        raise ValueError(
            f"{name} must be None where the file holds it: {held!r} in {os.fspath(path)!r}, got "
            f"{value!r}"
        )
    if is_left_out:
        model.set_params(**{name: value})

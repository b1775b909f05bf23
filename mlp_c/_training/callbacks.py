"""scikit-learn's callbacks, told of a fit as one task with a subtask for every epoch."""

from numbers import Integral
from typing import Any, Protocol

from mlp_c._training.model import Model


def check_every(every: Any) -> int:
    """A callback's number of epochs from one time that it acts to the next."""
    if not isinstance(every, Integral) or isinstance(every, bool):
        raise TypeError(f"every must be an integer of at least 1, got {type(every).__name__}")
    if every < 1:
        raise ValueError(f"every must be an integer of at least 1, got {every}")
    return int(every)


class Tasks(Protocol):
    """A fit as callbacks see it."""

    def begin_epoch(self) -> None:
        """Report that an epoch, or an iteration of L-BFGS, begins."""

    def end_epoch(self) -> bool:
        """Report its end; whether a callback asks to stop."""

    def end(self) -> None:
        """Report the end of the fit."""


class FitTasks:
    """Reports a fit to the callbacks of an estimator.

    Parameters
    ----------
    estimator : estimator
        The estimator, its weights drawn.
    max_epochs : int
        The most subtasks there can be.
    X, y, sample_weight
        What ``fit`` was given, for the callbacks that ask for it. Scorers among them take all
        that they are told of: rows to validate with are not for them.
    """

    def __init__(
        self, estimator: Model, max_epochs: int, X: Any, y: Any, sample_weight: Any
    ) -> None:
        self._estimator = estimator
        self._fit = estimator._init_callback_context(max_subtasks=max_epochs)
        self._epoch: Any = None
        self._arguments = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
        }
        self._fit.call_on_fit_task_begin(**self._arguments)

    def begin_epoch(self) -> None:
        """Report that an epoch, or an iteration of L-BFGS, begins."""
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._arguments)

    def end_epoch(self) -> bool:
        """Report its end; whether a callback asks to stop. The model is copied if one asks."""
        epoch, self._epoch = self._epoch, None
        return epoch.call_on_fit_task_end(
            **self._arguments, reconstruction_attributes=self._estimator._copy_progress
        )

    def end(self) -> None:
        """Report the end of the fit, and of an epoch that began and did not run."""
        if self._epoch is not None:
            self._epoch.call_on_fit_task_end(estimator=self._estimator)
        self._fit.call_on_fit_task_end(
            **self._arguments, reconstruction_attributes=self._estimator._copy_progress
        )


class NoTasks:
    """Stands in where there is no callback, at no cost."""

    def begin_epoch(self) -> None:
        """Do nothing."""

    def end_epoch(self) -> bool:
        """Never ask to stop."""
        return False

    def end(self) -> None:
        """Do nothing."""


def report_to_callbacks(
    estimator: Model, max_epochs: int, X: Any, y: Any, sample_weight: Any
) -> Tasks:
    """What a fit is to report to, which hears of its beginning."""
    if not hasattr(estimator, "_skl_callbacks"):
        return NoTasks()
    return FitTasks(estimator, max_epochs, X, y, sample_weight)

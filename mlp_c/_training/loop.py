"""The stochastic solvers: where a fit begins, and the loop over its epochs."""

import math
from typing import Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mlp_c._system.blocks import are_finite
from mlp_c._system.threads import effective_n_threads
from mlp_c._system.warnings import warn_caller
from mlp_c._training.callbacks import Tasks
from mlp_c._training.course import Course
from mlp_c._training.data import Data
from mlp_c._training.dropout import begin_masks, probabilities
from mlp_c._training.generators import shuffled
from mlp_c._training.model import Model
from mlp_c._training.optimizers import ChooseRule, Optimizer
from mlp_c._training.progress import Progress
from mlp_c._training.scale import advise_on_scale
from mlp_c._training.stopping import (
    ValidationScore,
    begin_rates,
    begin_record,
    compare_record,
    describe_plateau,
    end_epoch,
    say,
    watch,
)
from mlp_c._training.stopwatch import Stopwatch
from mlp_c._training.validation import hold_out, restore_best, says_what_to_watch


class Stochastic:
    """Trains a model batch by batch, for up to ``max_iter`` epochs or while it improves.

    Parameters
    ----------
    model : estimator
        Its ``coefs_`` and ``intercepts_`` are updated in place; the attributes that report
        on the training are set. It goes on from its ``n_iter_`` epochs.
    progress : Progress
        Where to begin; kept up to date.
    """

    def __init__(self, model: Model, progress: Progress) -> None:
        self._model = model
        self.progress = progress
        self.data = progress.data
        self._loss = model._choose_loss()
        self._dropout = probabilities(model, len(model.coefs_) - 1)
        self._watched = watch(model, progress.validation)
        self._batch_size = _batch_size(model.batch_size, progress.data.n)
        self._course = Course.of(model, model.max_iter)
        self._stopwatch = Stopwatch(model)
        self.max_epochs: int = 1 if progress.one_epoch else model.max_iter

    @classmethod
    def begin(
        cls, choose_rule: ChooseRule, model: Model, data: Data, random_state: np.random.RandomState
    ) -> Self:
        """Begin a fit, whose weights are drawn or kept, with the rule's first moments."""
        data.list_nonzeros(model.n_threads)
        model._optimizer = _begin_rule(choose_rule, model)
        begin_record(model)
        begin_rates(model)
        model.n_iter_ = 0
        validation = None
        if model.early_stopping:
            validation = hold_out(model, data, random_state)
            if says_what_to_watch(model, data):
                compare_record(model, validation)
        begin_masks(model, random_state, goes_on=False)
        return cls(model, Progress(data, random_state, np.arange(data.n), validation))

    @classmethod
    def begin_epoch(
        cls, choose_rule: ChooseRule, model: Model, data: Data, random_state: np.random.RandomState
    ) -> Self:
        """Begin a fit of one epoch, which goes on with the moments that there are."""
        params = model.coefs_ + model.intercepts_
        optimizer = getattr(model, "_optimizer", None)
        goes_on = isinstance(optimizer, Optimizer) and optimizer.adapt(params)
        if not goes_on:
            model._optimizer = _begin_rule(choose_rule, model)
        begin_masks(model, random_state, goes_on=goes_on)
        begin_record(model)
        begin_rates(model)
        model.n_iter_ = 0
        return cls(model, Progress(data, random_state, np.arange(data.n), one_epoch=True))

    def run(self, tasks: Tasks) -> None:
        """Train, and end with the weights that scored best if a score was watched."""
        model = self._model
        model._progress = self.progress
        try:
            self._run_epochs(tasks)
        finally:
            del model._progress
        self.end()

    def _run_epochs(self, tasks: Tasks) -> None:
        model, progress, max_iter = self._model, self.progress, self._model.max_iter
        try:
            while not progress.converged:
                if model.n_iter_ >= max_iter:
                    warn_caller(
                        f"Stochastic Optimizer: Maximum iterations ({max_iter}) reached and the "
                        "optimization hasn't converged yet."
                        + advise_on_scale(progress.data.X, progress.data.y),
                        ConvergenceWarning,
                    )
                    break
                tasks.begin_epoch()
                self.finish_epoch(*self.data.train_epoch(self.start_epoch()))
                if tasks.end_epoch() or progress.one_epoch or self.has_diverged:
                    break
        except KeyboardInterrupt:
            self.data.interrupt()
            warn_caller("Training interrupted by user.")

    # ---- an epoch, for those who run it ----

    def start_epoch(self) -> dict[str, Any]:
        """Draw the order of the rows; what the kernels take for the epoch."""
        self._stopwatch.start()
        model, progress, optimizer = self._model, self.progress, self._model._optimizer
        if model.shuffle:
            progress.order = shuffled(progress.order, progress.random_state)
        data, decay, max_norm = progress.data, model.weight_decay, model.max_grad_norm
        in_order = data.takes_all and not model.shuffle
        n_steps = math.ceil(data.n / self._batch_size)
        self._rates = self._course.scale(optimizer.schedule.rates(n_steps), model.n_iter_)
        return {
            "X": data.X,
            "y": self._loss.targets_for_kernels(data.y),
            "sample_weight": data.sample_weight,
            "order": None if in_order else data.rows[progress.order],
            "weights": model.coefs_,
            "biases": model.intercepts_,
            "activation": model.activation,
            "loss": self._loss.for_kernels(model.coefs_[0].dtype),
            "l2": float(model.alpha) if optimizer.has_l2 else 0.0,
            "batch_size": self._batch_size,
            "rule": optimizer.for_kernels(),
            "weight_decay": optimizer.weight_decay if decay is None else float(decay),
            "max_grad_norm": 0.0 if max_norm is None else float(max_norm),
            "learning_rates": self._rates,
            "moments": optimizer.moments,
            "steps": optimizer.steps,
            "dropout": self._dropout,
            "seed": getattr(model, "dropout_seed_", 0),  # without dropout there is none
            "n_threads": effective_n_threads(model.n_threads),
        }

    def evaluation_fields(self) -> dict[str, Any] | None:
        """What the kernels take to evaluate the rows held out after an epoch, if there are any."""
        watched = self._watched
        return watched.evaluation.fields() if isinstance(watched, ValidationScore) else None

    def finish_epoch(
        self, total_loss: float, n_counted: int, held_out_total: float | None = None
    ) -> None:
        """Record what the kernels made of an epoch, and decide whether there is to be another."""
        model, progress, schedule = self._model, self.progress, self._model._optimizer.schedule
        model.n_iter_ += 1
        model.t_ += progress.data.n
        model.loss_ = total_loss / max(n_counted, 1)  # batches of weight 0 do not count
        model.loss_curve_.append(model.loss_)
        model.learning_rate_curve_.append(float(self._rates[-1]))
        say(model, f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
        plateau = end_epoch(model, self._watched, held_out_total)
        schedule.end_epoch(model.t_)
        if plateau:
            progress.converged, answer = schedule.answer_plateau()
            say(model, f"{describe_plateau(model, self._watched)} {answer}")
            if not progress.converged:
                model._no_improvement_count = 0
        self._stopwatch.stop()

    @property
    def has_diverged(self) -> bool:
        """Whether no epoch will make the weights finite again."""
        model = self._model
        if model.n_iter_ == 0:  # it has no loss yet
            return False
        return not (math.isfinite(model.loss_) or are_finite(model.coefs_ + model.intercepts_))

    @property
    def is_over(self) -> bool:
        """Whether there is to be no other epoch."""
        model = self._model
        return self.progress.converged or model.n_iter_ >= model.max_iter or self.has_diverged

    def end(self) -> None:
        """Give the model the weights that scored best, if a score was watched."""
        if self.progress.validation is not None:
            restore_best(self._model, self.progress.validation)


def _begin_rule(choose_rule: ChooseRule, model: Model) -> Optimizer:
    return choose_rule(model).begin(model, model.coefs_ + model.intercepts_)


def _batch_size(requested: Any, n_samples: int) -> int:
    if isinstance(requested, str):  # 'auto'
        return min(200, n_samples)
    if requested > n_samples:
        warn_caller(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
        )
    return min(int(requested), n_samples)

"""The solver 'lbfgs': SciPy's optimiser on the kernels' loss and gradient."""

from typing import Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.fixes import _get_additional_lbfgs_options_dict

from mlp_c._system.blocks import Array
from mlp_c._system.threads import effective_n_threads
from mlp_c._system.warnings import warn_caller
from mlp_c._training.callbacks import Tasks
from mlp_c._training.data import Data
from mlp_c._training.dropout import DROPOUT
from mlp_c._training.model import Model
from mlp_c._training.progress import Validation
from mlp_c._training.stopping import (
    RATES,
    begin_curve,
    begin_record,
    compare_record,
    describe_plateau,
    drop,
    end_epoch,
    say,
    watch,
)
from mlp_c._training.stopwatch import Stopwatch
from mlp_c._training.validation import VALIDATION, hold_out, restore_best, says_what_to_watch


class LBFGS:
    """Minimises a model's loss over all of the data at once; everything in float64.

    Parameters
    ----------
    model : estimator
        Its ``coefs_`` and ``intercepts_`` are where to start, and are replaced, in their dtype.
    data : Data
        The data, to be computed with in float64.
    validation : Validation or None
        The rows whose score decides about stopping; the gradient does where None.
    """

    def __init__(self, model: Model, data: Data, validation: Validation | None) -> None:
        self._model = model
        self.data = data
        self._validation = validation
        self._watched = None if validation is None else watch(model, validation)
        self._loss = model._choose_loss()
        self._stopwatch = Stopwatch(model)
        self.max_epochs: int = model.max_iter

    @classmethod
    def begin(cls, model: Model, data: Data, random_state: np.random.RandomState) -> Self:
        """Begin a fit, whose weights are drawn or kept.

        As in scikit-learn, early stopping alone holds out no rows: what it is to watch must be
        said.
        """
        data.list_nonzeros(model.n_threads)
        drop(RATES, model)
        drop(DROPOUT, model)
        if not (model.early_stopping and says_what_to_watch(model, data)):
            begin_curve(model)
            drop(VALIDATION, model)
            return cls(model, data, None)
        begin_record(model)
        validation = hold_out(model, data, random_state)
        compare_record(model, validation)
        return cls(model, data, validation)

    def run(self, tasks: Tasks) -> None:
        """Minimise, and leave the weights of the last iteration, or those that scored best."""
        self._minimize(tasks)
        if self._validation is not None:
            restore_best(self._model, self._validation)

    def _minimize(self, tasks: Tasks) -> None:
        model = self._model
        self._tasks = tasks
        self._dtype = model.coefs_[0].dtype
        self._n_threads = effective_n_threads(model.n_threads)
        self._shapes = [p.shape for p in model.coefs_ + model.intercepts_]
        self._ends = np.cumsum([np.prod(shape, dtype=int) for shape in self._shapes])
        start = np.concatenate([p.ravel() for p in model.coefs_ + model.intercepts_])
        model.n_iter_ = 0
        try:
            tasks.begin_epoch()
            self._stopwatch.start()
            result = self.data.minimize(
                self._loss_and_gradient,
                start.astype(np.float64),
                self._end_iteration,
                {
                    "maxfun": model.max_fun,
                    "maxiter": model.max_iter,
                    "gtol": model.tol,
                    **_get_additional_lbfgs_options_dict("iprint", -1),
                },
            )
        except KeyboardInterrupt:
            self.data.interrupt()
            warn_caller("Training interrupted by user.")
            return
        model.coefs_, model.intercepts_ = self._unpack(result.x.astype(self._dtype, copy=False))
        model.loss_ = float(result.fun)
        model.n_iter_ = result.nit
        if result.status not in (0, 99):  # converged; stopped by a callback
            warn_caller(
                f"lbfgs failed to converge after {result.nit} iteration(s) "
                f"(status={result.status}): {result.message}. More iterations "
                f"(max_iter={model.max_iter}), more evaluations (max_fun={model.max_fun}) or "
                "scaled data may help.",
                ConvergenceWarning,
            )

    def _unpack(self, vector: Array) -> tuple[list[Array], list[Array]]:
        """Views of a vector of all parameters: weights, then biases."""
        views = [
            part.reshape(shape)
            for part, shape in zip(np.split(vector, self._ends[:-1]), self._shapes, strict=True)
        ]
        n_layers = len(views) // 2
        return views[:n_layers], views[n_layers:]

    def _loss_and_gradient(self, vector: Array) -> tuple[float, Array]:
        gradient = np.empty_like(vector)
        return self.data.loss_gradient(self._arguments(vector, gradient)), gradient

    def _arguments(self, vector: Array, gradient: Array) -> dict[str, Any]:
        """What the loss of the parameters in `vector` takes, and where its gradient goes."""
        model, data = self._model, self.data
        weights, biases = self._unpack(vector)
        dweights, dbiases = self._unpack(gradient)
        return {
            "X": data.X,
            "y": self._loss.targets_for_kernels(data.y),
            "sample_weight": data.sample_weight,
            "weights": weights,
            "biases": biases,
            "activation": model.activation,
            "loss": self._loss.for_kernels(np.float64),
            "order": None if data.takes_all else data.rows,
            "gradient_scale": self._loss.gradient_scale(model.n_outputs_),
            "l2": float(model.alpha),
            "dweights": dweights,
            "dbiases": dbiases,
            "n_threads": self._n_threads,
        }

    def _end_iteration(self, intermediate_result: Any) -> None:
        """End an iteration; SciPy knows a callback that takes its result by this name."""
        try:
            is_last = self._record(intermediate_result)
        except StopIteration as error:  # of a scorer or callback, which SciPy would take for ours
            raise RuntimeError("a scorer or callback raised StopIteration") from error
        if is_last:
            raise StopIteration

    def _record(self, intermediate_result: Any) -> bool:
        """Record an iteration; whether to stop after it."""
        model = self._model
        model.coefs_, model.intercepts_ = self._unpack(intermediate_result.x.astype(self._dtype))
        model.loss_ = float(intermediate_result.fun)
        model.loss_curve_.append(model.loss_)
        model.n_iter_ += 1
        say(model, f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
        plateau = False
        if self._watched is not None:
            plateau = end_epoch(model, self._watched)
            if plateau:
                say(model, f"{describe_plateau(model, self._watched)} Stopping.")
        self._stopwatch.stop()
        if self._tasks.end_epoch() or plateau:
            return True
        if model.n_iter_ < model.max_iter:
            self._tasks.begin_epoch()
        self._stopwatch.start()
        return False

"""The solver 'lbfgs': SciPy's optimiser on the kernels' loss and gradient."""

from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.fixes import _get_additional_lbfgs_options_dict

from mlp_c import _core
from mlp_c._system.threads import effective_n_threads
from mlp_c._system.warnings import warn_caller
from mlp_c._training.data import Data


def minimize_loss(model: Any, data: Data, tasks: Any) -> None:
    """Minimise a model's loss over all of the data; everything in float64.

    Parameters
    ----------
    model : estimator
        Its ``coefs_`` and ``intercepts_`` are where to start, and are replaced, in their dtype.
    data : Data
        The data, to be computed with in float64.
    tasks : FitTasks or NoTasks
        Told of every iteration; may stop the optimisation.
    """
    n_threads = effective_n_threads(model.n_threads)
    loss = (model._loss_name, *model._loss_bounds(np.float64), model._loss_gradient_scale())
    n_layers = len(model.coefs_)
    shapes = [p.shape for p in model.coefs_ + model.intercepts_]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])

    def unpack(vector: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Views of a vector of all parameters: weights, then biases."""
        views = [
            part.reshape(shape)
            for part, shape in zip(np.split(vector, ends[:-1]), shapes, strict=True)
        ]
        return views[:n_layers], views[n_layers:]

    def loss_and_gradient(vector: np.ndarray) -> tuple[float, np.ndarray]:
        gradient = np.empty_like(vector)
        value = _core.loss_gradient(
            data.X,
            data.y,
            data.sample_weight,
            *unpack(vector),
            model.activation,
            loss,
            float(model.alpha),
            *unpack(gradient),
            n_threads,
        )
        return value, gradient

    def after_iteration(intermediate_result: Any) -> None:
        model.coefs_, model.intercepts_ = unpack(intermediate_result.x.astype(dtype))
        model.loss_ = float(intermediate_result.fun)
        model.n_iter_ += 1
        if tasks.end_epoch():
            raise StopIteration
        if model.n_iter_ < model.max_iter:
            tasks.begin_epoch()

    dtype = model.coefs_[0].dtype
    start = np.concatenate([p.ravel() for p in model.coefs_ + model.intercepts_]).astype(np.float64)
    model.n_iter_ = 0
    try:
        tasks.begin_epoch()
        result = minimize(
            loss_and_gradient,
            start,
            method="L-BFGS-B",
            jac=True,
            callback=after_iteration,
            options={
                "maxfun": model.max_fun,
                "maxiter": model.max_iter,
                "gtol": model.tol,
                **_get_additional_lbfgs_options_dict("iprint", 1 if model.verbose else -1),
            },
        )
    except KeyboardInterrupt:
        warn_caller("Training interrupted by user.")
        return
    model.coefs_, model.intercepts_ = unpack(result.x.astype(dtype, copy=False))
    model.loss_ = float(result.fun)
    model.n_iter_ = result.nit
    if result.status not in (0, 99):  # converged; stopped by a callback
        warn_caller(
            f"lbfgs failed to converge after {result.nit} iteration(s) (status={result.status}): "
            f"{result.message}. More iterations (max_iter={model.max_iter}), more evaluations "
            f"(max_fun={model.max_fun}) or scaled data may help.",
            ConvergenceWarning,
        )

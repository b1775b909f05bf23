"""What the estimators share: parameters, the course of a fit, and prediction."""

from abc import ABC, abstractmethod
from itertools import chain
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import validate_data

from mlp_c import _core
from mlp_c._initializers import draw
from mlp_c._optimizers import SGD
from mlp_c._threads import effective_n_threads
from mlp_c._training import train

_PREDICT_CHUNK_ROWS = 4096


class BaseMLP(BaseEstimator, ABC):
    """A multilayer perceptron; the subclasses say what its outputs mean."""

    hidden_layer_sizes: Any
    activation: str
    solver: str
    alpha: float
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    init: str
    n_threads: int | None
    coefs_: list[np.ndarray]
    intercepts_: list[np.ndarray]

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 (scikit-learn's protocol)
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"identity", "logistic", "tanh", "relu"})],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"glorot_uniform", "he_normal"})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def _set_parameters(self, values: dict[str, Any]) -> None:
        """Store what ``__init__`` was given: its ``locals()``."""
        for name in self._get_param_names():
            setattr(self, name, values[name])

    @abstractmethod
    def _validate_data(
        self, X: Any, y: Any, *, reset: bool, incremental: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Check `X` and `y`; return the rows and the encoded targets."""

    @abstractmethod
    def _count_outputs(self, y: np.ndarray) -> int:
        """Outputs of a network for the encoded targets `y`."""

    @abstractmethod
    def _score(self, X: np.ndarray, y: np.ndarray) -> float:
        """Score predictions for checked rows against encoded targets."""

    def _loss_bounds(self, dtype: np.dtype[Any]) -> tuple[float, float]:
        """Least and greatest loss of a class, from clipping its probability."""
        eps = float(np.finfo(dtype).eps)
        return -float(np.log1p(-eps)), -float(np.log(eps))

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "BaseMLP":
        """Fit the model to rows `X` and targets `y`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows. C-ordered float32 or float64 arrays are used where they
            lie; anything else is converted once, to float64 unless it is float32.
        y : array-like of shape (n_samples,)
            The targets.
        sample_weight : None
            Weights of the samples; not implemented yet.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        NotImplementedError
            For what this version cannot do yet.
        ValueError
            If a parameter, `X` or `y` is unsuitable, or training diverges.
        """
        return self._fit(X, y, sample_weight)

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> "BaseMLP":
        self._refuse_unfinished(X, sample_weight)
        hidden = np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object)).tolist()
        if any(not isinstance(size, Integral) or size < 1 for size in hidden):
            raise ValueError(
                f"hidden_layer_sizes must be integers > 0, got {self.hidden_layer_sizes!r}"
            )
        first = not (self.warm_start and hasattr(self, "coefs_"))
        X, y = self._validate_data(X, y, reset=first, incremental=False)
        self._random_state = check_random_state(self.random_state)
        self.n_outputs_ = self._count_outputs(y)
        if first:
            self._initialize([X.shape[1], *hidden, self.n_outputs_], X.dtype)
        self._optimizer = SGD(
            self.coefs_,
            self.intercepts_,
            learning_rate_init=self.learning_rate_init,
            schedule=self.learning_rate,
            power_t=self.power_t,
            momentum=self.momentum,
            nesterov=self.nesterovs_momentum,
        )
        rows = validation = None
        if self.early_stopping:
            rows, held_out = self._split(X.shape[0])
            validation = X[held_out], y[held_out]
        train(self, X, y, rows, validation)
        if self.early_stopping:
            self.coefs_, self.intercepts_ = self._best_weights
            del self._best_weights
        if not all(np.isfinite(w).all() for w in chain(self.coefs_, self.intercepts_)):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        return self

    def _refuse_unfinished(self, X: Any, sample_weight: Any) -> None:
        unfinished = {
            f"solver={self.solver!r}": self.solver != "sgd",
            "sample_weight": sample_weight is not None,
            "sparse X": scipy.sparse.issparse(X),
        }
        for what, asked in unfinished.items():
            if asked:
                raise NotImplementedError(f"{what} is not implemented yet in mlp_c")

    def _split(self, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the rows to train on and those to validate with."""
        rows, held_out = train_test_split(
            np.arange(n_samples),
            random_state=self._random_state,
            test_size=self.validation_fraction,
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        return rows, held_out

    def _initialize(self, widths: list[int], dtype: np.dtype[Any]) -> None:
        """Draw the weights and begin the record of the training."""
        self.n_layers_ = len(widths)
        self.n_iter_ = 0
        self.t_ = 0
        self.coefs_, self.intercepts_ = draw(
            self.init, widths, self.activation, self._random_state, dtype
        )
        self.loss_curve_: list[float] = []
        self._no_improvement_count = 0
        self.best_loss_: float | None = None if self.early_stopping else np.inf
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_score_: float | None = -np.inf if self.early_stopping else None

    def _forward(self, X: np.ndarray) -> np.ndarray:
        """Logits of checked rows, a chunk at a time: no activation of all rows is kept."""
        n_threads = effective_n_threads(self.n_threads)
        n = X.shape[0]
        chunk = min(n, _PREDICT_CHUNK_ROWS)
        hidden = [np.empty((chunk, w.shape[1]), X.dtype) for w in self.coefs_[:-1]]
        logits = np.empty((n, self.n_outputs_), X.dtype)
        for begin in range(0, n, _PREDICT_CHUNK_ROWS):
            rows = X[begin : begin + chunk]
            out = [*(h[: len(rows)] for h in hidden), logits[begin : begin + chunk]]
            _core.forward(rows, self.coefs_, self.intercepts_, self.activation, out, n_threads)
        return logits

    def _validate_rows(self, X: Any) -> np.ndarray:
        """Check rows to predict for; they come back in the dtype of the weights."""
        X = validate_data(self, X, reset=False)
        return np.asarray(X, dtype=self.coefs_[0].dtype)

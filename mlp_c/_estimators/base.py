"""What the estimators share: parameters, and the course of a fit."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import chain, pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import _fit_context, is_classifier
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, validate_data

from mlp_c._estimators.from_sklearn import to_sklearn
from mlp_c._estimators.parameters import refuse_huge, validate_changed
from mlp_c._network.activations import ACTIVATIONS
from mlp_c._network.initial_weights import INITIALIZERS, Init, draw
from mlp_c._network.widths import check_widths, hidden_widths
from mlp_c._saving.savable import SavableEstimator
from mlp_c._system.blocks import blocks
from mlp_c._system.warnings import warn_caller
from mlp_c._training.callbacks import FitTasks, NoTasks
from mlp_c._training.data import Data, is_taken_as_it_is, kernel_input_for_fit
from mlp_c._training.guards import one_fit_at_a_time, unchanged_if_refused
from mlp_c._training.lbfgs import minimize_loss
from mlp_c._training.loop import Progress, begin, train

# The kernels' losses by the output activations they are canonical for.
_LOSSES = {
    "softmax": "cross_entropy",
    "logistic": "logistic_loss",
    "identity": "squared_error",
    "exp": "poisson_loss",
}

# What the stochastic solvers keep from fit to fit.
_RECORD = (
    "_optimizer",
    "_no_improvement_count",
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
)


class BaseMLP(CallbackSupportMixin, SavableEstimator, ABC):
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
    init: Init
    compute_dtype: str | None
    n_threads: int | None
    coefs_: list[np.ndarray]
    intercepts_: list[np.ndarray]
    out_activation_: str

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 (scikit-learn's protocol)
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
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
        "init": [StrOptions(set(INITIALIZERS))],
        "compute_dtype": [StrOptions({"float32", "float64"}), None],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    # The parameters are scikit-learn's; its pages describe them.
    _doc_link_module = "mlp_c"
    _doc_link_template = (
        "https://scikit-learn.org/stable/modules/generated/"
        "sklearn.neural_network.{estimator_name}.html"
    )

    def _set_parameters(self, values: dict[str, Any]) -> None:
        """Store what ``__init__`` was given: its ``locals()``."""
        for name, value in values.items():  # of a subclass, `_get_param_names` are others
            if name != "self":
                setattr(self, name, value)

    def _validate_params(self) -> None:
        refuse_huge(self)
        super()._validate_params()

    # ---- what a subclass says ----

    @abstractmethod
    def _encode_targets(self, y: Any, *, keep_classes: bool) -> np.ndarray:
        """Targets as the kernels take them; numbers are cast to the rows' dtype later.

        Sets ``out_activation_``.
        """

    @abstractmethod
    def _count_outputs(self, y: np.ndarray) -> int:
        """Outputs of a network for encoded targets."""

    @abstractmethod
    def _score_outputs(
        self, y: np.ndarray, outputs: np.ndarray, sample_weight: np.ndarray | None
    ) -> float:
        """Score the outputs of rows with the encoded targets `y`."""

    @property
    def _loss_name(self) -> str:
        """The kernels' name of the loss, and so of its output activation."""
        return _LOSSES[self.out_activation_]

    def _loss_bounds(self, dtype: Any) -> tuple[float, float]:
        """Least and greatest loss of a class, from clipping its probability."""
        eps = float(np.finfo(dtype).eps)
        return -float(np.log1p(-eps)), -float(np.log(eps))

    def _loss_gradient_scale(self) -> float:
        """What makes (output - target) the gradient of the loss that is reported."""
        return 1.0

    # ---- fitting ----

    @one_fit_at_a_time
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "BaseMLP":
        """Fit the model to rows `X` and targets `y`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training rows. C-ordered arrays of floats of up to 64 bits, integers or bool
            are used where they lie, memory maps too, and converted a batch at a time if need
            be; so are canonical CSR matrices of the dtype computed in. Anything else is
            copied once. Of an array that is mostly zeros, the rest may be copied, to at most
            0.32 of its memory. Must not be changed meanwhile, by a callback or thread.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets: labels, a label indicator matrix, or numbers for a regressor.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, none negative and not all zero. A batch whose weights
            are all zero is passed over.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, `X`, `y` or `sample_weight` is unsuitable, or the weights become
            infinite or NaN.
        """
        return self._fit(X, y, sample_weight)

    @one_fit_at_a_time
    @_fit_context(prefer_skip_nested_validation=True)
    def _resume(
        self, X: Any, y: Any, sample_weight: Any, resumed: Callable[["BaseMLP", Data], Progress]
    ) -> "BaseMLP":
        """Go on with a fit from where `resumed` says that the model is, given the data."""
        return self._fit(X, y, sample_weight, resumed=resumed)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        incremental: bool = False,
        resumed: Callable[["BaseMLP", Data], Progress] | None = None,
    ) -> "BaseMLP":
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        goes_on = self.warm_start or incremental or resumed is not None
        with unchanged_if_refused(self):
            if incremental:
                validate_changed(self)
            random_state = check_random_state(self.random_state)
            data = self._prepare(X, y, sample_weight, random_state, goes_on=goes_on)
            progress: Progress | None = None
            if self.solver != "lbfgs":
                data = data.astype(self.coefs_[0].dtype)
                if resumed is None:
                    progress = begin(self, data, random_state, incremental=incremental)
                else:
                    progress = resumed(self, data)
        tasks: Any = NoTasks()
        if hasattr(self, "_skl_callbacks"):
            tasks = FitTasks(self, 1 if incremental else self.max_iter, X, y, sample_weight)
        if progress is None:
            self._fit_lbfgs(data, tasks)
        else:
            self._fit_stochastic(progress, tasks)
        tasks.end()
        parameters = chain(self.coefs_, self.intercepts_)
        if not all(np.isfinite(b).all() for p in parameters for b in blocks(p)):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        return self

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        random_state: np.random.RandomState,
        *,
        goes_on: bool,
    ) -> Data:
        """Check everything, and draw weights or check those to go on from."""
        hidden = hidden_widths(self.hidden_layer_sizes)
        first = not (goes_on and hasattr(self, "coefs_"))
        data = self._check_data(X, y, sample_weight, reset=first, keep_classes=goes_on)
        widths = [self.n_features_in_, *hidden, self._count_outputs(data.y)]
        if first:
            self._initialize(widths, random_state, data.dtype)
        elif {w.dtype.char for w in self.coefs_ + self.intercepts_} not in ({"f"}, {"d"}):
            raise ValueError("coefs_ and intercepts_ must be all float32 or all float64 to go on")
        elif [w.shape for w in self.coefs_] != list(pairwise(widths)):
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} does not fit the weights to go "
                f"on from, of shapes {[w.shape for w in self.coefs_]}"
            )
        return data

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool, keep_classes: bool
    ) -> Data:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=not is_classifier(self),
            dtype=None if is_taken_as_it_is(X) else (np.float64, np.float32),
            order="C",
            reset=reset,
        )
        dtype = self._dtype_for(X)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y)
            warn_caller(
                "A column-vector y was passed when a 1d array was expected; it was taken for one.",
                DataConversionWarning,
            )
        if sample_weight is not None:
            sample_weight = np.require(
                _check_sample_weight(sample_weight, X, dtype=dtype, ensure_non_negative=True),
                requirements=["C", "A"],
            )
            with np.errstate(over="ignore"):
                weight_sum = sample_weight.sum(dtype=np.float64)
            if not np.isfinite(weight_sum):
                raise ValueError("the sum of sample_weight must be finite, got inf")
            if weight_sum < np.finfo(dtype).tiny:  # nothing can be divided by it
                raise ValueError(
                    f"the sum of sample_weight must be at least {np.finfo(dtype).tiny} in {dtype}, "
                    f"got {weight_sum}"
                )
        encoded = self._encode_targets(y, keep_classes=keep_classes)
        work_dtype = np.float64 if self.solver == "lbfgs" else dtype
        X = kernel_input_for_fit(X, work_dtype, self.n_threads)
        return Data(X, encoded, sample_weight, np.arange(len(encoded)), dtype)

    def _dtype_for(self, X: Any) -> np.dtype[Any]:
        """In which to compute with rows of a user's, as `compute_dtype` says."""
        if self.compute_dtype is not None:
            return np.dtype(self.compute_dtype)
        return np.dtype(np.float32 if X.dtype == np.float32 else np.float64)

    def _initialize(
        self, widths: list[int], random_state: np.random.RandomState, dtype: np.dtype[Any]
    ) -> None:
        """Draw the weights and begin the record of the training."""
        check_widths("hidden_layer_sizes", widths)
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(widths)
        self.n_outputs_ = widths[-1]
        self.coefs_, self.intercepts_ = draw(
            self.init, widths, self.activation, random_state, dtype
        )
        for name in _RECORD:
            self.__dict__.pop(name, None)

    def _fit_lbfgs(self, data: Data, tasks: Any) -> None:
        """Minimise in float64, whatever the dtype of the rows, which the weights keep."""
        minimize_loss(self, data.astype(np.float64), tasks)

    def _fit_stochastic(self, progress: Progress, tasks: Any) -> None:
        self._progress = progress
        try:
            train(self, progress, tasks)
        finally:
            del self._progress
        if progress.best_weights is not None:
            self.coefs_, self.intercepts_ = progress.best_weights

    def _copy_weights(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        return [w.copy() for w in self.coefs_], [b.copy() for b in self.intercepts_]

    def _copy_progress(self) -> dict[str, Any]:
        """What training goes on changing, for a model as it is now."""
        progress: dict[str, Any] = dict(
            zip(("coefs_", "intercepts_"), self._copy_weights(), strict=True)
        )
        for name in ("loss_curve_", "validation_scores_"):
            if getattr(self, name, None) is not None:
                progress[name] = list(getattr(self, name))
        if hasattr(self, "_optimizer"):
            progress["_optimizer"] = copy.deepcopy(self._optimizer)
        return progress

    def _check_partial_fit(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
            )
        return True

    def to_sklearn(self) -> Any:
        """Convert the fitted model to scikit-learn's of the same name.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
            A fitted model with the same parameters, but for `init`, `compute_dtype` and
            `n_threads`, which makes the same predictions; with `compute_dtype`, to its
            rounding. The moments of an optimiser are not taken over.

        See Also
        --------
        mlp_c.from_sklearn : The way back.
        """
        return to_sklearn(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

"""What the estimators share: the course of a fit."""

import copy
from abc import abstractmethod
from itertools import chain, pairwise
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import _fit_context, is_classifier
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from mlp_c._estimators.fitted import sizes_of
from mlp_c._estimators.hooks import refuse_hooks
from mlp_c._estimators.parameters import CONSTRAINTS, refuse_huge, validate_changed
from mlp_c._estimators.prediction import run_network
from mlp_c._estimators.to_sklearn import to_sklearn
from mlp_c._network.activations import layer_activations
from mlp_c._network.initial_weights import draw
from mlp_c._network.widths import check_widths, hidden_widths
from mlp_c._saving.savable import FITTING, SavableEstimator
from mlp_c._system.blocks import Array, are_finite, as_floats
from mlp_c._system.warnings import warn_caller
from mlp_c._training.callbacks import report_to_callbacks
from mlp_c._training.data import Data, is_taken_as_it_is, kernel_input
from mlp_c._training.generators import random_source
from mlp_c._training.guards import one_fit_at_a_time, unchanged_if_refused
from mlp_c._training.model import Model
from mlp_c._training.scale import advise_on_scale
from mlp_c._training.solvers import Begin, Solver, Training, solver_named
from mlp_c._training.stopping import CURVE, RECORD


class BaseMLP(CallbackSupportMixin, SavableEstimator, Model):
    """A multilayer perceptron; the subclasses say what its outputs mean."""

    n_features_in_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    # The callbacks' part is scikit-learn's.
    _of_a_fit = (
        FITTING,
        "_callback_fit_ctx",
        "_parent_callback_ctx",
        "_progress",
        "_skl_callbacks_to_teardown",
        "_valid_params",
    )

    # The parameters are scikit-learn's; its pages describe them.
    _doc_link_module = "mlp_c"
    _doc_link_template = (
        "https://scikit-learn.org/stable/modules/generated/"
        "sklearn.neural_network.{estimator_name}.html"
    )

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make an estimator; `n_jobs`, which many of scikit-learn's have, is named `n_threads`."""
        if "n_jobs" in kwargs and "n_jobs" not in cls._get_param_names():
            raise TypeError(f"{cls.__name__} has no parameter n_jobs: it is n_threads")
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_hooks(cls, BaseMLP)

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
    def _encode_targets(self, y: Any, *, keep_classes: bool) -> Array:
        """Targets as the kernels take them; numbers are cast to the rows' dtype later.

        Sets ``out_activation_``.
        """

    @abstractmethod
    def _count_outputs(self, y: Array) -> int:
        """Outputs of a network for encoded targets."""

    def _weigh_classes(self, y: Any, encoded: Array) -> Array | None:
        """Weights that rows have in training for their classes; a regressor has none."""
        return None

    def _set_classes(self, y: Any, classes: Any) -> None:
        """Take the classes that a first ``partial_fit`` is told; a regressor has none."""

    # ---- fitting ----

    @one_fit_at_a_time
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
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
        solver = solver_named(self.solver)
        return self._fit(X, y, sample_weight, solver, solver.begin, goes_on=self.warm_start)

    @one_fit_at_a_time
    @_fit_context(prefer_skip_nested_validation=True)
    def _resume(self, X: Any, y: Any, sample_weight: Any, begin: Begin) -> Self:
        """Go on with a fit from where `begin` says that the model is."""
        return self._fit(X, y, sample_weight, solver_named(self.solver), begin, goes_on=True)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, solver: Solver, begin: Begin, *, goes_on: bool
    ) -> Self:
        """Fit the model, whose parameters are valid; leave it as it was if the data are not."""
        with unchanged_if_refused(self):
            training = self._begin(X, y, sample_weight, solver, begin, goes_on=goes_on)
        return self._run(training, X, y, sample_weight)

    def _fit_one_epoch(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        """Fit the model for one more epoch, as ``partial_fit`` does."""
        with unchanged_if_refused(self):
            self._set_classes(y, classes)
            if self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            validate_changed(self)
            solver = solver_named(self.solver)
            if solver.begin_epoch is None:  # another thread has set it since
                raise ValueError(f"partial_fit does not support solver={self.solver!r}")
            training = self._begin(X, y, sample_weight, solver, solver.begin_epoch, goes_on=True)
        return self._run(training, X, y, sample_weight)

    def _begin(
        self, X: Any, y: Any, sample_weight: Any, solver: Solver, begin: Begin, *, goes_on: bool
    ) -> Training:
        """Check everything, and make ready to train."""
        random_state = random_source(self.random_state)
        data = self._prepare(X, y, sample_weight, solver, random_state, goes_on=goes_on)
        return begin(self, data, random_state)

    def _run(self, training: Training, X: Any, y: Any, sample_weight: Any) -> Self:
        """Train, and check what comes of it."""
        tasks = report_to_callbacks(self, training.max_epochs, X, y, sample_weight)
        training.run(tasks)
        tasks.end()
        if not are_finite(chain(self.coefs_, self.intercepts_)):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
                + advise_on_scale(training.data.X, training.data.y)
            )
        return self

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        solver: Solver,
        random_state: np.random.RandomState,
        *,
        goes_on: bool,
    ) -> Data:
        """Check everything, and draw weights or check those to go on from."""
        hidden = hidden_widths(self.hidden_layer_sizes)
        layer_activations(self.activation, len(hidden))  # refuses another number of names
        first = not (goes_on and hasattr(self, "coefs_"))
        if not first:
            _take_over(self)
        data = self._check_data(X, y, sample_weight, solver, reset=first, keep_classes=goes_on)
        widths = [self.n_features_in_, *hidden, self._count_outputs(data.y)]
        if first:
            self._initialize(widths, random_state, data.dtype)
        elif {w.dtype.char for w in self.coefs_ + self.intercepts_} not in ({"f"}, {"d"}):
            found = sorted({w.dtype.name for w in self.coefs_ + self.intercepts_})
            raise ValueError(
                "coefs_ and intercepts_ must be all float32 or all float64 to go on, got "
                + " and ".join(found)
            )
        elif [w.shape for w in self.coefs_[:-1]] == list(pairwise(widths[:-1])) and (
            self.coefs_[-1].shape[0] == widths[-2]
        ):
            self._check_outputs(widths[-1])
        else:
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} does not fit the weights to go "
                f"on from, of shapes {[w.shape for w in self.coefs_]}"
            )
        return data.astype(solver.work_dtype(self.coefs_[0].dtype))

    def _check_outputs(self, n_outputs: int) -> None:
        """Refuse targets for another number of outputs than there are weights."""
        found = self.coefs_[-1].shape[1]
        if n_outputs != found:
            raise ValueError(
                f"y must have as many outputs as the weights to go on from, which is {found}, got "
                f"{n_outputs}"
            )

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, solver: Solver, *, reset: bool, keep_classes: bool
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
                "A column-vector y was passed when a 1d array was expected; it was taken for one. "
                "Pass y.ravel() to say so.",
                DataConversionWarning,
            )
        if sample_weight is not None:
            sample_weight = _checked_weights(sample_weight, X, dtype)
        encoded = self._encode_targets(y, keep_classes=keep_classes)
        _check_range(encoded, solver.work_dtype(dtype))
        class_weights, score_weight = self._weigh_classes(y, encoded), sample_weight
        if class_weights is not None:
            given = 1 if sample_weight is None else sample_weight
            sample_weight = _checked_weights(given * class_weights, X, dtype)
        X = kernel_input(X, solver.work_dtype(dtype))
        return Data(X, encoded, sample_weight, score_weight, np.arange(len(encoded)), dtype)

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
        for name in ("_optimizer", *CURVE.checks, *RECORD.checks):
            self.__dict__.pop(name, None)

    def _run_on_rows(self, X: Any, rows: Array, dtype: Any) -> Array:
        return run_network(self, X, rows, dtype=dtype)

    def _copy_weights(self) -> tuple[list[Array], list[Array]]:
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
        if self.solver == "lbfgs":  # before a fit checks it, a parameter may be anything
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
            )
        return True

    def to_sklearn(self) -> Any:
        """Convert the fitted model to scikit-learn's of the same name.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
            A fitted model with the same parameters, but for those that it lacks, which makes
            the same predictions; with `compute_dtype`, to its rounding. The moments of an
            optimiser are not taken over.

        Raises
        ------
        ValueError
            If scikit-learn has no such activation, solver or loss.
        sklearn.exceptions.NotFittedError
            If the model is not fitted.

        See Also
        --------
        mlp_c.from_sklearn : The way back.
        """
        return to_sklearn(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _take_over(model: BaseMLP) -> None:
    """Make weights arrays, and sizes theirs: users may have given weights, in lists too."""
    check_is_fitted(model, ["coefs_", "intercepts_"])
    coefs = [as_floats(w) for w in model.coefs_]
    intercepts = [as_floats(b) for b in model.intercepts_]
    ndims = [w.ndim for w in coefs], [b.ndim for b in intercepts]
    if not coefs or ndims != ([2] * len(coefs), [1] * len(coefs)):
        raise ValueError("coefs_ must hold matrices to go on, and intercepts_ a vector for each")
    model.coefs_, model.intercepts_ = coefs, intercepts
    model.__dict__.update(sizes_of(coefs))


def _check_range(y: Array, dtype: np.dtype[Any]) -> None:
    """Refuse targets that the dtype computed in does not hold."""
    if dtype == np.float32 and y.dtype.kind == "f":
        largest = max(y.max(initial=0), -y.min(initial=0))
        if largest > np.finfo(dtype).max:
            raise ValueError(
                f"y must be in the range of {dtype}, in which rows of {dtype} are computed with, "
                f"got an element of magnitude {largest}; compute_dtype='float64' takes it"
            )


def _checked_weights(sample_weight: Any, X: Any, dtype: np.dtype[Any]) -> Array:
    """Weights of the rows of `X`, in a dtype in which something can be divided by their sum."""
    weights = np.require(
        _check_sample_weight(sample_weight, X, dtype=dtype, ensure_non_negative=True),
        requirements=["C", "A"],
    )
    with np.errstate(over="ignore"):
        weight_sum = weights.sum(dtype=np.float64)
    if not np.isfinite(weight_sum):
        raise ValueError("the sum of sample_weight must be finite, got inf")
    if weight_sum < np.finfo(dtype).tiny:
        raise ValueError(
            f"the sum of sample_weight must be at least {np.finfo(dtype).tiny} in {dtype}, "
            f"got {weight_sum}"
        )
    return weights

"""What the estimators share: the course of a fit."""

import copy
from abc import abstractmethod
from functools import partial
from itertools import chain, pairwise
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from mlp_c._estimators.arguments import FitArguments
from mlp_c._estimators.data import Learner, check_data
from mlp_c._estimators.fitted import sizes_of
from mlp_c._estimators.history import history_of
from mlp_c._estimators.hooks import refuse_hooks
from mlp_c._estimators.html import Summarized, summarize_network
from mlp_c._estimators.parameters import CONSTRAINTS, CheckedParameters, validate_changed
from mlp_c._estimators.prediction import count_layers, outputs_of
from mlp_c._estimators.to_sklearn import to_sklearn
from mlp_c._network.activations import layer_activations
from mlp_c._network.initial_weights import draw
from mlp_c._network.widths import check_widths, hidden_widths
from mlp_c._saving.savable import FITTING, SavableEstimator
from mlp_c._system.blocks import Array, are_finite, as_floats
from mlp_c._training import resuming
from mlp_c._training.callbacks import report_to_callbacks
from mlp_c._training.course import NEED_LENGTH
from mlp_c._training.data import Data
from mlp_c._training.dropout import probabilities
from mlp_c._training.guards import one_fit_at_a_time, unchanged_if_refused
from mlp_c._training.scale import advise_on_scale
from mlp_c._training.solvers import Begin, Solver, Training, refuse_parameters, solver_named
from mlp_c._training.stopping import CURVE, RECORD
from mlp_c._training.stopwatch import SECONDS
from mlp_c._training.validation import VALIDATION
from mlp_c._training.world import ALONE, World


class BaseMLP(CallbackSupportMixin, Summarized, CheckedParameters, SavableEstimator, Learner):
    """A multilayer perceptron; the subclasses say what its outputs mean."""

    n_features_in_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    # The callbacks' part is scikit-learn's.
    _of_a_fit = (
        FITTING,
        SECONDS,
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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_hooks(cls, BaseMLP)

    # ---- what a subclass says ----

    @abstractmethod
    def _count_outputs(self, y: Array) -> int:
        """Outputs of a network for encoded targets."""

    def _set_classes(self, y: Any, classes: Any) -> None:
        """Take the classes that a first ``partial_fit`` is told; a regressor has none."""

    # ---- fitting ----

    @one_fit_at_a_time
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        coefs_init: Any = None,
        intercepts_init: Any = None,
    ) -> Self:
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
            The targets: labels, a label indicator matrix, or labels in several columns; numbers
            for a regressor.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, none negative and not all zero. A batch whose weights
            are all zero is passed over.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows to validate with, in the place of a fraction of `X`; with
            ``early_stopping=True``. A pipeline transforms them as it does `X` with
            ``transform_input=["X_val"]``.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their targets: of a classifier no labels that `y` lacks.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights in the score and the loss.
        coefs_init : list of array-like of shape (n_in, n_out), default=None
            Weights of each layer to begin with, copied. Then none are drawn, and with
            `warm_start`, those of the last fit are not used.
        intercepts_init : list of array-like of shape (n_out,), default=None
            Biases to begin with.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or an argument is unsuitable, or the weights become infinite or NaN.
        """
        given = FitArguments(
            X=X,
            y=y,
            sample_weight=sample_weight,
            X_val=X_val,
            y_val=y_val,
            sample_weight_val=sample_weight_val,
            coefs_init=coefs_init,
            intercepts_init=intercepts_init,
        )
        solver = solver_named(self.solver)
        return self._fit(given, solver, solver.begin, goes_on=self.warm_start)

    def _resume(self, given: FitArguments, checkpoint: dict[str, Any]) -> Self:
        """Go on with a fit from where a checkpoint says that the model was."""
        return self._fit_in(ALONE, given, checkpoint)

    @one_fit_at_a_time
    def _fit_in(
        self, world: World, given: FitArguments, checkpoint: dict[str, Any] | None = None
    ) -> Self:
        """Fit the model together with other processes, from its beginning or a checkpoint on."""
        with world.speaking_for(self):
            return self._fit_from(checkpoint, given, world)

    @_fit_context(prefer_skip_nested_validation=True)
    def _fit_from(
        self, checkpoint: dict[str, Any] | None, given: FitArguments, world: World
    ) -> Self:
        """Fit the model, from its beginning or a checkpoint on."""
        given.refuse(self, "groups")
        solver = solver_named(self.solver)
        if checkpoint is None:
            begin, goes_on = solver.begin, self.warm_start
        else:
            begin, goes_on = partial(resuming.go_on, checkpoint), True
        return self._fit(given, solver, begin, goes_on=goes_on, world=world)

    def _fit(
        self,
        given: FitArguments,
        solver: Solver,
        begin: Begin,
        *,
        goes_on: bool,
        world: World = ALONE,
    ) -> Self:
        """Fit the model, whose parameters are valid; leave it as it was if the data are not."""
        with unchanged_if_refused(self):
            training = self._begin(given, solver, begin, goes_on=goes_on, world=world)
            world.agree()
        return self._run(training, given, world)

    def _fit_one_epoch(self, given: FitArguments, classes: Any = None) -> Self:
        """Fit the model for one more epoch, as ``partial_fit`` does."""
        with unchanged_if_refused(self):
            self._set_classes(given.y, classes)
            if self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            validate_changed(self)
            solver = solver_named(self.solver)
            refuse_parameters(self, NEED_LENGTH, "partial_fit, which knows no number of epochs,")
            if solver.begin_epoch is None:  # another thread has set it since
                raise ValueError(f"partial_fit does not support solver={self.solver!r}")
            training = self._begin(given, solver, solver.begin_epoch, goes_on=True, world=ALONE)
        return self._run(training, given, ALONE)

    def _begin(
        self,
        given: FitArguments,
        solver: Solver,
        begin: Begin,
        *,
        goes_on: bool,
        world: World,
    ) -> Training:
        """Check everything, and make ready to train."""
        given.check(early_stopping=self.early_stopping)
        refuse_parameters(self, solver.refused, f"solver={self.solver!r}, which makes no steps,")
        random_state = world.random_source(self.random_state)
        data = self._prepare(given, solver, random_state, goes_on=goes_on, world=world)
        return begin(self, data, random_state)

    def _run(self, training: Training, given: FitArguments, world: World) -> Self:
        """Train, and check what comes of it."""
        tasks = world.report(
            report_to_callbacks(self, training.max_epochs, given.X, given.y, given.sample_weight)
        )
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
        given: FitArguments,
        solver: Solver,
        random_state: np.random.RandomState,
        *,
        goes_on: bool,
        world: World,
    ) -> Data:
        """Check everything, and draw weights or check those to go on from."""
        hidden = hidden_widths(self.hidden_layer_sizes)
        layer_activations(self.activation, len(hidden))  # refuses another number of names
        probabilities(self, len(hidden))  # likewise
        first = given.has_weights or not (goes_on and hasattr(self, "coefs_"))
        if not first:
            _take_over(self)
        keeps_classes = goes_on and not given.has_weights
        data = check_data(self, given, solver, reset=first, keep_classes=keeps_classes, world=world)
        widths = [self.n_features_in_, *hidden, self._count_outputs(data.y)]
        if first:
            self._initialize(given, widths, random_state, data.dtype)
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

    def _initialize(
        self,
        given: FitArguments,
        widths: list[int],
        random_state: np.random.RandomState,
        dtype: np.dtype[Any],
    ) -> None:
        """Take the weights that are given, or draw some, and begin the record of the training."""
        check_widths("hidden_layer_sizes", widths)
        self._begin_network(
            given.weights_for(widths, dtype)
            if given.has_weights
            else draw(self.init, widths, self.activation, random_state, dtype)
        )

    def _begin_network(self, weights: tuple[list[Array], list[Array]]) -> None:
        """Take initial weights and biases, and begin the record of the training."""
        self.coefs_, self.intercepts_ = weights
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(self.coefs_) + 1
        self.n_outputs_ = self.coefs_[-1].shape[1]
        for name in ("_optimizer", *CURVE.checks, *RECORD.checks, *VALIDATION.checks):
            self.__dict__.pop(name, None)

    def _choose_output(self) -> Any:
        return self.out_activation_

    def _copy_weights(self) -> tuple[list[Array], list[Array]]:
        return [w.copy() for w in self.coefs_], [b.copy() for b in self.intercepts_]

    def _copy_progress(self) -> dict[str, Any]:
        """What training goes on changing, for a model as it is now."""
        progress: dict[str, Any] = dict(
            zip(("coefs_", "intercepts_"), self._copy_weights(), strict=True)
        )
        curves = ("loss_curve_", "learning_rate_curve_")
        for name in (*curves, "validation_scores_", "validation_loss_curve_"):
            if getattr(self, name, None) is not None:
                progress[name] = list(getattr(self, name))
        if hasattr(self, "_optimizer"):
            progress["_optimizer"] = copy.deepcopy(self._optimizer)
        return progress

    @property
    def n_steps_(self) -> int:
        """Steps of the last fit by a stochastic solver, and of each ``partial_fit`` since."""
        optimizer = getattr(self, "_optimizer", None)
        if optimizer is None:
            raise AttributeError(
                f"this {type(self).__name__} has no n_steps_: no stochastic solver has fitted it"
            )
        return int(optimizer.steps[0])

    @property
    def history_(self) -> dict[str, list[Any]]:
        """What is known of each epoch, in lists of equal length: NaN where something is not."""
        return history_of(self)

    def _summarize(self) -> str:
        return summarize_network(self)

    def _check_partial_fit(self) -> bool:
        if self.solver == "lbfgs":  # before a fit checks it, a parameter may be anything
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
            )
        return True

    def hidden_activations(self, X: Any, layer: int = -1) -> Array:
        """Compute what a hidden layer makes of rows: its units, behind the activation.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        layer : int, default=-1
            Which hidden layer, counted from 0; negative from the end.

        Returns
        -------
        ndarray of shape (n_samples, n_units)
            Its activations, in the dtype of predictions.

        Raises
        ------
        ValueError
            If there is no such hidden layer, or `X` is not such as ``predict`` takes.
        sklearn.exceptions.NotFittedError
            If the model is not fitted.

        See Also
        --------
        mlp_c.HiddenActivations : The same as a step of a pipeline.
        """
        check_is_fitted(self, "coefs_")
        return outputs_of(self, X, count_layers(layer, len(self.coefs_) - 1))

    def to_sklearn(self) -> Any:
        """Convert the fitted model to scikit-learn's of the same name.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
            A fitted model with the same parameters, but for those that it lacks, which makes
            the same predictions; with `compute_dtype`, to its rounding. In the place of a loss
            that it lacks it has one with the same output activation, with which it would go on
            training; in the place of such a `learning_rate`, 'constant'. The moments of an
            optimiser are not taken over.

        Raises
        ------
        ValueError
            If scikit-learn has no such activation or solver, cannot predict with the outputs of
            such a loss, or takes no such `y`.
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

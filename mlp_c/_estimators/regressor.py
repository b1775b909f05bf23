"""The regressor: numbers in, numbers out."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from mlp_c._estimators.arguments import FitArguments
from mlp_c._estimators.base import BaseMLP
from mlp_c._estimators.data import as_finite_floats
from mlp_c._estimators.docs import documented_estimator
from mlp_c._estimators.fitted import EPOCHS, FEATURE_NAMES, FINAL_LOSS, NETWORK, SIZES
from mlp_c._estimators.parameters import Ascending
from mlp_c._estimators.prediction import outputs_of
from mlp_c._saving.registry import stored_estimator
from mlp_c._system.docstrings import documented, options
from mlp_c._training.dropout import DROPOUT
from mlp_c._training.guards import one_fit_at_a_time
from mlp_c._training.losses import REGRESSION_LOSSES
from mlp_c._training.stopping import CURVE, RATES, RECORD, ROWS_SEEN
from mlp_c._training.validation import VALIDATION


@stored_estimator
@documented_estimator
@documented(losses=options(REGRESSION_LOSSES))
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multilayer perceptron regressor.

    Minimises the squared error, or another loss, with the parameters, the random stream and
    the numbers of scikit-learn's ``MLPRegressor``.

    Parameters
    ----------
    loss : {losses}, default='squared_error'
        What to minimise:

        - 'squared_error': half the mean squared error;
        - 'absolute_error': the mean absolute error, which estimates medians;
        - 'huber': half the squared error of residuals of at most `huber_delta`, of others
          ``huber_delta * (abs(residual) - huber_delta / 2)``;
        - 'quantile': the mean pinball loss, which estimates the quantile `quantile`, or several;
        - 'gaussian': half of ``log_variance + (y - mean)**2 / exp(log_variance)``, which estimates
          means and how far targets lie from them: ``predict(X, return_std=True)``;
        - 'poisson', 'gamma', 'tweedie': half the mean deviance, of variances in proportion to
          the mean, to its square, or to its power of `tweedie_power`. The output activation is
          the exponential; targets must not be negative, and for 'gamma' or a power of 2 be
          positive.

        All but the squared error are summed over several targets, and over quantiles.
    {parameters}
    huber_delta : float, default=1.0
        From which residual on the Huber loss is linear.
    quantile : float or list of float, default=0.5
        The quantile that 'quantile' estimates, between 0 and 1; or several that ascend, by one
        network with outputs for each.
    tweedie_power : float, default=1.5
        The power of 'tweedie', from 1, which is 'poisson', to 2, which is 'gamma'.

    Attributes
    ----------
    {attributes}
    out_activation_ : str
        The output activation: 'identity' or 'exp'.

    See Also
    --------
    MLPClassifier : Multilayer perceptron classifier.
    HiddenActivations : Hidden layers of either, as features.

    {notes}

    Examples
    --------
    >>> from mlp_c import MLPRegressor
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    >>> model = MLPRegressor(random_state=1, max_iter=2000, tol=0.1).fit(X, y)
    >>> round(model.score(X, y), 3)
    0.997
    """

    __module__ = "mlp_c"  # what pickles name, wherever this file lies

    _parameter_constraints = {  # noqa: RUF012 (scikit-learn's protocol)
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES))],
        "huber_delta": [Interval(Real, 0, None, closed="neither")],
        "quantile": [Interval(Real, 0, 1, closed="neither"), Ascending(0, 1)],
        "tweedie_power": [Interval(Real, 1, 2, closed="both")],
    }
    _fitted_parts = (
        NETWORK,
        SIZES,
        EPOCHS,
        ROWS_SEEN,
        CURVE,
        RATES,
        RECORD,
        VALIDATION,
        DROPOUT,
        FEATURE_NAMES,
        FINAL_LOSS,
    )

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        init="glorot_uniform",
        compute_dtype=None,
        n_threads=None,
        scoring=None,
        huber_delta=1.0,
        quantile=0.5,
        tweedie_power=1.5,
        warmup=0.0,
        weight_decay=None,
        max_grad_norm=None,
        dropout=0.0,
        input_dropout=0.0,
    ):
        self._set_parameters(locals())

    def _encode_targets(self, y, *, keep_classes):
        y, loss = as_finite_floats(y), self._choose_loss()
        loss.domain.check(y, self.loss)
        self.out_activation_ = loss.out_activation
        return y

    def _choose_loss(self):
        return REGRESSION_LOSSES[self.loss].with_parameters(self)

    def _count_outputs(self, y):
        return y.shape[1] * self._choose_loss().outputs_per_target

    def _check_outputs(self, n_outputs):
        each, found = self._choose_loss().outputs_per_target, self.coefs_[-1].shape[1]
        if each > 1 and n_outputs != found:
            raise ValueError(
                f"y must have as many targets, each of {each} outputs for loss={self.loss!r}, as "
                f"the weights to go on from, which have {found} outputs, got {n_outputs // each}"
            )
        super()._check_outputs(n_outputs)

    def _count_quantiles(self):
        """How many quantiles a list asks for; None for a number, or another loss."""
        is_list = self.loss == "quantile" and np.ndim(self.quantile) > 0
        return len(self.quantile) if is_list else None

    def _split(self, outputs, each):
        """Outputs as (n_samples, each, n_targets)."""
        n, found = outputs.shape
        if each == 0 or found % each != 0:
            raise ValueError(
                f"the weights must have a multiple of {each} outputs for loss={self.loss!r}, got "
                f"{found}"
            )
        return outputs.reshape(n, each, found // each)

    def _estimate(self, outputs):
        """What outputs estimate: (n_samples, n_targets), or (n_samples, n_targets, n_quantiles)."""
        n_quantiles = self._count_quantiles()
        if n_quantiles is not None:
            return np.sort(self._split(outputs, n_quantiles).swapaxes(1, 2))
        if self.loss == "gaussian":
            return np.ascontiguousarray(self._split(outputs, 2)[:, 0])
        return outputs

    def _score_outputs(self, y, outputs, sample_weight):
        if not np.isfinite(outputs).all():
            return np.nan
        # In float64, in which targets that are all alike show no variance.
        estimates = self._estimate(outputs).astype(np.float64)
        if self.loss == "quantile":
            return self._score_quantiles(y, estimates, sample_weight)
        return r2_score(y, estimates, sample_weight=sample_weight)

    def _score_quantiles(self, y, estimates, sample_weight):
        """The mean D^2 of the pinball losses, of which R^2 is the like for means."""
        estimates = estimates.reshape(len(estimates), -1, np.size(self.quantile))
        scores = [
            d2_pinball_score(y, estimates[..., i], alpha=quantile, sample_weight=sample_weight)
            for i, quantile in enumerate(np.atleast_1d(self.quantile))
        ]
        return float(np.mean(scores))

    @available_if(lambda self: self._check_partial_fit())
    @one_fit_at_a_time
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """Go on for one epoch over the given rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, none negative and not all zero.

        Returns
        -------
        self
            The estimator.
        """
        return self._fit_one_epoch(FitArguments(X, y, sample_weight))

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the targets of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        return_std : bool, default=False
            Whether to return standard deviations, too, which ``loss='gaussian'`` estimates.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            The predicted targets. With a list of quantiles, these along one more axis, the last,
            in order: each row is sorted.
        ndarray of the same shape
            The standard deviations, if `return_std` is true.

        Raises
        ------
        ValueError
            If `X` is unsuitable, or `return_std` is true with another loss.
        """
        if return_std and self.loss != "gaussian":
            raise ValueError(f"return_std=True needs loss='gaussian', got loss={self.loss!r}")
        outputs = outputs_of(self, X)
        estimates = _without_axis_of_one(self._estimate(outputs))
        if not return_std:
            return estimates
        with np.errstate(over="ignore"):
            std = np.exp(self._split(outputs, 2)[:, 1] / 2)
        return estimates, _without_axis_of_one(std)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score the predictions for rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            The coefficient of determination R^2, as of scikit-learn's regressors; with
            ``loss="quantile"``, ``sklearn.metrics.d2_pinball_score``, the mean over several
            quantiles. Both are means over several targets, and at most 1.
        """
        if self.loss != "quantile":
            return super().score(X, y, sample_weight)
        y = np.asarray(y)
        y = y[:, np.newaxis] if y.ndim == 1 else y
        return self._score_quantiles(y, self._estimate(outputs_of(self, X)), sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # The parameter may be anything: it is not validated yet.
        loss = REGRESSION_LOSSES.get(self.loss) if isinstance(self.loss, str) else None
        tags.target_tags.positive_only = loss is not None and loss.domain.least >= 0
        return tags


def _without_axis_of_one(estimates: np.ndarray) -> np.ndarray:
    """Estimates of a single target without the axis of targets."""
    return estimates[:, 0] if estimates.shape[1] == 1 else estimates

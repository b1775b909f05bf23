"""The regressor for tables."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import _check_y, check_is_fitted

from mlp_c._estimators import tabular_defaults as defaults
from mlp_c._estimators.data import as_finite_floats, without_single_column
from mlp_c._estimators.fitted import EPOCHS, FEATURE_NAMES
from mlp_c._estimators.intervals import cv_plus
from mlp_c._estimators.regressor import MLPRegressor
from mlp_c._estimators.tabular import BaseTabularMLP
from mlp_c._estimators.tabular_docs import documented_tabular
from mlp_c._estimators.tabular_state import (
    FOLDS,
    HELD_OUT,
    RESIDUALS,
    SIZES,
    TARGETS,
    members_of,
)
from mlp_c._saving.registry import stored_estimator
from mlp_c._system.docstrings import documented, options
from mlp_c._training.losses import REGRESSION_LOSSES

# So great targets may be, for finite sums and differences of what is said of them.
_MAX_TARGET = 2.0**1000

# So far targets may lie from others in their units, for squares that float32 holds.
_MAX_DISTANCE = 1e18

# The parameters that are MLPRegressor's.
_OF_LOSSES = ("loss", "huber_delta", "quantile", "tweedie_power")

# Losses whose outputs move and stretch with the targets; others' only stretch.
_OF_LOCATION = "identity"


@stored_estimator
@documented_tabular(
    member="MLPRegressor",
    widths="two of 128",
    bins="48",
    dropout="0.0",
    score="what ``score`` gives for these rows",
    predictions="(n_samples,) or (n_samples, n_targets)",
    oob="The estimate of each row's targets",
    oob_score="What ``score`` gives",
    references="""Barber, Candès, Ramdas
& Tibshirani, "Predictive inference with the jackknife+" (2021), on intervals""",
)
@documented(losses=options(REGRESSION_LOSSES))
class TabularMLPRegressor(RegressorMixin, BaseTabularMLP):
    """Regressor for tables: give it a dataframe as it is.

    An ensemble of multilayer perceptrons that finds out itself how to read the columns and the
    targets, when to stop, and how far off it may be.

    Parameters
    ----------
    {parameters}
    loss : {losses}, default='squared_error'
        What to minimise, as of :class:`mlp_c.MLPRegressor`. The members learn targets minus their
        mean in units of their standard deviation; for 'poisson', 'gamma' and 'tweedie', in units
        of their mean.
    huber_delta : float, default=1.0
        From which residual on the Huber loss is linear, in standard deviations of the targets.
    quantile : float or list of float, default=0.5
        The quantile that 'quantile' estimates, between 0 and 1; or several that ascend.
    tweedie_power : float, default=1.5
        The power of 'tweedie', from 1, which is 'poisson', to 2, which is 'gamma'.

    Attributes
    ----------
    {attributes}
    target_centers_, target_scales_ : ndarray of shape (n_targets,)
        What is taken from the targets, and by what they are then divided.
    target_range_ : ndarray of shape (2, n_targets)
        The least and the greatest target; predictions lie between.

    See Also
    --------
    TabularMLPClassifier : The same for classes.
    MLPRegressor : A single network, of numbers alone, with scikit-learn's parameters.

    {notes}

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from mlp_c import TabularMLPRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"size": rng.uniform(1, 9, 300), "kind": rng.choice(list("ab"), 300)})
    >>> y = 100 * X["size"] * (1 + (X["kind"] == "b")) + rng.normal(0, 10, 300)
    >>> model = TabularMLPRegressor(random_state=0).fit(X, y)
    >>> new = pd.DataFrame({"size": [5.0, 5.0], "kind": ["a", "b"]})
    >>> model.predict(new).round(-2)
    array([ 500., 1000.])
    >>> model.predict_interval(new, alpha=0.1).round(-2)
    array([[ 500.,  500.],
           [1000., 1000.]])
    """

    __module__ = "mlp_c"  # what pickles name, wherever this file lies

    _parameter_constraints = {  # noqa: RUF012 (scikit-learn's protocol)
        **BaseTabularMLP._parameter_constraints,
        **{name: MLPRegressor._parameter_constraints[name] for name in _OF_LOSSES},
    }

    _fitted_parts = (
        members_of(MLPRegressor),
        SIZES,
        TARGETS,
        EPOCHS,
        FEATURE_NAMES,
        RESIDUALS,
        FOLDS,
        HELD_OUT,
    )

    def __init__(
        self,
        n_members=8,
        *,
        loss="squared_error",
        hidden_layer_sizes="auto",
        activation="relu",
        n_bins="auto",
        categorical_features="from_dtype",
        batch_size="auto",
        learning_rate_init=0.003,
        alpha=1e-4,
        dropout=0.0,
        max_iter=200,
        n_iter_no_change=16,
        scoring="loss",
        time_limit=None,
        random_state=None,
        verbose=False,
        n_threads=None,
        huber_delta=1.0,
        quantile=0.5,
        tweedie_power=1.5,
    ):
        self._set_parameters(locals())

    def _check_targets(self, y):
        y = without_single_column(_check_y(y, multi_output=True, y_numeric=True, estimator=self))
        self._is_vector = y.ndim == 1
        y = as_finite_floats(y)
        if np.abs(y).max() > _MAX_TARGET:
            raise ValueError(
                f"y must be at most {_MAX_TARGET:g} in magnitude, got {np.abs(y).max():g}"
            )
        return y

    def _targets_of(self, y, encoded):
        return y

    def _check_targets_again(self, y):
        y = _check_y(y, multi_output=True, y_numeric=True, estimator=self)
        return as_finite_floats(y)

    def _encode(self, y, sample_weight):
        loss = REGRESSION_LOSSES[self.loss].with_parameters(self)
        loss.domain.check(y, self.loss)
        moves = loss.out_activation == _OF_LOCATION
        # As parts of a power of two, squares and sums of targets of any magnitude are finite.
        exponents = np.frexp(np.abs(y).max(axis=0))[1]
        parts = np.ldexp(y, -exponents)
        mean = np.average(parts, axis=0, weights=sample_weight)
        spread = np.sqrt(np.average((parts - mean) ** 2, axis=0, weights=sample_weight))
        center, scale = (mean, spread) if moves else (np.zeros_like(mean), mean)
        scale = np.where(scale > 0, scale, 1.0)
        self.target_centers_ = np.ldexp(center, exponents)
        self.target_scales_ = np.ldexp(scale, exponents)
        self.target_range_ = np.stack([y.min(axis=0), y.max(axis=0)])
        encoded = (parts - center) / scale
        if np.abs(encoded).max() > _MAX_DISTANCE:  # of rows whose weights are about 0
            raise ValueError(
                f"y must lie within {_MAX_DISTANCE:g} times its standard deviation, or mean, by "
                f"sample_weight, got {np.abs(encoded).max():g}"
            )
        return encoded

    def _least_progress(self):
        least = super()._least_progress()
        if self.scoring in ("loss", "score"):
            return least
        return least * min(1.0, self.target_scales_.min()) ** 2  # in the targets' units, or squares

    def _classes_of(self, encoded):
        return None

    def _choose_defaults(self, n_rows):
        return defaults.of_regressor(self, n_rows)

    def _make_member(self, parameters):
        member = MLPRegressor(
            **parameters,
            loss=self.loss,
            huber_delta=self.huber_delta,
            quantile=self.quantile,
            tweedie_power=self.tweedie_power,
        )
        member.out_activation_ = member._choose_loss().out_activation
        return member

    # ---- estimates ----

    def _read_outputs(self, outputs):
        # (n_samples, n_targets) each, or (n_samples, n_targets, n_quantiles)
        return [
            self._in_units(member._estimate(of_member))
            for member, of_member in zip(self.members_, outputs, strict=True)
        ]

    def _in_units(self, estimates):
        scale, center = self._alongside(estimates, self.target_scales_, self.target_centers_)
        with np.errstate(over="ignore"):
            estimates = estimates.astype(np.float64) * scale + center
        return self._within_range(estimates)

    def _mean(self, of_members):
        """The mean of members' estimates; no rounding leads out of the range of the targets."""
        return self._within_range(np.mean(of_members, axis=0))

    def _within_range(self, estimates):
        return np.clip(estimates, *self._alongside(estimates, *self.target_range_))

    def _standardized(self, targets):
        """Targets, or estimates of theirs, as the members learn them."""
        scale, center = self._alongside(targets, self.target_scales_, self.target_centers_)
        return (targets - center) / scale

    def _alongside(self, estimates, *of_targets):
        """Arrays of an element for each target, of the number of axes that estimates have."""
        shape = (1, -1) + (1,) * (estimates.ndim - 2)
        return [of_target.reshape(shape) for of_target in of_targets]

    def _learn_from(self, y, held_out, sample_weight):
        self.oob_prediction_ = self._shaped(held_out)
        self._residuals = []
        if held_out.ndim == y.ndim:  # and not of several quantiles
            n_folds = min(len(self.members_), int(self.folds_.max()) + 1)  # that were held out
            residuals = np.abs(y - held_out)
            self._residuals = [residuals[self.folds_ == fold] for fold in range(n_folds)]

    def _score_predictions(self, y, predicted, sample_weight):
        """R^2, or what is like it for quantiles, as members' scores are.

        No unit of the targets changes it; in theirs, squares may be none that float64 holds.
        """
        if len(y) < 2:
            return np.nan
        y, predicted = self._standardized(y), self._standardized(predicted)
        if self.loss == "quantile":
            return self.members_[0]._score_quantiles(y, predicted, sample_weight)
        return float(r2_score(y, predicted, sample_weight=sample_weight))

    def _shaped(self, estimates):
        """Estimates without the axis of targets where these were a vector."""
        return estimates[:, 0] if self._is_vector else estimates

    # ---- prediction ----

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the targets of rows.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The rows, with the columns of the training.
        return_std : bool, default=False
            Whether to return standard deviations, too, which ``loss='gaussian'`` estimates: of
            the mixture of the members' distributions.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            The members' mean, within the range of the training's targets. With a list of
            quantiles, these along one more axis, the last, in order.
        ndarray of the same shape
            The standard deviations, if `return_std` is true.

        Raises
        ------
        ValueError
            If `X` is unsuitable, or `return_std` is true with another loss.
        """
        if return_std and self.loss != "gaussian":
            raise ValueError(f"return_std=True needs loss='gaussian', got loss={self.loss!r}")
        means, variances = [], []
        for outputs in self._outputs(X):
            estimates = self._read_outputs(outputs)
            means.append(self._mean(estimates))
            if return_std:
                of_means = np.var([self._standardized(mean) for mean in estimates], axis=0)
                variances.append(of_means + self._mean_variance(outputs))
        mean = self._shaped(np.concatenate(means))
        if not return_std:
            return mean
        return mean, self._shaped(np.sqrt(np.concatenate(variances)) * self.target_scales_)

    def _mean_variance(self, outputs):
        """The mean of the variances that members estimate, of standardized targets."""
        with np.errstate(over="ignore"):
            of_members = [
                np.exp(member._split(of_member, 2)[:, 1].astype(np.float64))
                for member, of_member in zip(self.members_, outputs, strict=True)
            ]
        return np.mean(of_members, axis=0)

    def predict_interval(self, X: Any, alpha: float = 0.1) -> np.ndarray:
        """Predict intervals that hold the targets of most rows, by CV+.

        The residuals of the rows that members have held out say how far targets lie from
        predictions, whatever their distribution. Of rows to come that are drawn as those of the
        training were, about ``1 - alpha`` lie within: somewhat more where there are many rows,
        as intervals go by single members and their mean is better; fewer where there are few, as
        the rows held out have chosen the members' best epochs. If they had not, at least
        ``1 - 2 * alpha - sqrt(2 / n)`` would lie within, of n rows.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The rows.
        alpha : float, default=0.1
            The share of targets that may lie outside, between 0 and 1.

        Returns
        -------
        ndarray of shape (n_samples, 2) or (n_samples, n_targets, 2)
            Lower and upper ends; infinite where the training had too few rows for `alpha`. With
            an `alpha` near 1 the lower may be above the upper one: then the interval is empty.

        Raises
        ------
        ValueError
            If `alpha` is not between 0 and 1, or `loss` is 'quantile' with a list.

        References
        ----------
        Barber, Candès, Ramdas & Tibshirani, "Predictive inference with the jackknife+" (2021).
        """
        if not isinstance(alpha, Real) or not 0 < alpha < 1:
            raise ValueError(f"alpha must be a number between 0 and 1, got {alpha!r}")
        check_is_fitted(self, ["members_", "_residuals"])
        if not self._residuals:
            raise ValueError(
                f"predict_interval needs a loss of one estimate, got quantile={self.quantile!r}"
            )
        intervals = []
        for outputs in self._outputs(X):
            estimates, n_folds = self._read_outputs(outputs), len(self._residuals)
            of_folds = [self._mean(estimates[fold::n_folds]) for fold in range(n_folds)]
            of_targets = [
                cv_plus([r[:, j] for r in self._residuals], [e[:, j] for e in of_folds], alpha)
                for j in range(estimates[0].shape[1])
            ]
            intervals.append(np.stack(of_targets, axis=1))
        return self._shaped(np.concatenate(intervals))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score the predictions for rows.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The coefficient of determination R^2; with ``loss="quantile"``,
            ``sklearn.metrics.d2_pinball_score``, the mean over several quantiles. Both are means
            over several targets, and at most 1.
        """
        estimates = [self._mean(self._read_outputs(outputs)) for outputs in self._outputs(X)]
        y = self._check_targets_again(y)
        return self._score_predictions(y, np.concatenate(estimates), sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        # The parameter may be anything: it is not validated yet.
        loss = REGRESSION_LOSSES.get(self.loss) if isinstance(self.loss, str) else None
        tags.target_tags.positive_only = loss is not None and loss.domain.least >= 0
        return tags

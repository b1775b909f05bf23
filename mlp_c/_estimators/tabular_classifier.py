"""The classifier for tables."""

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets

from mlp_c._estimators import labels
from mlp_c._estimators import tabular_defaults as defaults
from mlp_c._estimators.classifier import MLPClassifier
from mlp_c._estimators.data import without_single_column
from mlp_c._estimators.fitted import EPOCHS, FEATURE_NAMES
from mlp_c._estimators.tabular import BaseTabularMLP
from mlp_c._estimators.tabular_docs import documented_tabular
from mlp_c._estimators.tabular_held_out import of_known_rows
from mlp_c._estimators.tabular_state import (
    CALIBRATION,
    CLASSES,
    FOLDS,
    HELD_OUT,
    SIZES,
    members_of,
)
from mlp_c._saving.registry import stored_estimator

# Probabilities are at least so great before their logarithm is taken.
LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)

# Logarithms of the temperatures among which the best is looked for.
_LOG_TEMPERATURES = np.log(0.1), np.log(10)

# The logit of two classes, times these, is that of each.
_SIGNS = np.array([-1.0, 1.0])


@stored_estimator
@documented_tabular(
    member="MLPClassifier",
    widths="two of 128, from 10,000 rows on of 256",
    bins="16",
    dropout="0.1",
    score="the accuracy of these rows",
    predictions="(n_samples, n_classes)",
    oob="The probabilities of each row's classes",
    oob_score="The accuracy",
    references="""Guo, Pleiss, Sun &
Weinberger, "On calibration of modern neural networks" (2017), on temperatures""",
)
class TabularMLPClassifier(ClassifierMixin, BaseTabularMLP):
    """Classifier for tables: give it a dataframe as it is.

    An ensemble of multilayer perceptrons that finds out itself how to read the columns, when to
    stop, and how sure to be.

    Parameters
    ----------
    {parameters}
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes in training, as of :class:`mlp_c.MLPClassifier`.
    label_smoothing : float, default=0.1
        The part of each label that training shares out evenly among all classes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.
    temperature_ : float
        By what the logarithms of the members' mean probabilities are divided, found on the rows
        held out: above 1 where the members are too sure.
    {attributes}

    See Also
    --------
    TabularMLPRegressor : The same for numbers.
    MLPClassifier : A single network, of numbers alone, with scikit-learn's parameters.

    {notes}

    Examples
    --------
    >>> import pandas as pd
    >>> from mlp_c import TabularMLPClassifier
    >>> X = pd.DataFrame({"size": [1.0, 2.0, None, 8.0, 9.0] * 20, "colour": list("rrgbb") * 20})
    >>> y = ["small", "small", "small", "large", "large"] * 20
    >>> model = TabularMLPClassifier(n_members=2, random_state=0).fit(X, y)
    >>> model.predict(pd.DataFrame({"size": [1.5, 8.5], "colour": ["r", None]}))
    array(['small', 'large'], dtype='<U5')
    """

    __module__ = "mlp_c"  # what pickles name, wherever this file lies

    _parameter_constraints = {  # noqa: RUF012 (scikit-learn's protocol)
        **BaseTabularMLP._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "label_smoothing": MLPClassifier._parameter_constraints["label_smoothing"],
    }

    _fitted_parts = (
        members_of(MLPClassifier),
        SIZES,
        CLASSES,
        EPOCHS,
        FEATURE_NAMES,
        CALIBRATION,
        FOLDS,
        HELD_OUT,
    )

    def __init__(
        self,
        n_members=8,
        *,
        hidden_layer_sizes="auto",
        activation="relu",
        n_bins="auto",
        categorical_features="from_dtype",
        batch_size="auto",
        learning_rate_init=0.003,
        alpha=1e-4,
        dropout=0.1,
        max_iter=200,
        n_iter_no_change=16,
        scoring="loss",
        time_limit=None,
        random_state=None,
        verbose=False,
        n_threads=None,
        class_weight=None,
        label_smoothing=0.1,
    ):
        self._set_parameters(locals())

    def _check_targets(self, y):
        y = _as_labels(y)
        self._target_kind, self.classes_ = labels.find_classes(y)
        self.temperature_ = 1.0  # until the rows held out tell
        return y

    def _check_targets_again(self, y):
        y = _as_labels(y)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y must hold classes of the training, got {unknown}")
        return self._classes_of(self._encode(y, None))

    def _targets_of(self, y, encoded):
        return self._classes_of(encoded)

    def _encode(self, y, sample_weight):
        return labels.encode(self._target_kind, self.classes_, y)

    def _classes_of(self, encoded):
        return encoded if encoded.ndim == 1 else encoded[:, 0].astype(np.int64)

    def _weigh_classes(self, y, encoded):
        if self.class_weight is None:
            return None
        return labels.weigh(self.class_weight, self._target_kind, self.classes_, y, encoded)

    def _make_member(self, parameters):
        member = MLPClassifier(**parameters, label_smoothing=self.label_smoothing)
        member._target_kind, member.classes_ = self._target_kind, self.classes_
        member.out_activation_ = member._choose_loss().out_activation
        return member

    def _choose_defaults(self, n_rows):
        return defaults.of_classifier(self, n_rows)

    # ---- probabilities ----

    @property
    def _reads_logits(self):
        """Of two classes: 1 - p of a p in float32 says little of a class that is unlikely."""
        return len(self.classes_) <= 2

    def _read_outputs(self, outputs):
        of_members = [of_member.astype(np.float64) for of_member in outputs]
        if not self._reads_logits:
            return of_members
        return [expit(z * _SIGNS[: len(self.classes_)]) for z in of_members]

    def _learn_from(self, y, held_out, sample_weight):
        targets, probabilities, weight = of_known_rows(y, held_out, sample_weight)
        self.temperature_ = _find_temperature(probabilities, targets, weight)
        # Of logits that are divided by the temperature.
        self.oob_prediction_ = softmax(_logarithms(held_out) / self.temperature_, axis=1)

    def _score_predictions(self, y, predicted, sample_weight):
        return float(accuracy_score(y, predicted.argmax(axis=1), sample_weight=sample_weight))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The rows, with the columns of the training.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            The members' mean, at the temperature `temperature_`; classes ordered as in
            ``classes_``.
        """
        return softmax(self._logits(X), axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict the logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Their natural logarithms.
        """
        return log_softmax(self._logits(X), axis=1)

    def _logits(self, X: Any) -> np.ndarray:
        """What probabilities are the softmax of."""
        mean = [np.mean(self._read_outputs(outputs), axis=0) for outputs in self._outputs(X)]
        return _logarithms(np.concatenate(mean)) / self.temperature_

    def predict(self, X: Any) -> np.ndarray:
        """Predict the classes of rows.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            The likeliest class of each row, the first of equals.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]


def _as_labels(y):
    """A vector of labels."""
    check_classification_targets(y)
    return column_or_1d(without_single_column(np.asarray(y)))


def _logarithms(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, LEAST_PROBABILITY))


def _find_temperature(
    probabilities: np.ndarray, codes: np.ndarray, sample_weight: np.ndarray | None
) -> float:
    """The temperature at which the log loss of rows is least: Guo, Pleiss, Sun & Weinberger."""
    logarithms = _logarithms(probabilities)

    def loss(log_temperature: float) -> float:
        found = log_softmax(logarithms / np.exp(log_temperature), axis=1)
        return -float(np.average(found[np.arange(len(codes)), codes], weights=sample_weight))

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded").x))

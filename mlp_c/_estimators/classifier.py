"""The classifier: labels in, labels and probabilities out."""

from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, unique_labels
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from mlp_c._estimators import label_columns, labels
from mlp_c._estimators.arguments import FitArguments
from mlp_c._estimators.base import BaseMLP
from mlp_c._estimators.docs import documented_estimator
from mlp_c._estimators.fitted import EPOCHS, FEATURE_NAMES, FINAL_LOSS, NETWORK, SIZES
from mlp_c._estimators.prediction import outputs_of
from mlp_c._saving.classes import are_of_columns, as_classes
from mlp_c._saving.registry import stored_estimator
from mlp_c._training.dropout import DROPOUT
from mlp_c._training.guards import one_fit_at_a_time
from mlp_c._training.stopping import CURVE, RATES, RECORD, ROWS_SEEN
from mlp_c._training.validation import VALIDATION


@stored_estimator
@documented_estimator
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multilayer perceptron classifier.

    Minimises the log-loss, with the parameters, the random stream and the numbers of
    scikit-learn's ``MLPClassifier``.

    Parameters
    ----------
    {parameters}
    class_weight : dict, list of dicts, 'balanced' or None, default=None
        Weights of the classes, with which the sample weights are multiplied in training; scores
        of early stopping know nothing of them. A dict has them by class; of classes that exclude
        each other, those it lacks have 1. For labels of which several may apply, a list of a dict
        a label, with the weights of 0 and 1; for labels in several columns, a list of a dict a
        column. 'balanced' gives all classes the same total weight:
        ``n_samples / (n_classes * count)`` each, counted in all of `y`. Weights of several labels
        or columns are multiplied.
    label_smoothing : float, default=0.0
        The part of each label that training shares out evenly among all classes, from 0 to below
        1: of k classes that exclude each other, the targets are ``label_smoothing / k``, and
        ``1 - label_smoothing`` more for the label; of each other label,
        ``label_smoothing / 2`` and ``1 - label_smoothing / 2``. `loss_` and `loss_curve_` are of
        these targets; scores know nothing of them.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or list of such
        The class labels, sorted; of labels in several columns, a list of those of each column.
    {attributes}
    out_activation_ : str
        The output activation: 'softmax' for several classes that exclude each other, one for
        each column of labels, else 'logistic'.

    See Also
    --------
    MLPRegressor : Multilayer perceptron regressor.
    HiddenActivations : Hidden layers of either, as features.

    {notes}

    Examples
    --------
    >>> from mlp_c import MLPClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(random_state=1, max_iter=500).fit(X, y)
    >>> model.predict(X[:2])
    array([0, 0])
    >>> round(model.score(X, y), 2)
    0.98
    """

    __module__ = "mlp_c"  # what pickles name, wherever this file lies

    loss = "log_loss"

    _parameter_constraints = {  # noqa: RUF012 (scikit-learn's protocol)
        **BaseMLP._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    _fitted_parts = (
        NETWORK,
        SIZES,
        labels.CLASSES,
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
        class_weight=None,
        label_smoothing=0.0,
        warmup=0.0,
        weight_decay=None,
        max_grad_norm=None,
        dropout=0.0,
        input_dropout=0.0,
    ):
        self._set_parameters(locals())

    def _encode_targets(self, y, *, keep_classes):
        if keep_classes and hasattr(self, "classes_"):
            self._target_kind, self.classes_ = self._kind_of_labels(), as_classes(self.classes_)
            self._check_labels(y, are_all=self.warm_start)
        else:
            self._target_kind, self.classes_ = labels.find_classes(y)
        self.out_activation_ = self._choose_loss().out_activation
        return labels.encode(self._target_kind, self.classes_, y)

    def _choose_loss(self):
        return labels.loss_for(self._target_kind, self.classes_).with_parameters(self)

    def _choose_output(self):
        if not self._has_columns():
            return self.out_activation_
        return self.out_activation_, np.array([len(of_column) for of_column in self.classes_])

    def _weigh_classes(self, y, encoded):
        if self.class_weight is None:
            return None
        return labels.weigh(self.class_weight, self._target_kind, self.classes_, y, encoded)

    def _encode_held_out(self, y):
        self._check_labels(y, are_all=False)
        return labels.encode(self._target_kind, self.classes_, y)

    def _check_labels(self, y, *, are_all):
        """Refuse targets of another kind than the model has classes for, and of other classes.

        With `are_all`, those that lack a class, too.
        """
        if self._target_kind == labels.COLUMNS:
            label_columns.check(self.classes_, y)
            for j, classes in enumerate(label_columns.find_classes(y)):
                _refuse_classes(classes, self.classes_[j], f"column {j} of `y`", are_all=are_all)
        elif label_columns.are_columns(y):
            raise ValueError(
                f"y has labels in {y.shape[1]} columns, but the model has {self._target_kind} "
                "classes; partial_fit takes a list of classes, an array for each column"
            )
        else:
            _refuse_classes(unique_labels(y), self.classes_, "`y`", are_all=are_all)

    def _count_outputs(self, y):
        return labels.count_outputs(self._target_kind, self.classes_)

    def _set_classes(self, y, classes):
        if classes is not None and are_of_columns(classes):
            if not all(np.array_equal(of_column, [0, 1]) for of_column in classes):
                self._set_classes_of_columns(classes)
                return
            classes = np.arange(len(classes))  # `y` is an indicator
        if _check_partial_fit_first_call(self, classes):
            known = y if labels.are_indicators(y) else classes
            self._target_kind, self.classes_ = labels.find_classes(known)

    def _set_classes_of_columns(self, classes):
        found = [label_columns.sort(c, f"classes[{j}]") for j, c in enumerate(classes)]
        known = vars(self).get("classes_")
        known = found if known is None else as_classes(known)
        if not (isinstance(known, list) and label_columns.are_equal(found, known)):
            raise ValueError(
                f"classes must be those of the first call to partial_fit, {known}, got {classes}"
            )
        self._target_kind, self.classes_ = labels.COLUMNS, known

    def _score_outputs(self, y, outputs, sample_weight):
        hits = labels.hits(self._target_kind, self.classes_, y, outputs)
        return float(np.average(hits, weights=sample_weight))

    @available_if(lambda self: self._check_partial_fit())
    @one_fit_at_a_time
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> "MLPClassifier":
        """Go on for one epoch over the given rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_columns)
            Their labels; or an indicator of labels; or labels in several columns.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, none negative and not all zero.
        classes : array-like of shape (n_classes,) or list of such, default=None
            All labels there will be; needed in the first call, and not in later ones. Of labels
            in several columns, a list of those of each column.

        Returns
        -------
        self
            The estimator.
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight must be a dict, a list of dicts or None for partial_fit, which knows "
                f"no counts of the classes, got {self.class_weight!r}; sklearn.utils.class_weight."
                "compute_class_weight makes a dict of known ones"
            )
        return self._fit_one_epoch(FitArguments(X, y, sample_weight), classes)

    def predict(self, X: Any) -> Any:
        """Predict the classes of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_columns)
            The likeliest class of each row, the first of equals; or which of the labels
            apply, as a CSR matrix if the model was fitted with a sparse matrix of labels; or the
            likeliest class of each row in each column.
        """
        outputs = outputs_of(self, X)
        kind = self.__dict__.get("_target_kind") or self._kind_of_labels()
        return labels.decode(kind, as_classes(self.classes_), outputs)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy on rows: the share of those that are labelled right.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_columns)
            Their labels. Of several, or in several columns, all must be right.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            The accuracy.
        """
        if not self._has_columns():
            return super().score(X, y, sample_weight)
        check_consistent_length(X, y, sample_weight)
        predicted = self.predict(X)
        y = y if issparse(y) else np.asarray(y, predicted.dtype if predicted.dtype == "O" else None)
        label_columns.check(self.classes_, y)
        label_columns.check_kinds(self.classes_, y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, y, ensure_non_negative=True)
        return float(np.average((predicted == y).all(axis=1), weights=sample_weight))

    def _has_columns(self) -> bool:
        """Whether the labels, or the classes that a model was given, are in several columns."""
        kind = self.__dict__.get("_target_kind")  # each prediction asks
        if kind is None:
            return are_of_columns(self.__dict__.get("classes_"))
        return kind == labels.COLUMNS

    def _kind_of_labels(self) -> str:
        """The kind of the labels; of a model that was given weights, what these say."""
        kind: str | None = vars(self).get("_target_kind")
        if kind is None:
            n_outputs = len(self.intercepts_[-1])
            kind = labels.kind_of(as_classes(self.classes_), n_outputs, self.out_activation_)
        return kind

    def predict_proba(self, X: Any) -> Any:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or list of such
            The probabilities, classes ordered as in ``classes_``; for labels in several columns,
            a list of those of each column.
        """
        outputs = outputs_of(self, X)
        if self._has_columns():
            return label_columns.split(self.classes_, outputs)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def predict_log_proba(self, X: Any) -> Any:
        """Predict the logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or list of such
            Their natural logarithms.
        """
        probabilities = self.predict_proba(X)
        if self._has_columns():
            return [np.log(part, out=part) for part in probabilities]
        return np.log(probabilities, out=probabilities)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


def _refuse_classes(classes, known, where, *, are_all):
    """Refuse classes that are not among the known ones or, with `are_all`, not all of them."""
    if are_all and set(classes) != set(known):
        raise ValueError(
            f"warm_start can only be used where {where} has the same classes as in the "
            f"previous call to fit. Previously got {known}, {where} has {classes}"
        )
    if len(np.setdiff1d(classes, known, assume_unique=True)):
        raise ValueError(
            f"{where} has classes not in `self.classes_`. "
            f"`self.classes_` has {known}. {where} has {classes}."
        )

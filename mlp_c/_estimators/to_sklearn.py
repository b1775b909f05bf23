"""Fitted models as scikit-learn's."""

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import is_classifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from mlp_c._estimators.fitted import sizes_of
from mlp_c._estimators.sklearn_classes import SKLEARN_CLASSES
from mlp_c._training.course import is_course
from mlp_c._training.generators import random_source
from mlp_c._training.losses import REGRESSION_LOSSES

# Of parameters that may have a name scikit-learn does not know, those that it does.
SKLEARN_NAMES = {
    "activation": {"identity", "logistic", "tanh", "relu"},
    "solver": {"lbfgs", "sgd", "adam"},
    "loss": {"squared_error", "poisson"},
}

# The loss of scikit-learn's that has an output activation, in the place of those that it lacks.
_LOSSES = {"identity": "squared_error", "exp": "poisson"}

# What both libraries know by one name. The moments of an optimizer are not among it: to go
# on with partial_fit after a conversion is to begin with new ones.
_FITTED = (
    "_no_improvement_count",
    "best_loss_",
    "best_validation_score_",
    "classes_",
    "feature_names_in_",
    "loss_",
    "loss_curve_",
    "n_features_in_",
    "n_iter_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "t_",
    "validation_scores_",
)


def convert(model: Any, cls: Any) -> Any:
    """An estimator of another class with the parameters both have and what was fitted."""
    names = [name for name in cls._get_param_names() if hasattr(model, name)]
    converted = cls(**{name: getattr(model, name) for name in names})  # old ones lack some
    converted.coefs_ = [np.array(w, order="C") for w in model.coefs_]
    converted.intercepts_ = [np.array(b) for b in model.intercepts_]
    for name in _FITTED:
        if hasattr(model, name):
            value = getattr(model, name)
            setattr(converted, name, list(value) if isinstance(value, list) else value)
    vars(converted).update(sizes_of(converted.coefs_))
    return converted


def to_sklearn(model: Any) -> Any:
    """The model of scikit-learn's that a fitted one corresponds to.

    Raises
    ------
    ValueError
        If scikit-learn's networks have no such activation or solver, or cannot predict with the
        outputs of such a loss.
    """
    check_is_fitted(model)
    params = model.get_params(deep=False)
    if not is_classifier(model):
        params["loss"] = _loss_like(model)
    for name, known in SKLEARN_NAMES.items():
        value = params.get(name)  # a classifier has no loss
        if name in params and not (isinstance(value, str) and value in known):
            raise ValueError(
                f"{name} must be one of {sorted(known)} for scikit-learn, which has no other, got "
                f"{value!r}"
            )
    if is_classifier(model) and model._has_columns():
        raise ValueError(
            f"y has had labels in {len(model.classes_)} columns, and scikit-learn's MLPClassifier "
            "takes one: its MultiOutputClassifier fits a network for each"
        )
    name = "MLPClassifier" if is_classifier(model) else "MLPRegressor"
    converted = convert(model, SKLEARN_CLASSES[name])
    if is_course(converted.learning_rate):
        converted.set_params(learning_rate="constant")
    if not is_classifier(model):
        converted.set_params(loss=params["loss"])
    if isinstance(model.random_state, np.random.Generator):
        converted.set_params(random_state=random_source(model.random_state))
    if getattr(converted, "validation_scores_", None) is not None:
        # What scikit-learn's early stopping goes on from.
        converted._best_coefs = [w.copy() for w in converted.coefs_]
        converted._best_intercepts = [b.copy() for b in converted.intercepts_]
    if is_classifier(model):
        converted._label_binarizer = _binarizer_of(model)
    return converted


def _loss_like(model: Any) -> Any:
    """The loss of a regressor, or where scikit-learn lacks it one that predicts alike."""
    loss = model.loss
    if not isinstance(loss, str) or loss in SKLEARN_NAMES["loss"] or loss not in REGRESSION_LOSSES:
        return loss
    each = model._choose_loss().outputs_per_target
    if each > 1:
        raise ValueError(
            f"loss={loss!r} has {each} outputs for each target, with which scikit-learn's networks "
            "cannot predict"
        )
    return _LOSSES[model.out_activation_]


def _binarizer_of(model: Any) -> LabelBinarizer:
    """What scikit-learn's classifier finds labels with."""
    classes, kind = np.asarray(model.classes_), model._kind_of_labels()
    codes: Any = np.arange(len(classes))
    if "multilabel" in kind:
        codes = np.eye(len(classes), dtype=int)
    if kind.startswith("sparse"):
        codes = csr_matrix(codes)
    binarizer = LabelBinarizer().fit(codes)
    binarizer.classes_ = classes  # which codes index, in whatever order
    return binarizer

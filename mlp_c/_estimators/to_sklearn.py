"""Fitted models as scikit-learn's."""

from typing import Any

import numpy as np
import sklearn.neural_network
from scipy.sparse import csr_matrix
from sklearn.base import is_classifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

# Of parameters that may have a name scikit-learn does not know, those that it does.
SKLEARN_NAMES = {
    "activation": {"identity", "logistic", "tanh", "relu"},
    "solver": {"lbfgs", "sgd", "adam"},
    "loss": {"squared_error", "poisson"},
}

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
    names = cls._get_param_names()
    parameters = model.get_params(deep=False).items()
    converted = cls(**{name: value for name, value in parameters if name in names})
    converted.coefs_ = [np.array(w, order="C") for w in model.coefs_]
    converted.intercepts_ = [np.array(b) for b in model.intercepts_]
    for name in _FITTED:
        if hasattr(model, name):
            value = getattr(model, name)
            setattr(converted, name, list(value) if isinstance(value, list) else value)
    return converted


def to_sklearn(model: Any) -> Any:
    """The model of scikit-learn's that a fitted one corresponds to.

    Raises
    ------
    ValueError
        If scikit-learn's networks have no such activation, solver or loss.
    """
    check_is_fitted(model)
    params = model.get_params(deep=False)
    for name, known in SKLEARN_NAMES.items():
        value = params.get(name)  # a classifier has no loss
        if name in params and not (isinstance(value, str) and value in known):
            raise ValueError(
                f"{name} must be one of {sorted(known)} for scikit-learn, which has no other, got "
                f"{value!r}"
            )
    if not is_classifier(model):
        return convert(model, sklearn.neural_network.MLPRegressor)
    converted = convert(model, sklearn.neural_network.MLPClassifier)
    labels = model.classes_
    if "multilabel" in model._target_kind:
        labels = np.eye(len(labels), dtype=int)
    if model._target_kind.startswith("sparse"):
        labels = csr_matrix(labels)
    converted._label_binarizer = LabelBinarizer().fit(labels)
    return converted

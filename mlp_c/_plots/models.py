"""The network in an estimator."""

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from mlp_c._estimators.base import BaseMLP
from mlp_c._estimators.from_sklearn import from_sklearn
from mlp_c._estimators.sklearn_classes import SKLEARN_CLASSES
from mlp_c._estimators.tabular import BaseTabularMLP

# Where estimators that wrap another keep what they have fitted.
_WRAPPED = ("best_estimator_", "estimator_", "regressor_")


def find_network(estimator: Any) -> BaseMLP | BaseTabularMLP:
    """The fitted network that an estimator is, ends in or wraps.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    TypeError
        If there is none.
    """
    model = estimator
    while True:
        if isinstance(model, tuple(SKLEARN_CLASSES.values())):
            return from_sklearn(model)
        if isinstance(model, (BaseMLP, BaseTabularMLP)):
            check_is_fitted(model, "coefs_" if isinstance(model, BaseMLP) else "members_")
            return model
        wrapped = [name for name in _WRAPPED if hasattr(model, name)]
        if isinstance(model, Pipeline):
            model = model.steps[-1][1]
        elif wrapped:
            model = getattr(model, wrapped[0])
        else:
            break
    if hasattr(model, "fit"):
        check_is_fitted(model)
    raise TypeError(
        "estimator must be a network of mlp_c's or scikit-learn's, a pipeline that ends in one, "
        f"or a search with refit=True of one, got {_describe(estimator, model)}"
    )


def _describe(estimator: Any, found: Any) -> str:
    """The class of an estimator, and of what was found in it."""
    name = type(estimator).__name__
    return name if found is estimator else f"{name} with {type(found).__name__}"

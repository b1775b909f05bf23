"""Fitted models of scikit-learn's as ours."""

from typing import Any

from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from mlp_c._estimators.classifier import MLPClassifier
from mlp_c._estimators.regressor import MLPRegressor
from mlp_c._estimators.sklearn_classes import SKLEARN_CLASSES
from mlp_c._estimators.to_sklearn import convert


def from_sklearn(model: Any) -> Any:
    """Convert a fitted model of scikit-learn's.

    Parameters
    ----------
    model : sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
        A fitted model; it is left as it is.

    Returns
    -------
    MLPClassifier or MLPRegressor
        A fitted model with the same parameters, which makes the same predictions. The moments
        of an optimiser are not taken over: `partial_fit` begins with new ones.

    Raises
    ------
    TypeError
        If `model` is not one of these.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    See Also
    --------
    MLPClassifier.to_sklearn, MLPRegressor.to_sklearn : The way back.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from mlp_c import from_sklearn
    >>> X, y = load_iris(return_X_y=True)
    >>> theirs = MLPClassifier(solver="lbfgs", random_state=0).fit(X, y)
    >>> ours = from_sklearn(theirs)
    >>> bool((ours.predict(X) == theirs.predict(X)).all())
    True
    """
    if isinstance(model, SKLEARN_CLASSES["MLPClassifier"]):
        cls: Any = MLPClassifier
    elif isinstance(model, SKLEARN_CLASSES["MLPRegressor"]):
        cls = MLPRegressor
    else:
        raise TypeError(
            "model must be a sklearn.neural_network.MLPClassifier or MLPRegressor, got "
            f"{type(model).__name__}"
        )
    check_is_fitted(model)
    converted = convert(model, cls)
    if is_classifier(model):
        binarizer = model._label_binarizer
        sparse = "sparse " if binarizer.sparse_input_ else ""
        converted._target_kind = sparse + binarizer.y_type_
        converted.classes_ = binarizer.classes_  # by which it predicts
    return converted

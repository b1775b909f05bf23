"""Our estimators under scikit-learn's names."""

from types import TracebackType
from typing import Any

import sklearn.neural_network

from mlp_c._estimators.classifier import MLPClassifier
from mlp_c._estimators.regressor import MLPRegressor
from mlp_c._estimators.sklearn_classes import SKLEARN_CLASSES

_OURS = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}


class Patch:
    """What `patch_sklearn` returns: as a context manager, it ends with what was there before."""

    def __init__(self, before: dict[str, Any]) -> None:
        self._before = before

    def __enter__(self) -> "Patch":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _set_names(self._before)


def patch_sklearn() -> Patch:
    """Put our estimators in the place of scikit-learn's, for code that imports those.

    ``MLPClassifier`` and ``MLPRegressor`` of ``sklearn.neural_network`` are ours from then on.
    Classes that were imported before, and pickles of them, stay scikit-learn's.

    Returns
    -------
    Patch
        A context manager, at whose end the names are what they were before.

    See Also
    --------
    unpatch_sklearn : Undo it.

    Examples
    --------
    >>> import sklearn.neural_network
    >>> import mlp_c
    >>> with mlp_c.patch_sklearn():
    ...     sklearn.neural_network.MLPClassifier is mlp_c.MLPClassifier
    True
    >>> sklearn.neural_network.MLPClassifier is mlp_c.MLPClassifier
    False
    """
    patch = Patch({name: getattr(sklearn.neural_network, name) for name in _OURS})
    _set_names(_OURS)
    return patch


def unpatch_sklearn() -> None:
    """Give scikit-learn's names back to its own classes.

    See Also
    --------
    patch_sklearn : Put ours in their place.

    Examples
    --------
    >>> import sklearn.neural_network
    >>> import mlp_c
    >>> patch = mlp_c.patch_sklearn()
    >>> mlp_c.unpatch_sklearn()
    >>> sklearn.neural_network.MLPRegressor is mlp_c.MLPRegressor
    False
    """
    _set_names(SKLEARN_CLASSES)


def _set_names(classes: dict[str, Any]) -> None:
    for name, cls in classes.items():
        setattr(sklearn.neural_network, name, cls)

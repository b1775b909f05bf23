"""What a hidden layer makes of rows, as a step of a pipeline."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    _fit_context,
    _routing_enabled,
    clone,
)
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from mlp_c._estimators.prediction import count_layers
from mlp_c._network.widths import hidden_widths


class HiddenActivations(
    ClassNamePrefixFeaturesOutMixin, MetaEstimatorMixin, TransformerMixin, BaseEstimator
):
    """Transformer of rows to the activations of a hidden layer.

    The network learns to predict `y`; what comes after it in a pipeline works with what it has
    learned to see.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        The network. `fit` fits a clone of it; one that is fitted already is used as it is in a
        ``sklearn.frozen.FrozenEstimator``.
    layer : int, default=-1
        Which hidden layer, counted from 0; negative from the end.

    Attributes
    ----------
    estimator_ : MLPClassifier or MLPRegressor
        The fitted network.
    n_features_in_ : int
        Features seen in ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where `X` had names that are all strings.

    See Also
    --------
    MLPClassifier.hidden_activations, MLPRegressor.hidden_activations : Of any fitted network.

    Examples
    --------
    >>> from mlp_c import HiddenActivations, MLPClassifier
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier(16, random_state=1, max_iter=500, learning_rate_init=0.01)
    >>> model = make_pipeline(HiddenActivations(network), KNeighborsClassifier()).fit(X, y)
    >>> model[0].transform(X).shape
    (150, 16)
    >>> model.predict(X[:2])
    array([0, 0])
    """

    __module__ = "mlp_c"  # what pickles name, wherever this file lies

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "hidden_activations"])],
        "layer": [Integral],
    }

    def __init__(self, estimator, *, layer=-1):
        self.estimator = estimator
        self.layer = layer

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Self:
        """Fit a clone of the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The targets of the network; only a frozen one needs none.
        **fit_params : dict
            What its ``fit`` takes beside, as `sample_weight`; with scikit-learn's metadata
            routing, what the network requests.

        Returns
        -------
        self
            The fitted transformer.

        Raises
        ------
        ValueError
            If the network has no such hidden layer, or does not take what it is given.
        """
        estimator = clone(self.estimator)
        count_layers(self.layer, _count_hidden(estimator))  # not only after a long fit
        if _routing_enabled():
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        self.estimator_ = estimator.fit(X, y, **fit_params)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Compute the hidden layer's activations.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_units)
            The activations, in the dtype of the network's predictions.
        """
        check_is_fitted(self)
        return self.estimator_.hidden_activations(X, self.layer)

    @property
    def n_features_in_(self) -> int:
        """Features seen in ``fit``."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Their names, where `X` had names that are all strings."""
        return self.estimator_.feature_names_in_

    @property
    def _n_features_out(self) -> int:
        n_layers = count_layers(self.layer, _count_hidden(self.estimator_))
        return len(self.estimator_.intercepts_[n_layers - 1])

    def get_metadata_routing(self) -> MetadataRouter:
        """Say what the network requests of the metadata of ``fit``.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
            What routes it.
        """
        return MetadataRouter(owner=self).add(
            estimator=self.estimator,
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    def __sklearn_tags__(self) -> Any:
        tags, of_network = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags, tags.target_tags = of_network.input_tags, of_network.target_tags
        dtype = getattr(self.estimator, "compute_dtype", None)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"] if dtype is None else [dtype]
        return tags


def _count_hidden(model: Any) -> int:
    """How many hidden layers a network has, or will have once it is fitted."""
    if hasattr(model, "coefs_"):
        return len(model.coefs_) - 1
    return len(hidden_widths(model.hidden_layer_sizes))

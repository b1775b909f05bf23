"""The transformer to hidden activations: scikit-learn's conventions for meta-estimators."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlp_c
from mlp_c import HiddenActivations, MLPClassifier, MLPRegressor
from support.activations import CLASSES, NUMBERS, WIDTHS, X, each_class, make

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
WEIGHT = np.linspace(0.1, 2, len(X))
FRAME = pd.DataFrame(X, columns=list("abcd"))


@each_class
@pytest.mark.parametrize("layer", range(-3, 3))
@pytest.mark.parametrize("rows", [X, csr_array(X), FRAME], ids=["dense", "sparse", "frame"])
def test_it_gives_the_activations_of_its_fitted_network(cls, layer, rows):
    network = make(cls, ["tanh", "gelu", "relu"])
    step = HiddenActivations(network, layer=layer).fit(rows, CLASSES)
    want = clone(network).fit(rows, CLASSES).hidden_activations(rows, layer)
    assert step.transform(rows).tobytes() == want.tobytes()
    assert step.transform(rows).shape == (len(X), WIDTHS[layer])
    assert step.fit_transform(rows, CLASSES).tobytes() == want.tobytes()
    assert not hasattr(network, "coefs_")


def test_a_regressor_may_have_several_targets():
    step = HiddenActivations(make(MLPRegressor, "tanh")).fit(X, NUMBERS)
    assert step.estimator_.n_outputs_ == NUMBERS.shape[1]


# ---- what it is told ----


@each_class
def test_sample_weights_go_to_the_network(cls):
    network = make(cls, "tanh")
    step = HiddenActivations(network).fit(X, CLASSES, sample_weight=WEIGHT)
    want = clone(network).fit(X, CLASSES, sample_weight=WEIGHT).hidden_activations(X)
    assert step.transform(X).tobytes() == want.tobytes()
    assert HiddenActivations(network).fit(X, CLASSES).transform(X).tobytes() != want.tobytes()


def test_routed_metadata_go_where_they_are_requested():
    network = make(MLPClassifier, "tanh")
    want = clone(network).fit(X, CLASSES, sample_weight=WEIGHT).hidden_activations(X)
    with sklearn.config_context(enable_metadata_routing=True):
        step = HiddenActivations(network.set_fit_request(sample_weight=True))
        last = KNeighborsClassifier()
        model = make_pipeline(step, last).fit(X, CLASSES, sample_weight=WEIGHT)
        assert model[0].transform(X).tobytes() == want.tobytes()
        step = HiddenActivations(make(MLPClassifier, "tanh"))
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            step.fit(X, CLASSES, sample_weight=WEIGHT)


# ---- networks that are fitted already ----


@each_class
def test_a_frozen_network_is_taken_as_it_is(cls):
    network = make(cls, "tanh").fit(X, CLASSES)
    kept = pickle.dumps(network)
    step = HiddenActivations(FrozenEstimator(network), layer=1)
    assert step.fit(X[:2]).transform(X).tobytes() == network.hidden_activations(X, 1).tobytes()
    assert clone(step).fit(X[:2], CLASSES[:2]).transform(X).tobytes() == step.transform(X).tobytes()
    assert pickle.dumps(network) == kept
    assert list(step.get_feature_names_out()) == [f"hiddenactivations{i}" for i in range(WIDTHS[1])]


def test_a_frozen_network_that_is_not_fitted():
    with pytest.raises(NotFittedError):
        HiddenActivations(FrozenEstimator(MLPClassifier())).fit(X, CLASSES)


def test_a_frozen_network_of_other_layers_than_its_parameter_says():
    network = make(MLPRegressor, "tanh").fit(X, CLASSES)
    network.hidden_layer_sizes = ()
    step = HiddenActivations(FrozenEstimator(network), layer=2).fit(X)
    assert step.transform(X).shape[1] == WIDTHS[2]


# ---- names ----


def test_names_in_and_out():
    step = HiddenActivations(make(MLPClassifier, "tanh")).fit(FRAME, CLASSES)
    assert list(step.feature_names_in_) == list("abcd")
    assert step.n_features_in_ == 4
    names = [f"hiddenactivations{i}" for i in range(WIDTHS[-1])]
    assert list(step.get_feature_names_out()) == names
    table = step.set_output(transform="pandas").transform(FRAME)
    assert list(table.columns) == names
    np.testing.assert_array_equal(table.to_numpy(), step.estimator_.hidden_activations(FRAME))
    with pytest.raises(ValueError, match="same order"):
        step.transform(FRAME[list("badc")])
    assert not hasattr(step.fit(X, CLASSES), "feature_names_in_")


def test_names_follow_the_layer():
    """Which may be set after the fit, as ``transform`` sees it, too."""
    step = HiddenActivations(make(MLPClassifier, "tanh")).fit(X, CLASSES).set_params(layer=0)
    assert len(step.get_feature_names_out()) == step.transform(X).shape[1] == WIDTHS[0]


# ---- what it refuses ----


@each_class
@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_that_will_not_be_there_is_refused_before_the_fit(cls, layer):
    network, calls = make(cls, "tanh"), []
    network.fit = lambda *arguments: calls.append(arguments)
    network.__sklearn_clone__ = lambda: network
    with pytest.raises(ValueError, match=f"^layer must be from -3 to 2 .* got {layer}$"):
        HiddenActivations(network, layer=layer).fit(X, CLASSES)
    assert not calls


@each_class
def test_a_network_without_hidden_layers_is_refused(cls):
    step = HiddenActivations(cls(hidden_layer_sizes=()))
    with pytest.raises(ValueError, match=r"^layer must be one of a model's hidden layers; it has"):
        step.fit(X, CLASSES)


@pytest.mark.parametrize(
    "other", [LogisticRegression(), sklearn.neural_network.MLPClassifier(), None]
)
def test_an_estimator_without_hidden_activations_is_named(other):
    message = (
        "The 'estimator' parameter of HiddenActivations must be an object implementing 'fit' and "
        f"'hidden_activations'. Got {other!r} instead."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        HiddenActivations(other).fit(X, CLASSES)


def test_a_layer_that_is_no_integer():
    with pytest.raises(ValueError, match=r"^The 'layer' parameter of HiddenActivations must be"):
        HiddenActivations(make(MLPClassifier, "tanh"), layer=0.5).fit(X, CLASSES)


def test_it_must_be_fitted():
    step = HiddenActivations(MLPClassifier())
    for ask in (lambda: step.transform(X), step.get_feature_names_out):
        with pytest.raises(NotFittedError, match="HiddenActivations instance is not fitted"):
            ask()
    assert not hasattr(step, "n_features_in_")


# ---- among others ----


def test_in_a_pipeline_in_a_grid_search():
    """Parameters of the network, the layer, and those of what comes after it."""
    network = make(MLPClassifier, "tanh", max_iter=3)
    model = make_pipeline(StandardScaler(), HiddenActivations(network), KNeighborsClassifier())
    grid = {
        "hiddenactivations__layer": [0, -1],
        "hiddenactivations__estimator__alpha": [1e-4, 1.0],
        "kneighborsclassifier__n_neighbors": [1, 3],
    }
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, CLASSES)
    best = search.best_estimator_
    assert best[1].estimator_.alpha == search.best_params_["hiddenactivations__estimator__alpha"]
    assert best[1].layer == search.best_params_["hiddenactivations__layer"]
    assert best[1].transform(best[0].transform(X)).shape[1] == WIDTHS[best[1].layer]
    assert len(cross_val_score(model, X, CLASSES, cv=2, error_score="raise")) == 2
    assert is_classifier(model)


def test_it_is_pickled_by_its_public_name():
    step = HiddenActivations(make(MLPClassifier, "tanh"), layer=1).fit(FRAME, CLASSES)
    assert b"mlp_c\x94\x8c\x11HiddenActivations" in pickle.dumps(step, protocol=4)
    again = pickle.loads(pickle.dumps(step))
    assert type(again) is mlp_c.HiddenActivations
    assert again.transform(FRAME).tobytes() == step.transform(FRAME).tobytes()
    assert list(again.get_feature_names_out()) == list(step.get_feature_names_out())

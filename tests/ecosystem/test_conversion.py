"""Fitted models go to scikit-learn and back and predict the same."""

import numpy as np
import pytest
import sklearn.neural_network
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_iris, make_multilabel_classification, make_regression
from sklearn.exceptions import NotFittedError

import mlp_c
from mlp_c._estimators.to_sklearn import SKLEARN_NAMES
from mlp_c._training.losses import REGRESSION_LOSSES

IRIS, SPECIES = load_iris(return_X_y=True)
LABELLED, LABELS = make_multilabel_classification(random_state=0)
NUMBERED, NUMBERS = make_regression(n_targets=2, random_state=0)
PROBLEMS = {
    "multiclass": ("MLPClassifier", {}, IRIS, np.array(["a", "b", "c"])[SPECIES]),
    "binary": ("MLPClassifier", {"solver": "sgd"}, IRIS, SPECIES == 1),
    "one class": ("MLPClassifier", {}, IRIS, np.zeros(len(IRIS), int)),
    "multilabel": ("MLPClassifier", {"early_stopping": True}, LABELLED, LABELS),
    "sparse multilabel": ("MLPClassifier", {}, LABELLED, csr_matrix(LABELS)),
    "lbfgs": ("MLPRegressor", {"solver": "lbfgs"}, NUMBERED, NUMBERS),
    "poisson": ("MLPRegressor", {"loss": "poisson"}, NUMBERED, np.abs(NUMBERS[:, 0])),
}

pytestmark = pytest.mark.filterwarnings("ignore:.*converge")


def dense(array):
    return array.toarray() if hasattr(array, "toarray") else array


def predictions(model, X):
    """Everything the model says about rows."""
    names = [n for n in ("predict", "predict_proba", "predict_log_proba") if hasattr(model, n)]
    return [dense(getattr(model, name)(X)) for name in names]


def fit(library, problem):
    name, options, X, y = PROBLEMS[problem]
    options = {"hidden_layer_sizes": (7,), "max_iter": 15, "random_state": 1} | options
    return getattr(library, name)(**options).fit(X, y), X, y


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("of", [mlp_c, sklearn.neural_network], ids=["ours", "theirs"])
def test_a_converted_model_predicts_the_same(of, problem):
    model, X, y = fit(of, problem)
    other = model.to_sklearn() if of is mlp_c else mlp_c.from_sklearn(model)
    assert type(other).__module__.startswith("mlp_c" if of is not mlp_c else "sklearn")
    for want, got in zip(predictions(model, X), predictions(other, X), strict=True):
        assert want.dtype == got.dtype
        if want.dtype.kind == "f":
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
        else:
            np.testing.assert_array_equal(got, want)
    assert other.score(X, y) == pytest.approx(model.score(X, y))
    shared = set(other.get_params()) & set(model.get_params())
    assert {n: other.get_params()[n] for n in shared} == {n: model.get_params()[n] for n in shared}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_there_and_back_is_the_same_model(problem):
    model, X, _ = fit(mlp_c, problem)
    back = mlp_c.from_sklearn(model.to_sklearn())
    for want, got in zip(predictions(model, X), predictions(back, X), strict=True):
        np.testing.assert_array_equal(got, want)
    for want, got in zip(model.coefs_, back.coefs_, strict=True):
        assert not np.shares_memory(want, got)


def test_a_converted_model_can_be_trained_on():
    model, X, y = fit(mlp_c, "multiclass")
    theirs = model.to_sklearn().partial_fit(X, y)
    ours = mlp_c.from_sklearn(clone(theirs).fit(X, y)).partial_fit(X, y)
    assert len(theirs.loss_curve_) == len(ours.loss_curve_) == 16


def test_only_fitted_models_of_scikit_learn_are_converted():
    with pytest.raises(TypeError, match=r"model must be .*, got DummyModel"):
        mlp_c.from_sklearn(type("DummyModel", (), {})())
    with pytest.raises(NotFittedError):
        mlp_c.from_sklearn(sklearn.neural_network.MLPClassifier())
    with pytest.raises(NotFittedError):
        mlp_c.MLPRegressor().to_sklearn()


@pytest.mark.parametrize("loss", sorted(REGRESSION_LOSSES.keys() - {"gaussian"}))
def test_a_loss_that_scikit_learn_lacks_does_not_keep_it_from_predicting(loss):
    X = np.random.default_rng(0).standard_normal((50, 3))
    model = mlp_c.MLPRegressor(loss, max_iter=2000, random_state=0).fit(X, np.exp(X[:, 0]))
    theirs = model.to_sklearn()
    np.testing.assert_allclose(theirs.predict(X), model.predict(X), rtol=1e-12)
    assert theirs.loss == (loss if loss in SKLEARN_NAMES["loss"] else theirs.loss)
    assert theirs.loss in SKLEARN_NAMES["loss"]


@pytest.mark.parametrize(
    ("parameters", "n"), [({"loss": "gaussian"}, 2), ({"quantile": [0.1, 0.5, 0.9]}, 3)]
)
def test_outputs_that_it_cannot_predict_with_are_refused(parameters, n):
    parameters = {"loss": "quantile"} | parameters
    model = mlp_c.MLPRegressor(**parameters, max_iter=2000).fit([[0.0], [1.0]], [0.0, 1.0])
    message = rf"^loss='.*' has {n} outputs for each target, with which scikit-learn's networks "
    with pytest.raises(ValueError, match=message):
        model.to_sklearn()


@pytest.mark.parametrize("name", SKLEARN_NAMES)
def test_a_name_that_scikit_learn_does_not_know_is_refused(name):
    model = mlp_c.MLPRegressor(max_iter=1).fit([[0.0], [1.0]], [0.0, 1.0])
    message = rf"^{name} must be one of \[.*\] for scikit-learn, which has no other, got 'odd'$"
    with pytest.raises(ValueError, match=message):
        model.set_params(**{name: "odd"}).to_sklearn()

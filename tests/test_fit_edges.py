"""Fits at the edges: what goes on under other parameters, diverges, or has nothing to learn."""

import numpy as np
import pytest
from sklearn import neural_network

import mlp_c

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X = np.random.RandomState(0).randn(30, 4)
LABELS = np.arange(30) % 3
SMALL = {"hidden_layer_sizes": 3, "max_iter": 4, "random_state": 0}
BEFORE_AND_AFTER = [
    ({"solver": "lbfgs"}, {"solver": "adam"}),
    ({"early_stopping": True}, {"early_stopping": False}),
]


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize(("before", "after"), [*BEFORE_AND_AFTER, BEFORE_AND_AFTER[1][::-1]])
def test_a_warm_start_goes_on_under_another_rule(name, before, after):
    """scikit-learn's raises AttributeError or TypeError."""
    model = getattr(mlp_c, name)(**SMALL | before, warm_start=True).fit(X, LABELS)
    epochs = len(getattr(model, "loss_curve_", []))
    model.set_params(**after).fit(X, LABELS)
    assert len(model.loss_curve_) == epochs + 4
    watches_scores = after.get("early_stopping", False)
    assert (model.best_loss_ is None) == watches_scores
    assert (model.best_validation_score_ is not None) == watches_scores


@pytest.mark.parametrize(("before", "after"), BEFORE_AND_AFTER)
def test_partial_fit_goes_on_under_another_rule(before, after):
    model = mlp_c.MLPClassifier(**SMALL | before).fit(X, LABELS)
    model.set_params(**after).partial_fit(X, LABELS)
    assert model.best_loss_ == model.loss_curve_[-1]


def test_predictions_are_those_of_the_loss_that_was_fitted():
    model = mlp_c.MLPRegressor(**SMALL).fit(X, X[:, 0])
    before = model.predict(X)
    np.testing.assert_array_equal(model.set_params(loss="poisson").predict(X), before)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_early_stopping_without_a_score_ends_with_the_initial_weights():
    params = SMALL | {"max_iter": 20, "solver": "sgd", "activation": "identity"}
    params |= {"early_stopping": True, "learning_rate_init": 1e100}
    ours, theirs = (p.MLPRegressor(**params).fit(X, X[:, 0]) for p in (mlp_c, neural_network))
    assert ours.best_validation_score_ == -np.inf
    for a, b in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_single_class_is_always_right():
    model = mlp_c.MLPClassifier(**SMALL, early_stopping=True).fit(X, np.full(30, "only"))
    assert set(model.validation_scores_) == {1.0}

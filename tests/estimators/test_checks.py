"""scikit-learn's estimator checks, over the solvers and what they can be told."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlp_c import HiddenActivations, MLPClassifier, MLPRegressor

# Enough training for the checks that ask for a good score.
TRAINED = {"hidden_layer_sizes": (20,), "max_iter": 60, "learning_rate_init": 0.05}
CONFIGURATIONS = [
    {"solver": "adam"},
    {"solver": "adam", "activation": "tanh", "n_threads": 1},
    {"solver": "adam", "hidden_layer_sizes": (10, 5), "init": "he_normal", "n_iter_no_change": 30},
    {"solver": "sgd"},
    {"solver": "sgd", "activation": "logistic", "learning_rate": "adaptive"},
    {"solver": "sgd", "momentum": 0.5, "nesterovs_momentum": False, "shuffle": False},
    {"solver": "lbfgs", "activation": "identity", "hidden_layer_sizes": ()},
    {"solver": "lbfgs", "activation": "tanh", "alpha": 1.0},
    {"solver": "adam", "activation": "gelu"},
    {"solver": "adam", "hidden_layer_sizes": (10, 5), "activation": ["gelu", "tanh"]},
    {"solver": "lbfgs", "hidden_layer_sizes": (10, 5), "activation": ("logistic", "gelu")},
]
SEEDED = TRAINED | {"random_state": 0}  # the checks seed no estimator of an estimator
POISSON = [{"loss": "poisson"}, {"loss": "poisson", "solver": "lbfgs"}]

# What no estimator with scikit-learn's contract can pass with early_stopping=True.
NOT_PARTIAL = "partial_fit refuses early_stopping=True"
SPLITS = "rows held out of repeated rows are not those held out of weighted rows"
EARLY_STOPPING_FAILS = {
    "check_estimators_partial_fit_n_features": NOT_PARTIAL,
    "check_fit_score_takes_y": NOT_PARTIAL,
    "check_n_features_in_after_fitting": NOT_PARTIAL,
    "check_sample_weight_equivalence_on_dense_data": SPLITS,
    "check_sample_weight_equivalence_on_sparse_data": SPLITS,
}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks(
    [MLPClassifier(**TRAINED | settings) for settings in CONFIGURATIONS]
    + [MLPRegressor(**TRAINED | settings) for settings in CONFIGURATIONS + POISSON]
    + [HiddenActivations(cls(**SEEDED)) for cls in (MLPClassifier, MLPRegressor)]
    + [HiddenActivations(MLPRegressor(**SEEDED, compute_dtype="float32"), layer=0)]
)
def test_estimator_check(estimator, check):
    """Every check passes: none is expected to fail."""
    check(estimator)


@parametrize_with_checks(
    [
        cls(**TRAINED, early_stopping=True, validation_fraction=0.3)
        for cls in (MLPClassifier, MLPRegressor)
    ],
    expected_failed_checks=lambda estimator: EARLY_STOPPING_FAILS,
    xfail_strict=True,
)
def test_estimator_check_with_early_stopping(estimator, check):
    """Every check passes but those that contradict early stopping."""
    check(estimator)

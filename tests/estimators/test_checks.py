"""scikit-learn's estimator checks, over the solvers and what they can be told."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlp_c import (
    HiddenActivations,
    MLPClassifier,
    MLPRegressor,
    TabularMLPClassifier,
    TabularMLPRegressor,
)
from mlp_c._training.losses import REGRESSION_LOSSES

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
    {"solver": "adamw", "activation": "silu", "init": "he_uniform", "weight_decay": 0.05},
    {"solver": "rmsprop", "activation": "selu", "init": "lecun_normal", "learning_rate_init": 0.01},
    {
        "solver": "sgd",
        "hidden_layer_sizes": (10, 5),
        "activation": ["mish", "leaky_relu"],
        "init": "orthogonal",
        "max_grad_norm": 1.0,
    },
    {
        "solver": "adam",
        "hidden_layer_sizes": (10, 5),
        "activation": ["elu", "softplus"],
        "init": "glorot_normal",
        "weight_decay": 0.01,
        "max_grad_norm": 5.0,
    },
]
SEEDED = TRAINED | {"random_state": 0}  # the checks seed no estimator of an estimator
LOSSES = [{"loss": loss} for loss in REGRESSION_LOSSES if loss != "squared_error"]
LOSSES.append({"loss": "poisson", "solver": "lbfgs"})
SMOOTHED = {"label_smoothing": 0.1}

# What no estimator with scikit-learn's contract can pass with an option.
HELD_OUT = {"early_stopping": True, "validation_fraction": 0.3}
NOT_PARTIAL = "partial_fit refuses early_stopping=True"
SPLITS = "rows held out of repeated rows are not those held out of weighted rows"
EARLY_STOPPING_FAILS = {
    "check_estimators_partial_fit_n_features": NOT_PARTIAL,
    "check_fit_score_takes_y": NOT_PARTIAL,
    "check_n_features_in_after_fitting": NOT_PARTIAL,
    "check_sample_weight_equivalence_on_dense_data": SPLITS,
    "check_sample_weight_equivalence_on_sparse_data": SPLITS,
}
LOSS_FAILS = EARLY_STOPPING_FAILS | {
    "check_class_weight_classifiers": "the loss of rows held out knows nothing of class weights",
}
UNCOUNTED = "partial_fit, which knows no counts of the classes, refuses class_weight='balanced'"
COUNTS = "classes are counted in rows: a row of weight 2 is one, and a repeated row is two"
BALANCED_FAILS = {
    "check_estimators_partial_fit_n_features": UNCOUNTED,
    "check_fit_score_takes_y": UNCOUNTED,
    "check_n_features_in_after_fitting": UNCOUNTED,
    "check_sample_weight_equivalence_on_dense_data": COUNTS,
    "check_sample_weight_equivalence_on_sparse_data": COUNTS,
}
OF_EACH = "predictions of a list of quantiles are (n_samples, n_quantiles), not (n_samples,)"
QUANTILES_FAILS = {
    "check_estimator_sparse_array": OF_EACH,
    "check_estimator_sparse_matrix": OF_EACH,
    "check_regressors_train": OF_EACH,
}
SCHEDULED = {"learning_rate": "one_cycle", "warmup": 0.1}
NO_LENGTH = "partial_fit, which knows no number of epochs, refuses schedules that need it"
SCHEDULED_FAILS = {
    "check_estimators_partial_fit_n_features": NO_LENGTH,
    "check_fit_score_takes_y": NO_LENGTH,
    "check_n_features_in_after_fitting": NO_LENGTH,
}
DROPPED = {"dropout": 0.2, "input_dropout": 0.05}
OF_ROWS = "of a row of weight 2, and of a row that is there twice, others are dropped"
DROPOUT_FAILS = {
    "check_sample_weight_equivalence_on_dense_data": OF_ROWS,
    "check_sample_weight_equivalence_on_sparse_data": OF_ROWS,
}
BOTH = (MLPClassifier, MLPRegressor)
OF_TABLES = {"n_members": 3}
BINS = "bins and folds are of rows: a row of weight 2 is one, and a repeated row is two"
TABLES_FAILS = {"check_sample_weight_equivalence_on_dense_data": BINS}
TABLES_POISSON_FAILS = TABLES_FAILS | {
    "check_regressor_multioutput": "its targets are negative, which the tags say is refused",
}
CONTRADICTED = [
    *((cls, HELD_OUT, EARLY_STOPPING_FAILS) for cls in BOTH),
    (MLPClassifier, HELD_OUT | {"scoring": "loss"}, LOSS_FAILS),
    (MLPRegressor, HELD_OUT | {"scoring": "loss"}, EARLY_STOPPING_FAILS),
    *((cls, SCHEDULED, SCHEDULED_FAILS) for cls in BOTH),
    (MLPClassifier, {"class_weight": "balanced"}, BALANCED_FAILS),
    *((cls, DROPPED, DROPOUT_FAILS) for cls in BOTH),
    (MLPRegressor, {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]}, QUANTILES_FAILS),
    *((cls, OF_TABLES, TABLES_FAILS) for cls in (TabularMLPClassifier, TabularMLPRegressor)),
    # With as many bins as for large tables, its score is near the 0.5 that a check asks for.
    (TabularMLPRegressor, OF_TABLES | {"loss": "quantile", "n_bins": 8}, TABLES_FAILS),
    (TabularMLPRegressor, OF_TABLES | {"loss": "poisson"}, TABLES_POISSON_FAILS),
]


def expected_failures(estimator):
    """Those of the estimator's entry in `CONTRADICTED`, with their reasons."""
    (fails,) = (
        fails
        for cls, settings, fails in CONTRADICTED
        if cls is type(estimator)
        and cls(**TRAINED | settings).get_params() == estimator.get_params()
    )
    return fails


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks(
    [MLPClassifier(**TRAINED | settings) for settings in [*CONFIGURATIONS, SMOOTHED]]
    + [MLPRegressor(**TRAINED | settings) for settings in CONFIGURATIONS + LOSSES]
    + [HiddenActivations(cls(**SEEDED)) for cls in BOTH]
    + [HiddenActivations(MLPRegressor(**SEEDED, compute_dtype="float32"), layer=0)]
)
def test_estimator_check(estimator, check):
    """Every check passes: none is expected to fail."""
    check(estimator)


@parametrize_with_checks(
    [cls(**TRAINED | settings) for cls, settings, _ in CONTRADICTED],
    expected_failed_checks=expected_failures,
    xfail_strict=True,
)
def test_estimator_check_with_an_option_that_contradicts_some(estimator, check):
    """Every check passes but those that contradict the option, and these fail."""
    check(estimator)

"""The estimators where users put them: saved, searched, piped, routed, shown and shared.

Where a tool only passes an estimator on, its result is compared with that of scikit-learn's
class of the same name in the same place.
"""

import io
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn import neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlp_c

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
both = pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
solvers = pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])


def data(name, n=120, n_features=4):
    if name == "MLPRegressor":
        return make_regression(n, n_features, random_state=0)
    X, y = make_classification(
        n, n_features, n_redundant=0, n_classes=3, n_informative=4, random_state=0
    )
    return X, np.array(["a", "b", "c"])[y]


def make(name, package=mlp_c, **params):
    defaults = {"hidden_layer_sizes": (12,), "max_iter": 15, "random_state": 0}
    return getattr(package, name)(**defaults | params)


def in_both(name, use):
    """What `use` gives for the class of ours and of scikit-learn's."""
    return use(make(name)), use(make(name, neural_network))


def bits(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


# ---- parameters ----


@both
def test_parameters_and_defaults_are_scikit_learns_and_some_more(name):
    ours = getattr(mlp_c, name)().get_params()
    more = {"init": "glorot_uniform", "compute_dtype": None, "n_threads": None, "scoring": None}
    more |= {"warmup": 0.0, "weight_decay": None, "max_grad_norm": None}
    more |= {"dropout": 0.0, "input_dropout": 0.0}
    if name == "MLPRegressor":
        more |= {"huber_delta": 1.0, "quantile": 0.5, "tweedie_power": 1.5}
    else:
        more |= {"class_weight": None, "label_smoothing": 0.0}
    assert {key: ours.pop(key) for key in more} == more
    assert ours == getattr(neural_network, name)().get_params()


@both
def test_clones_and_set_params_carry_every_parameter_and_no_fit(name):
    params = {"alpha": 0.5, "solver": "sgd", "init": "he_normal", "n_threads": 3}
    params["compute_dtype"] = "float64"
    model = make(name, **params).fit(*data(name))
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "coefs_")
    assert make(name).set_params(**params).get_params() == model.get_params()


class Wider(mlp_c.MLPRegressor):
    def __init__(self, width=3):
        super().__init__(hidden_layer_sizes=(width,), max_iter=3)
        self.width = width


def test_a_subclass_has_parameters_of_its_own():
    model = Wider().set_params(width=5)
    assert clone(model).get_params() == {"width": 5}
    assert Wider(width=5).fit(*data("MLPRegressor")).coefs_[0].shape[1] == 5


# ---- saving ----


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return joblib.load(io.BytesIO(file.getvalue()))


WAYS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "cloudpickle": lambda model: cloudpickle.loads(cloudpickle.dumps(model)),
    "joblib": through_joblib,
}


@both
@solvers
@pytest.mark.parametrize("way", WAYS)
def test_a_saved_model_predicts_and_goes_on_with_the_same_bits(name, solver, way):
    X, y = data(name)
    model = make(name, solver=solver, learning_rate="invscaling").fit(X, y)
    copy = WAYS[way](model)
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    assert bits(copy) == bits(model)
    if solver != "lbfgs":
        for _ in range(2):
            assert bits(copy.partial_fit(X, y)) == bits(model.partial_fit(X, y))
        assert copy.loss_curve_ == model.loss_curve_


@both
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    ("params", "moments"),
    [
        ({"solver": "sgd", "momentum": 0}, 0),
        ({"solver": "sgd"}, 1),
        ({"solver": "adam"}, 2),
        ({"solver": "lbfgs"}, 0),
    ],
)
def test_a_pickle_holds_weights_and_moments_once(name, params, moments, early_stopping):
    """Resuming needs the moments; nothing needs a second copy of the weights."""
    X, y = data(name)
    model = make(
        name, hidden_layer_sizes=(300, 200), early_stopping=early_stopping, max_iter=3, **params
    ).fit(X, y)
    weights = sum(p.nbytes for p in model.coefs_ + model.intercepts_)
    assert len(pickle.dumps(model)) < (1 + moments) * weights + 5000


# ---- searching, piping, wrapping ----


@both
def test_a_grid_search_in_two_processes_finds_what_it_finds_with_scikit_learns(name):
    X, y = data(name)
    grid = {"alpha": [1e-4, 1.0], "solver": ["adam", "lbfgs"]}
    ours, theirs = in_both(name, lambda model: GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X, y))
    assert ours.best_params_ == theirs.best_params_
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-4
    )


def falls(t):
    return 1 - t


# By parameter that steps are told by: values to search.
OF_STEPS = {
    "activation": ["silu", ["mish"]],
    "init": ["lecun_normal", "orthogonal"],
    "solver": ["adamw", "rmsprop"],
    "learning_rate": ["cosine", falls],
    "warmup": [0.0, 0.5],
    "weight_decay": [None, 0.5],
    "max_grad_norm": [None, 0.1],
    "dropout": [0.2, [0.5]],
    "input_dropout": [0.0, 0.3],
}


@both
@pytest.mark.parametrize("parameter", OF_STEPS)
def test_a_search_in_two_processes_scores_each_value_of_an_option(name, parameter):
    X, y = data(name)
    model = make(name).set_params(hidden_layer_sizes=(20,), max_iter=10, learning_rate_init=0.01)
    options = {"cv": 3, "scoring": "neg_log_loss" if name == "MLPClassifier" else "r2"}
    search = GridSearchCV(model, {parameter: OF_STEPS[parameter]}, n_jobs=2, **options).fit(X, y)
    expected = [
        cross_val_score(clone(model).set_params(**{parameter: value}), X, y, **options).mean()
        for value in OF_STEPS[parameter]
    ]
    assert expected[0] != expected[1]
    assert search.cv_results_["mean_test_score"].tolist() == expected
    assert search.best_estimator_.get_params()[parameter] == search.best_params_[parameter]


@both
def test_cross_validation_scores_as_with_scikit_learns(name):
    ours, theirs = in_both(name, lambda model: cross_val_score(model, *data(name), cv=3))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@both
def test_a_pipeline_takes_data_frames_and_string_labels(name):
    X, y = data(name)
    frame = pd.DataFrame(X, columns=list("abcd"))
    ours, theirs = in_both(
        name,
        lambda model: make_pipeline(StandardScaler(), model).fit(frame, pd.Series(y)),
    )
    predicted, expected = ours.predict(frame), theirs.predict(frame)
    assert predicted.dtype == expected.dtype
    if name == "MLPClassifier":
        np.testing.assert_array_equal(predicted, expected)
    else:
        np.testing.assert_allclose(predicted, expected, rtol=1e-6)


@both
def test_a_pipeline_of_pandas_output_hands_on_names(name):
    X, y = data(name)
    pipeline = make_pipeline(StandardScaler(), make(name)).set_output(transform="pandas")
    pipeline.fit(pd.DataFrame(X, columns=list("abcd")), y)
    assert pipeline[-1].feature_names_in_.tolist() == list("abcd")
    assert not hasattr(make(name), "set_output")


def test_calibration_gives_the_probabilities_it_gives_with_scikit_learns():
    X, y = data("MLPClassifier")
    ours, theirs = in_both(
        "MLPClassifier",
        lambda model: CalibratedClassifierCV(model, cv=2).fit(X, y).predict_proba(X),
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@both
def test_permutation_importances_are_those_with_scikit_learns(name):
    X, y = data(name)
    ours, theirs = in_both(
        name,
        lambda model: (
            permutation_importance(model.fit(X, y), X, y, n_repeats=2, random_state=0).importances
        ),
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_a_vote_goes_as_with_scikit_learns(voting):
    X, y = data("MLPClassifier")
    ours, theirs = in_both(
        "MLPClassifier",
        lambda model: (
            VotingClassifier(
                [
                    ("mlp", model),
                    ("wide", clone(model).set_params(hidden_layer_sizes=(30,))),
                    ("linear", LogisticRegression()),
                ],
                voting=voting,
            )
            .fit(X, y)
            .predict(X)
        ),
    )
    np.testing.assert_array_equal(ours, theirs)


# ---- metadata routing ----


@both
def test_requested_sample_weights_arrive_through_a_search_over_a_pipeline(name):
    X, y = data(name)
    weight = np.random.default_rng(0).uniform(size=len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(name).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model)
        grid = {f"{name.lower()}__alpha": [0.1]}
        search = GridSearchCV(pipeline, grid, cv=2).fit(X, y, sample_weight=weight)
    scaled = StandardScaler().fit_transform(X)
    found = bits(search.best_estimator_[-1])
    assert found == bits(make(name, alpha=0.1).fit(scaled, y, sample_weight=weight))
    assert found != bits(make(name, alpha=0.1).fit(scaled, y))


@both
def test_sample_weights_nobody_requested_are_refused(name):
    X, y = data(name)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match="sample_weight"),
    ):
        make_pipeline(make(name)).fit(X, y, sample_weight=np.ones(len(y)))


# ---- what an estimator says of itself ----


@both
@solvers
def test_tags_are_scikit_learns(name, solver):
    """But that the classifier takes labels in several columns, too."""
    ours, theirs = make(name, solver=solver), make(name, neural_network, solver=solver)
    expected = theirs.__sklearn_tags__()
    expected.target_tags.multi_output |= name == "MLPClassifier"
    assert ours.__sklearn_tags__() == expected


def test_only_the_poisson_loss_wants_targets_that_are_not_negative():
    tags = make("MLPRegressor", loss="poisson").__sklearn_tags__()
    assert tags.target_tags.positive_only
    tags.target_tags.positive_only = False
    assert tags == make("MLPRegressor", neural_network, loss="poisson").__sklearn_tags__()


@both
def test_the_html_shows_each_parameters_doc_and_links_to_scikit_learns_page(name):
    model = make(name)
    theirs = getattr(neural_network, name)()._get_doc_link()
    version = ".".join(sklearn.__version__.split(".")[:2])
    page = theirs.replace(f"/{version}/", "/stable/")
    assert page.startswith("https://scikit-learn.org/stable/modules/generated/")
    shown = model._repr_html_()
    assert f'href="{page}"' in shown
    for parameter in model.get_params():
        assert f"{parameter}: " in shown, parameter
        assert f"--doc-link-{parameter};" in shown, parameter


@both
def test_names_of_features_are_checked_in_scikit_learns_words(name):
    X, y = data(name)
    frame = pd.DataFrame(X, columns=list("abcd"))

    def complaints(model):
        with pytest.raises(NotFittedError) as unfitted:
            model.predict(X)
        model.fit(frame, y)
        with pytest.warns(UserWarning, match="valid feature names") as unnamed:
            model.predict(X)
        with pytest.raises(ValueError, match="feature names") as renamed:
            model.predict(frame.rename(columns={"a": "z"}))
        model.fit(X, y)
        with pytest.raises(ValueError, match="features") as fewer:
            model.predict(X[:, :3])
        return [str(c) for c in (unfitted.value, unnamed[0].message, renamed.value, fewer.value)]

    ours, theirs = in_both(name, complaints)
    assert ours == theirs


@both
def test_methods_before_fit_raise_not_fitted_error(name):
    X, y = data(name)
    methods = {"predict": (X,), "score": (X, y)}
    if name == "MLPClassifier":
        methods |= {"predict_proba": (X,), "predict_log_proba": (X,)}
    for method, arguments in methods.items():
        with pytest.raises(NotFittedError):
            getattr(make(name), method)(*arguments)


@both
def test_partial_fit_is_there_with_stochastic_solvers_only(name):
    for solver in ("sgd", "adam"):
        assert hasattr(make(name, solver=solver), "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        _ = make(name, solver="lbfgs").partial_fit


# ---- processes and threads ----

# Wide enough that a batch's work is shared between two threads.
WIDE = {"hidden_layer_sizes": (200,), "max_iter": 3, "n_threads": 2}

FORK = """
import os
from ecosystem.test_tools import WIDE, bits, data, make

X, y = data("MLPClassifier", 600, 50)
before = bits(make("MLPClassifier", **WIDE).fit(X, y))
child = os.fork()
if child == 0:
    os._exit(0 if bits(make("MLPClassifier", **WIDE).fit(X, y)) == before else 3)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_after_a_fit_fits():
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        cwd=Path(__file__).parents[1],
        timeout=60,
        check=True,
    )


@both
@solvers
def test_eight_threads_fit_eight_models_to_the_same_bits_as_one(name, solver):
    X, y = data(name, 400, 20)

    def fit(seed):
        return bits(make(name, solver=solver, **WIDE | {"random_state": seed}).fit(X, y))

    alone = [fit(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fit, range(8))) == alone


@both
def test_threads_predict_with_one_model(name):
    X, y = data(name, 2000, 20)
    model = make(name, **WIDE).fit(X, y)
    alone = [model.predict(part).tobytes() for part in np.array_split(X, 8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(model.predict, np.array_split(X, 8) * 4))
    assert [part.tobytes() for part in together] == alone * 4

"""Fits at the edges: what goes on under other parameters, diverges, or has nothing to learn."""

import threading
import time

import numpy as np
import pytest
from scipy import sparse
from sklearn import neural_network

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor
from mlp_c._training import guards

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


def test_a_first_partial_fit_that_is_refused_is_still_to_come():
    """It leaves no classes behind, to which the next one would be held."""
    model = MLPClassifier(**SMALL)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X + np.nan, LABELS, classes=[0, 1, 2])
    assert vars(model) == before
    model.partial_fit(X, LABELS + 5, classes=[5, 6, 7])
    assert model.classes_.tolist() == [5, 6, 7]


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


def sparse_problem():
    X = sparse.random(60, 40, density=0.3, format="csr", random_state=0)
    X.sum_duplicates()  # SciPy remembers that it is canonical
    return X, np.arange(60) % 2


def test_a_sparse_matrix_that_scipy_wrongly_takes_for_canonical_loses_no_element():
    X, y = sparse_problem()
    X.indices = np.random.default_rng(0).permutation(40)[X.indices].astype(X.indices.dtype)
    model = MLPClassifier((8,), random_state=0, max_iter=5).fit(X, y)
    dense = MLPClassifier((8,), random_state=0, max_iter=5).fit(X.toarray(), y)
    np.testing.assert_allclose(model.loss_curve_, dense.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(model.predict_proba(X), model.predict_proba(X.toarray()))


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("index", [1000, 2**30, -1])
def test_indices_of_a_sparse_matrix_out_of_range_are_refused(form, index):
    X, y = sparse_problem()
    model = MLPClassifier((8,), random_state=0, max_iter=5).fit(X, y)
    X = X.asformat(form)
    X.indices[5] = index
    for use in (model.fit, lambda X, y: model.predict(X)):
        with pytest.raises(ValueError, match="ind"):
            use(X, y)


def test_weights_whose_sum_overflows_are_refused():
    X, y = sparse_problem()
    with pytest.raises(ValueError, match="the sum of sample_weight must be finite"):
        MLPClassifier().fit(X, y, sample_weight=np.full(60, 1e308))


@pytest.mark.parametrize("y", [np.arange(60).astype("U3"), np.arange(60).astype("M8[D]")])
def test_targets_of_a_regressor_that_are_no_numbers_are_refused(y):
    with pytest.raises(ValueError, match="dtype"):
        MLPRegressor().fit(sparse_problem()[0], y)


def test_weights_of_two_dtypes_are_not_trained_on():
    X, y = sparse_problem()
    model = MLPClassifier((8,), max_iter=2, solver="lbfgs", warm_start=True).fit(X, y)
    model.coefs_[0] = model.coefs_[0].astype(np.float32)
    with pytest.raises(ValueError, match=r"must be all float32 or .* got float32 and float64$"):
        model.fit(X, y)


def test_two_threads_do_not_fit_one_estimator():
    X, y = sparse_problem()
    started, errors = threading.Event(), []

    class Waits:
        setup = teardown = on_fit_task_begin = lambda *args, **kwargs: None

        def on_fit_task_end(self, estimator, context):
            started.set()
            time.sleep(0.05)

    model = MLPClassifier((8,), max_iter=5, random_state=0).set_callbacks(Waits())
    thread = threading.Thread(target=model.fit, args=(X, y))
    thread.start()
    started.wait(10)
    try:
        model.fit(X, y)
    except RuntimeError as error:
        errors.append(str(error))
    thread.join()
    assert errors == ["this MLPClassifier is being fitted already"]
    alone = MLPClassifier((8,), max_iter=5, random_state=0).fit(X, y)
    assert [w.tobytes() for w in model.coefs_] == [w.tobytes() for w in alone.coefs_]


@pytest.mark.thread_unsafe(reason="interrupts the end of any fit")
def test_ctrl_c_as_a_fit_ends_leaves_a_model_that_can_be_fitted(monkeypatch):
    """A signal may be heard between any two calls, those that end a fit among them."""
    end, calls = guards._end_fit, []

    def interrupted_end(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        end(*arguments)

    monkeypatch.setattr(guards, "_end_fit", interrupted_end)
    model = MLPClassifier(max_iter=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, LABELS)
    monkeypatch.undo()
    model.fit(X, LABELS)

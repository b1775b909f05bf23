"""Each row of docs/coming_from/scikit-learn.md: what scikit-learn does, and what we do instead."""

import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.optimize
from sklearn import neural_network
from sklearn.datasets import make_regression

import mlp_c
from mlp_c import _core
from mlp_c._training import data

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
each_class = pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
stochastic = pytest.mark.parametrize("solver", ["sgd", "adam"])

N_OUTPUTS = 3
X, Y3 = make_regression(60, 4, n_targets=N_OUTPUTS, random_state=0)
Y3 /= np.abs(Y3).max()
Y = Y3[:, 0]


def make(package, name="MLPRegressor", **params):
    defaults = {"hidden_layer_sizes": (5,), "max_iter": 20, "random_state": 0}
    return getattr(package, name)(**defaults | params)


def targets(name):
    return (Y > 0).astype(int) if name == "MLPClassifier" else Y


def bits(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


# ---- the gradient of lbfgs with several outputs ----


class Objective(Exception):
    """What an estimator gives SciPy to minimise, and from where."""


def objective_of(model, y, monkeypatch):
    def capture(fun, x0, args=(), **options):
        raise Objective(lambda x: fun(x, *args), x0.copy())

    monkeypatch.setattr(scipy.optimize, "minimize", capture)
    monkeypatch.setattr(data, "minimize", capture)
    with pytest.raises(Objective) as caught:
        model.fit(X, y)
    return caught.value.args


def slopes(function, x, step=1e-6):
    """Central differences of the loss."""
    moves = step * np.eye(len(x))
    return np.array([(function(x + e)[0] - function(x - e)[0]) / (2 * step) for e in moves])


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_lbfgs_follows_the_gradient_of_the_loss_it_reports(loss, monkeypatch):
    model = make(mlp_c, solver="lbfgs", loss=loss, alpha=0.1, activation="tanh")
    function, x = objective_of(model, np.abs(Y3), monkeypatch)
    np.testing.assert_allclose(function(x)[1], slopes(function, x), atol=1e-8)


def test_scikit_learns_lbfgs_follows_the_gradient_times_the_number_of_outputs(monkeypatch):
    model = make(neural_network, solver="lbfgs", alpha=0, activation="tanh")
    function, x = objective_of(model, Y3, monkeypatch)
    gradient = function(x)[1].copy()
    np.testing.assert_allclose(gradient, N_OUTPUTS * slopes(function, x), atol=1e-8)


@pytest.mark.parametrize("hidden", [(), (5,)])
def test_lbfgs_reaches_a_lower_loss_with_several_outputs(hidden):
    params = {"solver": "lbfgs", "hidden_layer_sizes": hidden, "max_iter": 5000, "tol": 1e-8}
    ours, theirs = (
        make(package, alpha=1.0, activation="tanh", **params).fit(X, Y3)
        for package in (mlp_c, neural_network)
    )
    assert ours.loss_ < 0.999 * theirs.loss_


# ---- what is offered and refused ----


def test_a_regressor_by_lbfgs_has_no_partial_fit():
    assert hasattr(make(neural_network, solver="lbfgs"), "partial_fit")
    assert not hasattr(make(mlp_c, solver="lbfgs"), "partial_fit")


@each_class
@stochastic
def test_partial_fit_checks_parameters_that_were_set_since_the_fit(name, solver):
    y = targets(name)
    theirs, ours = (
        make(package, name, solver=solver).fit(X, y).set_params(alpha=-1)
        for package in (neural_network, mlp_c)
    )
    theirs.partial_fit(X, y)
    before = pickle.dumps(ours)
    with pytest.raises(ValueError, match="alpha"):
        ours.partial_fit(X, y)
    assert pickle.dumps(ours) == before


@each_class
def test_ctrl_c_leaves_a_usable_model_by_lbfgs_too(name, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    y, theirs = targets(name), make(neural_network, name, solver="lbfgs")
    monkeypatch.setattr(type(theirs), "_loss_grad_lbfgs", interrupt)
    with pytest.raises(KeyboardInterrupt):
        theirs.fit(X, y)

    run, calls = _core.loss_gradient, []

    def run_some(*arguments):
        calls.append(1)
        return run(*arguments) if len(calls) < 9 else interrupt()

    monkeypatch.setattr(_core, "loss_gradient", run_some)
    ours = make(mlp_c, name, solver="lbfgs")
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        ours.fit(X, y)
    monkeypatch.undo()
    assert 0 < ours.n_iter_ < 9
    assert bits(ours) == bits(make(mlp_c, name, solver="lbfgs", max_iter=ours.n_iter_).fit(X, y))
    assert len(ours.predict(X)) == len(X)


@each_class
@stochastic
def test_a_batch_without_weight_is_passed_over(name, solver):
    """As though its rows were not there: no step, and no share in the mean loss."""
    y, weight = targets(name), np.ones(len(Y))
    weight[20:40] = 0
    some = weight > 0
    params = {"solver": solver, "batch_size": 20, "shuffle": False}
    with pytest.raises(ZeroDivisionError):
        make(neural_network, name, **params).fit(X, y, sample_weight=weight)
    passed = make(mlp_c, name, **params).fit(X, y, sample_weight=weight)
    without = make(mlp_c, name, **params).fit(X[some], y[some])
    assert bits(passed) == bits(without)
    np.testing.assert_allclose(passed.loss_curve_, without.loss_curve_, rtol=1e-12)


@each_class
@stochastic
def test_a_batch_whose_weight_nothing_can_be_divided_by_is_passed_over_too(name, solver):
    """What divides by a denormal sum is infinite."""
    y, tiny = targets(name), np.ones(len(Y))
    tiny[20:40] = 5e-324
    params = {"solver": solver, "batch_size": 20, "shuffle": False}
    passed = make(mlp_c, name, **params).fit(X, y, sample_weight=tiny)
    without = make(mlp_c, name, **params).fit(X, y, sample_weight=np.where(tiny < 1, 0, tiny))
    assert bits(passed) == bits(without)


@each_class
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_negative_weights_are_refused(name, solver):
    weight = np.ones(len(Y))
    weight[3] = -0.5
    make(neural_network, name, solver=solver).fit(X, targets(name), sample_weight=weight)
    with pytest.raises(ValueError, match=r"[Nn]egative.*sample_weight"):
        make(mlp_c, name, solver=solver).fit(X, targets(name), sample_weight=weight)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_negative_targets_are_refused_by_the_poisson_loss(solver):
    make(neural_network, solver=solver, loss="poisson", max_iter=1).fit(X, Y)
    with pytest.raises(ValueError, match="negative"):
        make(mlp_c, solver=solver, loss="poisson").fit(X, Y)


@each_class
def test_a_warm_start_refuses_other_layer_sizes(name):
    y = targets(name)
    theirs, ours = (make(p, name, warm_start=True).fit(X, y) for p in (neural_network, mlp_c))
    theirs.set_params(hidden_layer_sizes=(9,)).fit(X, y)
    assert theirs.coefs_[0].shape == (4, 5)
    before = bits(ours)
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        ours.set_params(hidden_layer_sizes=(9,)).fit(X, y)
    assert bits(ours) == before


# ---- what comes out ----


@each_class
def test_lbfgs_keeps_float32(name):
    rows, y = X.astype(np.float32), targets(name)
    theirs, ours = (
        make(package, name, solver="lbfgs", max_iter=5).fit(rows, y)
        for package in (neural_network, mlp_c)
    )
    assert {p.dtype.name for p in theirs.coefs_ + theirs.intercepts_} == {"float64"}
    assert {p.dtype.name for p in ours.coefs_ + ours.intercepts_} == {"float32"}
    for w_ours, w_theirs in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(w_ours, w_theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "times_ours", "times_theirs"),
    [
        ({"solver": "sgd", "momentum": 0}, 1, 3),
        ({"solver": "sgd"}, 2, 3),
        ({"solver": "adam"}, 3, 4),
        ({"solver": "lbfgs"}, 1, 2),
    ],
)
def test_a_pickle_is_smaller(params, times_ours, times_theirs):
    for package, times in ((mlp_c, times_ours), (neural_network, times_theirs)):
        model = make(package, hidden_layer_sizes=(300, 200), max_iter=2, **params).fit(X, Y)
        weights = sum(p.nbytes for p in model.coefs_ + model.intercepts_)
        assert round(len(pickle.dumps(model)) / weights, 1) == times


@each_class
def test_predict_makes_no_activations_of_all_rows(name):
    """A chunk's activations instead: their memory does not grow with the rows."""
    hidden = 500
    for package, n in ((mlp_c, 200_000), (neural_network, 10_000)):
        model = make(package, name, hidden_layer_sizes=(hidden,), max_iter=1)
        model.fit(X[:, [0] * 20], targets(name))
        rows = np.ones((n, 20))
        tracemalloc.start()
        try:
            model.predict(rows)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        activations = n * hidden * rows.itemsize
        assert peak < 0.02 * activations if package is mlp_c else peak > activations

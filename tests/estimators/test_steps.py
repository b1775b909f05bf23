"""What a fit says of its steps: how many there were, and the learning rate of each epoch."""

import copy
import pickle

import numpy as np
import pytest
import sklearn.neural_network

from mlp_c import MLPClassifier, MLPRegressor, _core, from_sklearn
from support.states import CLASSES, NUMBERS, N, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# By name: parameters of a solver.
SOLVERS = {
    "lbfgs": {"solver": "lbfgs", "batch_size": "auto"},
    "adam": {"solver": "adam"},
    "sgd": {"solver": "sgd", "momentum": 0},
    "nesterov": {"solver": "sgd"},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "adamw": {"solver": "adamw"},
    "rmsprop": {"solver": "rmsprop"},
}
each_solver = pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "lbfgs"])
EPOCHS, A_BATCH = 3, 15
AN_EPOCH = -(-N // A_BATCH)


def make(solver, **params):
    given = {"max_iter": EPOCHS, "batch_size": A_BATCH, "random_state": 0, **SOLVERS[solver]}
    return MLPRegressor(hidden_layer_sizes=(4,), **given | params)


@each_solver
def test_steps_are_counted_from_where_the_moments_begin(solver):
    """A fit begins anew, with warm_start too; partial_fit goes on."""
    model = make(solver, warm_start=True)
    for _ in range(2):
        assert model.fit(X, NUMBERS).n_steps_ == EPOCHS * AN_EPOCH
    for epoch in (1, 2):
        assert model.partial_fit(X, NUMBERS).n_steps_ == (EPOCHS + epoch) * AN_EPOCH
    assert make(solver).partial_fit(X[:20], NUMBERS[:20]).n_steps_ == 2


@each_solver
def test_copies_go_on_counting(solver):
    model = make(solver).fit(X, NUMBERS)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.n_steps_ == model.n_steps_
        assert twin.partial_fit(X, NUMBERS).n_steps_ == (EPOCHS + 1) * AN_EPOCH
    assert model.n_steps_ == EPOCHS * AN_EPOCH


@each_solver
def test_batches_without_weight_are_no_steps(solver):
    weight = np.ones(N)
    weight[:A_BATCH] = 0
    model = make(solver, shuffle=False).fit(X, NUMBERS, weight)
    assert model.n_steps_ == EPOCHS * (AN_EPOCH - 1)


@each_solver
def test_an_epoch_that_ctrl_c_ended_has_the_steps_that_it_made(solver, monkeypatch):
    train = _core.train_epoch

    def train_or_stop(arguments):
        train(arguments)
        if arguments["steps"][0] > AN_EPOCH:
            raise KeyboardInterrupt
        return 0.0, N

    monkeypatch.setattr(_core, "train_epoch", train_or_stop)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model = make(solver).fit(X, NUMBERS)
    assert (model.n_iter_, model.n_steps_) == (1, 2 * AN_EPOCH)
    assert model.learning_rate_curve_ == [0.001]


def test_without_a_stochastic_fit_there_are_no_steps():
    for model in (MLPClassifier(), make("lbfgs").fit(X, NUMBERS)):
        assert not hasattr(model, "n_steps_")
        assert not hasattr(model, "learning_rate_curve_")
        with pytest.raises(AttributeError, match=r"^this MLP\w+ has no n_steps_: no stochastic"):
            _ = model.n_steps_


# ---- the curve ----


@each_solver
def test_the_curve_has_the_rate_of_each_epoch(solver):
    model = make(solver, learning_rate_init=0.5e-3, tol=0).fit(X, NUMBERS)
    assert model.learning_rate_curve_ == [0.5e-3] * EPOCHS
    model.partial_fit(X, NUMBERS)
    assert model.learning_rate_curve_ == [0.5e-3] * len(model.loss_curve_)


def test_the_curve_is_that_of_scikit_learns_rates():
    model = make("sgd", learning_rate="invscaling", power_t=0.3).fit(X, NUMBERS)
    want = [0.001 / (epoch * N + 1) ** 0.3 for epoch in range(EPOCHS)]
    assert model.learning_rate_curve_ == pytest.approx(want, rel=1e-15)
    model = make("sgd", learning_rate="adaptive", tol=9.0, n_iter_no_change=1, max_iter=4)
    model.fit(X, NUMBERS)
    assert model.learning_rate_curve_ == pytest.approx([1e-3, 1e-3, 1e-3, 2e-4], rel=1e-15)


def test_the_curve_of_a_warm_start_goes_on():
    """And knows nothing of what another solver or scikit-learn did."""
    model = make("adam", warm_start=True).fit(X, NUMBERS)
    curve = model.learning_rate_curve_
    model.set_params(learning_rate_init=0.01).fit(X, NUMBERS)
    assert model.learning_rate_curve_ == [0.001] * EPOCHS + [0.01] * EPOCHS
    assert curve == [0.001] * EPOCHS  # a list of its own
    model.set_params(solver="lbfgs").fit(X, NUMBERS)
    assert not hasattr(model, "learning_rate_curve_")
    assert model.n_steps_ == EPOCHS * AN_EPOCH  # of the last fit that made any
    model.set_params(solver="sgd").fit(X, NUMBERS)
    before = len(model.loss_curve_) - EPOCHS
    np.testing.assert_array_equal(model.learning_rate_curve_, [np.nan] * before + [0.01] * EPOCHS)
    theirs = sklearn.neural_network.MLPClassifier(max_iter=2, random_state=0).fit(X, CLASSES)
    ours = from_sklearn(theirs).partial_fit(X, CLASSES)
    np.testing.assert_array_equal(ours.learning_rate_curve_, [np.nan, np.nan, 0.001])


def test_a_curve_that_was_edited_is_not_known():
    model = make("adam", warm_start=True).fit(X, NUMBERS)
    model.learning_rate_curve_.pop()
    model.fit(X, NUMBERS)
    np.testing.assert_array_equal(model.learning_rate_curve_, [np.nan] * EPOCHS + [0.001] * EPOCHS)

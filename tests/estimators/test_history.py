"""`history_`: what is known of each epoch, put together from the curves and the seconds."""

import time

import numpy as np
import pandas as pd
import pytest

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor, from_sklearn
from support import tabular
from support.callbacks import EPOCHS, Recorder, X, Y, both, make, solvers
from support.edited import THEIRS, saved
from support.states import state_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

COLUMNS = ["epoch", "loss", "validation_loss", "validation_score", "learning_rate", "seconds"]
WAYS = ["pickle", "deepcopy", "joblib", "file"]


def frame(model):
    return pd.DataFrame(model.history_)


def known(model):
    """How many values of each column are known."""
    return frame(model).notna().sum().to_dict()


# ---- the columns ----


@both
@solvers
def test_a_history_has_the_curves_and_the_seconds_of_each_epoch(cls, solver):
    model = make(cls, solver=solver, early_stopping=True, scoring="loss").fit(X, Y)
    history = model.history_
    assert list(history) == COLUMNS
    assert history["epoch"] == list(range(1, EPOCHS + 1))
    assert history["loss"] == model.loss_curve_
    assert history["validation_loss"] == model.validation_loss_curve_
    assert history["validation_score"] == model.validation_scores_
    if solver == "lbfgs":
        assert np.isnan(history["learning_rate"]).all()
    else:
        assert history["learning_rate"] == model.learning_rate_curve_
    assert all(0 < seconds < 60 for seconds in history["seconds"])
    assert frame(model).shape == (EPOCHS, len(COLUMNS))
    assert {type(value) for name in COLUMNS[1:] for value in history[name]} == {float}


@both
@solvers
def test_without_early_stopping_nothing_of_validation_is_known(cls, solver):
    of_rates = 0 if solver == "lbfgs" else EPOCHS
    counts = dict.fromkeys(COLUMNS, EPOCHS) | {"learning_rate": of_rates}
    counts |= {"validation_loss": 0, "validation_score": 0}
    assert known(make(cls, solver=solver).fit(X, Y)) == counts


def test_a_history_is_a_copy():
    model = make().fit(X, Y)
    for column in model.history_.values():
        column.clear()
    assert len(model.loss_curve_) == len(model.history_["seconds"]) == EPOCHS


@pytest.mark.parametrize("cls", [MLPClassifier, mlp_c.TabularMLPClassifier])
def test_a_model_that_is_not_fitted_has_no_history(cls):
    model = cls()
    assert not hasattr(model, "history_")
    with pytest.raises(AttributeError, match=rf"^this {cls.__name__} has no history_: it has no "):
        _ = model.history_


def test_a_model_of_weights_alone_has_no_history():
    model = MLPRegressor()
    model.coefs_, model.intercepts_ = [np.ones((2, 1))], [np.ones(1)]
    assert not hasattr(model, "history_")


# ---- the seconds ----


class Sleeps(Recorder):
    def on_fit_task_begin(self, estimator, context):
        time.sleep(0.05)

    def on_fit_task_end(self, estimator, context):
        time.sleep(0.05)


@both
@solvers
def test_callbacks_do_not_count_as_seconds_of_an_epoch(cls, solver):
    model = make(cls, solver=solver).set_callbacks(Sleeps()).fit(X, Y)
    assert np.median(model.history_["seconds"]) < 0.05


@both
@solvers
def test_validation_counts_as_seconds_of_its_epoch(cls, solver):
    def score(estimator, X, y):
        time.sleep(0.02)
        return 0.5

    model = make(cls, solver=solver, early_stopping=True, scoring=score).fit(X, Y)
    assert min(model.history_["seconds"]) >= 0.02


@both
@solvers
def test_a_callback_finds_the_seconds_of_the_epoch_that_has_ended(cls, solver):
    found = []
    recorder = Recorder(lambda estimator, epoch: found.append(known(estimator)["seconds"]))
    make(cls, solver=solver).set_callbacks(recorder).fit(X, Y)
    assert found == list(range(1, EPOCHS + 1))


@pytest.mark.parametrize("way", WAYS)
def test_copies_and_files_know_no_seconds_and_those_to_come(way, tmp_path):
    model = make().fit(X, Y)
    twin = saved(model, way, tmp_path / "model")
    assert known(twin) == known(model) | {"seconds": 0}
    twin.partial_fit(X, Y)
    assert np.isnan(twin.history_["seconds"]).tolist() == [True] * EPOCHS + [False]


def test_the_same_seed_has_the_same_state_whatever_the_seconds():
    first, second = (make(early_stopping=True).fit(X, Y) for _ in range(2))
    assert first.history_["seconds"] != second.history_["seconds"]
    assert state_of(first) == state_of(second)


def test_a_resumed_fit_knows_the_seconds_that_it_ran(tmp_path):
    class Stops(Recorder):
        def on_fit_task_end(self, estimator, context):
            return context.task_id == 2

    path = tmp_path / "fit.safetensors"
    make().set_callbacks(mlp_c.Checkpoint(path), Stops()).fit(X, Y)
    resumed = mlp_c.resume(path, X, Y)
    assert np.isnan(resumed.history_["seconds"]).tolist() == [True] * 3 + [False] * (EPOCHS - 3)
    assert resumed.history_["loss"] == make().fit(X, Y).history_["loss"]


# ---- fits that go on ----


@both
@solvers
def test_a_fit_anew_begins_a_history_anew(cls, solver):
    model = make(cls, solver=solver).fit(X, Y)
    model.fit(X, Y)
    assert known(model)["seconds"] == len(model.history_["epoch"]) == EPOCHS


@both
def test_partial_fit_and_warm_start_go_on_with_the_history(cls):
    model = make(cls, warm_start=True).fit(X, Y).fit(X, Y).partial_fit(X, Y)
    assert model.history_["epoch"] == list(range(1, 2 * EPOCHS + 2))
    assert known(model)["seconds"] == known(model)["learning_rate"] == 2 * EPOCHS + 1


@both
def test_scores_are_those_of_the_epochs_that_were_validated(cls):
    model = make(cls, warm_start=True).fit(X, Y)
    model.set_params(early_stopping=True).fit(X, Y)
    unknown = [True] * EPOCHS + [False] * EPOCHS
    for name in ("validation_loss", "validation_score"):
        assert np.isnan(model.history_[name]).tolist() == unknown
    assert model.history_["validation_score"][EPOCHS:] == model.validation_scores_


@both
def test_scores_of_an_earlier_fit_are_not_taken_for_those_of_lbfgs(cls):
    model = make(cls, warm_start=True, early_stopping=True).fit(X, Y)
    model.set_params(solver="lbfgs").fit(X, Y)
    assert known(model)["validation_score"] == known(model)["learning_rate"] == 0
    assert known(model)["seconds"] == len(model.loss_curve_) > EPOCHS


@solvers
def test_an_epoch_that_ctrl_c_cut_off_has_no_score_and_no_seconds(solver):
    calls = []

    def score(estimator, X, y):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return len(calls) / 10

    model = make(solver=solver, early_stopping=True, scoring=score, warm_start=True)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(X, Y)
    history = model.history_
    assert history["validation_score"][:2] == [0.1, 0.2]
    for name in ("validation_loss", "validation_score", "seconds"):
        assert np.isnan(history[name]).tolist() == [False, False, True]
    model.set_params(early_stopping=False).fit(X, Y)
    assert np.isnan(model.history_["seconds"][:4]).tolist() == [False, False, True, False]


def test_ctrl_c_in_a_later_fit_leaves_the_scores_of_earlier_epochs_where_they_were():
    n_left = 100

    def score(estimator, X, y):
        nonlocal n_left
        n_left -= 1
        if n_left == 0:
            raise KeyboardInterrupt
        return -np.mean((estimator.predict_proba(X)[:, 1] - y) ** 2)

    model = make(early_stopping=True, scoring=score, warm_start=True, max_iter=3, solver="sgd")
    before = model.fit(X, Y, X_val=X, y_val=Y).history_["validation_score"]
    n_left = 3  # the best score of before is compared first
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(X, Y, X_val=X, y_val=Y)
    scores = model.history_["validation_score"]
    assert scores[:3] == before
    assert np.isnan(scores).tolist() == [False] * 4 + [True]


# ---- models that are converted or edited ----


@both
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_model_of_scikit_learns_has_the_history_that_is_known(cls, early_stopping):
    theirs = THEIRS[cls.__name__](max_iter=4, random_state=0, early_stopping=early_stopping)
    converted = from_sklearn(theirs.fit(X, Y))
    assert converted.history_["loss"] == theirs.loss_curve_
    counts = dict.fromkeys(COLUMNS, 0) | {"epoch": 4, "loss": 4}
    assert known(converted) == counts | {"validation_score": 4 * early_stopping}


@both
def test_a_conversion_to_scikit_learn_takes_no_seconds_along(cls):
    assert not hasattr(make(cls).fit(X, Y).to_sklearn(), "_epoch_seconds")


# What users put in the place of a curve, and how many of its values are known then.
EDITS = {
    "nothing": (None, 0),
    "a number": (0.5, 0),
    "text": ("curve", 0),
    "words": (["a", "b"], 0),
    "a matrix": (np.ones((2, 2)), 0),
    "a ragged list": ([[1.0], 2.0], 0),
    "no value": ([], 0),
    "a shorter one": ([0.5, 0.25], 2),
    "a longer one": ([0.5] * 20, EPOCHS),
    "an array": (np.full(EPOCHS, 0.5, np.float32), EPOCHS),
    "a tuple of integers": ((1,) * EPOCHS, EPOCHS),
}
CURVES = {
    "validation_loss_curve_": "validation_loss",
    "validation_scores_": "validation_score",
    "learning_rate_curve_": "learning_rate",
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("curve", CURVES)
def test_an_edited_curve_is_told_as_far_as_it_goes(curve, edit):
    model = make(early_stopping=True).fit(X, Y)
    value, n_known = EDITS[edit]
    setattr(model, curve, value)
    assert known(model) == dict.fromkeys(COLUMNS, EPOCHS) | {CURVES[curve]: n_known}


@pytest.mark.parametrize("curve", CURVES)
def test_a_deleted_curve_is_not_known(curve):
    model = make(early_stopping=True).fit(X, Y)
    delattr(model, curve)
    assert known(model) == dict.fromkeys(COLUMNS, EPOCHS) | {CURVES[curve]: 0}


@pytest.mark.parametrize("value", [None, 0.5, "curve", ["a"], np.ones((2, 2))], ids=repr)
def test_without_a_curve_of_losses_there_is_no_history(value):
    model = make().fit(X, Y)
    model.loss_curve_ = value
    assert not hasattr(model, "history_")


@pytest.mark.parametrize("n", [0, 2, 20])
def test_losses_that_were_edited_have_no_seconds(n):
    model = make(early_stopping=True).fit(X, Y)
    model.loss_curve_ = [1.0] * n
    assert known(model)["loss"] == n
    assert known(model)["seconds"] == 0
    assert known(model.set_params(warm_start=True).fit(X, Y))["seconds"] == EPOCHS


@pytest.mark.parametrize("n_iter", [None, "many", -3, 10**9, 2.5])
def test_an_edited_number_of_epochs_spoils_no_history(n_iter):
    model = make(early_stopping=True).fit(X, Y)
    model.n_iter_ = n_iter
    assert known(model) == dict.fromkeys(COLUMNS, EPOCHS)


# ---- tables ----


@tabular.both
def test_the_history_of_an_ensemble_is_that_of_its_members_one_below_the_other(cls):
    model = tabular.make(cls, max_iter=40, n_iter_no_change=2)
    model.fit(tabular.MIXED, tabular.targets_for(cls))
    history = frame(model)
    assert list(history) == ["member", *COLUMNS]
    assert history.notna().all(axis=None)
    for k, member in enumerate(model.members_):
        own = history[history["member"] == k].drop(columns="member").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, frame(member))
        assert own["validation_loss"].tolist() == member.validation_loss_curve_
    assert history["epoch"].max() == model.n_iter_


def test_a_member_that_was_emptied_leaves_the_ensemble_without_a_history():
    model = tabular.make(mlp_c.TabularMLPClassifier).fit(tabular.MIXED, tabular.WORDS)
    del model.members_[1].loss_curve_
    with pytest.raises(
        AttributeError, match=r"^this MLPClassifier has no history_: it has no loss"
    ):
        _ = model.history_
    del model.members_
    assert not hasattr(model, "history_")

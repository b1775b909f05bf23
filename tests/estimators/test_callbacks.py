"""scikit-learn's callback protocol: one task for the fit and one for every epoch."""

import pickle

import numpy as np
import pytest
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.callback._callback_context import CallbackContext
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlp_c import MLPClassifier
from support.callbacks import EPOCHS, Recorder, X, Y, bits, both, make, solvers, tasks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# ---- scikit-learn's own callbacks ----


@both
@solvers
def test_a_scoring_monitor_logs_each_epoch_and_the_fit(cls, solver):
    scoring = "accuracy" if cls is MLPClassifier else "r2"
    monitor = ScoringMonitor(scoring=scoring)
    model = make(cls, solver=solver).set_callbacks(monitor).fit(X, Y)
    rows = monitor.get_logs().data
    assert [row["task_name"] for row in rows] == ["fit"] + ["epoch"] * EPOCHS
    assert rows[-1][scoring] == rows[0][scoring] == pytest.approx(model.score(X, Y))
    assert len({row[scoring] for row in rows}) > 1


@both
@solvers
def test_a_progress_bar_reaches_the_end(cls, solver, capsys):
    pytest.importorskip("rich")
    make(cls, solver=solver).set_callbacks(ProgressBar()).fit(X, Y)
    shown = capsys.readouterr().out
    assert f"{cls.__name__} - fit" in shown
    assert "100%" in shown


@both
@solvers
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_monitor_is_told_of_the_epochs_of_a_search_over_a_pipeline(cls, solver, n_jobs):
    scoring = "accuracy" if cls is MLPClassifier else "r2"
    monitor = ScoringMonitor(scoring=scoring)
    pipeline = make_pipeline(StandardScaler(), make(cls, solver=solver).set_callbacks(monitor))
    grid = {f"{cls.__name__.lower()}__alpha": [0, 1]}
    GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).fit(X, Y)
    names = [row["task_name"] for row in monitor.get_logs().data]
    n_fits = 2 * 2 + 1
    assert names.count("fit") == n_fits
    assert names.count("epoch") == n_fits * EPOCHS


def test_a_progress_bar_of_a_search_reaches_down_to_the_network(capsys):
    pytest.importorskip("rich")
    pipeline = make_pipeline(StandardScaler(), make())
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [0]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, Y)
    assert capsys.readouterr().out.count("MLPClassifier - fit") >= 3


# ---- the tasks ----


@both
@solvers
def test_every_epoch_is_a_task(cls, solver):
    recorder = Recorder()
    make(cls, solver=solver).set_callbacks(recorder).fit(X, Y)
    assert recorder.calls == list(tasks(EPOCHS))


@both
@solvers
def test_a_fit_that_converges_has_a_task_for_each_epoch_it_ran(cls, solver):
    recorder = Recorder()
    model = make(cls, solver=solver, max_iter=2000, tol=0.1, n_iter_no_change=2)
    model.set_callbacks(recorder).fit(X, Y)
    assert 1 < model.n_iter_ < 2000
    begun = [call for call in recorder.calls if call[:2] == ("begin", "epoch")]
    ended = [call for call in recorder.calls if call[:2] == ("end", "epoch")]
    assert len(begun) == len(ended)
    # lbfgs learns that it has converged in an iteration already begun.
    assert model.n_iter_ <= len(ended) <= model.n_iter_ + (solver == "lbfgs")


@both
@solvers
def test_a_callback_that_returns_true_stops_after_that_epoch(cls, solver):
    recorder = Recorder(lambda estimator, epoch: epoch == 2)
    model = make(cls, solver=solver).set_callbacks(recorder).fit(X, Y)
    assert model.n_iter_ == 3
    assert recorder.calls == list(tasks(3))
    same = make(cls, solver=solver, max_iter=3).fit(X, Y)
    assert bits(model) == bits(same)


@both
@pytest.mark.parametrize("epochs", range(1, EPOCHS))
def test_a_fit_that_is_stopped_has_answered_a_plateau_as_one_that_ends(cls, epochs):
    params = {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1}
    recorder = Recorder(lambda estimator, epoch: epoch == epochs - 1)
    stopped = make(cls, **params).set_callbacks(recorder).fit(X, Y)
    ended = make(cls, **params, max_iter=epochs).fit(X, Y)
    assert stopped._optimizer.learning_rate == ended._optimizer.learning_rate
    assert stopped._no_improvement_count == ended._no_improvement_count


@both
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_partial_fit_is_a_fit_of_one_epoch(cls, solver):
    recorder = Recorder()
    model, plain = make(cls, solver=solver).set_callbacks(recorder), make(cls, solver=solver)
    classes = {"classes": [0, 1]} if cls is MLPClassifier else {}
    for first in (classes, {}):
        model.partial_fit(X, Y, **first)
        plain.partial_fit(X, Y, **first)
    assert recorder.calls == list(tasks(1)) * 2
    assert bits(model) == bits(plain)


# ---- snapshots ----


class Snapshots(Recorder):
    """Keeps the fitted estimators it is handed, each with its bits at that time."""

    def __init__(self):
        super().__init__()
        self.taken = []

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        if context.task_name == "epoch":
            self.taken.append((fitted_estimator, bits(fitted_estimator)))


@both
@solvers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_snapshots_are_the_models_of_shorter_fits_and_stay_as_they_are(cls, solver, dtype):
    snapshots = Snapshots()
    rows = X.astype(dtype)
    make(cls, solver=solver).set_callbacks(snapshots).fit(rows, Y)
    assert len(snapshots.taken) == EPOCHS
    for epochs, (snapshot, taken) in enumerate(snapshots.taken, 1):
        assert bits(snapshot) == taken
        shorter = make(cls, solver=solver, max_iter=epochs).fit(rows, Y)
        np.testing.assert_array_equal(snapshot.predict(rows), shorter.predict(rows))
        assert (snapshot.n_iter_, snapshot.loss_) == (epochs, shorter.loss_)
        if solver != "lbfgs":
            assert snapshot.loss_curve_ == shorter.loss_curve_
            assert snapshot.learning_rate_curve_ == shorter.learning_rate_curve_
            assert snapshot.n_steps_ == shorter.n_steps_


class Continues(Recorder):
    """Trains the snapshots that it is handed."""

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        if context.task_name == "epoch":
            fitted_estimator.set_callbacks().fit(X, y)
            if fitted_estimator.solver != "lbfgs":
                fitted_estimator.partial_fit(X, y)


@both
@solvers
def test_training_a_snapshot_leaves_the_fit_and_its_callbacks_alone(cls, solver):
    continues = Continues()
    model = make(cls, solver=solver, warm_start=True).set_callbacks(continues).fit(X, Y)
    assert bits(model) == bits(make(cls, solver=solver).fit(X, Y))
    assert continues.calls.count("teardown") == 1


@both
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_snapshot_goes_on_as_the_fit_does(cls, solver):
    """With one batch an epoch, and its rows in order, an epoch is a step."""
    snapshots = Snapshots()
    model = make(cls, solver=solver, shuffle=False).set_callbacks(snapshots).fit(X, Y)
    snapshot, _ = snapshots.taken[-2]
    assert bits(snapshot.set_callbacks().partial_fit(X, Y)) == bits(model)


@both
@solvers
def test_weights_are_copied_only_for_callbacks_that_ask(cls, solver, monkeypatch):
    copies = []
    copy_progress = cls._copy_progress
    monkeypatch.setattr(cls, "_copy_progress", lambda self: copies.append(1) or copy_progress(self))
    make(cls, solver=solver).set_callbacks(Recorder(), Recorder()).fit(X, Y)
    assert len(copies) == 0
    make(cls, solver=solver).set_callbacks(Recorder(), Snapshots(), Snapshots()).fit(X, Y)
    assert len(copies) == EPOCHS + 1


# ---- no callbacks ----


@both
@solvers
def test_a_fit_without_callbacks_makes_no_contexts(cls, solver, monkeypatch):
    made = []
    for maker in ("_from_estimator", "_from_parent"):
        make_context = getattr(CallbackContext, maker)
        monkeypatch.setattr(
            CallbackContext,
            maker,
            lambda *args, make_context=make_context, **kwargs: (
                made.append(1) or make_context(*args, **kwargs)
            ),
        )
    make(cls, solver=solver).fit(X, Y)
    assert made == []
    make(cls, solver=solver).set_callbacks(Recorder()).fit(X, Y)
    assert len(made) == 1 + EPOCHS


@both
@solvers
@pytest.mark.parametrize("early_stopping", [False, True])
def test_callbacks_change_no_number(cls, solver, early_stopping):
    plain = make(cls, solver=solver, early_stopping=early_stopping).fit(X, Y)
    watched = make(cls, solver=solver, early_stopping=early_stopping)
    watched.set_callbacks(Snapshots()).fit(X, Y)
    assert bits(watched) == bits(plain)
    assert watched.loss_ == plain.loss_
    assert watched.n_iter_ == plain.n_iter_
    assert pickle.dumps(watched.set_callbacks()) == pickle.dumps(plain)

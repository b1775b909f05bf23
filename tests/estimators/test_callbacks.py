"""scikit-learn's callback protocol: one task for the fit and one for every epoch."""

import pickle

import numpy as np
import pytest
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.callback._callback_context import CallbackContext
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlp_c import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
both = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
solvers = pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])

X, Y = make_classification(100, 5, random_state=0)
EPOCHS = 6


def make(cls=MLPClassifier, **params):
    defaults = {"hidden_layer_sizes": (7,), "max_iter": EPOCHS, "random_state": 0}
    return cls(**defaults | params)


def bits(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


class Recorder:
    """Notes each call of a hook; does what the test asks for at the end of an epoch."""

    def __init__(self, at_epoch_end=None):
        self.at_epoch_end = at_epoch_end
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.calls.append(("end", context.task_name, context.task_id))
        if context.task_name == "epoch" and self.at_epoch_end is not None:
            return self.at_epoch_end(estimator, context.task_id)
        return False


class Snapshots(Recorder):
    """Keeps the fitted estimators it is handed, each with its bits at that time."""

    def __init__(self):
        super().__init__()
        self.taken = []

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        if context.task_name == "epoch":
            self.taken.append((fitted_estimator, bits(fitted_estimator)))


def tasks(epochs):
    yield from ("setup", ("begin", "fit", 0))
    for epoch in range(epochs):
        yield from (("begin", "epoch", epoch), ("end", "epoch", epoch))
    yield from (("end", "fit", 0), "teardown")


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


# ---- callbacks that misbehave ----


class Stumble(Exception):
    pass


class Stumbler(Recorder):
    """Raises in the named hook, once, of a task so named."""

    def __init__(self, hook, task_name):
        super().__init__()
        self.where = hook, task_name

    def _stumble(self, hook, task_name):
        if self.where == (hook, task_name):
            self.where = None
            raise Stumble

    def setup(self, estimator, context):
        super().setup(estimator, context)
        self._stumble("setup", context.task_name)

    def on_fit_task_begin(self, estimator, context):
        self._stumble("begin", context.task_name)

    def on_fit_task_end(self, estimator, context):
        self._stumble("end", context.task_name)


@both
@solvers
@pytest.mark.parametrize(
    "where",
    [("setup", "fit"), ("begin", "fit"), ("begin", "epoch"), ("end", "epoch"), ("end", "fit")],
    ids="-".join,
)
def test_an_exception_in_a_callback_arrives_and_the_next_fit_works(cls, solver, where):
    plain = make(cls, solver=solver, early_stopping=True).fit(X, Y)
    stumbler = Stumbler(*where)
    model = make(cls, solver=solver, early_stopping=True).set_callbacks(stumbler)
    with pytest.raises(Stumble):
        model.fit(X, Y)
    assert stumbler.calls == ["setup", "teardown"]
    model.fit(X, Y)
    assert stumbler.calls == ["setup", "teardown"] * 2
    assert bits(model) == bits(plain)


@both
@solvers
def test_a_fit_that_raised_leaves_nothing_in_the_next(cls, solver):
    plain = make(cls, solver=solver).fit(X, Y)
    model = make(cls, solver=solver, early_stopping=True)
    with pytest.raises(Stumble):
        model.set_callbacks(Stumbler("end", "epoch")).fit(X, Y)
    model.set_callbacks().set_params(early_stopping=False).fit(X, Y)
    assert set(vars(model)) == set(vars(plain))
    assert bits(model) == bits(plain)


@both
@solvers
def test_an_interrupt_in_a_callback_leaves_the_model_and_ends_the_tasks(cls, solver):
    def interrupt(estimator, epoch):
        if epoch == 2:
            raise KeyboardInterrupt

    recorder = Recorder(interrupt)
    model = make(cls, solver=solver).set_callbacks(recorder)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(X, Y)
    assert recorder.calls == list(tasks(3))
    assert bits(model) == bits(make(cls, solver=solver, max_iter=3).fit(X, Y))


@both
@solvers
def test_a_callback_may_pickle_the_estimator_as_it_trains(cls, solver):
    pickles = []
    model = make(cls, solver=solver)
    model.set_callbacks(Pickler(pickles)).fit(X, Y)
    assert bits(model) == bits(make(cls, solver=solver).fit(X, Y))
    for epochs, dump in enumerate(pickles, 1):
        copy = pickle.loads(dump)
        assert bits(copy) == bits(make(cls, solver=solver, max_iter=epochs).fit(X, Y))
        copy.set_callbacks().fit(X, Y)
        assert bits(copy) == bits(model)


class Pickler(Recorder):
    def __init__(self, pickles):
        super().__init__()
        self.pickles = pickles

    def __reduce__(self):
        return Recorder, ()

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.pickles.append(pickle.dumps(estimator))


@both
@solvers
def test_a_callback_may_fit_another_model(cls, solver):
    others = []

    def fit_another(estimator, epoch):
        others.append(make(cls, solver=solver).fit(X, Y))

    model = make(cls, solver=solver).set_callbacks(Recorder(fit_another)).fit(X, Y)
    assert len(others) == EPOCHS
    assert all(bits(other) == bits(model) for other in others)


@both
@solvers
def test_a_callback_may_not_fit_its_own_estimator(cls, solver):
    """It would change the weights under the fit that is going on, which ends as it would."""
    refused = []

    def refit(estimator, epoch):
        with pytest.raises(RuntimeError, match="being fitted already"):
            estimator.fit(X, Y)
        refused.append(epoch)

    recorder = Recorder(refit)
    model = make(cls, solver=solver).set_callbacks(recorder).fit(X, Y)
    assert refused == list(range(EPOCHS))
    assert recorder.calls == list(tasks(EPOCHS))
    assert bits(model) == bits(make(cls, solver=solver).fit(X, Y))
    model.set_callbacks().fit(X, Y)

"""`EpochTable` in a terminal: the lines that fits print."""

import copy
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlp_c
from mlp_c import EpochTable
from support import tabular
from support.callbacks import EPOCHS, Recorder, X, Y, bits, both, make, solvers

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

VALIDATION = ["validation loss", "validation score"]


def read(text):
    """The tables that were printed: of each the titles, and its rows as floats."""
    tables = []
    for line in text.splitlines():
        cells = re.split(r"\s{2,}", line.strip())
        if cells[0] == "epoch":
            tables.append((cells, []))
        else:
            tables[-1][1].append([float(cell) for cell in cells])
    return tables


@pytest.fixture
def printed(capsys):
    """Reads what was printed since the last time."""
    return lambda: read(capsys.readouterr().out)


# ---- columns and rows ----


def constant(estimator, X, y):
    """A score that lbfgs watches, too: by itself it watches none."""
    return 0.5


@both
@solvers
@pytest.mark.parametrize(
    ("early_stopping", "scoring", "validation"),
    [(False, None, []), (True, constant, VALIDATION), (True, "loss", VALIDATION[:1])],
    ids=["training", "score", "loss"],
)
def test_a_table_has_the_columns_of_the_fit_and_a_row_for_each_epoch(
    cls, solver, early_stopping, scoring, validation, printed
):
    """With ``scoring="loss"`` the score would be minus the loss."""
    model = make(cls, solver=solver, early_stopping=early_stopping, scoring=scoring)
    model.set_callbacks(EpochTable()).fit(X, Y)
    [(titles, rows)] = printed()
    rates = [] if solver == "lbfgs" else ["learning rate"]
    assert titles == ["epoch", "loss", *validation, *rates, "seconds"]
    history = model.history_
    want = [history[title.replace(" ", "_")] for title in titles]
    np.testing.assert_allclose(rows, np.transpose(want), rtol=1e-3)


def test_all_lines_are_as_long_as_the_header(capsys):
    make(early_stopping=True).set_callbacks(EpochTable()).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert {len(line) for line in lines} == {79}


@pytest.mark.parametrize(
    ("every", "epochs"), [(1, [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6]), (4, [4, 6]), (9, [6])]
)
def test_every_so_many_epochs_have_a_row_and_the_last_has_one(every, epochs, printed):
    make().set_callbacks(EpochTable(every)).fit(X, Y)
    [(_, rows)] = printed()
    assert [row[0] for row in rows] == epochs


@both
@solvers
def test_a_fit_that_converges_ends_with_its_last_epoch(cls, solver, printed):
    model = make(cls, solver=solver, max_iter=2000, tol=0.1, n_iter_no_change=2)
    model.set_callbacks(EpochTable(10_000)).fit(X, Y)
    [(_, rows)] = printed()
    assert [row[0] for row in rows] == [model.n_iter_]


def test_a_fit_that_a_callback_stops_ends_with_that_epoch(printed):
    stops = Recorder(lambda estimator, epoch: epoch == 2)
    make().set_callbacks(EpochTable(5), stops).fit(X, Y)
    assert [row[0] for row in printed()[0][1]] == [3]


@solvers
def test_a_fit_that_raises_ends_with_the_last_epoch_before(solver, printed):
    def fail(estimator, epoch):
        assert epoch < 2, "mine"

    with pytest.raises(AssertionError, match="mine"):
        make(solver=solver).set_callbacks(Recorder(fail), EpochTable(2)).fit(X, Y)
    assert [row[0] for row in printed()[0][1]] == [2]


@solvers
def test_an_epoch_that_ctrl_c_cut_off_has_no_row(solver, printed):
    calls = []

    def score(estimator, X, y):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.5

    model = make(solver=solver, early_stopping=True, scoring=score).set_callbacks(EpochTable())
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(X, Y)
    assert [row[0] for row in printed()[0][1]] == [1, 2]


def test_no_epoch_has_no_table(printed):
    def interrupt(estimator, X, y):
        raise KeyboardInterrupt

    model = make(early_stopping=True, scoring=interrupt).set_callbacks(EpochTable())
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(X, Y)
    assert printed() == []


def test_loss_that_is_not_finite_is_printed(printed):
    model = make(mlp_c.MLPRegressor, solver="sgd", learning_rate_init=1e30)
    with pytest.raises(ValueError, match="non-finite"), np.errstate(all="ignore"):
        model.set_callbacks(EpochTable()).fit(X, Y)
    assert not np.isfinite(printed()[0][1][-1][1])


# ---- fits that go on ----


def test_partial_fits_of_an_estimator_share_a_header(printed):
    table = EpochTable()
    model, other = make().set_callbacks(table), make().set_callbacks(table)
    for _ in range(3):
        model.partial_fit(X, Y, classes=[0, 1])
    other.partial_fit(X, Y, classes=[0, 1])
    model.partial_fit(X, Y)
    assert [[row[0] for row in rows] for _, rows in printed()] == [[1, 2, 3], [1], [4]]


def test_partial_fits_print_every_so_many(printed):
    model = make().set_callbacks(EpochTable(2))
    for _ in range(5):
        model.partial_fit(X, Y, classes=[0, 1])
    assert [row[0] for row in printed()[0][1]] == [2, 4]


def test_fits_that_go_on_count_as_the_history_does(printed):
    model = make(warm_start=True).set_callbacks(EpochTable(4)).fit(X, Y).fit(X, Y)
    assert [[row[0] for row in rows] for _, rows in printed()] == [[4, 6], [8, 12]]
    model.partial_fit(X, Y).set_callbacks(EpochTable()).partial_fit(X, Y)
    assert [row[0] for row in printed()[0][1]] == [2 * EPOCHS + 2]


def test_a_resumed_fit_prints_the_epochs_that_it_runs(tmp_path, printed):
    path, stops = tmp_path / "fit.safetensors", Recorder(lambda estimator, epoch: epoch == 2)
    make().set_callbacks(mlp_c.Checkpoint(path), stops).fit(X, Y)
    mlp_c.resume(path, X, Y, callbacks=[EpochTable()])
    assert [row[0] for row in printed()[0][1]] == [4, 5, 6]


# ---- tables ----


@tabular.both
def test_an_ensemble_has_the_means_of_the_members_at_work(cls, printed):
    model = tabular.make(cls, max_iter=40, n_iter_no_change=2).set_callbacks(EpochTable())
    model.fit(tabular.MIXED, tabular.targets_for(cls))
    [(titles, rows)] = printed()
    assert titles == ["epoch", "members", "loss", "validation loss", "seconds"]
    assert [row[0] for row in rows] == list(range(1, model.n_iter_ + 1))
    members = [row[1] for row in rows]
    assert members == [sum(m.n_iter_ > e for m in model.members_) for e in range(model.n_iter_)]
    assert members[0] == 3 > members[-1]
    for epoch, _, loss, held_out, _ in rows:
        at_work = [m for m in model.members_ if m.n_iter_ >= epoch]
        curves = ("loss_curve_", "validation_loss_curve_")
        want = [np.mean([getattr(m, name)[int(epoch) - 1] for m in at_work]) for name in curves]
        assert [loss, held_out] == pytest.approx(want, rel=1e-5)


# ---- pipelines, searches, copies ----


def pipeline(table):
    return make_pipeline(StandardScaler(), make().set_callbacks(table))


def test_a_pipeline_prints_the_table_of_its_network(printed):
    pipeline(EpochTable()).fit(X, Y)
    assert [len(rows) for _, rows in printed()] == [EPOCHS]


def test_a_search_prints_a_table_for_each_fit(printed):
    GridSearchCV(pipeline(EpochTable()), {"mlpclassifier__alpha": [0, 1]}, cv=2).fit(X, Y)
    assert [len(rows) for _, rows in printed()] == [EPOCHS] * 5


def test_fits_on_threads_have_tables_of_their_own(printed):
    model = BaggingClassifier(make().set_callbacks(EpochTable(3)), n_estimators=4, n_jobs=2)
    with parallel_config("threading"):
        model.fit(X, Y)
    epochs = [row[0] for _, rows in printed() for row in rows]
    assert sorted(epochs) == [3] * 4 + [6] * 4


SEARCH = """
import warnings
warnings.simplefilter("ignore")
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from mlp_c import EpochTable, MLPClassifier
model = MLPClassifier(max_iter=3, random_state=0).set_callbacks(EpochTable())
GridSearchCV(model, {"alpha": [0, 1]}, cv=2, n_jobs=2).fit(*load_iris(return_X_y=True))
"""


def test_processes_of_a_search_print_their_lines_whole():
    command = [sys.executable, "-W", "ignore", "-c", SEARCH]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    rows = [row for _, rows in read(run.stdout) for row in rows]
    assert sorted(row[0] for row in rows) == [1] * 5 + [2] * 5 + [3] * 5
    assert {len(row) for row in rows} == {4}


@pytest.mark.parametrize(
    "twin_of", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
def test_copies_print_as_the_table_does(twin_of, printed):
    table = EpochTable(4)
    make().set_callbacks(table).fit(X, Y)
    twin = twin_of(table)
    assert (type(twin), twin.every) == (EpochTable, 4)
    make().set_callbacks(twin).fit(X, Y)
    first, second = printed()
    assert [row[0] for row in first[1]] == [row[0] for row in second[1]] == [4, 6]


def test_a_model_is_cloned_and_pickled_with_its_table(printed):
    model = make().set_callbacks(EpochTable(6))
    for twin in (clone(model), pickle.loads(pickle.dumps(model))):
        twin.fit(X, Y)
    assert [len(rows) for _, rows in printed()] == [1, 1]


def test_nothing_of_a_fit_stays_with_the_callback():
    table = EpochTable()
    make().set_callbacks(table).fit(X, Y)
    assert table._tables == {}


@both
@solvers
def test_a_table_changes_no_number(cls, solver):
    watched = make(cls, solver=solver).set_callbacks(EpochTable()).fit(X, Y)
    assert bits(watched) == bits(make(cls, solver=solver).fit(X, Y))


# ---- refusals ----


@pytest.mark.parametrize("every", [0, -1])
def test_numbers_of_epochs_below_1_are_refused(every):
    with pytest.raises(ValueError, match=rf"^every must be an integer of at least 1, got {every}$"):
        EpochTable(every)


@pytest.mark.parametrize("every", [None, 1.0, "1", True])
def test_what_is_no_number_of_epochs_is_refused(every):
    name = type(every).__name__
    with pytest.raises(TypeError, match=rf"^every must be an integer of at least 1, got {name}$"):
        EpochTable(every)


@pytest.mark.parametrize(
    "outer", [make_pipeline(StandardScaler(), make()), GridSearchCV(make(), {"alpha": [0]})]
)
def test_estimators_around_ours_are_refused_and_told_where_it_goes(outer):
    expected = "EpochTable goes on an estimator of mlp_c, within a pipeline or a search too, got a "
    with pytest.raises(TypeError, match=f"^{expected}{type(outer).__name__}$"):
        outer.set_callbacks(EpochTable()).fit(X, Y)

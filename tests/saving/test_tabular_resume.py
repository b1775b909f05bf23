"""Fits to tables that are interrupted and resumed come to the bits of those that are not."""

import copy
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlp_c
from mlp_c import (
    Checkpoint,
    MLPClassifier,
    TabularMLPClassifier,
    TabularMLPRegressor,
    _core,
    resume,
)
from mlp_c._estimators import tabular_data
from mlp_c._saving import files
from mlp_c._training.data import Data
from support.checkpoints import Interrupt, Interrupted, interrupt, interrupt_after
from support.states import an, changed, packed, parts, state_of
from support.tabular import MIXED, NUMBERS, TARGETS, WEIGHTS, WORDS, N, make, weights_of

pytest.importorskip("safetensors")  # there is none for all Pythons
pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

C, R = TabularMLPClassifier, TabularMLPRegressor
GROUPS = np.repeat(np.arange(N // 4), 4)
MISSING = np.where(NUMBERS > 1.5, np.nan, NUMBERS)

# The class, its parameters, rows, targets, weights, and what else fit is given.
CASES = {
    "classes": (C, {}, MIXED, WORDS, None, {}),
    "two classes": (
        *(C, {"scoring": "score", "random_state": np.random.RandomState(3)}),
        *(MIXED, TARGETS > 0, None, {}),
    ),
    "all of it": (
        *(C, {"class_weight": {"ant": 1, "bee": 3, "cat": 0.5}, "n_members": 6, "batch_size": 7}),
        *(MIXED, WORDS, WEIGHTS, {"groups": GROUPS}),
    ),
    "numbers": (R, {"dropout": 0.2}, MIXED, TARGETS, WEIGHTS, {}),
    "quantiles": (
        *(R, {"loss": "quantile", "quantile": [0.2, 0.8]}),
        *(MIXED, TARGETS, None, {"groups": WORDS}),
    ),
    "two targets": (R, {"n_members": 5}, MISSING, NUMBERS[:, :2], None, {"groups": GROUPS % 5}),
}
each_case = pytest.mark.parametrize("case", CASES)


def setting(case):
    """A new model of a case, and what its fit is given."""
    cls, params, X, y, weight, keywords = CASES[case]
    defaults = {"max_iter": 6, "n_iter_no_change": 1, "learning_rate_init": 0.05, "n_threads": 1}
    return make(cls, **defaults | copy.deepcopy(params)), (X, y, weight), keywords


def fitted(case):
    model, data, keywords = setting(case)
    return model.fit(*data, **keywords)


def interrupted(case, path, epochs, every=1):
    """Leave a checkpoint of a case; what its fit was given."""
    model, data, keywords = setting(case)
    interrupt(model, path, epochs, data, every, **keywords)
    return data, keywords


@each_case
def test_a_fit_that_is_interrupted_comes_to_the_same(case, path):
    whole = fitted(case)
    for epochs in {0, 1, whole.n_iter_ // 2 + 1, whole.n_iter_}:
        data, keywords = interrupted(case, path, epochs, every=max(epochs, 1))
        resumed = resume(path, *data, **keywords)
        assert vars(resumed).keys() - vars(whole).keys() == {"_skl_callbacks"}
        assert state_of(resumed) | {"own": {}} == state_of(whole), epochs


def test_some_members_are_over_before_the_others():
    """So that the test above has such."""
    lengths = [{member.n_iter_ for member in fitted(case).members_} for case in CASES]
    assert sum(len(of_members) > 1 for of_members in lengths) > 2


@pytest.mark.parametrize("case", ["all of it", "quantiles"])
def test_any_number_of_threads_gives_the_same_bits(case, path):
    whole = fitted(case)
    for n_threads in (2, 7):
        model, data, keywords = setting(case)
        interrupt(model.set_params(n_threads=n_threads), path, 2, data, **keywords)
        resumed = resume(path, *data, **keywords)
        assert weights_of(resumed) == weights_of(whole)
        assert resumed.oob_prediction_.tobytes() == whole.oob_prediction_.tobytes()


def test_a_fit_is_resumed_as_often_as_it_is_interrupted(path):
    whole = fitted("numbers")
    data, _ = interrupted("numbers", path, 1)
    for epochs in range(2, whole.n_iter_ + 1):
        with pytest.raises(Interrupted):
            resume(path, *data, callbacks=[Interrupt(epochs)])
    assert state_of(resume(path, *data)) | {"own": {}} == state_of(whole)


def test_a_resumed_fit_writes_checkpoints_as_often_as_before(path):
    data, _ = interrupted("classes", path, 3, every=2)
    assert mlp_c.load(path).n_iter_ == 2
    with pytest.raises(Interrupted):
        resume(path, *data, callbacks=[Interrupt(5)])
    assert mlp_c.load(path).n_iter_ == 4


def test_a_resumed_fit_prints_a_table_of_its_own(path, capsys):
    model, data, _ = setting("classes")
    interrupt(model.set_params(verbose=True), path, 2, data)
    capsys.readouterr()
    resumed = resume(path, *data)
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["epoch", "members", "loss", "held", "out"]
    epochs = [int(line.split()[0]) for line in lines]
    assert epochs == list(range(3, resumed.n_iter_ + 1))


def test_a_fit_that_has_ended_is_resumed_to_no_epoch_more(path, monkeypatch):
    model, data, _ = setting("classes")
    model.set_callbacks(Checkpoint(path)).fit(*data)
    monkeypatch.setattr(_core, "train_members", lambda *arguments: 1 / 0)
    for _ in range(2):
        resumed = resume(path, *data)
        assert state_of(resumed) | {"own": {}} == state_of(model) | {"own": {}}


def test_a_checkpoint_is_a_model_of_as_many_epochs(path):
    (X, *_), _ = interrupted("numbers", path, 2)
    loaded = mlp_c.load(path)
    assert [member.n_iter_ for member in loaded.members_] == [2] * 3
    shorter, data, _ = setting("numbers")
    shorter.set_params(max_iter=2).fit(*data)
    assert loaded.folds_.tolist() == shorter.folds_.tolist()
    assert [m.loss_curve_ for m in loaded.members_] == [m.loss_curve_ for m in shorter.members_]
    assert np.isfinite(loaded.predict(X)).all()


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_a_fit_that_ctrl_c_ended_is_resumed_from_the_last_whole_epoch(epochs, path, monkeypatch):
    whole = fitted("classes")
    interrupt_after(monkeypatch, "train_members", epochs)
    model, data, _ = setting("classes")
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.set_callbacks(Checkpoint(path)).fit(*data)
    assert mlp_c.load(path).n_iter_ == epochs
    assert state_of(resume(path, *data)) | {"own": {}} == state_of(whole)


def test_a_copy_of_a_fit_that_goes_on_holds_nothing_of_its_course():
    class Copying(Interrupt):
        def on_fit_task_end(self, estimator, context):
            if context.task_name == "epoch":
                self.copy = copy.copy(estimator)

    model, data, _ = setting("classes")
    model.set_callbacks(copying := Copying(-1)).fit(*data)
    assert vars(copying.copy).keys() == vars(model).keys() - {"oob_prediction_", "oob_score_"}


def test_a_time_limit_begins_anew(path):
    model, data, _ = setting("classes")
    model.set_params(time_limit=1e-9).set_callbacks(Checkpoint(path)).fit(*data)
    assert model.n_iter_ == 1
    assert resume(path, *data).n_iter_ == 2


def test_a_fit_takes_one_fingerprint_for_its_checkpoints_and_else_none(path, monkeypatch):
    calls = []
    monkeypatch.setattr(tabular_data, "digest_of", lambda *parts: calls.append(parts) or "0")
    monkeypatch.setattr(Data, "fingerprint", property(lambda self: 1 / 0))
    model, data, _ = setting("classes")
    model.set_callbacks(Interrupt(-1)).fit(*data)
    assert not calls
    interrupted("classes", path, 3)
    assert len(calls) == 1


# ---- the data ----

FRAME = pd.DataFrame(MISSING, columns=list("abc"))


def _polars(frame):
    return pytest.importorskip("polars").from_pandas(frame)


def _arrow(frame):
    return pytest.importorskip("pyarrow").Table.from_pandas(frame)


FORMS = {
    "Fortran's order": (MISSING, np.asfortranarray),
    "lists": (MISSING, np.ndarray.tolist),
    "objects": (MISSING, lambda X: X.astype(object)),
    "categories of pandas": (MIXED, lambda X: X.astype({"colour": "category"})),
    "polars": (MIXED, _polars),
    "pyarrow": (MIXED, _arrow),
    "a frame without categories": (FRAME, _polars),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_table_in_another_form_is_taken(form, path):
    X, change = FORMS[form]
    model, (_, y, _), _ = setting("classes")
    whole = copy.deepcopy(model).fit(X, y)
    interrupt(model, path, 2, (X, y))
    assert state_of(resume(path, change(X), y.tolist())) | {"own": {}} == state_of(whole)


def _changed(X, row, column, value):
    X = X.copy()
    X.iloc[row, column] = value
    return X


def _next(array):
    """With a last bit that is another."""
    array = array.copy()
    array[5] = np.nextafter(array[5], np.inf)
    return array


OTHER = {
    "another bit": lambda X, y, w, g: (_changed(X, 1, 0, np.nextafter(X.iloc[1, 0], 9)), y, w, g),
    "a missing value": lambda X, y, w, g: (_changed(X, 1, 0, np.nan), y, w, g),
    "another level": lambda X, y, w, g: (_changed(X, 1, 2, "gold"), y, w, g),
    "levels exchanged": lambda X, y, w, g: (
        X.assign(colour=X["colour"].replace({"red": "blue", "blue": "red"})), y, w, g,
    ),
    "another order": lambda X, y, w, g: (X[::-1], y, w, g),
    "fewer rows": lambda X, y, w, g: (X[1:], y[1:], None if w is None else w[1:], g[1:]),
    "more rows": lambda X, y, w, g: tuple(
        pd.concat([a, a]) if isinstance(a, pd.DataFrame) else np.concatenate([a, a])
        for a in (X, y, w, g)
    ),
    "fewer columns": lambda X, y, w, g: (X[["size", "count"]], y, w, g),
    "other targets": lambda X, y, w, g: (X, np.roll(y, 1), w, g),
    "other weights": lambda X, y, w, g: (X, y, np.roll(w, 1), g),
    "no weights": lambda X, y, w, g: (X, y, None, g),
    "other groups": lambda X, y, w, g: (X, y, w, np.roll(g, 1)),
    "no groups": lambda X, y, w, g: (X, y, w, None),
}  # fmt: skip
OTHER_LABELS = {
    "other labels": np.char.upper,
    "fewer labels": lambda y: np.where(y == "ant", "bee", y),
    "numbers for labels": lambda y: np.unique(y, return_inverse=True)[1],
}
OTHER_NUMBERS = {
    "the last bit of a target": _next,
    "targets stretched": lambda y: 2 * y,
    "targets moved": lambda y: y + 1,
}
REFUSED = [*product([C], OTHER | OTHER_LABELS), *product([R], OTHER_NUMBERS)]


@pytest.mark.parametrize(("cls", "other"), REFUSED)
def test_other_data_are_refused_and_the_file_stays(cls, other, path):
    X, y, w, g = MIXED, WORDS if cls is C else TARGETS, WEIGHTS, GROUPS
    interrupt(make(cls, max_iter=3), path, 1, (X, y, w), groups=g)
    before = path.read_bytes()
    if other in OTHER:
        X, y, w, g = OTHER[other](X, y, w, g)
    else:
        y = (OTHER_LABELS | OTHER_NUMBERS)[other](y)
    with pytest.raises(ValueError, match=r"must have the values of the interrupted fit|feature"):
        resume(path, X, y, w, groups=g)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("X_val", NUMBERS), ("y_val", WORDS), ("sample_weight_val", WEIGHTS), ("learning_rate", abs)],
)
def test_what_fits_to_tables_do_not_take_is_refused(name, value, path):
    data, _ = interrupted("classes", path, 1)
    with pytest.raises(ValueError, match=f"^{name} must be None for TabularMLPClassifier"):
        resume(path, *data, **{name: value})


def test_groups_are_refused_where_no_fit_takes_them(path):
    model = MLPClassifier((3,), max_iter=3, random_state=0)
    interrupt(model, path, 1, (NUMBERS, WORDS))
    with pytest.raises(ValueError, match=r"^groups must be None for MLPClassifier"):
        resume(path, NUMBERS, WORDS, groups=GROUPS)


# ---- files that no fit has written ----

PLACES = ("checkpoint", "members")
MEMBERS = ("fitted", "members_")
FORGED = {
    "no dict": (("checkpoint",), an(None), "checkpoint"),
    "more": (("checkpoint",), lambda c: c | {"more": 1}, "checkpoint"),
    "the place of a model by itself": (
        ("checkpoint",),
        lambda c: {"every": 1, "data": c["data"], **c["members"][0]},
        "checkpoint",
    ),
    "every 0": (("checkpoint", "every"), an(0), "every"),
    "no members": (PLACES, an([]), "checkpoint.members"),
    "members of None": (PLACES, an(None), "checkpoint.members"),
    "a member less": (PLACES, lambda m: m[:-1], "checkpoint.members"),
    "a member of None": ((*PLACES, 1), an(None), r"checkpoint.members\[1\]"),
    "no generator": ((*PLACES, 1, "generator"), an(None), r"checkpoint.members\[1\].generator"),
    "a position cut": (
        *((*PLACES, 2, "position"), lambda p: p[1:]),
        r"checkpoint.members\[2\].position",
    ),
    "a split": (
        *((*PLACES, 0, "split"), an([np.arange(40), np.arange(40, N)])),
        r"checkpoint.members\[0\].split",
    ),
    "weights of another layer": (
        *((*PLACES, 0, "best_weights"), lambda w: (w[0][::-1], w[1])),
        r"checkpoint.members\[0\].best_weights",
    ),
    "an answer": ((*PLACES, 0, "converged"), an(0), r"checkpoint.members\[0\].converged"),
    "no folds": (("fitted",), lambda f: f | {"folds_": None}, "folds_"),
    "folds of fewer rows": (("fitted", "folds_"), lambda f: f[5:], "folds_"),
    "one fold": (("fitted", "folds_"), np.zeros_like, "folds_"),
    "another number of members": (("parameters", "n_members"), an(2), "members_"),
    "other widths": (("parameters", "hidden_layer_sizes"), an(6), r"members_\[0\].coefs_"),
    "no moments": ((*MEMBERS, 1, "optimizer"), an(None), "fitting"),
    "another solver": ((*MEMBERS, 1, "parameters", "solver"), an("lbfgs"), "fitting"),
    "no seed": ((*MEMBERS, 1, "parameters", "random_state"), an(None), r"members_\[1\].random"),
    "no loss": (
        *((*MEMBERS, 1, "fitted"), lambda f: {n: f[n] for n in f if n != "loss_"}),
        r"members_\[1\]",
    ),
    "more epochs": ((*MEMBERS, 1, "fitted", "n_iter_"), an(9), r"members_\[1\]"),
    "weights of float64": (
        *((*MEMBERS, 0), lambda m: changed(
            changed(m, ("optimizer",), lambda o: o | {"moments": _doubled(o["moments"])}),
            ("fitted",),
            lambda f: f | {n: [w.astype(float) for w in f[n]] for n in ("coefs_", "intercepts_")},
        )),
        r"members_\[0\].coefs_",
    ),
    "no seed of masks": (
        *((*MEMBERS, 2, "fitted"), lambda f: {n: f[n] for n in f if n != "dropout_seed_"}),
        "dropout_seed_",
    ),
}  # fmt: skip


def _doubled(moments):
    return tuple([m.astype(float) for m in of_params] for of_params in moments)


@pytest.mark.parametrize("what", FORGED)
def test_a_checkpoint_that_no_fit_has_written_is_refused(what, checkpoint):
    place, change, named = FORGED[what]
    path, content, data = checkpoint
    path.write_bytes(packed(changed(content, place, change)))
    with pytest.raises(ValueError, match=named):
        resume(path, *data)


def test_the_parameters_of_members_are_those_of_the_estimator(checkpoint):
    """A file may say of a member what the estimator would refuse."""
    path, content, data = checkpoint
    place = (*MEMBERS, 0, "parameters")
    junk = {"batch_size": -1, "max_iter": "odd", "alpha": None, "scoring": "odd", "dropout": {}}
    path.write_bytes(packed(changed(content, place, lambda p: p | junk)))
    assert state_of(resume(path, *data)) | {"own": {}} == state_of(fitted("classes"))


JUNK = [None, True, -1, 0, 3, 2**40, 1.5, np.nan, "", "odd", [], {}, (), np.arange(3), np.empty(0)]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_part_of_a_checkpoint_that_is_junk_is_refused_or_the_fit_ends(data, checkpoint):
    path, content, (X, y, _) = checkpoint
    place, part = data.draw(st.sampled_from(list(parts(content))[1:]))
    options = [
        *JUNK,
        *([part[:-1], part * 0] if isinstance(part, np.ndarray) and part.ndim else []),
    ]
    forged = changed(content, place, an(data.draw(st.sampled_from(options))))
    try:
        path.write_bytes(packed(forged))
        with np.errstate(all="ignore"):
            model = resume(path, X, y)
    except ValueError:
        return
    except TypeError:  # as by any fit
        assert place[0] == "parameters"
        return
    assert len(model.predict(X)) == N


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A file for forgeries, what one of the first case has, and what its fit was given."""
    path = tmp_path_factory.mktemp("forged") / "fit"
    data, _ = interrupted("classes", path, 2)
    return path, files.read(path), data

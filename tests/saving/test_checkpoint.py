"""A fit that is interrupted and resumed comes to the bits of one that is not."""

import copy
import os
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlp_c
from mlp_c import Checkpoint, MLPClassifier, MLPRegressor, _core, resume
from mlp_c._saving import files
from mlp_c._training.data import Data
from runners import kill
from support.settings import draw_setting
from support.states import CLASSES, NUMBERS, TEXT, N, X, outcome, packed

pytest.importorskip("safetensors")  # there is none for all Pythons
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size`"),
]
WEIGHT = np.random.default_rng(1).uniform(0.5, 2, N)
EPOCHS = 6


class Interrupted(Exception):
    pass


class Interrupt:
    """Ends a fit with an exception after some epochs."""

    def __init__(self, epochs):
        self.epochs = epochs

    def setup(self, estimator, context):
        pass

    teardown = setup

    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch" and self.epochs == 0:
            raise Interrupted

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch" and estimator.n_iter_ == self.epochs:
            raise Interrupted


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.safetensors"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """These tests stop processes and not machines."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def interrupt(model, path, epochs, data, every=1):
    """Fit with checkpoints up to the end of an epoch."""
    model.set_callbacks(Checkpoint(path, every), Interrupt(epochs))
    with pytest.raises(Interrupted):
        model.fit(*data)


# Parameters, rows, targets, weights.
CASES = {
    "sgd": ({"solver": "sgd"}, X, TEXT, None),
    "no momentum": ({"solver": "sgd", "momentum": 0}, X, TEXT, None),
    "momentum": ({"solver": "sgd", "nesterovs_momentum": False}, X, TEXT, None),
    "invscaling": ({"solver": "sgd", "learning_rate": "invscaling"}, X, TEXT, None),
    "adaptive": (
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
        X,
        TEXT,
        None,
    ),
    "adaptive to its end": (
        {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 1e-5, "tol": 9.0}
        | {"n_iter_no_change": 1},
        X,
        TEXT,
        None,
    ),
    "adam": ({}, X, TEXT, None),
    "a plateau": ({"tol": 1.0, "n_iter_no_change": 2}, X, TEXT, None),
    "early stopping": ({"early_stopping": True, "learning_rate_init": 0.05}, X, CLASSES, None),
    "stopped early": ({"early_stopping": True, "n_iter_no_change": 1, "tol": 1.0}, X, TEXT, None),
    "weights": ({"early_stopping": True}, X, TEXT, WEIGHT),
    "whole rows": ({"shuffle": False, "batch_size": 7}, X, TEXT, WEIGHT),
    "float32": ({}, X.astype(np.float32), TEXT, None),
    "float32 of float64": ({"compute_dtype": "float32"}, X, TEXT, None),
    "integers": ({}, (10 * X).astype(np.int16), TEXT, None),
    "sparse": ({"early_stopping": True}, csr_array(np.where(X > 0, X, 0)), TEXT, None),
    "mostly zero": ({}, np.where(np.abs(X) > 1.7, X, 0), TEXT, None),
    "Fortran's order": ({}, np.asfortranarray(X), TEXT, None),
    "a frame": ({}, pd.DataFrame(X, columns=list("abcd")), pd.Series(TEXT), None),
    "many labels": ({}, X, (X[:, :3] > 0).astype(int), None),
    "sparse labels": ({"early_stopping": True}, X, csr_array((X[:, :3] > 0).astype(int)), None),
    "numbers": ({}, X, NUMBERS, WEIGHT),
    "several numbers": ({"early_stopping": True}, X, X[:, :2], None),
    "poisson": ({"loss": "poisson"}, X, np.abs(NUMBERS), None),
    "an instance": ({"random_state": np.random.RandomState(3)}, X, TEXT, None),
    "three threads": ({"n_threads": 3}, X, TEXT, None),
}
each_case = pytest.mark.parametrize("case", CASES)


def setting(case):
    """A new model of a case, and its data."""
    params, *data = CASES[case]
    regression = getattr(data[1], "dtype", None) == np.float64
    cls = MLPRegressor if regression else MLPClassifier
    defaults = {"hidden_layer_sizes": (5,), "max_iter": EPOCHS, "random_state": 0}
    return cls(**defaults | {"batch_size": 10} | copy.deepcopy(params)), data


@each_case
def test_a_fit_interrupted_after_any_epoch_comes_to_the_same(case, path):
    whole, data = setting(case)
    whole.fit(*data)
    for epochs in range(whole.n_iter_ + 1):
        model, _ = setting(case)
        interrupt(model, path, epochs, data, every=1 + epochs % 2)
        resumed = resume(path, *data)
        assert outcome(resumed) == outcome(whole), epochs


@each_case
def test_a_resumed_model_goes_on_as_the_other_does(case, path):
    whole, data = setting(case)
    whole.set_params(warm_start=True).fit(*data)
    model, _ = setting(case)
    interrupt(model.set_params(warm_start=True), path, 1, data)
    resumed = resume(path, *data)
    for _ in range(2):
        assert outcome(resumed.fit(*data)) == outcome(whole.fit(*data))
        if not whole.early_stopping:
            assert outcome(resumed.partial_fit(*data)) == outcome(whole.partial_fit(*data))


@pytest.mark.parametrize("case", ["adaptive", "adam", "early stopping", "an instance"])
def test_a_second_fit_of_a_warm_start_is_resumed(case, path):
    whole, data = setting(case)
    whole.set_params(warm_start=True).fit(*data)
    first = copy.deepcopy(whole)
    whole.fit(*data)
    for epochs in range(whole.n_iter_ + 1):
        interrupt(copy.deepcopy(first), path, epochs, data)
        assert outcome(resume(path, *data)) == outcome(whole), epochs


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.filterwarnings("ignore")
def test_random_settings_are_resumed(name, solver, path):
    compared = 0
    for seed in range(12):
        setting = draw_setting(name, solver, seed)
        data = setting.X, setting.y, setting.sample_weight
        new = getattr(mlp_c, name)(n_threads=setting.n_threads)
        whole = copy.deepcopy(new).set_params(**copy.deepcopy(setting.params))
        try:
            whole.fit(*data)
        except ValueError:  # as scikit-learn's; a setting that cannot be fitted
            continue
        model = copy.deepcopy(new).set_params(**copy.deepcopy(setting.params))
        interrupt(model, path, seed % (whole.n_iter_ + 1), data, every=1 + seed % 3)
        assert outcome(resume(path, *data)) == outcome(whole), seed
        compared += 1
    assert compared > 7


@pytest.mark.parametrize("epochs", [0, 1, 4])
@pytest.mark.parametrize("every", [1, 2])
def test_a_fit_that_ctrl_c_ended_is_resumed_from_the_last_whole_epoch(
    epochs, every, path, monkeypatch
):
    """The fit warns; and the part of an epoch that it ended with is in no file."""
    whole = MLPClassifier(max_iter=EPOCHS, random_state=0).fit(X, TEXT)
    train, calls = _core.train_epoch, []

    def train_or_stop(*arguments):
        calls.append(None)
        result = train(*arguments)
        if len(calls) == epochs + 1:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(_core, "train_epoch", train_or_stop)
    model = MLPClassifier(max_iter=EPOCHS, random_state=0)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.set_callbacks(Checkpoint(path, every)).fit(X, TEXT)
    assert model.n_iter_ == epochs
    assert mlp_c.load(path).n_iter_ == epochs // every * every
    assert outcome(resume(path, X, TEXT)) == outcome(whole)


def test_a_fit_is_resumed_as_often_as_it_is_interrupted(path):
    whole, data = setting("early stopping")
    whole.fit(*data)
    model, _ = setting("early stopping")
    interrupt(model, path, 1, data)
    for epochs in range(2, whole.n_iter_ + 1):
        with pytest.raises(Interrupted):
            resume(path, *data, callbacks=[Interrupt(epochs)])
    assert outcome(resume(path, *data)) == outcome(whole)


def test_without_a_seed_a_fit_goes_on_from_the_generator_it_had(path):
    """NumPy's global one, which is left as it is."""
    whole, data = setting("early stopping")
    np.random.seed(5)
    whole.set_params(random_state=None).fit(*data)
    model, _ = setting("early stopping")
    np.random.seed(5)
    interrupt(model.set_params(random_state=None), path, 3, data)
    before = np.random.get_state()[1].tolist()
    assert outcome(resume(path, *data)) == outcome(whole)
    assert np.random.get_state()[1].tolist() == before


def test_a_resumed_fit_writes_checkpoints_as_often_as_before(path):
    model, data = setting("adam")
    interrupt(model, path, 3, data, every=2)
    assert mlp_c.load(path).n_iter_ == 2
    with pytest.raises(Interrupted):
        resume(path, *data, callbacks=[Interrupt(5)])
    assert mlp_c.load(path).n_iter_ == 4


def test_a_fit_that_has_ended_is_resumed_to_its_end(path):
    model, data = setting("adam")
    model.set_callbacks(Checkpoint(path, every=5)).fit(*data)
    assert mlp_c.load(path).n_iter_ == 5
    assert outcome(resume(path, *data)) == outcome(model)
    assert outcome(resume(path, *data)) == outcome(model)


@pytest.mark.parametrize("case", ["adaptive to its end", "a plateau", "stopped early"])
def test_a_fit_that_converged_is_resumed_to_no_epoch_more(case, path):
    model, data = setting(case)
    model.set_params(max_iter=100).set_callbacks(Checkpoint(path)).fit(*data)
    assert model.n_iter_ < 100
    assert outcome(resume(path, *data)) == outcome(model)


# ---- checkpoints ----


def test_a_checkpoint_is_a_model_of_as_many_epochs(path):
    model, data = setting("adam")
    interrupt(model, path, 5, data)
    shorter, _ = setting("adam")
    shorter.set_params(max_iter=5).fit(*data)
    loaded = mlp_c.load(path)
    assert loaded.set_params(max_iter=5).get_params() == shorter.get_params()
    assert outcome(loaded) == outcome(shorter)


def test_a_fit_that_begins_takes_the_place_of_the_last(path):
    model, data = setting("adam")
    model.set_callbacks(Checkpoint(path)).fit(*data)
    interrupt(MLPClassifier((3,), random_state=1), path, 0, data, every=10)
    assert mlp_c.load(path).n_iter_ == 0
    assert resume(path, *data).hidden_layer_sizes == (3,)


def test_partial_fit_leaves_the_file_alone(path):
    model, data = setting("adam")
    model.set_callbacks(Checkpoint(path)).fit(*data)
    before = path.read_bytes()
    model.partial_fit(*data)
    assert path.read_bytes() == before


def test_a_step_of_a_pipeline_writes_checkpoints(path):
    model, (rows, targets, _) = setting("adam")
    whole = make_pipeline(StandardScaler(), model.set_callbacks(Checkpoint(path)))
    whole.fit(rows, targets)
    resumed = resume(path, StandardScaler().fit_transform(rows), targets)
    assert outcome(resumed) == outcome(whole[-1])


def test_a_fit_without_checkpoints_takes_no_fingerprint(monkeypatch):
    monkeypatch.setattr(Data, "fingerprint", property(lambda self: 1 / 0))
    model, data = setting("early stopping")
    model.set_callbacks(Interrupt(-1)).fit(*data)


def test_a_pickled_checkpoint_is_one(path):
    model, data = setting("adam")
    copy.deepcopy(model.set_callbacks(Checkpoint(path, 2))).fit(*data)
    assert mlp_c.load(path).n_iter_ == EPOCHS


# ---- what is refused ----


@pytest.mark.parametrize(
    ("every", "error"),
    [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError), ("1", TypeError)],
)
def test_an_interval_that_is_no_number_of_epochs_is_refused(every, error, path):
    with pytest.raises(error, match="every must be an integer of at least 1"):
        Checkpoint(path, every)


def test_a_path_that_is_none_is_refused():
    with pytest.raises(TypeError, match=r"path|str"):
        Checkpoint(3)


def test_lbfgs_is_refused_as_a_fit_begins(path):
    model, data = setting("adam")
    with pytest.raises(ValueError, match="'lbfgs'"):
        model.set_params(solver="lbfgs").set_callbacks(Checkpoint(path)).fit(*data)
    assert not path.exists()


def test_the_estimators_of_others_are_refused(path):
    with pytest.raises(TypeError, match="LogisticRegression"):
        LogisticRegression().set_callbacks(Checkpoint(path)).fit(X, TEXT)


def test_a_place_where_no_file_can_be_is_found_as_a_fit_begins(path):
    model, data = setting("adam")
    begun = Interrupt(1)
    with pytest.raises(FileNotFoundError):
        model.set_callbacks(Checkpoint(path / "none"), begun).fit(*data)


def test_a_file_without_a_checkpoint_is_refused(path):
    model, data = setting("adam")
    model.fit(*data).save(path)
    with pytest.raises(ValueError, match="no checkpoint"):
        resume(path, *data)


def test_a_file_that_is_not_there_is_not_found(path):
    with pytest.raises(FileNotFoundError):
        resume(path, X, TEXT)


def last_bit(array):
    changed = array.copy()
    changed[-1, -1] = np.nextafter(changed[-1, -1], np.inf)
    return changed


OTHER_DATA = {
    "another bit": lambda X, y, w: (last_bit(X), y, w),
    "another order": lambda X, y, w: (X[::-1], y[::-1], w[::-1]),
    "fewer rows": lambda X, y, w: (X[1:], y[1:], w[1:]),
    "fewer features": lambda X, y, w: (X[:, 1:], y, w),
    "another dtype": lambda X, y, w: (X.astype(np.float32), y, w),
    "the same bytes as integers": lambda X, y, w: (X.view(np.int64), y, w),
    "another container": lambda X, y, w: (csr_array(X), y, w),
    "other targets": lambda X, y, w: (X, np.roll(y, 1), w),
    "other labels": lambda X, y, w: (X, np.char.upper(y), w),
    "fewer labels": lambda X, y, w: (X, np.where(y == "ant", "bee", y), w),
    "other weights": lambda X, y, w: (X, y, np.roll(w, 1)),
    "no weights": lambda X, y, w: (X, y, None),
    "the same, as objects": lambda X, y, w: (pd.DataFrame(X, columns=list("abcd")), y[::-1], w),
}


@pytest.mark.parametrize("other", OTHER_DATA)
@pytest.mark.parametrize("case", ["weights", "adam"])
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_other_data_are_refused(case, other, path):
    params, *_ = CASES[case]
    model = MLPClassifier((3,), random_state=0, **params)
    interrupt(model, path, 2, (X, TEXT, WEIGHT))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"interrupted fit|features|classes"):
        resume(path, *OTHER_DATA[other](X, TEXT, WEIGHT))
    assert path.read_bytes() == before


FORGED = {
    "no dict": lambda c: None,
    "nothing": lambda c: {},
    "more": lambda c: c | {"more": 1},
    "every 0": lambda c: c | {"every": 0},
    "every of text": lambda c: c | {"every": "1"},
    "no generator": lambda c: c | {"generator": None},
    "a generator of the new kind": lambda c: (
        c | {"generator": {"class": "Generator", "state": np.random.PCG64(0).state}}
    ),
    "a generator that reads beyond its array": lambda c: (
        c | {"generator": {"class": "RandomState", "state": beyond(c["generator"]["state"])}}
    ),
    "no position": lambda c: c | {"position": None},
    "a position cut": lambda c: c | {"position": c["position"][1:]},
    "a position twice": lambda c: c | {"position": c["position"] * 0},
    "a position beyond": lambda c: c | {"position": c["position"] + 1},
    "a position of floats": lambda c: c | {"position": c["position"].astype(float)},
    "a position in two dimensions": lambda c: c | {"position": c["position"][np.newaxis]},
    "no split": lambda c: c | {"split": None},
    "half a split": lambda c: c | {"split": c["split"][:1]},
    "a split of lists": lambda c: c | {"split": [part.tolist() for part in c["split"]]},
    "a split of rows twice": lambda c: c | {"split": [c["split"][0], c["split"][0]]},
    "a split of one part": lambda c: c | {"split": [np.arange(N), np.arange(0)]},
    "no weights": lambda c: c | {"best_weights": ([], [])},
    "half the weights": lambda c: c | {"best_weights": c["best_weights"][:1]},
    "weights cut": lambda c: (
        c | {"best_weights": ([w[:-1] for w in c["best_weights"][0]], c["best_weights"][1])}
    ),
    "an answer": lambda c: c | {"converged": 1},
}


def beyond(state):
    return state | {"state": state["state"] | {"pos": 10**6}}


@pytest.mark.parametrize("what", FORGED)
def test_a_checkpoint_that_no_fit_has_is_refused(what, path):
    model, data = setting("early stopping")
    interrupt(model, path, 3, data)
    content = files.read(path)
    path.write_bytes(packed(content | {"checkpoint": FORGED[what](content["checkpoint"])}))
    with pytest.raises(ValueError, match=r"checkpoint|every"):
        resume(path, *data)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("parameters", "solver", "lbfgs"),
        ("parameters", "early_stopping", True),
        ("parameters", "hidden_layer_sizes", (6,)),
        ("optimizer", None, None),
        ("fitted", None, {}),
    ],
)
def test_a_checkpoint_whose_model_was_in_no_such_fit_is_refused(part, name, value, path):
    model, data = setting("adam")
    interrupt(model, path, 3, data)
    content = files.read(path)
    changed = value if name is None else content[part] | {name: value}
    content = content | {part: changed}
    if part == "fitted":
        content["optimizer"] = None
    path.write_bytes(packed(content))
    with pytest.raises(ValueError, match=r"fitting|early_stopping|hidden_layer_sizes"):
        resume(path, *data)


# ---- killed ----


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fit_that_is_killed_again_and_again_comes_to_the_same(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        killed, _ = kill.kill_fits(8, tmp_path)
    assert killed >= 8

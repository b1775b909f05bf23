"""What a checkpoint holds and when it is written; those that no fit can go on from are refused."""

import copy

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlp_c
from mlp_c import Checkpoint, MLPClassifier, resume
from mlp_c._saving import files
from mlp_c._training.data import Data
from support.checkpoints import CASES, EPOCHS, WEIGHT, Interrupt, interrupt, setting
from support.states import TEXT, N, X, outcome, packed

pytest.importorskip("safetensors")  # there is none for all Pythons
pytestmark = [
    pytest.mark.usefixtures("no_waiting_for_the_disk"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size`"),
]


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
    "left out by another name": lambda c: c | {"left_out": ["tol"]},
    "left out twice": lambda c: c | {"left_out": ["scoring", "scoring"]},
    "left out as text": lambda c: c | {"left_out": "scoring"},
    "left out as nothing": lambda c: c | {"left_out": None},
}


def beyond(state):
    return state | {"state": state["state"] | {"pos": 10**6}}


def test_a_checkpoint_of_before_is_resumed_without_what_it_does_not_have(path):
    """The steps that were made, of SGD, and the rates of the epochs before."""
    whole, data = setting("sgd")
    whole.fit(*data)
    model, _ = setting("sgd")
    interrupt(model, path, 2, data)
    content = files.read(path)
    del content["fitted"]["learning_rate_curve_"], content["optimizer"]["steps"]
    path.write_bytes(packed(content | {"format": 1}))
    resumed = resume(path, *data)
    assert np.isnan(resumed.learning_rate_curve_[:2]).all()
    assert resumed.learning_rate_curve_[2:] == whole.learning_rate_curve_[2:]
    assert resumed.n_steps_ == whole.n_steps_ * (EPOCHS - 2) // EPOCHS
    resumed.learning_rate_curve_, resumed._optimizer.steps = (
        whole.learning_rate_curve_,
        whole._optimizer.steps,
    )
    assert outcome(resumed) == outcome(whole)


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


def write_with_activation(path, activation):
    """Write a checkpoint whose model has another parameter; return the fit's data."""
    model, data = setting("gelu")
    interrupt(model, path, 3, data)
    content = files.read(path)
    parameters = content["parameters"] | {"activation": activation}
    path.write_bytes(packed(content | {"parameters": parameters}))
    return data


@pytest.mark.parametrize("names", [[], ["gelu"] * 2], ids=len)
def test_a_checkpoint_with_activations_for_another_network_is_refused(names, path):
    """And its file stays as it was found."""
    data = write_with_activation(path, names)
    before = path.read_bytes()
    message = rf"^activation must be .* for each of 1 hidden layers, got {len(names)} names$"
    with pytest.raises(ValueError, match=message):
        resume(path, *data)
    assert path.read_bytes() == before


@pytest.mark.parametrize("junk", ["odd", ["odd"], None])
def test_a_checkpoint_with_junk_for_activations_is_refused(junk, path):
    """As the fit goes on."""
    data = write_with_activation(path, junk)
    with pytest.raises(ValueError, match="The 'activation' parameter of MLPClassifier"):
        resume(path, *data)

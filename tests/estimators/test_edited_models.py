"""Models that users edit between fitting and using them: they go on as scikit-learn's do."""

import copy
import pickle
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor
from support.edited import THEIRS, both, each_way, fitted, outputs, saved, weights
from support.states import CLASSES, NUMBERS, TEXT, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# ---- edits that leave a model that predicts ----


def narrowed(model):
    model.coefs_ = [w.astype(np.float32) for w in model.coefs_]
    model.intercepts_ = [b.astype(np.float32) for b in model.intercepts_]


def in_lists(model):
    model.coefs_ = [w.tolist() for w in model.coefs_]
    model.intercepts_ = tuple(b.tolist() for b in model.intercepts_)


def pruned(model):
    """Without the first hidden unit, consistently."""
    model.coefs_ = [model.coefs_[0][:, 1:], model.coefs_[1][1:]]
    model.intercepts_ = [model.intercepts_[0][1:], model.intercepts_[1]]


def without(*names):
    def edit(model):
        for name in names:
            delattr(model, name)

    return edit


EDITS = {
    "no loss curve": without("loss_curve_"),
    "no best loss": without("best_loss_"),
    "no record": without("loss_curve_", "best_loss_", "_no_improvement_count", "loss_"),
    "no counters": without("n_iter_", "t_"),
    "no sizes": without("n_features_in_", "n_layers_", "n_outputs_"),
    "no moments": without("_optimizer"),
    "float32 weights": narrowed,
    "weights in lists": in_lists,
    "weights of integers": lambda m: setattr(m, "coefs_", [w.astype(int) for w in m.coefs_]),
    "weights of the other byte order": lambda m: setattr(
        m, "coefs_", [w.astype(w.dtype.newbyteorder()) for w in m.coefs_]
    ),
    "biases in lists": lambda m: setattr(m, "intercepts_", [b.tolist() for b in m.intercepts_]),
    "a unit pruned": pruned,
    "Fortran's order": lambda m: setattr(m, "coefs_", [np.asfortranarray(w) for w in m.coefs_]),
    "0 epochs": lambda m: setattr(m, "max_iter", 0),
    "an odd solver": lambda m: setattr(m, "solver", "rmsprop"),
    "a loss curve in an array": lambda m: setattr(m, "loss_curve_", np.array(m.loss_curve_)),
    "classes in a list": lambda m: (
        hasattr(m, "classes_") and setattr(m, "classes_", m.classes_.tolist())
    ),
    "a note": lambda m: setattr(m, "note", {"who": "me"}),
}


@each_way
@pytest.mark.parametrize("edit", EDITS)
@both
def test_an_edited_model_predicts_the_same_after_it_is_saved(cls, edit, way, tmp_path):
    pytest.importorskip("safetensors")
    model = fitted(cls)
    EDITS[edit](model)
    twin = saved(model, way, tmp_path / "model")
    assert outputs(twin).tobytes() == outputs(model).tobytes()
    assert outputs(twin, csr_array(X)).tobytes() == outputs(model, csr_array(X)).tobytes()


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("edit", EDITS)
@both
def test_an_edited_model_is_trained_on(cls, edit, solver):
    """By partial_fit and with warm_start, where its parameters are valid and its widths are."""
    y = TEXT if cls is MLPClassifier else NUMBERS
    model = fitted(cls)
    EDITS[edit](model)
    model.set_params(max_iter=2, solver=solver, hidden_layer_sizes=len(model.intercepts_[0]))
    if solver != "lbfgs":
        model.partial_fit(X, y)
    model.set_params(warm_start=True).fit(X, y)
    assert np.isfinite(model.loss_)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@both
def test_a_fit_begins_a_curve_of_its_own(cls, solver):
    """The list that a user has kept of the last one stays."""
    model = fitted(cls, solver=solver)
    curve = model.loss_curve_
    kept = list(curve)
    model.fit(X, TEXT if cls is MLPClassifier else NUMBERS)
    assert model.loss_curve_ == kept == curve
    model.set_params(warm_start=True).fit(X, TEXT if cls is MLPClassifier else NUMBERS)
    assert len(model.loss_curve_) == 2 * len(kept)
    assert curve == kept


def unfit(model):
    model.intercepts_[0] = model.intercepts_[0][:-1]


REFUSED = {
    "biases cut": unfit,
    "no biases": without("intercepts_"),
    "no weights and no kind": without("coefs_", "out_activation_", "_target_kind"),
    "weights of text": lambda m: setattr(m, "coefs_", [[["a"]], [["b"]]]),
    "weights of three dimensions": lambda m: setattr(m, "coefs_", [w[None] for w in m.coefs_]),
    "fewer classes": lambda m: setattr(m, "classes_", m.classes_[:2]),
    "classes twice": lambda m: setattr(m, "classes_", np.array(["a", "a", "b"])),
}


@each_way
@pytest.mark.parametrize("edit", REFUSED)
def test_a_model_that_cannot_be_read_is_not_written(edit, way, tmp_path):
    """The good file stays."""
    pytest.importorskip("safetensors")
    model, path = fitted(), tmp_path / "model"
    model.save(path)
    before = path.read_bytes()
    REFUSED[edit](model)
    with pytest.raises(ValueError, match="of a state"):
        saved(model, way, path)
    if way == "file":
        assert path.read_bytes() == before


# ---- weights that users give ----


def with_given_weights(cls, dtype=np.float64, in_lists=False):
    """An unfitted estimator with the weights of a fitted one."""
    source = fitted(cls)
    model = cls(hidden_layer_sizes=(4,))
    for name in ("coefs_", "intercepts_"):
        arrays = [array.astype(dtype) for array in getattr(source, name)]
        setattr(model, name, [a.tolist() for a in arrays] if in_lists else arrays)
    for name in ("n_layers_", "n_outputs_", "out_activation_"):
        setattr(model, name, getattr(source, name))
    if cls is MLPClassifier:
        model.classes_ = source.classes_
    return model, source


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("in_lists", [False, True])
@pytest.mark.parametrize("rows", [X, X.astype(np.float32), X.tolist(), csr_array(X)], ids=str)
@both
def test_weights_put_into_an_unfitted_estimator_predict(cls, rows, in_lists, dtype):
    model, source = with_given_weights(cls, dtype, in_lists)
    np.testing.assert_allclose(outputs(model, rows), outputs(source, rows), rtol=1e-4, atol=1e-5)
    if cls is MLPClassifier:
        assert (model.predict(rows) == source.predict(rows)).mean() > 0.95
    twin = pickle.loads(pickle.dumps(model))
    assert outputs(twin, rows).tobytes() == outputs(model, rows).tobytes()


@both
def test_weights_put_into_an_unfitted_estimator_are_trained_on(cls):
    model, _ = with_given_weights(cls)
    model.set_params(warm_start=True, max_iter=2).fit(X, TEXT if cls is MLPClassifier else NUMBERS)
    assert model.n_iter_ == 2


@pytest.mark.parametrize(
    "y", [CLASSES > 0, CLASSES, (X[:, :3] > 0).astype(int)], ids=["binary", "multi", "labels"]
)
def test_the_kind_of_targets_follows_from_given_weights(y):
    source = MLPClassifier((4,), max_iter=3, random_state=0).fit(X, y)
    del source._target_kind
    again = MLPClassifier((4,), max_iter=3, random_state=0).fit(X, y)
    np.testing.assert_array_equal(source.predict(X), again.predict(X))
    np.testing.assert_array_equal(source.to_sklearn().predict(X), again.predict(X))


# ---- classes under other names ----


@each_way
@pytest.mark.parametrize("y", [TEXT, TEXT == "ant"], ids=["three", "two"])
def test_codes_index_classes_that_were_renamed(y, way, tmp_path):
    """In another order: predictions, copies, scikit-learn's model, and training."""
    pytest.importorskip("safetensors")
    model = MLPClassifier((4,), max_iter=4, random_state=0).fit(X, y)
    codes = np.searchsorted(model.classes_, model.predict(X))
    model.classes_ = np.array(["zebra", "yak", "ape"][: len(model.classes_)])
    want = model.classes_[codes]
    np.testing.assert_array_equal(model.predict(X), want)
    np.testing.assert_array_equal(saved(model, way, tmp_path / "m").predict(X), want)
    np.testing.assert_array_equal(model.to_sklearn().predict(X), want)
    model.set_params(learning_rate_init=0.01)
    for _ in range(30):
        model.partial_fit(X, want)
    assert model.score(X, want) > 0.9


# ---- what an attacker found ----


@each_way
@pytest.mark.parametrize("names", [list, tuple, pd.Index, lambda names: np.array(names, "T")])
def test_feature_names_in_any_container_are_kept(names, way, tmp_path):
    """Rows whose columns are in another order are refused after a copy, too."""
    pytest.importorskip("safetensors")
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(frame, NUMBERS)
    model.feature_names_in_ = names(list("abcd"))
    twin = saved(model, way, tmp_path / "m")
    assert list(twin.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        twin.predict(frame[list("dcba")])


RECORDS = {
    "a float counter": lambda m: setattr(m, "t_", 480.0),
    "a negative counter": lambda m: setattr(m, "t_", -61),
    "no scores": without("validation_scores_"),
    "scores in an array": lambda m: setattr(m, "validation_scores_", np.ones(2)),
    "a best score beside": lambda m: setattr(m, "best_validation_score_", 0.5),
    "a curve of text": lambda m: setattr(m, "loss_curve_", ["a"]),
    "a curve of None": lambda m: setattr(m, "loss_curve_", None),
    "an optimizer of 3": lambda m: setattr(m, "_optimizer", 3),
    "no optimizer": lambda m: setattr(m, "_optimizer", None),
}


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("edit", RECORDS)
@both
def test_records_that_no_fit_leaves_are_begun_anew(cls, edit, early_stopping, tmp_path):
    """In a warm start, whose checkpoint resumes; after a copy as well; and in partial_fit."""
    pytest.importorskip("safetensors")
    y = TEXT if cls is MLPClassifier else NUMBERS
    for copied in (False, True):
        model = fitted(
            cls, warm_start=True, early_stopping=early_stopping, learning_rate="invscaling"
        )
        RECORDS[edit](model)
        model = copy.deepcopy(model) if copied else model
        model.set_callbacks(mlp_c.Checkpoint(tmp_path / "fit")).fit(X, y)
        assert mlp_c.resume(tmp_path / "fit", X, y).n_iter_ == model.n_iter_
    model = fitted(cls)
    RECORDS[edit](model)
    model.partial_fit(X, y)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_a_resumed_fit_leaves_its_generator_where_the_fit_would(bits, tmp_path):
    pytest.importorskip("safetensors")
    params = {"hidden_layer_sizes": (4,), "max_iter": 6}
    whole = MLPRegressor(**params, random_state=np.random.Generator(bits(5))).fit(X, NUMBERS)
    part = MLPRegressor(**params, random_state=np.random.Generator(bits(5)))
    part.set_callbacks(mlp_c.Checkpoint(tmp_path / "fit", every=4)).fit(X, NUMBERS)
    resumed = mlp_c.resume(tmp_path / "fit", X, NUMBERS)
    assert weights(resumed) == weights(whole)
    assert weights(resumed.fit(X, NUMBERS)) == weights(whole.fit(X, NUMBERS))


def test_unfitted_classes_and_outputs_are_copied():
    model = MLPClassifier()
    model.classes_, model.n_outputs_ = np.arange(3), 3
    assert not hasattr(pickle.loads(pickle.dumps(model)), "coefs_")


@pytest.mark.parametrize("classes", [[0.5, 1.5, 2.5], np.array([3, 1, 2], object)], ids=str)
def test_scikit_learns_model_has_any_classes_and_its_sizes(classes):
    model = fitted(random_state=np.random.default_rng(0))
    model.classes_ = np.asarray(classes)
    model.n_layers_, model.n_outputs_ = 2, 1
    theirs = model.to_sklearn()
    np.testing.assert_array_equal(theirs.predict(X), model.predict(X))
    theirs.fit(X, TEXT)


def test_classes_that_scikit_learn_does_not_predict_by_are_not_taken_over():
    theirs = THEIRS["MLPClassifier"]((4,), max_iter=4, random_state=0).fit(X, TEXT)
    theirs.classes_ = theirs.classes_[::-1]
    np.testing.assert_array_equal(mlp_c.from_sklearn(theirs).predict(X), theirs.predict(X))


# ---- edits at random ----


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=100, deadline=None)
@given(
    cls=st.sampled_from([MLPClassifier, MLPRegressor]),
    edits=st.lists(st.sampled_from(sorted(EDITS | REFUSED)), min_size=1, max_size=4),
    way=st.sampled_from(["pickle", "deepcopy", "joblib", "file"]),
)
def test_any_edits_leave_a_model_that_is_saved_whole_or_refused(cls, edits, way):
    """It predicts the same when it is read again; or nothing is written."""
    pytest.importorskip("safetensors")
    model = fitted(cls)
    for edit in edits:
        with suppress(AttributeError, IndexError, TypeError, ValueError):  # already edited away
            (EDITS | REFUSED)[edit](model)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "model")
        try:
            twin = saved(model, way, path)
        except ValueError:
            assert not path.exists() or way == "joblib"
            return
    if hasattr(model, "coefs_"):
        assert outputs(twin).tobytes() == outputs(model).tobytes()

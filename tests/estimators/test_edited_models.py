"""Models that users edit between fitting and using them: they go on as scikit-learn's do."""

import copy
import pickle
import tempfile
from contextlib import suppress
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
import sklearn.neural_network
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor
from mlp_c._estimators.hooks import HOOKS
from support.states import CLASSES, NUMBERS, TEXT, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
both = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
THEIRS = {"MLPClassifier": sklearn.neural_network.MLPClassifier}
THEIRS["MLPRegressor"] = sklearn.neural_network.MLPRegressor


def fitted(cls=MLPClassifier, **params):
    params = {"hidden_layer_sizes": (4,), "max_iter": 4, "random_state": 0} | params
    return cls(**params).fit(X, TEXT if cls is MLPClassifier else NUMBERS)


def outputs(model, rows=X):
    return model.predict_proba(rows) if hasattr(model, "classes_") else model.predict(rows)


def saved(model, way, path):
    """The model again: after a pickle, a copy, joblib or a file."""
    if way == "pickle":
        return pickle.loads(pickle.dumps(model))
    if way == "deepcopy":
        return copy.deepcopy(model)
    if way == "joblib":
        joblib.dump(model, path)
        return joblib.load(path)
    model.save(path)
    return mlp_c.load(path)


each_way = pytest.mark.parametrize("way", ["pickle", "deepcopy", "joblib", "file"])

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
    "biases in lists": lambda m: setattr(m, "intercepts_", [b.tolist() for b in m.intercepts_]),
    "a unit pruned": pruned,
    "Fortran's order": lambda m: setattr(m, "coefs_", [np.asfortranarray(w) for w in m.coefs_]),
    "0 epochs": lambda m: setattr(m, "max_iter", 0),
    "an odd solver": lambda m: setattr(m, "solver", "rmsprop"),
    "a loss curve in an array": lambda m: setattr(m, "loss_curve_", np.array(m.loss_curve_)),
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


@pytest.mark.parametrize("edit", EDITS)
@both
def test_an_edited_model_is_trained_on(cls, edit):
    """By partial_fit and with warm_start, where its parameters are valid and its widths are."""
    y = TEXT if cls is MLPClassifier else NUMBERS
    model = fitted(cls)
    EDITS[edit](model)
    model.set_params(max_iter=2, solver="adam", hidden_layer_sizes=len(model.intercepts_[0]))
    model.partial_fit(X, y)
    model.set_params(warm_start=True).fit(X, y)
    assert np.isfinite(model.loss_)


def unfit(model):
    model.intercepts_[0] = model.intercepts_[0][:-1]


REFUSED = {
    "biases cut": unfit,
    "no biases": without("intercepts_"),
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


# ---- subclasses ----


@pytest.mark.parametrize("name", HOOKS)
@both
def test_overriding_what_is_never_called_is_refused(cls, name):
    """By the class itself, and by a mixin; the message says what to do instead."""
    with pytest.raises(TypeError, match=f"^Sub overrides {name}, which mlp_c never calls: .+"):
        type("Sub", (cls,), {name: lambda self: None})
    mixin = type("Mixin", (), {name: lambda self: None})
    with pytest.raises(TypeError, match=f"^Sub overrides {name}"):
        type("Sub", (mixin, cls), {})


@both
def test_hooks_are_those_of_scikit_learns_classes(cls):
    """All that its networks have and ours have not, and nothing that a user's class may need."""
    theirs = [c for c in THEIRS[cls.__name__].__mro__ if "multilayer" in c.__module__]
    names = {name for c in theirs for name, value in vars(c).items() if callable(value)}
    missing = {name for name in names if not hasattr(cls, name) or name in HOOKS}
    assert missing <= HOOKS.keys()
    type("Sub", (cls,), {"predict": lambda self, X: None, "_mine": 1})


# ---- scikit-learn's models and names ----


@both
def test_early_stopping_goes_on_in_scikit_learn(cls):
    theirs = fitted(cls, early_stopping=True, warm_start=True).to_sklearn()
    theirs.fit(X, TEXT if cls is MLPClassifier else NUMBERS)
    assert len(theirs.validation_scores_) > 4


@both
def test_models_of_old_versions_of_scikit_learn_are_converted(cls):
    """Which had neither n_features_in_ nor all parameters."""
    y = TEXT if cls is MLPClassifier else NUMBERS
    theirs = THEIRS[cls.__name__](hidden_layer_sizes=(4,), max_iter=4, random_state=0).fit(X, y)
    want = outputs(theirs)
    for name in ("n_features_in_", "max_fun", "n_iter_no_change"):
        delattr(theirs, name)
    np.testing.assert_allclose(outputs(mlp_c.from_sklearn(theirs)), want)


@both
def test_patched_names_are_ours_until_they_are_given_back(cls):
    """Classes that are bound, pickles and conversions stay as they are."""
    name = cls.__name__
    theirs = THEIRS[name](hidden_layer_sizes=(4,), max_iter=2).fit(
        X, TEXT if cls is MLPClassifier else NUMBERS
    )
    pickled = pickle.dumps(theirs)
    with mlp_c.patch_sklearn():
        assert getattr(sklearn.neural_network, name) is cls
        with mlp_c.patch_sklearn():
            pass
        assert getattr(sklearn.neural_network, name) is cls
        assert type(pickle.loads(pickled)) is THEIRS[name]
        assert type(mlp_c.from_sklearn(theirs)) is cls
        assert type(fitted(cls).to_sklearn()) is THEIRS[name]
    assert getattr(sklearn.neural_network, name) is THEIRS[name]
    mlp_c.patch_sklearn()
    mlp_c.unpatch_sklearn()
    assert getattr(sklearn.neural_network, name) is THEIRS[name]


# ---- what a fit is told ----


def test_a_warm_start_with_other_outputs_names_y():
    model = fitted(MLPRegressor, warm_start=True)
    with pytest.raises(ValueError, match=r"^y must have as many outputs as .*, which is 1, got 2$"):
        model.fit(X, X[:, :2])


@both
def test_an_odd_solver_is_refused_without_validation_too(cls):
    with (
        sklearn.config_context(skip_parameter_validation=True),
        pytest.raises(ValueError, match=r"^solver must be one of .*, got 'rmsprop'$"),
    ):
        fitted(cls, solver="rmsprop")


def test_targets_beyond_float32_are_refused_by_name():
    y = np.full(len(X), 1e300)
    with pytest.raises(ValueError, match=r"^y must be in the range of float32.*1e\+300; compute_d"):
        MLPRegressor().fit(X.astype(np.float32), y)
    MLPRegressor(max_iter=1, solver="lbfgs").fit(X.astype(np.float32), np.full(len(X), 1e30))


def test_lbfgs_prints_and_records_every_iteration(capsys):
    model = fitted(MLPRegressor, solver="lbfgs", verbose=True, max_iter=7)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Iteration {i + 1}, loss = {loss:.8f}" for i, loss in enumerate(model.loss_curve_)
    ]
    assert len(lines) == model.n_iter_ == 7
    assert model.loss_curve_[-1] == model.loss_
    twin = pickle.loads(pickle.dumps(model))
    assert twin.loss_curve_ == model.loss_curve_


# ---- NumPy's new generators ----


def weights(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@both
def test_a_generators_own_stream_is_used(cls, solver):
    """It goes on: a second fit draws other numbers, and the same as another would."""
    first, second = np.random.default_rng(3), np.random.default_rng(3)
    a, b = fitted(cls, random_state=first), fitted(cls, random_state=second)
    assert weights(a) == weights(b)
    assert first.bit_generator.state == second.bit_generator.state
    assert first.bit_generator.state != np.random.default_rng(3).bit_generator.state
    assert weights(fitted(cls, random_state=first)) != weights(a)


@each_way
@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.Philox, np.random.SFC64])
def test_a_generator_survives_copies(bits, way, tmp_path):
    pytest.importorskip("safetensors")
    model = fitted(MLPRegressor, random_state=np.random.Generator(bits(5)))
    twin = saved(model, way, tmp_path / "m")
    cloned = sklearn.clone(model)
    assert weights(model.fit(X, NUMBERS)) == weights(twin.fit(X, NUMBERS))
    assert weights(model) == weights(cloned.fit(X, NUMBERS))


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
    assert outputs(twin).tobytes() == outputs(model).tobytes()

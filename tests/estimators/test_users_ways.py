"""What users do with the classes: subclasses, other names, scikit-learn's models, generators."""

import pickle

import numpy as np
import pytest
import sklearn
import sklearn.neural_network

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor
from mlp_c._estimators.hooks import HOOKS
from support.edited import THEIRS, both, each_way, fitted, outputs, saved, weights
from support.states import NUMBERS, TEXT, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

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


def test_hooks_are_the_methods_of_scikit_learns_classes_that_ours_lack():
    names = set()
    for ours, theirs in ((cls, THEIRS[cls.__name__]) for cls in (MLPClassifier, MLPRegressor)):
        bases = [base for base in theirs.__mro__ if "multilayer" in base.__module__]
        found = {name for base in bases for name, value in vars(base).items() if callable(value)}
        names |= {name for name in found if not hasattr(ours, name)}
    assert names == HOOKS.keys()


@both
def test_what_users_override_is_theirs(cls):
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
        pytest.raises(ValueError, match=r"^solver must be one of .*, got 'rprop'$"),
    ):
        fitted(cls, solver="rprop")


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

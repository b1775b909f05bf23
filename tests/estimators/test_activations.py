"""Activations that scikit-learn has not, and one for each hidden layer: what is done with them."""

import copy
import pickle

import numpy as np
import pytest
import sklearn.neural_network
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor
from mlp_c._network.activations import ACTIVATIONS
from mlp_c._network.initial_weights import INITIALIZERS
from support import wide
from support.activations import CLASSES, MIXED, X, each_class, make
from support.states import outcome

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)


def bits(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


# ---- the same bits on any number of threads ----

SPARSE = np.where(wide.X > 1, wide.X, 0)
FORMS = {"dense": wide.X, "mostly zero": SPARSE, "sparse": csr_array(SPARSE)}
WIDE = {"hidden_layer_sizes": (100, 64), "max_iter": 3, "batch_size": 300}
each_wide = pytest.mark.parametrize(
    "activation",
    [
        "gelu",
        ["gelu", "tanh"],
        ["logistic", "gelu"],
        ["silu", "selu"],
        ["elu", "mish"],
        ["softplus", "leaky_relu"],
    ],
    ids=str,
)


def seen(model, rows):
    """The bits of a fit, and of what it predicts."""
    outputs = model.predict(rows) if isinstance(model, MLPRegressor) else model.predict_proba(rows)
    return bits(model), model.loss_curve_, outputs.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
@each_wide
@each_class
def test_a_fit_has_the_same_bits_on_any_number_of_threads(cls, activation, form, dtype):
    """Batches large enough to be shared, and the predictions."""
    rows = FORMS[form].astype(dtype)
    first, *others = (
        seen(wide.make(cls, **WIDE, activation=activation, n_threads=n).fit(rows, wide.Y), rows)
        for n in (1, 2, 3, 8)
    )
    assert np.frombuffer(first[0][0], dtype).any()
    for n, other in zip((2, 3, 8), others, strict=True):
        assert other == first, f"{n} threads"


@each_wide
@each_class
def test_lbfgs_has_the_same_bits_on_any_number_of_threads(cls, activation):
    """Its gradient is of all rows at once."""
    params = WIDE | {"solver": "lbfgs", "activation": activation}
    one, three = (bits(wide.make(cls, **params, n_threads=n).fit(wide.X, wide.Y)) for n in (1, 3))
    assert one == three


class Stopped(Exception):
    pass


def stop(model):
    if model.n_iter_ == 2:
        raise Stopped


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", ["dense", "sparse"])
@each_wide
@each_class
def test_a_resumed_fit_has_the_same_bits(cls, activation, form, dtype, tmp_path):
    """On three threads, ended after two epochs and resumed: as on one, in one go."""
    pytest.importorskip("safetensors")
    rows, path = FORMS[form].astype(dtype), tmp_path / "fit.safetensors"
    params = WIDE | {"activation": activation, "early_stopping": True}
    whole = wide.make(cls, **params, n_threads=1).fit(rows, wide.Y)
    model = wide.make(cls, **params, n_threads=3)
    model.set_callbacks(mlp_c.Checkpoint(path), wide.Callback(stop))
    with pytest.raises(Stopped):
        model.fit(rows, wide.Y)
    resumed = mlp_c.resume(path, rows, wide.Y)
    assert resumed.activation == activation
    assert resumed.n_iter_ == 3
    assert seen(resumed, rows) == seen(whole, rows)


# ---- a list of one name, and what else is done with lists ----


@pytest.mark.parametrize("options", [{}, {"solver": "sgd"}, {"solver": "lbfgs"}], ids=str)
@each_activation
@each_class
def test_a_list_of_one_name_is_the_name(cls, activation, options):
    """The bits of the fit, of predictions and scores; of a tuple, too."""
    named, listed, tupled = (
        make(cls, a, **options).fit(X, CLASSES)
        for a in (activation, [activation] * 3, (activation,) * 3)
    )
    assert bits(named) == bits(listed) == bits(tupled)
    assert named.predict(X).tobytes() == listed.predict(X).tobytes()
    assert named.score(X, CLASSES) == listed.score(X, CLASSES)
    assert named.loss_ == listed.loss_


@each_class
def test_partial_fit_takes_lists(cls):
    """Parts of the rows in turn: the bits of the name's, and epoch by epoch those of a fit."""
    models = [make(cls, a) for a in ("gelu", ["gelu"] * 3)]
    classes = {"classes": np.arange(3)} if cls is MLPClassifier else {}
    for first in range(3):
        for model in models:
            model.partial_fit(X[first::3], CLASSES[first::3], **classes)
    assert bits(models[0]) == bits(models[1])
    whole = make(cls, MIXED["gelu, tanh, relu"], shuffle=False, max_iter=2).fit(X, CLASSES)
    parts = make(cls, MIXED["gelu, tanh, relu"], shuffle=False)
    for _ in range(2):
        parts.partial_fit(X, CLASSES, **classes)
    assert bits(parts) == bits(whole)


@each_class
def test_warm_starts_take_lists(cls):
    """They go on from the weights, with another list as well: the bits of the names'."""
    models = [make(cls, a, warm_start=True) for a in ("gelu", ["gelu"] * 3)]
    for model, second in zip(models, ("tanh", ("tanh",) * 3), strict=True):
        model.fit(X, CLASSES).set_params(activation=second).fit(X, CLASSES)
        assert len(model.loss_curve_) == 16
    assert bits(models[0]) == bits(models[1])


@each_class
def test_a_clone_has_a_list_of_its_own(cls):
    """And is as good: what is done to one list is not to the other."""
    model = make(cls, ["gelu", "tanh", "relu"]).fit(X, CLASSES)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert twin.activation is not model.activation
    assert bits(twin.fit(X, CLASSES)) == bits(model)


@each_class
def test_set_params_changes_what_is_predicted(cls):
    """Predictions are those of the activations now set, as they are of a name."""
    model = make(cls, ["gelu"] * 3).fit(X, CLASSES)
    before = model.predict(X).tobytes()
    listed = model.set_params(activation=["identity"] * 3).predict(X).tobytes()
    assert model.set_params(activation="identity").predict(X).tobytes() == listed
    assert model.set_params(activation="gelu").predict(X).tobytes() == before
    assert before != listed or cls is MLPClassifier


@each_class
def test_a_grid_search_takes_names_and_lists(cls):
    """And its best model is that of the setting it names."""
    options = ["relu", "gelu", ["gelu", "tanh", "relu"], ("logistic", "gelu", "gelu")]
    search = GridSearchCV(make(cls, "tanh", max_iter=3), {"activation": options}, cv=2)
    search.fit(X, CLASSES)
    assert [p["activation"] for p in search.cv_results_["params"]] == options
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    again = make(cls, search.best_params_["activation"], max_iter=3).fit(X, CLASSES)
    assert bits(again) == bits(search.best_estimator_)


def saved_and_loaded(model, path):
    pytest.importorskip("safetensors")
    model.save(path)
    return mlp_c.load(path)


COPIES = {
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, path: copy.deepcopy(model),
    "file": saved_and_loaded,
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("activation", ["gelu", ["gelu", "tanh", "relu"], ("tanh",) * 3], ids=str)
@each_class
def test_a_copy_goes_on_as_the_model_does(cls, activation, way, tmp_path):
    """With the same activations in the same kind of list, to the same bits."""
    model = make(cls, activation).fit(X, CLASSES)
    twin = COPIES[way](model, tmp_path / "model.safetensors")
    assert outcome(twin) == outcome(model)
    assert twin.activation == activation
    assert type(twin.activation) is type(activation)
    assert twin.predict(X).tobytes() == model.predict(X).tobytes()
    assert outcome(twin.partial_fit(X, CLASSES)) == outcome(model.partial_fit(X, CLASSES))


@pytest.mark.parametrize("activation", ["gelu", ["gelu", "tanh", "relu"]], ids=str)
@each_class
def test_a_checkpoint_is_a_model_that_predicts(cls, activation, tmp_path):
    """The one of as many epochs."""
    pytest.importorskip("safetensors")
    path = tmp_path / "fit.safetensors"
    model = make(cls, activation).set_callbacks(mlp_c.Checkpoint(path, every=5)).fit(X, CLASSES)
    loaded, shorter = mlp_c.load(path), make(cls, activation, max_iter=5).fit(X, CLASSES)
    assert loaded.predict(X).tobytes() == shorter.predict(X).tobytes()
    assert bits(mlp_c.resume(path, X, CLASSES)) == bits(model)


# ---- initial weights ----


def largest(model):
    """Of each layer, the greatest weight or bias times the root of the layer's two widths' sum."""
    widths = [np.sqrt(sum(w.shape)) for w in model.coefs_]
    parameters = zip(model.coefs_, model.intercepts_, widths, strict=True)
    return [max(np.abs(w).max(), np.abs(b).max()) * n for w, b, n in parameters]


# Hidden layers, activations, and by layer the factor whose root is the bound.
BOUNDS = [
    ((60, 60), "gelu", (6, 6, 6)),
    ((60, 60), "logistic", (2, 2, 2)),
    ((60, 60), ["gelu", "logistic"], (6, 2, 2)),
    ((60, 60), ["logistic", "gelu"], (2, 6, 6)),
    ((60, 60, 60), ("tanh", "logistic", "relu"), (6, 2, 6, 6)),
    ((60, 60, 60), ("softplus", "silu", "logistic"), (6, 6, 2, 2)),
    ((), "gelu", (6,)),
    ((), "logistic", (2,)),
    ((), [], (6,)),
]


@pytest.mark.parametrize(("hidden", "activation", "factors"), BOUNDS)
@each_class
def test_initial_weights_are_bound_by_each_layers_activation(cls, hidden, activation, factors):
    """The output layer's by the last hidden layer's; without one, by the name if there is one."""
    y, first = np.tile(np.arange(60), 2), []
    model = cls(hidden_layer_sizes=hidden, activation=activation, random_state=0, max_iter=1)

    class Begin(wide.Callback):
        def on_fit_task_begin(self, estimator, context):
            if context.task_name == "epoch":
                first[:] = largest(estimator)

    y = np.eye(60)[y] if cls is MLPRegressor else y
    model.set_callbacks(Begin(lambda _: None)).fit(np.ones((120, 60)), y)
    for greatest, factor in zip(first, factors, strict=True):
        assert 0.99 * np.sqrt(factor) < greatest <= np.sqrt(factor)


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "identity"])
@pytest.mark.parametrize("hidden", [(), (5,), (5, 3)])
def test_lists_draw_the_weights_that_scikit_learn_draws_for_the_name(activation, hidden):
    """One epoch of rate 1e-300 leaves them where they were; of a list, and not of none."""
    params = {"hidden_layer_sizes": hidden, "random_state": 1, "max_iter": 1, "solver": "sgd"}
    params |= {"learning_rate_init": 1e-300, "momentum": 0}
    theirs = sklearn.neural_network.MLPRegressor(**params, activation=activation).fit(X, CLASSES)
    ours = [MLPRegressor(**params, activation=activation)]
    ours += [MLPRegressor(**params, activation=[activation] * len(hidden))] if hidden else []
    for model in ours:
        assert bits(model.fit(X, CLASSES)) == bits(theirs)


@pytest.mark.parametrize("init", sorted(INITIALIZERS.keys() - {"glorot_uniform"}))
def test_other_weights_do_not_depend_on_activations(init):
    """They have one scale for all."""
    models = [
        make(MLPRegressor, a, init=init, max_iter=1, solver="sgd", learning_rate_init=1e-300)
        for a in ("logistic", ["gelu", "logistic", "tanh"])
    ]
    first, second = (model.fit(X, CLASSES).coefs_ for model in models)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))

"""What pickles and copies hold, and which states make the model that they were."""

import copy
import pickle

import cloudpickle
import numpy as np
import pytest
import sklearn
from sklearn import neural_network

from mlp_c import MLPClassifier, MLPRegressor, from_sklearn
from support.states import (
    CASES,
    FORMS,
    NUMBERS,
    TEXT,
    Silent,
    X,
    an,
    assert_predicts,
    changed,
    fitted,
    make,
    outcome,
    parts,
    restored,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
each_case = pytest.mark.parametrize("case", CASES)

PLAIN = (str, int, float, bool, type(None), np.bool_, np.number)


# ---- what a state holds ----


@each_case
def test_a_state_is_plain_data(case):
    model, _, _ = fitted(case)
    for path, part in parts(model.__getstate__()):
        if isinstance(part, np.ndarray):
            assert part.dtype.kind in "biuf", path
        else:
            assert isinstance(part, (dict, list, tuple, *PLAIN)), path


@each_case
def test_skops_loads_a_model_trusting_its_class_alone(case):
    model, rows, _ = fitted(case)
    io = pytest.importorskip("skops.io")
    dump = io.dumps(model)
    ours = f"{type(model).__module__}.{type(model).__name__}"
    assert io.get_untrusted_types(data=dump) == [ours]
    twin = io.loads(dump, trusted=[ours])
    assert outcome(twin) == outcome(model)
    np.testing.assert_array_equal(twin.predict(rows), model.predict(rows))


WAYS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "cloudpickle": lambda model: cloudpickle.loads(cloudpickle.dumps(model)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@each_case
@pytest.mark.parametrize("way", WAYS)
def test_a_copy_has_every_attribute(case, way):
    model, _, _ = fitted(case)
    assert outcome(WAYS[way](model)) == outcome(model)


@each_case
@pytest.mark.parametrize("way", WAYS)
def test_a_copy_of_an_unfitted_model_is_one(case, way):
    assert outcome(WAYS[way](make(case))) == outcome(make(case))


def test_an_unfitted_model_keeps_parameters_that_no_fit_takes():
    model = copy.deepcopy(MLPClassifier(alpha=-1, activation="none", hidden_layer_sizes="three"))
    assert (model.alpha, model.activation, model.hidden_layer_sizes) == (-1, "none", "three")


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_draws_what_the_model_draws_and_not_from_its_generator(way):
    model, rows, targets = fitted("generator")
    twin = WAYS[way](model)
    assert twin.random_state is not model.random_state
    assert outcome(twin.fit(rows, targets)) == outcome(model.fit(rows, targets))


BIT_GENERATORS = ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"]


@pytest.mark.parametrize("name", BIT_GENERATORS)
def test_generators_of_numpys_are_plain_data_and_come_back(name):
    generator = np.random.Generator(getattr(np.random, name)(3))
    generator.integers(9, size=3, dtype=np.uint32)
    model = MLPClassifier(random_state=generator)
    assert isinstance(model.__getstate__()["parameters"]["random_state"], dict)
    copy = WAYS["pickle"](model).random_state
    assert (
        copy.bit_generator.random_raw(9).tolist() == generator.bit_generator.random_raw(9).tolist()
    )


def test_a_random_state_that_has_a_normal_deviate_left_keeps_it():
    generator = np.random.RandomState(0)
    generator.standard_normal(3)
    copy = WAYS["pickle"](MLPClassifier(random_state=generator)).random_state
    assert copy.standard_normal(5).tolist() == generator.standard_normal(5).tolist()


def test_text_beyond_all_measure_stays_an_array():
    """A list of short strings could claim it, in a file of few bytes."""
    model, _, _ = fitted("adam")
    model.classes_ = np.array([*"ab", "c" * 2**23])
    assert isinstance(model.__getstate__()["fitted"]["classes_"], np.ndarray)
    assert outcome(WAYS["pickle"](model)) == outcome(model)


def test_an_unusual_generator_is_left_to_its_own_pickle():
    generator = np.random.RandomState(np.random.PCG64(0))
    copy = WAYS["pickle"](MLPClassifier(random_state=generator)).random_state
    assert copy.randint(100, size=9).tolist() == generator.randint(100, size=9).tolist()


def test_what_users_set_stays_theirs():
    model, _, _ = fitted("adam")
    model.set_callbacks(silent := Silent())
    model.note = {"when": {1, 2}}
    twin = copy.copy(model)
    assert twin._skl_callbacks == [silent]
    assert twin.note is model.note


@pytest.mark.parametrize("cls", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("params", [{}, {"solver": "lbfgs"}, {"early_stopping": True}], ids=str)
def test_a_model_of_scikit_learns_has_a_state_once_converted(cls, params):
    theirs = getattr(neural_network, cls)(hidden_layer_sizes=(3,), max_iter=5, **params)
    model = from_sklearn(theirs.fit(X, TEXT if cls == "MLPClassifier" else NUMBERS))
    assert outcome(WAYS["pickle"](model)) == outcome(model)


def test_a_subclass_has_attributes_of_its_own():
    model = Wider(width=2).fit(X, NUMBERS)
    twin = WAYS["cloudpickle"](model)
    assert outcome(twin) == outcome(model)
    assert (twin.width, twin.mean_) == (2, model.mean_)


class Wider(MLPRegressor):
    def __init__(self, width=3):
        super().__init__(hidden_layer_sizes=(width,), max_iter=3)
        self.width = width

    def fit(self, X, y):
        self.mean_ = float(np.mean(y))
        return super().fit(X, y)


def test_requests_of_metadata_are_plain_data_and_come_back():
    with sklearn.config_context(enable_metadata_routing=True):
        model = (
            MLPClassifier()
            .set_fit_request(sample_weight="w")
            .set_score_request(sample_weight=False)
        )
        state = model.__getstate__()
        assert state["requests"]["fit"]["sample_weight"] == "w"
        routing = WAYS["pickle"](model).get_metadata_routing()
    assert str(routing) == str(model.get_metadata_routing())


# ---- formats ----


# By parameter that came later: its default.
LATER = {"huber_delta": 1.0, "label_smoothing": 0.0, "quantile": 0.5, "tweedie_power": 1.5}
LATER |= {"warmup": 0.0, "weight_decay": None, "max_grad_norm": None}
LATER |= {"dropout": 0.0, "input_dropout": 0.0}


@each_case
def test_a_state_has_the_first_format_that_knows_all_it_holds(case):
    """1 for scikit-learn's names, and 2 for others and lists, of models that are fitted or not."""
    model, known = make(case), {"identity", "logistic", "tanh", "relu", "lbfgs", "sgd", "adam"}
    known |= {"log_loss", "squared_error", "poisson", "constant", "invscaling", "adaptive"}
    names = [model.activation, model.solver, model.loss, model.learning_rate]
    expected = 1 if all(isinstance(name, str) and name in known for name in names) else 2
    given = model.get_params()
    for name, default in LATER.items():
        expected = 2 if given.get(name, default) != default else expected
    assert make(case).__getstate__()["format"] == expected
    later = model.solver != "lbfgs"  # the number of steps
    later = later or case.startswith("columns")  # whose classes are lists
    expected = 2 if later else expected
    assert fitted(case)[0].__getstate__()["format"] == expected


@pytest.mark.parametrize("name", LATER)
def test_a_parameter_that_the_first_format_does_not_know_is_left_out_at_its_default(name):
    cls = MLPClassifier if name == "label_smoothing" else MLPRegressor
    model = cls()
    assert name not in model.__getstate__()["parameters"]
    for value in (1.25, 1, None, np.float32(1.5)):
        if value is LATER[name]:
            continue
        model.set_params(**{name: value})
        state = model.__getstate__()
        assert state["format"] == 2
        assert state["parameters"][name] is value
        assert getattr(restored(cls(), state), name) is value


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_activations_that_the_first_format_knows_have_it(activation):
    """A name alone: the same name in a list is of format 2."""
    assert MLPRegressor(activation=activation).__getstate__()["format"] == 1
    assert MLPRegressor(activation=[activation]).__getstate__()["format"] == 2


def test_the_format_follows_what_is_set():
    """Set back to a name that format 1 knows, a model is one for those that read it alone."""
    model = make("gelu")
    assert model.__getstate__()["format"] == 2
    assert model.set_params(activation="relu").__getstate__()["format"] == 1
    assert model.set_params(activation=("relu",)).__getstate__()["format"] == 2


# A whole state as versions that knew format 1 alone wrote it.
OF_FORMAT_1 = {
    "format": 1,
    "parameters": {
        "loss": "squared_error", "hidden_layer_sizes": (1,), "activation": "tanh",
        "solver": "sgd", "alpha": 0.0001, "batch_size": "auto", "learning_rate": "constant",
        "learning_rate_init": 0.001, "power_t": 0.5, "max_iter": 200, "shuffle": True,
        "random_state": None, "tol": 0.0001, "verbose": False, "warm_start": False,
        "momentum": 0.5, "nesterovs_momentum": True, "early_stopping": False,
        "validation_fraction": 0.1, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-08,
        "n_iter_no_change": 10, "max_fun": 15000, "init": "glorot_uniform",
        "compute_dtype": None, "n_threads": None,
    },
    "requests": None,
    "fitted": {
        "coefs_": [np.array([[1.0], [2.0]]), np.array([[4.0]])],
        "intercepts_": [np.array([0.5]), np.array([0.25])],
        "n_features_in_": 2, "n_layers_": 3, "n_outputs_": 1, "n_iter_": 1, "t_": 3,
        "out_activation_": "identity", "loss_curve_": [0.5], "best_loss_": 0.5,
        "validation_scores_": None, "best_validation_score_": None, "_no_improvement_count": 0,
        "loss_": 0.5,
    },
    "optimizer": {
        "learning_rate": 0.001, "learning_rate_init": 0.001, "momentum": 0.5,
        "moments": (
            [np.zeros((2, 1)), np.zeros((1, 1)), np.zeros(1), np.zeros(1)],
        ),
        "power_t": 0.5, "rule": "nesterov", "schedule": "constant",
    },
    "own": {},
}  # fmt: skip


@pytest.mark.parametrize("number", [1, 2])
def test_a_state_of_format_1_is_read(number):
    """Word for word; and under the number of the next format, which changed no part's meaning."""
    model = restored(MLPRegressor(), copy.deepcopy(OF_FORMAT_1) | {"format": number})
    assert model.predict([[1.0, -1.0]]) == pytest.approx([4 * np.tanh(-0.5) + 0.25], rel=1e-14)
    assert outcome(restored(model, model.__getstate__())) == outcome(model)
    assert model.n_steps_ == 0  # of which format 1 knows nothing
    assert model.__getstate__()["format"] == 2
    for part in ("parameters", "fitted"):
        assert model.__getstate__()[part].keys() == OF_FORMAT_1[part].keys()
    assert model.__getstate__()["optimizer"].keys() == {*OF_FORMAT_1["optimizer"], "steps"}
    model.partial_fit([[1.0, 2.0]], [3.0])
    assert model.n_steps_ == 1
    np.testing.assert_array_equal(model.learning_rate_curve_, [np.nan, 0.001])


def test_a_model_of_format_1_that_no_solver_goes_on_from_has_it():
    state = copy.deepcopy(OF_FORMAT_1) | {"optimizer": None}
    assert restored(MLPRegressor(), state).__getstate__()["format"] == 1


@pytest.mark.parametrize("case", ["gelu", "an activation each"])
def test_a_state_that_says_too_low_a_format_is_read_as_it_is(case):
    """Someone has edited the number: what the state holds is known all the same."""
    model, rows, _ = fitted(case)
    twin = restored(model, model.__getstate__() | {"format": 1})
    assert outcome(twin) == outcome(model)
    np.testing.assert_array_equal(twin.predict(rows), model.predict(rows))


@pytest.mark.parametrize("case", ["gelu", "an activation each", "adam"])
@pytest.mark.parametrize("number", [3, 4, 2**53])
def test_a_state_of_a_format_to_come_is_refused(case, number):
    """By its number, whatever it holds: 2 is the newest that is known."""
    model, _, _ = fitted(case)
    message = f"the state has format {number}, and mlp_c .* knows those up to 2: .* a newer version"
    with pytest.raises(ValueError, match=message):
        restored(model, model.__getstate__() | {"format": number})


# ---- lists of activations for another network ----

LISTS = [[], ["gelu"], ["gelu"] * 3, ("tanh",) * 50]  # and the network has two hidden layers


@pytest.mark.parametrize("names", LISTS, ids=len)
def test_a_state_with_activations_for_another_network_is_read_and_predicts_nothing(names):
    """It is no junk: a model whose widths and activations were set for its next fit has such a one.

    Predictions refuse it, and so does partial_fit; no layer goes without its activation.
    """
    model, rows, targets = fitted("an activation each")
    state = changed(model.__getstate__(), ("parameters", "activation"), an(names))
    twin = restored(model, state)
    assert_predicts(twin, rows)
    with pytest.raises(ValueError, match=f"2 hidden layers, got {len(names)} names"):
        twin.partial_fit(rows, targets)
    assert outcome(twin.set_params(activation=model.activation)) == outcome(model)


@pytest.mark.parametrize("way", WAYS)
def test_a_fitted_model_that_is_set_up_for_another_network_is_copied(way):
    """And then fitted to that network."""
    model, rows, targets = fitted("an activation each")
    model.set_params(hidden_layer_sizes=(5,), activation=["logistic"])
    twin = WAYS[way](model)
    assert outcome(twin) == outcome(model)
    assert outcome(twin.fit(rows, targets)) == outcome(model.fit(rows, targets))


# ---- states that are taken, in a form that can be used ----


@pytest.mark.parametrize("form", FORMS)
def test_arrays_of_any_form_are_taken(form):
    model, rows, targets = fitted("adam")
    state = copy.deepcopy(model.__getstate__())
    for path, part in parts(state):
        if isinstance(part, np.ndarray) and part.dtype.kind == "f":
            state = changed(state, path, FORMS[form])
    twin = restored(model, state)
    assert outcome(twin) == outcome(model)
    assert all(w.flags.carray for w in twin.coefs_ + twin.intercepts_)
    assert outcome(twin.partial_fit(rows, targets)) == outcome(model.partial_fit(rows, targets))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_taken_and_predict_what_they_do(value):
    """A fit that diverges raises, and leaves such a model to look at."""
    model, rows, _ = fitted("sgd")
    model.coefs_[0][0, 0] = value
    twin = WAYS["pickle"](model)
    np.testing.assert_array_equal(twin.predict(rows), model.predict(rows))

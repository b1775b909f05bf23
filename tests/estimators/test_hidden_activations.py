"""What a hidden layer makes of rows: the bits that the network itself computes."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array, csr_array
from sklearn.exceptions import NotFittedError

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor, kernels
from mlp_c._network.activations import ACTIVATIONS
from support import wide
from support.activations import CLASSES, MIXED, X, each_class, make

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
WIDTHS = (67, 64, 35)
FORMS = {"dense": wide.X, "mostly zero": np.where(wide.X > 1, wide.X, 0)}
EACH = [*ACTIVATIONS, *MIXED.values()]


def network(dtype, activation="relu", widths=WIDTHS):
    """A fitted model whose hidden layers are wide enough to be shared, and not whole vectors."""
    rows = wide.X.astype(dtype)
    model = wide.make(hidden_layer_sizes=widths, activation=activation, max_iter=1, solver="sgd")
    return model.fit(rows, wide.Y)


def bits(model, rows, layer=-1):
    return model.hidden_activations(rows, layer).tobytes()


# ---- bits ----


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", EACH, ids=str)
def test_each_layer_has_the_bits_of_the_kernel_forward(activation, dtype, form):
    """On any number of threads, of many rows, few and one."""
    model, rows = network(dtype, activation), FORMS[form].astype(dtype)
    for n in (len(rows), 20, 3, 1):
        for layer, width in enumerate(WIDTHS):
            of_layers = kernels.forward(
                *(rows[:n], model.coefs_, model.intercepts_), activation=activation
            )
            for n_threads in (1, 2, 3, 8):
                model.n_threads = n_threads
                got = model.hidden_activations(rows[:n], layer)
                assert (got.shape, got.dtype) == ((n, width), dtype)
                assert got.tobytes() == of_layers[layer].tobytes()
                assert bits(model, rows[:n], layer - len(WIDTHS)) == got.tobytes()


@pytest.mark.parametrize("kind", [csr_array, csc_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_have_the_bits_of_dense_ones(kind, dtype):
    model, rows = network(dtype, ["gelu", "tanh", "relu"]), FORMS["mostly zero"].astype(dtype)
    for n in (len(rows), 20, 3, 1):
        for layer in range(len(WIDTHS)):
            assert bits(model, kind(rows[:n]), layer) == bits(model, rows[:n], layer)


@each_class
@pytest.mark.parametrize("activation", EACH, ids=str)
def test_the_output_layer_makes_predictions_of_the_last_hidden_one(cls, activation):
    """Not what goes into the activation, nor what another layer makes."""
    model = make(cls, activation).fit(X, CLASSES)
    logits = model.hidden_activations(X) @ model.coefs_[-1] + model.intercepts_[-1]
    if cls is MLPRegressor:
        np.testing.assert_allclose(logits.ravel(), model.predict(X), rtol=1e-12)
    else:
        np.testing.assert_array_equal(logits.argmax(axis=1), model.predict(X))


# ---- dtypes ----


@pytest.mark.parametrize("given", ["f4", "f8", "i2", "f2", "?"])
@pytest.mark.parametrize("compute", [None, "float32", "float64"])
@pytest.mark.parametrize("trained", ["f4", "f8"])
def test_the_dtype_is_that_of_predictions(trained, compute, given):
    model = MLPRegressor(hidden_layer_sizes=9, max_iter=1, compute_dtype=compute)
    model.fit(X.astype(trained), CLASSES)
    rows = X.astype(given)
    assert model.hidden_activations(rows).dtype == model.predict(rows).dtype


# ---- which layer ----


@each_class
@pytest.mark.parametrize(
    ("widths", "layer", "error", "message"),
    [
        ([5, 4], 2, ValueError, "layer must be from -2 to 1 for 2 hidden layers, got 2"),
        ([5, 4], -3, ValueError, "layer must be from -2 to 1 for 2 hidden layers, got -3"),
        ([5], np.int8(9), ValueError, "layer must be from -1 to 0 for 1 hidden layers, got 9"),
        ([], -1, ValueError, "layer must be one of a model's hidden layers; it has none, got -1"),
        ([], 0, ValueError, "layer must be one of a model's hidden layers; it has none, got 0"),
        ([5], 0.0, TypeError, "layer must be an integer, got 0.0"),
        ([5], None, TypeError, "layer must be an integer, got None"),
        ([5], True, TypeError, "layer must be an integer, got True"),
        ([5], "last", TypeError, "layer must be an integer, got 'last'"),
    ],
)
def test_a_layer_that_is_not_there(cls, widths, layer, error, message):
    model = cls(hidden_layer_sizes=widths, max_iter=1).fit(X, CLASSES)
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        model.hidden_activations(X, layer)


def test_a_layer_may_be_an_integer_of_numpys():
    model = make(MLPRegressor, "tanh").fit(X, CLASSES)
    assert bits(model, X, np.int64(1)) == bits(model, X, 1)


# ---- rows are checked as for predictions ----

PLACE = np.isin(X, X[3, 0])
WRONG = {
    "NaN": np.where(PLACE, np.nan, X),
    "infinity": np.where(PLACE, np.inf, X),
    "a column less": X[:, 1:],
    "one row": X[0],
    "no rows": X[:0],
    "words": np.full(X.shape, "a"),
    "NaN among sparse rows": csr_array(np.where(PLACE, np.nan, X)),
}


@each_class
@pytest.mark.parametrize("wrong", WRONG)
def test_rows_that_predict_refuses_are_refused_alike(cls, wrong):
    model, errors = make(cls, "tanh").fit(X, CLASSES), []
    for method in (model.predict, model.hidden_activations):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 (the other's message)
            method(WRONG[wrong])
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


@each_class
def test_names_of_columns_are_checked(cls):
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = make(cls, "tanh").fit(frame, CLASSES)
    assert (
        model.hidden_activations(frame).tobytes()
        == model.hidden_activations(frame.astype(object)).tobytes()
    )
    with pytest.raises(ValueError, match="same order"):
        model.hidden_activations(frame[list("badc")])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.hidden_activations(X)


@each_class
def test_a_model_that_is_not_fitted_has_no_activations(cls):
    with pytest.raises(NotFittedError):
        cls().hidden_activations(X)


# ---- models that users edit ----


def test_weights_in_lists_and_put_in_by_hand():
    """As predictions take them; the activation says what the layers do."""
    model, given = MLPClassifier(activation="gelu"), make(MLPClassifier, "gelu").fit(X, CLASSES)
    model.coefs_ = tuple(w.tolist() for w in given.coefs_)
    model.intercepts_ = [b.tolist() for b in given.intercepts_]
    for layer in range(3):
        assert bits(model, X, layer) == bits(given, X, layer)


@pytest.mark.parametrize("names", [["relu"], ["relu"] * 4, ["relu", "tanh", "swish"]])
def test_a_list_of_activations_that_does_not_fit(names):
    """Of other layers than the one that is asked for, too."""
    model = make(MLPRegressor, "relu").fit(X, CLASSES).set_params(activation=names)
    with pytest.raises(ValueError, match=r"^activation must "):
        model.hidden_activations(X, 0)


def test_a_saved_model_has_the_same(tmp_path):
    pytest.importorskip("safetensors")
    model = make(MLPRegressor, ["gelu", "tanh", "relu"]).fit(X, CLASSES)
    model.save(tmp_path / "model")
    assert bits(mlp_c.load(tmp_path / "model"), X, 1) == bits(model, X, 1)


def test_the_output_activation_of_a_model_cannot_be_a_hidden_one():
    """Nor a name that only the kernels' hidden activations have."""
    for name in ("tanh", "relu", "gelu"):
        model = make(MLPRegressor, "relu").fit(X, CLASSES)
        model.out_activation_ = name
        with pytest.raises(ValueError, match=r"^output must be one of 'identity', 'logistic', "):
            model.predict(X)

"""``to_onnx``: onnxruntime predicts what the estimators of arrays do."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

import mlp_c
from mlp_c._network.activations import ACTIVATIONS

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import onnx

from support.onnx_models import (
    CODES,
    COLUMNS,
    LABELS,
    NEW_ROWS,
    ROWS,
    TARGETS,
    predict,
    tolerance,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fit(cls, y, dtype=np.float64, **params):
    defaults = {"hidden_layer_sizes": (12, 7), "max_iter": 12, "random_state": 0}
    return cls(**defaults | params).fit(ROWS.astype(dtype), y)


def assert_same_classes(model, X, **options):
    found = predict(model, X, **options)
    expected = model.predict(X)
    expected = expected.toarray() if isinstance(expected, csr_matrix) else expected
    assert found["label"].shape == expected.shape
    assert (found["label"] == expected).all()
    probabilities = model.predict_proba(X)
    assert_near(found["probabilities"], probabilities)


def assert_near(found, expected):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(expected.dtype))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_in_both_dtypes(activation, dtype):
    model = fit(mlp_c.MLPClassifier, CODES, dtype, activation=activation)
    X = NEW_ROWS.astype(dtype)
    found = predict(model, X)
    assert (found["label"] == model.predict(X)).all()
    near = tolerance(dtype)
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(X), rtol=0, atol=near)
    regressor = fit(mlp_c.MLPRegressor, TARGETS, dtype, activation=activation)
    expected = regressor.predict(X)
    near = near * max(1, np.abs(expected).max()) * 4
    np.testing.assert_allclose(predict(regressor, X)["prediction"], expected, rtol=0, atol=near)


def test_gelu_is_exact_from_tail_to_tail():
    model = fit(mlp_c.MLPRegressor, TARGETS[:, 0], hidden_layer_sizes=(1,), activation="gelu")
    model.coefs_ = [np.ones((6, 1)) / 6, np.ones((1, 1))]
    model.intercepts_ = [np.zeros(1), np.zeros(1)]
    z = np.concatenate([np.linspace(-45, 45, 3001), [0.0, -0.0, 1e-300, -1e-300]])
    X = np.repeat(z[:, np.newaxis], 6, axis=1)
    expected = model.predict(X)
    np.testing.assert_allclose(predict(model, X)["prediction"], expected, rtol=1e-12, atol=1e-300)


def test_an_activation_for_each_layer_and_none():
    for params in ({"activation": ["tanh", "gelu"]}, {"hidden_layer_sizes": ()}):
        model = fit(mlp_c.MLPClassifier, CODES, np.float32, **params)
        assert_same_classes(model, NEW_ROWS.astype(np.float32))


@pytest.mark.parametrize("kind", LABELS)
def test_every_kind_of_label(kind, dtype):
    model = fit(mlp_c.MLPClassifier, LABELS[kind], dtype)
    assert_same_classes(model, NEW_ROWS.astype(dtype))


@pytest.mark.parametrize("kind", COLUMNS)
def test_labels_in_several_columns(kind):
    model = fit(mlp_c.MLPClassifier, COLUMNS[kind])
    found = predict(model, NEW_ROWS)
    expected = model.predict(NEW_ROWS)
    if kind == "mixed":
        assert (found["label_0"] == expected[:, 0]).all()
        assert (found["label_1"] == expected[:, 1]).all()
    else:
        assert (found["label"] == expected).all()
    for j, probabilities in enumerate(model.predict_proba(NEW_ROWS)):
        assert_near(found[f"probabilities_{j}"], probabilities)


LOSSES = [
    *({"loss": loss} for loss in ("squared_error", "absolute_error", "huber", "gaussian")),
    {"loss": "quantile"},
    {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]},
    {"loss": "quantile", "quantile": [0.3]},
    *({"loss": loss} for loss in ("poisson", "gamma", "tweedie")),
]


@pytest.mark.parametrize("params", LOSSES, ids=str)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_every_loss_with_a_target_and_several(params, n_targets, dtype):
    y = TARGETS[:, :n_targets]
    y = np.exp(y / 4) if params["loss"] in ("poisson", "gamma", "tweedie") else y
    model = fit(mlp_c.MLPRegressor, y.ravel() if n_targets == 1 else y, dtype, **params)
    X = NEW_ROWS.astype(dtype)
    found, expected = predict(model, X), model.predict(X)
    near = {"rtol": 10 * tolerance(dtype), "atol": 10 * tolerance(dtype)}
    assert found["prediction"].dtype == expected.dtype
    assert found["prediction"].shape == expected.shape
    np.testing.assert_allclose(found["prediction"], expected, **near)
    assert ("std" in found) == (params["loss"] == "gaussian")
    if params["loss"] == "gaussian":
        np.testing.assert_allclose(found["std"], model.predict(X, return_std=True)[1], **near)


def test_compute_dtype_and_edited_weights():
    model = fit(mlp_c.MLPClassifier, CODES, compute_dtype="float32")
    assert_same_classes(model, NEW_ROWS.astype(np.float32))
    model = fit(mlp_c.MLPClassifier, CODES)
    model.coefs_ = [(2 * w).tolist() for w in model.coefs_]
    model.classes_ = np.array(["x", "y", "z"])
    assert_same_classes(model, NEW_ROWS)


def test_a_model_that_was_read_from_scikit_learn_or_a_file(tmp_path):
    model = fit(mlp_c.MLPClassifier, LABELS["text"])
    again = mlp_c.from_sklearn(model.to_sklearn())
    assert_same_classes(again, NEW_ROWS)
    pytest.importorskip("safetensors")
    model.save(tmp_path / "model")
    assert_same_classes(mlp_c.load(tmp_path / "model"), NEW_ROWS)


LARGE = 2**60 + 1  # which float64 does not hold


@pytest.mark.parametrize("others", [["x", "y"], [0.0, 1.0]], ids=["words", "floats"])
def test_large_integers_stay_what_they_are_beside_other_columns(others):
    pairs = zip(CODES, CODES[::-1], strict=True)
    rows = [[(2, LARGE)[a % 2], others[b % 2]] for a, b in pairs]
    model = fit(mlp_c.MLPClassifier, np.array(rows, object))
    found = predict(model, NEW_ROWS)
    for j, probabilities in enumerate(model.predict_proba(NEW_ROWS)):
        assert (found[f"label_{j}"] == model.classes_[j][probabilities.argmax(axis=1)]).all()
    assert LARGE in found["label_0"].tolist()


def test_integers_that_no_type_holds_are_refused():
    model = fit(mlp_c.MLPClassifier, CODES)
    model.classes_ = np.array([-5, 3, 2**63 + 9], object)
    with pytest.raises(TypeError, match="classes_ must hold integers"):
        mlp_c.to_onnx(model)


@pytest.mark.parametrize("layer", [0, -1])
def test_hidden_activations(layer, dtype):
    network = fit(mlp_c.MLPClassifier, CODES, dtype, activation=["silu", "relu"])
    units = mlp_c.HiddenActivations(FrozenEstimator(network), layer=layer)
    units.fit(ROWS.astype(dtype))
    X = NEW_ROWS.astype(dtype)
    found, expected = predict(units, X)["activations"], units.transform(X)
    assert found.dtype == expected.dtype
    near = 10 * tolerance(dtype)
    np.testing.assert_allclose(found, expected, rtol=near, atol=near)


@pytest.mark.parametrize("opset", [13, 14, 17, 20, onnx.defs.onnx_opset_version()])
def test_every_opset(opset):
    # onnxruntime may know fewer than onnx.
    opset = min(opset, 24)
    classifier = fit(mlp_c.MLPClassifier, COLUMNS["integers"], activation=["gelu", "mish"])
    proto = mlp_c.to_onnx(classifier, opset=opset)
    assert [entry.version for entry in proto.opset_import] == [opset]
    found = predict(classifier, NEW_ROWS, opset=opset)
    assert (found["label"] == classifier.predict(NEW_ROWS)).all()
    for y, params in ((TARGETS, LOSSES[5]), (TARGETS, LOSSES[3])):
        regressor = fit(mlp_c.MLPRegressor, y, activation="softplus", **params)
        found = predict(regressor, NEW_ROWS, opset=opset)["prediction"]
        np.testing.assert_allclose(found, regressor.predict(NEW_ROWS), rtol=1e-11, atol=1e-11)


def test_the_file_is_the_model(tmp_path):
    proto = mlp_c.to_onnx(fit(mlp_c.MLPClassifier, CODES), tmp_path / "model.onnx")
    assert onnx.load(tmp_path / "model.onnx") == proto
    assert {entry.domain for entry in proto.opset_import} == {""}
    assert proto.producer_name == "mlp_c"


@pytest.mark.parametrize(
    ("cls", "y", "params", "shapes"),
    [
        (mlp_c.MLPClassifier, CODES, {}, [[], [3]]),
        (mlp_c.MLPClassifier, CODES % 2, {}, [[], [2]]),
        (mlp_c.MLPClassifier, LABELS["indicator"], {}, [[3], [3]]),
        (mlp_c.MLPClassifier, COLUMNS["integers"], {}, [[2], [3], [3]]),
        (mlp_c.MLPRegressor, TARGETS[:, 0], {}, [[]]),
        (mlp_c.MLPRegressor, TARGETS, {"loss": "gaussian"}, [[2], [2]]),
        (mlp_c.MLPRegressor, TARGETS, LOSSES[5], [[2, 3]]),
    ],
)
def test_outputs_have_shapes(cls, y, params, shapes):
    proto = mlp_c.to_onnx(fit(cls, y, **params))
    found = [
        [d.dim_param or d.dim_value for d in output.type.tensor_type.shape.dim]
        for output in proto.graph.output
    ]
    assert found == [["n_samples", *shape] for shape in shapes]


def test_what_is_no_model_of_ours_is_refused():
    with pytest.raises(TypeError, match=r"model must be one of mlp_c's .*got sklearn"):
        mlp_c.to_onnx(LogisticRegression())
    with pytest.raises(TypeError, match=r"got the class mlp_c\.MLPClassifier"):
        mlp_c.to_onnx(mlp_c.MLPClassifier)
    with pytest.raises(NotFittedError):
        mlp_c.to_onnx(mlp_c.MLPClassifier())
    model = fit(mlp_c.MLPClassifier, CODES)
    for opset in (12, 999):
        with pytest.raises(ValueError, match=f"opset must be from 13 to .*, got {opset}"):
            mlp_c.to_onnx(model, opset=opset)
    with pytest.raises(TypeError, match="opset must be an integer, got '17'"):
        mlp_c.to_onnx(model, opset="17")
    with pytest.raises(TypeError, match="path must be a str, a path-like or None, got 5"):
        mlp_c.to_onnx(model, 5)
    with pytest.raises(OSError, match="No such file"):
        mlp_c.to_onnx(model, "no/such/folder/model.onnx")
    model.classes_ = np.array([b"a", b"b", b"c"])
    with pytest.raises(TypeError, match="classes_ must hold integers, floats, truth values or"):
        mlp_c.to_onnx(model)

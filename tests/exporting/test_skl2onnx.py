"""``register_skl2onnx``: scikit-learn's estimators convert with ours inside."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

import mlp_c
from support.tabular import MIXED, WORDS, make
from support.tabular import TARGETS as TABLE_TARGETS

pytest.importorskip("skl2onnx")
pytest.importorskip("onnxruntime")

import skl2onnx
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from support.onnx_models import (
    CODES,
    COLUMNS,
    LABELS,
    NEW_ROWS,
    ROWS,
    TARGETS,
    feed_of,
    run,
    tolerance,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::DeprecationWarning"
)


@pytest.fixture(autouse=True)
def _registered():
    mlp_c.register_skl2onnx()


def classifier(**params):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 15, "random_state": 0}
    return mlp_c.MLPClassifier(**defaults | params)


def regressor(**params):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 15, "random_state": 0}
    return mlp_c.MLPRegressor(**defaults | params)


def convert_and_run(model, X, **options):
    proto = skl2onnx.to_onnx(model, X[:1], target_opset=17, **options)
    return list(run(proto, {"X": X}).values())


def without_zipmap(model):
    return {"options": {id(model): {"zipmap": False}}}


def assert_same_classes(model, X, near=None):
    label, probabilities = convert_and_run(model, X, **without_zipmap(model))
    expected = model.predict(X)
    expected = expected.toarray() if isinstance(expected, csr_matrix) else expected
    assert label.shape == expected.shape
    assert (label == expected).all()
    assert probabilities.dtype == X.dtype
    expected = model.predict_proba(X)
    near = near or (2e-6 if X.dtype == np.float32 else 1e-12)
    np.testing.assert_allclose(probabilities, np.asarray(expected), rtol=0, atol=near)


def assert_same_estimates(model, X):
    (found,) = convert_and_run(model, X)
    expected = model.predict(X)
    assert found.dtype == X.dtype
    assert found.ndim > 1
    near = 10 * tolerance(X.dtype)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=near, atol=near)


# ---- by themselves ----


@pytest.mark.parametrize("kind", LABELS)
def test_every_kind_of_label(kind, dtype):
    model = classifier().fit(ROWS, LABELS[kind])
    assert_same_classes(model, NEW_ROWS.astype(dtype))


@pytest.mark.parametrize("kind", ["integers", "text", "integers and floats"])
def test_labels_in_several_columns(kind):
    y = COLUMNS[kind].copy()
    y[y == y[0, 0]] = y[1, 0]  # so that columns differ in how many classes they have
    model = classifier().fit(ROWS, y)
    label, probabilities = convert_and_run(model, NEW_ROWS, **without_zipmap(model))
    assert (label == model.predict(NEW_ROWS)).all()
    for found, expected in zip(probabilities, model.predict_proba(NEW_ROWS), strict=True):
        np.testing.assert_allclose(found[:, : expected.shape[1]], expected, rtol=0, atol=1e-12)
        assert not found[:, expected.shape[1] :].any()


def test_columns_of_several_kinds_of_labels_are_refused():
    model = classifier().fit(ROWS, COLUMNS["mixed"])
    with pytest.raises(TypeError, match="classes_ must be of one type for skl2onnx"):
        skl2onnx.to_onnx(model, NEW_ROWS[:1], **without_zipmap(model))


@pytest.mark.parametrize("kind", ["integers", "text", "truth", "floats"])
def test_zipmap_gives_probabilities_by_label(kind):
    model = classifier().fit(ROWS, LABELS[kind])
    label, by_label = convert_and_run(model, NEW_ROWS.astype(np.float32))
    assert (label == model.predict(NEW_ROWS.astype(np.float32))).all()
    found = [[row[label] for label in model.classes_.tolist()] for row in by_label]
    np.testing.assert_allclose(found, model.predict_proba(NEW_ROWS), rtol=0, atol=2e-6)


@pytest.mark.parametrize("y", [COLUMNS["integers"], LABELS["one"]], ids=["columns", "one class"])
def test_zipmap_is_refused_where_it_cannot_be(y):
    with pytest.raises(ValueError, match="zipmap must be False"):
        skl2onnx.to_onnx(classifier().fit(ROWS, y), ROWS[:1].astype(np.float32))


def test_indices_of_classes_in_the_place_of_labels():
    for kind in ("text", "two words"):
        model = classifier().fit(ROWS, LABELS[kind])
        options = {"options": {id(model): {"zipmap": False, "nocl": True}}}
        label, _ = convert_and_run(model, NEW_ROWS, **options)
        assert label.dtype == np.int64
        assert (model.classes_[label] == model.predict(NEW_ROWS)).all()


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"loss": "poisson"},
        {"loss": "gaussian"},
        {"loss": "quantile", "quantile": [0.2, 0.8]},
        {"loss": "quantile", "quantile": [0.3]},
    ],
    ids=str,
)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_regressors(params, n_targets, dtype):
    y = np.abs(TARGETS[:, :n_targets])
    model = regressor(**params).fit(ROWS, y.ravel() if n_targets == 1 else y)
    assert_same_estimates(model, NEW_ROWS.astype(dtype))


@pytest.mark.parametrize("given", [Int64TensorType, BooleanTensorType, FloatTensorType])
def test_rows_that_are_declared_of_any_type(given):
    kinds = {Int64TensorType: np.int64, BooleanTensorType: bool, FloatTensorType: np.float32}
    X = (3 * NEW_ROWS).astype(kinds[given])
    model = classifier().fit(ROWS, LABELS["text"])
    proto = skl2onnx.to_onnx(
        model, initial_types=[("X", given([None, 6]))], **without_zipmap(model)
    )
    label, probabilities = run(proto, {"X": X}).values()
    assert (label == model.predict(X)).all()
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=1e-6)


# ---- inside scikit-learn's ----

CLASSIFIERS = {
    "a pipeline": make_pipeline(StandardScaler(), classifier()),
    "hidden activations": make_pipeline(
        StandardScaler(), mlp_c.HiddenActivations(classifier()), LogisticRegression()
    ),
    "nested pipelines": make_pipeline(
        make_pipeline(MinMaxScaler(), SelectKBest(k=4)), make_pipeline(classifier())
    ),
    "soft voting": VotingClassifier(
        [("a", classifier()), ("b", LogisticRegression()), ("c", classifier(activation="silu"))],
        voting="soft",
        flatten_transform=False,  # skl2onnx knows no other
    ),
    "stacking": StackingClassifier(
        [("a", classifier()), ("b", LogisticRegression())], classifier(), cv=2
    ),
    "stacking of pipelines": StackingClassifier(
        [("a", make_pipeline(StandardScaler(), classifier())), ("b", LogisticRegression())],
        LogisticRegression(),
        cv=2,
        passthrough=True,
    ),
    "sigmoid calibration": CalibratedClassifierCV(classifier(), cv=2),
    "calibration of a pipeline": make_pipeline(
        StandardScaler(), CalibratedClassifierCV(classifier(), cv=2)
    ),
    "bagging": BaggingClassifier(classifier(), n_estimators=3, random_state=0),
    "a search": GridSearchCV(classifier(), {"alpha": [0.1, 0.01]}, cv=2),
    "a search over a pipeline": GridSearchCV(
        make_pipeline(StandardScaler(), classifier()), {"mlpclassifier__alpha": [0.1, 0.01]}, cv=2
    ),
    "one against the rest": OneVsRestClassifier(classifier()),
}


@pytest.mark.parametrize("labels", ["integers", "two words"])
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_classifiers_of_scikit_learn(kind, labels, dtype):
    model = CLASSIFIERS[kind].fit(ROWS, LABELS[labels])
    assert_same_classes(model, NEW_ROWS.astype(dtype))


def test_hard_voting():
    members = [("a", classifier()), ("b", classifier(alpha=1)), ("c", classifier())]
    model = VotingClassifier(members, flatten_transform=False).fit(ROWS, CODES)
    label, _ = convert_and_run(model, NEW_ROWS, **without_zipmap(model))
    assert (label == model.predict(NEW_ROWS)).all()


REGRESSORS = {
    "a pipeline": make_pipeline(StandardScaler(), regressor()),
    "hidden activations": make_pipeline(mlp_c.HiddenActivations(regressor()), LinearRegression()),
    "voting": VotingRegressor([("a", regressor()), ("b", LinearRegression())]),
    "stacking": StackingRegressor([("a", regressor()), ("b", LinearRegression())], regressor()),
    "bagging": BaggingRegressor(regressor(), n_estimators=3, random_state=0),
    "a search": GridSearchCV(regressor(), {"alpha": [0.1, 0.01]}, cv=2),
    "boosting": AdaBoostRegressor(regressor(), n_estimators=3, random_state=0),
    "a target each": MultiOutputRegressor(regressor()),
}


@pytest.mark.parametrize("kind", REGRESSORS)
def test_regressors_of_scikit_learn(kind, dtype):
    y = TARGETS if kind == "a target each" else TARGETS[:, 0]
    model = REGRESSORS[kind].fit(ROWS, y)
    assert_same_estimates(model, NEW_ROWS.astype(dtype))


@pytest.mark.parametrize(
    "y", [COLUMNS["integers"], COLUMNS["integers"] % 2 == 1], ids=["int", "bool"]
)
def test_a_classifier_for_each_column(y):
    model = MultiOutputClassifier(classifier()).fit(ROWS, y)
    label, probabilities = convert_and_run(model, NEW_ROWS, **without_zipmap(model))
    assert (label == model.predict(NEW_ROWS)).all()
    expected = np.stack(model.predict_proba(NEW_ROWS))
    np.testing.assert_allclose(np.stack(probabilities), expected, rtol=0, atol=1e-12)


# ---- tables ----

TYPES = [
    ("size", DoubleTensorType([None, 1])),
    ("count", DoubleTensorType([None, 1])),
    ("colour", StringTensorType([None, 1])),
    ("sold", BooleanTensorType([None, 1])),
    ("constant", DoubleTensorType([None, 1])),
]


def test_tables_of_a_variable_for_each_column():
    model = make(mlp_c.TabularMLPClassifier, max_iter=20).fit(MIXED, WORDS)
    proto = skl2onnx.to_onnx(model, initial_types=TYPES, **without_zipmap(model))
    label, probabilities = run(proto, feed_of(MIXED)).values()
    assert (label == model.predict(MIXED)).all()
    np.testing.assert_allclose(probabilities, model.predict_proba(MIXED), rtol=0, atol=1e-6)
    model = make(mlp_c.TabularMLPRegressor, max_iter=20).fit(MIXED, TABLE_TARGETS)
    (found,) = run(skl2onnx.to_onnx(model, initial_types=TYPES), feed_of(MIXED)).values()
    np.testing.assert_allclose(found[:, 0], model.predict(MIXED), rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="initial_types must be one variable, or one for each of"):
        skl2onnx.to_onnx(model, initial_types=TYPES[:3])


def test_variables_of_other_types_than_the_columns_are_refused():
    model = make(mlp_c.TabularMLPClassifier).fit(MIXED, WORDS)
    for j, other, message in (
        (2, DoubleTensorType, "must have text for column 'colour', got float64"),
        (0, StringTensorType, "must have numbers for column 'size', got text"),
    ):
        kinds = [*TYPES]
        kinds[j] = (kinds[j][0], other([None, 1]))
        with pytest.raises(TypeError, match=message):
            skl2onnx.to_onnx(model, initial_types=kinds, **without_zipmap(model))


def test_tables_behind_a_scaler_and_beside_other_columns():
    X = MIXED[["size", "count", "constant"]].fillna(0.0).to_numpy()
    model = make_pipeline(StandardScaler(), make(mlp_c.TabularMLPClassifier, max_iter=20))
    assert_same_classes(model.fit(X, WORDS), X, near=1e-6)  # its networks are of float32
    encode = ColumnTransformer(
        [("words", OneHotEncoder(sparse_output=False), ["colour"]), ("size", "passthrough", [0])]
    )
    frame = MIXED[["size", "colour"]].fillna({"size": 0.0, "colour": ""})
    model = make_pipeline(encode, classifier()).fit(frame, WORDS)
    kinds = [TYPES[0], TYPES[2]]
    proto = skl2onnx.to_onnx(model, initial_types=kinds, options={"zipmap": False})
    feed = {"size": frame[["size"]].to_numpy(), "colour": frame[["colour"]].to_numpy(object)}
    assert (run(proto, feed)["label"] == model.predict(frame)).all()


@pytest.mark.parametrize("bags", [False, True])
def test_a_category_without_levels_may_be_of_any_type(bags):
    X = np.column_stack([np.arange(60.0), TABLE_TARGETS])
    model = make(mlp_c.TabularMLPClassifier, categorical_features=[0])
    model = BaggingClassifier(model, n_estimators=2, bootstrap=False) if bags else model
    assert_same_classes(model.fit(X, WORDS), X, near=1e-6)


def test_a_single_class_inside_another_estimator():
    members = [("a", make(mlp_c.TabularMLPClassifier)), ("b", make(mlp_c.TabularMLPClassifier))]
    model = VotingClassifier(members, voting="soft", flatten_transform=False)
    X = ROWS[:60].astype(np.float32)
    label, _ = convert_and_run(model.fit(X, np.zeros(60, int)), X, **without_zipmap(model))
    assert not label.any()


def test_operators_too_old_are_refused():
    with pytest.raises(ValueError, match="target_opset must be at least 13, got 12"):
        skl2onnx.to_onnx(classifier().fit(ROWS, CODES), ROWS[:1], target_opset=12)


def test_a_table_of_words_is_one_variable():
    X = pd.DataFrame({"a": WORDS, "b": WORDS[::-1]}).to_numpy(object)
    model = make(mlp_c.TabularMLPClassifier, max_iter=20).fit(X, WORDS)
    kinds = [("X", StringTensorType([None, 2]))]
    proto = skl2onnx.to_onnx(model, initial_types=kinds, **without_zipmap(model))
    assert (run(proto, {"X": X})["label"] == model.predict(X)).all()

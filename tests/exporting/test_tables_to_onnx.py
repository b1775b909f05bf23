"""``to_onnx``: onnxruntime predicts what the estimators of tables do, of columns of every kind."""

import numpy as np
import pandas as pd
import pytest

import mlp_c
from mlp_c import TabularMLPClassifier, TabularMLPRegressor
from support.tabular import MIXED, NUMBERS, TARGETS, WORDS, both, make, targets_for

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from support.onnx_models import feed_of, run

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
)

N_NEW = 200
_rng = np.random.default_rng(1)

# What training has not seen is there, too: missing numbers, other levels, numbers far away.
NEW_ROWS = pd.DataFrame(
    {
        "size": np.where(_rng.random(N_NEW) < 0.2, np.nan, 3 * _rng.normal(size=N_NEW)),
        "count": np.where(_rng.random(N_NEW) < 0.2, np.nan, _rng.integers(-3, 99, N_NEW)),
        "colour": _rng.choice(["red", "green", "blue", "violet", None], N_NEW),
        "sold": _rng.random(N_NEW) < 0.5,
        "constant": _rng.choice([1.0, 2.0, np.nan, -1e300, 1e300], N_NEW),
    }
)
FAR = [[1e300, -1e300, 1e9], [-1e300, 1e200, -1e9]]
NEW_NUMBERS = np.where(_rng.random((N_NEW, 3)) < 0.1, np.nan, 3 * _rng.normal(size=(N_NEW, 3)))
NEW_NUMBERS = np.concatenate([NEW_NUMBERS, FAR])


def assert_same(model, X, feed, **options):
    found = run(mlp_c.to_onnx(model, **options), feed)
    if isinstance(model, TabularMLPClassifier):
        assert (found["label"] == model.predict(X)).all()
        pairs = [(found["probabilities"], model.predict_proba(X))]
    else:
        pairs = [(found["prediction"], model.predict(X))]
        if model.loss == "gaussian":
            pairs.append((found["std"], model.predict(X, return_std=True)[1]))
    for values, expected in pairs:
        assert values.dtype == expected.dtype
        assert values.shape == expected.shape
        assert len(np.unique(expected)) > 1 or model.n_features_in_ == 0
        np.testing.assert_allclose(values, expected, rtol=2e-6, atol=1e-6)


@both
@pytest.mark.parametrize("opset", [13, 17, 21])
def test_a_table_of_every_kind_of_column(cls, opset):
    model = make(cls, max_iter=20, hidden_layer_sizes=(16, 8)).fit(MIXED, targets_for(cls))
    assert_same(model, NEW_ROWS, feed_of(NEW_ROWS), opset=opset)


@both
def test_an_array_and_a_frame_of_numbers_are_one_input(cls):
    for X, new in ((NUMBERS, NEW_NUMBERS), (pd.DataFrame(NUMBERS, columns=list("abc")), None)):
        model = make(cls, max_iter=20).fit(X, targets_for(cls))
        new = pd.DataFrame(NEW_NUMBERS, columns=list("abc")) if new is None else new
        assert_same(model, new, {"X": NEW_NUMBERS})
    few = make(cls, n_bins=0).fit(NUMBERS, targets_for(cls))
    assert_same(few, NEW_NUMBERS, {"X": NEW_NUMBERS})


@both
def test_knots_themselves_and_both_sides_of_them(cls):
    model = make(cls, max_iter=20).fit(NUMBERS, targets_for(cls))
    knots = model._columns.codes.knots
    near = np.concatenate([knots, np.nextafter(knots, -np.inf), np.nextafter(knots, np.inf)])
    X = np.stack([near, near[::-1], np.roll(near, 5)], axis=1)
    assert_same(model, X, {"X": X})


# Columns of one kind: what training sees, and what it has not seen or is missing.
CATEGORIES = {
    "words": (list("abca") * 15, ["a", "b", "c", "d", None]),
    "words of which some were missing": (["a", None, "b", "c"] * 15, ["a", "b", "d", None]),
    "the empty word": (["a", "", "b", ""] * 15, ["a", "", "b", "c"]),
    "the empty word beside missing ones": (["a", "", None, ""] * 15, ["a", "b", ""]),
    "two words": (["no", "yes"] * 30, ["no", "yes", "?", None]),
    "truth": ([True, False, False] * 20, [True, False]),
    "truth of which some was missing": ([True, None, False] * 20, [True, None, False]),
    "numbers": ([1, 2, 7, 2] * 15, [1.0, 2.0, 7.0, 3.0, np.nan, 1.5]),
    "fractions": ([0.1, 0.25, np.nan, 0.1] * 15, [0.1, 0.25, np.nan, 0.3]),
}


@pytest.mark.parametrize("kind", CATEGORIES)
@pytest.mark.parametrize("beside", [True, False], ids=["beside words", "alone"])
def test_every_kind_of_category(kind, beside):
    seen, new = CATEGORIES[kind]
    text = any(isinstance(value, str) for value in seen)
    table = pd.DataFrame({"it": pd.Series(seen, dtype=object), "word": ["x", "y", "z"] * 20})
    new_table = pd.DataFrame({"it": pd.Series(new, dtype=object), "word": ["x"] * len(new)})
    if not beside:
        table, new_table = table[["it"]], new_table[["it"]]
    model = make(TabularMLPClassifier, max_iter=20, categorical_features=list(table.columns))
    model.fit(table, WORDS)
    if text:
        values = np.array(["" if value is None else value for value in new], object)
    elif kind == "truth":
        values = np.array(new)
    else:
        values = np.array([np.nan if value is None else float(value) for value in new])
    feed = {"it": values[:, np.newaxis]}
    if beside:
        feed["word"] = np.array([["x"]] * len(new), object)
    elif not text and kind != "truth":
        feed = {"X": feed["it"]}
    assert_same(model, new_table, feed)


def test_an_array_of_words_and_numbers_has_an_input_for_each_column():
    X = np.array([[word, number] for word, number in zip(WORDS, TARGETS, strict=True)], object)
    model = make(TabularMLPRegressor, max_iter=20).fit(X, TARGETS)
    feed = {"column_0": X[:, :1], "column_1": X[:, 1:].astype(np.float64)}
    assert_same(model, X, feed)


def test_names_of_columns_may_be_those_of_outputs_and_nodes():
    table = pd.DataFrame({"label": WORDS, "Concat_12": TARGETS, "constant_3": TARGETS, "X": WORDS})
    model = make(TabularMLPClassifier).fit(table, WORDS)
    proto = mlp_c.to_onnx(model)
    assert [given.name for given in proto.graph.input] == list(table)
    found = run(proto, feed_of(table))
    assert list(found) == ["label_", "probabilities"]
    assert (found["label_"] == model.predict(table)).all()


def test_a_frame_of_polars():
    pl = pytest.importorskip("polars")
    table = pl.from_pandas(MIXED)
    model = make(TabularMLPClassifier, max_iter=20).fit(table, WORDS)
    assert_same(model, pl.from_pandas(NEW_ROWS), feed_of(NEW_ROWS))


TARGET_KINDS = {
    "two classes": (TabularMLPClassifier, TARGETS > 0, {}),
    "a class": (TabularMLPClassifier, np.zeros(60, int), {}),
    "numbers of classes": (TabularMLPClassifier, np.digitize(TARGETS, [-0.5, 0.5]) * 7, {}),
    "several targets": (TabularMLPRegressor, np.stack([TARGETS, 9 - TARGETS], 1), {}),
    "one target in a column": (TabularMLPRegressor, pd.DataFrame({"y": TARGETS}), {}),
    "normal": (TabularMLPRegressor, 50 + 9 * TARGETS, {"loss": "gaussian"}),
    "several normal ones": (
        TabularMLPRegressor,
        np.stack([TARGETS, 9 - 8 * TARGETS], 1),
        {"loss": "gaussian"},
    ),
    "counts": (TabularMLPRegressor, np.exp(TARGETS).round(), {"loss": "poisson"}),
    "a quantile": (TabularMLPRegressor, TARGETS, {"loss": "quantile", "quantile": 0.8}),
    "quantiles": (TabularMLPRegressor, 5 * TARGETS, {"loss": "quantile", "quantile": [0.1, 0.9]}),
    "quantiles of several": (
        TabularMLPRegressor,
        np.stack([TARGETS, 9 - 8 * TARGETS], 1),
        {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]},
    ),
}


@pytest.mark.parametrize("kind", TARGET_KINDS)
def test_every_kind_of_target(kind):
    cls, y, params = TARGET_KINDS[kind]
    model = make(cls, max_iter=20, **params).fit(MIXED, y)
    if kind == "a class":
        found = run(mlp_c.to_onnx(model), feed_of(NEW_ROWS))
        assert (found["label"] == model.predict(NEW_ROWS)).all()
        np.testing.assert_array_equal(found["probabilities"], model.predict_proba(NEW_ROWS))
    else:
        assert_same(model, NEW_ROWS, feed_of(NEW_ROWS))


def test_members_that_are_sure_of_a_class():
    model = make(TabularMLPClassifier, max_iter=20).fit(NUMBERS, WORDS)
    for member in model.members_:
        member.coefs_[-1] *= 1e4
    model.temperature_ = 7.0
    expected = model.predict_proba(NEW_NUMBERS)
    are_sure = expected.max(axis=1) > 0.9999
    found = run(mlp_c.to_onnx(model), {"X": NEW_NUMBERS})["probabilities"]
    assert are_sure.sum() > 20
    np.testing.assert_allclose(found[are_sure], expected[are_sure], rtol=1e-3)


@pytest.mark.parametrize("temperature", [1.4, 5.0])
def test_two_classes_of_which_one_is_unlikely(temperature):
    model = make(TabularMLPClassifier, max_iter=60, label_smoothing=0).fit(NUMBERS, TARGETS > 0)
    model.temperature_ = temperature
    assert_same(model, NEW_NUMBERS, {"X": NEW_NUMBERS})


@pytest.mark.parametrize("beside", ["a number", "nothing"])
def test_a_category_of_which_no_level_was_frequent(beside):
    table = pd.DataFrame({"it": [f"word {i}" for i in range(60)], "size": TARGETS})
    table = table if beside == "a number" else table[["it"]]
    model = make(TabularMLPClassifier).fit(table, WORDS)
    if beside == "a number":
        assert_same(model, table, feed_of(table))
        return
    with pytest.raises(ValueError, match="model must read a column of X"):
        mlp_c.to_onnx(model)


def test_a_column_whose_name_is_empty_goes_by_its_number():
    table = pd.DataFrame({"": WORDS, "size": TARGETS, "column_0": TARGETS})
    model = make(TabularMLPClassifier).fit(table, WORDS)
    feed = feed_of(table)
    feed["column_0_"] = feed.pop("")
    assert_same(model, table, feed)


def test_integers_that_float64_does_not_tell_apart_are_refused():
    table = pd.DataFrame({"id": 2**60 + np.arange(60) % 3, "size": TARGETS})
    model = make(TabularMLPClassifier, categorical_features=["id"]).fit(table, WORDS)
    with pytest.raises(TypeError, match=r"column 'id' has integers of 2\*\*53 or more"):
        mlp_c.to_onnx(model)


def test_levels_of_several_kinds_are_refused():
    table = pd.DataFrame({"it": pd.Series([1, "one", True] * 20, dtype=object)})
    model = make(TabularMLPClassifier).fit(table, WORDS)
    with pytest.raises(TypeError, match="column 'it' has levels of several kinds"):
        mlp_c.to_onnx(model)

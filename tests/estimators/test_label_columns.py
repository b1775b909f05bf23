"""Labels in several columns: a softmax for each, scikit-learn's protocol of several outputs."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.class_weight import compute_sample_weight

import mlp_c
from mlp_c import MLPClassifier
from support import calls
from support.fits import bits

RNG = np.random.default_rng(0)
N = 240
X = RNG.standard_normal((N, 5))
CODES = np.column_stack(
    [np.digitize(X[:, 0], [-0.5, 0.5]), X[:, 1] > 0, np.zeros(N, int), np.digitize(X[:, 2], [0, 1])]
)
TEXT = np.array(["many", "a few of", "one"])[CODES]
FRAME = pd.DataFrame({"size": TEXT[:, 0], "good": CODES[:, 1], "rank": 10.0 * CODES[:, 3]})
WEIGHT = RNG.uniform(0.5, 2, N)
OPTIONS = {"hidden_layer_sizes": (8,), "max_iter": 12, "tol": 0, "random_state": 0}
OPTIONS["learning_rate_init"] = 0.05
TABLES = {"integers": CODES, "text": TEXT, "a frame": FRAME}
TABLES["integers in a list"] = CODES.tolist()
TABLES["objects"] = FRAME.to_numpy()
TABLES["whole floats"] = CODES * 1.0
each_table = pytest.mark.parametrize("y", TABLES.values(), ids=TABLES)
each_solver = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def columns_of(y):
    """The columns as an array of labels each."""
    table = np.asarray(y)
    return [table[:, j] for j in range(table.shape[1])]


# ---- what a fitted model says ----


@each_table
@each_solver
@pytest.mark.parametrize(
    "rows", [X, csr_array(X), X.astype(np.float32)], ids=["dense", "CSR", "f4"]
)
def test_attributes_and_predictions_are_those_of_several_outputs(rows, solver, y):
    model = MLPClassifier(**OPTIONS, solver=solver).fit(rows, y)
    for classes, column in zip(model.classes_, columns_of(y), strict=True):
        np.testing.assert_array_equal(classes, np.unique(column))
        assert classes.dtype == column.dtype
    widths = [len(classes) for classes in model.classes_]
    assert (model.n_outputs_, model.out_activation_) == (sum(widths), "softmax")
    assert model.coefs_[-1].shape == (8, sum(widths))

    predicted, probabilities = model.predict(rows), model.predict_proba(rows)
    assert predicted.shape == np.shape(y)
    assert predicted.dtype == np.asarray(y).dtype
    assert [p.shape for p in probabilities] == [(N, k) for k in widths]
    for j, (p, classes) in enumerate(zip(probabilities, model.classes_, strict=True)):
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(predicted[:, j], classes[p.argmax(axis=1)])
    for p, log_p in zip(probabilities, model.predict_log_proba(rows), strict=True):
        with np.errstate(divide="ignore"):
            np.testing.assert_array_equal(log_p, np.log(p))

    right = (predicted == np.asarray(y)).all(axis=1)
    assert 0 < right.mean() < 1
    assert model.score(rows, y) == right.mean()
    assert model.score(rows, y, WEIGHT) == pytest.approx(np.average(right, weights=WEIGHT))


def test_they_are_as_of_scikit_learns_trees():
    """In type, shape and order: of a list of probabilities, and of classes."""
    ours, theirs = MLPClassifier(**OPTIONS).fit(X, TEXT), DecisionTreeClassifier().fit(X, TEXT)
    for a, b in zip(ours.classes_, theirs.classes_, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(ours.predict_proba(X), theirs.predict_proba(X), strict=True):
        assert a.shape == b.shape
    assert isinstance(ours.predict_proba(X), list)
    assert ours.predict(X).shape == theirs.predict(X).shape
    # their score raises; that of MultiOutputClassifier is the share of rows that are all right
    several = MultiOutputClassifier(DecisionTreeClassifier(max_depth=1)).fit(X, CODES)
    model = MLPClassifier(**OPTIONS).fit(X, CODES)
    model.predict = several.predict
    assert model.score(X, CODES) == several.score(X, CODES)


def test_a_table_of_zeros_and_ones_is_an_indicator_of_labels():
    model = MLPClassifier(**OPTIONS).fit(X, CODES[:, 1:3])
    assert (model.out_activation_, model.n_outputs_) == ("logistic", 2)
    assert MLPClassifier(**OPTIONS).fit(X, CODES[:, 1:3].astype(str)).n_outputs_ == 3


def test_two_columns_alike_learn_what_one_learns():
    """Of the same softmax twice, both give the same, and each its share of the loss."""
    y = np.column_stack([CODES[:, 0], CODES[:, 0]])
    model = MLPClassifier(**OPTIONS).fit(X, y)
    weights, biases = model.coefs_, model.intercepts_
    weights[-1][:, 3:], biases[-1][3:] = weights[-1][:, :3], biases[-1][:3]
    first, second = model.predict_proba(X)
    np.testing.assert_array_equal(first, second)
    single = MLPClassifier(**OPTIONS | {"max_iter": 1}).fit(X, y[:, 0])
    single.coefs_, single.intercepts_ = [weights[0], weights[1][:, :3]], [biases[0], biases[1][:3]]
    np.testing.assert_array_equal(single.predict_proba(X), first)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [np.asarray, csr_array])
def test_same_bits_on_any_number_of_threads(rows, dtype):
    data = rows(X.astype(dtype))
    results = []
    for n_threads in (1, 2, 3, 16):
        options = OPTIONS | {"hidden_layer_sizes": (190,), "n_threads": n_threads, "max_iter": 3}
        model = MLPClassifier(**options).fit(data, CODES)
        results.append((bits(model), calls.bits(model.predict_proba(data))))
    assert all(result == results[0] for result in results)


# ---- ways to fit ----


@each_table
def test_partial_fit_is_given_a_list_of_classes(y):
    """Batches may lack classes, and hold nothing but zeros and ones."""
    table = np.asarray(y)
    classes = [np.unique(column) for column in columns_of(y)]
    model = MLPClassifier(**OPTIONS).partial_fit(X[:100], table[:100], classes=classes)
    some = np.asarray([c[0] for c in classes], dtype=table.dtype)
    model.partial_fit(X[:3], np.tile(some, (3, 1)), classes=[list(c) for c in classes])
    model.partial_fit(X[100:], table[100:], WEIGHT[100:])
    assert len(model.loss_curve_) == 3
    for ours, known in zip(model.classes_, classes, strict=True):
        np.testing.assert_array_equal(ours, known)
    once = MLPClassifier(**OPTIONS | {"max_iter": 1}).fit(X, y)
    twin = MLPClassifier(**OPTIONS).partial_fit(X, y, classes=classes)
    np.testing.assert_array_equal(once.loss_curve_, twin.loss_curve_)


def test_partial_fit_of_an_indicator_may_be_given_zeros_and_ones_for_each():
    y = CODES[:, 1:3]
    model = MLPClassifier(**OPTIONS).partial_fit(X, y, classes=[[0, 1], [0, 1]])
    assert model.out_activation_ == "logistic"
    model.partial_fit(X, y, classes=[[0, 1], [0, 1]])
    twin = MLPClassifier(**OPTIONS).partial_fit(X, y, classes=[0, 1]).partial_fit(X, y)
    assert bits(model) == bits(twin)


@each_solver
def test_a_warm_start_goes_on(solver):
    model = MLPClassifier(**OPTIONS, solver=solver, warm_start=True).fit(X, TEXT)
    first = model.loss_
    model.fit(X, TEXT)
    assert len(model.loss_curve_) > 12
    assert model.loss_ < first
    with pytest.raises(ValueError, match="warm_start can only be used where column 3 of `y` has"):
        model.fit(X[TEXT[:, 3] != "one"], TEXT[TEXT[:, 3] != "one"])


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_early_stopping_scores_rows_that_are_all_right(weight):
    seen = []

    class Spy(MLPClassifier):
        def _score_outputs(self, y, outputs, sample_weight):
            score = super()._score_outputs(y, outputs, sample_weight)
            ends = np.cumsum([3, 2, 1])
            likeliest = [p.argmax(axis=1) for p in np.split(outputs, ends, axis=1)]
            right = (np.column_stack(likeliest) == y).all(axis=1)
            seen.append((score, np.average(right, weights=sample_weight)))
            return score

    model = Spy(**OPTIONS | {"max_iter": 40, "early_stopping": True}).fit(X, CODES, weight)
    assert model.validation_scores_ == [score for score, _ in seen]
    assert all(score == right for score, right in seen)
    assert max(model.validation_scores_) > min(model.validation_scores_)


# ---- class weights ----

DICTS = [{0: 1, 1: 2, 2: 0.5}, {0: 0.25, 1: 3}, {0: 1}, {2: 4}]
PRODUCT = np.prod(
    [np.array([1, 2, 0.5])[CODES[:, 0]], np.array([0.25, 3])[CODES[:, 1]],
     np.array([1.0, 1, 4])[CODES[:, 3]]], axis=0)  # fmt: skip


@each_solver
@pytest.mark.parametrize("given", [None, WEIGHT], ids=["alone", "times sample weights"])
@pytest.mark.parametrize(
    ("class_weight", "weight"),
    [(DICTS, PRODUCT), ("balanced", compute_sample_weight("balanced", CODES))],
    ids=["dicts", "balanced"],
)
def test_class_weights_of_the_columns_are_multiplied(class_weight, weight, given, solver):
    options = OPTIONS | {"solver": solver}
    model = MLPClassifier(**options, class_weight=class_weight).fit(X, CODES, given)
    product = weight if given is None else given * weight
    assert bits(model) == bits(MLPClassifier(**options).fit(X, CODES, product))


def test_class_weights_of_a_batch_that_lacks_classes():
    classes = [np.arange(3), np.arange(2), [0], np.arange(3)]
    model = MLPClassifier(**OPTIONS, class_weight=DICTS)
    rows = (CODES[:, 0] < 2) & (CODES[:, 3] != 1)
    model.partial_fit(X[rows], CODES[rows], classes=classes)
    twin = MLPClassifier(**OPTIONS).partial_fit(X[rows], CODES[rows], PRODUCT[rows], classes)
    assert bits(model) == bits(twin)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: 1}, "^class_weight must be 'balanced' or a list of dicts, one for each of 4 columns of"
                 " y, got a dict"),
        (DICTS[:3], "^class_weight must be .* one for each of 4 columns of y, got a list of 3"),
        (["balanced", *DICTS[1:]], "^class_weight must be .* of 4 columns of y, got a list of 4"),
        ([*DICTS[:3], {2: -1}], "^class_weight must hold finite numbers of at least 0, got -1"),
        ([{0: -1, 1: -2, 2: -3}, {0: -1, 1: -1}, *DICTS[2:]],
         "^class_weight must hold finite numbers of at least 0, got -"),
        ([{7: 1, 8: 2}, *DICTS[1:]], "class_weight"),
        ([DICTS[0], {0: 0, 1: 0}, *DICTS[2:]], "^class_weight must not be 0 for the classes of "),
    ],
)  # fmt: skip
def test_class_weights_that_do_not_fit(class_weight, message):
    model = MLPClassifier(**OPTIONS, class_weight=class_weight)
    with pytest.raises(ValueError, match=message):
        model.fit(X, CODES)
    assert not hasattr(model, "coefs_")


# ---- what is refused ----

MIXED = np.array([[1, "a"], ["b", 2]] * (N // 2), dtype=object)
CLASSES = [np.arange(3), np.arange(2), np.arange(1), np.arange(3)]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (X[:, :2], "^column 0 of y must hold labels, got the number "),
        (np.column_stack([CODES[:, 0], X[:, 0]]).astype(object), "^column 1 of y must hold labels"),
        (MIXED, "^column 0 of y must hold labels that have an order: '<' not supported"),
        (np.where(CODES > 1, None, CODES), "^column 0 of y must hold labels that have an order"),
        (np.where(CODES > 1, np.nan, CODES), "^Input y contains NaN"),
        (csr_array(CODES), "^y must be an indicator of labels where it is sparse"),
        (CODES[:5], "^Found input variables with inconsistent numbers of samples"),
        (np.stack([CODES, CODES], axis=2), "^Found array with dim 3"),
    ],
)
def test_tables_that_hold_no_labels(y, message):
    model = MLPClassifier(**OPTIONS)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (CODES[:, :3], r"^y must have labels in 4 columns, .* got shape \(240, 3\)"),
        (CODES[:, 0], r"^y must have labels in 4 columns, .* got shape \(240,\)"),
        (csr_array(CODES), r"^y must have labels in 4 columns, .* got a sparse matrix of shape"),
        (CODES + 1, "^column 0 of `y` has classes not in `self.classes_`"),
        (TEXT, "^column 0 of `y` has classes not in `self.classes_`"),
        (CODES + 0.5, "^column 0 of y must hold labels, got the number"),
    ],
)
def test_what_does_not_go_on_with_columns(y, message):
    model = MLPClassifier(**OPTIONS).partial_fit(X, CODES, classes=CLASSES)
    before = bits(model)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y)
    assert bits(model) == before
    assert isinstance(model.classes_, list)


@pytest.mark.parametrize("other", [CODES[:, 0], CODES[:, 1], CODES[:, 1:3]])
def test_columns_do_not_go_on_with_another_kind(other):
    model = MLPClassifier(**OPTIONS, warm_start=True).fit(X, other)
    for y in (CODES, TEXT, FRAME):
        with pytest.raises(ValueError, match=r"^y has labels in \d columns, but the model has "):
            model.fit(X, y)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (None, "^classes must be passed on the first call"),
        (
            [0, 1, 2],
            "^y has labels in 4 columns, but the model has multiclass classes; partial_fit",
        ),
        (CLASSES[:3], r"^y must have labels in 3 columns, .* got shape \(240, 4\)"),
        ([*CLASSES[:3], [0, 1]], "^column 3 of `y` has classes not in `self.classes_`"),
        ([[0, "a"], *CLASSES[1:]], "^column 0 of `y` has classes not in"),
        (
            [np.array([0, "a"], object), *CLASSES[1:]],
            r"^classes\[0\] must hold labels that have an",
        ),
        ([[0.5, 1], *CLASSES[1:]], r"^classes\[0\] must hold labels, got the number 0.5"),
    ],
)
def test_classes_that_do_not_fit(classes, message):
    model = MLPClassifier(**OPTIONS)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, CODES, classes=classes)
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize("y", [FRAME, MIXED])
def test_a_frame_without_a_list_of_classes(y):
    with pytest.raises(ValueError, match=r"^y has labels in \d columns, but the model has binary"):
        MLPClassifier(**OPTIONS).partial_fit(X, y, classes=[0, 1])


@pytest.mark.parametrize("classes", [CLASSES[:2], [*CLASSES[:3], [0, 1]], [0, 1, 2]])
def test_other_classes_than_those_of_the_first_call(classes):
    model = MLPClassifier(**OPTIONS).partial_fit(X, CODES, classes=CLASSES)
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, CODES, classes=classes)
    with pytest.raises(
        ValueError, match=r"^classes must be those of the first call to partial_fit"
    ):
        MLPClassifier(**OPTIONS).fit(X, CODES[:, 0]).partial_fit(X, CODES, classes=CLASSES)


@pytest.mark.parametrize("y", [CODES[:, 0], CODES[:, :2], csr_array(CODES)])
def test_scores_of_another_table(y):
    model = MLPClassifier(**OPTIONS).fit(X, CODES)
    with pytest.raises(ValueError, match=r"^y must have labels in 4 columns"):
        model.score(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X[:5], CODES)


def test_scikit_learn_has_no_such_network():
    with pytest.raises(
        ValueError, match=r"^y has had labels in 4 columns, and scikit-learn's MLPC"
    ):
        MLPClassifier(**OPTIONS).fit(X, CODES).to_sklearn()


# ---- models that users give weights, and edit ----


def test_labels_that_a_model_has_not_seen_are_wrong_ones():
    model = MLPClassifier(**OPTIONS | {"max_iter": 60}).fit(X, TEXT)
    other = TEXT.copy()
    other[:120, 0] = "another"
    assert 0 < model.score(X, other) == (model.predict(X) == other).all(axis=1).mean() < 0.5


def test_weights_and_classes_make_a_model(tmp_path):
    """In lists, too; its kind is what the classes say."""
    source = MLPClassifier(**OPTIONS).fit(X, FRAME)
    model = MLPClassifier(**OPTIONS, warm_start=True)
    model.coefs_ = [w.tolist() for w in source.coefs_]
    model.intercepts_ = [b.tolist() for b in source.intercepts_]
    model.classes_ = [c.tolist() for c in source.classes_]
    model.out_activation_, model.n_features_in_ = "softmax", 5
    model.n_layers_, model.n_outputs_ = 3, source.n_outputs_
    np.testing.assert_array_equal(model.predict(X), source.predict(X))
    assert calls.bits(model.predict_proba(X)) == calls.bits(source.predict_proba(X))
    again = pickle.loads(pickle.dumps(model))
    assert calls.bits(again.predict_proba(X)) == calls.bits(source.predict_proba(X))
    assert again.score(X, FRAME) == source.score(X, FRAME)
    model.fit(X, FRAME)
    assert isinstance(model.classes_, list)


def test_classes_may_be_given_other_names():
    """In any order, and of another kind in each column."""
    model = MLPClassifier(**OPTIONS).fit(X, CODES)
    codes = model.predict(X)
    names = [np.array(["z", "y", "x"]), np.array([10, 5]), ["only"], np.array([2.5, 1.5, 0.5])]
    model.classes_ = names
    named = model.predict(X)
    assert named.dtype == object
    for j, of_column in enumerate(names):
        np.testing.assert_array_equal(named[:, j], np.asarray(of_column)[codes[:, j]])
    model.classes_ = [np.array([3, 1, 2]), np.array([1.5, 0]), np.array([7]), np.arange(3)]
    assert model.predict(X).dtype == float
    model.classes_ = [np.array([3, 1, 2]), np.array([1, 0]), np.array([7]), np.array([5, 3, 4])]
    table = np.column_stack([c[j] for c, j in zip(model.classes_, CODES.T, strict=True)])
    twin = MLPClassifier(**OPTIONS).fit(X, CODES)
    assert bits(model.partial_fit(X, table)) == bits(twin.partial_fit(X, CODES))


def test_classes_for_another_number_of_outputs():
    model = MLPClassifier(**OPTIONS).fit(X, CODES)
    model.classes_ = [*model.classes_[:3], np.arange(4)]
    with pytest.raises(ValueError, match=r"^output\[1\] must hold widths of 9 outputs together"):
        model.predict(X)
    with pytest.raises(ValueError, match="n_outputs_ of a state must be right"):
        pickle.dumps(model)


# ---- saved, cloned and searched ----


@each_table
def test_saved_and_copied_models_go_on_alike(y, tmp_path):
    pytest.importorskip("safetensors")
    model = MLPClassifier(**OPTIONS).fit(X, y)
    path = tmp_path / "model.safetensors"
    model.save(path)
    twins = [mlp_c.load(path), pickle.loads(pickle.dumps(model))]
    model.partial_fit(X, y)
    for twin in twins:
        assert [c.dtype for c in twin.classes_] == [c.dtype for c in model.classes_]
        twin.partial_fit(X, y)
        assert bits(twin) == bits(model)
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert not hasattr(clone(model), "classes_")


def test_their_states_have_format_2():
    model = MLPClassifier(**OPTIONS | {"solver": "lbfgs"})  # which leaves nothing else of format 2
    assert model.fit(X, CODES).__getstate__()["format"] == 2
    assert model.fit(X, CODES[:, 0]).__getstate__()["format"] == 1


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("classes_", []),
        ("classes_", [np.arange(3), np.arange(2), np.arange(1)]),
        ("classes_", [np.zeros(3), np.arange(2), np.arange(1), np.arange(3)]),
        ("classes_", [np.zeros((3, 1)), np.arange(2), np.arange(1), np.arange(3)]),
        ("classes_", [3, 2, 1, 3]),
        ("classes_", np.arange(9)),
        ("_target_kind", "multiclass"),
        ("_target_kind", "multilabel-indicator"),
    ],
)
def test_states_whose_classes_do_not_fit(name, wrong):
    state = MLPClassifier(**OPTIONS).fit(X, CODES).__getstate__()
    state["fitted"][name] = wrong
    with pytest.raises(ValueError, match=r"classes_|_target_kind|n_outputs_"):
        MLPClassifier.__new__(MLPClassifier).__setstate__(state)


def test_a_state_of_no_columns():
    state = MLPClassifier(**OPTIONS).fit(X, CODES).__getstate__()
    state["fitted"]["classes_"] = []
    with pytest.raises(ValueError, match=r"^classes_ of a state must be classes of at least"):
        MLPClassifier.__new__(MLPClassifier).__setstate__(state)


def test_a_state_of_one_column_is_none_of_several():
    state = MLPClassifier(**OPTIONS).fit(X, CODES[:, 0]).__getstate__()
    state["fitted"]["_target_kind"] = "multiclass-multioutput"
    with pytest.raises(
        ValueError, match=r"^_target_kind of a state must be 'multiclass-multioutpu"
    ):
        MLPClassifier.__new__(MLPClassifier).__setstate__(state)


@each_table
def test_scikit_learns_searches_and_splits(y):
    cv = KFold(3) if y is FRAME or y is TABLES["objects"] else 3  # of 3, type_of_target asks y
    scores = cross_val_score(MLPClassifier(**OPTIONS), X, y, cv=cv)
    assert ((scores > 0) & (scores < 1)).all()
    grid = {"alpha": [1e-4, 1.0], "class_weight": [None, "balanced"]}
    search = GridSearchCV(MLPClassifier(**OPTIONS), grid, cv=cv).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.score(X, y) == search.best_estimator_.score(X, y)
    parts = cross_val_predict(MLPClassifier(**OPTIONS), X, CODES, cv=3, method="predict_proba")
    assert [p.shape for p in parts] == [(N, 3), (N, 2), (N, 1), (N, 3)]


def test_several_columns_are_learned_together():
    """What they share is learned once: with few rows, better than by a network for each."""
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((3000, 10))
    hidden = np.tanh(rows @ rng.standard_normal((10, 2)))
    table = np.column_stack(
        [np.digitize(hidden @ rng.standard_normal(2), [-0.4, 0.4]) for _ in range(8)]
    )
    options = {"hidden_layer_sizes": (3,), "max_iter": 400, "random_state": 0}
    model = MLPClassifier(**options).fit(rows[:300], table[:300])
    assert (model.predict(rows[300:]) == table[300:]).mean() > 0.7


@pytest.mark.parametrize("pair", [(1, 2), (-1, 1), (0, 2), (1.0, 2.0)])
def test_two_numbers_other_than_zero_and_one_are_labels_in_columns(pair):
    """Which scikit-learn's MLPClassifier takes for zeros and ones; its trees do as we."""
    y = np.array(pair)[(X[:, :2] > 0).astype(int)]
    model = MLPClassifier(**OPTIONS | {"max_iter": 200}).fit(X, y)
    theirs = DecisionTreeClassifier().fit(X, y)
    for ours, classes in zip(model.classes_, theirs.classes_, strict=True):
        np.testing.assert_array_equal(ours, classes)
    assert model.score(X, y) > 0.8
    indicator = MLPClassifier(**OPTIONS).fit(X, (y == pair[1]).astype(int))
    assert indicator.out_activation_ == "logistic"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y[:, :1], "^y must have labels in 2 columns"),
        (lambda y: y.astype(str), "^column 0 of y must hold labels like the model's"),
        (lambda y: y[:, ::-1], "^column 0 of y must hold labels like the model's"),
        (lambda y: np.where(y == "b", None, y), "^column 1 of y must hold labels that have an"),
    ],
)
def test_labels_of_another_kind_have_no_score(change, message):
    y = np.column_stack([CODES[:, 0], np.array(["a", "b"])[(X[:, 0] > 0).astype(int)]]).astype("O")
    y[:, 0] = CODES[:, 0]
    model = MLPClassifier(**OPTIONS).fit(X, y)
    assert model.score(X, y) == model.score(X, y.tolist()) > 0
    with pytest.raises(ValueError, match=message):
        model.score(X, change(y))
    with pytest.raises(ValueError, match="Negative values"):
        model.score(X, y, -np.ones(len(y)))


@pytest.mark.parametrize("form", [list, pd.Index, pd.Series, tuple, np.array])
def test_partial_fit_takes_classes_in_any_vectors(form):
    classes = [form([0, 1, 2]), form(["even", "odd"]), [False, True]]
    y = np.column_stack([CODES[:, 0], ["even"] * N, [True] * N]).astype(object)
    y[:, 0], y[:, 2] = CODES[:, 0], True
    model = MLPClassifier(**OPTIONS).partial_fit(X, y, classes=classes)
    assert [len(c) for c in model.classes_] == [3, 2, 2]

"""Class weights are sample weights of training, and scores know nothing of them."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.class_weight import compute_sample_weight

import mlp_c
from mlp_c import MLPClassifier
from support.fits import bits

RNG = np.random.default_rng(0)
N = 400
X = RNG.standard_normal((N, 5))
CODES = np.digitize(X[:, 0] + 0.5 * RNG.standard_normal(N), [0.5, 1.2])
NAMES = np.array(["many", "some", "few"])[CODES]
MANY = (X[:, :3] > [0.2, 0.8, 1.2]).astype(int)
SAMPLE_WEIGHT = RNG.uniform(0.5, 2, N)
OPTIONS = {"hidden_layer_sizes": (8,), "max_iter": 6, "tol": 0, "random_state": 0}

# By case: labels, class weights, and the sample weights that they are.
CASES = {
    "a dict": (CODES, {0: 0.5, 1: 2, 2: 7.0}, np.array([0.5, 2, 7])[CODES]),
    "names": (NAMES, {"few": 5, "many": 1, "some": 2}, np.array([1.0, 2, 5])[CODES]),
    "those it lacks have 1": (CODES, {2: 3.0}, np.array([1.0, 1, 3])[CODES]),
    "two classes": (CODES > 0, {False: 0.25, True: 4}, np.where(CODES > 0, 4, 0.25)),
    "one class": (np.zeros(N, int), {0: 2.0}, np.full(N, 2.0)),
    "a class of weight 0": (CODES, {0: 0.0, 1: 1, 2: 1}, (CODES > 0).astype(float)),
    "balanced": (NAMES, "balanced", compute_sample_weight("balanced", NAMES)),
    "balanced, two": (CODES > 0, "balanced", compute_sample_weight("balanced", CODES > 0)),
    "labels": (
        MANY,
        [{0: 1, 1: 3}, {0: 0.5, 1: 1}, {0: 1, 1: 2}],
        np.prod(np.where(MANY, [3, 1, 2], [1, 0.5, 1]), axis=1),
    ),
    "balanced labels": (MANY, "balanced", compute_sample_weight("balanced", MANY)),
    "sparse labels": (csr_matrix(MANY), "balanced", compute_sample_weight("balanced", MANY)),
}
each_case = pytest.mark.parametrize("case", CASES)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@each_case
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("given", [None, SAMPLE_WEIGHT], ids=["alone", "times sample weights"])
def test_a_fit_is_that_with_their_weights(given, solver, case):
    y, class_weight, weight = CASES[case]
    options = OPTIONS | {"solver": solver}
    model = MLPClassifier(**options, class_weight=class_weight).fit(X, y, given)
    product = weight if given is None else given * weight
    assert bits(model) == bits(MLPClassifier(**options).fit(X, y, product))


@pytest.mark.parametrize("case", [c for c in CASES if not isinstance(CASES[c][1], str)])
def test_partial_fit_is_that_with_their_weights(case):
    y, class_weight, weight = CASES[case]
    classes = np.arange(3) if y.ndim == 2 else np.unique(y)
    model, twin = MLPClassifier(**OPTIONS, class_weight=class_weight), MLPClassifier(**OPTIONS)
    for rows in (slice(0, 150), slice(150, 400)):
        model.partial_fit(X[rows], y[rows], classes=classes)
        twin.partial_fit(X[rows], y[rows], weight[rows], classes=classes)
    assert bits(model) == bits(twin)


def test_partial_fit_of_rows_that_lack_a_class():
    class_weight = {0: 1.0, 2: 3.0}  # without 1, which these rows have
    rows = CODES < 2
    model = MLPClassifier(**OPTIONS, class_weight=class_weight)
    model.partial_fit(X[rows], CODES[rows], classes=[0, 1, 2])
    twin = MLPClassifier(**OPTIONS).partial_fit(X[rows], CODES[rows], classes=[0, 1, 2])
    assert bits(model) == bits(twin)


def test_partial_fit_refuses_balanced():
    model = MLPClassifier(**OPTIONS, class_weight="balanced")
    with pytest.raises(ValueError, match=r"^class_weight must be .* for partial_fit, .*'balanced'"):
        model.partial_fit(X, CODES, classes=[0, 1, 2])
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize("given", [None, SAMPLE_WEIGHT], ids=["alone", "sample weights"])
def test_scores_of_early_stopping_know_nothing_of_them(given):
    """Counts are over all rows; the model is trained with weights, and scored without."""
    seen = []

    class Spy(MLPClassifier):
        def _score_outputs(self, y, outputs, sample_weight):
            seen.append(sample_weight)
            return super()._score_outputs(y, outputs, sample_weight)

    options = OPTIONS | {"early_stopping": True, "n_iter_no_change": 99, "max_iter": 3}
    model = Spy(**options, class_weight="balanced").fit(X, CODES, given)
    assert len(seen) == 3
    for weight in seen:
        assert weight is None if given is None else set(weight) <= set(given)
    weight = compute_sample_weight("balanced", CODES)
    twin = MLPClassifier(**options).fit(X, CODES, weight if given is None else given * weight)
    assert model.loss_curve_ == twin.loss_curve_
    assert model.validation_scores_ != twin.validation_scores_


def test_balanced_weights_find_more_of_a_rare_class():
    y = (X[:, 0] + X[:, 1] > 2).astype(int)
    assert y.mean() < 0.12
    options = OPTIONS | {"max_iter": 25}
    plain, balanced = (
        MLPClassifier(**options, class_weight=weight).fit(X, y) for weight in (None, "balanced")
    )
    assert balanced.predict(X[y == 1]).mean() > plain.predict(X[y == 1]).mean() + 0.3


@pytest.mark.parametrize(
    ("y", "class_weight", "expected"),
    [
        (CODES, {0: -1, 1: 1, 2: 1}, "class_weight must hold finite numbers of at least 0, got -1"),
        (CODES, {0: np.inf, 1: 1}, "class_weight must hold finite numbers of at least 0, got inf"),
        (CODES, {0: np.nan, 1: 1}, "class_weight must hold finite numbers of at least 0, got nan"),
        (CODES, {7: 2.0}, "class_weight"),
        (
            CODES,
            [{0: 1, 1: 1, 2: 1}],
            "class_weight must be a dict for multiclass labels",
        ),
        (MANY, {0: 1, 1: 2}, "class_weight should be a list of dicts"),
        (MANY, [{0: 1, 1: 2}], "number of elements in class_weight"),
        (CODES, {0: 0, 1: 0, 2: 0}, "class_weight must not be 0 for the classes of all rows"),
    ],
)
def test_weights_that_do_not_fit_are_refused(y, class_weight, expected):
    model = MLPClassifier(**OPTIONS, class_weight=class_weight)
    with pytest.raises(ValueError, match=expected):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize("case", ["a dict", "names", "two classes", "balanced", "labels"])
def test_they_are_saved_cloned_and_resumed(case, tmp_path):
    pytest.importorskip("safetensors")
    y, class_weight, _ = CASES[case]
    options = OPTIONS | {"class_weight": class_weight}
    whole = MLPClassifier(**options).fit(X, y)
    path = tmp_path / "fit.safetensors"
    whole.save(path)
    for twin in (mlp_c.load(path), pickle.loads(pickle.dumps(whole)), clone(whole)):
        assert twin.class_weight == class_weight
        assert type(twin.class_weight) is type(class_weight)
    model = MLPClassifier(**options | {"max_iter": 3})
    model.set_callbacks(mlp_c.Checkpoint(path)).fit(X, y)
    content = mlp_c.load(path).set_params(max_iter=6)
    assert content.class_weight == class_weight


def test_a_checkpoint_of_other_weights_is_not_gone_on_with(tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "fit.safetensors"
    weights = [compute_sample_weight("balanced", CODES), None]
    for weight in weights:
        model = MLPClassifier(**OPTIONS, class_weight={0: 1, 1: 2, 2: 3})
        model.set_callbacks(mlp_c.Checkpoint(path)).fit(X, CODES, weight)
        resumed = mlp_c.resume(path, X, CODES, weight)
        assert bits(resumed) == bits(model)
        with pytest.raises(ValueError, match=r"^X, y and sample_weight, .* must be those of the"):
            mlp_c.resume(path, X, CODES, SAMPLE_WEIGHT)


def test_searches_go_over_them():
    grid = {"class_weight": [None, "balanced", {0: 1, 1: 3, 2: 9}]}
    search = GridSearchCV(
        MLPClassifier(**OPTIONS | {"max_iter": 60}), grid, scoring="balanced_accuracy", cv=3
    )
    scores = search.fit(X, CODES).cv_results_["mean_test_score"]
    assert scores[1] > scores[0]


def test_to_sklearn_predicts_the_same():
    model = MLPClassifier(**OPTIONS, class_weight="balanced").fit(X, CODES)
    np.testing.assert_allclose(model.to_sklearn().predict_proba(X), model.predict_proba(X))

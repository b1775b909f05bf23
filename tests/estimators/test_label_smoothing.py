"""Label smoothing: fits to targets of which all classes have a share, without a table of these."""

import numpy as np
import pytest
from scipy.special import xlogy
from sklearn.base import clone

from mlp_c import MLPClassifier, _core
from mlp_c._estimators import labels
from support import calls
from support.fits import assert_same_bits_on_any_threads_and_of_sparse_rows, bits

RNG = np.random.default_rng(0)
N = 300
X = RNG.standard_normal((N, 3))
CODES = np.digitize(X[:, 0], [-0.5, 0.5])
MANY = (X > [0.2, 0.8, -0.3]).astype(int)
OPTIONS = {"hidden_layer_sizes": (8,), "max_iter": 6, "tol": 0, "random_state": 0}

# By kind of labels: these.
KINDS = {"multiclass": CODES, "binary": CODES > 0, "multilabel-indicator": MANY}
each_kind = pytest.mark.parametrize("kind", KINDS)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def targets(kind, smoothing):
    """A row each of the targets that are meant."""
    y = np.eye(3)[CODES] if kind == "multiclass" else KINDS[kind].reshape(N, -1)
    return (1 - smoothing) * y + smoothing / (3 if kind == "multiclass" else 2)


def mean_loss(kind, y, outputs):
    """Of rows of targets, without bounds."""
    terms = xlogy(y, outputs) + (0 if kind == "multiclass" else xlogy(1 - y, 1 - outputs))
    return -terms.sum(axis=1).mean()


@each_kind
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_loss_that_is_reported_is_that_of_the_smoothed_targets(kind, solver):
    """Of one step that moves nothing; in a fit of all rows at once."""
    params = {"solver": solver, "learning_rate_init": 1e-300, "alpha": 0, "batch_size": N}
    if solver == "lbfgs":
        params |= {"max_iter": 3}
    model = MLPClassifier(**OPTIONS | params, label_smoothing=0.2).fit(X, KINDS[kind])
    outputs = model.predict_proba(X)
    outputs = outputs[:, 1:] if kind == "binary" else outputs
    assert model.loss_ == pytest.approx(mean_loss(kind, targets(kind, 0.2), outputs), rel=1e-12)
    assert model.loss_ == model.loss_curve_[-1]
    assert model.loss_ != pytest.approx(mean_loss(kind, targets(kind, 0), outputs), rel=1e-3)


@each_kind
def test_probabilities_end_at_the_smoothed_targets(kind):
    """Where nothing but the label is to be learnt, and all rows of a label are alike."""
    y = KINDS[kind]
    _, rows = np.unique(y if y.ndim == 2 else y.reshape(-1, 1), axis=0, return_inverse=True)
    rows = np.eye(rows.max() + 1)[rows]
    model = MLPClassifier(
        (), solver="lbfgs", alpha=0, max_iter=5000, tol=1e-9, max_fun=10**6, label_smoothing=0.3
    )
    model.fit(np.hstack([rows, rows]), y)
    outputs = model.predict_proba(np.hstack([rows, rows]))
    outputs = outputs[:, 1:] if kind == "binary" else outputs
    np.testing.assert_allclose(outputs, targets(kind, 0.3), atol=1e-4)


@each_kind
@pytest.mark.parametrize("n_rows", [1, 50])
def test_labels_have_the_bits_of_rows_of_targets(kind, n_rows, dtype):
    """Of whole epochs: what classes exclude each other is told by labels alone."""
    X_now, loss = X.astype(dtype), labels.loss_for(kind, np.arange(3)).name
    y = np.eye(3, dtype=dtype)[CODES] if kind == "multiclass" else targets(kind, 0).astype(dtype)
    given = CODES if kind == "multiclass" else y > 0
    results = []
    for form in (y, given):
        draw = calls.normal(dtype)
        weights, biases = [draw(3, 8), draw(8, y.shape[1])], [draw(8), draw(y.shape[1])]
        total = calls.train_epoch(
            X_now, form, weights, biases, loss=calls.loss(loss, smoothing=0.2), batch_size=n_rows
        )
        results.append((total, calls.bits([weights, biases])))
    assert results[0] == results[1]


@each_kind
def test_labels_stay_labels(kind, monkeypatch):
    """What an epoch is given is what it is given without smoothing."""
    given = []
    epoch = _core.train_epoch
    monkeypatch.setattr(_core, "train_epoch", lambda fields: given.append(fields) or epoch(fields))
    for smoothing in (0, 0.2):
        MLPClassifier(**OPTIONS | {"max_iter": 1}, label_smoothing=smoothing).fit(X, KINDS[kind])
    without, smoothed = (fields["y"] for fields in given)
    assert smoothed.shape == without.shape == ((N,) if kind == "multiclass" else smoothed.shape)
    assert smoothed.dtype == without.dtype
    assert smoothed.dtype.kind in "ib"


@each_kind
def test_no_smoothing_has_the_bits_of_a_fit_without(kind):
    plain = MLPClassifier(**OPTIONS).fit(X, KINDS[kind])
    for zero in (0, 0.0, np.float32(0)):
        model = MLPClassifier(**OPTIONS, label_smoothing=zero).fit(X, KINDS[kind])
        assert bits(model) == bits(plain)
    assert bits(MLPClassifier(**OPTIONS, label_smoothing=0.01).fit(X, KINDS[kind])) != bits(plain)


@each_kind
def test_same_bits_on_any_number_of_threads_and_of_sparse_rows(kind):
    params = OPTIONS | {"hidden_layer_sizes": (90,), "label_smoothing": 0.1, "batch_size": 64}
    assert_same_bits_on_any_threads_and_of_sparse_rows(MLPClassifier(**params), X, KINDS[kind])


@each_kind
def test_scores_of_early_stopping_know_nothing_of_it(kind):
    """They are of the labels: where nothing is learnt, those of a fit without smoothing."""
    params = OPTIONS | {"early_stopping": True, "learning_rate_init": 1e-300}
    scores = [
        MLPClassifier(**params, label_smoothing=smoothing).fit(X, KINDS[kind]).validation_scores_
        for smoothing in (0.0, 0.9)
    ]
    assert scores[0] == scores[1]


@each_kind
def test_the_loss_for_labels_is_of_these_and_with_parameters_of_smoothed_ones(kind):
    plain = labels.loss_for(kind, np.arange(3))
    smoothed = plain.with_parameters(MLPClassifier(label_smoothing=0.25))
    for dtype in (np.float32, np.float64):
        assert plain.for_kernels(dtype)["smoothing"] == 0
        assert smoothed.for_kernels(dtype) == plain.for_kernels(dtype) | {"smoothing": 0.25}


def test_a_single_class_is_fitted_to_its_share():
    """It is the negative one of two."""
    model = MLPClassifier((), solver="lbfgs", alpha=0, label_smoothing=0.2).fit(X, np.zeros(N, int))
    np.testing.assert_allclose(model.predict_proba(X), [[0.9, 0.1]] * N, atol=1e-3)
    assert (model.predict(X) == 0).all()


def test_a_clone_and_partial_fit_have_it():
    model = MLPClassifier(label_smoothing=0.1, random_state=0)
    assert clone(model).label_smoothing == 0.1
    epoch = clone(model).set_params(max_iter=1, shuffle=False).fit(X, CODES)
    part = clone(model).set_params(shuffle=False).partial_fit(X, CODES, classes=[0, 1, 2])
    assert bits(part) == bits(epoch)


def test_scikit_learns_model_predicts_the_same():
    """It has no such parameter."""
    model = MLPClassifier(**OPTIONS, label_smoothing=0.1).fit(X, CODES)
    theirs = model.to_sklearn()
    assert not hasattr(theirs, "label_smoothing")
    np.testing.assert_allclose(theirs.predict_proba(X), model.predict_proba(X), rtol=1e-12)

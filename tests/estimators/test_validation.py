"""What a fit is validated with, how that is scored, and which weights are kept."""

import pickle
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csc_matrix, csr_array
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import get_scorer, log_loss, make_scorer, mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor
from support import calls

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IRIS = load_iris()
ORDER = np.random.default_rng(0).permutation(150)
X, Y = IRIS.data[ORDER], IRIS.target[ORDER]
NAMES = IRIS.target_names[Y]
TRAIN, VAL = (X[:100], Y[:100]), (X[100:], Y[100:])
OF_VAL = {"X_val": X[100:], "y_val": Y[100:]}
OPTIONS = {
    "hidden_layer_sizes": (16,),
    "early_stopping": True,
    "random_state": 0,
    "max_iter": 60,
    "learning_rate_init": 0.02,
    "n_iter_no_change": 5,
}
each_solver = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])


def bits(model):
    curves = [np.array(model.loss_curve_), np.array(model.validation_scores_)]
    return calls.bits(
        [model.coefs_, model.intercepts_, *curves, np.array(model.validation_loss_curve_)]
    )


# ---- rows of one's own ----


def test_rows_that_are_given_are_those_that_would_be_split_off():
    """The same split made before the fit: the same weights, curves and scores."""
    split = MLPClassifier(**OPTIONS, shuffle=False, validation_fraction=0.2)
    split.fit(X, NAMES, coefs_init=W, intercepts_init=B)
    X_train, X_val, y_train, y_val = train_test_split(X, NAMES, random_state=0, test_size=0.2)
    given = MLPClassifier(**OPTIONS, shuffle=False)
    given.fit(X_train, y_train, X_val=X_val, y_val=y_val, coefs_init=W, intercepts_init=B)
    assert bits(given) == bits(split)
    assert (given.best_iter_, given.n_iter_) == (split.best_iter_, split.n_iter_)


def initial(widths, dtype=float, seed=0):
    weights, biases = mlp_c.kernels.initialize(widths, random_state=seed, dtype=dtype)
    return weights, [b + dtype(0.01) for b in biases]


W, B = initial([4, 16, 3])


@each_solver
def test_the_weights_that_score_best_are_kept(solver):
    model = MLPClassifier(**OPTIONS, solver=solver).fit(*TRAIN, **OF_VAL)
    scores = model.validation_scores_
    assert len(scores) == len(model.validation_loss_curve_) == model.n_iter_
    assert model.best_validation_score_ == max(scores) == scores[model.best_iter_ - 1]
    assert model.best_iter_ == 1 + np.argmax(scores)
    assert model.score(*VAL) == model.best_validation_score_
    best = model.validation_loss_curve_[model.best_iter_ - 1]
    assert log_loss(VAL[1], model.predict_proba(VAL[0])) == pytest.approx(best, rel=1e-12)


@each_solver
def test_it_stops_after_so_many_epochs_without_improvement(solver, capsys):
    options = OPTIONS | {"max_iter": 1000, "solver": solver, "verbose": True, "scoring": "loss"}
    model = MLPClassifier(**options, tol=1e-3).fit(*TRAIN, **OF_VAL)
    since, best = 0, -np.inf
    for score in model.validation_scores_:
        assert since <= OPTIONS["n_iter_no_change"]
        since, best = (since + 1 if score < best + 1e-3 else 0), max(best, score)
    assert since == OPTIONS["n_iter_no_change"] + 1
    assert model.n_iter_ < 1000
    assert "Validation score did not improve" in capsys.readouterr().out


@pytest.mark.parametrize("form", [np.asfortranarray, csr_array, csc_matrix, np.float32, list])
def test_rows_of_every_form(form):
    whole = MLPClassifier(**OPTIONS).fit(*TRAIN, **OF_VAL)
    model = MLPClassifier(**OPTIONS).fit(*TRAIN, X_val=form(VAL[0]), y_val=VAL[1])
    if form is not np.float32:
        assert bits(model) == bits(whole)
    assert model.validation_loss_curve_ == pytest.approx(whole.validation_loss_curve_, rel=1e-5)


@pytest.mark.parametrize("scoring", [None, "loss", "neg_log_loss"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_weights_of_the_rows_are_in_the_loss_and_the_score(solver, scoring):
    """A row of weight 2 counts as two."""
    options = OPTIONS | {"solver": solver, "scoring": scoring}
    weight = np.random.default_rng(1).integers(0, 3, 50)
    weighted = MLPClassifier(**options).fit(*TRAIN, **OF_VAL, sample_weight_val=weight)
    X_val, y_val = (np.repeat(part, weight, axis=0) for part in VAL)
    repeated = MLPClassifier(**options).fit(*TRAIN, X_val=X_val, y_val=y_val)
    assert weighted.validation_loss_curve_ == pytest.approx(repeated.validation_loss_curve_)
    assert weighted.validation_scores_ == pytest.approx(repeated.validation_scores_)
    assert calls.bits(weighted.coefs_) == calls.bits(repeated.coefs_)


def test_training_weights_class_weights_and_smoothing_are_not_in_the_loss():
    options = OPTIONS | {"alpha": 0.1, "scoring": "loss", "label_smoothing": 0.2}
    model = MLPClassifier(**options, class_weight={0: 5.0}).fit(
        *TRAIN, np.linspace(0.1, 2, 100), **OF_VAL
    )
    best = model.validation_loss_curve_[model.best_iter_ - 1]
    assert log_loss(VAL[1], model.predict_proba(VAL[0])) == pytest.approx(best, rel=1e-12)


def test_the_loss_of_a_regressor_is_its_own():
    rows, targets = load_diabetes(return_X_y=True)
    targets = np.column_stack([targets, targets[::-1]]) / 100
    options = OPTIONS | {"scoring": "loss"}
    model = MLPRegressor(**options).fit(
        rows[:300], targets[:300], X_val=rows[300:], y_val=targets[300:]
    )
    error = mean_squared_error(targets[300:], model.predict(rows[300:]))
    assert model.validation_loss_curve_[model.best_iter_ - 1] == pytest.approx(error / 2, rel=1e-12)


@pytest.mark.parametrize("n_threads", [2, 3, 8])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_same_bits_on_any_number_of_threads(solver, n_threads):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((3000, 20)) * (rng.random((3000, 20)) < 0.2)
    y = (rows @ rng.standard_normal((20, 4))).argmax(axis=1)
    models = [
        MLPClassifier(**OPTIONS | {"solver": solver, "max_iter": 5, "n_threads": n}).fit(
            rows[:2000], y[:2000], X_val=rows[2000:], y_val=y[2000:]
        )
        for n in (1, n_threads)
    ]
    assert bits(models[0]) == bits(models[1])


def test_frames_have_their_names_checked():
    frame = pd.DataFrame(X, columns=IRIS.feature_names)
    model = MLPClassifier(**OPTIONS, scoring="accuracy")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.fit(frame[:100], NAMES[:100], X_val=frame[100:], y_val=NAMES[100:])
        model.fit(frame, NAMES)
    with pytest.raises(ValueError, match="feature names should match"):
        model.fit(frame[:100], Y[:100], X_val=frame[100:][IRIS.feature_names[::-1]], y_val=Y[100:])


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_labels_in_any_order_and_not_all_of_them(order):
    model = MLPClassifier(**OPTIONS)
    few = NAMES[100:] != "setosa"
    model.fit(X[:100], NAMES[:100], X_val=VAL[0][few][order], y_val=NAMES[100:][few][order])
    assert model.score(VAL[0][few], NAMES[100:][few]) == model.best_validation_score_


@pytest.mark.parametrize("kind", ["binary", "labels", "sparse labels", "one label", "columns"])
@pytest.mark.parametrize("scoring", [None, "loss"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_kind_of_labels(solver, scoring, kind):
    y = {
        "binary": NAMES == "setosa",
        "labels": np.eye(3, dtype=int)[Y],
        "sparse labels": csr_array(np.eye(3, dtype=int)[Y]),
        "one label": np.zeros(150, int),
        "columns": np.column_stack([NAMES, Y > 0]),
    }[kind]
    options = OPTIONS | {"scoring": scoring, "solver": solver}
    model = MLPClassifier(**options).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    watched = model.best_validation_score_
    if scoring == "loss":
        assert -watched == min(model.validation_loss_curve_)
    else:
        assert watched == model.score(X[100:], y[100:])


def test_the_loss_of_labels_in_columns_is_the_sum_of_theirs():
    y = np.column_stack([NAMES, Y > 0])
    model = MLPClassifier(**OPTIONS, scoring="loss").fit(
        X[:100], y[:100], X_val=X[100:], y_val=y[100:]
    )
    losses = [log_loss(y[100:, j], p) for j, p in enumerate(model.predict_proba(X[100:]))]
    assert min(model.validation_loss_curve_) == pytest.approx(sum(losses), rel=1e-12)
    with pytest.raises(ValueError, match=r"^y_val must have labels in 2 columns"):
        model.fit(X[:100], y[:100], X_val=X[100:], y_val=Y[100:])
    with pytest.raises(ValueError, match=r"^column 0 of `y_val` has classes not in"):
        model.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:, ::-1])


def test_a_pipeline_transforms_them():
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**OPTIONS).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        # (make_pipeline has transform_input of its own)
        pipeline.fit(*TRAIN, **OF_VAL)
    scaler = StandardScaler().fit(TRAIN[0])
    alone = MLPClassifier(**OPTIONS).fit(
        scaler.transform(TRAIN[0]), TRAIN[1], X_val=scaler.transform(VAL[0]), y_val=VAL[1]
    )
    assert bits(pipeline[-1]) == bits(alone)


def test_a_callback_that_scores_is_not_told_of_them():
    """It would pass them on to its metric."""
    monitor = ScoringMonitor(scoring="accuracy")
    MLPClassifier(**OPTIONS).set_callbacks(monitor).fit(*TRAIN, np.ones(100), **OF_VAL)
    assert len(monitor.get_logs().data) > 1


def test_the_arguments_are_left_as_they_are():
    copies = X[100:].copy(), Y[100:].copy(), [w.copy() for w in W], [b.copy() for b in B]
    model = MLPClassifier(**OPTIONS, scoring=lambda e, X, y: X.fill(0) or 1.0)
    model.fit(*TRAIN, X_val=copies[0], y_val=copies[1], coefs_init=copies[2], intercepts_init=B)
    assert calls.bits(list(copies[:2])) == calls.bits([X[100:], Y[100:]])
    assert calls.bits(copies[2]) == calls.bits(W)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": X}, "^X_val must be given with y_val, which is None"),
        ({"y_val": Y}, "^y_val must be given with X_val, which is None"),
        ({"sample_weight_val": Y}, "^sample_weight_val must be given with X_val, which is None"),
        ({"X_val": X[:, :3], "y_val": Y}, "^X_val has 3 features, but MLPClassifier is expecting"),
        ({"X_val": X, "y_val": Y + 1}, r"`y_val` has classes not in `self.classes_`"),
        ({"X_val": X * np.nan, "y_val": Y}, "^Input X_val contains NaN"),
        ({"X_val": X, "y_val": Y[:3]}, "^X_val and y_val: .*inconsistent numbers"),
        ({"X_val": X, "y_val": np.eye(3)[Y]}, "^y_val is multilabel, but the model was fitted"),
        ({"X_val": X[:0], "y_val": Y[:0]}, "^X_val and y_val: Found array with 0 sample"),
        ({"X_val": X, "y_val": Y, "sample_weight_val": -Y}, "`sample_weight_val`"),
        (
            {"X_val": X, "y_val": Y, "sample_weight_val": 0 * Y},
            "^X_val and y_val: Sample weights must contain",
        ),
    ],
)
def test_what_is_refused(arguments, message):
    model = MLPClassifier(**OPTIONS)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, **arguments)
    assert not hasattr(model, "coefs_")


def test_rows_without_early_stopping_are_refused():
    with pytest.raises(ValueError, match="must be given with early_stopping=True, got "):
        MLPClassifier().fit(*TRAIN, **OF_VAL)


@pytest.mark.parametrize(
    ("loss", "y_val", "message"),
    [
        ("gamma", 0.0, "^y_val must be positive for loss='gamma', got 0.0"),
        ("squared_error", np.inf, "y_val contains infinity"),
        ("squared_error", [[1, 2]], "^y_val must have as many outputs as in training, which is 1"),
    ],
)
def test_targets_that_are_refused(loss, y_val, message):
    rows = np.ones((3, 2))
    y_val = np.resize(y_val, (3, *np.shape(y_val)[1:]))
    with pytest.raises(ValueError, match=message):
        MLPRegressor(loss, early_stopping=True).fit(rows, [1, 2, 3], X_val=rows, y_val=y_val)


def test_labels_that_are_named_as_arguments_are_quoted_as_they_are():
    labels = np.array(["X", "sample_weight", "y"])[Y]
    message = r"^`y_val` has .* has \['X' 'sample_weight' 'y'\]. `y_val` has \['X' 'z'\]"
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**OPTIONS).fit(X, labels, X_val=X[:2], y_val=["z", "X"])


@each_solver
@pytest.mark.parametrize("loss", [{}, {"loss": "quantile", "quantile": [0.1, 0.9]}])
def test_one_row_is_too_few_for_the_score_of_a_regressor(loss, solver):
    """Of which it is NaN, and never the best."""
    model, one = MLPRegressor(**OPTIONS, **loss, solver=solver), {"X_val": X[:1], "y_val": Y[:1]}
    with pytest.raises(ValueError, match=r"^X_val must have at least 2 rows for the score of a re"):
        model.fit(X, Y, **one)
    assert not hasattr(model, "coefs_")
    assert model.set_params(scoring="loss").fit(X, Y, **one).best_iter_ > 0
    two = {"X_val": X[:2], "y_val": Y[:2]}
    assert np.isfinite(model.set_params(scoring=None).fit(X, Y, **two).validation_scores_).all()
    few = MLPClassifier(**OPTIONS, solver=solver).fit(X, Y, **one)
    assert few.best_iter_ > 0


# ---- how they are scored ----


def test_the_loss_as_the_score():
    model = MLPClassifier(**OPTIONS, scoring="loss").fit(X, Y)
    assert model.validation_scores_ == [-loss for loss in model.validation_loss_curve_]
    assert model.best_iter_ == 1 + np.argmin(model.validation_loss_curve_)


@pytest.mark.parametrize("name", ["neg_log_loss", "balanced_accuracy", "roc_auc_ovr"])
@each_solver
def test_a_scorer_by_its_name(name, solver):
    model = MLPClassifier(**OPTIONS, scoring=name, solver=solver).fit(*TRAIN, **OF_VAL)
    got = get_scorer(name)(model, *VAL)
    assert model.best_validation_score_ == model.validation_scores_[model.best_iter_ - 1] == got


def test_a_scorer_of_no_weights_is_given_none():
    scorer = make_scorer(lambda y, predicted: np.mean(y == predicted))
    weight = np.linspace(0.1, 2, 100)
    model = MLPClassifier(**OPTIONS, scoring=scorer).fit(
        *TRAIN, weight, **OF_VAL, sample_weight_val=weight[:50]
    )
    assert model.best_validation_score_ == np.mean(model.predict(VAL[0]) == VAL[1])


def test_a_callable_gets_the_model_as_it_is_then():
    losses = []

    def scoring(estimator, X, y):
        losses.append(log_loss(y, estimator.predict_proba(X)))
        return -losses[-1]

    model = MLPClassifier(**OPTIONS, scoring=scoring).fit(X, NAMES)
    assert losses == pytest.approx(model.validation_loss_curve_, rel=1e-12)
    assert bits(clone(model).fit(X, NAMES)) == bits(model)


def test_the_built_in_scores_are_given_no_copy(monkeypatch):
    monkeypatch.setattr("mlp_c._training.validation._safe_indexing", lambda *_: 1 / 0)
    for scoring in (None, "loss"):
        MLPClassifier(**OPTIONS, scoring=scoring).fit(X, Y)
    with pytest.raises(ZeroDivisionError):
        MLPClassifier(**OPTIONS, scoring="accuracy").fit(X, Y)


NUMBERS = [3, np.float32(0.5), np.int8(3), np.array(0.5), np.array([0.5]), np.True_, Fraction(1, 3)]


def test_a_scorer_that_fails_says_that_it_did():
    held_out = {"X_val": X[100:][Y[100:] > 0], "y_val": Y[100:][Y[100:] > 0]}
    expected = r"^scoring='neg_log_loss' failed on the rows held out, which may lack a class; "
    with pytest.raises(ValueError, match=expected):
        MLPClassifier(**OPTIONS, scoring="neg_log_loss").fit(*TRAIN, **held_out)


NO_NUMBERS = ["good", None, [1.0], 1j, np.nan, np.float32("nan"), np.array([1.0, 2.0])]


@pytest.mark.parametrize("value", [*NUMBERS, np.inf])
def test_a_score_is_a_number_as_scikit_learn_takes_it(value):
    model = MLPClassifier(**OPTIONS, scoring=lambda e, X, y: value).fit(X, Y)
    assert model.validation_scores_ == [float(np.ravel(value)[0])] * model.n_iter_
    assert {type(score) for score in model.validation_scores_} == {float}
    assert model.best_iter_ == 1


@each_solver
@pytest.mark.parametrize("value", NO_NUMBERS)
def test_a_score_that_is_no_number_is_refused(value, solver):
    model = MLPClassifier(**OPTIONS, solver=solver, scoring=lambda e, X, y: value)
    with pytest.raises(ValueError, match=r"^scoring must return a number, got .* from <function"):
        model.fit(X, Y)


@pytest.mark.parametrize("value", [10**5000, -Fraction(10**5000)], ids=["integer", "fraction"])
def test_a_score_beyond_float64_is_refused(value):
    with pytest.raises(ValueError, match=r"^scoring must return a number that float64 holds"):
        MLPClassifier(**OPTIONS, scoring=lambda e, X, y: value).fit(X, Y)


@each_solver
def test_a_metric_is_no_scorer(solver):
    """Which is found before the model changes."""
    model = MLPRegressor(**OPTIONS, solver=solver).fit(X, Y)
    before = dict(vars(model)), calls.bits(model.coefs_)
    model.scoring = mean_squared_error
    with pytest.raises(ValueError, match="looks like it is a metric"):
        model.fit(X, Y)
    assert vars(model) == before[0] | {"scoring": mean_squared_error}
    assert calls.bits(model.coefs_) == before[1]


def test_an_unknown_scorer_is_refused():
    with pytest.raises(ValueError, match="'scoring' parameter of MLPClassifier"):
        MLPClassifier(scoring="good").fit(X, Y)


@pytest.mark.parametrize("scoring", [None, "loss"])
def test_lbfgs_holds_rows_out_where_a_score_is_said(scoring):
    """Without, scikit-learn's takes all rows, and so does ours."""
    model = MLPClassifier(**OPTIONS, solver="lbfgs", scoring=scoring).fit(X, Y)
    assert hasattr(model, "best_iter_") == (scoring is not None)
    plain = MLPClassifier(**OPTIONS | {"early_stopping": False}, solver="lbfgs").fit(X, Y)
    assert (calls.bits(model.coefs_) == calls.bits(plain.coefs_)) == (scoring is None)


# ---- the record ----


def test_without_held_out_rows_nothing_is_recorded():
    model = MLPClassifier(**OPTIONS, warm_start=True).fit(X, Y)
    assert model.best_iter_ >= 1
    model.set_params(early_stopping=False).fit(X, Y)
    assert not hasattr(model, "best_iter_")
    assert not hasattr(model, "validation_loss_curve_")


def test_a_warm_start_goes_on_with_the_curves():
    """And with the best weights of all, where no epoch is better."""
    model = MLPClassifier(**OPTIONS, warm_start=True).fit(*TRAIN, **OF_VAL)
    for _ in range(3):
        scores = list(model.validation_scores_)
        model.fit(*TRAIN, **OF_VAL)
        assert model.validation_scores_[: len(scores)] == scores
        assert len(model.validation_loss_curve_) == len(model.validation_scores_) > len(scores)
        assert model.validation_scores_[model.best_iter_ - 1] == max(model.validation_scores_)
        assert model.score(*VAL) == model.best_validation_score_


def test_a_warm_start_keeps_the_best_weights_by_default_too():
    """Which scikit-learn trains on itself."""
    options = OPTIONS | {"learning_rate_init": 0.2, "solver": "sgd", "warm_start": True}
    model = MLPClassifier(**options).fit(X, Y)
    before, best = calls.bits(model.coefs_), model.best_validation_score_
    model.set_params(learning_rate_init=10.0).fit(X, Y)
    assert model.best_validation_score_ == best
    assert calls.bits(model.coefs_) == before


@pytest.mark.parametrize(
    "change",
    ["scoring", "rows", "weights"],
)
def test_scores_that_cannot_be_compared_begin_anew(change):
    """The loss is never above 0, and accuracies are."""
    model = MLPClassifier(**OPTIONS, warm_start=True, scoring="accuracy").fit(*TRAIN, **OF_VAL)
    given = OF_VAL
    if change == "scoring":
        model.set_params(scoring="loss")
    elif change == "rows":
        given = {"X_val": X[:3], "y_val": (Y[:3] + 1) % 3}
    else:
        model.coefs_ = [0 * w for w in model.coefs_]
    model.fit(*TRAIN, **given)
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_losses_that_are_not_known_are_nan():
    """Of scikit-learn's models, whose scores go on."""
    theirs = Theirs(**OPTIONS).fit(X, Y)
    model = mlp_c.from_sklearn(theirs).set_params(warm_start=True).fit(X, Y)
    n = len(theirs.validation_scores_)
    assert model.validation_scores_[:n] == pytest.approx(theirs.validation_scores_)
    assert np.isnan(model.validation_loss_curve_[:n]).all()
    assert len(model.validation_loss_curve_) == len(model.validation_scores_) > n
    assert model.best_iter_ == 1 + np.argmax(model.validation_scores_)


def test_lbfgs_that_holds_no_rows_out_leaves_no_record_of_them():
    model = MLPClassifier(**OPTIONS, warm_start=True).fit(X, Y)
    model.set_params(solver="lbfgs").fit(X, Y)
    assert not hasattr(model, "best_iter_")
    assert not hasattr(model, "validation_loss_curve_")


def test_names_of_features_stay_as_they_are_in_errors():
    frame = pd.DataFrame(X, columns=["x", "y", "X", "z"])
    expected = r"X_val .*\n.*missing:\n- X\n|missing:\n- X\n"
    with pytest.raises(ValueError, match=expected):
        MLPClassifier(**OPTIONS).fit(frame, Y, X_val=frame[["x", "y", "z"]], y_val=Y)


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_pickles_and_files_hold_the_record(scoring, tmp_path):
    model = MLPClassifier(**OPTIONS, scoring=scoring).fit(*TRAIN, **OF_VAL)
    model.save(tmp_path / "m")
    for copy in (pickle.loads(pickle.dumps(model)), mlp_c.load(tmp_path / "m")):
        assert bits(copy) == bits(model)
        assert (copy.best_iter_, copy.scoring) == (model.best_iter_, scoring)


# ---- checkpoints ----


class Stop:
    """Ends a fit, as Ctrl-C would, after so many epochs."""

    def __init__(self, after):
        self.after = after

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch" and estimator.n_iter_ == self.after:
            raise RuntimeError("stopped")

    def teardown(self, estimator, context):
        pass


def of_the_hits(estimator, X, y):
    return np.mean(estimator.predict_proba(X)[np.arange(len(y)), y])


@pytest.mark.parametrize("scoring", [None, "loss", "neg_log_loss", of_the_hits])
@pytest.mark.parametrize("own", [False, True])
def test_a_fit_goes_on_to_the_bit(own, scoring, tmp_path):
    data, given = (TRAIN, OF_VAL) if own else ((X, Y), {})
    whole = MLPClassifier(**OPTIONS, scoring=scoring).fit(*data, **given)
    model = MLPClassifier(**OPTIONS, scoring=scoring)
    model.set_callbacks(mlp_c.Checkpoint(tmp_path / "c", 2), Stop(whole.best_iter_ // 2 + 1))
    with pytest.raises(RuntimeError, match="stopped"):
        model.fit(*data, **given)
    again = {"scoring": scoring} if callable(scoring) else {}
    resumed = mlp_c.resume(tmp_path / "c", *data, **given, **again)
    assert bits(resumed) == bits(whole)
    assert (resumed.best_iter_, resumed.scoring) == (whole.best_iter_, scoring)


def checkpoint(path, scoring):
    model = MLPClassifier(**OPTIONS, scoring=scoring)
    model.set_callbacks(mlp_c.Checkpoint(path)).fit(*TRAIN, **OF_VAL)
    return path


def test_a_file_leaves_a_callable_out_and_names_it(tmp_path):
    path = checkpoint(tmp_path / "c", of_the_hits)
    assert mlp_c.load(path).scoring is None
    for scoring in (None, "accuracy"):
        with pytest.raises(ValueError, match=r"^scoring must be the callable of the fit of .*c'"):
            mlp_c.resume(path, *TRAIN, **OF_VAL, scoring=scoring)


@pytest.mark.parametrize("scoring", [None, "loss"])
def test_a_callable_that_the_fit_did_not_have_is_refused(scoring, tmp_path):
    path = checkpoint(tmp_path / "c", scoring)
    with pytest.raises(ValueError, match=r"^scoring must be None where the file holds it"):
        mlp_c.resume(path, *TRAIN, **OF_VAL, scoring=of_the_hits)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"X_val": X[100:] + 1, "y_val": Y[100:]},
        {**OF_VAL, "sample_weight_val": np.ones(50)},
    ],
)
def test_other_rows_to_validate_with_are_refused(given, tmp_path):
    path = checkpoint(tmp_path / "c", None)
    with pytest.raises(ValueError, match="those to validate with, must be those of the interrup"):
        mlp_c.resume(path, *TRAIN, **given)

"""What `scoring` says of the epochs of members: scorers of scikit-learn's and of users'."""

import itertools
import pickle
import threading

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
from sklearn.callback import ScoringMonitor
from sklearn.metrics import accuracy_score, make_scorer, roc_auc_score

import mlp_c
from mlp_c import TabularMLPClassifier, TabularMLPRegressor, resume
from support.checkpoints import interrupt
from support.tabular import (
    MIXED,
    NUMBERS,
    TARGETS,
    WEIGHTS,
    WORDS,
    held_out_by,
    make,
    targets_for,
    weights_of,
)

C, R = TabularMLPClassifier, TabularMLPRegressor


def quick(cls, **params):
    """Of enough epochs that the best is not the last of all members."""
    return make(cls, **{"max_iter": 12, "learning_rate_init": 0.1, "n_iter_no_change": 3} | params)


def error_of(estimator, X, y):
    """A scorer of a user's, which pickles find by its name."""
    predicted = estimator.predict(X)
    return -float(np.mean(predicted != y if predicted.dtype.kind in "OU" else (predicted - y) ** 2))


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize(("cls", "name"), [(C, "accuracy"), (R, "r2")])
def test_the_scorer_of_the_own_score_chooses_the_same_epochs(cls, name, weight):
    of_name, own = (
        quick(cls, scoring=scoring).fit(MIXED, targets_for(cls), weight)
        for scoring in (name, "score")
    )
    assert weights_of(of_name) == weights_of(own)
    for member, other in zip(of_name.members_, own.members_, strict=True):
        np.testing.assert_allclose(member.validation_scores_, other.validation_scores_, atol=1e-6)


def test_the_scorer_of_the_loss_gives_the_loss():
    model = quick(C, scoring="neg_log_loss", label_smoothing=0.0).fit(MIXED, WORDS)
    for member in model.members_:
        losses = np.negative(member.validation_loss_curve_)
        np.testing.assert_allclose(member.validation_scores_, losses, rtol=1e-5)


@pytest.mark.parametrize("cls", [C, R])
def test_a_callable_is_given_a_member_and_the_rows_that_it_holds_out(cls):
    """The user's table, targets as they are, and what predicts with the present weights."""
    y, seen = targets_for(cls), []

    def scoring(estimator, X, y_held_out):
        assert type(estimator) is cls
        (member,) = estimator.members_
        seen.append((member, X, y_held_out, estimator.predict(X)))
        return error_of(estimator, X, y_held_out)

    model = quick(cls, scoring=scoring).fit(MIXED, y)
    assert len(seen) == sum(member.n_iter_ for member in model.members_)
    for k, member in enumerate(model.members_):
        of_member = [given for who, *given in seen if who is member]
        for epoch, (X, y_given, predicted) in enumerate(of_member, start=1):
            pd.testing.assert_frame_equal(X, MIXED[held_out_by(model, k)])
            np.testing.assert_array_equal(y_given, y[held_out_by(model, k)])
            ever_better = itertools.count()
            until_then = quick(cls, scoring=lambda *_, n=ever_better: next(n), max_iter=epoch)
            until_then.fit(MIXED, y)
            alone = until_then._of_one_member(until_then.members_[k])
            np.testing.assert_array_equal(predicted, alone.predict(X))
        assert member.best_iter_ == 1 + np.argmax(member.validation_scores_)
    assert len({member.best_iter_ for member in model.members_}) > 1
    assert min(m.best_iter_ - m.n_iter_ for m in model.members_) < 0


def test_the_weights_of_the_best_score_are_kept():
    model = quick(C, scoring=error_of).fit(MIXED, WORDS)
    for k, member in enumerate(model.members_):
        held_out = held_out_by(model, k)
        alone = model._of_one_member(member).predict(MIXED[held_out])
        right = accuracy_score(WORDS[held_out], alone)
        assert right - 1 == pytest.approx(member.best_validation_score_)


FORMS = {
    "polars": lambda table: pytest.importorskip("polars").from_pandas(table),
    "narwhals": nw.from_native,
    "pyarrow": lambda table: pytest.importorskip("pyarrow").Table.from_pandas(table),
    "an array": lambda table: table.to_numpy(object),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_rows_of_any_container_are_scored(form):
    plain = quick(C, scoring=error_of).fit(MIXED, WORDS)
    assert weights_of(quick(C, scoring=error_of).fit(form(MIXED), list(WORDS))) == weights_of(plain)


def test_any_number_of_threads_gives_the_same_bits():
    one, two = (quick(R, scoring="r2", n_threads=n).fit(MIXED, TARGETS) for n in (1, 2))
    assert weights_of(one) == weights_of(two)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError])
def test_what_a_scorer_raises_arrives_and_the_next_fit_works(error):
    def scoring(estimator, X, y):
        raise error

    model = make(C, scoring=scoring)
    with pytest.raises(error):
        model.fit(MIXED, WORDS)
    model.set_params(scoring="loss").fit(MIXED, WORDS)
    assert weights_of(model) == weights_of(make(C).fit(MIXED, WORDS))


@pytest.mark.parametrize("value", [np.nan, None, "odd", [1.0, 2.0], 1j])
def test_what_is_no_number_is_refused_by_the_parameters_name(value):
    with pytest.raises(ValueError, match=r"^scoring must return a number, got"):
        make(C, scoring=lambda *_: value).fit(MIXED, WORDS)


def test_a_scorer_that_needs_a_class_which_is_not_held_out_says_so():
    rare = np.where(np.arange(len(WORDS)) < 2, "rare", "other")
    with pytest.raises(ValueError, match=r"scoring='roc_auc' .* may lack a class; scoring='loss'"):
        make(C, scoring="roc_auc", n_members=5).fit(NUMBERS, rare)


def test_a_scorer_that_meddles_with_what_it_is_given_changes_neither_table_nor_model():
    table, y = MIXED.copy(), WORDS.copy()

    def scoring(estimator, X, y_held_out):
        X.iloc[:, 0], y_held_out[:] = 7, "ant"
        for name in ("oob_score_", "feature_names_in_", "folds_", "temperature_", "classes_"):
            setattr(estimator, name, None)
        return 0.0

    model = make(C, scoring=scoring).fit(table, y)
    pd.testing.assert_frame_equal(table, MIXED)
    np.testing.assert_array_equal(y, WORDS)
    assert 0 < model.score(MIXED, WORDS) <= 1
    assert 0 < model.oob_score_ <= 1


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_units_of_targets_do_not_say_when_members_are_done(scale):
    plain, scaled = (
        quick(R, scoring="neg_mean_squared_error", max_iter=40).fit(MIXED, TARGETS * factor)
        for factor in (1, 2.0 ** round(np.log2(scale)))
    )
    assert [m.n_iter_ for m in scaled.members_] == [m.n_iter_ for m in plain.members_]
    assert min(m.n_iter_ for m in plain.members_) < 40


def test_a_scorer_of_two_classes_and_one_of_two_targets():
    """And of quantiles: whatever ``predict`` gives."""
    model = quick(C, scoring="roc_auc").fit(MIXED, WORDS == "bee")
    for k, member in enumerate(model.members_):
        held_out = held_out_by(model, k)
        p = model._of_one_member(member).predict_proba(MIXED[held_out])[:, 1]
        assert member.best_validation_score_ == roc_auc_score(WORDS[held_out] == "bee", p)
    assert quick(R, scoring="r2").fit(MIXED, NUMBERS[:, :2]).oob_score_ < 1
    quantiles = {"loss": "quantile", "quantile": [0.2, 0.8]}
    width = quick(R, scoring=lambda e, X, y: -np.ptp(e.predict(X)), **quantiles)
    assert len(width.fit(MIXED, TARGETS).members_[0].validation_scores_) > 0


def test_scorers_of_scikit_learns_are_given_weights_and_callables_none():
    given = []

    def metric(y, predicted, sample_weight=None):
        given.append(sample_weight)
        return -1.0

    model = make(R, scoring=make_scorer(metric)).fit(MIXED, TARGETS, WEIGHTS)
    held_out = [WEIGHTS[held_out_by(model, k)] for k in range(3)]
    np.testing.assert_array_equal(given[:3], held_out)
    make(R, scoring=lambda estimator, X, y: 0.0).fit(MIXED, TARGETS, WEIGHTS)


@pytest.mark.parametrize("after", [1, 2, 5])
def test_an_interrupt_in_a_scorer_leaves_a_model(after):
    calls = iter(range(1, 100))

    def scoring(estimator, X, y):
        if next(calls) == after:
            raise KeyboardInterrupt
        return error_of(estimator, X, y)

    model = make(C, scoring=scoring)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(MIXED, WORDS)
    assert model.predict(MIXED).shape == WORDS.shape


def test_a_callback_does_not_copy_the_scorer():
    class Scorer:
        lock = threading.Lock()

        def __init__(self):
            self.own = threading.Lock()  # which nothing copies

        def __call__(self, estimator, X, y):
            return error_of(estimator, X, y)

    monitor = ScoringMonitor(scoring="accuracy")
    model = make(C, scoring=Scorer()).set_callbacks(monitor).fit(MIXED, WORDS)
    assert len(monitor.get_logs(select="most_recent").data) == 1 + model.n_iter_


def test_weights_that_are_not_finite_are_named_as_with_the_loss():
    with pytest.raises(ValueError, match=r"learning_rate_init=1e\+30 may be too large"):
        make(R, scoring="r2", learning_rate_init=1e30).fit(MIXED, TARGETS)


def test_a_regressor_lacks_no_class():
    with pytest.raises(ValueError, match=r"^scoring='accuracy' failed on the rows held out: "):
        make(R, scoring="accuracy").fit(MIXED, TARGETS)


# ---- saved ----


def test_pickles_hold_the_callable_and_files_do_not(tmp_path):
    pytest.importorskip("safetensors")
    model = quick(R, scoring=error_of).fit(MIXED, TARGETS)
    copied = pickle.loads(pickle.dumps(model))
    assert copied.scoring is error_of
    model.save(tmp_path / "m")
    loaded = mlp_c.load(tmp_path / "m")
    assert loaded.scoring == "loss"
    assert {member.scoring for member in loaded.members_} == {None}
    for other in (copied, loaded):
        assert other.predict(MIXED).tobytes() == model.predict(MIXED).tobytes()
        assert weights_of(other.set_params(scoring="loss").fit(MIXED, TARGETS)) == weights_of(
            quick(R).fit(MIXED, TARGETS)
        )


@pytest.mark.parametrize(("cls", "scoring"), [(C, error_of), (R, error_of), (C, "accuracy")])
def test_an_interrupted_fit_is_resumed_with_its_scorer(cls, scoring, tmp_path):
    pytest.importorskip("safetensors")
    y, path = targets_for(cls), tmp_path / "m"
    whole = quick(cls, scoring=scoring).fit(MIXED, y)
    interrupt(quick(cls, scoring=scoring), path, 2, (MIXED, y))
    if callable(scoring):
        with pytest.raises(ValueError, match=r"^scoring must be the callable of the fit of"):
            resume(path, MIXED, y)
    resumed = resume(path, MIXED, y, scoring=scoring if callable(scoring) else None)
    assert weights_of(resumed) == weights_of(whole)
    assert [m.validation_scores_ for m in resumed.members_] == [
        m.validation_scores_ for m in whole.members_
    ]

"""The course of fits to tables: parameters, time, output, interrupts, callbacks, other tools."""

import inspect
import pickle
import re
import time
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from estimators.test_errors import HUGE, HUGE_TO_TELL, WRONG, outcome
from mlp_c import TabularMLPClassifier, TabularMLPRegressor
from mlp_c._training.loop import Stochastic
from support.callbacks import Recorder, tasks
from support.tabular import (
    MIXED,
    NUMBERS,
    TARGETS,
    WEIGHTS,
    WORDS,
    N,
    both,
    make,
    targets_for,
    weights_of,
)

C, R = TabularMLPClassifier, TabularMLPRegressor

# ---- parameters ----

# What each parameter is refused for beside what the parameters of other estimators are.
WRONG_HERE = WRONG | {
    "n_members": [0, -1, 2.5, "odd", None, 65_536],
    "n_bins": [-1, 2.5, "odd", None, 65_536],
    "categorical_features": ["odd", 3, [7], [True], ["odd"], [0.5]],
    "scoring": ["odd", None, 3],
    "time_limit": [0, 0.0, -1, np.nan, "odd"],
}
COUNTS = {"batch_size", "max_iter", "n_iter_no_change", "n_threads", "verbose"}


def assert_refused_by_name(model, parameter):
    error = outcome(lambda: model.fit(NUMBERS, targets_for(type(model))))
    assert isinstance(error, (ValueError, TypeError)), (model, error)
    assert re.search(rf"\b{parameter}\b", str(error)), error


@pytest.mark.parametrize(
    ("cls", "parameter"),
    [(cls, parameter) for cls in (C, R) for parameter in cls().get_params()],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_wrong_parameter_is_refused_by_its_name_and_changes_nothing(cls, parameter):
    huge = [-HUGE, HUGE_TO_TELL] if parameter in COUNTS else [HUGE, -HUGE, HUGE_TO_TELL]
    model = make(cls).fit(NUMBERS, targets_for(cls))
    before, kept = pickle.dumps(model), getattr(model, parameter)
    for value in [*WRONG_HERE[parameter], object(), *huge]:
        assert_refused_by_name(make(cls, **{parameter: value}), parameter)
        assert_refused_by_name(model.set_params(**{parameter: value}), parameter)
        model.set_params(**{parameter: kept})
        assert pickle.dumps(model) == before


@both
@pytest.mark.parametrize("parameter", sorted(COUNTS - {"max_iter", "verbose"}))
def test_no_count_is_too_large(cls, parameter):
    assert outcome(lambda: make(cls, **{parameter: HUGE}).fit(NUMBERS, targets_for(cls))) is None


@both
def test_the_docstring_names_every_parameter_in_order_and_its_default(cls):
    """But for what 'auto' and a few others have in words."""
    doc = inspect.getdoc(cls)
    told = dict(re.findall(r"^(\w+) : .*default=(.*)$", doc, re.MULTILINE))
    defaults = {p.name: p.default for p in inspect.signature(cls).parameters.values()}
    assert set(told) == set(defaults)
    assert {name: eval(text) for name, text in told.items()} == defaults


@both
def test_a_clone_has_the_parameters_and_fits_alike(cls):
    model = make(cls, n_bins=4, time_limit=60.0).fit(MIXED, targets_for(cls))
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert not hasattr(twin, "members_")
    assert weights_of(twin.fit(MIXED, targets_for(cls))) == weights_of(model)


@both
def test_threads_may_be_set_after_the_fit(cls, monkeypatch):
    """For predictions, on another machine say."""
    model = make(cls, n_threads=2).fit(NUMBERS, targets_for(cls))
    expected = model.predict(NUMBERS).tolist()
    assert model.set_params(n_threads=1).predict(NUMBERS).tolist() == expected
    assert {member.n_threads for member in model.members_} == {1}


# ---- time, output, interrupts ----


@both
def test_a_time_limit_ends_a_fit_of_millions_of_epochs(cls):
    model = make(cls, max_iter=10**7, n_iter_no_change=np.inf, time_limit=0.3)
    start = time.perf_counter()
    model.fit(NUMBERS, targets_for(cls))
    assert 0.3 < time.perf_counter() - start < 5
    assert 1 < model.n_iter_ < 10**7
    same = make(cls, max_iter=model.n_iter_, n_iter_no_change=np.inf)
    assert weights_of(same.fit(NUMBERS, targets_for(cls))) == weights_of(model)
    assert len(model.predict(NUMBERS)) == N


@both
def test_a_time_limit_that_is_past_at_once_leaves_an_epoch(cls):
    assert make(cls, time_limit=1e-9).fit(NUMBERS, targets_for(cls)).n_iter_ == 1


@both
@pytest.mark.parametrize("scoring", ["loss", "score"])
def test_verbose_prints_a_line_an_epoch(cls, scoring, capsys):
    params = {"n_members": 8, "max_iter": 9, "n_iter_no_change": 2, "learning_rate_init": 0.1}
    model = make(cls, verbose=True, scoring=scoring, **params).fit(NUMBERS, targets_for(cls))
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["epoch", "members", "loss", "held", "out"]
    assert [int(line.split()[0]) for line in lines] == list(range(1, model.n_iter_ + 1))
    assert {len(line) for line in [head, *lines]} == {len(head)}
    lengths = np.array([member.n_iter_ for member in model.members_])
    for line in lines:
        epoch, at_work, loss, held_out = (float(word) for word in line.split())
        still = [n for n in lengths if n > epoch]
        assert at_work == (0 if epoch == model.n_iter_ else len(still))
        losses = [m.loss_curve_[: int(epoch)][-1] for m in model.members_]
        best = [min(m.validation_loss_curve_[: int(epoch)]) for m in model.members_]
        assert loss == pytest.approx(np.mean(losses), abs=6e-6)
        assert held_out == pytest.approx(np.mean(best), abs=6e-6)
    assert len(set(lengths)) > 1


@both
def test_a_fit_is_silent_unless_asked(cls, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(cls).fit(MIXED, targets_for(cls))
    assert capsys.readouterr() == ("", "")


@both
@pytest.mark.parametrize("n_epochs", [0, 1, 3])
def test_an_interrupt_leaves_the_best_so_far_and_warns_at_the_line_that_calls(
    cls, n_epochs, monkeypatch
):
    start_epoch, started = Stochastic.start_epoch, []

    def interrupt(self):
        started.append(self)
        if len(started) > 3 * n_epochs:
            raise KeyboardInterrupt
        return start_epoch(self)

    monkeypatch.setattr(Stochastic, "start_epoch", interrupt)
    model = make(cls, max_iter=50)
    with pytest.warns(UserWarning, match="Training interrupted by user.") as caught:
        model.fit(NUMBERS, targets_for(cls))
    assert caught[0].filename == __file__
    monkeypatch.undo()
    assert model.n_iter_ == n_epochs
    assert len(model.predict(NUMBERS)) == N
    assert pickle.loads(pickle.dumps(model)).predict(NUMBERS).tolist() == (
        model.predict(NUMBERS).tolist()
    )
    if n_epochs:
        shorter = make(cls, max_iter=n_epochs).fit(NUMBERS, targets_for(cls))
        assert weights_of(model) == weights_of(shorter)
    assert weights_of(model.fit(NUMBERS, targets_for(cls))) != []


@both
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scoring", ["loss", "score"])
@pytest.mark.parametrize("verbose", [False, True])
def test_members_that_diverge_are_no_model(cls, scoring, verbose):
    model = make(cls, learning_rate_init=1e30, scoring=scoring, verbose=verbose)
    with pytest.raises(ValueError, match=r"not finite: learning_rate_init=1e\+30 may be too large"):
        model.fit(NUMBERS, targets_for(cls))


# ---- callbacks ----


@both
def test_every_epoch_is_a_task(cls):
    recorder = Recorder()
    model = make(cls).set_callbacks(recorder).fit(NUMBERS, targets_for(cls))
    assert recorder.calls == list(tasks(3))
    assert weights_of(model) == weights_of(make(cls).fit(NUMBERS, targets_for(cls)))


@both
def test_a_callback_that_returns_true_stops_after_that_epoch(cls):
    recorder = Recorder(lambda estimator, epoch: epoch == 1)
    model = make(cls, max_iter=50).set_callbacks(recorder).fit(NUMBERS, targets_for(cls))
    assert recorder.calls == list(tasks(2))
    same = make(cls, max_iter=2).fit(NUMBERS, targets_for(cls))
    assert weights_of(model) == weights_of(same)
    assert model.oob_score_ == same.oob_score_


@both
def test_a_monitor_scores_the_model_after_each_epoch(cls):
    """Also when it is fitted again: of the last fit, nothing is left."""
    scoring, y = "neg_log_loss" if cls is C else "r2", targets_for(cls)
    monitors = ScoringMonitor(scoring=scoring), ScoringMonitor(scoring=scoring)
    make(cls).set_callbacks(monitors[0]).fit(NUMBERS, y)
    make(cls).fit(MIXED, y).set_callbacks(monitors[1]).fit(NUMBERS, y)
    first, second = (monitor.get_logs().data for monitor in monitors)
    assert [row["task_name"] for row in first] == ["fit"] + ["epoch"] * 3
    assert len({row[scoring] for row in first}) > 2
    assert [row[scoring] for row in first] == [row[scoring] for row in second]


class Fails(Recorder):
    def on_fit_task_end(self, estimator, context):
        raise RuntimeError("no more")


@both
def test_a_callback_that_fails_leaves_a_model_that_predicts_and_is_fitted_again(cls):
    y = targets_for(cls)
    for first in (lambda m: m, lambda m: m.fit(MIXED, y)):
        model = first(make(cls)).set_callbacks(Fails())
        with pytest.raises(RuntimeError, match="no more"):
            model.fit(NUMBERS, y)
        model.set_callbacks()
        twin = pickle.loads(pickle.dumps(model))
        assert twin.predict(NUMBERS).tolist() == model.predict(NUMBERS).tolist()
        assert not hasattr(model, "oob_score_")
        assert weights_of(model.fit(NUMBERS, y)) == weights_of(make(cls).fit(NUMBERS, y))


def test_a_callback_that_fails_leaves_no_intervals():
    model = make(R).set_callbacks(Fails())
    with pytest.raises(RuntimeError, match="no more"):
        model.fit(NUMBERS, TARGETS)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        model.predict_interval(NUMBERS)


@both
def test_a_fit_inside_a_fit_is_refused(cls):
    def fit_again(estimator, epoch):
        estimator.fit(NUMBERS, targets_for(cls))

    model = make(cls).set_callbacks(Recorder(fit_again))
    with pytest.raises(RuntimeError, match=f"this {cls.__name__} is being fitted already"):
        model.fit(NUMBERS, targets_for(cls))


# ---- scikit-learn's tools ----


@both
def test_searches_pipelines_and_cross_validation_work(cls):
    y = targets_for(cls)
    search = GridSearchCV(make(cls), {"n_bins": [0, 4]}, cv=2).fit(MIXED, y)
    assert search.best_estimator_.n_bins in (0, 4)
    pipeline = make_pipeline(FunctionTransformer(), make(cls)).fit(MIXED, y)
    assert weights_of(pipeline[-1]) == weights_of(make(cls).fit(MIXED, y))
    assert pipeline.score(MIXED, y) == make(cls).fit(MIXED, y).score(MIXED, y)
    assert len(cross_val_score(make(cls), MIXED, y, cv=3)) == 3


@both
def test_weights_and_groups_are_routed(cls):
    y, groups = targets_for(cls), np.arange(N) // 5
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(cls).set_fit_request(sample_weight=True, groups=True)
        model.set_score_request(sample_weight=True)
        found = cross_validate(
            *(model, MIXED, y),
            params={"sample_weight": WEIGHTS, "groups": groups},
            cv=GroupKFold(3),
            return_estimator=True,
            return_indices=True,
        )
        for i, estimator in enumerate(found["estimator"]):
            train = found["indices"]["train"][i]
            alone = make(cls).fit(MIXED.iloc[train], y[train], WEIGHTS[train], groups=groups[train])
            assert weights_of(estimator) == weights_of(alone)
        assert weights_of(estimator) != weights_of(make(cls).fit(MIXED.iloc[train], y[train]))


def test_tags_say_what_is_taken():
    for cls in (C, R):
        tags = make(cls).__sklearn_tags__()
        assert tags.input_tags.allow_nan
        assert tags.input_tags.categorical
        assert tags.input_tags.string
        assert not tags.input_tags.sparse
    assert R().__sklearn_tags__().target_tags.multi_output
    assert not C().__sklearn_tags__().target_tags.multi_output
    positive = [R(loss=loss).__sklearn_tags__().target_tags.positive_only
                for loss in ("poisson", "gamma", "gaussian", None, [])]  # fmt: skip
    assert positive == [True, True, False, False, False]


def test_words_of_the_classes_are_scored():
    model = make(C).fit(MIXED, WORDS)
    assert model.score(MIXED, WORDS) == np.mean(model.predict(MIXED) == WORDS)

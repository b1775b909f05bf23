"""Estimators for tables are whole: after fits that are stopped, and in what they take and say."""

import numpy as np
import pytest

from mlp_c import TabularMLPClassifier, TabularMLPRegressor
from support.tabular import NUMBERS, TARGETS, WORDS, both, make, targets_for


@both
@pytest.mark.parametrize("was_fitted", [False, True])
def test_an_interrupt_of_the_look_back_leaves_the_model_as_it_was(cls, was_fitted, monkeypatch):
    model, y = make(cls), targets_for(cls)
    if was_fitted:
        model.fit(NUMBERS, y)
    before = dict(vars(model))

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cls, "_predict_held_out", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(NUMBERS[:20], y[:20])
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


def test_a_level_score_is_no_progress():
    X = np.linspace(-1, 1, 200)[:, np.newaxis]
    y = X[:, 0] > 0
    model = make(
        TabularMLPClassifier,
        scoring="score",
        n_iter_no_change=5,
        max_iter=500,
        learning_rate_init=0.1,
    ).fit(X, y)
    for member in model.members_:
        assert member.validation_scores_[-1] <= member.best_validation_score_
        assert member.n_iter_ <= member.best_iter_ + 6


@both
def test_n_jobs_is_named_n_threads(cls):
    with pytest.raises(TypeError, match="has no parameter n_jobs: it is n_threads"):
        cls(n_jobs=2)


def test_labels_that_training_has_not_seen_have_no_importance():
    model = make(TabularMLPClassifier).fit(NUMBERS, WORDS)
    with pytest.raises(ValueError, match=r"y must hold classes of the training, got \['no'\]"):
        model.permutation_importance(NUMBERS, np.where(np.arange(len(WORDS)) == 3, "no", WORDS))


def test_labels_are_those_of_the_beginning():
    """What becomes of the caller's array while the members train changes nothing."""
    y = np.array(WORDS, dtype=object)
    expected = make(TabularMLPClassifier).fit(NUMBERS, y).temperature_

    class Overwriting(TabularMLPClassifier):
        def _end_epoch(self, n_at_work):
            y[:] = "overwritten"

    assert make(Overwriting).fit(NUMBERS, y).temperature_ == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("target_scales_", np.array([-1.0])),
        ("target_scales_", np.array([np.nan])),
        ("target_range_", np.array([[5.0], [-5.0]])),
    ],
)
def test_states_of_targets_that_make_no_sense_are_refused(name, value):
    model = make(TabularMLPRegressor).fit(NUMBERS, TARGETS)
    state = model.__getstate__()
    state["fitted"][name] = value
    with pytest.raises(ValueError, match="target_scales_, target_range_ of a state must be above"):
        TabularMLPRegressor().__setstate__(state)

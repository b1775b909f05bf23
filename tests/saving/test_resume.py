"""A fit that is interrupted and resumed comes to the bits of one that is not."""

import copy
import os
import warnings

import numpy as np
import pytest

import mlp_c
from mlp_c import Checkpoint, MLPClassifier, resume
from runners import kill
from support.checkpoints import (
    CASES,
    EPOCHS,
    Interrupt,
    Interrupted,
    interrupt,
    interrupt_after,
    setting,
)
from support.settings import draw_setting
from support.states import TEXT, X, outcome, takes_partial_fit

pytest.importorskip("safetensors")  # there is none for all Pythons
pytestmark = [
    pytest.mark.usefixtures("no_waiting_for_the_disk"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size`"),
]
each_case = pytest.mark.parametrize("case", CASES)


@each_case
def test_a_fit_interrupted_after_any_epoch_comes_to_the_same(case, path):
    whole, data = setting(case)
    whole.fit(*data)
    for epochs in range(whole.n_iter_ + 1):
        model, _ = setting(case)
        interrupt(model, path, epochs, data, every=1 + epochs % 2)
        resumed = resume(path, *data)
        assert outcome(resumed) == outcome(whole), epochs


@each_case
def test_a_resumed_model_goes_on_as_the_other_does(case, path):
    whole, data = setting(case)
    whole.set_params(warm_start=True).fit(*data)
    model, _ = setting(case)
    interrupt(model.set_params(warm_start=True), path, 1, data)
    resumed = resume(path, *data)
    for _ in range(2):
        assert outcome(resumed.fit(*data)) == outcome(whole.fit(*data))
        if takes_partial_fit(whole):
            assert outcome(resumed.partial_fit(*data)) == outcome(whole.partial_fit(*data))


@pytest.mark.parametrize("case", ["adaptive", "adam", "early stopping", "an instance"])
def test_a_second_fit_of_a_warm_start_is_resumed(case, path):
    whole, data = setting(case)
    whole.set_params(warm_start=True).fit(*data)
    first = copy.deepcopy(whole)
    whole.fit(*data)
    for epochs in range(whole.n_iter_ + 1):
        interrupt(copy.deepcopy(first), path, epochs, data)
        assert outcome(resume(path, *data)) == outcome(whole), epochs


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.filterwarnings("ignore")
def test_random_settings_are_resumed(name, solver, path):
    compared = 0
    for seed in range(12):
        setting = draw_setting(name, solver, seed, any_activation=True)
        data = setting.X, setting.y, setting.sample_weight
        new = getattr(mlp_c, name)(n_threads=setting.n_threads)
        whole = copy.deepcopy(new).set_params(**copy.deepcopy(setting.params))
        try:
            whole.fit(*data)
        except ValueError:  # as scikit-learn's; a setting that cannot be fitted
            continue
        model = copy.deepcopy(new).set_params(**copy.deepcopy(setting.params))
        interrupt(model, path, seed % (whole.n_iter_ + 1), data, every=1 + seed % 3)
        assert outcome(resume(path, *data)) == outcome(whole), seed
        compared += 1
    assert compared > 7


@pytest.mark.parametrize("epochs", [0, 1, 4])
@pytest.mark.parametrize("every", [1, 2])
def test_a_fit_that_ctrl_c_ended_is_resumed_from_the_last_whole_epoch(
    epochs, every, path, monkeypatch
):
    """The fit warns; and the part of an epoch that it ended with is in no file."""
    whole = MLPClassifier(max_iter=EPOCHS, random_state=0).fit(X, TEXT)
    interrupt_after(monkeypatch, "train_epoch", epochs)
    model = MLPClassifier(max_iter=EPOCHS, random_state=0)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.set_callbacks(Checkpoint(path, every)).fit(X, TEXT)
    assert model.n_iter_ == epochs
    assert mlp_c.load(path).n_iter_ == epochs // every * every
    assert outcome(resume(path, X, TEXT)) == outcome(whole)


def test_a_fit_is_resumed_as_often_as_it_is_interrupted(path):
    whole, data = setting("early stopping")
    whole.fit(*data)
    model, _ = setting("early stopping")
    interrupt(model, path, 1, data)
    for epochs in range(2, whole.n_iter_ + 1):
        with pytest.raises(Interrupted):
            resume(path, *data, callbacks=[Interrupt(epochs)])
    assert outcome(resume(path, *data)) == outcome(whole)


def test_without_a_seed_a_fit_goes_on_from_the_generator_it_had(path):
    """NumPy's global one, which is left as it is."""
    whole, data = setting("early stopping")
    np.random.seed(5)
    whole.set_params(random_state=None).fit(*data)
    model, _ = setting("early stopping")
    np.random.seed(5)
    interrupt(model.set_params(random_state=None), path, 3, data)
    before = np.random.get_state()[1].tolist()
    assert outcome(resume(path, *data)) == outcome(whole)
    assert np.random.get_state()[1].tolist() == before


def test_a_resumed_fit_writes_checkpoints_as_often_as_before(path):
    model, data = setting("adam")
    interrupt(model, path, 3, data, every=2)
    assert mlp_c.load(path).n_iter_ == 2
    with pytest.raises(Interrupted):
        resume(path, *data, callbacks=[Interrupt(5)])
    assert mlp_c.load(path).n_iter_ == 4


def test_a_fit_that_has_ended_is_resumed_to_its_end(path):
    model, data = setting("adam")
    model.set_callbacks(Checkpoint(path, every=5)).fit(*data)
    assert mlp_c.load(path).n_iter_ == 5
    assert outcome(resume(path, *data)) == outcome(model)
    assert outcome(resume(path, *data)) == outcome(model)


@pytest.mark.parametrize("case", ["adaptive to its end", "a plateau", "stopped early"])
def test_a_fit_that_converged_is_resumed_to_no_epoch_more(case, path):
    model, data = setting(case)
    model.set_params(max_iter=100).set_callbacks(Checkpoint(path)).fit(*data)
    assert model.n_iter_ < 100
    assert outcome(resume(path, *data)) == outcome(model)


# ---- killed ----


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("make", "n"), [(kill.network, 8), (kill.ensemble, 3)])
def test_a_fit_that_is_killed_again_and_again_comes_to_the_same(make, n, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        killed, _ = kill.kill_fits(n, tmp_path, make())
    assert killed >= n

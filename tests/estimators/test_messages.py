"""Messages that lead to the right call."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

import mlp_c


@pytest.mark.parametrize("cls", [mlp_c.MLPClassifier, mlp_c.MLPRegressor])
def test_n_jobs_is_told_its_name(cls):
    with pytest.raises(TypeError, match=r"has no parameter n_jobs: it is n_threads$"):
        cls(n_jobs=2)
    assert cls(n_threads=2).n_threads == 2


def test_a_missing_folder_is_named_once(tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "missing" / "model"
    with pytest.raises(FileNotFoundError) as caught:
        mlp_c.MLPRegressor().save(path)
    assert str(caught.value).endswith(f"{str(path)!r}")


def test_a_column_of_targets_is_told_to_be_raveled():
    rows, y = np.arange(20.0).reshape(10, 2), np.arange(10.0)[:, np.newaxis]
    with pytest.warns(DataConversionWarning, match=r"Pass y\.ravel\(\) to say so"):
        mlp_c.MLPRegressor(solver="lbfgs").fit(rows, y)


@pytest.mark.parametrize("size", [1, 1e5, 1e-5])
def test_advice_on_scale_names_what_is_far_from_1(size):
    """Inputs, targets or both, in the convergence warning; nothing where they are near."""
    rng = np.random.default_rng(0)
    rows, y = rng.random((30, 2)), rng.random(30)
    for X_size, y_size in ((1, size), (size, 1)):
        with pytest.warns(ConvergenceWarning) as caught:
            mlp_c.MLPRegressor(max_iter=1).fit(rows * X_size, y * y_size)
        (message,) = [str(w.message) for w in caught]
        assert (" y holds numbers of up to" in message) == (y_size != 1)
        assert (" X holds numbers of up to" in message) == (X_size != 1)


def test_targets_that_make_training_diverge_are_named_at_once():
    """After the first epoch without a finite loss, not after 200."""
    rng = np.random.default_rng(0)
    rows, y = rng.random((50, 3)), 1e200 * rng.random(50)
    epochs = []

    class Counts:
        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context):
            epochs.append(context.task_name)

    model = mlp_c.MLPRegressor(solver="sgd", random_state=0).set_callbacks(Counts())
    with pytest.raises(ValueError, match=r"non-finite.* y holds numbers of up to"):
        model.fit(rows, y)
    assert len(epochs) < 20

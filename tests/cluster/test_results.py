"""Searches, fits and predictions on workers of Dask: the same bits as without."""

import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlp_c import MLPClassifier, MLPRegressor, TabularMLPClassifier
from mlp_c._system.threads import effective_n_threads

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_digits(return_X_y=True)
X, LABELS = X[:400] / 16, LABELS[:400]


def classifier(**params):
    return MLPClassifier(hidden_layer_sizes=(16,), max_iter=5, random_state=0, **params)


def bits(model):
    return [array.tobytes() for array in model.coefs_ + model.intercepts_]


@cache
def fitted(dtype="f8"):
    return classifier().fit(X.astype(dtype), LABELS)


# ---- searches and fits ----


def search():
    grid = {"mlpclassifier__alpha": [1e-4, 1.0], "mlpclassifier__activation": ["relu", "gelu"]}
    return GridSearchCV(make_pipeline(StandardScaler(), classifier()), grid, cv=2)


def results(search):
    """All that does not tell the time, and the weights of the best model."""
    columns = {name: value for name, value in search.cv_results_.items() if "time" not in name}
    return columns, bits(search.best_estimator_[-1])


@cache
def searched():
    return results(search().fit(X, LABELS))


@pytest.mark.parametrize("scatter", [None, [X, LABELS]], ids=["by itself", "scattered"])
def test_a_search_finds_the_same(client, scatter):
    with parallel_config("dask", scatter=scatter):
        found = search().fit(X, LABELS)
    np.testing.assert_equal(results(found), searched())


def test_a_search_in_a_memory_map_finds_the_same(client, tmp_path):
    np.save(tmp_path / "X.npy", X)
    with parallel_config("dask"):
        found = search().fit(np.load(tmp_path / "X.npy", mmap_mode="r"), LABELS)
    np.testing.assert_equal(results(found), searched())


def test_predictions_across_folds_are_the_same(client):
    with parallel_config("dask"):
        found = cross_val_predict(classifier(), X, LABELS, cv=3, method="predict_proba")
    expected = cross_val_predict(classifier(), X, LABELS, cv=3, method="predict_proba")
    np.testing.assert_array_equal(found, expected)


def fit_rows_of_a_file(path, alpha):
    return classifier(alpha=alpha).fit(np.load(path, mmap_mode="r"), LABELS)


def test_workers_read_rows_where_they_lie_and_send_models(client, tmp_path):
    np.save(tmp_path / "X.npy", X)
    alphas = [1e-4, 1.0]
    models = client.gather(client.map(fit_rows_of_a_file, [str(tmp_path / "X.npy")] * 2, alphas))
    assert list(map(bits, models)) == [bits(classifier(alpha=a).fit(X, LABELS)) for a in alphas]


def test_a_fit_goes_on_on_a_worker(client):
    """With the moments of the solver; the model that was sent stays as it was."""
    model = fitted()
    before = pickle.dumps(model)
    sent = client.submit(MLPClassifier.partial_fit, model, X, LABELS, pure=False).result()
    copy = pickle.loads(before)
    assert bits(sent) == bits(copy.partial_fit(X, LABELS))


def test_worker_processes_have_one_thread_for_each_task(worker_processes):
    """Dask sets OMP_NUM_THREADS for them, unless it is set."""
    assert worker_processes.submit(effective_n_threads).result() == 1


# ---- predictions ----


@pytest.fixture(params=["pool", "processes", "threads"])
def scheduler(request):
    """Dask's own pool of threads, and workers."""
    pytest.importorskip("dask")
    if request.param != "pool":
        return request.getfixturevalue(f"worker_{request.param}").get
    return "threads"


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("chunks", [((1, 7, 92, 300), 64), (150, 10)])
def test_blocks_are_predicted_to_the_same_bits(scheduler, dtype, chunks):
    """Of any number of rows; blocks of some columns are joined first."""
    array = pytest.importorskip("dask.array")
    model, rows = fitted(dtype), X.astype(dtype)
    blocks = array.from_array(rows, chunks=chunks)
    labels = blocks.map_blocks(model.predict, dtype=model.classes_.dtype, drop_axis=1)
    np.testing.assert_array_equal(labels.compute(scheduler=scheduler), model.predict(rows))
    blocks = blocks.rechunk({1: -1})
    shape = blocks.chunks[0], (len(model.classes_),)
    found = blocks.map_blocks(model.predict_proba, dtype=dtype, chunks=shape)
    np.testing.assert_array_equal(found.compute(scheduler=scheduler), model.predict_proba(rows))


def test_numbers_are_predicted_to_the_same_bits(scheduler):
    array = pytest.importorskip("dask.array")
    model = MLPRegressor(hidden_layer_sizes=(16,), max_iter=5, random_state=0).fit(X, X[:, :2])
    blocks = array.from_array(X, chunks=(90, -1))
    found = blocks.map_blocks(model.predict, dtype=float, chunks=(blocks.chunks[0], (2,)))
    np.testing.assert_array_equal(found.compute(scheduler=scheduler), model.predict(X))


def predict(rows, model):
    return model.predict(rows)


def test_a_model_that_workers_hold_predicts_blocks(client):
    array = pytest.importorskip("dask.array")
    held = client.scatter(fitted(), broadcast=True)
    blocks = array.from_array(X, chunks=(90, -1))
    found = blocks.map_blocks(predict, held, dtype=int, drop_axis=1)
    np.testing.assert_array_equal(found.compute(), fitted().predict(X))


def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.random(300), "rooms": rng.integers(1, 6, 300)})
    frame["size"] = frame["size"].where(rng.random(300) < 0.9)
    frame["town"] = rng.choice(["Aber", "Bala", None], 300)
    frame["kind"] = pd.Categorical(rng.choice(["flat", "house"], 300))
    frame["new"] = rng.random(300) < 0.5
    return frame, np.where(frame["town"] == "Bala", "dear", "cheap")


def chances(frame, model):
    """Of a table, none included: estimators want a row at least."""
    found = model.predict_proba(frame) if len(frame) else None
    return pd.DataFrame(found, frame.index, model.classes_, dtype=float)


def test_partitions_of_a_table_are_predicted_to_the_same_bits(scheduler):
    """Words, categories and what is missing are read in each part as in the whole."""
    dataframe = pytest.importorskip("dask.dataframe")
    frame, y = table()
    model = TabularMLPClassifier(n_members=2, max_iter=3, random_state=0).fit(frame, y)
    parts = dataframe.from_pandas(frame, npartitions=7)
    parts = parts.map_partitions(lambda part: part[part.index > 100])  # two are empty now
    found = parts.map_partitions(chances, model, meta=chances(frame[:0], model))
    pd.testing.assert_frame_equal(
        found.compute(scheduler=scheduler), chances(frame, model)[101:], check_exact=True
    )

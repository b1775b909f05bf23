"""Threads: the same bits on any number, and a defined answer where several use one model.

Elsewhere: kernels on any number of threads (kernels/test_properties), how many a call runs on
(system/test_threads), models fitted and used by eight threads (ecosystem/test_tools), two
threads that fit one model (estimators/test_fit_edges), threads that cannot be had
(test_processes).
"""

import gc
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from mlp_c import MLPClassifier, MLPRegressor
from mlp_c._system.threads import effective_n_threads
from support.processes import end_parked_threads
from support.wide import X, Y, bits, in_a_thread, make

pytestmark = pytest.mark.filterwarnings("ignore")
TASKS = "/proc/self/task"
linux = pytest.mark.skipif(not os.path.isdir(TASKS), reason=f"needs Linux's {TASKS}")
both = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])


@both
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("sparse", [False, True])
def test_estimators_fit_the_same_bits_on_any_number_of_threads(cls, solver, sparse):
    rows = np.where(X > 1, X, 0) if sparse else X

    def fit(n_threads):
        model = make(cls, solver=solver, n_threads=n_threads, batch_size=500)
        model.fit(rows, Y)
        return bits(model), model.loss_, model.predict(rows).tobytes()

    alone = fit(1)
    assert [n for n in (1, 2, 3, 8, 16) if fit(n) != alone] == []


@linux
def test_sixteen_fits_at_once_are_right_and_have_the_threads_they_ask_for():
    alone = bits(make().fit(X, Y))
    most, done = [0], threading.Event()

    def watch():
        while not done.is_set():
            most[0] = max(most[0], len(os.listdir(TASKS)))
            time.sleep(0.001)

    with ThreadPoolExecutor(16) as pool:
        pool.submit(time.sleep, 0).result()
        before = len(os.listdir(TASKS))
        watcher = in_a_thread(watch)
        together = list(pool.map(lambda _: bits(make().fit(X, Y)), range(48)))
        done.set()
        watcher.join()
    assert together == [alone] * 48
    assert most[0] <= before + 1 + 16 + 16  # the watcher, the pool, a second thread for each


@both
def test_sixteen_threads_predict_while_others_fit(cls):
    model, other = make(cls).fit(X, Y), make(cls)
    alone = model.predict(X).tobytes()
    with ThreadPoolExecutor(16) as pool:
        fits = [pool.submit(clone(other).fit, X, Y) for _ in range(8)]
        assert set(pool.map(lambda _: model.predict(X).tobytes(), range(64))) == {alone}
        assert len({tuple(bits(fit.result())) for fit in fits}) == 1


@both
def test_many_threads_that_fit_one_model_leave_one_fit(cls):
    model, alone = make(cls), bits(make(cls).fit(X, Y))

    def fit(_):
        try:
            model.fit(X, Y)
        except RuntimeError as error:
            return str(error)
        return "fitted"

    with ThreadPoolExecutor(8) as pool:
        ends = set(pool.map(fit, range(24)))
    assert ends == {"fitted", f"this {cls.__name__} is being fitted already"}
    assert bits(model) == alone


def predict_while_it_is_fitted(cls):
    """Weights may be of any epoch, or half of one: but finite, and no crash."""
    model = make(cls).fit(X, Y)
    model.set_params(warm_start=True, max_iter=30)
    thread = in_a_thread(lambda: model.fit(X, Y))
    while thread.is_alive():
        assert np.isfinite(model.predict(X)).all()
    thread.join()


@both
def test_a_model_predicts_while_another_thread_fits_it(cls):
    predict_while_it_is_fitted(cls)


@both
def test_a_model_dropped_while_it_is_fitted_is_fitted_to_the_end(cls):
    model = make(cls, max_iter=20)
    reference, ended = weakref.ref(model), []
    thread = threading.Thread(target=lambda fit: ended.append(bits(fit(X, Y))), args=(model.fit,))
    thread.start()
    del model
    gc.collect()
    thread.join()
    del thread
    gc.collect()
    assert ended == [bits(make(cls, max_iter=20).fit(X, Y))]
    assert reference() is None


class ReportsThreads(MLPClassifier):
    """Whose score is how many threads its fit was to run on."""

    def fit(self, X, y):
        super().fit(X, y)
        self.told_ = effective_n_threads(self.n_threads)
        return self

    def score(self, X, y):
        return self.told_


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_jobs_of_a_grid_search_share_the_cpus(backend, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    n_cpus = effective_n_threads()
    search = GridSearchCV(
        ReportsThreads(max_iter=1), {"alpha": [0, 1]}, cv=2, n_jobs=2, refit=False
    )
    with parallel_config(backend=backend):
        search.fit(X, Y)
    each = {"threading": 1, "loky": max(n_cpus // 2, 1)}[backend]
    assert (search.cv_results_["mean_test_score"] == each).all()


class CountsThreads(MLPClassifier):
    """Whose score is how many threads at once, and not Python's, the process got in its fit."""

    def fit(self, X, y):
        self.seen_, done = 0, threading.Event()
        known = set(os.listdir(TASKS))

        def watch():
            while not done.is_set():
                tasks = set(os.listdir(TASKS))
                python = [thread.native_id for thread in threading.enumerate()]
                known.update(map(str, python))
                if None not in python:  # which is just being started
                    self.seen_ = max(self.seen_, len(tasks - known))
                time.sleep(0.0002)

        watcher = in_a_thread(watch)
        super().fit(X, y)
        done.set()
        watcher.join()
        return self

    def score(self, X, y):
        return self.seen_


@linux
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_jobs_of_a_grid_search_run_on_no_more_threads_than_there_are_cpus(backend, monkeypatch):
    """As Linux counts them; where each is to have two, more are seen."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def most(n_threads):
        end_parked_threads()  # which would not be new to the fits
        model = CountsThreads((100,), max_iter=20, n_threads=n_threads)
        search = GridSearchCV(model, {"alpha": [0, 1]}, cv=2, n_jobs=2, refit=False)
        with parallel_config(backend=backend):
            search.fit(X, Y)
        more = search.cv_results_["mean_test_score"].max()
        return 2 + {"threading": more, "loky": 2 * more}[backend]

    assert most(None) <= max(effective_n_threads(), 2)
    assert most(2) > 2


@pytest.mark.parametrize("n_threads", [0, -1, 1.0, 2.5, np.nan, "2", True, [2], 1j, b"2"])
@both
def test_n_threads_that_is_no_count_is_refused(cls, n_threads):
    """Also where it was set after the fit."""
    with pytest.raises((TypeError, ValueError), match="n_threads"):
        make(cls, n_threads=n_threads).fit(X, Y)
    model = make(cls).fit(X, Y).set_params(n_threads=n_threads)
    with pytest.raises((TypeError, ValueError), match="n_threads"):
        model.predict(X)


@pytest.mark.parametrize("n_threads", [1000, 2**31, 2**63, 2**100, np.int8(3), np.uint64(2**63)])
def test_any_other_n_threads_gives_the_same_bits(n_threads):
    model = make(n_threads=n_threads).fit(X, Y)
    assert bits(model) == bits(make(n_threads=1).fit(X, Y))

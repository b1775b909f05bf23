"""Calls from many threads at once: each ends with its result or an exception.

On a free-threaded CPython all of the threads run at the same time; elsewhere they take turns
with Python, which they change as often as they can, and the kernels run beside each other.
"""

import copy
import itertools
import pickle
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

from mlp_c import MLPClassifier, MLPRegressor, _core, kernels
from support import calls, coded, processes

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).random((600, 40)).round(1)
Y = np.arange(600) % 3
MODELS = {
    "sgd": MLPClassifier((12,), solver="sgd", batch_size=32, max_iter=3),
    "threads": MLPClassifier((300,), solver="sgd", batch_size=300, max_iter=3, n_threads=2),
    "early stopping": MLPClassifier((12,), early_stopping=True, max_iter=5),
    "a scorer": MLPClassifier((12,), early_stopping=True, scoring="accuracy", max_iter=5),
    "lbfgs held out": MLPClassifier(
        (12,), solver="lbfgs", early_stopping=True, scoring="loss", max_iter=5
    ),
    "lbfgs": MLPRegressor(hidden_layer_sizes=(12,), solver="lbfgs", max_iter=10),
}
FORMS = {"dense": X, "few zeros left": X * (X > 0.8), "CSR": csr_array(X * (X > 0.8))}


@pytest.fixture(autouse=True)
def frequent_turns():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def at_once(calls):
    """What each of some calls returns or raises, in threads that start together."""
    barrier = threading.Barrier(len(calls))

    def outcome(call):
        barrier.wait()
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))


def bits(model):
    return [array.tobytes() for array in model.coefs_ + model.intercepts_]


# ---- estimators ----


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MODELS)
def test_fits_at_once_give_the_bits_of_each_alone(name, form):
    def fit(seed):
        return bits(clone(MODELS[name]).set_params(random_state=seed).fit(FORMS[form], Y))

    alone = [fit(seed) for seed in range(4)]
    assert at_once([lambda seed=seed: fit(seed) for seed in range(4)] * 4) == alone * 4


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score"])
def test_predictions_at_once_are_those_of_each_alone(method):
    model = clone(MODELS["sgd"]).fit(X, Y)
    rows = [*FORMS.values(), X.astype(np.float32), X[:1], X[:3].tolist()]

    def predict(rows):
        y = Y[: rows.shape[0] if hasattr(rows, "shape") else len(rows)]
        return np.asarray(getattr(model, method)(rows, *[y] * (method == "score"))).tobytes()

    alone = [predict(each) for each in rows]
    outcomes = at_once([lambda: [predict(each) for each in rows * 5]] * 8)
    assert outcomes == [alone * 5] * 8


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_of_fits_of_one_estimator_at_once_one_runs_and_others_are_refused(method):
    """Those that do not meet it run after it; none is mixed with another."""
    classes = {"classes": np.arange(3)} if method == "partial_fit" else {}
    alone = clone(MODELS["sgd"]).set_params(random_state=0)
    states = []
    for _ in range(8 if classes else 1):
        states.append(bits(getattr(alone, method)(X, Y, **classes)))
    n_refused = 0
    for _ in range(20):
        model = clone(alone)
        outcomes = at_once([lambda: getattr(model, method)(X, Y, **classes)] * 8)  # noqa: B023
        refused = [outcome for outcome in outcomes if outcome is not model]
        assert {(type(error), str(error)) for error in refused} <= {
            (RuntimeError, "this MLPClassifier is being fitted already")
        }
        assert bits(model) == states[7 - len(refused) if classes else 0]
        n_refused += len(refused)
    assert n_refused > 0


def predict_while_fitted():
    """While fits of other widths, classes and dtypes go on, no two attributes need to agree."""
    problems = [(X, Y), (X[:, :7], Y % 2), (X.astype(np.float32), Y > 0), (X[:200, :30], Y[:200])]
    model = MLPClassifier((8,), max_iter=2, random_state=0).fit(*problems[0])
    done, unexpected, n_predicted = threading.Event(), [], itertools.count()

    def predict():
        for rows, _ in itertools.cycle(problems):
            if done.is_set():
                return
            try:
                model.predict(rows)
                next(n_predicted)
            except SystemError as error:  # what a call into C that goes wrong ends with
                unexpected.append(error)
            except Exception:
                pass

    threads = [threading.Thread(target=predict) for _ in range(3)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for sizes, problem in zip([(8,), (30, 5), (), (4,)], problems, strict=True):
            model.set_params(hidden_layer_sizes=sizes).fit(*problem)
    done.set()
    for thread in threads:
        thread.join()
    assert not unexpected, unexpected[:3]
    print(next(n_predicted))


def test_a_prediction_while_the_model_is_fitted_is_an_array_or_an_exception():
    assert int(processes.run(predict_while_fitted)) > 0


def test_a_model_that_is_fitted_is_pickled_all_the_same():
    model = MLPClassifier((8,), max_iter=1, random_state=0).fit(X, Y)

    def fit():
        for _ in range(60):
            model.fit(X, Y)
        return model

    def save():
        return {type(pickle.dumps(model)) for _ in range(600)}

    assert at_once([fit, save, save]) == [model, {bytes}, {bytes}]


def test_parameters_set_while_a_model_is_fitted_leave_it_whole():
    """They count at once or from the next fit on, which is not promised."""
    model = MLPClassifier((8,), max_iter=30, random_state=0)
    want = bits(clone(model).fit(X, Y))
    values = {
        "hidden_layer_sizes": [(3,), (9, 4)],
        "activation": ["tanh", "no activation"],
        "solver": ["lbfgs", "sgd"],
        "early_stopping": [True, False],
        "batch_size": [7, 10**6, -1],
        "warm_start": [True, False],
        "max_iter": [1, 5],
        "alpha": [-1.0, 1e300],
    }
    settings = [{name: value} for name, some in values.items() for value in some]
    for setting in settings * 2:
        changed = copy.copy(model)
        outcomes = at_once(
            [lambda: changed.fit(X, Y), lambda: changed.set_params(**setting)]  # noqa: B023
        )
        assert isinstance(outcomes[0], (MLPClassifier, ValueError, AttributeError, TypeError))
        assert bits(changed.set_params(**model.get_params()).fit(X, Y)) == want


# ---- arrays and lists that another thread changes ----

JUNK = [0, 1, 2**62, -1, -(2**62), 255, 2**31 - 1]


def junk(array):
    """Fills an array with one of several kinds of junk after the other."""
    patterns = [np.full_like(array, np.int64(value).astype(array.dtype)) for value in JUNK]
    if array.dtype.kind == "f":
        patterns += [np.full_like(array, value) for value in (np.nan, np.inf, -1e300)]
    return itertools.cycle(patterns)


def run_while_written(call, array):
    """Calls in two threads while this one fills an array with junk, and with what is right in
    between, until a call has run."""
    done, unexpected, has_run = threading.Event(), [], threading.Event()

    def run():
        while not done.is_set():
            try:
                call()
                has_run.set()
            except ValueError:
                pass
            except BaseException as error:
                unexpected.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    right, end = array.copy(), time.monotonic() + 0.3
    for pattern in junk(array):
        array[...] = pattern
        array[...] = right
        if (has_run.is_set() and time.monotonic() > end) or time.monotonic() > end + 20:
            break
    done.set()
    for thread in threads:
        thread.join()
    assert not unexpected, unexpected[:3]
    assert has_run.is_set()


def sparse_forms(dense):
    """The parts of sparse matrices with columns of 2, 4 and 8 bytes, and of the like of pairs."""
    matrix = csr_array(dense)
    starts = matrix.indptr.astype(np.int64)
    for index in ("u2", "u4", "i8"):
        columns = matrix.indices.astype(index)
        yield matrix.data.copy(), columns, starts.copy(), dense.shape[1]
        pairs = np.repeat(matrix.data, 2).reshape(-1, 2)
        yield pairs, columns // 2, starts.copy(), dense.shape[1]


def train_while_written(what):
    n, n_in = 2000, 600
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((n, n_in)) < 0.1, rng.random((n, n_in)), 0)
    y, order, sample_weight = rng.integers(0, 3, n), rng.permutation(n), np.ones(n)
    network = [rng.random((n_in, 16)) - 0.5, np.zeros((16, 3))], [np.zeros(16), np.zeros(3)]
    options = {"order": order, "sample_weight": sample_weight, "n_threads": 2}
    options |= {"batch_size": 300, "learning_rates": calls.rates(1e-3, n, 300)}

    def train(rows):
        _core.train_epoch(calls.fields("train_epoch", rows, y, *network, **options))
        _core.predict(rows, order, *network, "relu", "softmax", False, 2)
        if rows is dense:
            _core.index_nonzeros(rows, "float64", 1.0, np.inf, 2)

    if what == "coded":
        rows = coded.draw(rng, n, d=40)
        network[0][0] = rng.random((rows.n_units, 16)) - 0.5
        for _, part in calls.leaves(rows):
            print(part.dtype, part.shape, file=sys.stderr)
            run_while_written(lambda: train(rows), part)
    elif what == "dense":
        for array in (dense, y, order, sample_weight, network[0][0]):
            print(array.dtype, array.shape, file=sys.stderr)
            run_while_written(lambda: train(dense), array)
    else:
        for rows in sparse_forms(dense):
            for part in rows[:3]:
                print(part.dtype, part.shape, file=sys.stderr)
                run_while_written(lambda: train(rows), part)  # noqa: B023


@pytest.mark.parametrize("what", ["dense", "sparse", "coded"])
def test_what_another_thread_writes_is_checked_as_it_is_used(what):
    processes.run(train_while_written, what)


def run_on_lists_changed_meanwhile():
    rng = np.random.default_rng(0)
    layers = [rng.random(shape) for shape in [(5, 4), (4, 3), (3, 6)]]
    weights, biases = list(layers), [np.zeros(w.shape[1]) for w in layers]
    gradients = [np.zeros_like(w) for w in layers]
    rows, out = rng.random((20, 5)), [np.zeros((20, w.shape[1])) for w in layers]
    done, unexpected, n_run = threading.Event(), [], itertools.count()

    def call():
        while not done.is_set():
            try:
                kernels.forward(rows, weights, biases, out=out)
                kernels.sgd_step(weights, gradients, 0.1)
                next(n_run)
            except (ValueError, TypeError):
                pass
            except BaseException as error:
                unexpected.append(error)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for changed in (weights, biases, out):
            whole = list(changed)
            changed.clear()
            changed.extend(whole * 100)
            changed[:] = [np.zeros((5, 4)) for _ in range(3)]
            changed[:] = [None]
            del changed[:]
            changed[:] = [array.copy() for array in whole]
        time.sleep(1e-4)
    done.set()
    for thread in threads:
        thread.join()
    assert not unexpected, unexpected[:3]
    print(next(n_run))


def test_lists_that_another_thread_changes_are_taken_as_they_are_at_one_time():
    assert int(processes.run(run_on_lists_changed_meanwhile)) > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of setting a shape
def test_an_array_is_used_as_it_was_when_it_was_taken(monkeypatch):
    """NumPy, asked whether two interleaved arrays overlap, can let another thread run."""
    base, array = np.zeros(12), np.zeros(6)
    shares_memory = np.shares_memory

    def reshape(*arguments):
        array.shape = (1, 2, 3)
        return shares_memory(*arguments)

    monkeypatch.setattr(np, "shares_memory", reshape)
    kernels.sgd_step([base[::2], base[1::2], array], [np.ones(6)] * 3, 1.0)
    assert array.shape == (1, 2, 3)
    assert (array == -1).all()
    assert (base == -1).all()

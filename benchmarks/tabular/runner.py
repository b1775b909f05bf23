"""Fits the models, each in a process of its own, in turns."""

import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from statistics import median
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.processes import Disturbance, Worker
from benchmarks.tabular.results import Key, Outcome, Results
from benchmarks.tabular.rivals import RIVALS
from benchmarks.tabular.scores import error_rate, log_loss, normalised_rmse
from benchmarks.tabular.sets import SETS, load, split

N_PREDICTIONS = 3  # timed, for a median
Value = TypeVar("Value")


def timed(call: Callable[[], Value]) -> tuple[Value, float, float]:
    """What a call returns, and the seconds and the CPU seconds that it takes."""
    start, cpu_start = time.perf_counter(), time.process_time()
    value = call()
    return value, time.perf_counter() - start, time.process_time() - cpu_start


class Server:
    """Runs in the worker of a model, with one set."""

    def __init__(self, name: str, data: str, n_threads: int) -> None:
        self.name, self.data, self.n_threads = name, SETS[data], n_threads
        self.rival = RIVALS[name]
        self.rival.load(self.data.is_classification)
        threadpool_limits(n_threads)
        warnings.simplefilter("ignore")  # that fits with defaults have not converged, and the like
        self.X, self.y = load(self.data)
        self.is_warm = False

    def measure(self, repeat: int) -> Outcome:
        """A model that raises an error has failed: that is its outcome."""
        outcome: dict[str, Any] = {
            "data": self.data.name,
            "model": self.name,
            "repeat": repeat,
            "n_threads": self.n_threads,
            "version": self.rival.version,
        }
        try:
            if not self.is_warm:
                self.warm_up()
            is_classification = self.data.is_classification
            train, test = split(self.y, is_classification, repeat)
            model = self.make(self.X)
            outcome |= fit_and_score(model, self.X, self.y, train, test, is_classification)
        except Exception as error:
            traceback.print_exc()
            outcome["failure"] = f"{type(error).__name__}: {error}".partition("\n")[0]
        return Outcome(**outcome)

    def make(self, X: pd.DataFrame) -> Any:
        return self.rival.make(X, self.data.is_classification, self.n_threads)

    def warm_up(self) -> None:
        """Imports and starts what a library does at its first fit, on a few rows of made data."""
        number = np.arange(100.0)
        word = pd.Categorical(np.where(number % 3, "a", "b"))
        X = pd.DataFrame({"number": number, "word": word})
        self.make(X).fit(X, np.arange(100) % 2)
        self.is_warm = True


def fit_and_score(
    model: Any,
    X: pd.DataFrame,
    y: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    is_classification: bool,
) -> dict[str, float | None]:
    """The figures of an outcome."""
    X_train, y_train, X_test, y_test = X.iloc[train], y[train], X.iloc[test], y[test]
    _, seconds, cpu_seconds = timed(lambda: model.fit(X_train, y_train))
    predict = model.predict_proba if is_classification else model.predict
    predictions = [timed(lambda: predict(X_test)) for _ in range(N_PREDICTIONS)]
    predicted = np.asarray(predictions[0][0], np.float64)
    if is_classification:
        classes = np.asarray(model.classes_)
        error = error_rate(y_test, predicted, classes)
        loss = log_loss(y_test, predicted, classes)
    else:
        error, loss = normalised_rmse(y_test, predicted.ravel()), None
    if not np.isfinite([error, 0 if loss is None else loss]).all():
        raise ValueError(f"its scores are not finite: error {error}, log-loss {loss}")
    return {
        "error": error,
        "log_loss": loss,
        "fit_seconds": seconds,
        "fit_cpu_seconds": cpu_seconds,
        "predict_seconds": median(p[1] for p in predictions) / len(test),
        "predict_cpu_seconds": median(p[2] for p in predictions) / len(test),
    }


@contextmanager
def started(names: Iterable[str], *arguments: Any) -> Iterator[tuple[list[Worker], dict[str, str]]]:
    """Yields the workers of those models that are present, and why the others are absent."""
    with ExitStack() as stack:
        workers = []
        for name in names:
            workers.append(Worker(Server, name, *arguments))
            stack.callback(workers[-1].close)
        reasons = {worker.name: worker.receive() for worker in workers}
        yield (
            [worker for worker in workers if reasons[worker.name] is None],
            {name: reason for name, reason in reasons.items() if reason},
        )


def measure(
    results: Results,
    data: str,
    models: Iterable[str],
    *,
    n_repeats: int,
    n_threads: int,
    step: Callable[[str], None],
) -> dict[str, str]:
    """Adds what is missing of one set to the results. Returns why models are absent."""
    todo = missing(results, [data], models, n_repeats=n_repeats, n_threads=n_threads)
    names = list(dict.fromkeys(name for _, name, *_ in todo))
    with started(names, data, n_threads) as (workers, absent):
        of = {worker.name: worker for worker in workers}
        for key in todo:
            _, name, *_ = key
            if name in absent:
                step(f"{name} is absent")
            else:
                results.add(ask(of[name], key))
                step(line_of(results.outcomes[key]))
    return absent


def missing(
    results: Results,
    sets: Iterable[str],
    models: Iterable[str],
    *,
    n_repeats: int,
    n_threads: int,
) -> list[Key]:
    """The fits that the results do not have yet."""
    models = list(models)
    keys = [  # repeat by repeat, so that all models meet the same conditions
        (data, name, repeat, n_threads)
        for data in sets
        for repeat in range(n_repeats)
        for name in models
    ]
    return [key for key in keys if key not in results]


def ask(worker: Worker, key: Key) -> Outcome:
    """The outcome of a fit, or that the model's process has died of it."""
    if not worker.process.is_alive():
        return Outcome(*key, failure="its process has died before")
    disturbance = Disturbance([worker])
    try:
        outcome = worker.ask("measure", key[2])
    except RuntimeError as error:
        return Outcome(*key, failure=str(error))
    return replace(outcome, cpus_of_others=disturbance.cpus())


def line_of(outcome: Outcome) -> str:
    place = f"{outcome.data} {outcome.repeat} {outcome.model}"
    if outcome.failure is not None:
        return f"{place}: failed, {outcome.failure}"
    return f"{place}: error {outcome.error:.4f}, fit {outcome.fit_cpu_seconds:.3g} CPU s"

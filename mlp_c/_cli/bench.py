"""``python -m mlp_c bench``: a minute's comparison with the libraries that are installed."""

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from statistics import median
from typing import Any

from mlp_c._cli.errors import CommandError, note
from mlp_c._cli.machine import describe_machine
from mlp_c._cli.rivals import RIVALS, Case, measure, prepare
from mlp_c._system.threads import effective_n_threads

SUMMARY = "compare with scikit-learn and PyTorch on this machine"
DESCRIPTION = """\
Trains and predicts with mlp_c, scikit-learn and, if it is installed, PyTorch: the same networks,
data, batches, plain gradient descent and threads. Each has a process of its own, and they take
turns. It takes about a minute, so the figures are rough: other programs disturb them. `make bench`
in the sources measures at length.
"""
EXAMPLES = """\
examples:
  python -m mlp_c bench
  python -m mlp_c bench --threads 1 --seconds 120
"""

CASES = (
    Case("epoch, mostly zeros", (784, 128, 10), "float32", 5_000, share_of_ink=0.19),
    Case("epoch, dense", (256, 128, 10), "float32", 5_000),
    Case("epoch, small table", (40, 100, 3), "float64", 5_000),
    Case("predict 10,000 rows", (784, 128, 10), "float32", 10_000, 10_000, share_of_ink=0.19),
    Case("predict one row", (784, 128, 10), "float32", 1_000, 1, share_of_ink=0.19),
)

_ROUNDS = 5
_REST = 0.1  # seconds before a measurement, in which the threads of the last one fall asleep


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--seconds", type=_positive_float, default=60, help="about how long to take (default: 60)"
    )
    parser.add_argument(
        "--threads",
        metavar="N",
        type=_positive_int,
        help="threads for each library (default: the CPUs that this process may use)",
    )


def run(args: argparse.Namespace) -> None:
    """Measure, and print a table."""
    start = time.monotonic()
    n_threads = args.threads or effective_n_threads()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    names = [name for name in RIVALS if name != "PyTorch" or find_spec("torch")]
    with _started(names) as workers:
        versions = _prepare(workers, CASES[-1], n_threads)  # which is the quickest
        results = _run_cases(workers, n_threads, start + args.seconds)
    _print_results(versions, results)
    machine = describe_machine()
    print(
        f"\n{machine['processor']}, CPUs for this process: {machine['cpus']}, threads: {n_threads}"
    )
    print(machine["platform"])
    print(
        f"A short measurement: medians of at most {_ROUNDS} rounds. The seconds of an epoch are "
        "those of a fit,\ndivided by its epochs."
    )
    if load > 0.5:
        print(f"The load average was {load:.1f} at the start: other programs disturb the figures.")


def _positive_float(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


# What argparse calls them where it shows that a value is none.
_positive_float.__name__, _positive_int.__name__ = "positive number", "positive integer"


# ---- measuring ----

Workers = dict[str, ProcessPoolExecutor]


@contextmanager
def _started(names: list[str]) -> Iterator[Workers]:
    """A process for each rival. Ctrl-C is left to this process, which ends the others."""
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                ProcessPoolExecutor(
                    1, context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
                )
            )
            for name in names
        }


def _ask(name: str, worker: ProcessPoolExecutor, function: Any, *arguments: Any) -> Any:
    try:
        return worker.submit(function, *arguments).result()
    except BrokenProcessPool as error:
        raise CommandError(f"the process of {name} has died") from error


def _prepare(workers: Workers, case: Case, n_threads: int) -> dict[str, str]:
    """Have each rival ready for a case, and leave out those that cannot be imported."""
    versions = {}
    for name, worker in list(workers.items()):
        try:
            versions[name] = _ask(name, worker, prepare, name, case, n_threads)
        except ImportError as error:
            note(f"{name} is left out: {error}")
            del workers[name]
    return versions


def _run_cases(workers: Workers, n_threads: int, end: float) -> list[tuple[Case, dict[str, float]]]:
    """What each case has taken, each in its share of the time that is left until the end."""
    results = []
    for n_left, case in zip(range(len(CASES), 0, -1), CASES, strict=True):
        now = time.monotonic()
        results.append((case, _run_case(workers, case, n_threads, now + (end - now) / n_left)))
    return results


def _run_case(workers: Workers, case: Case, n_threads: int, deadline: float) -> dict[str, float]:
    """The median seconds of each rival over rounds in which they take turns.

    No round begins that would end after the deadline if it took as long as the last; but there is
    one, with a single epoch or call of each rival if there is no time for more.
    """
    print(f"{_title(case)} ", end="", file=sys.stderr, flush=True)
    _prepare(workers, case, n_threads)
    left = deadline - time.monotonic()
    goal = max(0, left / (len(workers) * (_ROUNDS + 1)) - _REST)
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(_ROUNDS):
        began = time.monotonic()
        for name, worker in workers.items():
            time.sleep(_REST)
            seconds[name].append(_ask(name, worker, measure, goal))
        print(".", end="", file=sys.stderr, flush=True)
        now = time.monotonic()
        if now + (now - began) > deadline:
            break
    print(file=sys.stderr)
    return {name: median(of_rival) for name, of_rival in seconds.items()}


# ---- showing ----


def _title(case: Case) -> str:
    return f"{case.name}, {'-'.join(map(str, case.widths))}, {case.dtype}"


def _print_results(versions: dict[str, str], results: list[tuple[Case, dict[str, float]]]) -> None:
    """A line for each case: seconds, and how many times ours the others' are."""
    head = ["seconds", *versions.values()]
    lines = []
    for case, seconds in results:
        ours = next(iter(seconds.values()))
        others = [f"{s:.3g} {s / ours:5.1f} x" for s in list(seconds.values())[1:]]
        lines.append([_title(case), f"{ours:.3g}", *others])
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    for first, *rest in (head, *lines):
        cells = [f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True)]
        print("  ".join([f"{first:<{widths[0]}}", *cells]))

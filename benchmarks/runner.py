"""Measures each rival in a process of its own, one process at a time.

Idle threads of a library spin for a while and slow down everything else in their process:
hence the processes. The speed of a machine drifts: hence the rounds. Each round times every
rival once, so that all meet the same conditions.
"""

import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

from benchmarks import data, rivals
from benchmarks.cases import Case
from benchmarks.processes import REST, Disturbance, Worker, apart
from benchmarks.roof import MatrixProduct
from benchmarks.timing import Calls, Fits

ROOF = "GEMM"


@dataclass
class Timing:
    """One rival's figures. The lists have an entry for each round."""

    rival: str
    version: str
    peak_bytes: int  # of the process, by its first fit
    growth_bytes: int  # what its first fit added
    accuracy: float  # on the test rows, after one epoch
    seconds: list[float] = field(default_factory=list)  # for an epoch or a prediction
    fixed_seconds: list[float] = field(default_factory=list)  # of a fit, besides its epochs

    @property
    def median(self) -> float:
        return median(self.seconds)


@dataclass
class Result:
    """The outcome of one case."""

    case: Case
    data: str
    x_bytes: int
    cpus_of_others: float  # kept busy by other processes during the rounds
    blas: str
    gemm_flops: list[float]  # per second, an entry for each round
    timings: dict[str, Timing]
    absent: dict[str, str]  # the reason, by rival

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def medians(self) -> dict[str, float]:
        """The median seconds of each rival."""
        return {name: timing.median for name, timing in self.timings.items()}

    @property
    def quartiles(self) -> dict[str, float]:
        """The lower quartile of each rival's seconds."""
        return {
            name: float(np.quantile(timing.seconds, 0.25)) for name, timing in self.timings.items()
        }

    @property
    def dense_limit(self) -> float:
        """Seconds the case would take as one large matrix product, at the best round's rate."""
        return self.case.flop / max(self.gemm_flops)


class RoofServer:
    """Runs in the worker of the matrix products."""

    def __init__(self, name: str, case: Case) -> None:
        self.product = MatrixProduct(case.dtype)
        threadpool_limits(case.threads)

    def version(self) -> str:
        return self.product.version

    def time(self) -> float:
        return self.product.flops()


class RivalServer:
    """Runs in the worker of a rival, with its data."""

    def __init__(self, name: str, case: Case, folder: Path) -> None:
        self.name, self.case, self.folder = name, case, folder
        self.rival = rivals.load(name)(case, *data.read(folder, "train", case.dtype))
        threadpool_limits(case.threads)

    def warm_up(self, goal: float) -> Timing:
        """Runs the first fit and notes its outcome; then finds what takes `goal` seconds."""
        resident = psutil.Process().memory_info().rss
        self.rival.fit(1)
        peak = peak_bytes()
        x, y = data.read(self.folder, "test", self.case.dtype)
        accuracy = float(np.mean(self.rival.predict(x) == y))
        if self.case.predicted_rows:
            x = x[: self.case.predicted_rows]
            self.clock: Calls | Fits = Calls(lambda: self.rival.predict(x), goal)
        else:
            self.clock = Fits(self.rival.fit, goal, REST)
        return Timing(self.name, self.rival.version, peak, peak - resident, accuracy)

    def time(self) -> tuple[float, float]:
        """Seconds of an epoch or a prediction, and of a fit besides its epochs."""
        return self.clock.read()


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextmanager
def started(case: Case, names: Iterable[str], folder: Path) -> Iterator[tuple]:
    """Yields the roof's worker, the workers of the rivals, and why others are absent."""
    with ExitStack() as stack:
        roof = Worker(RoofServer, ROOF, case)
        workers = [Worker(RivalServer, name, case, folder) for name in names]
        for worker in (roof, *workers):
            stack.callback(worker.close)
        reasons = {worker.name: worker.receive() for worker in (roof, *workers)}
        present = [worker for worker in workers if reasons[worker.name] is None]
        yield roof, present, {name: reason for name, reason in reasons.items() if reason}


def measure(
    case: Case,
    description: str,
    folder: Path,
    *,
    names: Iterable[str],
    rounds: int,
    goal: float,
    step: Callable[[str], None],
) -> Result:
    """Times these rivals on the data in `folder`. Calls `step` after each step of the work."""
    with started(case, names, folder) as (roof, workers, absent):
        roof.ask("time")
        timings = {}
        for worker in workers:
            timings[worker.name] = worker.ask("warm_up", goal)
            step(f"{case.name} {worker.name}: ready")
        gemm_flops = []
        disturbance = Disturbance([roof, *workers])
        for r in range(rounds):
            gemm_flops.append(roof.ask("time"))
            for worker in workers:
                seconds, fixed = worker.ask("time")
                timings[worker.name].seconds.append(seconds)
                timings[worker.name].fixed_seconds.append(fixed)
                step(f"{case.name} round {r + 1}/{rounds} {worker.name}: {seconds:.3g} s")
        others = disturbance.cpus()
        blas = roof.ask("version")
    x_bytes = data.path_of(folder, "train", case.dtype).stat().st_size
    return Result(case, description, x_bytes, others, blas, gemm_flops, timings, absent)


def measure_all(
    cases: list[Case], names_of: Callable[[Case], list[str]], **options: Any
) -> Iterator[Result]:
    """Measures every case with the rivals that `names_of` gives for it.

    `options` are those of `measure`. A new process starts with the peak memory of the process
    that starts it. To keep this one small, another process makes the data.
    """
    for recipe, group in groupby(cases, key=lambda case: case.recipe):
        same_data = list(group)
        with TemporaryDirectory() as folder:
            dtypes = {case.dtype for case in same_data}
            description = apart(data.write, recipe, dtypes, Path(folder))
            for case in same_data:
                yield measure(case, description, Path(folder), names=names_of(case), **options)

"""Measuring: a process for each rival, one of them at work at a time.

Libraries' idle threads spin for a while and slow down whatever shares their
process, hence the processes. The speed of a machine drifts, hence the rounds: in
each, every rival is timed once, so that all meet the same weather.
"""

import math
import multiprocessing
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

from benchmarks import data
from benchmarks.cases import Case
from benchmarks.rivals import RIVALS, ROOF, MatrixProduct

SHORT_FIT = 1  # epochs
WARM_UP_FIT = 3
REST = 0.1  # seconds after a fit, for its threads to fall asleep
SPAWN = multiprocessing.get_context("spawn")


@dataclass
class Timing:
    """One rival's figures; the lists hold one a round."""

    rival: str
    version: str
    peak_bytes: int = 0
    growth_bytes: int = 0  # of the process, by its first fits
    accuracy: float = math.nan  # on the test rows, after WARM_UP_FIT epochs
    long_fit: int = WARM_UP_FIT  # epochs
    epoch_seconds: list[float] = field(default_factory=list)
    fixed_seconds: list[float] = field(default_factory=list)  # of a fit, beside its epochs


@dataclass
class Result:
    """What one case and dtype gave."""

    case: Case
    data: str
    x_bytes: int
    cpus_of_others: float  # kept busy by other processes during the rounds
    roof: Timing
    timings: list[Timing]
    absent: dict[str, str]  # rival: why

    @property
    def gemm_flops(self) -> float:
        return 2 * MatrixProduct.SIZE**3 / median(self.roof.epoch_seconds)

    @property
    def dense_limit(self) -> float:
        """Seconds an epoch would take as one large matrix product."""
        return self.case.flop_per_row * self.case.rows / self.gemm_flops


class Disturbance:
    """How many CPUs are kept busy by others than the workers, from now on."""

    def __init__(self, workers: list["Worker"]) -> None:
        self.ours = [psutil.Process(), *(psutil.Process(w.process.pid) for w in workers)]
        self.start = self.now()

    def now(self) -> tuple[float, float]:
        """The clock, and the CPUs' seconds with others or with another virtual machine."""
        times = psutil.cpu_times()
        busy = times.user + times.system + getattr(times, "nice", 0) + getattr(times, "steal", 0)
        return time.monotonic(), busy - sum(sum(p.cpu_times()[:2]) for p in self.ours)

    def cpus(self) -> float:
        (then, busy_then), (now, busy_now) = self.start, self.now()
        return max(0.0, (busy_now - busy_then) / (now - then))


class Worker:
    """The near end of a rival's process."""

    def __init__(self, rival: str, case: Case, folder: Path, threads: int) -> None:
        self.rival = rival
        self.pipe, far_end = SPAWN.Pipe()
        args = (far_end, rival, case, folder, threads)
        self.process = SPAWN.Process(target=serve, args=args, daemon=True)
        self.process.start()
        far_end.close()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Calls a method of Server."""
        try:
            self.pipe.send((method, *arguments))
            answer = self.pipe.recv()
        except (EOFError, OSError):
            raise RuntimeError(f"the process of {self.rival} has died") from None
        time.sleep(REST)
        return answer

    def time_round(self, timing: Timing) -> None:
        short, long = self.ask("time", SHORT_FIT), self.ask("time", timing.long_fit)
        epoch = (long - short) / (timing.long_fit - SHORT_FIT)
        timing.epoch_seconds.append(epoch)
        timing.fixed_seconds.append(short - SHORT_FIT * epoch)

    def close(self) -> None:
        self.pipe.close()
        self.process.join()


class Server:
    """The far end: the rival and its data."""

    def __init__(self, name: str, case: Case, folder: Path, threads: int) -> None:
        self.name, self.case, self.folder = name, case, folder
        self.threads = threads

    def load(self) -> str | None:
        """Makes the rival; returns why it cannot be, if so."""
        rival = MatrixProduct if self.name == ROOF else RIVALS[self.name]
        try:
            training = data.read_training(self.case, self.folder)
            self.rival = rival(self.case, *training, self.threads)
        except ImportError as error:
            return str(error)
        threadpool_limits(self.threads)
        return None

    def time(self, n_epochs: int) -> float:
        start = time.perf_counter()
        self.rival.fit(n_epochs)
        return time.perf_counter() - start

    def warm_up(self, goal: float) -> Timing:
        """First fits: their memory and outcome, and the epochs that take `goal` seconds."""
        resident = psutil.Process().memory_info().rss
        self.time(SHORT_FIT)
        at_most = self.time(WARM_UP_FIT) / WARM_UP_FIT  # an epoch takes
        peak = peak_bytes()
        x_test, y_test = data.read_test(self.case, self.folder)
        return Timing(
            self.name,
            self.rival.version,
            peak,
            peak - resident,
            float(np.mean(self.rival.predict(x_test) == y_test)),
            max(WARM_UP_FIT, SHORT_FIT + math.ceil(goal / at_most)),
        )


def serve(pipe, name: str, case: Case, folder: Path, threads: int) -> None:
    """Answers requests until the near end closes. Ctrl-C is the near end's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = Server(name, case, folder, threads)
    with suppress(EOFError):
        while True:
            method, *arguments = pipe.recv()
            pipe.send(getattr(server, method)(*arguments))


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextmanager
def started(case: Case, rivals: list[str], folder: Path, threads: int) -> Iterator[tuple]:
    """The workers of the rivals there are, and of the absent ones the reason."""
    with ExitStack() as stack:
        workers, absent = [], {}
        for rival in rivals:
            worker = Worker(rival, case, folder, threads)
            stack.callback(worker.close)
            reason = worker.ask("load")
            if reason is None:
                workers.append(worker)
            else:
                absent[rival] = reason
        yield workers, absent


def measure(
    case: Case,
    description: str,
    folder: Path,
    *,
    rivals: list[str],
    rounds: int,
    threads: int,
    goal: float,
    step: Callable[[str], None],
) -> Result:
    """Times the rivals on the data in `folder`; `step` is told of each thing done."""
    with started(case, [ROOF, *rivals], folder, threads) as (workers, absent):
        timings = []
        for worker in workers:
            timings.append(worker.ask("warm_up", goal))
            step(f"{case.dtype} {worker.rival}: ready")
        disturbance = Disturbance(workers)
        for r in range(rounds):
            for worker, timing in zip(workers, timings, strict=True):
                worker.time_round(timing)
                seconds = timing.epoch_seconds[-1]
                step(f"{case.dtype} round {r + 1}/{rounds} {worker.rival}: {seconds:.4f} s")
        others = disturbance.cpus()
    x_bytes = case.rows * case.layer_sizes[0] * np.dtype(case.dtype).itemsize
    return Result(case, description, x_bytes, others, timings[0], timings[1:], absent)


def measure_all(cases: list[Case], dtypes: list[str], **options) -> Iterator[Result]:
    """Every case in every dtype. `options` are those of `measure`.

    A new process starts with the peak memory of the one that starts it, so this one
    stays small: another makes the data.
    """
    for case in cases:
        with TemporaryDirectory() as folder:
            with ProcessPoolExecutor(1, mp_context=SPAWN) as maker:
                description = maker.submit(data.write, case, dtypes, Path(folder)).result()
            for dtype in dtypes:
                yield measure(replace(case, dtype=dtype), description, Path(folder), **options)

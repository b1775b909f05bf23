"""``python -m benchmarks.kernels``: the public kernels one by one, compared with NumPy.

The table gives each kernel's rate and its share of a peak that is measured in the same rounds.
For products, the peak is the rate of large products by NumPy's BLAS. For kernels that pass over
memory, it is the rate of copying as many bytes.
"""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from time import sleep

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.kernel_pairs import BUILDERS, Spec
from benchmarks.processes import REST, Disturbance, Worker
from benchmarks.progress import progress
from benchmarks.rivals import OURS
from benchmarks.roof import MatrixProduct
from benchmarks.tables import aligned
from benchmarks.timing import Calls

GOAL = 0.05  # seconds of calls for one figure
ROUNDS = 5
DTYPES = ("float32", "float64")
SQUARE = Spec("product", 2048, (2048, 2048))
SPECS = [
    *(Spec("product", rows, (784, 128)) for rows in (1, 8, 32, 64, 128, 256)),
    Spec("product", 128, (128, 10)),
    Spec("product", 256, (512, 1024)),
    SQUARE,
    *(Spec("weights_gradient", rows, (784, 128)) for rows in (32, 128, 256)),
    Spec("weights_gradient", 128, (128, 10)),
    Spec("weights_gradient", 256, (512, 1024)),
    Spec("forward", 1, (784, 128, 10)),
    Spec("forward", 128, (784, 128, 10)),
    Spec("backward", 128, (784, 128, 10)),
    Spec("softmax", 128, (10,)),
    Spec("softmax", 14_000, (10,)),
    Spec("softmax_cross_entropy", 128, (10,)),
    Spec("sgd_step", 1, (784, 128, 10)),
    Spec("sgd_step", 1, (512, 1024, 512, 10)),
]


@dataclass
class Figure:
    """Seconds, round by round, of a kernel, of NumPy, and of the same work at the measured peak."""

    spec: Spec
    dtype: str
    threads: int
    flop: int
    nbytes: int
    cpus_of_others: float = 0.0  # kept busy by other processes during the rounds
    ours: list[float] = field(default_factory=list)
    numpys: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)

    @property
    def rate(self) -> str:
        work, unit = (self.flop, "GFLOP/s") if self.flop else (self.nbytes, "GB/s")
        return f"{work / median(self.ours) / 1e9:.1f} {unit}"

    @property
    def share_of_peak(self) -> float:
        return median(self.peak) / median(self.ours)

    @property
    def name(self) -> str:
        return f"{self.spec} {self.dtype}"

    @property
    def medians(self) -> dict[str, float]:
        """The seconds of each rival."""
        return {OURS: median(self.ours), "numpy": median(self.numpys)}


class KernelServer:
    """Runs in the worker: all kernels of one dtype share it.

    Between two of them it rests, so that the threads that one leaves parked are asleep.
    """

    def __init__(self, name: str, specs: Iterable[Spec], dtype: str, threads: int) -> None:
        self.product = MatrixProduct(dtype)
        threadpool_limits(threads)
        self.figures, self.clocks = [], []
        for spec in specs:
            pair = BUILDERS[spec.kernel](spec, dtype, threads)
            self.figures.append(Figure(spec, dtype, threads, pair.flop, pair.nbytes))
            calls = [pair.ours, pair.numpys]
            if not pair.flop:
                source, target = np.ones(pair.nbytes // 2, "u1"), np.empty(pair.nbytes // 2, "u1")
                calls.append(partial(np.copyto, target, source))
            self.clocks.append([Calls(call, GOAL) for call in calls])

    def time(self) -> None:
        """Measures one round."""
        flops = self.product.flops()
        for figure, clocks in zip(self.figures, self.clocks, strict=True):
            seconds = []
            for clock in clocks:
                sleep(REST)
                seconds.append(clock.read()[0])
            figure.ours.append(seconds[0])
            figure.numpys.append(seconds[1])
            figure.peak.append(figure.flop / flops if figure.flop else seconds[2])

    def result(self) -> list[Figure]:
        return self.figures


def measure(
    specs: list[Spec],
    dtypes: Iterable[str],
    threads: int,
    rounds: int,
    step: Callable[[str], None],
) -> list[Figure]:
    figures = []
    for dtype in dtypes:
        worker = Worker(KernelServer, "kernels", specs, dtype, threads)
        worker.receive()
        disturbance = Disturbance([worker])
        for r in range(rounds):
            worker.ask("time")
            step(f"{dtype} kernels, round {r + 1}/{rounds}")
        others = disturbance.cpus()
        figures += (replace(f, cpus_of_others=others) for f in worker.ask("result"))
        worker.close()
    return figures


def rows_of(figures: list[Figure]) -> list[tuple[str, ...]]:
    """A header, then a row for each figure."""
    header = ("kernel", "dtype", "threads", "µs", "rate", "of peak", "NumPy µs", "ratio to NumPy")
    return [
        header,
        *(
            (
                str(figure.spec),
                figure.dtype,
                str(figure.threads),
                f"{median(figure.ours) * 1e6:.4g}",
                figure.rate,
                f"{figure.share_of_peak:.0%}",
                f"{median(figure.numpys) * 1e6:.4g}",
                f"{median(figure.numpys) / median(figure.ours):.2f}",
            )
            for figure in figures
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--kernels", nargs="+", choices=list(BUILDERS), default=list(BUILDERS))
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    specs = [spec for spec in SPECS if spec.kernel in arguments.kernels]
    figures = []
    with progress(len(arguments.threads) * len(arguments.dtypes) * arguments.rounds) as step:
        for threads in arguments.threads:
            figures += measure(specs, arguments.dtypes, threads, arguments.rounds, step)
    print(aligned(rows_of(figures)))


if __name__ == "__main__":
    main()

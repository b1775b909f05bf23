"""``python -m benchmarks.docs``: measures everything and writes docs/inside/benchmarks.md."""

import argparse
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from statistics import median

from benchmarks import kernels, report
from benchmarks.cases import CASES, Case
from benchmarks.processes import apart
from benchmarks.progress import progress
from benchmarks.rivals import KERNELS, LIBRARIES, OURS, RIVALS, TRAIN_STEP
from benchmarks.runner import Result, measure_all
from benchmarks.sweeps import GROWTH, SWEEPS, Sweep
from benchmarks.tables import markdown
from benchmarks.targets import TARGETS, rivals_of

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "inside" / "benchmarks.md"
PICTURES = ROOT / "docs" / "inside" / "benchmarks"
RAW = ROOT / "benchmarks" / "results" / "docs.pickle"
PARTS = ["cases", "kernels", *(sweep.name for sweep in SWEEPS)]
THREADS = 2


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int
    goal: float  # seconds for each case
    sweep_rounds: int
    sweep_goal: float
    rows: int  # at most


FULL = Effort(rounds=3, goal=1.0, sweep_rounds=5, sweep_goal=0.25, rows=10**9)
QUICK = Effort(rounds=1, goal=0.05, sweep_rounds=1, sweep_goal=0.02, rows=4000)


@dataclass
class Measurements:
    day: date
    rounds: int
    results: list[Result]
    sweeps: dict[str, list[Result]]
    figures: list[kernels.Figure]

    @property
    def of_libraries(self) -> list[Result]:
        return [result for result in self.results if KERNELS not in result.case.rivals]

    @property
    def of_loops(self) -> list[Result]:
        return [result for result in self.results if KERNELS in result.case.rivals]


def rivals_in_docs(case: Case) -> list[str]:
    return [name for name in RIVALS if name in {*case.rivals, *rivals_of(case)}]


def limited(case: Case, effort: Effort) -> Case:
    return case.with_rows(min(case.recipe.rows, effort.rows))


def measure_cases(effort: Effort) -> list[Result]:
    cases = [replace(limited(case, effort), threads=THREADS) for case in CASES]
    total = sum(len(rivals_in_docs(case)) for case in cases)
    with progress(total * (1 + effort.rounds)) as step:
        options = {"goal": effort.goal, "rounds": effort.rounds, "step": step}
        return list(measure_all(cases, rivals_in_docs, **options))


def measure_kernels(effort: Effort) -> list[kernels.Figure]:
    with progress(2 * len(kernels.DTYPES) * effort.rounds) as step:
        return [
            figure
            for threads in (1, THREADS)
            for figure in kernels.measure(
                kernels.SPECS, kernels.DTYPES, threads, effort.rounds, step
            )
        ]


def measure_sweep(sweep: Sweep, effort: Effort) -> list[Result]:
    cases = [limited(case, effort) for case in sweep.cases.values()]
    with progress(len(LIBRARIES) * len(cases) * (1 + effort.sweep_rounds)) as step:
        options = {"goal": effort.sweep_goal, "rounds": effort.sweep_rounds, "step": step}
        return list(measure_all(cases, lambda case: LIBRARIES, **options))


def measure(parts: list[str], effort: Effort, measured: Measurements) -> None:
    """Measures these parts again."""
    if "cases" in parts:
        measured.day, measured.rounds = date.today(), effort.rounds
        measured.results = measure_cases(effort)
    if "kernels" in parts:
        measured.figures = measure_kernels(effort)
    for sweep in SWEEPS:
        if sweep.name in parts:
            measured.sweeps[sweep.name] = measure_sweep(sweep, effort)


def write(measured: Measurements) -> None:
    """Writes the page and its pictures."""
    from benchmarks import plots

    PICTURES.mkdir(exist_ok=True)
    plots.draw_overview(measured.of_libraries, PICTURES / "overview.png")
    for sweep in SWEEPS:
        plots.draw_sweep(sweep, measured.sweeps[sweep.name], PICTURES / f"{sweep.name}.png")
    PAGE.write_text(page(measured))


def page(measured: Measurements) -> str:
    host = report.machine()
    cases = measured.of_libraries
    busiest = max(result.cpus_of_others for result in measured.results)
    return f"""\
# Benchmarks

`make bench-docs` measures everything, draws the pictures and writes this page.

{host["processor"]}, {host["cpus"]} CPUs, {host["platform"]}, Python {host["python"]},
{measured.day}. Other processes kept at most {busiest:.2f} CPUs busy meanwhile.

{markdown([("library", "version"), *versions(measured.results)])}

Every library runs in a process of its own, and the processes take turns. Figures are medians over
{measured.rounds} rounds. Libraries that were absent when the page was written have no column.

The time of training is that of one epoch: a longer fit and a fit of a single epoch are timed, and
the difference is divided by the further epochs. It is negative if the machine was too busy to tell.
The rest of a fit (validation, labels) is its *fixed* time. The time of a prediction is that of a
call.

| library | how it is used |
| --- | --- |
| NumPy | written by hand, in place |
| PyTorch | `nn.Sequential` and its fused optimisers, on batches by `index_select` |
| JAX | an epoch is compiled as one scan |
| Keras | runs on JAX |

Networks have ReLU layers, softmax output and the named solver. `mnist-adam` is `MLPClassifier()`
with its default parameters. `text` is in CSR form, which only two of the libraries accept.

## Time

![How many times as long as mlp_c](benchmarks/overview.png)

{markdown(matrix(cases, time_cell))}

## Speed, as a share of the dense limit

The *dense limit* of a case is the time of its matrix products at the rate of NumPy's largest and
fastest products, measured in the same rounds. 100 % is as fast as dense training could be at that
rate. Skipping zeros can be faster.

{markdown(matrix(cases, share_cell))}

## Memory

Peak memory of the process in MiB, including interpreter and libraries. In brackets: what the first
fit added.

{markdown(matrix(cases, memory_cell))}

## Fixed time of a fit

In seconds. Work that is done once in a process, such as compilation by JAX, is not included.

{markdown(matrix([r for r in cases if not r.case.predicted_rows], fixed_cell))}

{loops(measured.of_loops)}
## Targets

Measured with two threads; the square products with one. *Fastest* is the fastest of the other
libraries.

{markdown(target_rows([*measured.results, *(f for f in measured.figures if f.threads == 1)]))}

## One thing varied at a time

Times are the lower quartiles of the rounds, because a slow spell of the machine would bend a curve.

{"".join(picture_of(sweep.name) for sweep in SWEEPS)}
The cost of an epoch grows as a power of what is varied. The table gives the exponent between the
last two values:

{markdown(growth_rows(measured.sweeps))}

## Kernels

The table compares the public functions of `mlp_c.kernels` with the NumPy code that does the same.
*of peak* is the share of the rate of NumPy's fastest large product or, where there is no product,
of the rate of copying as many bytes. `product` is `forward` with one layer, and `weights_gradient`
is `backward` with one layer.

{markdown(kernels.rows_of(measured.figures))}

## To measure again

- `make bench-docs` writes this page, in about three quarters of an hour, or parts of it. For all
  its columns, run `.venv/bin/pip install '.[bench-rivals]'` first.
- `make bench` prints a table for each case. `make bench BENCH=--targets` prints a line for each.
- `make bench-kernels` measures the kernels alone.
- `make bench-long` says whether the last of 240 epochs take longer than the first.
- `make bench-guard` says whether any case takes more instructions than before.

Each has `--help`: `make bench BENCH=--help`.
"""


def loops(results: list[Result]) -> str:
    """The section on loops of one's own."""
    return f"""\
## A loop of one's own

The notebook's loop in time an epoch: `kernels` calls the five of `mlp_c.kernels` on `X[rows]`,
`train_step` is one call a batch, and `numpy` is written by hand, in place. `mlp_c` is an epoch of
the estimator. Two threads.

{markdown(matrix(results, time_cell, (OURS, TRAIN_STEP, KERNELS, "numpy")))}
"""


def versions(results: list[Result]) -> list[tuple[str, str]]:
    found = {name: timing.version for result in results for name, timing in result.timings.items()}
    return [(name, found[name]) for name in LIBRARIES if name in found]


def matrix(
    results: list[Result], cell: Callable[[Result, str], str], columns: tuple[str, ...] = LIBRARIES
) -> list[tuple[str, ...]]:
    """A header, then a row for each case with a cell for each library that has a column."""
    names = [name for name in columns if any(name in result.timings for result in results)]
    return [
        ("case", "network", *names),
        *(
            (
                result.name,
                "-".join(map(str, result.case.layer_sizes)),
                *(cell(result, name) if name in result.timings else "" for name in names),
            )
            for result in results
        ),
    ]


def time_cell(result: Result, name: str) -> str:
    seconds, ours = result.medians[name], result.medians[OURS]
    text = in_units(seconds)
    return f"**{text}**" if name == OURS else f"{text} ({seconds / ours:.1f})"


def in_units(seconds: float) -> str:
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def share_cell(result: Result, name: str) -> str:
    return f"{result.dense_limit / result.medians[name]:.0%}"


def memory_cell(result: Result, name: str) -> str:
    timing = result.timings[name]
    return f"{timing.peak_bytes / report.MIB:.0f} (+{timing.growth_bytes / report.MIB:.0f})"


def fixed_cell(result: Result, name: str) -> str:
    return f"{median(result.timings[name].fixed_seconds):.3f}"


def target_rows(measured: list) -> list[tuple[str, ...]]:
    return [
        ("case", "figure", "measured", "target", ""),
        *(
            (one.name, *target.verdict(one))
            for one in measured
            for target in TARGETS.get(one.name, ())
        ),
    ]


def picture_of(name: str) -> str:
    return f"![{name}](benchmarks/{name}.png)\n\n"


def growth_rows(sweeps: dict[str, list[Result]]) -> list[tuple[str, ...]]:
    names = [n for n in LIBRARIES if any(n in r.timings for name in GROWTH for r in sweeps[name])]
    axes = {sweep.name: list(sweep.cases) for sweep in SWEEPS}
    rows = [("with", *names)]
    for name in GROWTH:
        (*_, before, last), (*_, start, end) = sweeps[name], axes[name]
        rows.append(
            (
                f"{name}, {start:,} to {end:,}",
                *(exponent(before, last, library, end / start) for library in names),
            )
        )
    return rows


def exponent(before: Result, last: Result, name: str, growth: float) -> str:
    if name not in before.timings or name not in last.timings:
        return ""
    ratio = last.quartiles[name] / before.quartiles[name]
    return f"{math.log(ratio) / math.log(growth):.2f}" if ratio > 0 else "noise"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.docs", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a trial run: no valid figures")
    parser.add_argument(
        "--parts",
        nargs="*",
        choices=PARTS,
        metavar="PART",
        help=f"measure only these again ({', '.join(PARTS)}); keep the other figures as they are",
    )
    arguments = parser.parse_args()
    if arguments.parts is None:
        measured, parts = Measurements(date.today(), 0, [], {}, []), PARTS
    else:
        measured, parts = pickle.loads(RAW.read_bytes()), arguments.parts
    measure(parts, QUICK if arguments.quick else FULL, measured)
    RAW.parent.mkdir(exist_ok=True)
    RAW.write_bytes(pickle.dumps(measured))
    apart(write, measured)


if __name__ == "__main__":
    main()

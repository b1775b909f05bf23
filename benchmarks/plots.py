"""The pictures of docs/inside/benchmarks.md."""

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, PercentFormatter

from benchmarks.rivals import LIBRARIES, OURS
from benchmarks.runner import Result
from benchmarks.sweeps import Sweep

COLOURS = {name: f"C{i}" for i, name in enumerate(LIBRARIES)}
MARKERS = dict(zip(LIBRARIES, "osD^vP", strict=True))
LIMIT = {"color": "0.4", "ls": "--", "label": "dense limit"}
DPI = 110


def draw_overview(results: list[Result], path: Path) -> None:
    """A line for each case, a dot for each rival: its time as a multiple of mlp_c's."""
    figure, axes = plt.subplots(figsize=(9, 1 + 0.42 * len(results)), layout="constrained")
    for name in LIBRARIES:
        dots = [
            (result.medians[name] / result.medians[OURS], i)
            for i, result in enumerate(results)
            if name in result.medians
        ]
        if dots:
            axes.plot(*zip(*dots, strict=True), MARKERS[name], color=COLOURS[name], label=name)
    axes.axvline(1, color=COLOURS[OURS], lw=1)
    axes.set_yticks(range(len(results)), [result.name for result in results])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="time, as a multiple of that of mlp_c")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper")
    save(figure, path)


def draw_sweep(sweep: Sweep, results: list[Result], path: Path) -> None:
    """Time, memory and the share of the dense limit, with a line for each rival."""
    figure, (time, memory, share) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    lines(time, sweep, results, lambda result, name: result.quartiles[name])
    time.plot(places(sweep), [result.dense_limit for result in results], **LIMIT)
    time.set(yscale="log", title="seconds per epoch")
    lines(memory, sweep, results, lambda r, name: r.timings[name].peak_bytes / 2**20)
    memory.set(title="peak memory of the process, MiB")
    memory.set_ylim(bottom=0)
    lines(share, sweep, results, lambda result, name: result.dense_limit / result.quartiles[name])
    share.axhline(1, **LIMIT)
    share.yaxis.set_major_formatter(PercentFormatter(1))
    share.set(title="speed, in that of large products")
    share.set_ylim(bottom=0)
    handles, labels = time.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    figure.suptitle(f"{sweep.name}: {sweep.note}")
    save(figure, path)


def lines(
    axes: Axes, sweep: Sweep, results: list[Result], value: Callable[[Result, str], float]
) -> None:
    for name in LIBRARIES:
        points = [
            (place, value(result, name))
            for place, result in zip(places(sweep), results, strict=True)
            if name in result.timings and result.quartiles[name] > 0  # else it is only noise
        ]
        if points:
            style = {"lw": 2.5 if name == OURS else 1.2, "color": COLOURS[name], "label": name}
            axes.plot(*zip(*points, strict=True), marker=MARKERS[name], ms=5, **style)
    if sweep.is_numeric:
        axes.set_xscale("log")
    axes.set_xticks(
        places(sweep), [f"{value:,}" if sweep.is_numeric else value for value in sweep.cases]
    )
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.set_xlabel(sweep.axis)
    axes.grid(alpha=0.3)


def places(sweep: Sweep) -> list[float]:
    """The positions of the values on the axis."""
    return list(sweep.cases) if sweep.is_numeric else list(range(len(sweep.cases)))


def save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    plt.close(figure)

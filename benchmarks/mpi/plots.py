"""The picture of docs/inside/scaling.md."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from benchmarks.mpi.cases import BATCHES, Timing
from benchmarks.mpi.model import Machines, Model
from benchmarks.plots import save

COUNTS = np.arange(1, 65)
FACTORS = (1, 4, 16, 64)  # of the smallest batch
STYLES = ("-", ":")


def draw(timings: list[Timing], fitted: Model, machines: dict[int, Machines], path: Path) -> None:
    """The times of a batch with the model's, then what more machines gain by it."""
    nets = list(dict.fromkeys(timing.net for timing in timings))
    figure, axes = plt.subplots(
        2, len(nets), figsize=(12, 8.5), layout="constrained", squeeze=False
    )
    for net, times, gains in zip(nets, *axes, strict=True):
        draw_times(times, [one for one in fitted.errors if one.net == net], fitted)
        times.set_title(f"{net}: seconds of a batch, measured (dots) and fitted")
        draw_gains(gains, net, machines)
        gains.set_title(f"{net}: times as fast as one machine, predicted")
    save(figure, path)


def draw_times(axes: Axes, timings: Iterable[Timing], fitted: Model) -> None:
    """A dot for each time, and a line of the model through those of a place."""
    shown = [one for one in timings if one.exchange != "chain"]
    for colour, place in enumerate(dict.fromkeys(one.place for one in shown)):
        of_place = [one for one in shown if one.place == place]
        batches = np.geomspace(BATCHES[0], BATCHES[-1], 30)
        curve = [fitted.predict(replace(of_place[0], batch=batch)) for batch in batches]
        axes.plot(batches, curve, color=f"C{colour}", lw=1.2, label=place.name)
        dots = [(one.batch, one.of_batch) for one in of_place]
        axes.plot(*zip(*dots, strict=True), "o", color=f"C{colour}", ms=5)
    axes.set(xscale="log", yscale="log", xlabel="rows of a batch; several ranks: tree")
    axes.set_xticks(BATCHES, [f"{batch:,}" for batch in BATCHES])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def draw_gains(axes: Axes, net: str, machines: dict[int, Machines]) -> None:
    """A line for each batch, on the slowest network and on the fastest."""
    networks = min(machines), max(machines)
    for colour, factor in enumerate(FACTORS):
        batch = BATCHES[0] * factor
        for gigabits, style in zip(networks, STYLES, strict=True):
            of = machines[gigabits]
            alone = of.seconds(net, batch, 1, "tree")
            gains = [alone / of.seconds(net, batch, int(n), "tree") for n in COUNTS]
            label = f"batch {batch:,}, {gigabits} Gb/s"
            axes.plot(COUNTS, gains, style, color=f"C{colour}", label=label)
    axes.axhline(1, color="0.4", lw=1)
    axes.set(xscale="log", yscale="log", xlabel="machines; tree")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xticks([1, 2, 4, 8, 16, 32, 64])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)

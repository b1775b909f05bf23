"""The pictures of docs/guide/tabular.md: on white, so that they can be read on a dark page, too."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.tabular.rivals import OURS, RIVALS
from benchmarks.tabular.summary import cliques

COLOURS = dict(zip(RIVALS, [*(f"C{i}" for i in range(10)), "black"], strict=True))
MARKERS = dict(zip(RIVALS, "*os^vDPXp<>", strict=True))
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "tabular",
    "font.size": 10,
}  # the same picture, the same file


def draw_ranks(ranks: dict[str, float], difference: float, n_sets: int, path: Path) -> None:
    """A critical-difference plot: bars join models whose ranks do not differ significantly."""
    names = sorted(ranks, key=ranks.__getitem__)
    places = np.array([ranks[name] for name in names])
    bars = cliques(places, difference)
    n_left = (len(names) + 1) // 2
    lowest = -0.75 - 0.22 * len(bars)
    with plt.rc_context(SETTINGS):
        figure, axes = plt.subplots(
            figsize=(9, 1.4 + 0.22 * len(bars) + 0.3 * n_left), layout="constrained"
        )
        axes.plot([1, len(names)], [0, 0], color="black", lw=1)
        for rank in range(1, len(names) + 1):
            axes.plot([rank, rank], [0, 0.15], color="black", lw=1)
            axes.text(rank, 0.25, f"{rank}", ha="center", va="bottom")
        axes.plot([1, 1 + difference], [1.15, 1.15], color="black", lw=2, marker="|")
        axes.text(1 + difference / 2, 1.25, f"critical difference {difference:.2f}", ha="center")
        for i, (name, rank) in enumerate(zip(names, places, strict=True)):
            is_left = i < n_left
            height = lowest - 0.55 * (i if is_left else len(names) - 1 - i)
            side = 0.7 if is_left else len(names) + 0.3
            style: dict[str, Any] = {"color": COLOURS[name], "lw": 2 if name == OURS else 1.2}
            axes.plot([rank, rank, side], [0, height, height], **style)
            weight = "bold" if name == OURS else "normal"
            axes.text(
                side + (-0.08 if is_left else 0.08),
                height,
                f"{name}  {rank:.2f}" if is_left else f"{rank:.2f}  {name}",
                ha="right" if is_left else "left",
                va="center",
                weight=weight,
            )
        for i, (first, last) in enumerate(bars):
            height = -0.4 - 0.22 * i
            ends = [places[first] - 0.04, places[last] + 0.04]
            axes.plot(ends, [height, height], color="black", lw=4, solid_capstyle="round")
        width = 0.27 * len(names)
        axes.set_xlim(0.7 - width, len(names) + 0.3 + width)
        axes.set_title(f"mean rank of the error over {n_sets} tables, 1 is the best")
        axes.set_axis_off()
        save(figure, path)


def draw_error_and_time(
    points: dict[str, tuple[float, float, bool]], reference: str, path: Path
) -> None:
    """A dot for each model: CPU seconds and error; hollow where it does not have all tables."""
    with plt.rc_context(SETTINGS):
        figure, axes = plt.subplots(figsize=(9, 4.2), layout="constrained")
        for name, (seconds, error, is_whole) in sorted(points.items(), key=lambda p: p[1][1]):
            axes.plot(
                *(seconds, error, MARKERS[name]),
                ms=13 if name == OURS else 9,
                color=COLOURS[name],
                mfc=COLOURS[name] if is_whole else "white",
                ls="",
                label=name,
            )
        axes.set(xscale="log", xlabel="CPU seconds of a fit, geometric mean over the tables")
        axes.set(yscale="log", ylabel="error, shifted geometric mean")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.margins(0.08)
        axes.grid(alpha=0.3)
        if not all(is_whole for *_, is_whole in points.values()):
            axes.set_title(f"hollow: not all tables; by the ratio to {reference} on those it has")
        figure.legend(loc="outside right upper")
        save(figure, path)


def save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)

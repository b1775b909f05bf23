"""Sweeps, which vary one thing and keep everything else as it is.

To add a sweep, add an entry to SWEEPS.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from benchmarks.cases import Case
from benchmarks.data import Recipe, gaussian, scattered

ROWS = 10_000
BASE = Case("", Recipe(gaussian, ROWS, n_in=256, n_classes=10), hidden=(128,))


@dataclass(frozen=True)
class Sweep:
    """Cases that differ in `axis`, by its values. `note` describes what they share."""

    name: str
    axis: str
    note: str
    cases: dict[int | float | str, Case]

    @property
    def is_numeric(self) -> bool:
        return not any(isinstance(value, str) for value in self.cases)


def sweep(
    name: str, axis: str, note: str, vary: Callable[..., Case], values: Iterable[int | float | str]
) -> Sweep:
    cases = {value: replace(vary(value), name=f"{name} {value}") for value in values}
    return Sweep(name, axis, note, cases)


def with_recipe(**changes: object) -> Case:
    return replace(BASE, recipe=replace(BASE.recipe, **changes))


def thread_counts() -> list[int]:
    """Powers of two up to the number of CPUs."""
    return [2**i for i in range((os.cpu_count() or 1).bit_length())]


SWEEPS = [
    sweep(
        "width",
        "hidden units",
        "256-width-10, batch 128, float32",
        lambda width: replace(BASE, hidden=(width,)),
        (16, 64, 256, 1024),
    ),
    sweep(
        "depth",
        "hidden layers",
        "256-128-…-128-10, batch 128, float32",
        lambda depth: replace(BASE, hidden=(128,) * depth),
        (1, 2, 4, 8),
    ),
    sweep(
        "batch",
        "rows in a batch",
        "256-128-10, float32",
        lambda batch: replace(BASE, batch_size=batch),
        (16, 64, 256, 1024),
    ),
    sweep(
        "dtype",
        "dtype",
        "256-128-10, batch 128",
        lambda dtype: replace(BASE, dtype=dtype),
        ("float32", "float64"),
    ),
    sweep(
        "density",
        "share of non-zero features",
        "256-128-10, batch 128, float32",
        lambda density: with_recipe(make=scattered, density=density),
        (0.02, 0.1, 0.2, 0.5, 1.0),
    ),
    sweep(
        "threads",
        "threads",
        "256-128-10, batch 128, float32",
        lambda threads: replace(BASE, threads=threads),
        thread_counts(),
    ),
    sweep(
        "rows",
        "rows",
        "256-128-10, batch 128, float32",
        BASE.with_rows,
        (2_500, 10_000, 40_000),
    ),
    sweep(
        "features",
        "features",
        "features-128-10, batch 128, float32",
        lambda n_in: with_recipe(n_in=n_in),
        (16, 64, 256, 1024, 4096),
    ),
]
GROWTH = ("rows", "features", "width")  # the sweeps whose cost should grow at most linearly

"""What is measured: the networks, the batches, and the processes that share them."""

import math
import os
from dataclasses import dataclass, replace

from benchmarks.cases import CASES, Case
from benchmarks.data import strokes
from benchmarks.mpi.links import LINKS, Link

BATCHES = (256, 1_024, 4_096)
EXCHANGES = ("none", "chain", "tree")
EPOCHS = 4  # of the longer of two fits
MEMORY = "shared memory"  # what joins the processes of a machine

BY_NAME = {case.name: case for case in CASES}


def shared(name: str, rows: int) -> Case:
    """A case of the other benchmarks with as many rows, made up, in whole batches."""
    case = BY_NAME[name]
    make = strokes if name == "mnist" else case.recipe.make
    return replace(case, recipe=replace(case.recipe, make=make, rows=rows))


NETS = {case.name: case for case in (shared("mnist", 16_384), shared("wide", 4_096))}


@dataclass(frozen=True)
class Place:
    """Where a batch is trained on.

    Attributes
    ----------
    ranks : int
        How many processes share it; 0: one, which does without MPI.
    threads : int
        Threads of each.
    medium : str
        What joins them: MEMORY, or the name of a link; "" for one that is alone.
    """

    ranks: int
    threads: int = 1
    medium: str = ""

    @property
    def exchanges(self) -> tuple[str, ...]:
        """How gradients are exchanged there."""
        return EXCHANGES[1:] if self.ranks else EXCHANGES[:1]

    @property
    def name(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        if not self.ranks:
            return f"one process, {threads}"
        return f"{self.ranks} rank{'s' * (self.ranks > 1)}, {self.medium}"


def n_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def places(links: tuple[Link, ...] = LINKS) -> list[Place]:
    """All that this machine has CPUs for."""
    counts = [n for n in (1, 2, 4) if n <= n_cpus()]
    return [
        *(Place(0, n) for n in counts),
        *(Place(n, medium=MEMORY) for n in counts),
        *(Place(2, medium=link.name) for link in links if 2 in counts),
    ]


@dataclass(frozen=True)
class Timing:
    """Seconds of fits, round by round.

    Attributes
    ----------
    net, batch, exchange, place
        What was trained, and where.
    short, long : tuple of float
        Seconds of fits of one epoch, and of EPOCHS.
    """

    net: str
    batch: int
    exchange: str
    place: Place
    short: tuple[float, ...]
    long: tuple[float, ...]

    @property
    def of_epoch(self) -> float:
        """Seconds of an epoch, by the fastest fits; NaN where all was noise."""
        found = (min(self.long) - min(self.short)) / (EPOCHS - 1)
        return found if found > 0 else math.nan

    @property
    def of_batch(self) -> float:
        """Seconds of a batch."""
        return self.of_epoch * self.batch / NETS[self.net].recipe.rows

    @property
    def case(self) -> tuple[str, int, str, Place]:
        """What was trained, and where."""
        return self.net, self.batch, self.exchange, self.place

    def __add__(self, other: "Timing") -> "Timing":
        """Those of both."""
        return replace(self, short=self.short + other.short, long=self.long + other.long)

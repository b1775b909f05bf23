"""Starts the processes that share a batch, place after place, and gathers their times."""

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from benchmarks import data
from benchmarks.mpi.cases import MEMORY, NETS, Place, Timing
from benchmarks.mpi.links import ENVIRONMENT, LINKS, LinkError, joined
from benchmarks.processes import Disturbance, apart

ROOT = Path(__file__).parents[2]
LIMIT = 600  # seconds, after which what a place has begun is given up


@dataclass(frozen=True)
class Effort:
    """What is trained, and how often each place has its turn.

    A turn in which other processes kept more CPUs busy than `most_busy` does not count.
    """

    rounds: int
    nets: tuple[str, ...]
    batches: tuple[int, ...]
    most_busy: float = math.inf


@dataclass
class Measured:
    """What has been measured, and how.

    Attributes
    ----------
    days : list of str
        When.
    cpus_of_others : list of float
        CPUs that other processes kept busy in each turn of a place.
    n_left_out : int
        Turns that do not count, because it was more than is allowed.
    timings : list of Timing
        The times.
    absent : dict of str to str
        Places that could not be measured, by name, and why.
    """

    days: list[str] = field(default_factory=list)
    cpus_of_others: list[float] = field(default_factory=list)
    n_left_out: int = 0
    timings: list[Timing] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def add(self, timing: Timing) -> None:
        """Add a time to those of the same case."""
        cases = [one.case for one in self.timings]
        if timing.case in cases:
            self.timings[cases.index(timing.case)] += timing
        else:
            self.timings.append(timing)


class PlaceError(Exception):
    """Why nothing can be measured at a place."""


def measure(
    places: Sequence[Place], effort: Effort, step: Callable[[str], None], measured: Measured
) -> None:
    """Adds rounds, in which places take turns; one that cannot be measured is left out."""
    measured.days = sorted({*measured.days, date.today().isoformat()})
    measured.absent.clear()
    with tempfile.TemporaryDirectory(prefix="mlp_c-mpi-") as name:
        folder = Path(name)
        for net in effort.nets:
            (folder / net).mkdir()
            apart(data.write, NETS[net].recipe, (NETS[net].dtype,), folder / net)
        for number in range(effort.rounds):
            for place in places:
                if place.name not in measured.absent:
                    take_turn(place, folder, effort, measured)
                step(f"{place.name}, round {number + 1} of {effort.rounds}")


def take_turn(place: Place, folder: Path, effort: Effort, measured: Measured) -> None:
    """Adds the times of a place, or why there are none."""
    disturbance = Disturbance([])
    try:
        found = times(place, folder, effort)
    except (LinkError, PlaceError) as error:
        measured.absent[place.name] = str(error)
        return
    busy = disturbance.cpus()
    if busy > effort.most_busy:
        measured.n_left_out += 1
        return
    measured.cpus_of_others.append(busy)
    for timing in found:
        measured.add(timing)


def times(place: Place, folder: Path, effort: Effort) -> list[Timing]:
    """Those of each network, batch and exchange."""
    program = [sys.executable, "-m", "benchmarks.mpi.process", str(folder)]
    program += ["--nets", *effort.nets, "--batches", *map(str, effort.batches)]
    program += ["--exchanges", *place.exchanges, "--threads", str(place.threads)]
    is_linked = place.medium not in ("", MEMORY)
    with prefixes(place) as before:
        command = [*before[0], *program]
        if place.ranks:
            command = [mpiexec(), *together(before, program)]
        lines = output(command, os.environ | (ENVIRONMENT if is_linked else {})).splitlines()
    return [
        Timing(net, batch, exchange, place, (short,), (long,))
        for net, batch, exchange, short, long in map(json.loads, lines)
    ]


def prefixes(place: Place) -> AbstractContextManager[list[list[str]]]:
    """For each process of a place, what its command begins with."""
    for link in LINKS:
        if place.medium == link.name:
            return joined(link)
    return nullcontext([[]] * max(1, place.ranks))


def together(before: Iterable[list[str]], program: list[str]) -> list[str]:
    """What mpiexec is told: a process after each of these beginnings."""
    parts = [["-n", "1", *start, *program] for start in before]
    return [word for part in parts for word in (":", *part)][1:]


def mpiexec() -> str:
    """The launcher of this environment, or else of the machine."""
    path = Path(sys.executable).parent
    found = shutil.which("mpiexec", path=path) or shutil.which("mpiexec")
    if found is None:
        raise PlaceError("there is no mpiexec: pip install 'mlp_c[mpi-local]' brings one")
    return found


def output(command: Sequence[str], environment: dict[str, str]) -> str:
    """What a command prints.

    Raises
    ------
    PlaceError
        If it fails, with the last line that it says of it.
    """
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise PlaceError(f"{command[0]}: not done after {LIMIT} s") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()[-1]
        raise PlaceError(f"{Path(command[0]).name}: exit code {done.returncode}: {said}")
    return done.stdout

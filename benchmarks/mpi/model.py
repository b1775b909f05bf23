"""What a batch costs: a sum of terms that is fitted to the times, and what it says of others.

A batch takes

- ``fixed``, for the update, which each process makes for itself, and ``row`` for each row, which
  depend on the network and on who computes: a crew;
- ``latency`` for each message that has to wait for another, and ``byte`` for each byte of those,
  which depend on what joins the processes: a medium.

All are found together, by least squares of the relative errors; none is below 0.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import nnls

from benchmarks.cases import Case
from benchmarks.mpi.cases import NETS, Place, Timing
from benchmarks.mpi.links import LINKS

N_PIECES = 8  # of a chain's gradients, as mlp_c has it
MANY = 8  # processes, from which on MPICH broadcasts in parts

Term = tuple[str, ...]


def layers(net: str) -> list[tuple[int, int]]:
    """The shapes of the weights of a network."""
    sizes = NETS[net].layer_sizes
    return list(pairwise(sizes))


def n_bytes(net: str) -> int:
    """Bytes of its gradients."""
    return sum((n_in + 1) * n_out for n_in, n_out in layers(net)) * 4


def last_piece(net: str) -> float:
    """The share that the last piece of a chain has, the largest."""
    (n_in, n_out), *_ = layers(net)
    return 1 - (1 - 1 / N_PIECES) * (n_in * n_out * 4 / n_bytes(net))


def gradient_share(case: Case) -> float:
    """The share of the work on a row that a chain does one process after another."""
    return 2 * sum(a * b for a, b in layers(case.name)) * case.recipe.rows / case.flop


@dataclass(frozen=True)
class Work:
    """What a process has to do for a batch.

    Attributes
    ----------
    rows : float
        The rows that it computes, and those whose gradients it waits for.
    messages : int
        How many messages come one after the other.
    n_bytes : float
        Their bytes.
    """

    rows: float
    messages: int = 0
    n_bytes: float = 0.0


def work(net: str, batch: int, ranks: int, exchange: str) -> Work:
    """What each of so many processes has to do for a batch."""
    if ranks < 2:
        return Work(batch)
    size, rounds = n_bytes(net), (ranks - 1).bit_length()
    if exchange == "tree":  # every process gives the others their parts, and then its own sum
        return Work(batch / ranks, rounds + 2 * (ranks - 1), 2 * (ranks - 1) / ranks * size)
    last = last_piece(net)
    waits = gradient_share(NETS[net]) * last * (ranks - 1)
    broadcast = rounds if ranks < MANY else 2 * (ranks - 1) / ranks
    return Work(
        batch / ranks * (1 + waits),
        2 * rounds + N_PIECES + ranks - 2 + rounds,
        size * (1 + (ranks - 2) * last + broadcast),
    )


def crew(place: Place) -> str:
    """Who computes: processes of one machine are slower at it together than one of them alone."""
    if place.ranks > 1:
        return f"{place.ranks} ranks"
    return "1 thread" if place.threads == 1 else f"{place.threads} threads"


def latency_of(medium: str) -> str:
    """Whose latency a medium has: a limit of the rate adds none."""
    limited = [link.name for link in LINKS if not link.delay]
    return LINKS[0].name if medium in limited else medium


def terms(timing: Timing) -> dict[Term, float]:
    """How often each term is in the time of a batch."""
    place = timing.place
    done = work(timing.net, timing.batch, place.ranks, timing.exchange)
    found: dict[Term, float] = {
        ("fixed", timing.net, crew(place)): 1,
        ("row", timing.net, crew(place)): done.rows,
    }
    if place.ranks > 1:
        found |= {
            ("latency", latency_of(place.medium)): done.messages,
            ("byte", place.medium): done.n_bytes,
        }
    return found


@dataclass(frozen=True)
class Model:
    """The terms, in seconds, and by how much of each time they miss it."""

    seconds: dict[Term, float]
    errors: dict[Timing, float]

    def predict(self, timing: Timing) -> float:
        """Seconds of a batch."""
        return sum(self.seconds[term] * n for term, n in terms(timing).items())


def usable(timings: Iterable[Timing]) -> list[Timing]:
    """Those that are fitted: a process that is alone in MPI exchanges nothing."""
    return [one for one in timings if one.place.ranks != 1 and math.isfinite(one.of_batch)]


def fit(timings: Iterable[Timing]) -> Model:
    """The terms that fit these times best."""
    timings = usable(timings)
    rows = [terms(timing) for timing in timings]
    names = list(dict.fromkeys(name for row in rows for name in row))
    matrix = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    matrix /= np.array([[timing.of_batch] for timing in timings])
    scale = matrix.max(axis=0)
    found, _ = nnls(matrix / scale, np.ones(len(timings)))
    errors = matrix @ (found / scale) - 1
    return Model(
        dict(zip(names, (found / scale).tolist(), strict=True)),
        dict(zip(timings, errors.tolist(), strict=True)),
    )


@dataclass(frozen=True)
class Machines:
    """Machines of one kind on a switch.

    Attributes
    ----------
    fixed, row : float
        Seconds that one takes for a batch, and for each row of it, by network.
    latency, byte : float
        Seconds of a message, and of each byte.
    """

    fixed: dict[str, float]
    row: dict[str, float]
    latency: float
    byte: float

    def seconds(self, net: str, batch: float, n: int, exchange: str) -> float:
        """Of a batch that `n` of them share."""
        per_row, exchanged = self._parts(net, n, exchange)
        return self.fixed[net] + per_row * batch + exchanged

    def break_even(self, net: str, n: int, exchange: str) -> float:
        """The rows of a batch above which `n` are faster than one; infinity if they never are."""
        per_row, exchanged = self._parts(net, n, exchange)
        gained = self.row[net] - per_row
        return exchanged / gained if gained > 0 else math.inf

    def half(self, net: str, n: int, exchange: str) -> float:
        """The rows of a batch above which `n` are at least n / 2 times as fast as one."""
        per_row, exchanged = self._parts(net, n, exchange)
        gained = self.row[net] - n / 2 * per_row
        lost = n / 2 * exchanged + (n / 2 - 1) * self.fixed[net]
        return lost / gained if gained > 0 else math.inf

    def _parts(self, net: str, n: int, exchange: str) -> tuple[float, float]:
        """Seconds for each row of a batch, and for what is exchanged."""
        done = work(net, 1, n, exchange)
        return self.row[net] * done.rows, self.latency * done.messages + self.byte * done.n_bytes

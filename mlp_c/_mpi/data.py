"""Training data of which every process takes a share."""

import hashlib
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from mlp_c import _core
from mlp_c._mpi.batches import Division, cut, share_epoch
from mlp_c._mpi.exchanges import Chain, Exchange, Tree
from mlp_c._mpi.interrupts import LATER
from mlp_c._system.blocks import Array
from mlp_c._training.data import Data, Objective, digest_of

# Rows that all processes have are looked through for zeros, to list the rest, up to so many bytes.
_MOST_LISTED_BYTES = 1 << 30

# Rows of which there is a fingerprint where no process has all.
_N_SAMPLED = 256


@dataclass
class SharedData(Data):
    """Rows of which every process takes a share of each batch; all targets and weights.

    Attributes
    ----------
    ranks : Ranks
        The processes.
    bounds : ndarray of int64, of shape (n_ranks + 1,), or None
        Each process has the rows from its bound to the next, and `X` these alone; with None, `X`
        all rows.
    sampled : str
        A digest of some rows of all processes.
    """

    ranks: Any = None
    bounds: Array | None = None
    sampled: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all rows, or where no process has these of some; of targets and weights."""
        n_shards = self.ranks.n_shards
        if self.bounds is None:
            whole = super().fingerprint
            return whole if n_shards is None else digest_of(whole, n_shards)
        held_out = [] if self.held_out is None else [self.held_out.fingerprint]
        return digest_of(self.sampled, self.y, self.sample_weight, n_shards, *held_out)

    def list_nonzeros(self, n_threads: int | None) -> None:
        """List what is not zero, but of many rows of which each process takes a part alone."""
        if self.bounds is not None or (
            isinstance(self.X, np.ndarray) and self.X.nbytes <= _MOST_LISTED_BYTES
        ):
            super().list_nonzeros(self.ranks.n_threads or n_threads)

    def interrupt(self) -> None:
        """Tell the others that Ctrl-C has ended the training."""
        self.ranks.agreement.interrupt()

    def agreed(self, score: Callable[[], float]) -> float:
        """A score of this data: the first rank's, which others need not compute."""
        value = np.array([score() if self.ranks.rank == 0 else 0.0])
        with self.ranks.agreement.undisturbed():
            self.ranks.agreement.check("a score")
            self.ranks.comm.Bcast(value)
        return float(value[0])

    # ---- what is here ----

    @cached_property
    def division(self) -> Division:
        """How batches are divided."""
        ranks = self.ranks
        n_shards = ranks.n_shards or ranks.size
        first, last = (cut(n_shards, ranks.size, ranks.rank + i) for i in (0, 1))
        if self.bounds is None:
            return Division(n_shards, first, last)
        bounds = self.bounds
        if ranks.n_shards is not None:
            bounds = np.array([cut(len(self.y), n_shards, k) for k in range(n_shards + 1)])
        return Division(n_shards, first, last, bounds)

    def _here(self, fields: dict[str, Any], rows: Array) -> dict[str, Any]:
        """Fields of rows that are here, which are told by their numbers."""
        threads = self.ranks.n_threads
        here = {**fields, "order": rows}
        if threads is not None:
            here["n_threads"] = min(threads, fields["n_threads"])
        if self.bounds is None:
            return here
        begin, end = self.bounds[self.ranks.rank], self.bounds[self.ranks.rank + 1]
        here["order"] = rows - begin
        y, weights = fields["y"], fields["sample_weight"]
        here["y"] = (y[0][begin:end], *y[1:]) if isinstance(y, tuple) else y[begin:end]
        here["sample_weight"] = None if weights is None else weights[begin:end]
        return here

    def _numbers(self, fields: dict[str, Any]) -> Array:
        """The numbers of all rows that the kernels are to take, in order."""
        return np.arange(len(self.y)) if fields["order"] is None else fields["order"]

    # ---- what training asks of the kernels ----

    def train_epoch(self, fields: dict[str, Any]) -> tuple[float, int]:
        """Train for an epoch; the sum of its losses, and how many rows that is of."""
        agreement, checksum = self.ranks.agreement, checksum_of(fields["weights"], fields["biases"])
        with agreement.undisturbed():
            agreement.check_weights("the beginning of an epoch", checksum)
            self.ranks.comm.Bcast(fields["learning_rates"])
        rows, batches = self._share(self._numbers(fields), fields["batch_size"], fields)
        return self._run(_core.train_share, fields, rows, batches)

    def loss_gradient(self, fields: dict[str, Any]) -> float:
        """The objective of all rows; its gradients are written."""
        shared = dict(fields)
        gradients = shared.pop("dweights") + shared.pop("dbiases")
        numbers = self._numbers(fields)
        value = self._run(_core.share_gradient, shared, *self._share(numbers, len(numbers), fields))
        exchange = self._exchange_for(fields["weights"] + fields["biases"])
        for own, gradient in zip(gradients, exchange.gradients, strict=True):
            own[...] = gradient
        return value

    def minimize(
        self, evaluate: Objective, start: Array, callback: Callable[..., None], options: Any
    ) -> Any:
        """Minimise the objective by L-BFGS on the first rank; what that asks for is done on all."""

        def tell(what: Any) -> Any:
            return self.ranks.hear_first("a step of L-BFGS", what)

        def evaluate_on_all(vector: Array) -> tuple[float, Array]:
            tell(("evaluate", vector))
            return evaluate(vector)

        def call_on_all(intermediate_result: Any) -> None:
            tell(("call", _plain(intermediate_result, "x", "fun")))
            callback(intermediate_result)

        if self.ranks.rank == 0:
            result = super().minimize(evaluate_on_all, start, call_on_all, options)
            tell(("end", _plain(result, "x", "fun", "nit", "status", "message")))
            return result
        while True:
            what, value = tell(None)
            if what == "end":
                return value
            if what == "evaluate":
                evaluate(value)
            else:
                with suppress(StopIteration):  # which the first rank raises, too
                    callback(value)

    def _share(
        self, numbers: Array, batch_size: int, fields: dict[str, Any]
    ) -> tuple[Array, dict[str, Array]]:
        """The rows of each batch that are here, and what the kernels take of the batches."""
        least = float(np.finfo(fields["weights"][0].dtype).tiny)
        return share_epoch(self.division, numbers, batch_size, fields["sample_weight"], least)

    def _run(
        self,
        function: Callable[[dict[str, Any], dict[str, Any]], Any],
        fields: dict[str, Any],
        rows: Array,
        batches: dict[str, Array],
    ) -> Any:
        """Run a function of the kernels on the rows of batches that are here."""
        exchange = self._exchange_for(fields["weights"] + fields["biases"])
        exchange.begin(batches, self.division.n_parts)
        n_layers = len(fields["weights"])
        try:
            return function(
                self._here(fields, rows),
                {
                    "exchange": exchange,
                    "dweights": exchange.gradients[:n_layers],
                    "dbiases": exchange.gradients[n_layers:],
                    "n_parts": self.division.n_parts,
                    **batches,
                    **exchange.fields,
                },
            )
        except BaseException:
            self.ranks.agreement.interrupts.when = LATER  # nothing may be called before that
            exchange.abandon()
            raise

    def _exchange_for(self, params: list[Array]) -> Exchange:
        ranks = self.ranks
        if ranks.n_shards is None:
            return ranks.exchange(lambda: Chain(ranks.agreement, params))
        return ranks.exchange(lambda: Tree(ranks.agreement, params, self.division))

    def evaluate(self, fields: dict[str, Any]) -> float:
        """Evaluate rows, each where it is; the sum of their losses."""
        ranks, outputs, rows = self.ranks, fields["outputs"], self._numbers(fields)
        if self.bounds is None:
            ends = [cut(len(rows), ranks.size, r) for r in range(ranks.size + 1)]
            places = [np.arange(a, b) for a, b in pairwise(ends)]
        else:
            owners = np.searchsorted(self.bounds, rows, side="right") - 1
            places = [np.flatnonzero(owners == r) for r in range(ranks.size)]
        own = places[ranks.rank]
        local = {
            "outputs": np.empty((len(own), outputs.shape[1]), outputs.dtype),
            "losses": np.empty(len(own)),
        }
        if len(own) > 0:
            _core.evaluate({**self._here(fields, rows[own]), **local})
        counts = np.array([len(place) for place in places])
        order = np.concatenate(places)
        gathered = ranks.gather("an evaluation", local, counts)
        outputs[order] = gathered["outputs"]
        losses = np.empty(len(rows))
        losses[order] = gathered["losses"]
        return float(np.cumsum(losses)[-1])  # one after the other, as the kernels add them


def checksum_of(weights: list[Array], biases: list[Array]) -> float:
    """A number that other weights hardly have."""
    checksum = 0
    for param in weights + biases:
        checksum = zlib.crc32(np.ascontiguousarray(param).data, checksum)
    return float(checksum)


def sample(X: Any, numbers: Array) -> list[bytes]:
    """A digest of each of some rows, in order."""
    if isinstance(X, tuple):
        values, columns, starts = X[:3]
        return [
            _digest(values[a:b].tobytes() + columns[a:b].astype(np.int64).tobytes())
            for a, b in zip(starts[numbers], starts[numbers + 1], strict=True)
        ]
    return [_digest(np.ascontiguousarray(row).tobytes()) for row in X[numbers]]


def _plain(result: Any, *names: str) -> OptimizeResult:
    """What processes tell each other of a result of SciPy's."""
    return OptimizeResult({name: result[name] for name in names})


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def sampled_numbers(n: int) -> Array:
    """The numbers of some of `n` rows."""
    return np.unique(np.linspace(0, n - 1, min(n, _N_SAMPLED)).astype(np.int64))

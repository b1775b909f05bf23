"""The processes that fit a model together, as the course of a fit knows them."""

import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import _get_feature_names

from mlp_c._mpi.agreement import Agreement
from mlp_c._mpi.batches import cut
from mlp_c._mpi.data import SharedData, sample, sampled_numbers
from mlp_c._mpi.exchanges import Exchange
from mlp_c._system.blocks import Array
from mlp_c._training.callbacks import NoTasks, Tasks
from mlp_c._training.data import digest_of
from mlp_c._training.world import World


class Ranks(World):
    """Processes of MPI that fit a model together.

    Parameters
    ----------
    agreement : Agreement
        Of the processes, about whether they go on.
    has_own_rows : bool
        Whether each has rows of its own, which all have in the order of the ranks.
    n_shards : int or None
        The shards that a batch is divided into; None: as in one process.

    Attributes
    ----------
    n_threads : int or None
        The most threads of each; None: as many as the model says.
    """

    def __init__(self, agreement: Agreement, *, has_own_rows: bool, n_shards: int | None) -> None:
        self.comm = agreement.comm
        self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()
        self.has_own_rows, self.n_shards = has_own_rows, n_shards
        self.checks_all = has_own_rows
        self._exchange: Exchange | None = None
        self._has_rows = False
        self.n_threads: int | None = None
        self.agreement = agreement

    def exchange(self, make: Callable[[], Exchange]) -> Exchange:
        """How gradients are exchanged, made once."""
        if self._exchange is None:
            self._exchange = make()
        return self._exchange

    # ---- what processes tell each other ----

    def tell_all(self, place: str, value: Any) -> list[Any]:
        """What each has to tell the others at a place, by rank."""
        own = np.frombuffer(pickle.dumps(value), np.uint8)
        length, lengths = np.array([len(own)]), np.empty(self.size, int)
        with self.agreement.undisturbed():
            self.agreement.check(place)
            self.comm.Allgather(length, lengths)
            whole, places = np.empty(lengths.sum(), np.uint8), _layout(lengths)
            self.agreement.check(place)
            self.comm.Allgatherv(own, [whole, places])
        return [pickle.loads(part.data) for part in np.split(whole, np.cumsum(lengths)[:-1])]

    def gather(self, place: str, own: dict[str, Array], counts: Array) -> dict[str, Array]:
        """The rows of all at a place, in the order of the ranks, of which each has so many."""
        n = int(counts.sum())
        gathered = {name: np.empty((n, *a.shape[1:]), a.dtype) for name, a in own.items()}
        layouts = {name: _layout(counts, a.shape[1:]) for name, a in own.items()}
        with self.agreement.undisturbed():
            self.agreement.check(place)
            for name, whole in gathered.items():
                self.comm.Allgatherv(own[name], [whole, layouts[name]])
        return gathered

    def hear_first(self, place: str, value: Any) -> Any:
        """What the first has to tell the others at a place."""
        own = bytearray(pickle.dumps(value) if self.rank == 0 else b"")
        with self.agreement.undisturbed():
            _, length = self.agreement.check(place, len(own))
            told = own if self.rank == 0 else bytearray(int(length))
            self.agreement.check(place)
            self.comm.Bcast(told)
        return pickle.loads(told)

    def require_same(self, place: str, of_rank: dict[str, Any]) -> None:
        """Refuse to go on where something is not the same on all ranks.

        Raises
        ------
        ValueError
            If it is not, which names the first rank that differs.
        """
        first, *others = self.tell_all(place, of_rank)
        for rank, other in enumerate(others, 1):
            for name in first | other:
                if first.get(name) != other.get(name):
                    raise ValueError(
                        f"{name} must be the same on all ranks, got {first.get(name)} on rank 0 "
                        f"and {other.get(name)} on rank {rank}"
                    )

    # ---- what a fit asks of its processes ----

    @contextmanager
    def speaking_for(self, model: Any) -> Iterator[None]:
        """Have rank 0 alone print and warn, but of Ctrl-C, and call callbacks."""
        if self.rank == 0:
            yield
            return
        verbose, callbacks = model.verbose, vars(model).get("_skl_callbacks")
        try:
            model.verbose = False
            vars(model).pop("_skl_callbacks", None)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r"(?!Training interrupted)")
                yield
        finally:
            model.verbose = verbose
            if callbacks is not None:
                model._skl_callbacks = callbacks

    def random_source(self, random_state: Any) -> np.random.RandomState:
        """The generator of rank 0, or one in its state."""
        own = super().random_source(random_state)
        state = own.get_state(legacy=False)
        kind, state = state["bit_generator"], self.hear_first("its random numbers", state)
        if self.rank > 0:
            is_global = random_state is None or random_state is np.random
            if is_global or kind != state["bit_generator"]:
                own = np.random.RandomState(getattr(np.random, state["bit_generator"])())
            own.set_state(state)
        return own

    def whole(self, part: Array) -> Array:
        """Targets of all rows, of those of the rows that are here."""
        if not self.has_own_rows:
            told = part.tolist() if part.dtype.kind == "O" else part
            self.require_same("its targets", {"y (with rows='same')": digest_of(told)[:12]})
            return part
        parts = self.tell_all("its targets", part)
        for rank, other in enumerate(parts):
            if other.shape[1:] != parts[0].shape[1:] or _kind(other) != _kind(parts[0]):
                raise ValueError(
                    f"y must be of one kind on all ranks, got {_describe(parts[0])} on rank 0 and "
                    f"{_describe(other)} on rank {rank}"
                )
        return np.concatenate(parts)

    def whole_weights(self, sample_weight: Any, n_own: int) -> Any:
        """Weights of all rows, of those, if there are any, of the rows that are here."""
        if not self.has_own_rows:
            return sample_weight
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight)
            if sample_weight.shape != (n_own,):
                raise ValueError(
                    f"sample_weight must have shape {(n_own,)}, got {sample_weight.shape}"
                )
        parts = self.tell_all("its weights", sample_weight)
        given = [part is not None for part in parts]
        if not any(given):
            return None
        if not all(given):
            raise ValueError(
                "sample_weight must be given on all ranks or on none, got None on rank "
                f"{given.index(False)}"
            )
        return np.concatenate(parts)

    def check_finite(self, X: Any, name: str) -> None:
        """Refuse infinity and NaN among the rows that are this process's to look at."""
        if not self.checks_all and isinstance(X, np.ndarray):
            begin, end = (cut(len(X), self.size, self.rank + i) for i in (0, 1))
            assert_all_finite(X[begin:end], input_name=name)

    def data(self, *args: Any) -> SharedData:
        """Rows, targets and weights to train on or to validate with, as `Data` takes them."""
        data = SharedData(*args)
        data.ranks = self
        n_columns = data.X.shape[1] if isinstance(data.X, np.ndarray) else data.X[3]
        same = {
            "the number of columns of X": n_columns,
            "the names of the columns of X": _names(data),
            "the dtype of X": _element(data.X),
        }
        n = len(data.y)
        if not self.has_own_rows:
            some = sample(data.X, sampled_numbers(n))
            same["the number of rows of X"] = n
            same["the rows of X (with rows='same')"] = digest_of(*map(bytes.hex, some))[:12]
            same["sample_weight"] = digest_of(data.sample_weight)[:12]
            self.require_same("its rows", same)
            return data
        self.require_same("its rows", same)
        n_own = len(data.X) if isinstance(data.X, np.ndarray) else len(data.X[2]) - 1
        bounds = np.concatenate([[0], np.cumsum(self.tell_all("its rows", n_own))])
        if not self._has_rows:  # rows to validate with come after those to train on
            self._require_whole_shards(bounds)
        self._has_rows = True
        numbers = sampled_numbers(n)
        begin, end = bounds[self.rank], bounds[self.rank + 1]
        own = sample(data.X, numbers[(begin <= numbers) & (numbers < end)] - begin)
        told = [digest for of_rank in self.tell_all("its rows", own) for digest in of_rank]
        data.bounds, data.sampled = bounds, digest_of(n, *map(bytes.hex, told))
        return data

    def _require_whole_shards(self, bounds: Array) -> None:
        """Refuse ranks that do not end where shards do."""
        if self.n_shards is None:
            return
        n = int(bounds[-1])
        for rank in range(1, self.size):
            expected = cut(n, self.n_shards, cut(self.n_shards, self.size, rank))
            if bounds[rank] != expected:
                raise ValueError(
                    f"the rows of rank {rank - 1} must end where a shard does, before row "
                    f"{expected} of all {n}, for n_shards={self.n_shards}, got {bounds[rank]}"
                )

    def agree(self) -> None:
        """Wait until all are ready to train."""
        with self.agreement.undisturbed():
            self.agreement.check("the first epoch")

    def report(self, tasks: Tasks) -> Tasks:
        """Report on rank 0 alone; what a callback asks for there is done on all."""
        self.agreement.begin_training()
        return RankTasks(self, tasks if self.rank == 0 else NoTasks())


class RankTasks:
    """Reports a fit to the callbacks of rank 0."""

    def __init__(self, ranks: Ranks, tasks: Tasks) -> None:
        self._ranks, self._tasks = ranks, tasks

    def begin_epoch(self) -> None:
        """Report that an epoch begins."""
        with self._ranks.agreement.breaking_off():
            self._tasks.begin_epoch()

    def end_epoch(self) -> bool:
        """Report its end; whether a callback of rank 0 asks to stop."""
        with self._ranks.agreement.breaking_off():
            stops = self._tasks.end_epoch()
        with self._ranks.agreement.undisturbed():
            _, stops_on_first = self._ranks.agreement.check("the end of an epoch", bool(stops))
        return bool(stops_on_first)

    def end(self) -> None:
        """Report the end of the fit."""
        with self._ranks.agreement.breaking_off():
            self._tasks.end()


def _kind(y: Array) -> str:
    return "number" if y.dtype.kind in "biuf" else "text" if y.dtype.kind in "US" else "object"


def _describe(y: Array) -> str:
    return f"{y.dtype} of shape {y.shape}"


def _names(data: SharedData) -> list[str] | None:
    names = None if data.for_scorers is None else _get_feature_names(data.for_scorers.X)
    return None if names is None else list(names)


def _element(X: Any) -> str:
    return str((X if isinstance(X, np.ndarray) else X[0]).dtype)


def _layout(n_rows: Array, shape: tuple[int, ...] = ()) -> tuple[Array, Array]:
    """Counts and displacements of elements of rows, of a shape, that lie one after the other."""
    counts = n_rows * int(np.prod(shape, dtype=int))
    return counts, np.concatenate([[0], np.cumsum(counts)[:-1]])

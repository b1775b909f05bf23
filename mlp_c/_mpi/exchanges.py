"""How processes add up the gradients of a batch, in an order that does not depend on them.

The chain: each process goes on from the sums of the one before, row after row, as one process does.
It does so a piece of the gradients at a time, so that several processes are at it at once.

The tree: each shard has sums of its own, which are added in a fixed binary tree. Every process
adds a part of them all, and gives it to the others.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np

from mlp_c._mpi.agreement import Agreement
from mlp_c._mpi.batches import Division, cut
from mlp_c._system.blocks import Array

# Bytes before the gradients in a message, which hold the loss.
_HEADER = 64

# Pieces of the gradients in a chain: with more, processes wait less for the one before, and more
# messages are on their way.
_N_PIECES = 8

# The tag of messages with a part of all gradients; others have the numbers of pieces or nodes.
_SHARED = 1000

# A node of the tree: its level, and its place there. It has shards place << level and so on.
Node = tuple[int, int]


class Exchange(ABC):
    """What the kernels ask for at the points of a batch.

    Parameters
    ----------
    agreement : Agreement
        Of the processes, about whether they go on.
    params : list of ndarrays
        The weights, then the biases, of which there are gradients.

    Attributes
    ----------
    gradients : list of ndarrays
        The gradients in the order of the parameters.
    """

    def __init__(self, agreement: Agreement, params: Sequence[Array]) -> None:
        self._comm, self._agreement = agreement.comm, agreement
        dtype = params[0].dtype
        n = sum(p.size for p in params)
        self._message = np.zeros(_HEADER + n * dtype.itemsize, np.uint8)
        self._flat = self._message[_HEADER:].view(dtype)
        ends = np.cumsum([p.size for p in params])
        views = np.split(self._flat, ends[:-1])
        self.gradients = [v.reshape(p.shape) for v, p in zip(views, params, strict=True)]
        self._shape = params[0].shape

    def begin(self, fields: dict[str, Array], n_parts: int) -> None:
        """Begin an epoch, whose batches have these fields."""
        self._fields, self._n_parts = fields, n_parts
        self._rows = np.diff(fields["part_starts"]).reshape(-1, n_parts)
        self._batch = self._skip(0)

    def _skip(self, batch: int) -> int:
        """The next batch that is not passed over."""
        following = np.flatnonzero(self._fields["batch_rows"][batch:])
        return batch + int(following[0]) if len(following) else len(self._rows)

    def __call__(self, point: str, index: int, loss: float) -> float:
        """Do what is asked for at a point; the loss to go on with."""
        with self._agreement.undisturbed():
            loss = getattr(self, f"_{point}")(index, loss)
            if point == "conclude":
                self._batch = self._skip(index + 1)
            return loss

    def _wait(self, requests: Iterable[Any]) -> None:
        """Wait for messages; a handler of a signal may fork, wherever that was long."""
        for request in requests:
            request.Wait()
            self._agreement.require_own_process()

    @abstractmethod
    def abandon(self) -> None:
        """Leave a batch where no other process waits for what is not to come."""

    @property
    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """What the kernels take of it."""

    @abstractmethod
    def _send(self, index: int, loss: float) -> float:
        """Take a piece of the gradients of a part, which is whole."""

    @abstractmethod
    def _conclude(self, index: int, loss: float) -> float:
        """Have the gradients of the batch where those of the parts were."""


class Chain(Exchange):
    """The gradients go from process to process, piece by piece."""

    def __init__(self, agreement: Agreement, params: Sequence[Array]) -> None:
        super().__init__(agreement, params)
        self._rank, self._last = self._comm.Get_rank(), self._comm.Get_size() - 1
        n_inputs, n_units = self._shape
        n_pieces = max(1, min(_N_PIECES, n_inputs // 16)) if self._last > 0 else 1
        starts = [cut(n_inputs, n_pieces, i) // 2 * 2 for i in range(n_pieces)]
        self._starts = np.array([*starts, n_inputs], np.int64)
        ends = _HEADER + self._starts[1:] * n_units * self._flat.itemsize
        ends[-1] = len(self._message)
        bounds = [0, *ends.tolist()]
        self._pieces = [self._message[a:b] for a, b in pairwise(bounds)]
        self._is_begun = False
        self._receiving: list[Any] = []
        self._sending: list[Any] = []
        self._n_sent = 0

    @property
    def fields(self) -> dict[str, Any]:
        """What the kernels take of it."""
        return {"piece_starts": self._starts, "goes_on": int(self._rank > 0)}

    def _begin_batch(self) -> None:
        if self._is_begun:
            return
        self._agreement.check("a batch")
        self._is_begun = True
        self._begin_receiving()

    def _begin_receiving(self) -> None:
        """Ask for the pieces that are not asked for yet: something may have failed in the midst."""
        if self._rank > 0:
            for index in range(len(self._receiving), len(self._pieces)):
                request = self._comm.Irecv(self._pieces[index], self._rank - 1, index)
                self._receiving.append(request)

    def _receive(self, index: int, loss: float) -> float:
        self._begin_batch()
        self._wait(self._receiving[index : index + 1])
        return float(self._message[:8].view(np.float64)[0]) if index == 0 else loss

    def _send(self, index: int, loss: float) -> float:
        self._begin_batch()
        if index == 0:
            if self._rank == 0 and self._rows[self._batch, 0] == 0:
                self._flat[...] = 0
            self._message[:8].view(np.float64)[0] = loss
        self._send_piece(index)
        return loss

    def _send_piece(self, index: int) -> None:
        if self._rank < self._last:
            self._sending.append(self._comm.Isend(self._pieces[index], self._rank + 1, index))
        self._n_sent += 1

    def _conclude(self, index: int, loss: float) -> float:
        self._end_batch()
        self._agreement.check("the end of a batch")
        self._comm.Bcast(self._message, self._last)
        return float(self._message[:8].view(np.float64)[0])

    def _end_batch(self) -> None:
        self._wait(self._sending)
        self._sending, self._receiving, self._n_sent, self._is_begun = [], [], 0, False

    def abandon(self) -> None:
        """Pass on what the next process waits for, whatever it holds."""
        if not self._is_begun:
            return
        with self._agreement.undisturbed():
            self._begin_receiving()
            for index in range(self._n_sent, len(self._pieces)):
                self._wait(self._receiving[index : index + 1])
                self._send_piece(index)
            self._end_batch()


def nodes_of(first: int, last: int, n_shards: int) -> list[Node]:
    """The largest nodes of the tree that shards from the first to before the last make."""
    nodes: list[Node] = []
    for shard in range(first, last):
        nodes.append((0, shard))
        while (joined := join(nodes, n_shards)) is not None:
            nodes = joined
    return nodes


def join(nodes: list[Node], n_shards: int) -> list[Node] | None:
    """The nodes, of which the last has become its parent, if all of that is there; else None."""
    level, place = nodes[-1]
    parent = level + 1, place // 2
    if 1 << level >= n_shards:  # the root
        return None
    if place % 2 == 1:
        has_sibling = len(nodes) > 1 and nodes[-2] == (level, place - 1)
        return [*nodes[:-2], parent] if has_sibling else None
    is_alone = (place + 1) << level >= n_shards
    return [*nodes[:-1], parent] if is_alone else None


class Tree(Exchange):
    """The gradients of shards are added in a binary tree, part by part on each process.

    Parameters
    ----------
    agreement, params
        As of any exchange.
    division : Division
        The shards that are here.
    """

    def __init__(self, agreement: Agreement, params: Sequence[Array], division: Division) -> None:
        super().__init__(agreement, params)
        rank, size = self._comm.Get_rank(), self._comm.Get_size()
        n_shards = division.n_shards
        self._division, self._rank = division, rank
        shards = [(cut(n_shards, size, r), cut(n_shards, size, r + 1)) for r in range(size)]
        self._nodes = [nodes_of(*of_rank, n_shards) for of_rank in shards]
        self._own: list[tuple[Node, Array, float]] = []
        counts = [len(nodes) for nodes in self._nodes]
        self._own_losses, losses = np.zeros(counts[rank]), np.zeros(sum(counts))
        self._losses = losses, counts
        ends = [cut(len(self._flat), size, r) for r in range(size + 1)]
        self._slices = [slice(a, b) for a, b in pairwise(ends)]  # each rank's, of the gradients
        self._parts = [self._flat[part] for part in self._slices]
        self._others = [(rank + i) % size for i in range(1, size)]  # not all to one at once
        self._received = {
            node: np.empty_like(self._parts[rank]) for r in self._others for node in self._nodes[r]
        }

    @property
    def fields(self) -> dict[str, Any]:
        """What the kernels take of it."""
        return {"piece_starts": np.array([0, self._shape[0]], np.int64), "goes_on": 0}

    def _send(self, index: int, loss: float) -> float:
        if self._rows[self._batch, index] == 0:
            self._flat[...] = 0
        sums = self._flat
        nodes: list[Node] = [node for node, _, _ in self._own]
        nodes.append((0, self._division.first + index))
        while (joined := join(nodes, self._division.n_shards)) is not None:
            if len(joined) < len(nodes):
                _, before, loss_before = self._own.pop()
                sums, loss = before + sums, loss_before + loss
            nodes = joined
        is_last = index == self._n_parts - 1 and sums is self._flat
        self._own.append((nodes[-1], sums if is_last else sums.copy(), loss))
        return loss

    def _conclude(self, index: int, loss: float) -> float:
        own = {node: sums for node, sums, _ in self._own}
        self._own_losses[:] = [loss for _, _, loss in self._own]
        self._agreement.check("the end of a batch")
        self._own = []
        self._give([*own.values()])
        mine = self._slices[self._rank]
        try:
            nodes = {node: sums[mine] for node, sums in own.items()} | self._received
            self._parts[self._rank][...] = _add_up(nodes, self._division.n_shards)
        finally:  # the others wait for it, whatever it holds
            self._share()
        totals = dict(zip(chain(*self._nodes), self._losses[0].tolist(), strict=True))
        return float(_add_up(totals, self._division.n_shards))

    def _give(self, own: Sequence[Array]) -> None:
        """Give each process its part of the sums and all losses; receive those of the others."""
        requests = [self._comm.Iallgatherv(self._own_losses, self._losses)]
        requests += [
            self._comm.Irecv(self._received[node], rank, i)
            for rank in self._others
            for i, node in enumerate(self._nodes[rank])
        ]
        for rank in self._others:
            for i, sums in enumerate(own):
                requests.append(self._comm.Isend(sums[self._slices[rank]], rank, i))
        self._wait(requests)

    def _share(self) -> None:
        """Give the others the part of all gradients that was added here, and receive theirs."""
        mine = self._parts[self._rank]
        requests = [self._comm.Irecv(self._parts[rank], rank, _SHARED) for rank in self._others]
        requests += [self._comm.Isend(mine, rank, _SHARED) for rank in self._others]
        self._wait(requests)

    def abandon(self) -> None:
        """Begin with the next batch, if there is one."""
        self._own = []


def _add_up(nodes: dict[Node, Any], n_shards: int) -> Any:
    """What the root of the tree has, of the nodes that there are."""

    def total(level: int, place: int) -> Any:
        if (level, place) in nodes:
            return nodes[level, place]
        left = total(level - 1, 2 * place)
        has_right = (2 * place + 1) << (level - 1) < n_shards
        return left + total(level - 1, 2 * place + 1) if has_right else left

    return total((n_shards - 1).bit_length(), 0)

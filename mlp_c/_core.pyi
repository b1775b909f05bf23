from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Sequence[Array]

class CodedRows(Protocol):
    """Rows of a table, which are coded as they are loaded: csrc/python/codes.h describes them."""

    @property
    def table(self) -> Array: ...
    @property
    def kinds(self) -> Array: ...
    @property
    def centers(self) -> Array: ...
    @property
    def scales(self) -> Array: ...
    @property
    def knot_starts(self) -> Array: ...
    @property
    def knots(self) -> Array: ...
    @property
    def unit_starts(self) -> Array: ...
    @property
    def bin_value(self) -> float: ...

Rows = Array | tuple[Array, None] | tuple[Array, Array, Array, int] | CodedRows
Activations = str | Sequence[str]

# The named fields of training: csrc/python/training.c lists them. A loss and a rule are dicts of
# "name" and the constants that csrc/kernels/lists.h gives it.
Fields = dict[str, Any]

def forward(
    X: Array,
    weights: Arrays,
    biases: Arrays,
    activation: Activations,
    out: Arrays | None,
    slopes: Arrays | None,
    n_threads: int,
    /,
) -> list[Array]: ...
def softmax(logits: Array, out: Array | None, /) -> Array: ...
def softmax_cross_entropy(
    logits: Array, y: Array, eps: float, out: Array | None, /
) -> tuple[float, Array]: ...
def backward(
    X: Array,
    activations: Arrays,
    dlogits: Array,
    weights: Arrays,
    activation: Activations,
    slopes: Arrays | None,
    out: tuple[Arrays, Arrays] | None,
    n_threads: int,
    /,
) -> tuple[list[Array], list[Array]]: ...
def drop(
    values: Array, dropout: float, seed: int, step: int, layer: int, n_threads: int, /
) -> None: ...
def sgd_step(params: Arrays, grads: Arrays, learning_rate: float, n_threads: int, /) -> None: ...
def train_step(
    X: Array,
    y: Array,
    rows: Array | None,
    weights: Arrays,
    biases: Arrays,
    activation: Activations,
    eps: float,
    learning_rate: float,
    n_threads: int,
    /,
) -> float: ...
def train_epoch(fields: Fields, /) -> tuple[float, int]: ...

# An epoch of which another process has the other rows of each batch: the fields of train_epoch, and
# those of an exchange (csrc/python/sharing.c).
def train_share(fields: Fields, exchange: Fields, /) -> tuple[float, int]: ...

# The fields of loss_gradient without its gradients, which are written to those of the exchange.
def share_gradient(fields: Fields, exchange: Fields, /) -> float: ...

# Of each member, the fields of train_epoch, and those of evaluate or None: its epoch and then its
# held-out rows, on one thread, whatever n_threads they name. Returns what the two return.
def train_members(
    members: Sequence[tuple[Fields, Fields | None]], n_threads: int, /
) -> list[tuple[float, int, float | None]]: ...
def loss_gradient(fields: Fields, /) -> float: ...
def evaluate(fields: Fields, /) -> float: ...
def predict(
    X: Rows,
    order: Array | None,
    weights: Arrays,
    biases: Arrays,
    activation: Activations,
    output: str | tuple[str, Array],
    check_finite: bool,
    n_threads: int,
    are_hidden: bool = False,
    /,
) -> Array | None: ...
def index_nonzeros(
    X: Array, dtype: str, max_density: float, max_bytes: float, n_threads: int, /
) -> Rows | None: ...
def names() -> dict[str, Any]: ...
def set_isa(limit: str, /) -> str: ...
def config() -> dict[str, Any]: ...
def thread_limit() -> int: ...

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Sequence[Array]
Rows = Array | tuple[Array, None] | tuple[Array, Array, Array, int]

def forward(
    X: Array,
    weights: Arrays,
    biases: Arrays,
    activation: str,
    out: Arrays | None,
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
    activation: str,
    out: tuple[Arrays, Arrays] | None,
    n_threads: int,
    /,
) -> tuple[list[Array], list[Array]]: ...
def sgd_step(params: Arrays, grads: Arrays, learning_rate: float, /) -> None: ...
def train_epoch(
    X: Rows,
    y: Array,
    sample_weight: Array | None,
    order: Array | None,
    weights: Arrays,
    biases: Arrays,
    activation: str,
    loss: tuple[str, float, float],
    l2: float,
    batch_size: int,
    optimizer: tuple[str, float, float, float, float, float],
    moments: tuple[Arrays, ...],
    steps: Array,
    n_threads: int,
    /,
) -> tuple[float, int]: ...
def loss_gradient(
    X: Rows,
    y: Array,
    sample_weight: Array | None,
    weights: Arrays,
    biases: Arrays,
    activation: str,
    loss: tuple[str, float, float, float],
    l2: float,
    dweights: Arrays,
    dbiases: Arrays,
    n_threads: int,
    /,
) -> float: ...
def predict(
    X: Rows,
    order: Array | None,
    weights: Arrays,
    biases: Arrays,
    activation: str,
    loss: str,
    check_finite: bool,
    n_threads: int,
    /,
) -> Array | None: ...
def index_nonzeros(
    X: Array, dtype: str, max_density: float, max_bytes: float, n_threads: int, /
) -> Rows | None: ...
def set_isa(limit: str, /) -> str: ...
def config() -> dict[str, Any]: ...
def thread_limit() -> int: ...

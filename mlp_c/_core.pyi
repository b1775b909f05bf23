from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Sequence[Array]

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
    X: Array,
    y: Array,
    order: Array | None,
    batch_size: int,
    weights: Arrays,
    biases: Arrays,
    moments: tuple[Arrays | None, Arrays | None],
    activation: str,
    rule: str,
    learning_rate: float,
    momentum: float,
    l2: float,
    loss_bounds: tuple[float, float],
    n_threads: int,
    /,
) -> float: ...
def set_isa(limit: str, /) -> str: ...
def config() -> dict[str, Any]: ...

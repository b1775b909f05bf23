"""How initial weights and biases are drawn."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from mlp_c._network.activations import Activations, initial_activations
from mlp_c._system.blocks import Array, blocks

Init = Literal["glorot_uniform", "he_normal"]
Draw = Callable[[tuple[int, ...]], Array]
Initializer = Callable[[Any, int, int, str], tuple[Draw, Draw]]


def _he_normal(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Draw, Draw]:
    scale = np.sqrt(2.0 / n_in)
    return lambda shape: random.standard_normal(shape) * scale, np.zeros


def _glorot_uniform(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Draw, Draw]:
    factor = 2.0 if activation == "logistic" else 6.0
    bound = np.sqrt(factor / (n_in + n_out))
    draw = partial(random.uniform, -bound, bound)
    return draw, draw


# By name, what draws weights, and what biases, of a shape.
INITIALIZERS: dict[Init, Initializer] = {
    "glorot_uniform": _glorot_uniform,
    "he_normal": _he_normal,
}


def draw(
    init: Init, widths: Sequence[int], activation: Activations, random: Any, dtype: Any
) -> tuple[list[Array], list[Array]]:
    """Draw weights and biases for layers of `widths` in float64, then cast them.

    The order is part of what a seed means: layer by layer, weights before biases.
    """
    weights, biases = [], []
    activations = initial_activations(activation, len(widths) - 2)
    for (n_in, n_out), name in zip(pairwise(widths), activations, strict=True):
        draw_weights, draw_biases = INITIALIZERS[init](random, n_in, n_out, name)
        weights.append(_drawn(draw_weights, (n_in, n_out), dtype))
        biases.append(_drawn(draw_biases, (n_out,), dtype))
    return weights, biases


def _drawn(draw: Draw, shape: tuple[int, ...], dtype: Any) -> Array:
    """What `draw(shape)` gives, cast; from the same stream, a block at a time."""
    array = np.empty(shape, dtype)
    for block in blocks(array.reshape(-1)):
        block[...] = draw(block.shape)
    return array

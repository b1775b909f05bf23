"""How initial weights and biases are drawn."""

import itertools
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from mlp_c._system.blocks import Array, blocks

_MAX_WEIGHTS = sys.maxsize // 8  # of float64

Draw = Callable[[tuple[int, ...]], Array]


def _he_normal(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Draw, Draw]:
    scale = np.sqrt(2.0 / n_in)
    return lambda shape: random.standard_normal(shape) * scale, np.zeros


def _glorot_uniform(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Draw, Draw]:
    factor = 2.0 if activation == "logistic" else 6.0
    bound = np.sqrt(factor / (n_in + n_out))
    draw = partial(random.uniform, -bound, bound)
    return draw, draw


# By name, what draws weights, and what biases, of a shape.
INITIALIZERS = {"he_normal": _he_normal, "glorot_uniform": _glorot_uniform}


def _drawn(draw: Draw, shape: tuple[int, ...], dtype: Any) -> Array:
    """What `draw(shape)` gives, cast; from the same stream, a block at a time."""
    array = np.empty(shape, dtype)
    for block in blocks(array.reshape(-1)):
        block[...] = draw(block.shape)
    return array


def check_widths(name: str, widths: Sequence[int]) -> None:
    """Refuse layers, of an argument of this name, whose weights no memory can have places for."""
    if any(n_in * n_out > _MAX_WEIGHTS for n_in, n_out in itertools.pairwise(widths)):
        raise ValueError(f"{name} must make layers of at most {_MAX_WEIGHTS} weights")


def draw(
    init: str, widths: Sequence[int], activation: str, random: Any, dtype: Any
) -> tuple[list[Array], list[Array]]:
    """Weights and biases for layers of `widths`, drawn in float64 and then cast.

    Layer by layer, weights before biases: the order is part of what a seed means.
    """
    weights, biases = [], []
    for n_in, n_out in itertools.pairwise(widths):
        draw_weights, draw_biases = INITIALIZERS[init](random, n_in, n_out, activation)
        weights.append(_drawn(draw_weights, (n_in, n_out), dtype))
        biases.append(_drawn(draw_biases, (n_out,), dtype))
    return weights, biases

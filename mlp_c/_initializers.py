"""How initial weights and biases are drawn."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def _he_normal(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Array, Array]:
    return random.standard_normal((n_in, n_out)) * np.sqrt(2.0 / n_in), np.zeros(n_out)


def _glorot_uniform(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Array, Array]:
    factor = 2.0 if activation == "logistic" else 6.0
    bound = np.sqrt(factor / (n_in + n_out))
    return random.uniform(-bound, bound, (n_in, n_out)), random.uniform(-bound, bound, n_out)


INITIALIZERS = {"he_normal": _he_normal, "glorot_uniform": _glorot_uniform}


def draw(
    init: str, widths: Sequence[int], activation: str, random: Any, dtype: Any
) -> tuple[list[Array], list[Array]]:
    """Weights and biases for layers of `widths`, drawn in float64 and then cast.

    Layer by layer, weights before biases: the order is part of what a seed means.
    """
    weights, biases = [], []
    for n_in, n_out in itertools.pairwise(widths):
        w, b = INITIALIZERS[init](random, n_in, n_out, activation)
        weights.append(w.astype(dtype, copy=False))
        biases.append(b.astype(dtype, copy=False))
    return weights, biases

"""How wide the layers of a network may be."""

import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

_MAX_WEIGHTS = sys.maxsize // 8  # of float64


def hidden_widths(sizes: Any) -> list[int]:
    """The widths that `hidden_layer_sizes` gives, one a hidden layer.

    Raises
    ------
    TypeError, ValueError
        If one is not an integer of at least 1.
    """
    sizes = list(sizes) if isinstance(sizes, Iterable) else [sizes]
    if any(not isinstance(size, Integral) or isinstance(size, bool) for size in sizes):
        raise TypeError(f"hidden_layer_sizes must be integers, got {sizes}.")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]


def check_widths(name: str, widths: Sequence[int]) -> None:
    """Refuse the argument of this name if no memory holds the weights of one of its layers."""
    if any(n_in * n_out > _MAX_WEIGHTS for n_in, n_out in pairwise(widths)):
        raise ValueError(f"{name} must make layers of at most {_MAX_WEIGHTS} weights")

"""Arrays: their types, and blocks of them, between which Python hears of Ctrl-C."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Sequence[Array]

# About so many elements in a block: what takes some ms.
BLOCK_ELEMENTS = 1 << 20


def as_floats(numbers: Any) -> Array:
    """Real numbers as an array: float32 and float64 as they are, others in float64.

    Raises
    ------
    TypeError, ValueError
        If they are no array of real numbers.
    """
    array = np.asarray(numbers)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"expected real numbers, got {array.dtype}")
    dtype = array.dtype.newbyteorder("=")
    return np.require(array, dtype if dtype in (np.float32, np.float64) else np.float64, "A")


def check_dtype(dtype: Any) -> None:
    """Refuse the argument `dtype` if the kernels do not compute in it."""
    if not any(_is_dtype(dtype, real) for real in (np.float32, np.float64)):
        raise TypeError(f"dtype must be float32 or float64, got {dtype!r}")


def _is_dtype(given: Any, dtype: Any) -> bool:
    try:
        return np.dtype(given) == np.dtype(dtype)
    except (TypeError, ValueError):
        return False


def blocks(array: Array) -> Iterator[Array]:
    """Views of the elements of an array of one or two dimensions, in C order."""
    if array.ndim == 2 and array.shape[1] > BLOCK_ELEMENTS:
        for row in array:
            yield from blocks(row)
        return
    step = BLOCK_ELEMENTS // max(array[:1].size, 1)
    for begin in range(0, len(array), step):
        yield array[begin : begin + step]


def are_finite(arrays: Iterable[Array]) -> bool:
    """Whether no element of the arrays is infinite or NaN."""
    return all(np.isfinite(block).all() for array in arrays for block in blocks(array))

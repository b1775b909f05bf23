"""Arrays in blocks, so that Python hears of Ctrl-C between what NumPy does to one and the next."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Sequence[Array]

# About so many elements in a block: what takes some ms.
BLOCK_ELEMENTS = 1 << 20


def blocks(array: Array) -> Iterator[Array]:
    """Views of the elements of an array of one or two dimensions, in C order."""
    if array.ndim == 2 and array.shape[1] > BLOCK_ELEMENTS:
        for row in array:
            yield from blocks(row)
        return
    step = BLOCK_ELEMENTS // max(array[:1].size, 1)
    for begin in range(0, len(array), step):
        yield array[begin : begin + step]

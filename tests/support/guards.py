"""Arrays beside memory that must not be touched: pages that end the process if they are."""

import ctypes
import mmap
from itertools import count

import numpy as np

from support import calls

PAGE = mmap.PAGESIZE
PROT_NONE = 0


class Fence:
    """Room for arrays, each between two pages that nobody may read or write.

    Attributes
    ----------
    at_end : bool
        Whether an array ends where its room does, or begins there.
    """

    def __init__(self, n_arrays, n_bytes, at_end):
        self.at_end = at_end
        self._room = -(-n_bytes // PAGE) * PAGE
        self._maps = [mmap.mmap(-1, self._room + 2 * PAGE) for _ in range(n_arrays)]
        libc = ctypes.CDLL(None, use_errno=True)
        for memory in self._maps:
            begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            for page in (begin, begin + PAGE + self._room):
                if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), PROT_NONE) != 0:
                    raise OSError(ctypes.get_errno(), "mprotect")

    def fenced(self, nest):
        """A nest whose arrays lie in this room, in their order in memory."""
        numbers = count()
        return calls.rebuilt(nest, lambda _, array: self._place(array, next(numbers)))

    def _place(self, array, number):
        assert array.nbytes <= self._room
        offset = PAGE + (self._room - array.nbytes if self.at_end else 0)
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        placed = np.ndarray(array.shape, array.dtype, self._maps[number], offset, order=order)
        placed[...] = array
        return placed

"""Single kernels, as mlp_c._testing lends them, and how they are compared with plain NumPy.

Errors are counted in units in the last place (ulps) of the exact result, which has a wider
precision than the kernel's. A rounding costs half of one at most, and what follows passes it on.
"""

import numpy as np
import pytest

from mlp_c import _core

testing = pytest.importorskip("mlp_c._testing", reason="_testing is built where MLP_C_TESTING=1")

NAMES = _core.names()  # of the lists: activations, outputs, losses and rules
WIDE = {np.dtype(np.float32): np.float64, np.dtype(np.float64): np.longdouble}
HAS_WIDER = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps
SIZES = range(1, 71)  # up to four vectors of AVX-512 in float32, and a tail

each_isa = pytest.mark.parametrize("isa", testing.ISAS)


def draw(dtype, *shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def integers(dtype, *shape, seed=0):
    """Small ones, whose sums of products are exact in any order."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(dtype)


def wide(x):
    return x.astype(WIDE[x.dtype])


def ulps(got, want, rest=0):
    """How far each result is from want + rest, where both are finite; infinities must agree."""
    nearest = np.asarray(want).astype(got.dtype)
    finite = np.isfinite(nearest)
    np.testing.assert_array_equal(got[~finite], nearest[~finite])
    error = np.abs(got.astype(np.asarray(want).dtype) - want - rest)
    return (error / np.spacing(np.abs(nearest)).astype(error.dtype))[finite]


def assert_close(got, want, bound):
    """|got - want| <= bound, and the same NaN and infinities."""
    want = np.asarray(want)
    finite = np.isfinite(want.astype(got.dtype))
    np.testing.assert_array_equal(got[~finite], want[~finite].astype(got.dtype))
    bound = np.broadcast_to(bound, want.shape)
    assert np.all(np.abs(got.astype(want.dtype) - want)[finite] <= bound[finite])


def strided(x):
    """The same numbers, with a number between each two."""
    room = np.full((*x.shape[:-1], 2 * x.shape[-1]), 99, x.dtype)
    room[..., ::2] = x
    return room[..., ::2]

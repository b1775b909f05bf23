"""Single kernels against plain NumPy: products and sums; all of them on every instruction set."""

import platform

import numpy as np
import pytest

from kernels.test_single_functions import FUNCTIONS, activate, apply, domain
from kernels.test_single_training import LOSS_CASES, entry, losses_of, parameters, targets_of
from support import calls
from support.single import NAMES, SIZES, draw, each_isa, integers, strided, testing

FMA_IS_DEFAULT = platform.machine() in {"aarch64", "arm64"}
FMA_ISAS = [name for name in testing.ISAS if name != "baseline" or FMA_IS_DEFAULT]
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy's own arithmetic


# ---- products and sums ----

# Rows, inputs, columns: tiles of 5 to 8 rows and 4 to 32 columns; blocks of 96 rows, 128 to 512
# columns and 256 products; runs of up to 8 vectors. Copies of 12 to 32 rows from 192 products and
# 64 to 512 columns on.
SHAPES = [(7, 5, n) for n in SIZES] + [(n, 3, 5) for n in (1, 2, 95, 96, 97, 200)]
SHAPES += [(9, n, 17) for n in (0, 1, 2, 255, 256, 257, 600)] + [
    (3, 2, n) for n in (129, 600, 1030)
]
SHAPES += [(n, 300, 1030) for n in (5, 50)]


def start_of(dtype, k):
    bias = integers(dtype, k, seed=2)
    bias[::3] = -0.0
    return bias


@each_isa
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_products_are_exact_of_integers(layout, isa, dtype):
    place = strided if layout == "strided" else lambda x: np.asarray(x, order=layout)
    for n, p, k in SHAPES:
        a, b, bias = integers(dtype, n, p), integers(dtype, p, k, seed=1), start_of(dtype, k)
        c = place(np.full((n, k), np.nan, dtype))
        testing.multiply(isa, place(a), place(b), bias, False, c)
        np.testing.assert_array_equal(c, a @ b + bias)
        assert not np.signbit(c[c == 0]).any()  # +0 for -0
        testing.multiply(isa, place(a), place(b), None, True, c)
        np.testing.assert_array_equal(c, 2 * (a @ b) + bias)
        testing.multiply(isa, place(a), place(b), None, False, c)
        np.testing.assert_array_equal(c, a @ b)


@each_isa
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_packed_columns_end_with_zeros(layout, isa, dtype):
    """As far as the last vector goes: the zeros past a single column say how long a vector is."""
    place = strided if layout == "strided" else lambda x: np.asarray(x, order=layout)
    lanes = None
    for rows, columns in [(1, 1), (3, 1), *((5, n) for n in SIZES), (70, 34)]:
        b = draw(dtype, rows, columns)
        out = np.full((rows, columns + 32), np.nan, dtype)
        testing.pack(isa, place(b), out)
        np.testing.assert_array_equal(out[:, :columns], b)
        n_zeros = (out[:, columns:] == 0).sum(axis=1)
        lanes = lanes or 1 + n_zeros[0]
        assert set(n_zeros) == {-columns % lanes}
        assert (out[:, columns : columns + n_zeros[0]] == 0).all()
    assert lanes * dtype.itemsize in {16, 32, 64}


@each_isa
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_products_of_few_rows_have_the_bits_of_many(layout, isa, dtype):
    place = strided if layout == "strided" else lambda x: np.asarray(x, order=layout)
    for n, p, k in SHAPES:
        a, b, bias = draw(dtype, n, p), draw(dtype, p, k, seed=1), draw(dtype, k, seed=2)
        few, many = np.empty((n, k), dtype), np.empty((n, k), dtype)
        testing.multiply_few(isa, place(a), place(b), bias, few)
        for views in (a, b), (place(a), place(b)):
            testing.multiply(isa, *views, bias, False, many)
            assert few.tobytes() == many.tobytes()


@each_isa
@pytest.mark.parametrize("strip_rows", [0, 8, 128])
def test_products_of_pairs_have_the_bits_of_dense_ones(strip_rows, isa, dtype):
    """Whether they are listed or not: all terms that are left out are 0."""
    shapes = [(19, 40, n) for n in SIZES] + [(n, 41, 9) for n in (1, 7, 8, 9, 140)] + [(3, 1, 300)]
    for n, p, k in shapes:
        x, w, bias = draw(dtype, n, p), draw(dtype, p, k, seed=1), draw(dtype, k, seed=2)
        x[np.random.default_rng(3).random((n, p)) < 0.7] = 0
        out, dense = np.empty((n, k), dtype), np.empty((n, k), dtype)
        testing.multiply(isa, x, w, bias, False, dense)
        testing.multiply_pairs(isa, x, w, bias, strip_rows, out)
        assert out.tobytes() == dense.tobytes()
        testing.multiply_pairs(
            isa, np.asfortranarray(x), np.asfortranarray(w), bias, strip_rows, out
        )
        assert out.tobytes() == dense.tobytes()


@each_isa
@pytest.mark.parametrize("strip_rows", [8, 128])
def test_gradients_of_pairs_have_the_bits_of_dense_ones(strip_rows, isa, dtype):
    for n, p, k in [(19, 40, size) for size in SIZES] + [(n, 41, 9) for n in (1, 7, 8, 9, 140)]:
        x, deltas = draw(dtype, n, p), draw(dtype, n, k, seed=1)
        x[np.random.default_rng(3).random((n, p)) < 0.7] = 0
        for begin, end in ((0, p), (4, 11), (6, p)):
            sums = np.full((end - begin, k), np.nan, dtype)
            dense = sums.copy()
            for accumulate in (False, True):
                testing.multiply(isa, x.T[begin:end], deltas, None, accumulate, dense)
                testing.multiply_pairs_transposed(
                    isa, x, deltas, strip_rows, begin, accumulate, sums
                )
                np.testing.assert_array_equal(sums, dense)


@each_isa
def test_rows_are_summed_exactly_of_integers(isa, dtype):
    for n, k in [(9, size) for size in SIZES] + [(0, 3), (1, 3), (1000, 3)]:
        m, out = integers(dtype, n, k), np.full(k, np.nan, dtype)
        testing.sum_rows(isa, m, False, out)
        np.testing.assert_array_equal(out, m.sum(axis=0))
        testing.sum_rows(isa, strided(m), True, out)
        np.testing.assert_array_equal(out, 2 * m.sum(axis=0))


# ---- instruction sets ----


def digest_of_everything(isa, dtype):
    """The bits of what all kernels above make of some numbers."""
    z, weights = draw(dtype, 23, 37) * 4, draw(dtype, 37, 29, seed=1)
    results = [apply(isa, f, domain(f, dtype)[::16]) for f in FUNCTIONS]
    for activation in NAMES["activations"]:
        results += activate(isa, activation, z)
    out, few, pairs = (np.empty((23, 29), dtype) for _ in range(3))
    bias = draw(dtype, 29, seed=2)
    testing.multiply(isa, z, weights, bias, False, out)
    testing.multiply_few(isa, z, weights, bias, few)
    testing.multiply_pairs(isa, np.maximum(z, 0), weights, bias, 8, pairs)
    results += [out, few, pairs]
    for output in NAMES["outputs"]:
        results.append(z.copy())
        testing.apply_output(isa, output, results[-1])
    for loss in LOSS_CASES:
        n_targets = z.shape[1] // calls.outputs_per_target(loss)
        logits = z[:, : n_targets * calls.outputs_per_target(loss)].copy()
        results += losses_of(isa, loss, logits, targets_of("rows", dtype, len(z), n_targets))
    for rule in calls.RULES:
        value, gradient, moments = parameters(rule, dtype, 5, 41)
        squares = np.empty((1, 5))
        named = entry(calls.rule(rule))
        testing.update(isa, named, 0.01, 0.1, 1, 0, 1, value, gradient, tuple(moments), squares)
        results += [x.copy() for x in (value, *moments, squares)]
        testing.update(isa, named, 0.01, 0.1, 0.3, 0.2, 1, value, gradient, tuple(moments), None)
        testing.square_gradient(isa, 0.1, value, gradient, squares)
        results += [value, *moments, squares]
    return [x.tobytes() for x in results]


@pytest.mark.skipif(len(FMA_ISAS) < 2, reason=f"needs two ISAs with FMA, has {FMA_ISAS}")
def test_all_kernels_have_the_same_bits_on_every_instruction_set(dtype):
    first, *others = (digest_of_everything(isa, dtype) for isa in FMA_ISAS)
    assert all(other == first for other in others)

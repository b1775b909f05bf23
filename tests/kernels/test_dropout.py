"""Dropout's masks: the generator's published numbers, the kernel against NumPy, statistics."""

import numpy as np
import pytest

from mlp_c import kernels
from support.formulas import dropout_mask, dropout_words, philox
from support.single import SIZES, draw, each_isa, strided, testing

# Of Philox 4x32-10, from the file kat_vectors of Random123 by Salmon et al. (2011): counter, key,
# and what comes of them.
KNOWN = [
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([2**32 - 1] * 4, [2**32 - 1] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]
each_known = pytest.mark.parametrize(("counter", "key", "words"), KNOWN)


@each_known
def test_the_references_generator_gives_the_published_numbers(counter, key, words):
    assert list(philox(counter, key)) == words


@each_isa
@each_known
def test_the_kernels_generator_gives_the_published_numbers(counter, key, words, isa, dtype):
    """Of a number w that is looked for: w / 2^32 does not drop it, the next probability does."""
    first, row, step, layer = counter
    for k, word in enumerate(words):
        unit = first // 16 * 64 + 16 * k + first % 16
        for probability, kept in ((word / 2**32, True), ((word + 1) / 2**32, False)):
            factor = np.ones((1, 1), dtype)
            testing.drop(isa, factor, None, probability, *key, step, layer, row, unit)
            assert (factor[0, 0] > 0) == kept


@each_isa
@pytest.mark.parametrize("place", [np.asarray, np.asfortranarray, strided])
def test_elements_are_dropped_as_by_numpy(place, isa, dtype):
    """Of any units of any rows, with slopes or without."""
    seed, step, layer = 2**40 + 7, 2**33 + 5, 3
    for n in SIZES:
        for row, unit in ((0, 0), (7, 13), (255, 64), (1000, 16 * n)):
            values, slopes = draw(dtype, 3, n), draw(dtype, 3, n, seed=1)
            factors = dropout_mask((3, n), 0.4, seed, step, layer, row, unit).astype(dtype)
            for of_slopes in (place(slopes.copy()), None):
                got = place(values.copy())
                testing.drop(
                    *(isa, got, of_slopes, 0.4, seed % 2**32, seed >> 32, step, layer, row, unit)
                )
                np.testing.assert_array_equal(got, values * factors)
                if of_slopes is not None:
                    np.testing.assert_array_equal(of_slopes, slopes * factors)


@pytest.mark.parametrize("dropout", [0.0, 2**-33, 0.1, 0.5, 0.999, 1 - 2**-53])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (70, 131), (2, 5000)])
def test_masks_are_those_of_numpy_on_any_number_of_threads(shape, dropout, dtype, isa):
    want = dropout_mask(shape, dropout, 5, 6, 2).astype(dtype)
    for n_threads in (1, 2, 3, 8):
        got = kernels.dropout_mask(
            shape, dropout, seed=5, step=6, layer=2, dtype=dtype, n_threads=n_threads
        )
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, want)


def test_a_long_row_is_masked_whole():
    """Of several segments between polls."""
    shape = (2, 70_001)
    got = kernels.dropout_mask(shape, 0.5, seed=1)
    np.testing.assert_array_equal(got, dropout_mask(shape, 0.5, 1, 0, 0))


# ---- statistics: masks of fixed seeds, and bounds of five standard deviations ----

SHAPE = (400, 300)
N = np.prod(SHAPE)


def dropped(dropout=0.3, seed=11, step=0, layer=1):
    mask = kernels.dropout_mask(SHAPE, dropout, seed=seed, step=step, layer=layer)
    return mask == 0


@pytest.mark.parametrize("dropout", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2**52])
def test_the_share_that_is_dropped_is_the_probability(seed, dropout):
    """Of all; of each row, and of each unit: how far these are off has the variance it must."""
    found, variance = dropped(dropout, seed), dropout * (1 - dropout)
    assert abs(found.mean() - dropout) < 5 * np.sqrt(variance / N)
    for axis in (0, 1):
        off = (found.mean(axis) - dropout) / np.sqrt(variance / SHAPE[axis])
        assert np.abs(off).max() < 5
        assert abs((off**2).mean() - 1) < 5 * np.sqrt(2.5 / len(off))


@pytest.mark.parametrize("dropout", [0.2, 0.5])
def test_the_mean_of_what_is_kept_is_preserved(dropout):
    mask = kernels.dropout_mask(SHAPE, dropout, seed=3)
    assert set(np.unique(mask)) == {0, 1 / (1 - dropout)}
    assert abs(mask.mean() - 1) < 5 * np.sqrt(dropout / (1 - dropout) / N)


def assert_independent(a, b):
    """Whether elements are dropped in one says nothing of the other."""
    found = np.corrcoef(a.ravel(), b.ravel())[0, 1]
    assert abs(found) < 5 / np.sqrt(a.size)


@pytest.mark.parametrize("other", [{"seed": 12}, {"step": 1}, {"step": 2**32 - 1}, {"layer": 2}])
def test_masks_of_other_seeds_steps_and_layers_are_independent(other):
    assert_independent(dropped(), dropped(**other))


@pytest.mark.parametrize("apart", [1, 2, 3, 4, 15, 16, 17, 32, 48, 63, 64, 65, 128])
def test_neighbouring_units_and_rows_are_independent(apart):
    """Those of one counter among them, whose words are 16 units apart."""
    found = dropped()
    assert_independent(found[:, apart:], found[:, :-apart])
    assert_independent(found[apart:], found[:-apart])


def test_words_are_uniform():
    """By the frequencies of their highest and lowest bytes: chi-squared of 255 degrees."""
    words = dropout_words(*np.indices(SHAPE), 4, 0, 1)
    for byte in (words >> np.uint64(24), words & np.uint64(255)):
        counts = np.bincount(byte.ravel().astype(int), minlength=256)
        chi_squared = np.sum((counts - N / 256) ** 2) / (N / 256)
        assert abs(chi_squared - 255) < 5 * np.sqrt(2 * 255)


# ---- refusals ----


@pytest.mark.parametrize("dropout", [-0.1, 1.0, np.nan, np.inf, 10**400])
def test_what_is_no_probability_is_refused(dropout):
    with pytest.raises(
        ValueError, match=r"^dropout must be a probability of at least 0, less than 1"
    ):
        kernels.dropout_mask((2, 3), dropout, seed=0)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"dropout": "0.5"}, TypeError, "^dropout must be a real number, got str"),
        ({"seed": 0.5}, TypeError, "^seed must be an integer, got float"),
        ({"seed": True}, TypeError, "^seed must be an integer, got bool"),
        ({"layer": -1}, ValueError, "^layer must be from 0 to 9223372036854775807, got -1$"),
        ({"step": 2**63}, ValueError, "^step must be from 0 to 9223372036854775807, got 92"),
        ({"dtype": np.float16}, TypeError, "^dtype must be float32 or float64, got <class"),
        ({"dtype": "odd"}, TypeError, "^dtype must be float32 or float64, got 'odd'"),
        (
            {"shape": (2, -1)},
            ValueError,
            r"^shape\[1\] must be from 0 to 9223372036854775807, got -1$",
        ),
        ({"shape": ("2", 1)}, TypeError, r"^shape\[0\] must be an integer, got str"),
        ({"shape": (2, 3, 4)}, TypeError, r"^shape must be a tuple \(n_rows, n_units\), got \(2,"),
        ({"shape": 5}, TypeError, r"^shape must be a tuple \(n_rows, n_units\), got 5"),
        ({"n_threads": 0}, ValueError, "^n_threads must be"),
    ],
)
def test_wrong_arguments_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        kernels.dropout_mask(**{"shape": (2, 3), "dropout": 0.5, "seed": 0} | changes)

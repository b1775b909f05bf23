"""The same bits on any number of ranks.

The oracle of a fit without shards is the model's own ``fit`` in one process; of one with shards, or
with rows that each rank has by itself, the same on one rank.
"""

import pytest

from mpi import fits
from support import ranks

RANKS = [1, 2, 3, 4]
STEPS = {4: 3}  # more ranks than most machines of a test have CPUs take some of the settings


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What each of so many ranks comes to, by number of ranks."""
    ranks.require()
    directory = tmp_path_factory.mktemp("ranks")
    return {n: ranks.run(n, fits.together, directory / str(n), STEPS.get(n, 1)) for n in RANKS}


@pytest.fixture(scope="module")
def alone():
    return fits.alone()


@pytest.mark.parametrize("n", RANKS)
def test_all_ranks_have_the_same_model(made, n):
    """Weights, moments, losses and scores: on those without callbacks, too."""
    first, *others = made[n]
    assert all(other == first for other in others)


@pytest.mark.parametrize("n", RANKS)
def test_ranks_with_the_same_rows_have_the_bits_of_fit(made, alone, n):
    """Whatever the solver, its options, the dtype, the rows and what is held out."""
    for name, digest in made[n][0]["same", None].items():
        assert digest == alone[name], name


@pytest.mark.parametrize("n", RANKS[1:])
@pytest.mark.parametrize("way", fits.WAYS, ids=str)
def test_any_number_of_ranks_has_the_same_bits(made, n, way):
    """With and without shards. Ranks with rows of their own have unequal numbers of them."""
    for name, digest in made[n][0][way].items():
        assert digest == made[1][0][way][name], name


@pytest.mark.parametrize("n", RANKS)
def test_rows_of_their_own_that_are_not_shuffled_have_the_bits_of_fit(made, alone, n):
    """Rows of a batch are taken in the order of their numbers: there, as ``fit`` takes them."""
    digests = made[n][0]["own", None]
    in_order = [name for name in digests if name in fits.IN_ORDER]
    assert in_order
    for name in in_order:
        assert digests[name] == alone[name], name

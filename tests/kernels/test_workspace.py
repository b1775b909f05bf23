"""Workspace is not cleared where it is written before it is read."""

import sys
from hashlib import sha256

import numpy as np
import pytest

from campaigns import networks
from mlp_c import _core
from support import calls, processes


def print_gradients_of_rows_without_weight():
    shapes = [(300, 16), (16, 16)]  # whole vectors, whose matrices are not cleared for their tails
    weights, biases = [np.ones(shape) for shape in shapes], [np.ones(16), np.ones(16)]
    fields = calls.fields(
        *("loss_gradient", np.ones((2, 300)), np.array([0, 1]), weights, biases),
        sample_weight=np.zeros(2),
        loss=calls.loss("cross_entropy", floor=0.0, ceiling=1e300),
    )
    _core.loss_gradient(fields)
    print(*(gradient.any() for gradient in fields["dbiases"]))


def print_bits_of_networks(number):
    """What every function makes of random settings: see campaigns/networks.py."""
    bits = sha256()
    for n in range(int(number)):
        setting = networks.draw_epoch(np.random.default_rng([7, n]))
        bits.update(repr(networks.results(*setting, 1 + n % 8)).encode())
    print(bits.hexdigest())


@pytest.mark.skipif(sys.platform != "linux", reason="MALLOC_PERTURB_ is of the GNU C library")
def test_nothing_is_read_of_memory_before_it_is_written():
    clean, dirty = (
        processes.run(print_bits_of_networks, 100, MALLOC_PERTURB_=byte) for byte in ("0", "77")
    )
    assert clean == dirty
    assert processes.run(print_gradients_of_rows_without_weight, MALLOC_PERTURB_="77").split() == [
        "False",
        "False",
    ]

"""Where the random numbers of a fit come from."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from mlp_c._system.blocks import Array


def random_source(random_state: Any) -> np.random.RandomState:
    """What scikit-learn's functions draw from, for a parameter `random_state`.

    A Generator's own stream is drawn from, and goes on.
    """
    if isinstance(random_state, np.random.Generator):
        return np.random.RandomState(random_state.bit_generator)
    return check_random_state(random_state)


def shuffled(rows: Array, random_state: np.random.RandomState) -> Array:
    """Indices in another order: that which scikit-learn's ``shuffle`` draws, without its checks."""
    places = np.arange(len(rows))
    random_state.shuffle(places)
    another: Array = rows[places]
    return another

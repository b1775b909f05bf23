"""Small tables, and quick fits of the estimators for tables."""

import numpy as np
import pandas as pd
import pytest

from mlp_c import TabularMLPClassifier, TabularMLPRegressor

both = pytest.mark.parametrize("cls", [TabularMLPClassifier, TabularMLPRegressor])

N = 60
_rng = np.random.default_rng(0)

# A table of every kind of column, and one of numbers alone.
MIXED = pd.DataFrame(
    {
        "size": np.where(_rng.random(N) < 0.2, np.nan, _rng.normal(size=N)),
        "count": _rng.integers(0, 9, N),
        "colour": _rng.choice(["red", "green", "blue", None], N),
        "sold": _rng.random(N) < 0.5,
        "constant": np.ones(N),
    }
)
NUMBERS = _rng.normal(size=(N, 3))
TARGETS = NUMBERS[:, 0] + 0.5 * MIXED["sold"].to_numpy() + 0.1 * _rng.normal(size=N)
WORDS = np.array(["ant", "bee", "cat"])[np.digitize(TARGETS, [-0.3, 0.6])]
WEIGHTS = _rng.integers(0, 4, N).astype(float)


def make(cls, **params):
    """An estimator whose fit takes some milliseconds."""
    defaults = {"n_members": 3, "hidden_layer_sizes": 5, "max_iter": 3, "random_state": 0}
    return cls(**defaults | params)


def targets_for(cls):
    """Targets of the rows of the tables."""
    return WORDS if cls is TabularMLPClassifier else TARGETS


def weights_of(model):
    """The bits of all weights."""
    return [[p.tobytes() for p in m.coefs_ + m.intercepts_] for m in model.members_]


def held_out_by(model, k):
    """Which rows a member held out: the folds go round among more members."""
    return model.folds_ == k % (model.folds_.max() + 1)

"""Dropout: with which probabilities elements are dropped, and the seed of which ones."""

from numbers import Real

import numpy as np

from mlp_c._saving import checks
from mlp_c._saving.registry import FittedPart
from mlp_c._training.hyperparameters import Hyperparameters
from mlp_c._training.model import Model
from mlp_c._training.stopping import is_whole

# A seed that states and files hold, and floats.
_SEEDS = 2**53

DROPOUT = FittedPart({"dropout_seed_": checks.count})


def probabilities(model: Hyperparameters, n_hidden: int) -> list[float]:
    """The probability that an input is dropped, and an output of each hidden layer.

    Raises
    ------
    ValueError
        If there is one for each layer, but for another number of layers.
    """
    of_layers = model.dropout
    if isinstance(of_layers, Real):
        of_layers = [of_layers] * n_hidden
    if len(of_layers) != n_hidden:
        raise ValueError(
            f"dropout must be a probability or a list of one for each of {n_hidden} hidden layers, "
            f"got {len(of_layers)} probabilities"
        )
    return [float(model.input_dropout), *map(float, of_layers)]


def begin_masks(model: Model, random_state: np.random.RandomState, *, goes_on: bool) -> None:
    """Draw the seed of the masks, unless one goes on; a fit without dropout has none."""
    if not any(probabilities(model, len(model.coefs_) - 1)):
        vars(model).pop("dropout_seed_", None)
    elif not (goes_on and is_whole(DROPOUT, model)):  # which users may have edited
        model.dropout_seed_ = int(random_state.randint(_SEEDS, dtype=np.int64))


def require_masks(model: Model) -> None:
    """Refuse a fit to go on with that has dropout and no seed."""
    if any(probabilities(model, len(model.coefs_) - 1)) and not hasattr(model, "dropout_seed_"):
        raise ValueError("fitted of a state lacks ['dropout_seed_'] of a fit with dropout")

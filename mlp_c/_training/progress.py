"""Where a fit by a stochastic solver stands."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from mlp_c._system.blocks import Array
from mlp_c._training.data import Data


@dataclass
class Validation:
    """The rows held out in a fit, and what came of them.

    Attributes
    ----------
    data : Data
        The rows.
    best_weights : (list of ndarrays, list of ndarrays) or None
        Weights and biases when they scored best, in this fit.
    """

    data: Data
    best_weights: tuple[list[Array], list[Array]] | None = None


@dataclass
class Progress:
    """Where a fit stands, but for what the model itself holds.

    Attributes
    ----------
    data : Data
        What to train on.
    random_state : RandomState
        Draws the order of the rows, one shuffle of the last order for every epoch.
    order : ndarray of int
        The last order, of ``data.rows``.
    validation : Validation or None
        The rows whose score decides about stopping; the training loss does where None.
    one_epoch : bool
        Whether to stop after one epoch in any case, as ``partial_fit`` does.
    converged : bool
        Whether the model no longer improves.
    """

    data: Data
    random_state: np.random.RandomState
    order: Array
    validation: Validation | None = None
    one_epoch: bool = False
    converged: bool = False


class Fingerprinted(Protocol):
    """Data that can be told from others.

    Attributes
    ----------
    fingerprint : str
        A digest of all of them.
    """

    @property
    def fingerprint(self) -> str:
        """A digest of the data."""


@dataclass
class EnsembleProgress:
    """Where the fit of an ensemble stands, but for what its members themselves hold.

    Attributes
    ----------
    data : Fingerprinted
        What all members train on or hold out.
    members : list of Progress
        Where each of them stands.
    one_epoch : bool
        False: ensembles have no ``partial_fit``.
    """

    data: Fingerprinted
    members: list[Progress]
    one_epoch: ClassVar[bool] = False

"""The interface of a rival."""

from abc import ABC, abstractmethod

import numpy as np

from benchmarks.cases import Case
from benchmarks.data import Rows


class Rival(ABC):
    """Trains the case's network on x (rows, features) and y (labels)."""

    version: str

    @abstractmethod
    def __init__(self, case: Case, x: Rows, y: np.ndarray) -> None:
        """Prepares the library and the data, as a user would do once."""

    @abstractmethod
    def fit(self, n_epochs: int) -> None:
        """Trains a new network from its initial weights."""

    @abstractmethod
    def predict(self, x: Rows) -> np.ndarray:
        """The labels that the network trained last predicts."""

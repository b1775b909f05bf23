"""Multilayer perceptrons with scikit-learn's interface over C kernels."""

# Before anything else: in another order the same modules take up to a third more page faults.
import sklearn  # noqa: F401
from threadpoolctl import register as _register

from mlp_c import kernels
from mlp_c._checkpoint import Checkpoint, resume
from mlp_c._classifier import MLPClassifier
from mlp_c._config import show_config
from mlp_c._conversion import from_sklearn
from mlp_c._files import load
from mlp_c._regressor import MLPRegressor
from mlp_c._threadpoolctl import ThreadLimit as _ThreadLimit
from mlp_c._version import __version__

_register(_ThreadLimit)

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "load",
    "Checkpoint",
    "resume",
    "from_sklearn",
    "kernels",
    "show_config",
    "__version__",
]

"""Multilayer perceptrons with scikit-learn's interface over C kernels."""

import sys as _sys

# Before anything else: in another order the same modules take up to a third more page faults.
import sklearn  # noqa: F401
from threadpoolctl import register as _register

from mlp_c import kernels
from mlp_c._estimators.classifier import MLPClassifier
from mlp_c._estimators.from_sklearn import from_sklearn
from mlp_c._estimators.regressor import MLPRegressor
from mlp_c._saving.files import load
from mlp_c._system.config import show_config
from mlp_c._system.threadpoolctl import ThreadLimit as _ThreadLimit
from mlp_c._version import __version__
from mlp_c.checkpoint import Checkpoint, resume

_register(_ThreadLimit)

# Pickles of version 0.1.0 name these modules, in which the classes were then.
for _former in ("_classifier", "_regressor", "_checkpoint"):
    _sys.modules[f"{__name__}.{_former}"] = _sys.modules[__name__]

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

"""Multilayer perceptrons with scikit-learn's interface over C kernels."""

import sys as _sys
from pathlib import Path as _Path

# Before anything else: in another order the same modules take up to a third more page faults.
import sklearn  # noqa: F401
from threadpoolctl import register as _register

try:
    from mlp_c import _core  # noqa: F401
except ImportError as _error:
    if (_Path(__file__).parents[1] / "setup.py").exists():
        raise ImportError(
            f"{_Path(__file__).parent} is the source tree of mlp_c, whose extension is not built. "
            "Leave this directory to import the installed package, or build it here: "
            "pip install -e ."
        ) from _error
    raise

from mlp_c import kernels
from mlp_c._estimators.classifier import MLPClassifier
from mlp_c._estimators.from_sklearn import from_sklearn
from mlp_c._estimators.hidden_activations import HiddenActivations
from mlp_c._estimators.regressor import MLPRegressor
from mlp_c._estimators.tabular_classifier import TabularMLPClassifier
from mlp_c._estimators.tabular_regressor import TabularMLPRegressor
from mlp_c._onnx.export import to_onnx
from mlp_c._onnx.skl2onnx_converters import register_skl2onnx
from mlp_c._saving.files import load
from mlp_c._system.config import show_config
from mlp_c._system.threadpoolctl import ThreadLimit as _ThreadLimit
from mlp_c._version import __version__
from mlp_c.checkpoint import Checkpoint, resume
from mlp_c.epoch_table import EpochTable
from mlp_c.patching import patch_sklearn, unpatch_sklearn

_register(_ThreadLimit)

# Pickles of version 0.1.0 name these modules, in which the classes were then.
for _former in ("_classifier", "_regressor", "_checkpoint"):
    _sys.modules[f"{__name__}.{_former}"] = _sys.modules[__name__]

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "TabularMLPClassifier",
    "TabularMLPRegressor",
    "HiddenActivations",
    "load",
    "Checkpoint",
    "resume",
    "EpochTable",
    "from_sklearn",
    "to_onnx",
    "register_skl2onnx",
    "patch_sklearn",
    "unpatch_sklearn",
    "kernels",
    "show_config",
    "__version__",
]

"""The examples in docstrings: they give what they say, and no public name is without one."""

import doctest
import importlib
import pkgutil

import pytest

import mlp_c
from mlp_c import kernels

MODULES = ["mlp_c"]
MODULES += [
    module.name
    for module in pkgutil.walk_packages(mlp_c.__path__, "mlp_c.")
    if module.name != "mlp_c._core"
]
NAMES = [f"mlp_c.{name}" for name in mlp_c.__all__ if name not in ("kernels", "__version__")]
NAMES += [f"mlp_c.kernels.{name}" for name in kernels.__all__]


# What the examples of some modules need besides.
NEEDED = {
    "mlp_c": "safetensors",
    "mlp_c._saving.files": "safetensors",
    "mlp_c._saving.savable": "safetensors",
    "mlp_c.checkpoint": "safetensors",
    "mlp_c._onnx.export": "onnxruntime",
    "mlp_c.plotting": "matplotlib",
    "mlp_c._onnx.skl2onnx_converters": "skl2onnx",
}


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_examples_give_what_they_say(module):
    if module in NEEDED:
        pytest.importorskip(NEEDED[module])
    assert doctest.testmod(importlib.import_module(module)).failed == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example(name):
    public = pkgutil.resolve_name(name)
    assert doctest.DocTestFinder(recurse=False).find(public, name)[0].examples

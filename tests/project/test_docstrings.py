"""The examples in docstrings: they give what they say, and no public name is without one."""

import doctest
import importlib
import pkgutil

import pytest

import mlp_c
from mlp_c import kernels

MODULES = [module.name for module in pkgutil.iter_modules(mlp_c.__path__) if module.name != "_core"]
NAMES = [f"mlp_c.{name}" for name in mlp_c.__all__ if name not in ("kernels", "__version__")]
NAMES += [f"mlp_c.kernels.{name}" for name in kernels.__all__]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_examples_give_what_they_say(module):
    if module in ("_files", "_saving", "_checkpoint"):
        pytest.importorskip("safetensors")
    assert doctest.testmod(importlib.import_module(f"mlp_c.{module}")).failed == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example(name):
    public = pkgutil.resolve_name(name)
    assert doctest.DocTestFinder(recurse=False).find(public, name)[0].examples

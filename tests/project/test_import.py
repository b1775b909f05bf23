"""What `import mlp_c` loads: what scikit-learn's MLP does and the package itself."""

import subprocess
import sys

import pytest

from mlp_c import _core

CODE = """
import sys
import sklearn.neural_network
before = set(sys.modules)
import mlp_c
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(new - sys.stdlib_module_names))
"""


def test_nothing_but_the_package_is_loaded_besides_scikit_learns_mlp(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["mlp_c"]


LOAD = f"""
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location

def load():
    loader = ExtensionFileLoader("mlp_c._core", {_core.__file__!r})
    spec = spec_from_file_location("mlp_c._core", {_core.__file__!r}, loader=loader)
    loader.exec_module(module_from_spec(spec))
"""


@pytest.mark.parametrize("missing", ["threading", "numpy._core._multiarray_umath"])
def test_without_a_module_it_needs_the_extension_is_not_imported(missing):
    code = f"{LOAD}\nsys.modules[{missing!r}] = None\nload()"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "ImportError" in result.stderr or "ModuleNotFoundError" in result.stderr

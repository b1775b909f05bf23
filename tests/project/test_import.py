"""What `import mlp_c` loads: what scikit-learn's MLP does and the package itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mlp_c
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


def test_the_source_tree_without_its_extension_says_what_to_do(tmp_path):
    """In the root of a clone, after a pip install elsewhere."""
    source = Path(mlp_c.__file__).parent
    ignored = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(source, tmp_path / "mlp_c", ignore=ignored)
    (tmp_path / "setup.py").touch()
    # The finder of an editable install would find the extension elsewhere.
    code = "import sys; sys.meta_path = [f for f in sys.meta_path if 'Editable' not in repr(f)]"
    code += "; import mlp_c"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "is the source tree of mlp_c, whose extension is not built" in result.stderr
    assert "pip install -e ." in result.stderr

"""What `import mlp_c` loads: what scikit-learn's MLP does and the package itself."""

import subprocess
import sys

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

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from mlp_c import _core


@pytest.fixture(params=_core.config()["supported_isas"])
def isa(request):
    """Each instruction set this machine runs, in use for the test."""
    before = _core.config()["isa"]
    yield _core.set_isa(request.param)
    _core.set_isa(before)


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(scope="session")
def mnist_home(tmp_path_factory):
    """A copy of the scikit-learn data home, as long as that holds MNIST.

    A copy, because scikit-learn deletes a cached file that it fails to parse.
    """
    home = Path(os.environ.get("SCIKIT_LEARN_DATA") or "~/scikit_learn_data").expanduser()
    openml = home / "openml" / "openml.org"
    if not any(openml.glob("data/v1/download/*/mnist_784.arff*")):
        pytest.skip("no MNIST: SCIKIT_LEARN_DATA names no data home with openml.org's mnist_784")
    copy = tmp_path_factory.mktemp("scikit_learn_data")
    shutil.copytree(openml, copy / "openml" / "openml.org", copy_function=shutil.copyfile)
    for path in copy.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    return copy

"""The examples of the gallery, each in a process of its own: the tests' site runs one alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("onnxruntime")
pytest.importorskip("pandas")
pytest.importorskip("safetensors")

GALLERY = Path(__file__).resolve().parents[2] / "docs" / "gallery"
# `make docs` runs these.
SLOW = {
    "plot_grid_search",
    "plot_hidden_features",
    "plot_memory_map",
    "plot_schedule",
    "plot_speed",
}

# Sets pyplot's `show`, which does nothing without a screen, to say what there is to show.
RUN = """
import runpy, sys
import matplotlib.pyplot as plt
plt.show = lambda: print("pictures:", len(plt.get_fignums()))
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(GALLERY.rglob("plot_*.py")) if path.stem not in SLOW],
    ids=lambda path: path.stem,
)
def test_an_example_draws_pictures_and_warns_of_nothing(path, tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN, str(path)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "pictures: 1" in run.stdout
    assert not [*tmp_path.iterdir()]

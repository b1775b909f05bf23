"""The examples of docs/guide/mpi.md, run on two ranks as they stand, say what the page says."""

import subprocess
import sys
from pathlib import Path

import pytest

from support import ranks
from support.pages import python_blocks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "mpi.md"


def examples():
    return python_blocks(PAGE.read_text(encoding="utf-8"))


def printed(example, n, directory):
    """What all ranks print, whose lines may run into each other."""
    script = directory / "train.py"
    script.write_text(example, encoding="utf-8")
    command = [ranks.find_mpiexec(), "-n", str(n), sys.executable, "-W", "ignore", str(script)]
    ran = subprocess.run(
        command,
        cwd=directory,
        env=ranks.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.replace("\n", "")


def test_the_first_example_leaves_a_good_model(tmp_path):
    ranks.require()
    assert float(printed(examples()[0], 2, tmp_path)) > 0.98
    assert (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(
    "number", range(1, 5), ids=["own rows", "checkpoint", "groups", "predictions"]
)
def test_what_another_prints_is_so(number, tmp_path, monkeypatch):
    ranks.require()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert printed(examples()[number], 2, tmp_path) == "TrueTrue"


def test_these_are_all_examples():
    assert len(examples()) == 5

"""The worked diffs of docs/inside/adding.md fit; make test-adding builds and tests them."""

import subprocess

import pytest

from runners import adding


@pytest.fixture
def checkout(tmp_path):
    if subprocess.run(["git", "ls-files"], cwd=adding.ROOT, capture_output=True).returncode != 0:
        pytest.skip("not a git checkout")
    adding.copy_checkout(tmp_path)
    return tmp_path


def test_the_worked_diffs_fit(checkout):
    assert adding.apply(checkout) > 20
    assert "hard_swish" in (checkout / "csrc/kernels/activations.h").read_text()


def test_a_diff_that_does_not_fit_is_told(checkout):
    source = checkout / "csrc/kernels/rules.h"
    source.write_text(source.read_text().replace("/* with the bias corrections */", ""))
    with pytest.raises(ValueError, match=r"^csrc/kernels/rules\.h has this 0 times:\ntypedef"):
        adding.apply(checkout)

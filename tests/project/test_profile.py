"""What `make profile` prints, of a build that it makes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRAINED = {"load", "forward 1", "forward 2+", "loss", "backward", "gradient 1", "update", "wait"}
PREDICTED = {"load", "check", "forward 1", "forward 2+", "output"}


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("build"))
    build = {"MLP_C_CFLAGS": "-O0", "MLP_C_BUILD_ISAS": ""}  # which is soonest compiled
    command = ["-m", "benchmarks.profile", "--cases", "tabular", "predict-1", "--threads", "2"]
    done = subprocess.run(
        [sys.executable, *command, "--repeats", "2", "--build", folder],
        cwd=ROOT,
        env=os.environ | build | {"SCIKIT_LEARN_DATA": folder},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # By case, whose lines begin after an empty one.
    return dict(re.findall(r"\n(\w[\w-]+): (.*\n(?:\n2.*\n)(?:.+\n)+)", done.stdout))


@pytest.mark.parametrize(("case", "stages"), [("tabular", TRAINED), ("predict-1", PREDICTED)])
def test_each_stage_has_its_share(case, stages, printed):
    lines = re.findall(r"^(\w[\w +]*?) +([\d.]+)% +[\d.]+ +([\d.]+)", printed[case], re.MULTILINE)
    assert stages <= {stage for stage, *_ in lines}
    assert sum(float(share) for _, share, _ in lines) == pytest.approx(100, abs=1)
    wall = float(re.search(r"threads: ([\d.]+) µs", printed[case])[1])
    assert 0 < sum(float(spent) for *_, spent in lines) < wall

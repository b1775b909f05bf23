"""A campaign without its tools is left out, and its last line lists all that was absent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = ["atheris", "coverage", "gcovr", "psleak", "psutil"]
# By campaign, what it says at last on a machine that has no program and none of these modules.
LACKING = {
    "analyze": "gcc, clang-tidy, cppcheck",
    "asan": "gcc",
    "coverage": "coverage, gcovr, gcc, gcov",
    "guided": "atheris, clang",
    "leaks": "psutil, psleak",
    "oom": "gcc, psutil",
    "oracle": "torch",
    "tsan": "gcc",
}
SCRIPT = """
import runpy, sys
sys.argv[1:] = ["--quick"]
sys.modules.update(dict.fromkeys({modules}))
runpy.run_module("campaigns.{campaign}", run_name="__main__")
"""


def run(campaign, modules=()):
    """The exit code of a campaign, where no program is found, and the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(campaign=campaign, modules=modules)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PATH": "", "CI": "true"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="campaigns run on Linux")
@pytest.mark.parametrize("campaign", LACKING)
def test_a_campaign_ends_with_all_that_is_absent(campaign):
    # With a torch that is None, scikit-learn cannot be imported, as the other campaigns do.
    code, lines = run(campaign, ["torch"] if campaign == "oracle" else MODULES)
    assert (code, lines[-1]) == (0, f"absent in all: {LACKING[campaign]}")
    said = [line.removeprefix("absent: ") for line in lines if line.startswith("absent: ")]
    assert ", ".join(said) == LACKING[campaign]

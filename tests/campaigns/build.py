"""Builds of the package with an instrument compiled in, and processes that run them.

Everything runs in tests/, so that the package comes from the build that PYTHONPATH names, and
from the venv where it names none.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
BUILDS = ROOT / "build"

# Small networks, which are soon trained, run on several threads, too.
SHARE_ALL_WORK = "-DMLP_SHARE_ALL_WORK"


def build(name: str, compile_flags: str, link_flags: str, **environment: str) -> Path:
    """The directory with the package as built with such flags, build/<name>/lib."""
    base, lib = BUILDS / name, BUILDS / name / "lib"
    shutil.rmtree(base, ignore_errors=True)
    flags = {"MLP_C_CFLAGS": f"-g {compile_flags}", "MLP_C_LDFLAGS": link_flags}
    command = [sys.executable, "setup.py", "--quiet", "build", "--build-base", base]
    command += ["--build-lib", lib, "--parallel", str(os.cpu_count())]
    subprocess.run(command, cwd=ROOT, env=os.environ | flags | environment, check=True)
    return lib


def runtime(*libraries: str) -> str | None:
    """GCC's libraries as LD_PRELOAD takes them; None, having said so, if one is absent."""
    paths = []
    for library in libraries:
        command = ["gcc", f"-print-file-name={library}"]
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if not os.path.isabs(path):
            print(f"absent: {library} of gcc")
            return None
        paths.append(path)
    return " ".join(paths)


def run(
    *command: object, environment: dict[str, str] | None = None, prefix: Sequence[str] = ()
) -> int:
    """The exit code of `<prefix> python <command>` in tests/."""
    command = tuple(map(str, command))
    print("$ python", *command, flush=True)
    return subprocess.run(
        [*prefix, sys.executable, *command],
        cwd=TESTS,
        env=os.environ | (environment or {}),
        check=False,
    ).returncode

"""Builds of the package with an instrument compiled in, and processes that run them.

Everything runs in tests/, so that the package comes from the build that PYTHONPATH names, and
from the venv where it names none.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
BUILDS = ROOT / "build"

# Small networks, which are soon trained, run on several threads, too.
SHARE_ALL_WORK = "-DMLP_SHARE_ALL_WORK"

_absent: list[str] = []  # what a campaign, or a part of one, was left out for


def lacks(what: str) -> None:
    """Say what is absent, now and once more at the end."""
    print(f"absent: {what}", flush=True)
    _absent.append(what)


def has_programs(*names: str) -> bool:
    """Whether this machine has some programs; says which it lacks."""
    return _has(names, shutil.which)


def has_modules(*names: str) -> bool:
    """Whether this Python has some modules; says which it lacks."""
    return _has(names, find_spec)


def _has(names: Sequence[str], find: Callable[[str], object]) -> bool:
    lacking = [name for name in names if find(name) is None]
    for name in lacking:
        lacks(name)
    return not lacking


def end(code: int) -> NoReturn:
    """End a campaign; its last line has all that was absent, so that none goes unseen."""
    print(f"absent in all: {', '.join(_absent) or 'nothing'}", flush=True)
    sys.exit(code)


def build(
    name: str, compile_flags: str, link_flags: str, *, testing: bool = True, **environment: str
) -> Path:
    """The directory with the package as built with such flags, build/<name>/lib.

    For the instruction sets of this machine; with what lends single kernels to tests, or without.
    """
    from mlp_c import _core  # not where a campaign only says what is absent

    base, lib = BUILDS / name, BUILDS / name / "lib"
    shutil.rmtree(base, ignore_errors=True)
    flags = {"MLP_C_CFLAGS": f"-g -UNDEBUG {compile_flags}", "MLP_C_LDFLAGS": link_flags}
    flags["MLP_C_TESTING"] = "1" if testing else "0"
    flags["MLP_C_BUILD_ISAS"] = ",".join(_core.config()["supported_isas"])
    command = [sys.executable, "setup.py", "--quiet", "build", "--build-base", base]
    command += ["--build-lib", lib, "--parallel", str(os.cpu_count())]
    subprocess.run(command, cwd=ROOT, env=os.environ | flags | environment, check=True)
    return lib


def runtime(*libraries: str) -> str | None:
    """GCC's libraries as LD_PRELOAD takes them; None, having said so, if one is absent."""
    if not has_programs("gcc"):
        return None
    paths = []
    for library in libraries:
        command = ["gcc", f"-print-file-name={library}"]
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if os.path.isabs(path):
            paths.append(path)
        else:
            lacks(f"{library} of gcc")
    return " ".join(paths) if len(paths) == len(libraries) else None


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

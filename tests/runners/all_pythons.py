"""Runs the suite on every CPython from 3.11 on that this machine has.

Looks on PATH and among pyenv's versions, makes a venv for each minor version in
.venvs/, installs the package with its test requirements, runs pytest, and names the
versions it did not find.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = [(3, minor) for minor in range(11, 16)]
PROBE = (
    "import sys; print(sys.implementation.name, *sys.version_info[:2], "
    "sys.version_info.releaselevel)"
)


def candidates() -> list[Path]:
    """Interpreters by name on PATH, then pyenv's, newest first."""
    found = [shutil.which(f"python{major}.{minor}") for major, minor in VERSIONS]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    installed = sorted(
        pyenv.glob("3.*/bin/python"), key=lambda p: [int(n) for n in re.findall(r"\d+", str(p))]
    )
    return [*reversed(installed), *(Path(path) for path in found if path)]


def interpreters() -> dict[tuple[int, int], Path]:
    """One working CPython for each version."""
    found: dict[tuple[int, int], Path] = {}
    for path in candidates():
        probe = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, check=False)
        match probe.stdout.split():
            case ["cpython", major, minor, "final"]:
                found.setdefault((int(major), int(minor)), path)
    return {version: found[version] for version in VERSIONS if version in found}


def run_suite(version: tuple[int, int], python: Path) -> bool:
    """Whether the suite passes on a fresh venv of this interpreter."""
    venv = ROOT / ".venvs" / "{}.{}".format(*version)
    subprocess.run([python, "-m", "venv", "--clear", venv], check=True)
    install = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--editable", ".[test]"]
    environment = {**os.environ, "MLP_C_TESTING": "1"}
    suite = [venv / "bin/python", "-m", "pytest", *sys.argv[1:]]
    return all(
        subprocess.run(step, cwd=ROOT, env=environment, check=False).returncode == 0
        for step in (install, suite)
    )


def main() -> int:
    found = interpreters()
    results = {}
    for version, python in found.items():
        print("== CPython {}.{}: {}".format(*version, python), flush=True)
        results[version] = run_suite(version, python)
    for version in VERSIONS:
        outcome = {True: "passed", False: "FAILED", None: "not found"}[results.get(version)]
        print("CPython {}.{}: {}".format(*version, outcome))
    return 0 if results and all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

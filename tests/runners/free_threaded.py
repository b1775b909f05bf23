"""Runs the suite on a free-threaded CPython, with the GIL off.

Takes the interpreter that PYTHON_FT names, or else python3.14t or python3.13t on PATH or among
pyenv's versions; makes a venv in .venvs/ and installs the package with its test requirements.
Then it checks that importing the package leaves the GIL off, names the requirements that turn
it on, and runs pytest with the GIL off: the whole suite, and the tests of fits, predictions
and kernels once more with each test in four threads at once.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.14t", "3.13t")
NOT_FOUND = """No free-threaded CPython was found: have python3.14t or python3.13t on PATH, or name
one, PYTHON_FT=/path/to/python. docs/inside/free-threading.md says where it comes from."""
PROBE = "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED'))"

# What the tests import beside the package, which the import of the package does not.
REQUIREMENTS = ("pandas", "hypothesis", "cloudpickle", "rich")
IMPORT = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(sys.version.split()[0], "on" if sys._is_gil_enabled() else "off")
"""

# Tests of what is the process's (its signals, threads, memory, warnings) are not among these.
IN_PARALLEL = (
    "ecosystem/test_conversion.py",
    "estimators/test_fit_edges.py",
    "estimators/test_inputs.py",
    "estimators/test_parity.py",
    "kernels/test_accuracy.py",
    "kernels/test_bits.py",
    "kernels/test_initialize.py",
    "kernels/test_long_rows.py",
    "kernels/test_oracle.py",
    "kernels/test_properties.py",
    "kernels/test_rejections.py",
    "kernels/test_value_rejections.py",
)


def candidates() -> list[str]:
    """The interpreter that is named, or those found, the newest version first."""
    if named := os.environ.get("PYTHON_FT"):
        return [named]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for version in VERSIONS:
        found.append(shutil.which(f"python{version}"))
        found += map(str, pyenv.glob(f"{version[:-1]}.*t/bin/python"))
    return list(filter(None, found))


def is_free_threaded(path: str) -> bool:
    probe = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, check=False)
    return probe.stdout.strip() == "1"


def gil_after_import(python: Path, module: str) -> str:
    """Whether the GIL is 'on' or 'off' in a process that imports a module; prints it."""
    command = [python, "-W", "ignore", "-c", IMPORT, module]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{module} cannot be imported:\n{done.stderr}")
    version, gil = done.stdout.split()
    print(f"CPython {version}, after import {module}: the GIL is {gil}", flush=True)
    return gil


def main() -> int:
    interpreter = next(filter(is_free_threaded, candidates()), None)
    if interpreter is None:
        print(NOT_FOUND)
        return 1
    python = ROOT / ".venvs" / "free-threaded" / "bin" / "python"
    subprocess.run([interpreter, "-m", "venv", "--clear", python.parent.parent], check=True)
    # Of some requirements only older versions come built for an interpreter.
    install = [python, "-m", "pip", "install", "--quiet", "--editable", ".[test-free-threaded]"]
    subprocess.run(
        install,
        cwd=ROOT,
        env={**os.environ, "PIP_PREFER_BINARY": "1", "MLP_C_TESTING": "1"},
        check=True,
    )
    if gil_after_import(python, "mlp_c") != "off":
        return 1
    for module in REQUIREMENTS:
        gil_after_import(python, module)
    # What turns the GIL on is a requirement of some tests; they run with it off all the same.
    environment = {**os.environ, "PYTHON_GIL": "0"}
    pytest = [python, "-m", "pytest", *sys.argv[1:]]
    in_parallel = ["--parallel-threads=4", "--skip-thread-unsafe=true"]
    in_parallel += [f"tests/{name}" for name in IN_PARALLEL]
    results = [
        subprocess.run([*pytest, *arguments], cwd=ROOT, env=environment, check=False).returncode
        for arguments in ([], in_parallel)
    ]
    return 0 if results == [0, 0] else 1


if __name__ == "__main__":
    sys.exit(main())

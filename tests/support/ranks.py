"""Runs a function on several ranks of MPI, and takes what it returns on each."""

import importlib
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def find_mpiexec():
    """The launcher beside this Python, or on the path; None where there is none."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def require():
    """Skip where there is no MPI to run on."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    if find_mpiexec() is None:
        pytest.skip("mpiexec is neither beside this Python nor on the path")


def environment():
    """In which ranks find the package and the tests, wherever they run."""
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run(n, function, directory, *args, timeout=240):
    """What a function of a module of the tests returns on each of `n` ranks.

    A rank that raises, hangs or is killed is an error here, with what all have printed.
    """
    directory = Path(directory)
    directory.mkdir(exist_ok=True)
    where = directory / "call.pickle"
    where.write_bytes(pickle.dumps((function.__module__, function.__qualname__, args)))
    command = [find_mpiexec(), "-n", str(n), sys.executable, "-m", "support.ranks", str(directory)]
    ran = subprocess.run(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
    )
    results = [directory / f"{rank}.pickle" for rank in range(n)]
    if ran.returncode != 0 or not all(path.exists() for path in results):
        pytest.fail(f"{n} ranks ended with {ran.returncode}:\n{ran.stdout.decode()}")
    return [pickle.loads(path.read_bytes()) for path in results]


def _main(directory):
    from mpi4py import MPI

    directory = Path(directory)
    module, name, args = pickle.loads((directory / "call.pickle").read_bytes())
    result = getattr(importlib.import_module(module), name)(*args)
    (directory / f"{MPI.COMM_WORLD.Get_rank()}.pickle").write_bytes(pickle.dumps(result))


if __name__ == "__main__":
    _main(sys.argv[1])

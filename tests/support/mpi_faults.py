"""Functions of test modules that several MPI processes run, and faults in the midst of their fits.

Whatever hangs ends: each case has a time limit, after which its process says where it was.
"""

import faulthandler
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

from mlp_c._mpi.agreement import without_addresses
from support.ranks import find_mpiexec

TESTS = os.path.dirname(os.path.dirname(__file__))

# Of a case, and of all processes together.
CASE_SECONDS = 40
ALL_SECONDS = 600

# What all processes of a launch have in their environment.
_MARK = "MLP_C_TEST_LAUNCH"


class Launch:
    """What processes made of a function: how they ended, and what each said."""

    def __init__(self, folder, size, status, complaints, seconds, left):
        self.status, self.complaints, self.seconds, self.left = status, complaints, seconds, left
        self.said = []
        for rank in range(size):
            path = Path(folder, f"{rank}.json")
            lines = path.read_text().splitlines(keepends=True) if path.exists() else []
            self.said.append([json.loads(line) for line in lines if line.endswith("\n")])

    @property
    def failure(self):
        """What went wrong; None where all ended well, in time."""
        if self.status == 0 and not self.left:
            return None
        return f"exit status {self.status}, left: {self.left}\n{self.complaints[-6000:]}"

    def by_case(self):
        """What each rank said of a case, by its name, of the cases that all came to the end of."""
        cases = {}
        for of_ranks in zip(*self.said, strict=self.failure is None):
            names, answers = zip(*of_ranks, strict=True)
            assert set(names) == {names[0]}
            assert names[0] not in cases
            cases[names[0]] = list(answers)
        return cases


def launch(size, function, *arguments, timeout=ALL_SECONDS, seconds_to_leave=5, during=None):
    """Has processes run a generator of a test module, which yields pairs of a name and an answer.

    `during` is called with the process ids by rank when all have begun. Kills what is left
    `seconds_to_leave` after the launcher has ended.
    """
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    place = [function.__module__, function.__name__, json.dumps(arguments)]
    with tempfile.TemporaryDirectory() as folder:
        command = [find_mpiexec(), "-n", str(size), sys.executable, "-W", "ignore"]
        command += ["-m", "support.mpi_faults", folder, *place]
        start = time.monotonic()
        with open(os.path.join(folder, "complaints"), "w+") as complaints:
            process = subprocess.Popen(
                command,
                cwd=TESTS,
                env={**os.environ, "OMP_NUM_THREADS": "1", _MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=complaints,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                if during is not None:
                    during(_pids(folder, size, start + timeout))
                status = process.wait(max(start + timeout - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                status = f"killed after {timeout} s"
                seconds_to_leave = 0
            except BaseException:
                seconds_to_leave = 0
                raise
            finally:
                left = _end(mark, process, seconds_to_leave)
            seconds = time.monotonic() - start
            complaints.seek(0)
            return Launch(folder, size, status, complaints.read(), seconds, left)


def _pids(folder, size, deadline):
    paths = [Path(folder, f"{rank}.pid") for rank in range(size)]
    while not all(path.exists() and path.read_text().endswith("\n") for path in paths):
        assert time.monotonic() < deadline, "the processes have not begun"
        time.sleep(0.01)
    return [int(path.read_text()) for path in paths]


def _end(mark, process, seconds):
    """Waits for the processes of a launch to leave; kills and returns those that do not."""
    deadline = time.monotonic() + seconds
    while left := _marked(mark):
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if process.poll() is None:
        process.kill()
        process.wait()
    return left


def _marked(mark):
    """The processes of a launch, where the system tells of them: launchers, too."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"{_MARK}={mark}".encode() in entry.joinpath("environ").read_bytes().split(b"\0"):
                state = entry.joinpath("stat").read_text().rpartition(")")[2].split()[0]
                found += [int(entry.name)] if state not in "ZX" else []
        except OSError:  # another user's, or gone
            pass
    return found


# ---- in the processes ----


def ending_of(work):
    """How a call ended, as JSON holds it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            work()
            ending = "done"
        except KeyboardInterrupt:
            ending = "KeyboardInterrupt"
        except BaseException as error:
            ending = without_addresses(f"{type(error).__name__}: {error}")
    warned = sorted({str(w.message).partition(".")[0] for w in caught if w.category is UserWarning})
    return [ending, *warned]


@contextmanager
def time_limit(seconds):
    """Ends the process, which says where it was, if it takes longer."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def interrupt_self():
    """Has Ctrl-C come to this process."""
    os.kill(os.getpid(), signal.SIGINT)


def interrupt_after(seconds):
    timer = threading.Timer(seconds, interrupt_self)
    timer.daemon = True
    timer.start()
    return timer


def _main(folder, module, name, arguments):
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    rank = comm.Get_rank()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    function = getattr(importlib.import_module(module), name)
    comm.Barrier()
    Path(folder, f"{rank}.pid").write_text(f"{os.getpid()}\n")
    with open(os.path.join(folder, f"{rank}.json"), "w") as said:
        cases = iter(function(comm, *json.loads(arguments)))
        while True:
            with time_limit(CASE_SECONDS):
                answer = next(cases, None)
            if answer is None:
                break
            print(json.dumps(answer), file=said, flush=True)


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        from mpi4py import MPI

        MPI.COMM_WORLD.Abort(1)

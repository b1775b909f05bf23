"""What may take its interpreter down, or hang it, is called in a process of its own."""

import inspect
import os
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(__file__))
# Ctrl-C is what it is in a terminal: a shell's jobs in the background ignore it.
CALL = (
    "import signal, sys, {0}; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "{0}.{1}(*sys.argv[1:])"
)


def end_parked_threads():
    """Ends the threads that earlier calls have left parked: a fork does."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def run(function, *arguments, timeout=60, **environment):
    """Calls a test module's function with strings; returns what it prints.

    Fails unless it returns, and the interpreter ends, within the time.
    """
    code = CALL.format(inspect.getmodule(function).__name__, function.__name__)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", code, *map(str, arguments)],
        cwd=TESTS,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stderr[-4000:]}"
    return done.stdout

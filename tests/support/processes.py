"""What may take its interpreter down, or hang it, is called in a process of its own.

Such processes are forks of an interpreter that has imported the package and done nothing else: to
import it anew takes seconds.
"""

import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

TESTS = os.path.dirname(os.path.dirname(__file__))


def end_parked_threads():
    """Ends the threads that earlier calls have left parked: a fork does."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


class Imported:
    """An interpreter with the package imported, in this process's environment or one with more."""

    def __init__(self, **environment):
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-W", "ignore", "-m", "support.forked"],
            cwd=TESTS,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, module, name, arguments, outputs, timeout):
        """Calls a function in a fork, whose outputs become files; its exit status."""
        request = json.dumps([module, name, arguments, outputs])
        print(request, file=self._process.stdin, flush=True)
        child = int(self._process.stdout.readline())
        too_late = threading.Timer(timeout, os.kill, [child, signal.SIGKILL])
        too_late.start()
        try:
            return int(self._process.stdout.readline())
        finally:
            too_late.cancel()


# For each environment one, as long as this process lasts: its end is the end of their input.
imported = cache(Imported)


def run(function, *arguments, timeout=60, **environment):
    """Calls a test module's function with strings; returns what it prints.

    Fails unless it returns, and the interpreter ends, within the time.
    """
    with tempfile.TemporaryDirectory() as folder:
        outputs = [os.path.join(folder, name) for name in ("stdout", "stderr")]
        place = inspect.getmodule(function).__name__, function.__name__
        status = imported(**environment).call(*place, [*map(str, arguments)], outputs, timeout)
        printed, complaints = (Path(path).read_text() for path in outputs)
    assert status == 0, f"exit status {status}\n{complaints[-4000:]}"
    return printed

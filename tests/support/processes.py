"""What may take its interpreter down, or hang it, is called in a process of its own.

Such processes are forks of an interpreter that has imported what tests need: to import it takes
seconds.
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
    """An interpreter that makes each call in a fork of itself.

    It has the environment that this process had when it began, with some variables more.
    """

    def __init__(self, **environment):
        # A thread of pyarrow's would be there at each fork; ThreadSanitizer sees nothing then.
        alone = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-W", "ignore", "-m", "support.forked"],
            cwd=TESTS,
            env={**os.environ, **alone, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _read(self):
        """The number that a line holds."""
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"support.forked ended with status {self._process.wait()}")
        return int(line)

    def call(self, module, name, arguments, outputs, timeout):
        """Calls a function in a fork, whose outputs become files.

        Returns its exit status, and whether it took too long and was killed.
        """
        print(json.dumps([module, name, arguments, outputs]), file=self._process.stdin, flush=True)
        child, late = self._read(), threading.Event()

        def kill():
            late.set()
            os.kill(child, signal.SIGKILL)

        too_late = threading.Timer(timeout, kill)
        too_late.start()
        try:
            return self._read(), late.is_set()
        except BaseException:  # Ctrl-C, or the time limit of pytest
            os.kill(child, signal.SIGKILL)
            raise
        finally:
            too_late.cancel()

    def end(self):
        """Ends the interpreter."""
        self._process.kill()
        self._process.wait()


# One for each environment. They end when this process does, as their input then ends.
imported = cache(Imported)


def run(function, *arguments, timeout=60, **environment):
    """Calls a test module's function with strings; returns what it prints.

    Fails unless it returns, and the interpreter ends, within the time. Not for several threads.
    """
    interpreter = imported(**environment)
    with tempfile.TemporaryDirectory() as folder:
        outputs = [os.path.join(folder, name) for name in ("stdout", "stderr")]
        place = inspect.getmodule(function).__name__, function.__name__
        try:
            status, was_late = interpreter.call(*place, [*map(str, arguments)], outputs, timeout)
        except BaseException:  # it is in the midst of an answer
            imported.cache_clear()
            interpreter.end()
            raise
        printed, complaints = (Path(path).read_text() for path in outputs)
    ending = f"killed after {timeout} s" if was_late else f"exit status {status}"
    assert status == 0, f"{ending}\n{complaints[-4000:]}"
    return printed

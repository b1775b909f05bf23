"""Worker processes to measure in. They contain only what they are started with."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Any

import psutil

REST = 0.1  # seconds before a measurement, so that threads of the last one fall asleep
SPAWN = multiprocessing.get_context("spawn")
# These variables override OpenBLAS's own choice of kernels and blocking.
OPENBLAS_CHOICES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
for choice in OPENBLAS_CHOICES:
    os.environ.pop(choice, None)


def apart(function: Callable, *arguments: Any) -> Any:
    """Calls the function in a process of its own and returns its result."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        return pool.submit(function, *arguments).result()


class Worker:
    """Our end of a process that a server runs in."""

    def __init__(self, server: type, name: str, *arguments: Any) -> None:
        self.name = name
        self.pipe, far_end = SPAWN.Pipe()
        args = (far_end, server, name, *arguments)
        self.process = SPAWN.Process(target=serve, args=args, daemon=True)
        self.process.start()
        far_end.close()

    def receive(self) -> Any:
        """The next answer. The first is None, or the reason why the server could not start."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            raise RuntimeError(f"the process of {self.name} has died") from None

    def ask(self, method: str, *arguments: Any) -> Any:
        """Calls a method of the server and returns its answer."""
        time.sleep(REST)
        self.pipe.send((method, *arguments))
        return self.receive()

    def close(self) -> None:
        self.pipe.close()
        self.process.join()


def serve(pipe: Any, make: type, *arguments: Any) -> None:
    """Answers requests until our end closes. Ctrl-C is left to the parent process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server = make(*arguments)
    except ImportError as error:
        pipe.send(str(error))
        return
    pipe.send(None)
    with suppress(EOFError):
        while True:
            method, *rest = pipe.recv()
            pipe.send(getattr(server, method)(*rest))


class Disturbance:
    """Measures, from now on, how many CPUs other processes than the workers keep busy."""

    def __init__(self, workers: list[Worker]) -> None:
        self.ours = [psutil.Process(), *(psutil.Process(w.process.pid) for w in workers)]
        self.start = self.now()

    def now(self) -> tuple[float, float]:
        """The clock, and the CPU seconds spent on other processes and virtual machines."""
        times = psutil.cpu_times()
        busy = times.user + times.system + getattr(times, "nice", 0) + getattr(times, "steal", 0)
        # With what our own children took that have ended, as those have that others start.
        return time.monotonic(), busy - sum(sum(p.cpu_times()[:4]) for p in self.ours)

    def cpus(self) -> float:
        (then, busy_then), (now, busy_now) = self.start, self.now()
        return max(0.0, (busy_now - busy_then) / (now - then))

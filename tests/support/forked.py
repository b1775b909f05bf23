"""Forks itself for each call that support.processes asks of it, by a line of JSON."""

import gc
import importlib
import json
import os
import signal
import sys

# What tests import, and what that imports.
import pytest  # noqa: F401
import scipy.sparse  # noqa: F401
import sklearn.metrics  # noqa: F401

import mlp_c  # noqa: F401
from support import calls  # noqa: F401


def redirect(descriptor, path, flags):
    """Has a descriptor be that of a file."""
    file = os.open(path, flags, 0o600)
    os.dup2(file, descriptor)
    os.close(file)


def next_call():
    """Returns in each fork, with the call that it is to make.

    The interpreter itself stays here. It prints a fork's number, and then its exit status.
    """
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            *call, (stdout, stderr) = json.loads(line)
            redirect(0, os.devnull, os.O_RDONLY)
            redirect(1, stdout, os.O_WRONLY | os.O_CREAT)
            redirect(2, stderr, os.O_WRONLY | os.O_CREAT)
            return call
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    sys.exit()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # else each fork, as it ends, looks through the objects of all modules
    module, name, arguments = next_call()
    # Ctrl-C is what it is in a terminal: a shell's jobs in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    getattr(importlib.import_module(module), name)(*arguments)

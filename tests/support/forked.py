"""Forks itself for each call that support.processes asks of it, by a line of JSON."""

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


def next_call():
    """In a fork: the call that it is to make, once its output goes to the files that are named.

    The others go on with the forks' numbers, and their exit statuses when they have ended.
    """
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            *call, outputs = json.loads(line)
            for descriptor, path in zip((1, 2), outputs, strict=True):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            return call
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    sys.exit()


if __name__ == "__main__":
    module, name, arguments = next_call()
    # Ctrl-C is what it is in a terminal: a shell's jobs in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    getattr(importlib.import_module(module), name)(*arguments)

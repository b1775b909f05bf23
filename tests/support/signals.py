"""Calls into C code that a signal comes into, in a process of their own."""

import importlib
import json
import signal

import numpy as np
import pytest

from mlp_c import _core
from support import calls, processes

PROMISED_SECONDS = 0.1
TOLERATED_SECONDS = 0.2  # of work: some machines are slow, and give memory slowly


def rows(n, width, dtype=np.float32):
    return np.random.default_rng(0).standard_normal((n, width), dtype=dtype)


def epoch(X, y, weights, biases, **options):
    """A call that trains in place, by gradient descent on squared errors."""
    options = {"loss": calls.loss("squared_error"), "batch_size": 1} | options
    fields = calls.fields("train_epoch", X, y, weights, biases, **options)
    return lambda: _core.train_epoch(fields)


def watch(module, how, case):
    print(json.dumps(list(getattr(importlib.import_module(module), how)(case))))


def run(how, case):
    """What a test module's generator yields of a case."""
    return json.loads(processes.run(watch, how.__module__, how.__name__, case, timeout=120))


has_alarms = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")

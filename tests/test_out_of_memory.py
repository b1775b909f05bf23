"""Every single allocation of the interpreter's may fail: MemoryError, and the next call works."""

import subprocess
import sys

import pytest

pytest.importorskip("_testcapi", reason="this CPython was built without _testcapi")

SCRIPT = """
import sys
import _testcapi
import numpy as np
from mlp_c import _core

random = np.random.default_rng(0)
X, y = random.random((20, 8)), np.arange(20) % 3
weights, biases = [random.random((8, 4)), random.random((4, 3))], [np.zeros(4), np.zeros(3)]
activations = _core.forward(X, weights, biases, "relu", None, 1)
gradient = random.random((20, 3))
loss = "cross_entropy", 0.0, 100.0
rule = "sgd", 0.001, 0.0, 0.0, 0.0, 0.0, 0
outputs = [np.empty_like(w) for w in weights], [np.empty_like(b) for b in biases]
calls = {
    "forward": lambda: _core.forward(X, weights, biases, "relu", None, 1),
    "backward": lambda: _core.backward(X, activations, gradient, weights, "relu", None, 1),
    "softmax": lambda: _core.softmax(gradient, None),
    "softmax_cross_entropy": lambda: _core.softmax_cross_entropy(gradient, y, 0.0, None),
    "sgd_step": lambda: _core.sgd_step(weights, outputs[0], 0.0),
    "train_epoch": lambda: _core.train_epoch(
        X, y, None, None, weights, biases, "relu", loss, 0.0, 7, rule, (), 1),
    "loss_gradient": lambda: _core.loss_gradient(
        X, y, None, weights, biases, "relu", (*loss, 1.0), 0.0, *outputs, 1),
    "predict": lambda: _core.predict(X, None, weights, biases, "relu", loss[0], False, 1),
    "index_nonzeros": lambda: _core.index_nonzeros(X, "float64", 1.0, np.inf, 1),
}
call = calls[sys.argv[1]]
call()
failures = 0
for nth in range(1, 200):
    _testcapi.set_nomemory(nth, nth + 1)
    try:
        call()
    except MemoryError:
        failures += 1
    finally:
        _testcapi.remove_mem_hooks()
call()
assert failures > 0
print("whole")
"""
FUNCTIONS = ["forward", "backward", "softmax", "softmax_cross_entropy", "sgd_step", "train_epoch"]
FUNCTIONS += ["loss_gradient", "predict", "index_nonzeros"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_failed_allocation_is_a_memory_error(function):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, function],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "whole\n"), result.stderr[-2000:]

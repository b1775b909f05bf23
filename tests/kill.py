"""Processes killed at any moment: what they leave in files is whole.

``python tests/kill.py 50`` kills 50 processes that save models, and 50 in fits that write
checkpoints, and says what was found; the suite does the same with fewer. A seed may follow.
"""

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.base import clone

import mlp_c


def run_and_kill(work, seconds):
    """Whether a child process that does the work ended it before it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)  # it is there until it is waited for
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"the work failed: {status}"
    return not os.WIFSIGNALED(status)


def bits(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


def kill_saves(n, directory, seed=0):
    """Kill n processes that save one model and the other; count the files of each.

    And those that they left beside it, which are as many as were killed in the midst of one.
    """
    rng = random.Random(seed)
    path = Path(directory) / "model.safetensors"
    X = np.random.default_rng(0).standard_normal((20, 300))
    model = mlp_c.MLPRegressor(hidden_layer_sizes=(400,), solver="sgd", random_state=0)
    models = [clone(model).partial_fit(X, X[:, column]) for column in (0, 1)]
    models[0].save(path)

    def save_in_turn():
        while True:
            models[1].save(path)
            models[0].save(path)

    found = [0, 0]
    for _ in range(n):
        run_and_kill(save_in_turn, rng.uniform(0, 0.05))
        found[[bits(model) for model in models].index(bits(mlp_c.load(path)))] += 1
    return *found, len(list(path.parent.glob(".*.tmp")))


if __name__ == "__main__":
    n, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as directory:
        one, other, cut = kill_saves(n, directory, seed)
        print(f"{n} killed as they saved, {cut} in a file: all whole, {one} old and {other} new")

"""Processes killed at any moment: what they leave in files is whole.

``python tests/runners/kill.py 50`` kills 50 processes that save models, 50 in fits of a network
that write checkpoints and 50 in those of an ensemble, and says what was found. The suite does the
same with fewer. A seed may follow.
"""

import os
import random
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

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
    networks = getattr(model, "members_", [model])
    return [p.tobytes() for network in networks for p in network.coefs_ + network.intercepts_]


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
        run_and_kill(save_in_turn, rng.uniform(0, 0.15))
        found[[bits(model) for model in models].index(bits(mlp_c.load(path)))] += 1
    return *found, len(list(path.parent.glob(".*.tmp")))


def network():
    """One with masks, rates and moments, all of which go on."""
    model = mlp_c.MLPClassifier((200,), early_stopping=True, n_iter_no_change=30, max_iter=40)
    model.set_params(solver="adamw", learning_rate="cosine", warmup=0.1, max_grad_norm=0.5)
    return model.set_params(dropout=0.2, input_dropout=0.1, random_state=0)


def ensemble():
    """One whose members are over at different times."""
    model = mlp_c.TabularMLPClassifier(3, hidden_layer_sizes=9, max_iter=20, n_iter_no_change=3)
    return model.set_params(n_bins=4, n_threads=1, random_state=0)


def kill_fits(n, directory, model, seed=0):
    """Fit with checkpoints in processes that are killed, resumed and killed, n times at least.

    Each fit that comes to its end, at last, has the bits of one that nothing stopped. Returns how
    many processes were killed, and how many of these in the midst of a file.
    """
    rng = random.Random(seed)
    path, result = Path(directory) / "fit.safetensors", Path(directory) / "result.safetensors"
    X = np.random.default_rng(0).standard_normal((500, 40))
    y = np.digitize(X[:, 0] * X[:, 1], [-0.5, 0.5])
    whole = bits(clone(model).fit(X, y))

    def fit():
        if path.exists():
            fitted = mlp_c.resume(path, X, y)
        else:
            fitted = clone(model).set_callbacks(mlp_c.Checkpoint(path)).fit(X, y)
        fitted.save(result)

    killed = 0
    while killed < n:
        while not run_and_kill(fit, rng.uniform(0, 0.15)):
            killed += 1
            if path.exists():
                mlp_c.load(path)
        assert bits(mlp_c.load(result)) == whole
        result.unlink()
        path.unlink()
    return killed, len(list(path.parent.glob(".*.tmp")))


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)
    n, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as directory:
        one, other, cut = kill_saves(n, directory, seed)
    print(f"{n} killed as they saved, {cut} in a file: all whole, {one} old and {other} new")
    for model in (network(), ensemble()):
        with tempfile.TemporaryDirectory() as directory:
            killed, cut = kill_fits(n, directory, model, seed)
        print(f"{killed} killed in fits of {type(model).__name__}, {cut} in a file:", end=" ")
        print("all whole, all fits resumed to the same bits")

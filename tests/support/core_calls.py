"""A valid call of every function of mlp_c._core that allocates, as a list of arguments."""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from mlp_c import _core


def examples(dtype=np.float64, n=20, widths=(8, 4, 3), n_threads=1):
    """{case: arguments}; a case is a function's name and, of a second one, what of.

    Every call can be made again: outputs and weights are written over.
    """
    rng = np.random.default_rng(0)
    shapes = list(pairwise(widths))

    def draw(*shape):
        return rng.random(shape).astype(dtype)

    def new():
        return [np.empty(s, dtype) for s in shapes], [np.empty(k, dtype) for k in widths[1:]]

    X, y = draw(n, widths[0]), np.arange(n) % widths[-1]
    X[rng.random(X.shape) < 0.5] = 0
    rows = sp.csr_array(X)
    csr = rows.data, rows.indices, rows.indptr, widths[0]
    weights, biases = [draw(*shape) for shape in shapes], [draw(k) for k in widths[1:]]
    activations = [draw(n, k) for k in widths[1:]]
    logits, out = draw(n, widths[-1]), draw(n, widths[-1])
    loss = "cross_entropy", 0.0, 100.0
    sgd = "sgd", 0.001, 0.0, 0.0, 0.0, 0.0
    adam = "adam", 0.001, 0.0, 0.9, 0.999, 1e-8
    moments = tuple([np.zeros_like(p) for p in weights + biases] for _ in range(2))
    network = weights, biases, "relu"
    both = np.ones(2 * n, dtype)
    ones, order, steps = np.ones(n, dtype), np.arange(n)[::-1], np.zeros(1, np.int64)
    name = np.dtype(dtype).name
    cases = {
        "forward": (X, *network, None, n_threads),
        "forward into": (X, *network, [np.empty_like(a) for a in activations], n_threads),
        "backward": (X, activations, logits, weights, "relu", None, n_threads),
        "backward into": (X, activations, logits, weights, "relu", new(), n_threads),
        "softmax": (logits, None),
        "softmax into": (logits, out),
        "softmax_cross_entropy": (logits, y, 0.0, None),
        "softmax_cross_entropy into": (logits, draw(n, widths[-1]), 0.0, out),
        "sgd_step interleaved": ([both[::2]], [both[1::2]], 0.0),
        "sgd_step": (weights + biases, [np.ones_like(p) for p in weights + biases], 0.0),
        "train_epoch": (X, y, None, None, *network, loss, 0.0, 7, sgd, (), steps, n_threads),
        "train_epoch of CSR": (
            *(csr, y, ones, order, *network, loss, 0.1, 7, adam, moments, steps, n_threads),
        ),
        "loss_gradient": (X, y, None, *network, (*loss, 1.0), 0.0, *new(), n_threads),
        "loss_gradient of CSR": (csr, y, ones, *network, (*loss, 1.0), 0.1, *new(), n_threads),
        "predict": (X, None, *network, loss[0], False, n_threads),
        "predict of rows": ((X, None), order, *network, loss[0], False, n_threads),
        "index_nonzeros": (X, name, 1.0, np.inf, n_threads),
        "config": (),
    }
    return {case: list(arguments) for case, arguments in cases.items()}


CASES = list(examples())

# By case, the places of the arguments that are written to; of others, none is.
WRITTEN = {
    "forward into": [4],
    "backward into": [5],
    "softmax into": [1],
    "softmax_cross_entropy into": [3],
    "sgd_step interleaved": [0],
    "sgd_step": [0],
    "train_epoch": [4, 5, 12],
    "train_epoch of CSR": [4, 5, 11, 12],
    "loss_gradient": [8, 9],
    "loss_gradient of CSR": [8, 9],
}


def function(case):
    return getattr(_core, case.split()[0])

"""Random networks, data and teams of threads: nothing crashes, and threads change no bit.

For builds that look for errors while they run: every dtype, kind of rows, layout of weights,
update rule and instruction set, one setting after the other until the time is up.
"""

import copy
import time
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from campaigns import options
from mlp_c import _core, kernels
from support import calls

WIDTHS = [1, 2, 7, 16, 31, 63, 64, 65, 100, 127, 128, 129, 130, 257]
RULES = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2}


def choose(rng, *options):
    return options[rng.integers(len(options))]


def draw_rows(rng, n, n_in, dtype):
    """Dense rows, and the same in one of the forms that the extension takes."""
    X = rng.standard_normal((n, n_in)).astype(dtype)
    X[rng.random(X.shape) > choose(rng, 0, 0.05, 0.3, 1)] = 0
    X = choose(rng, X, X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2])
    match choose(rng, "dense", "zeros skipped", "pairs", "CSR", "float16"):
        case "zeros skipped":
            return X, (X, None)
        case "pairs":
            index = _core.index_nonzeros(X, X.dtype.name, 1.0, np.inf, int(rng.integers(1, 5)))
            return X, X if index is None else index
        case "CSR":
            rows = sp.csr_array(X)
            places = rows.indices.astype(choose(rng, "u4", "i8"))
            return X, (rows.data, places, rows.indptr, n_in)
        case "float16":
            return X, X.astype(np.float16)
    return X, X


def draw_weights(rng, widths, dtype):
    """Weights of one of three layouts, and biases."""
    weights = [rng.standard_normal(shape).astype(dtype) for shape in pairwise(widths)]
    match choose(rng, "C", "C", "F", "strided"):
        case "F":
            weights = [np.asfortranarray(w) for w in weights]
        case "strided":
            weights = [np.repeat(np.repeat(w, 2, axis=0), 3, axis=1)[::2, ::3] for w in weights]
    return weights, [rng.standard_normal(n_out).astype(dtype) for n_out in widths[1:]]


def draw_epoch(rng):
    """Dense rows, and the arguments of a train_epoch but for the number of threads."""
    dtype = choose(rng, np.float32, np.float64)
    n, n_in = choose(rng, 1, 2, 5, 40, 129, 300, 700), choose(rng, 0, 1, 2, 15, 16, 33, 100, 301)
    hidden = rng.choice(WIDTHS, rng.integers(3)).tolist()
    widths = [n_in, *hidden, choose(rng, 1, 2, 10, 16, 17, 64, 130)]
    dense, rows = draw_rows(rng, n, n_in, dtype)
    weights, biases = draw_weights(rng, widths, dtype)
    rule = choose(rng, *RULES)
    moments = tuple([np.zeros_like(p) for p in weights + biases] for _ in range(RULES[rule]))
    sample_weight = (rng.random(n) * (rng.random(n) < 0.5)).astype(dtype)
    order = rng.integers(0, n, rng.integers(1, 2 * n + 1))
    return dense, (
        rows,
        rng.integers(0, widths[-1], n),
        choose(rng, None, None, sample_weight),
        choose(rng, None, order, order),
        weights,
        biases,
        choose(rng, "relu", "tanh", "identity", "logistic"),
        ("cross_entropy", 0.0, 1e300),
        choose(rng, 0.0, 0.1),
        choose(rng, 1, 3, 64, 200, 257, 600),
        (rule, 0.01, 0.9, 0.9, 0.999, 1e-8),
        moments,
        np.zeros(1, np.int64),
    )


def results(dense, epoch, n_threads):
    """The bits of what every function makes of a setting, on copies of what it writes to."""
    epoch = copy.deepcopy(epoch)
    rows, y, sample_weight, order, weights, biases, activation, loss, l2, *_, moments, steps = epoch
    dweights, dbiases = [np.empty_like(w) for w in weights], [np.empty_like(b) for b in biases]
    activations = kernels.forward(dense, weights, biases, n_threads=n_threads)
    gradient = kernels.backward(dense, activations, activations[-1], weights, n_threads=n_threads)
    total = _core.loss_gradient(
        *(rows, y, sample_weight, weights, biases, activation, (*loss, 1.0), l2),
        *(dweights, dbiases, n_threads),
    )
    trained = _core.train_epoch(*epoch, n_threads)
    outputs = _core.predict(
        rows, order, weights, biases, activation, loss[0], rows is dense, n_threads
    )
    numbers = np.array([total, *trained])
    return calls.bits(
        [
            activations,
            gradient,
            dweights,
            dbiases,
            weights,
            biases,
            moments,
            steps,
            outputs,
            numbers,
        ]
    )


def main():
    bounds = options.parse(__doc__, seed=0, seconds=(300, 15))
    isas = _core.config()["supported_isas"]
    end, n = time.monotonic() + bounds.seconds, 0
    while time.monotonic() < end:
        rng = np.random.default_rng([bounds.seed, n])
        _core.set_isa(choose(rng, *isas))
        setting, n_threads = draw_epoch(rng), int(rng.integers(2, 9))
        same = results(*setting, n_threads) == results(*setting, 1)
        assert same, f"setting {n} of seed {bounds.seed} has other bits on {n_threads} threads"
        n += 1
    print(f"seed {bounds.seed}: {n} random settings")


if __name__ == "__main__":
    main()

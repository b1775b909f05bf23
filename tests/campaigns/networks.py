"""Random networks, data and teams of threads: nothing crashes, and threads change no bit.

For builds that look for errors while they run: every dtype, kind of rows, layout of weights,
update rule and instruction set, with and without dropout, decay and clipped gradients, one setting
after the other until the time is up.
"""

import copy
import time
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from campaigns import options
from mlp_c import _core, kernels
from support import calls, coded

WIDTHS = [1, 2, 7, 16, 31, 63, 64, 65, 100, 127, 128, 129, 130, 257]


def choose(rng, *options):
    return options[rng.integers(len(options))]


def draw_rows(rng, n, n_in, dtype):
    """Dense rows, and the same in one of the forms that the extension takes."""
    X = rng.standard_normal((n, n_in)).astype(dtype)
    X[rng.random(X.shape) > choose(rng, 0, 0.05, 0.3, 1)] = 0
    X = choose(rng, X, X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2])
    match choose(rng, "dense", "zeros skipped", "pairs", "CSR", "float16", "coded"):
        case "zeros skipped":
            return X, (X, None)
        case "pairs":
            index = _core.index_nonzeros(X, X.dtype.name, 1.0, np.inf, int(rng.integers(1, 5)))
            return X, X if index is None else index
        case "CSR":
            rows = sp.csr_array(X)
            columns = rows.indices.astype(choose(rng, "u4", "i8"))
            return X, (rows.data, columns, rows.indptr, n_in)
        case "float16":
            return X, X.astype(np.float16)
        case "coded":  # of as many columns as there are inputs for
            rows = coded.draw(rng, n, d=n_in // 8)
            return coded.encode(rows, dtype), rows
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


def draw_activation(rng, n_hidden):
    """A name for all hidden layers, or a list or tuple of one for each."""
    names = _core.names()["activations"]
    each = [choose(rng, *names) for _ in range(n_hidden)]
    return choose(rng, choose(rng, *names), each, each, tuple(each))


def draw_epoch(rng):
    """Dense rows, and the fields of a train_epoch."""
    dtype = choose(rng, np.float32, np.float64)
    n, n_in = choose(rng, 1, 2, 5, 40, 129, 300, 700), choose(rng, 0, 1, 2, 15, 16, 33, 100, 301)
    hidden = rng.choice(WIDTHS, rng.integers(3)).tolist()
    dense, rows = draw_rows(rng, n, n_in, dtype)
    widths = [dense.shape[1], *hidden, choose(rng, 1, 2, 10, 16, 17, 64, 130)]
    weights, biases = draw_weights(rng, widths, dtype)
    rule = choose(rng, *calls.RULES)
    sample_weight = (rng.random(n) * (rng.random(n) < 0.5)).astype(dtype)
    order = rng.integers(0, n, rng.integers(1, 2 * n + 1))
    order = choose(rng, None, order, order)
    batch_size = choose(rng, 1, 3, 64, 200, 257, 600)
    return dense, calls.fields(
        *("train_epoch", rows, rng.integers(0, widths[-1], n), weights, biases),
        sample_weight=choose(rng, None, None, sample_weight),
        order=order,
        activation=draw_activation(rng, len(hidden)),
        loss=calls.loss("cross_entropy", floor=0.0, ceiling=1e300),
        l2=choose(rng, 0.0, 0.1),
        batch_size=batch_size,
        rule=calls.rule(rule),
        weight_decay=choose(rng, 0.0, 0.1),
        max_grad_norm=choose(rng, 0.0, 0.1, 1e-300, np.inf),
        dropout=[choose(rng, 0.0, 0.2, 0.999) for _ in weights],
        seed=int(rng.integers(2**53)),
        learning_rates=0.02 * rng.random(-(-2 * n // batch_size)),  # more than are read
        moments=calls.moments(rule, weights + biases),
    )


def train_members(given, n_threads):
    """Three networks on the same rows: all that they have written to, and their losses."""
    written = [
        {name: copy.deepcopy(given[name]) for name in ("weights", "biases", "moments", "steps")}
        for _ in range(3)
    ]
    names = "X", "y", "sample_weight", "activation", "loss", "order"
    shared = {name: given[name] for name in names}
    members = []
    for own in written:
        network = {"weights": own["weights"], "biases": own["biases"]}
        members.append((given | own, calls.fields("evaluate", **shared, **network)))
    losses = _core.train_members(members, n_threads)
    return written, [value for result in losses for value in result]


def results(dense, given, n_threads):
    """The bits of what every function makes of a setting, on copies of what it writes to."""
    epoch = copy.deepcopy(given) | {"n_threads": n_threads}
    names = "X", "y", "sample_weight", "weights", "biases", "activation", "loss", "n_threads"
    shared = {name: epoch[name] for name in names}
    network = epoch["weights"], epoch["biases"]
    options = {"activation": epoch["activation"], "n_threads": n_threads}
    slopes = [np.empty((len(dense), len(b)), b.dtype) for b in epoch["biases"][:-1]]
    activations = kernels.forward(dense, *network, slopes=slopes, **options)
    gradients = kernels.backward(
        dense, activations, activations[-1], network[0], slopes=slopes, **options
    )
    fields = calls.fields("loss_gradient", **shared, l2=epoch["l2"])
    value = _core.loss_gradient(fields)
    total = _core.evaluate(calls.fields("evaluate", **shared, order=epoch["order"]))
    trained = _core.train_epoch(epoch)
    members, learned = train_members(given, n_threads)
    outputs = _core.predict(
        *(epoch["X"], epoch["order"], *network, epoch["activation"], "softmax"),
        *(given["X"] is dense, n_threads),
    )
    written = [fields["dweights"], fields["dbiases"], network, epoch["moments"], epoch["steps"]]
    numbers = np.array([value, total, *trained, *learned])
    return calls.bits([activations, slopes, gradients, *written, *members, outputs, numbers])


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

"""A valid call of every function of mlp_c._core that allocates, as a dict of its arguments."""

import copy
import sys
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from mlp_c import _core
from support import calls, coded

KINDS = "", " of CSR", " of heads", ""  # of train_epoch, as members


def examples(dtype=np.float64, n=20, widths=(8, 4, 3), n_threads=1, batch_size=7):
    """{case: arguments by place or, of those given as one dict, by name}.

    A case is a function's name and, of a second one, what of. Every call can be made again: outputs
    and weights are written over.
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
    slopes, written = [draw(n, k) for k in widths[1:-1]], [draw(n, k) for k in widths[1:-1]]
    into = [np.empty_like(a) for a in activations]
    logits, out = draw(n, widths[-1]), draw(n, widths[-1])
    gelu = ["gelu"] * len(slopes)
    both = np.ones(2 * n, dtype)
    ones, order = np.ones(n, dtype), np.arange(n)[::-1]
    name = np.dtype(dtype).name

    network = {"weights": weights, "biases": biases, "activation": "relu"}
    shared = {"X": X, "y": y, "sample_weight": None, **network}
    shared |= {"loss": calls.loss("cross_entropy", floor=0.0, ceiling=100.0), "order": None}
    sparse = {"X": csr, "sample_weight": ones, "activation": gelu}
    knots, table = np.linspace(-1, 1, 5), rng.standard_normal((n, 3))
    table[:, 1:] = rng.integers(0, 2, (n, 2))
    table[rng.random(table.shape) < 0.1] = np.nan
    coded_rows = coded.coded(table, [(0.1, 0.7, knots), widths[0] - 8, "sign"])
    end = {"n_threads": n_threads}
    epoch = shared | {"l2": 0.0, "batch_size": batch_size, "rule": calls.rule("sgd")}
    epoch |= {"weight_decay": 0.0, "max_grad_norm": 0.0}
    epoch |= {"learning_rates": calls.rates(0.001, n, batch_size), "moments": ()}
    epoch |= {"steps": np.zeros(1, np.int64), "dropout": [0.0, 0.0], "seed": 0} | end
    adam = sparse | {"order": order, "l2": 0.1, "rule": calls.rule("adam")}
    adam |= {"weight_decay": 0.1, "max_grad_norm": 0.5}
    adam |= {"moments": calls.moments("adam", weights + biases), "steps": np.zeros(1, np.int64)}
    adam |= {"dropout": [0.2, 0.5], "seed": 3}
    gradient = shared | dict(zip(("dweights", "dbiases"), new(), strict=True))
    gradient |= {"gradient_scale": 1.0, "l2": 0.0} | end
    evaluated = {"order": order, "output": "softmax", "outputs": draw(n, widths[-1])}
    evaluated |= {"losses": np.empty(n)}
    heads = np.array([1, widths[-1] - 1])
    columns = {"y": (y[:, np.newaxis] % heads, heads)}
    network = weights, biases, "relu"
    by_place = {
        "forward": (X, *network, None, None, n_threads),
        "forward into": (X, weights, biases, gelu, into, written, n_threads),
        "backward": (X, activations, logits, weights, "relu", None, None, n_threads),
        "backward into": (X, activations, logits, weights, gelu, slopes, new(), n_threads),
        "softmax": (logits, None),
        "softmax into": (logits, out),
        "softmax_cross_entropy": (logits, y, 0.0, None),
        "softmax_cross_entropy into": (logits, draw(n, widths[-1]), 0.0, out),
        "drop": (out, 0.5, 3, 0, 1, n_threads),
        "sgd_step interleaved": ([both[::2]], [both[1::2]], 0.0, n_threads),
        "sgd_step": (weights + biases, [np.ones_like(p) for p in weights + biases], 0.0, n_threads),
        "train_step": (X, y, None, *network, 0.0, 0.0, n_threads),
        "train_step of rows": (X, y, order, weights, biases, gelu, 0.0, 0.0, n_threads),
        "predict": (X, None, *network, "softmax", False, n_threads),
        "predict of rows": ((X, None), order, weights, biases, gelu, "exp", False, n_threads),
        "predict of hidden layers": (X, None, *network, "identity", False, n_threads, True),
        "predict of coded rows": (coded_rows, order, *network, "softmax", True, n_threads),
        "predict of heads": (X, order, *network, ("softmax", heads), False, n_threads),
        "index_nonzeros": (X, name, 1.0, np.inf, n_threads),
        "names": (),
        "config": (),
    }
    by_name = {
        "train_epoch": epoch,
        "train_epoch of CSR": epoch | adam,
        "train_epoch of coded rows": epoch | adam | {"X": coded_rows, "activation": "relu"},
        "train_epoch of heads": epoch | columns | {"steps": np.zeros(1, np.int64)},
        "loss_gradient": gradient,
        "loss_gradient of CSR": gradient | sparse,
        "loss_gradient of coded rows": gradient | {"X": coded_rows},
        "evaluate": shared | {"output": "identity", "outputs": None, "losses": None} | end,
        "evaluate of heads": shared | evaluated | end | columns,
        "evaluate of CSR": shared | evaluated | end | sparse,
        "evaluate of coded rows": shared | evaluated | end | {"X": coded_rows},
    }
    by_place["train_members"] = members_of(by_name), n_threads
    by_place["train_share"] = share_of(by_name["train_epoch of CSR"], n, batch_size)
    by_place["share_gradient"] = share_of(without(gradient, "dweights", "dbiases"), n, n)
    return {case: dict(enumerate(arguments)) for case, arguments in by_place.items()} | by_name


def members_of(cases):
    """The members of a call: an epoch of each kind, on shared rows, and losses of rows held out."""
    written = "weights", "biases", "moments", "steps"
    members = []
    for kind in KINDS:
        epoch = cases[f"train_epoch{kind}"]
        epoch = epoch | {name: copy.deepcopy(epoch[name]) for name in written}
        network = {"weights": epoch["weights"], "biases": epoch["biases"]}
        nowhere = {"outputs": None, "losses": None}
        members.append((epoch, cases[f"evaluate{kind}"] | network | nowhere))
    return [*members[:-1], (members[-1][0], None)]


def without(fields, *names):
    return {name: value for name, value in fields.items() if name not in names}


def share_of(fields, n, batch_size):
    """The fields of a call that several processes make together, and of its exchange, for one."""
    fields = {name: copy.deepcopy(value) for name, value in fields.items()}
    sizes = [min(batch_size, n - i) for i in range(0, n, batch_size)]
    n_inputs = len(fields["weights"][0])
    return fields, {
        "exchange": exchange,
        "dweights": [np.zeros_like(w) for w in fields["weights"]],
        "dbiases": [np.zeros_like(b) for b in fields["biases"]],
        "piece_starts": np.array([0, n_inputs // 4 * 2, n_inputs]),
        "part_starts": np.cumsum([0, *sizes]),
        "batch_rows": np.array(sizes),
        "first_rows": np.zeros(len(sizes), np.int64),
        "weight_sums": np.array(sizes, np.float64),
        "n_parts": 1,
        "goes_on": 0,
    }


def exchange(point, index, loss):
    """With nobody."""
    return loss


CASES = list(examples())
NAMED = ("train_epoch", "loss_gradient", "evaluate")  # with one dict of fields
BARE = ("names", "config")  # without arguments

# By case, the arguments that are written to; of others, none is. Of members: see below.
WRITTEN = {
    "forward into": [4, 5],
    "backward into": [6],
    "softmax into": [1],
    "softmax_cross_entropy into": [3],
    "drop": [0],
    "sgd_step interleaved": [0],
    "sgd_step": [0],
    "train_step": [3, 4],
    "train_step of rows": [3, 4],
    "train_epoch": ["weights", "biases", "steps"],
    "train_epoch of CSR": ["weights", "biases", "moments", "steps"],
    "train_epoch of coded rows": ["weights", "biases", "moments", "steps"],
    "train_epoch of heads": ["weights", "biases", "steps"],
    "loss_gradient": ["dweights", "dbiases"],
    "loss_gradient of CSR": ["dweights", "dbiases"],
    "loss_gradient of coded rows": ["dweights", "dbiases"],
    "evaluate of CSR": ["outputs", "losses"],
    "evaluate of coded rows": ["outputs", "losses"],
    "evaluate of heads": ["outputs", "losses"],
}


def written(case):
    """Where the arrays are that a case writes to: arguments, or within one, by keys and places."""
    if case == "train_members":
        of_epochs = [WRITTEN[f"train_epoch{kind}"] for kind in KINDS]
        return [(0, i, 0, name) for i, names in enumerate(of_epochs) for name in names]
    if case in ("train_share", "share_gradient"):
        of_epoch = WRITTEN["train_epoch of CSR"] if case == "train_share" else []
        return [(0, name) for name in of_epoch] + [(1, "dweights"), (1, "dbiases")]
    return [(name,) for name in WRITTEN.get(case, [])]


def function(case):
    # Interned: CPython's cache of attributes keeps a name looked up, once an address.
    return getattr(_core, sys.intern(case.split()[0]))


def positional(arguments):
    """What a function is called with."""
    is_named = any(isinstance(name, str) for name in arguments)
    return [arguments] if is_named else list(arguments.values())


def run(case, arguments):
    return function(case)(*positional(arguments))

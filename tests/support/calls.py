"""A valid call of every kernel, as a dict of its arguments, and ways to vary one."""

from itertools import pairwise

import numpy as np
import scipy.sparse

from mlp_c import _core, kernels

KERNELS = ("forward", "softmax", "softmax_cross_entropy", "backward", "sgd_step")
OUTPUTS = ("out", "params")


def normal(dtype, seed=0):
    """A function that draws an array of a shape."""
    rng = np.random.default_rng(seed)
    return lambda *shape: rng.standard_normal(shape).astype(dtype)


def example(kernel, dtype=np.float64, n=7, layers=(5, 4, 3), draw=None):
    """Arguments by name, outputs included; inputs come from `draw`."""
    draw = draw or normal(dtype)
    k, shapes = layers[-1], list(pairwise(layers))

    def new(*shape):
        return np.zeros(shape, dtype)

    def each_layer(make):
        return [make(n, n_out) for _, n_out in shapes]

    if kernel == "forward":
        return {
            "X": draw(n, layers[0]),
            "weights": [draw(*shape) for shape in shapes],
            "biases": [draw(n_out) for _, n_out in shapes],
            "out": each_layer(new),
            "n_threads": 1,
        }
    if kernel == "softmax":
        return {"logits": draw(n, k), "out": new(n, k)}
    if kernel == "softmax_cross_entropy":
        return {"logits": draw(n, k), "y": draw(n, k), "out": new(n, k)}
    if kernel == "backward":
        return {
            "X": draw(n, layers[0]),
            "activations": each_layer(draw),
            "dlogits": draw(n, k),
            "weights": [draw(*shape) for shape in shapes],
            "out": ([new(*shape) for shape in shapes], [new(n_out) for _, n_out in shapes]),
            "n_threads": 1,
        }
    return {
        "params": [new(*layers[:2]), new(k)],
        "grads": [draw(*layers[:2]), draw(k)],
        "learning_rate": 0.1,
    }


def run(kernel, arguments):
    return getattr(kernels, kernel)(**arguments)


def train_epoch(X, y, weights, biases, **options):
    """Trains weights and biases in place; returns the total loss."""
    defaults = {
        "order": None,
        "batch_size": 150,
        "moments": (),
        "rule": "sgd",
        "learning_rate": 0.1,
        "momentum": 0.0,
        "l2": 0.0,
        "n_threads": 1,
    }
    o = defaults | options
    optimizer = o["rule"], o["learning_rate"], o["momentum"], 0.9, 0.999, 1e-8
    steps = np.zeros(1, np.int64)
    total, rows = _core.train_epoch(
        *(X, y, None, o["order"], weights, biases, "relu", ("cross_entropy", -np.inf, np.inf)),
        *(o["l2"], o["batch_size"], optimizer, o["moments"], steps, o["n_threads"]),
    )
    assert (rows, *steps) == (len(y), -(-len(y) // o["batch_size"]))
    return total


def rows_as(form, X):
    """Rows in a form that the estimators' calls take.

    "dense"; "scanned", of which zeros are skipped; "pairs", an index of what is not zero; "csr" and
    the dtype of its columns; or the dtype that dense rows are to have.
    """
    if form == "pairs":
        return _core.index_nonzeros(X, X.dtype.name, 1.0, np.inf, 1)
    if form.startswith("csr"):
        X = scipy.sparse.csr_matrix(X)
        return X.data, X.indices.astype(form[3:]), X.indptr.astype(np.int64), X.shape[1]
    if form == "scanned":
        return (X, None)
    return X if form == "dense" else X.astype(form)


def leaves(value, path=()):
    """(path, array) for each array in nested dicts, lists and tuples."""
    if isinstance(value, np.ndarray):
        return [(path, value)]
    if isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, item in items for leaf in leaves(item, (*path, key))]
    return []


def rebuilt(value, function, path=()):
    """The same nest with function(path, array) for each array."""
    if isinstance(value, np.ndarray):
        return function(path, value)
    if isinstance(value, dict):
        return {key: rebuilt(item, function, (*path, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(rebuilt(item, function, (*path, i)) for i, item in enumerate(value))
    return value


def replaced(arguments, *changes):
    """With the arrays at some paths replaced: changes are (path, new array)."""
    changes = dict(changes)
    return rebuilt(arguments, lambda path, array: changes.get(path, array))


def is_output(path):
    return path[0] in OUTPUTS


def outputs(arguments):
    return [array for path, array in leaves(arguments) if is_output(path)]


def name(path):
    """As the messages have it: weights[1]."""
    return path[0] + "".join(f"[{index}]" for index in path[1:])


def paths(kernel):
    return [path for path, _ in leaves(example(kernel))]


def bits(value):
    """The bytes of every array in a nest."""
    return [array.tobytes() for _, array in leaves(value)]

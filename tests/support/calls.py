"""A valid call of every kernel, as a dict of its arguments, and ways to vary one."""

from dataclasses import is_dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.sparse

from mlp_c import _core, kernels

KERNELS = ("forward", "softmax", "softmax_cross_entropy", "backward", "sgd_step", "train_step")
IN_PLACE = ("sgd_step", "train_step")  # these have no new outputs
OUTPUTS = ("out", "params")
MORE_OUTPUTS = ("forward", "slopes"), ("train_step", "weights"), ("train_step", "biases")


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
            "slopes": each_layer(new)[:-1],
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
            "slopes": each_layer(draw)[:-1],
            "out": ([new(*shape) for shape in shapes], [new(n_out) for _, n_out in shapes]),
            "n_threads": 1,
        }
    if kernel == "train_step":
        return {
            "X": draw(n, layers[0]),
            "y": draw(n, k),
            "weights": [new(*shape) for shape in shapes],
            "biases": [new(n_out) for _, n_out in shapes],
            "learning_rate": 0.1,
            "n_threads": 1,
        }
    return {
        "params": [new(*layers[:2]), new(k)],
        "grads": [draw(*layers[:2]), draw(k)],
        "learning_rate": 0.1,
        "n_threads": 1,
    }


def run(kernel, arguments):
    return getattr(kernels, kernel)(**arguments)


# Of losses and rules, where a test does not say otherwise.
CONSTANTS = {
    "eps": 0.0,
    "floor": -np.inf,
    "ceiling": np.inf,
    "smoothing": 0.0,
    "delta": 0.8,
    "quantiles": (0.3,),
    "power": 1.4,
    "momentum": 0.9,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "epsilon": 1e-8,
}
ACTIVATIONS = ", ".join(map(repr, _core.names()["activations"]))  # as messages list them
LOSSES = _core.names()["losses"]
RULES = {name: n_moments for name, (n_moments, _) in _core.names()["rules"].items()}


def loss(name, **constants):
    """The dict of a loss."""
    defaults = {constant: CONSTANTS[constant] for constant in LOSSES[name]}
    return {"name": name} | defaults | constants


def outputs_per_target(loss):
    """How many outputs the dict of a loss has for each target."""
    return 2 if loss["name"] == "gaussian_loss" else len(loss.get("quantiles", [None]))


def rule(name, **constants):
    """The dict of an update rule."""
    defaults = {constant: CONSTANTS[constant] for constant in _core.names()["rules"][name][1]}
    return {"name": name} | defaults | constants


def constants_of(named):
    """Those in the dict of a loss or a rule."""
    return {name: value for name, value in named.items() if name != "name"}


def moments(name, params, make=np.zeros_like):
    """As many lists as a rule keeps, each of an array for every parameter."""
    return tuple([make(p) for p in params] for _ in range(RULES[name]))


def rates(rate, n, batch_size):
    """A learning rate for each batch of an epoch of n rows."""
    return np.full(-(-n // batch_size), float(rate))


def fields(function, X, y, weights, biases, **options):
    """The fields of train_epoch, loss_gradient or evaluate: where not given, of a plain call."""
    given = {"X": X, "y": y, "weights": weights, "biases": biases} | options
    shared = {"sample_weight": None, "activation": "relu", "loss": loss("cross_entropy")}
    shared |= {"order": None, "n_threads": 1}
    if function == "evaluate":
        return shared | {"output": "identity", "outputs": None, "losses": None} | given
    if function == "loss_gradient":
        gradients = {"dweights": [np.empty_like(w) for w in weights]}
        gradients |= {"dbiases": [np.empty_like(b) for b in biases]}
        return shared | {"gradient_scale": 1.0, "l2": 0.0} | gradients | given
    n, batch_size = len(y[0] if isinstance(y, tuple) else y), given.get("batch_size", 150)
    if given.get("order") is not None:
        n = len(given["order"])
    epoch = {"l2": 0.0, "batch_size": batch_size, "rule": rule("sgd")}
    epoch |= {"weight_decay": 0.0, "max_grad_norm": 0.0}
    epoch |= {"learning_rates": rates(0.1, n, batch_size), "moments": ()}
    epoch |= {"dropout": [0.0] * len(weights), "seed": 0}
    return shared | epoch | {"steps": np.zeros(1, np.int64)} | given


def train_epoch(X, y, weights, biases, **options):
    """Trains weights and biases in place; returns the total loss."""
    given = fields("train_epoch", X, y, weights, biases, **options)
    total, rows = _core.train_epoch(given)
    n = len(y if given["order"] is None else given["order"])
    assert (rows, *given["steps"]) == (n, len(rates(0, n, given["batch_size"])))
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


def assert_have(names, **tables):
    """Each table has these names, each once and no others."""
    for table, found in tables.items():
        found = list(found)
        missing = [name for name in names if name not in found]
        unknown = [name for name in found if name not in names]
        assert not missing, f"{table} lacks {missing}"
        assert not unknown, f"{table} has {unknown}, which the kernels do not know"
        assert len(found) == len(names), f"{table} has a name twice: {found}"


def leaves(value, path=()):
    """(path, array) for each array in nested dicts, lists, tuples and dataclasses."""
    if isinstance(value, np.ndarray):
        return [(path, value)]
    if is_dataclass(value):
        value = vars(value)
    if isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, item in items for leaf in leaves(item, (*path, key))]
    return []


def rebuilt(value, function, path=()):
    """The same nest with function(path, array) for each array."""
    if isinstance(value, np.ndarray):
        return function(path, value)
    if is_dataclass(value):
        return replace(value, **rebuilt(vars(value), function, path))
    if isinstance(value, dict):
        return {key: rebuilt(item, function, (*path, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(rebuilt(item, function, (*path, i)) for i, item in enumerate(value))
    return value


def replaced(arguments, *changes):
    """With the arrays at some paths replaced: changes are (path, new array)."""
    changes = dict(changes)
    return rebuilt(arguments, lambda path, array: changes.get(path, array))


def is_output(kernel, path):
    return path[0] in OUTPUTS or (kernel, path[0]) in MORE_OUTPUTS


def outputs(kernel, arguments):
    return [array for path, array in leaves(arguments) if is_output(kernel, path)]


def name(path):
    """As the messages have it: weights[1]."""
    return path[0] + "".join(f"[{index}]" for index in path[1:])


def paths(kernel):
    return [path for path, _ in leaves(example(kernel))]


def bits(value):
    """The bytes of every array in a nest."""
    return [array.tobytes() for _, array in leaves(value)]

"""Fitted models of every kind that a state, a file or a checkpoint has to hold, and their parts."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn

from mlp_c import MLPClassifier, MLPRegressor
from mlp_c._network.activations import ACTIVATIONS
from mlp_c._saving import files
from mlp_c._training.stopwatch import SECONDS

N = 40
X = np.random.default_rng(0).standard_normal((N, 4))
NUMBERS = X[:, 0] - X[:, 1] * X[:, 2]
CLASSES = np.digitize(NUMBERS, [-0.5, 0.5])
TEXT = np.array(["ant", "bee", "wolverine"])[CLASSES]
COLUMNS = np.column_stack([CLASSES, X[:, 3] > 0, np.zeros(N, int)])  # of labels
NAMES = pd.DataFrame({"animal": TEXT, "number": COLUMNS[:, 1]})

# Constructor parameters, rows, targets.
CASES = {
    "adam": (MLPClassifier, {}, X, TEXT),
    "adamw": (MLPClassifier, {"solver": "adamw", "weight_decay": 0.5}, X, TEXT),
    "rmsprop": (MLPRegressor, {"solver": "rmsprop", "max_grad_norm": 0.1}, X, NUMBERS),
    "sgd": (MLPRegressor, {"solver": "sgd", "learning_rate": "adaptive"}, X, NUMBERS),
    "momentum": (MLPClassifier, {"solver": "sgd", "nesterovs_momentum": False}, X, CLASSES),
    "no momentum": (MLPRegressor, {"solver": "sgd", "momentum": 0.0}, X, NUMBERS),
    "lbfgs": (MLPRegressor, {"solver": "lbfgs"}, X, NUMBERS),
    "cosine": (MLPRegressor, {"learning_rate": "cosine"}, X, NUMBERS),
    "one cycle": (MLPClassifier, {"learning_rate": "one_cycle", "solver": "sgd"}, X, TEXT),
    "warmup": (MLPClassifier, {"warmup": 0.5, "early_stopping": True}, X, TEXT),
    "poisson": (MLPRegressor, {"loss": "poisson"}, X, np.abs(NUMBERS)),
    "absolute error": (MLPRegressor, {"loss": "absolute_error"}, X, NUMBERS),
    "Huber": (MLPRegressor, {"loss": "huber", "huber_delta": 0.5}, X, NUMBERS),
    "quantile": (MLPRegressor, {"loss": "quantile", "quantile": 0.9}, X, NUMBERS),
    "quantiles": (MLPRegressor, {"loss": "quantile", "quantile": [0.1, 0.9]}, X, NUMBERS),
    "quantiles in a tuple": (
        MLPRegressor,
        {"loss": "quantile", "quantile": (0.1, 0.5, 0.9)},
        X,
        X[:, :2],
    ),
    "gaussian": (MLPRegressor, {"loss": "gaussian"}, X, NUMBERS),
    "gamma": (MLPRegressor, {"loss": "gamma"}, X, 0.1 + np.abs(NUMBERS)),
    "Tweedie": (MLPRegressor, {"loss": "tweedie", "tweedie_power": 1.2}, X, np.abs(NUMBERS)),
    "smoothed labels": (MLPClassifier, {"label_smoothing": 0.1}, X, TEXT),
    "dropout": (MLPClassifier, {"dropout": 0.5, "input_dropout": 0.2}, X, TEXT),
    "a dropout each": (
        MLPRegressor,
        {"hidden_layer_sizes": (3, 2), "dropout": [0.5, 0.0], "solver": "sgd"},
        X,
        NUMBERS,
    ),
    "float32": (MLPClassifier, {}, X.astype(np.float32), CLASSES > 0),
    "two outputs": (MLPRegressor, {}, X, X[:, :2]),
    "text of any kind": (MLPClassifier, {}, X, np.array(["", "é", "\ud800"], "<U40")[CLASSES]),
    "names": (MLPClassifier, {}, pd.DataFrame(X, columns=list("abcd")), TEXT),
    "multilabel": (MLPClassifier, {}, X, (X[:, :3] > 0).astype(int)),
    "columns": (MLPClassifier, {}, X, COLUMNS),
    "columns of text": (MLPClassifier, {"solver": "sgd"}, X, COLUMNS.astype(str)),
    "columns of any kind": (MLPClassifier, {"solver": "lbfgs"}, X, NAMES),
    "one class": (MLPClassifier, {}, X, np.full(N, "only")),
    "early stopping": (MLPClassifier, {"early_stopping": True, "batch_size": 8}, X, TEXT),
    "generator": (MLPRegressor, {"random_state": np.random.RandomState(7)}, X, NUMBERS),
    "NumPy's scalars": (MLPRegressor, {"alpha": np.float32(0.1), "tol": np.float64(0)}, X, NUMBERS),
    "infinity": (MLPClassifier, {"n_iter_no_change": np.inf}, X, CLASSES),
    "widths in an array": (MLPRegressor, {"hidden_layer_sizes": np.array([3, 2])}, X, NUMBERS),
    "gelu": (MLPClassifier, {"activation": "gelu"}, X, TEXT),
    "an activation each": (
        MLPRegressor,
        {"hidden_layer_sizes": (3, 2), "activation": ["gelu", "tanh"]},
        X,
        NUMBERS,
    ),
    "no hidden layer": (MLPRegressor, {"hidden_layer_sizes": []}, X, NUMBERS),
}


def packed(content):
    """The bytes of a file."""
    return b"".join(files.pack(content))


def make(case):
    cls, params, _, _ = CASES[case]
    defaults = {"hidden_layer_sizes": (3,), "max_iter": 5, "random_state": 0}
    return cls(**defaults | params)


def fitted(case):
    """A model of a case, and the rows and targets it is fitted to."""
    _, _, rows, targets = CASES[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
        return make(case).fit(rows, targets), rows, targets


def takes_partial_fit(model):
    """Of one that is fitted: it has no early stopping, and no rates that need the fit's length."""
    if model.solver == "lbfgs" or model.early_stopping or model.warmup > 0:
        return False
    return model.learning_rate in ("constant", "invscaling", "adaptive")


def assert_predicts(model, rows):
    """A prediction for each row; of activations for no network or another, a ValueError.

    They are no junk: users set them, with other widths, before they fit again, which then refuses
    a name that there is not.
    """
    is_name = isinstance(model.activation, str)
    names = [model.activation] if is_name else model.activation
    expected = None
    if not is_name and len(names) != len(model.coefs_) - 1:
        expected = r"^activation must hold \d+ names, one for"
    elif not all(name in ACTIVATIONS for name in names):
        expected = r"^activation(\[\d+\])? must be one of "
    if expected is None:
        assert len(model.predict(rows)) == len(rows)
    else:
        with pytest.raises(ValueError, match=expected):
            model.predict(rows)


def outcome(model):
    """All that a fit comes to, to compare with ``==``: not the seconds that it took."""
    left_out = "_skl_callbacks", SECONDS
    return {name: _plain(value) for name, value in vars(model).items() if name not in left_out}


def state_of(model):
    """What pickles and files hold of a model, to compare with ``==``."""
    return _plain(model.__getstate__())


def _plain(value):
    if isinstance(value, np.ndarray):
        return (
            value.dtype,
            value.shape,
            value.tolist() if value.dtype == object else value.tobytes(),
        )
    if isinstance(value, np.random.RandomState):
        return _plain(value.get_state(legacy=False))
    if isinstance(value, (list, tuple)):
        return type(value), [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if hasattr(value, "moments"):
        return _plain(vars(value))
    return value


def swapped(array):
    return array.astype(array.dtype.newbyteorder())


def misaligned(array):
    buffer = np.empty(array.nbytes + 1, np.uint8)
    view = np.ndarray(array.shape, array.dtype, buffer.data, offset=1)
    view[...] = array
    assert not view.flags.aligned
    return view


# What arrays look like that are not aligned, native and C-contiguous.
FORMS = {
    "byte-swapped": swapped,
    "Fortran's order": np.asfortranarray,
    "strided": lambda array: np.repeat(array, 2, axis=0)[::2],
    "backwards": lambda array: array[::-1].copy()[::-1],
    "misaligned": misaligned,
}


def parts(value, path=()):
    """(path, part) of everything in nested dicts, lists and tuples."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from parts(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from parts(item, (*path, i))


def changed(value, path, change):
    """The same nest with what is at a path changed."""
    if not path:
        return change(value)
    key, *rest = path
    if isinstance(value, tuple):
        return tuple(changed(list(value), path, change))
    value = copy.copy(value)
    value[key] = changed(value[key], rest, change)
    return value


def restored(model, state):
    """What a new object of a model's class becomes with a state."""
    new = type(model).__new__(type(model))
    new.__setstate__(state)
    return new


class Silent:
    def setup(self, estimator, context):
        pass

    teardown = on_fit_task_begin = on_fit_task_end = setup


def an(array):
    """A function that puts an array in the place of a part."""
    return lambda part: array

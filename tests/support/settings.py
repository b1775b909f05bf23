"""Random settings of the estimators: parameters, data, and what is called in which order."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from mlp_c._network.activations import ACTIVATIONS
from mlp_c._training.course import COURSES


@dataclass
class Setting:
    """What two estimators are told alike.

    Attributes
    ----------
    params : dict
        Constructor parameters that both have; `random_state` may be an instance, to be copied.
    X, y, sample_weight
        What they are trained on.
    course : str
        'fit', 'warm' (fit twice), 'partial' (three parts of the rows) or 'both' (fit, then
        partial_fit).
    n : int
        How many rows there are.
    n_threads : int
        For ours.
    """

    params: dict[str, Any]
    X: Any
    y: Any
    sample_weight: np.ndarray | None
    course: str
    n: int
    n_threads: int


def draw_setting(
    name: str, solver: str, seed: int, dtype: Any = np.float64, *, any_activation: bool = False
) -> Setting:
    """The setting that a seed means, for the estimator `name` and a solver.

    With `any_activation`, it may have one that is ours alone, or one for each hidden layer; and
    a course of the learning rate, and warmup, in a whole fit. All else is the same as without.
    """
    rng = np.random.RandomState(seed)
    choose = _chooser(rng)
    params = _draw_params(choose, rng, solver)
    n = choose(*([12, 30] if params["batch_size"] == 1 else [12, 37, 64, 120]))
    X = np.asarray(rng.randn(n, choose(1, 2, 5, 11)), dtype=dtype)
    X[rng.rand(*X.shape) < choose(0, 0.7)] = 0
    if name == "MLPRegressor":
        params["loss"] = choose("squared_error", "squared_error", "poisson")
        # With lbfgs, scikit-learn's gradient of the squared error is right for one output only.
        one = solver == "lbfgs" and params["loss"] == "squared_error"
        y = _draw_numbers(choose, rng, X, params["loss"], 1 if one else choose(1, 1, 3))
    else:
        y = _draw_labels(choose, rng, X)
    course = "fit"
    if solver != "lbfgs" and not params["early_stopping"]:
        course = choose("fit", "fit", "warm", "partial", "both")
    elif choose(True, False):
        course = "warm"
    params["warm_start"] = course == "warm"
    weights: list[Any] = [None, rng.uniform(0.1, 2, n), rng.randint(1, 4, n)]
    if params["batch_size"] == "auto" and not params["early_stopping"] and course != "partial":
        weights.append((np.arange(n) % 3 > 0).astype(np.float32))
    sample_weight = choose(*weights)
    X = _contain(choose, rng, X)
    if any_activation:
        params["activation"] = _draw_activation(choose, params["hidden_layer_sizes"])
        if solver != "lbfgs" and course in ("fit", "warm"):
            kept = params.get("learning_rate", "constant")
            params["learning_rate"] = choose(kept, *COURSES)
            params["warmup"] = choose(0.0, 0.1, 0.5)
    return Setting(params, X, y, sample_weight, course, n, choose(1, 2))


def _chooser(rng):
    def choose(*options):
        return options[rng.randint(len(options))]

    return choose


def _draw_params(choose, rng, solver):
    params = {
        "solver": solver,
        "hidden_layer_sizes": choose((), (1,), 5, (9,), [4, 3], np.array([3, 6, 2]), (20,)),
        "activation": choose("identity", "logistic", "tanh", "relu"),
        "alpha": choose(0, 1e-4, 0.1, 10),
        "batch_size": choose("auto", "auto", 1, 7, 16, 500),
        "learning_rate_init": 10 ** rng.uniform(-4, 0),
        "max_iter": choose(1, 3, 10, 30),
        "shuffle": choose(True, True, False),
        "random_state": choose(seed := rng.randint(1000), np.random.RandomState(seed)),
        # At 0, lbfgs would end where a rounding happens to stop it.
        "tol": choose(1e-5 if solver == "lbfgs" else 0.0, 1e-4, 1e-2, 0.3),
        "n_iter_no_change": choose(1, 2, 4, np.inf),
        "early_stopping": choose(False, False, True),
        "validation_fraction": choose(0.2, 0.35),
    }
    if solver == "sgd":
        params |= {
            "learning_rate": choose("constant", "invscaling", "adaptive"),
            "power_t": choose(0.0, 0.3, 0.5),
            "momentum": choose(0, 0.5, 0.9, 1.0),
            "nesterovs_momentum": choose(True, False),
        }
    if solver == "adam":
        params |= {
            "beta_1": choose(0.9, 0.9, 0.0, 0.5),
            "beta_2": choose(0.999, 0.999, 0.9),
            "epsilon": choose(1e-8, 1e-8, 1e-3),
        }
    return params


def _draw_activation(choose, hidden):
    """A name, or a list or tuple of one for each hidden layer."""
    names = [choose(*ACTIVATIONS) for _ in range(np.size(hidden))]
    return choose("gelu", choose(*ACTIVATIONS), names, tuple(names))


def _draw_labels(choose, rng, X):
    """Labels that have to do with the first feature: of classes, of one, or several a row."""
    signal = X[:, 0] + 0.5 * rng.randn(len(X))
    kind = choose("classes", "classes", "classes", "multilabel", "one class")
    if kind == "multilabel":
        indicator = (signal[:, np.newaxis] > [-0.5, 0, 0.7]).astype(int)
        return choose(indicator, indicator.astype(bool), sp.csr_matrix(indicator))
    n_classes = 1 if kind == "one class" else choose(2, 2, 3, 5)
    ranks = signal.argsort().argsort() * n_classes // len(X)
    names = [
        np.arange(3, 3 + n_classes),
        np.arange(n_classes, dtype=np.int8) - 1,
        np.array(["ant", "bee", "cat", "dog", "elk"])[:n_classes],
        np.array(["ant", "bee", "cat", "dog", "elk"], dtype=object)[:n_classes],
        np.arange(n_classes) * 2.0,
    ]
    if n_classes == 2:
        names.append(np.array([False, True]))
    y = choose(*names)[ranks]
    return choose(y, y, y.tolist(), pd.Series(y), y[:, np.newaxis])


def _draw_numbers(choose, rng, X, loss, n_outputs):
    """Targets that depend on the rows: a vector, a column or several columns."""
    mean = X @ rng.randn(X.shape[1], n_outputs) + 0.3
    y = rng.poisson(np.exp(np.clip(mean, -3, 2))) if loss == "poisson" else mean * choose(1, 30)
    return choose(y, y.astype(int), y.astype(X.dtype)) if y.shape[1] > 1 else choose(y, y.ravel())


def _contain(choose, rng, X):
    """The rows in one of the containers that users have them in."""
    kind = choose("C", "F", "strided", "frame", "csr", "wide", "csc", "messy", "integers", "list")
    match kind:
        case "F":
            return np.asfortranarray(X)
        case "strided":
            return np.repeat(X, 2, axis=0)[::2]
        case "frame":
            return pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
        case "csr":
            return sp.csr_array(X)
        case "wide":
            X = sp.csr_matrix(X)
            X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
            return X
        case "csc":
            return sp.csc_matrix(X)
        case "messy":
            return _messy_csr(rng, X)
        case "integers" if X.dtype == np.float64:
            return np.round(3 * X).astype(np.int32)
        case "list" if X.dtype == np.float64:
            return X.tolist()
    return X


def _messy_csr(rng, X):
    """A CSR matrix that says some things twice, in parts, and in no order."""
    rows, columns = X.nonzero()
    halves = np.tile(X[rows, columns] / 2, 2)
    rows, columns = np.tile(rows, 2), np.tile(columns, 2)
    order = rng.permutation(len(rows))
    order = order[rows[order].argsort(kind="stable")]
    starts = np.concatenate([[0], np.bincount(rows, minlength=len(X)).cumsum()])
    return sp.csr_matrix((halves[order], columns[order], starts), shape=X.shape)

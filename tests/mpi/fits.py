"""Fits that ranks make together, by name, and what they come to."""

import hashlib
import warnings

import numpy as np
import scipy.sparse as sp

import mlp_c

N = 301


def rows(dtype=np.float64, form="dense"):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((N, 13)).astype(dtype)
    X[rng.random(X.shape) < 0.5] = 0
    y = (X[:, 0] > 0) + (X[:, 1] > 0.5).astype(int)
    return sp.csr_array(X) if form == "csr" else X, y


def _setting(kind="classifier", *, dtype=np.float64, form="dense", weights=None, **params):
    return {"kind": kind, "dtype": dtype, "form": form, "weights": weights, "params": params}


SETTINGS = {
    "sgd": _setting(solver="sgd", batch_size=100),
    "sgd, float32": _setting(solver="sgd", batch_size=64, dtype=np.float32, momentum=0),
    "adam, one batch": _setting(batch_size=N, alpha=0.1),
    "adam, tiny batches": _setting(batch_size=2, max_iter=1, dtype=np.float32),
    "adamw, clipped, dropout": _setting(
        solver="adamw", max_grad_norm=0.1, dropout=0.2, input_dropout=0.1, batch_size=90
    ),
    "rmsprop, schedule": _setting(
        solver="rmsprop", learning_rate="cosine", warmup=0.5, activation="gelu", batch_size=90
    ),
    "early stopping": _setting(early_stopping=True, validation_fraction=0.2, batch_size=90),
    "early stopping, loss": _setting(early_stopping=True, scoring="loss", batch_size=90),
    "class weights": _setting(class_weight="balanced", weights="some", batch_size=40),
    "csr": _setting(form="csr", batch_size=100, dtype=np.float32),
    "labels of columns": _setting("columns", batch_size=100, early_stopping=True),
    "text": _setting("text", batch_size=100),
    "lbfgs": _setting(solver="lbfgs", max_iter=5, alpha=0.1),
    "lbfgs, early stopping": _setting(
        solver="lbfgs", max_iter=6, early_stopping=True, scoring="loss", weights="some"
    ),
    "regressor": _setting("regressor", batch_size=100, early_stopping=True, weights="some"),
    "quantiles": _setting("quantiles", batch_size=100, dtype=np.float32),
}


IN_ORDER = {
    f"{name}, in order": _setting(shuffle=False, **options)
    for name, options in {
        "sgd": {"solver": "sgd", "batch_size": 100},
        "weighted": {"class_weight": "balanced", "weights": "some", "batch_size": 40},
        "csr": {"form": "csr", "dtype": np.float32, "batch_size": 100},
        "regressor": {"kind": "regressor", "weights": "some", "batch_size": 64},
    }.items()
}
SETTINGS |= IN_ORDER


def make(setting, n_threads=1):
    """The model of a setting, its rows, targets and weights."""
    X, y = rows(setting["dtype"], setting["form"])
    weights = None if setting["weights"] is None else np.arange(N) % 7 / 3
    kind = setting["kind"]
    params = {"hidden_layer_sizes": (12, 7), "max_iter": 3, "random_state": 2}
    params |= {"n_threads": n_threads} | setting["params"]
    if kind == "classifier":
        return mlp_c.MLPClassifier(**params), X, y, weights
    if kind == "text":
        return mlp_c.MLPClassifier(**params), X, np.array(["a", "be", "cat"])[y], weights
    if kind == "columns":
        return mlp_c.MLPClassifier(**params), X, np.column_stack([y, y % 2]), weights
    targets = np.column_stack([X[:, 0] ** 2, X[:, 1] - X[:, 2]])
    if kind == "quantiles":
        params |= {"loss": "quantile", "quantile": [0.1, 0.9]}
        targets = targets[:, 0]
    return mlp_c.MLPRegressor(**params), X, targets, weights


def digest(model):
    """Of all that a fit has made."""
    optimizer = getattr(model, "_optimizer", None)
    moments = [] if optimizer is None else [m for ms in optimizer.moments for m in ms]
    arrays = [*model.coefs_, *model.intercepts_, *moments]
    names = "loss_curve_", "validation_scores_", "validation_loss_curve_", "n_iter_", "n_steps_"
    record = repr([getattr(model, name, None) for name in names])
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays) + record.encode()).hexdigest()


def alone():
    """What one process comes to, by setting."""
    fitted = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, setting in SETTINGS.items():
            model, X, y, weights = make(setting)
            fitted[name] = digest(model.fit(X, y, weights))
    return fitted


def bounds_of(size, rank, n_shards):
    """The rows of a rank: of unequal numbers, which with shards end where these do."""
    if n_shards is None:
        ends = (np.linspace(0, 1, size + 1) ** 2 * N).astype(int)
        return ends[rank], ends[rank + 1]
    return tuple((rank + i) * n_shards // size * N // n_shards for i in (0, 1))


# Settings by whose the rows are and the number of shards, of which seven do not divide by most
# numbers of ranks.
WAYS = {
    ("same", None): [*SETTINGS],
    ("same", 7): [*SETTINGS],
    ("own", None): [*IN_ORDER, "adamw, clipped, dropout", "early stopping", "text"],
    ("own", 8): ["adamw, clipped, dropout", "csr", "lbfgs", "regressor"],
}


def together(step=1):
    """What ranks come to, by way, of whose settings some may be left out, and setting."""
    return {way: _together(*way, names[::step]) for way, names in WAYS.items()}


def _together(whose, n_shards, names):
    import mlp_c.mpi

    rank, size = mlp_c.mpi.rank(), mlp_c.mpi.size()
    fitted = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            model, X, y, weights = make(SETTINGS[name], n_threads=1 + rank % 2)
            if whose == "own":
                a, b = bounds_of(size, rank, n_shards)
                X, y, weights = X[a:b], y[a:b], None if weights is None else weights[a:b]
            mlp_c.mpi.fit(model, X, y, weights, rows=whose, n_shards=n_shards)
            fitted[name] = digest(model)
    return fitted

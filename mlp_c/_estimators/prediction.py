"""What a fitted network makes of rows."""

import sys
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from mlp_c import _core
from mlp_c._network.activations import layer_activations
from mlp_c._system.threads import threads_for_rows
from mlp_c._training.data import is_taken_as_it_is, kernel_input
from mlp_c._training.model import Model

# Of a dataframe, elements that are made an array in some microseconds, whatever they are.
_FEW_ELEMENTS = 1000


def run_network(
    model: Model,
    X: Any,
    *,
    dtype: np.dtype[Any],
    n_hidden: int | None = None,
    as_logits: bool = False,
    check_finite: bool = False,
) -> Any:
    """Outputs of the network for `X` as the kernels take it; with `as_logits`, unactivated.

    With `n_hidden`, those of the last of so many hidden layers, behind its activation. None with
    `check_finite` where `X`, dense and of `dtype`, has an element that is infinite or NaN.
    """
    weights, biases, activation = model.coefs_, model.intercepts_, model.activation
    are_hidden = n_hidden is not None
    if are_hidden:
        if not isinstance(activation, str):
            activation = layer_activations(activation, len(weights) - 1)[:n_hidden]
        weights, biases = weights[:n_hidden], biases[:n_hidden]
    return _core.predict(
        X,
        None,
        _as_arrays(weights, dtype),
        _as_arrays(biases, dtype),
        activation,
        "identity" if are_hidden or as_logits else model._choose_output(),
        check_finite,
        threads_for_rows(model.n_threads, None if isinstance(X, tuple) else len(X)),
        are_hidden,
    )


def _as_arrays(weights: Any, dtype: np.dtype[Any]) -> list[np.ndarray]:
    """Weights in a dtype; users may have given them in lists."""
    return [
        w if type(w) is np.ndarray and w.dtype is dtype else np.asarray(w, dtype) for w in weights
    ]


def outputs_of(model: Model, X: Any, n_hidden: int | None = None) -> np.ndarray:
    """Outputs of a fitted model for rows from a user; with `n_hidden`, of so many hidden layers.

    In the wider dtype of both, unless `compute_dtype` says otherwise.
    """
    rows = _take(model, X)
    if rows is not None:
        given = kernel_input(rows, rows.dtype)
        outputs = run_network(model, given, dtype=rows.dtype, n_hidden=n_hidden, check_finite=True)
        if outputs is not None:
            return outputs
    check_is_fitted(model, "coefs_")
    X = validate_data(model, X, accept_sparse=["csr", "csc"], reset=False)
    dtype = np.asarray(model.coefs_[0]).dtype
    if model.compute_dtype is None:
        dtype = np.result_type(X.dtype, dtype)
    if dtype not in (np.float32, np.float64):
        dtype = np.dtype(np.float64)
    return run_network(model, kernel_input(X, dtype), dtype=dtype, n_hidden=n_hidden)


def count_layers(layer: Any, n_hidden: int) -> int:
    """How many hidden layers there are up to that of an index, which may count from the end.

    Raises
    ------
    TypeError, ValueError
        If `layer` is not the index of one of `n_hidden` hidden layers.
    """
    if not isinstance(layer, Integral) or isinstance(layer, bool):
        raise TypeError(f"layer must be an integer, got {layer!r}")
    if n_hidden == 0:
        raise ValueError(f"layer must be one of a model's hidden layers; it has none, got {layer}")
    if not -n_hidden <= int(layer) < n_hidden:
        raise ValueError(
            f"layer must be from {-n_hidden} to {n_hidden - 1} for {n_hidden} hidden layers, got "
            f"{layer}"
        )
    return int(layer) % n_hidden + 1


def _take(model: Model, X: Any) -> np.ndarray | None:
    """Rows from a user as an array, where validation could find nothing but infinity and NaN."""
    fitted = vars(model)
    if "coefs_" not in fitted or "n_features_in_" not in fitted:
        return None
    if "feature_names_in_" in fitted:
        X = _values_of(X, fitted["feature_names_in_"])
    can_take = (
        type(X) is np.ndarray
        and X.dtype == getattr(fitted["coefs_"][0], "dtype", None)
        and is_taken_as_it_is(X)
        and X.dtype.char in "fd"
        and X.ndim == 2
        and X.shape[1] == fitted["n_features_in_"]
        and len(X) > 0
    )
    return X if can_take else None


def _values_of(X: Any, names: Any) -> Any:
    """The elements of a dataframe of pandas with columns of these names; None of anything else.

    None, too, of one with so many elements that to make an array of them, which may be of objects,
    could take longer than to ask for the dtypes of the columns.
    """
    frame = getattr(sys.modules.get("pandas"), "DataFrame", None)
    if frame is None or type(X) is not frame or X.size > _FEW_ELEMENTS:
        return None
    columns = X.columns.tolist()
    are_text = all(type(column) is str for column in columns)  # which compares as it should
    return X.values if are_text and columns == list(names) else None

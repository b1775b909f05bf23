"""Class labels as what the kernels train on, and network outputs as class labels."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.multiclass import type_of_target

from mlp_c._estimators import label_columns
from mlp_c._saving import checks
from mlp_c._saving.registry import FittedPart
from mlp_c._training.losses import EXCLUSIVE_CLASSES, INDEPENDENT_CLASSES, Loss

COLUMNS = "multiclass-multioutput"  # several columns of labels, of which each has classes
KINDS = ("binary", "multiclass", "multilabel-indicator", "sparse multilabel-indicator", COLUMNS)


def find_classes(y: Any) -> tuple[str, Any]:
    """The kind of the labels and the classes; of several columns, a list of those of each.

    The kind is as scikit-learn's ``type_of_target`` names it; 'sparse' precedes that of
    labels in a sparse matrix.
    """
    if label_columns.are_columns(y):
        return COLUMNS, label_columns.find_classes(y)
    if issparse(y) and not are_indicators(y):
        raise ValueError("y must be an indicator of labels where it is sparse: see y.toarray()")
    binarizer = LabelBinarizer().fit(y)
    kind = binarizer.y_type_
    return f"sparse {kind}" if binarizer.sparse_input_ else kind, binarizer.classes_


def are_indicators(y: Any) -> bool:
    """Whether targets of a user's say of each of several labels whether it applies."""
    try:
        return type_of_target(y).startswith("multilabel")
    except TypeError:  # of columns whose labels have no order between them
        return False


def kind_of(classes: Any, n_outputs: int, out_activation: str) -> str:
    """The kind of labels that a network has been given classes for, and not been fitted to."""
    if isinstance(classes, list):
        return COLUMNS
    if n_outputs == 1 and len(classes) <= 2:
        return "binary"
    return "multiclass" if out_activation == "softmax" else "multilabel-indicator"


def count_outputs(kind: str, classes: Any) -> int:
    """Outputs of a network for such labels: two classes share one, except in a table."""
    if kind == COLUMNS:
        return sum(map(len, classes))
    return 1 if kind == "binary" else len(classes)


def loss_for(kind: str, classes: Any) -> Loss:
    """The loss for such labels, unsmoothed, by whether several classes exclude each other."""
    if kind == COLUMNS:
        return replace(EXCLUSIVE_CLASSES, widths=tuple(map(len, classes)))
    return EXCLUSIVE_CLASSES if kind == "multiclass" else INDEPENDENT_CLASSES


def encode(kind: str, classes: Any, y: Any) -> np.ndarray:
    """Checked labels, as indices (n,) where several classes exclude each other, else bool (n, k).

    Where several labels may apply, `y` may give the one that does. Of several columns, indices by
    column.
    """
    if kind == COLUMNS:
        return label_columns.encode(classes, y)
    if "multilabel" in kind:
        if y.ndim == 1:
            return y[:, np.newaxis] == classes
        return (y.toarray() if issparse(y) else y).astype(bool)
    if y.ndim == 2:
        raise ValueError(f"y is multilabel, but the model was fitted with {kind} labels")
    if kind == "multiclass":
        return label_columns.indices(classes, y)
    # A single class is the negative one, as in scikit-learn.
    return (y == classes[-1])[:, np.newaxis] & (len(classes) == 2)


def weigh(class_weight: Any, kind: str, classes: Any, y: Any, encoded: np.ndarray) -> np.ndarray:
    """The weights of rows that their labels' classes give them.

    Raises
    ------
    ValueError
        If `class_weight` does not fit the labels, or has a weight that is negative or not finite.
    """
    if kind == COLUMNS:
        weights = np.ones(len(y))
        for j, of_column in enumerate(label_columns.class_weights(class_weight, len(classes))):
            weights *= _weigh_one(of_column, "multiclass", classes[j], y[:, j], encoded[:, j])
    else:
        weights = _weigh_one(class_weight, kind, classes, y, encoded)
    if not weights.any():
        raise ValueError("class_weight must not be 0 for the classes of all rows")
    return weights


def _weigh_one(class_weight: Any, kind: str, classes: Any, y: Any, encoded: Any) -> Any:
    """The weights of labels that are no table, or of a column of one."""
    if "multilabel" in kind:
        weights = compute_sample_weight(class_weight, encoded.astype(int))
    elif isinstance(class_weight, str):
        weights = compute_sample_weight(class_weight, y)
    elif isinstance(class_weight, list):
        raise ValueError(f"class_weight must be a dict for {kind} labels, got a list")
    else:
        of_classes = compute_class_weight(class_weight, classes=classes, y=y)
        codes = encoded if kind == "multiclass" else encoded[:, 0].astype(int)
        weights = of_classes[codes]
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        raise ValueError(
            f"class_weight must hold finite numbers of at least 0, got {weights[wrong][0]}"
        )
    return weights


def decode(kind: str, classes: Any, outputs: np.ndarray) -> Any:
    """The likeliest labels for rows of probabilities."""
    if kind == COLUMNS:
        return label_columns.decode(classes, outputs)
    if kind == "multiclass":
        return classes[outputs.argmax(axis=1)]
    positive = (outputs > 0.5).astype(int)
    if kind == "binary":
        return classes[positive.ravel() if len(classes) == 2 else np.zeros(len(outputs), int)]
    return csr_matrix(positive) if kind.startswith("sparse") else positive


def hits(kind: str, classes: Any, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Whether each row's likeliest labels are the encoded ones in `y`."""
    if kind == COLUMNS:
        return (label_columns.likeliest(classes, outputs) == y).all(axis=1)
    if len(classes) == 1:
        return np.ones(len(y), dtype=bool)
    if kind == "multiclass":
        return outputs.argmax(axis=1) == y
    return ((outputs > 0.5) == y).all(axis=1)


# ---- what a state holds of them ----


def _read_classes(name: str, value: Any) -> Any:
    """A vector of labels, or a list of one for each of several columns."""
    if not isinstance(value, list):
        return checks.labels(name, value)
    if not value:
        checks.refuse(name, "classes of at least one column", value)
    return [checks.labels(f"{name}[{j}]", of_column) for j, of_column in enumerate(value)]


def _check_classes(fitted: dict[str, Any]) -> None:
    """The classes differ, and fit their kind and the network, if there is one."""
    kind, classes = fitted["_target_kind"], fitted["classes_"]
    are_columns = isinstance(classes, list)
    for of_column in classes if are_columns else [classes]:
        try:
            differ = len(np.unique(of_column)) == len(of_column)
        except TypeError:  # of labels that have no order
            differ = False
        if not differ:
            checks.refuse("classes_", "labels that differ and have an order", of_column)
    if are_columns != (kind == COLUMNS):
        checks.refuse("_target_kind", f"{COLUMNS!r} where classes_ is a list, else another", kind)
    expected = "binary" if len(classes) <= 2 else "multiclass"
    if kind in ("binary", "multiclass") and kind != expected:
        checks.refuse("_target_kind", f"{expected!r} with {len(classes)} classes", kind)
    if "coefs_" in fitted and count_outputs(kind, classes) != fitted["n_outputs_"]:
        checks.refuse("n_outputs_", f"right for {kind} {classes}", fitted["n_outputs_"])


def _complete(fitted: dict[str, Any]) -> dict[str, Any]:
    """The kind of the targets, of a model that was given its weights and classes."""
    needed = {"classes_", "n_outputs_", "out_activation_"}
    if "_target_kind" in fitted or not needed <= fitted.keys():
        return {}
    classes = _read_classes("classes_", fitted["classes_"])
    return {"_target_kind": kind_of(classes, fitted["n_outputs_"], fitted["out_activation_"])}


CLASSES = FittedPart(
    {"classes_": _read_classes, "_target_kind": checks.one_of(*KINDS)},
    needed_with=("coefs_", "intercepts_"),
    check_whole=_check_classes,
    complete=_complete,
)

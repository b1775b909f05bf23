"""Class labels as what the kernels train on, and network outputs as class labels."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.preprocessing import LabelBinarizer


def find_classes(y: Any) -> tuple[str, np.ndarray]:
    """The kind of the labels, as scikit-learn's ``type_of_target`` names it, and the classes."""
    binarizer = LabelBinarizer().fit(y)
    return binarizer.y_type_, binarizer.classes_


def count_outputs(kind: str, classes: np.ndarray) -> int:
    """Outputs of a network for such labels: two classes share one."""
    return 1 if kind == "binary" else len(classes)


def encode(kind: str, classes: np.ndarray, y: Any) -> np.ndarray:
    """Labels as indices (n,) where several classes exclude each other, else as bool (n, k)."""
    if kind == "multiclass":
        return np.searchsorted(classes, y)
    if kind == "binary":
        # A single class is the negative one, as in scikit-learn.
        return (np.asarray(y) == classes[-1]).reshape(-1, 1) & (len(classes) == 2)
    return (y.toarray() if issparse(y) else np.asarray(y)).astype(bool)


def decode(kind: str, classes: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The likeliest labels for rows of probabilities."""
    if kind == "multiclass":
        return classes[outputs.argmax(axis=1)]
    positive = (outputs > 0.5).astype(int)
    if kind == "binary":
        return classes[positive.ravel() if len(classes) == 2 else np.zeros(len(outputs), int)]
    return positive


def hits(kind: str, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Whether each row's likeliest labels are the encoded ones in `y`."""
    if kind == "multiclass":
        return outputs.argmax(axis=1) == y
    return ((outputs > 0.5) == y).all(axis=1)

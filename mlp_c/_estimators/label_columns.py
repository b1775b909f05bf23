"""Labels in several columns, each with classes of its own: a table, and a softmax for each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.multiclass import is_multilabel


def are_columns(y: Any) -> bool:
    """Whether targets are labels in several columns, and no indicator of labels."""
    if not isinstance(y, np.ndarray) or y.ndim != 2 or y.shape[1] < 2:
        return False
    return y.dtype.kind not in "biuf" or not is_multilabel(y) or not np.isin(y, [0, 1]).all()


def find_classes(y: np.ndarray) -> list[np.ndarray]:
    """The classes of each column of a table, sorted."""
    return [sort(column, f"column {j} of y") for j, column in enumerate(y.T)]


def sort(labels: Any, where: str) -> np.ndarray:
    """The labels that there are, each once, in order.

    Raises
    ------
    ValueError
        If they are no labels, or have no order.
    """
    try:
        classes = np.unique(labels)
    except TypeError as error:
        raise ValueError(f"{where} must hold labels that have an order: {error}") from error
    for label in classes if classes.dtype.kind in "fO" else ():
        if isinstance(label, (float, np.floating)) and not float(label).is_integer():
            raise ValueError(f"{where} must hold labels, got the number {label}")
    return classes


def check(classes: Sequence[Any], y: Any) -> None:
    """Refuse targets that have not a column for each of a model's."""
    if issparse(y) or y.ndim != 2 or y.shape[1] != len(classes):
        came = "a sparse matrix of shape" if issparse(y) else "shape"
        raise ValueError(
            f"y must have labels in {len(classes)} columns, for which the model has classes, got "
            f"{came} {y.shape}"
        )


def check_kinds(classes: Sequence[Any], y: np.ndarray) -> None:
    """Refuse text in a column of numbers, numbers in one of text, and what is no label.

    Raises
    ------
    ValueError
        If no label of a column could be one of its classes for its kind.
    """
    for j, (of_column, column) in enumerate(zip(classes, y.T, strict=True)):
        found = sort(column, f"column {j} of y")
        if _is_text(of_column[0]) != _is_text(found[0]):
            raise ValueError(
                f"column {j} of y must hold labels like the model's {list(of_column[:3])}, got "
                f"{found[0]!r}"
            )


def _is_text(label: Any) -> bool:
    return isinstance(label, (str, bytes))


def are_equal(classes: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    """Whether the classes of all columns are the same."""
    return len(classes) == len(others) and all(map(np.array_equal, classes, others))


def indices(classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which of the classes each label is; users may have given the classes other names."""
    order = np.argsort(classes)
    found: np.ndarray = order[np.searchsorted(classes, labels, sorter=order)]
    return found


def encode(classes: Sequence[np.ndarray], y: np.ndarray) -> np.ndarray:
    """Checked labels as indices among the classes of their columns."""
    codes = np.empty(y.shape, np.int32)
    for j, of_column in enumerate(classes):
        codes[:, j] = indices(of_column, y[:, j])
    return codes


def split(classes: Sequence[np.ndarray], outputs: np.ndarray) -> list[np.ndarray]:
    """The outputs for each column: views."""
    return np.split(outputs, np.cumsum([len(of_column) for of_column in classes])[:-1], axis=1)


def likeliest(classes: Sequence[np.ndarray], outputs: np.ndarray) -> np.ndarray:
    """Which class of each column is the likeliest, the first of equals."""
    return np.column_stack([part.argmax(axis=1) for part in split(classes, outputs)])


def decode(classes: Sequence[np.ndarray], outputs: np.ndarray) -> np.ndarray:
    """A table of the likeliest labels; of objects where columns have labels of several kinds."""
    kinds = {of_column.dtype.kind for of_column in classes}
    are_alike = len(kinds) == 1 or kinds <= set("iuf")
    dtype = np.result_type(*(c.dtype for c in classes)) if are_alike else np.dtype(object)
    table = np.empty((len(outputs), len(classes)), dtype)
    for j, codes in enumerate(likeliest(classes, outputs).T):
        table[:, j] = classes[j][codes]
    return table


def class_weights(class_weight: Any, n_columns: int) -> list[Any]:
    """What `class_weight` says of each column.

    Raises
    ------
    ValueError
        If it is neither 'balanced' nor a list of a dict a column.
    """
    if isinstance(class_weight, str):
        return [class_weight] * n_columns
    are_dicts = isinstance(class_weight, list) and all(isinstance(w, dict) for w in class_weight)
    if not are_dicts or len(class_weight) != n_columns:
        came = repr(class_weight)
        if isinstance(class_weight, (list, dict)):
            came = f"a list of {len(class_weight)}" if isinstance(class_weight, list) else "a dict"
        raise ValueError(
            f"class_weight must be 'balanced' or a list of dicts, one for each of {n_columns} "
            f"columns of y, got {came}"
        )
    return class_weight

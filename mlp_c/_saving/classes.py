"""The classes of a model: an array, or a list of an array for each column of labels."""

from typing import Any

import numpy as np


def are_of_columns(classes: Any) -> bool:
    """Whether classes are those of several columns: a list of arrays, or of what is like one."""
    if isinstance(classes, np.ndarray) and classes.dtype.kind != "O":
        return classes.ndim == 2  # at once: each prediction asks
    return (
        isinstance(classes, (list, tuple, np.ndarray))
        and len(classes) > 0
        and all(map(_is_vector, classes))
    )


def _is_vector(labels: Any) -> bool:
    is_sequence = isinstance(labels, (list, tuple, range)) or hasattr(labels, "__array__")
    return is_sequence and np.ndim(labels) == 1


def as_classes(classes: Any) -> Any:
    """Classes as an array; those of several columns as a list of one each."""
    if are_of_columns(classes):
        return [np.asarray(of_column) for of_column in classes]
    return np.asarray(classes)

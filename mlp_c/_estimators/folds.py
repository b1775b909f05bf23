"""Which rows each member of an ensemble holds out."""

import warnings
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.validation import check_array, check_consistent_length

from mlp_c._system.blocks import Array

# With fewer members, each holds out no more than one of so many parts of the rows.
_MIN_FOLDS = 5


def count_folds(n_members: int) -> int:
    """Into how many parts the rows are divided, of which each member holds out one."""
    return max(n_members, _MIN_FOLDS)


def divide(
    n_rows: int,
    n_folds: int,
    *,
    classes: Array | None,
    groups: Any,
    random_state: np.random.RandomState,
) -> Array:
    """The fold of each row, counted from 0.

    Parameters
    ----------
    n_rows : int
        How many rows there are.
    n_folds : int
        The most folds; there are fewer where there are fewer rows, or groups.
    classes : ndarray of int of shape (n_rows,) or None
        The classes of the rows, which the folds have in the same shares as far as they can.
    groups : array-like of shape (n_rows,) or None
        Rows of a group are in one fold.
    random_state : RandomState
        Divides the rows.

    Returns
    -------
    ndarray of int of shape (n_rows,)
        Each fold up to the last has a row.

    Raises
    ------
    ValueError
        If there are fewer than two rows, or groups.
    """
    if groups is None:
        if n_rows < 2:
            raise ValueError(f"X must have at least 2 rows to hold out one, got n_samples={n_rows}")
        return _deal(n_rows, n_folds, classes, random_state)
    codes = number_groups(groups, n_rows)
    n_groups = int(codes.max()) + 1
    if n_groups < 2:
        raise ValueError("groups must be of at least 2 groups, got 1")
    n_folds = min(n_folds, n_groups)
    if classes is None or np.bincount(classes).max() < n_folds:
        return _deal(n_groups, n_folds, None, random_state)[codes]
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=random_state)
    folds = np.empty(n_rows, np.int64)
    with warnings.catch_warnings():  # that some classes have fewer rows than there are folds
        warnings.simplefilter("ignore", UserWarning)
        for fold, (_, held_out) in enumerate(splitter.split(codes, classes, codes)):
            folds[held_out] = fold
    # It leaves folds empty where that is nearer to the same shares.
    return np.unique(folds, return_inverse=True)[1]


def _deal(
    n: int, n_folds: int, classes: Array | None, random_state: np.random.RandomState
) -> Array:
    """Folds whose sizes, of all things and of those of each class, differ by at most one."""
    order = random_state.permutation(n)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    folds = np.empty(n, np.int64)
    folds[order] = np.arange(n) % n_folds
    return folds


def number_groups(groups: Any, n_rows: int) -> Array:
    """The groups of rows as numbers from 0."""
    groups = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
    if groups.ndim != 1:
        raise ValueError(f"groups must be a vector, got shape {groups.shape}")
    check_consistent_length(np.empty(n_rows), groups)
    try:
        return np.unique(groups, return_inverse=True)[1]
    except TypeError as error:
        raise ValueError(f"groups must be all numbers or all text: {error}") from error

"""Which rows each member of an ensemble holds out."""

import warnings
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
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

    Raises
    ------
    ValueError
        If there are fewer than two rows, or groups.
    """
    if groups is not None:
        groups = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
        check_consistent_length(np.empty(n_rows), groups)
        found = len(np.unique(groups))
        if found < 2:
            raise ValueError("groups must be of at least 2 groups, got 1")
    else:
        found = n_rows
        if found < 2:
            raise ValueError(f"X must have at least 2 rows to hold out one, got n_samples={n_rows}")
    n_folds = min(n_folds, found)
    is_stratified = classes is not None and np.bincount(classes).max() >= n_folds
    splitters = (
        {False: KFold, True: StratifiedKFold}
        if groups is None
        else {False: GroupKFold, True: StratifiedGroupKFold}
    )
    splitter = splitters[is_stratified](n_folds, shuffle=True, random_state=random_state)
    folds = np.empty(n_rows, np.int64)
    with warnings.catch_warnings():  # that some classes have fewer rows than there are folds
        warnings.simplefilter("ignore", UserWarning)
        for fold, (_, held_out) in enumerate(splitter.split(np.empty(n_rows), classes, groups)):
            folds[held_out] = fold
    return folds

"""Training data as the kernels take it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import issparse

from mlp_c import _core
from mlp_c._system.blocks import Array, blocks
from mlp_c._system.threads import effective_n_threads

# The objective and its gradient, for a vector of all parameters.
Objective = Callable[[Array], tuple[float, Array]]

# Above this fraction of pairs of neighbouring columns that are not both zero, to multiply
# all elements is faster.
_MAX_PAIRS = 0.35

# What a copy of the elements that are not zero may take, of the memory of all.
_MAX_INDEX = 0.32


def is_taken_as_it_is(X: Any) -> bool:
    """Whether the kernels read the elements of an array, converting a batch at a time."""
    return (
        isinstance(X, np.ndarray)
        and (X.dtype.kind in "biu" or X.dtype.char in "efd")
        and X.dtype.isnative
        and X.flags.aligned
    )


def _check_range(elements: Any, dtype: Any) -> None:
    if elements.dtype.kind != "f" or elements.dtype.itemsize <= np.dtype(dtype).itemsize:
        return
    largest = max(elements.max(initial=0), -elements.min(initial=0))
    if np.isfinite(largest) and largest > np.finfo(dtype).max:
        raise ValueError(
            f"X must be in the range of {np.dtype(dtype)} to be computed with in it, "
            f"got an element of magnitude {largest}"
        )


def kernel_input(X: Any, dtype: Any) -> Any:
    """Checked rows as the kernels take them: an array, or the parts of a CSR matrix.

    The kernels skip the zeros of an array that is mostly zeros, and look for them in each pass.

    The values of a matrix, and elements that the kernels do not read, are converted.

    Raises
    ------
    ValueError
        If a finite element is not in `dtype`.
    """
    _check_range(X.data if issparse(X) else X, dtype)
    if not issparse(X):
        return X if is_taken_as_it_is(X) else np.require(X, dtype, "A")
    X.check_format(full_check=True)
    X = X.tocsr().astype(dtype, copy=False)
    # Whether it is canonical is found anew: what SciPy remembers may have been outdated.
    X = type(X)((X.data, X.indices, X.indptr), shape=X.shape)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X.data, X.indices, X.indptr, X.shape[1]


def digest_of(*parts: Any) -> str:
    """A digest of arrays, by their shapes, dtypes and elements, and of what else by its text."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            for block in blocks(part):
                digest.update(np.ascontiguousarray(block).reshape(-1).data)
        else:
            digest.update((part if isinstance(part, str) else repr(part)).encode())
    return digest.hexdigest()


class ForScorers(NamedTuple):
    """What scorers are given: rows, targets and an estimator as the user knows them.

    Attributes
    ----------
    X : {dataframe, array-like, sparse matrix} of shape (n_samples, n_features)
        All rows.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Their targets.
    estimator_of : callable
        Returns the estimator that scorers are given, for the model that is trained.
    """

    X: Any
    y: Any
    estimator_of: Callable[[Any], Any] = lambda model: model


@dataclass
class Data:
    """Rows, their encoded targets and weights; and which of the rows to use.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features) or tuple
        As `kernel_input` gives it, or listed.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Encoded targets.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights in training, all 1 where None.
    score_weight : ndarray of shape (n_samples,) or None
        Weights in scores, those that the user gave: without the classes'.
    rows : ndarray of int
        The rows to use, in order.
    dtype : dtype
        float32 or float64: in which to compute.
    for_scorers : ForScorers or None
        The rows and targets before they became what the kernels take.
    held_out : Data or None
        Rows of their own to validate with.
    """

    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None
    score_weight: np.ndarray | None
    rows: np.ndarray
    dtype: np.dtype[Any]
    for_scorers: ForScorers | None = None
    held_out: "Data | None" = None

    @property
    def n(self) -> int:
        """How many rows to use."""
        return len(self.rows)

    @property
    def takes_all(self) -> bool:
        """Whether these are all rows."""
        return len(self.rows) == len(self.y)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all rows, targets and weights: their shapes, dtypes and elements."""
        X = self.X if isinstance(self.X, tuple) else (self.X,)
        held_out = [] if self.held_out is None else [self.held_out.fingerprint]
        return digest_of(*X, self.y, self.sample_weight, *held_out)

    # ---- what training asks of the kernels ----

    def train_epoch(self, fields: dict[str, Any]) -> tuple[float, int]:
        """Train for an epoch; the sum of its losses, and how many rows that is of."""
        return _core.train_epoch(fields)

    def evaluate(self, fields: dict[str, Any]) -> float:
        """Evaluate rows; the sum of their losses."""
        return _core.evaluate(fields)

    def loss_gradient(self, fields: dict[str, Any]) -> float:
        """The objective of all rows; its gradients are written."""
        return _core.loss_gradient(fields)

    def minimize(
        self, evaluate: Objective, start: Array, callback: Callable[..., None], options: Any
    ) -> Any:
        """Minimise the objective by L-BFGS."""
        return minimize(
            evaluate, start, method="L-BFGS-B", jac=True, callback=callback, options=options
        )

    def agreed(self, score: Callable[[], float]) -> float:
        """A score of this data."""
        return score()

    def interrupt(self) -> None:
        """Take note that Ctrl-C, whose exception is being handled, has ended the training."""

    def list_nonzeros(self, n_threads: int | None) -> None:
        """For many passes: list what is not zero in an array that is mostly zeros, once for all."""
        if isinstance(self.X, np.ndarray):
            n_threads = effective_n_threads(n_threads)
            max_bytes = _MAX_INDEX * self.X.nbytes
            listed = _core.index_nonzeros(self.X, self.dtype.name, _MAX_PAIRS, max_bytes, n_threads)
            self.X = listed or self.X

    def astype(self, dtype: Any) -> "Data":
        """The same data to be computed with in another dtype; a dense `X` stays as it is."""

        def cast(array: Any) -> Any:
            if array is None or array.dtype.kind != "f":
                return array
            return array.astype(dtype, copy=False)

        X = self.X
        if isinstance(X, tuple) and len(X) > 2:
            X = (cast(X[0]), *X[1:])
        return replace(
            self,
            X=X,
            y=cast(self.y),
            sample_weight=cast(self.sample_weight),
            score_weight=cast(self.score_weight),
            dtype=np.dtype(dtype),
            held_out=None if self.held_out is None else self.held_out.astype(dtype),
        )

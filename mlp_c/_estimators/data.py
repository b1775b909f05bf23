"""Checks of the rows, targets and weights of a fit, as what training takes."""

import re
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _check_sample_weight, validate_data

from mlp_c._estimators.arguments import FitArguments
from mlp_c._system.blocks import Array
from mlp_c._system.warnings import warn_caller
from mlp_c._training.data import Data, ForScorers, is_taken_as_it_is, kernel_input
from mlp_c._training.model import Model
from mlp_c._training.solvers import Solver
from mlp_c._training.world import ALONE, World


class Learner(Model, Protocol):
    """An estimator, as far as the checks of its data know it."""

    @abstractmethod
    def _encode_targets(self, y: Any, *, keep_classes: bool) -> Array:
        """Targets as the kernels take them; numbers are cast to the rows' dtype later.

        Sets ``out_activation_``.
        """

    def _encode_held_out(self, y: Any) -> Array:
        """The same for targets of rows to validate with, after those of the training."""
        return self._encode_targets(y, keep_classes=True)

    def _weigh_classes(self, y: Any, encoded: Array) -> Array | None:
        """Weights that rows have in training for their classes; a regressor has none."""
        return None


def check_data(
    model: Learner,
    given: FitArguments,
    solver: Solver,
    *,
    reset: bool,
    keep_classes: bool,
    world: World = ALONE,
) -> Data:
    """What a fit is to train on and, if it is given, to validate with.

    Parameters
    ----------
    model : estimator
        Its parameters are valid; what the data say of inputs and classes is set.
    given : FitArguments
        The arguments of ``fit``.
    solver : Solver
        Whose dtype must hold the numbers.
    reset : bool
        Whether inputs may be others than those of the last fit.
    keep_classes : bool
        Whether classes may not.
    world : World
        The processes that train together.
    """
    X, y = _check_rows(model, given.X, given.y, reset=reset, world=world)
    y = world.whole(y)
    dtype = _dtype_for(model, X)
    work_dtype = solver.work_dtype(dtype)
    given_weight = world.whole_weights(given.sample_weight, X.shape[0])
    sample_weight = check_weights(given_weight, y, dtype)
    encoded = model._encode_targets(y, keep_classes=keep_classes)
    _check_target_range(encoded, work_dtype)
    score_weight = sample_weight
    sample_weight = weigh_by_class(model._weigh_classes(y, encoded), sample_weight, y, dtype)
    rows, source = np.arange(len(encoded)), _as_scorers_take(model, given.X, X, y)
    X = kernel_input(X, work_dtype)
    data = world.data(X, encoded, sample_weight, score_weight, rows, dtype, source)
    if given.X_val is not None:
        with _named_as_validation():
            data.held_out = _check_held_out(model, given, data, work_dtype, world)
    return data


def _check_held_out(
    model: Learner, given: FitArguments, data: Data, work_dtype: np.dtype[Any], world: World
) -> Data:
    """The rows of their own to validate with."""
    X, y = _check_rows(model, given.X_val, given.y_val, reset=False, world=world)
    y = world.whole(y)
    given_weight = world.whole_weights(given.sample_weight_val, X.shape[0])
    weight = check_weights(given_weight, y, data.dtype)
    encoded = model._encode_held_out(y)
    _check_target_range(encoded, work_dtype)
    if encoded.shape[1:] != data.y.shape[1:]:
        raise ValueError(
            f"y must have as many outputs as in training, which is {data.y.shape[1]}, got "
            f"{encoded.shape[1]}"
        )
    rows, source = np.arange(len(encoded)), _as_scorers_take(model, given.X_val, X, y)
    X = kernel_input(X, work_dtype)
    return world.data(X, encoded, weight, weight, rows, data.dtype, source)


@contextmanager
def _named_as_validation() -> Iterator[None]:
    """Name the arguments that errors are about as those of the rows to validate with.

    In brackets and behind dashes, messages quote labels and names of features, which may be these
    words, too.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        said = str(error)
        text = re.sub(
            r"\[[^]]*\]|^- .*$|\b(?:X|y|sample_weight)\b",
            lambda found: found[0] if found[0][0] in "[-" else f"{found[0]}_val",
            said,
            flags=re.MULTILINE,
        )
        text = f"X_val and y_val: {said}" if text == said else text
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(text) from error


def _check_rows(model: Learner, X: Any, y: Any, *, reset: bool, world: World) -> tuple[Any, Any]:
    """Rows as an array or a matrix, and their targets."""
    X, y = validate_data(
        model,
        X,
        y,
        accept_sparse=["csr", "csc"],
        multi_output=True,
        y_numeric=not is_classifier(model),
        dtype=None if is_taken_as_it_is(X) else (np.float64, np.float32),
        order="C",
        ensure_all_finite=world.checks_all or not is_taken_as_it_is(X),
        reset=reset,
    )
    world.check_finite(X, "X")
    return X, without_single_column(y)


def as_finite_floats(y: Any) -> Array:
    """Numbers of a regressor's targets as float64 of shape (n_samples, n_targets)."""
    if y.dtype.kind not in "biuf":
        raise ValueError(f"y must hold numbers, got dtype {y.dtype}")
    with np.errstate(over="ignore"):
        y = np.require(y, np.float64, "A").reshape(len(y), -1)
    if not np.isfinite(y).all():  # None among objects; beyond float64
        raise ValueError(f"y must hold finite numbers, got {y[~np.isfinite(y)][0]}")
    return y


def without_single_column(y: Any) -> Any:
    """Targets as a vector where they are a single column, with a warning."""
    if y.ndim != 2 or y.shape[1] != 1:
        return y
    warn_caller(
        "A column-vector y was passed when a 1d array was expected; it was taken for one. "
        "Pass y.ravel() to say so.",
        DataConversionWarning,
    )
    return column_or_1d(y)


def _as_scorers_take(model: Learner, given: Any, X: Any, y: Any) -> ForScorers:
    """Rows with the names that predictions check, if they have any, and targets."""
    return ForScorers(given if hasattr(model, "feature_names_in_") else X, y)


def _dtype_for(model: Learner, X: Any) -> np.dtype[Any]:
    """In which to compute with rows of a user's, as `compute_dtype` says."""
    if model.compute_dtype is not None:
        return np.dtype(model.compute_dtype)
    return np.dtype(np.float32 if X.dtype == np.float32 else np.float64)


def _check_target_range(y: Array, dtype: np.dtype[Any]) -> None:
    """Refuse targets that the dtype computed in does not hold."""
    if dtype == np.float32 and y.dtype.kind == "f":
        largest = max(y.max(initial=0), -y.min(initial=0))
        if largest > np.finfo(dtype).max:
            raise ValueError(
                f"y must be in the range of {dtype}, in which rows of {dtype} are computed with, "
                f"got an element of magnitude {largest}; compute_dtype='float64' takes it"
            )


def weigh_by_class(
    class_weights: Array | None, sample_weight: Array | None, X: Any, dtype: np.dtype[Any]
) -> Array | None:
    """Weights of the rows of `X` in training, of those of their classes and their own."""
    if class_weights is None:
        return sample_weight
    of_rows = 1 if sample_weight is None else sample_weight
    name = "class_weight times sample_weight"
    return check_weights(of_rows * class_weights, X, dtype, name)


def check_weights(
    sample_weight: Any, X: Any, dtype: np.dtype[Any], name: str = "sample_weight"
) -> Array | None:
    """Weights of the rows of `X`, in a dtype in which something can be divided by their sum."""
    if sample_weight is None:
        return None
    weights = np.require(
        _check_sample_weight(sample_weight, X, dtype=dtype, ensure_non_negative=True),
        requirements=["C", "A"],
    )
    with np.errstate(over="ignore"):
        weight_sum = weights.sum(dtype=np.float64)
    if not np.isfinite(weight_sum):
        raise ValueError(f"the sum of {name} must be finite, got inf")
    if weight_sum < np.finfo(dtype).tiny:
        raise ValueError(
            f"the sum of {name} must be at least {np.finfo(dtype).tiny} in {dtype}, "
            f"got {weight_sum}"
        )
    return weights

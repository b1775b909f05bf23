"""What ``fit`` is given: rows to train on, rows to validate with, weights to begin with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np

from mlp_c._system.blocks import Array, are_finite


@dataclass(frozen=True)
class FitArguments:
    """The arguments of ``fit``, by its names for them."""

    X: Any
    y: Any
    sample_weight: Any = None
    X_val: Any = None
    y_val: Any = None
    sample_weight_val: Any = None
    coefs_init: Any = None
    intercepts_init: Any = None
    groups: Any = None

    def refuse(self, estimator: Any, *names: str) -> None:
        """Refuse arguments that an estimator's ``fit`` does not take.

        Raises
        ------
        ValueError
            If one of these is given.
        """
        for name in names:
            if (value := getattr(self, name)) is not None:
                raise ValueError(
                    f"{name} must be None for {type(estimator).__name__}, whose fit does not "
                    f"take it, got a {type(value).__name__}"
                )

    def check(self, *, early_stopping: bool) -> None:
        """Refuse arguments that do not go together.

        Raises
        ------
        ValueError
            If one is given that has no meaning without another, which is not.
        """
        for name, other in (
            ("X_val", "y_val"),
            ("y_val", "X_val"),
            ("sample_weight_val", "X_val"),
            ("coefs_init", "intercepts_init"),
            ("intercepts_init", "coefs_init"),
        ):
            if getattr(self, name) is not None and getattr(self, other) is None:
                raise ValueError(f"{name} must be given with {other}, which is None")
        if self.X_val is not None and not early_stopping:
            raise ValueError(
                "X_val and y_val must be given with early_stopping=True, got "
                f"early_stopping={early_stopping}"
            )

    @property
    def has_weights(self) -> bool:
        """Whether weights to begin with are given."""
        return self.coefs_init is not None

    def weights_for(self, widths: list[int], dtype: Any) -> tuple[list[Array], list[Array]]:
        """Copies of the weights and biases to begin with, for layers of these widths.

        Raises
        ------
        ValueError
            If they have other shapes, or are not finite in `dtype`.
        """
        shapes = list(pairwise(widths))
        return (
            _copies("coefs_init", self.coefs_init, shapes, dtype),
            _copies("intercepts_init", self.intercepts_init, [(w,) for w in widths[1:]], dtype),
        )


def _copies(name: str, arrays: Any, shapes: Sequence[tuple[int, ...]], dtype: Any) -> list[Array]:
    """Copies of arrays of these shapes, as float arrays."""
    expected = f"{name} must hold arrays of numbers of shapes {shapes}, got "
    if not isinstance(arrays, Iterable):
        raise ValueError(f"{expected}a {type(arrays).__name__}")
    try:
        with np.errstate(over="ignore"):
            # One more than are needed shows that there are too many; there may be no end of them.
            copies = [_copy(array, dtype) for array in islice(arrays, len(shapes) + 1)]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{expected}something else: {error}") from error
    if [copy.shape for copy in copies] != shapes:
        raise ValueError(f"{expected}{[copy.shape for copy in copies]}")
    if not are_finite(copies):
        raise ValueError(f"{name} must be finite in {np.dtype(dtype)}, got infinity or NaN")
    return copies


def _copy(array: Any, dtype: Any) -> Array:
    """A copy as floats of what are numbers already, and not complex ones."""
    given = np.asarray(array)
    if given.dtype.kind not in "biufO":
        raise TypeError(f"an array of dtype {given.dtype}")
    return np.array(given, dtype, order="C")

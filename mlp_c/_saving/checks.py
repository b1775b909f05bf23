"""Checks of what a saved state holds; each returns it as it is to be used.

A state may come from anywhere: what does not fit is a ValueError that names it.
"""

import re
import reprlib
from collections.abc import Callable, Collection
from contextlib import suppress
from numbers import Integral, Real
from typing import Any, NoReturn

import numpy as np

from mlp_c._system.blocks import Array, Arrays

# More than any training counts, and no more than floats and C's integers hold.
_MAX_COUNT = 2**53

# Labels that are short make a long array with one that is long: so large it may be.
MAX_TEXT_BYTES = 2**26

_shown = reprlib.Repr()
_shown.maxother = _shown.maxstring = 80


def refuse(name: str, expected: str, value: Any) -> NoReturn:
    """Say what part of a state is not what it must be."""
    raise ValueError(f"{name} of a state must be {expected}, got {_shown.repr(value)}")


def entries(
    name: str, value: Any, required: Collection[str], optional: Collection[str] = ()
) -> Any:
    """A dict with the required keys and no others but the optional ones."""
    if not isinstance(value, dict):
        refuse(name, "a dict", value)
    if missing := [key for key in required if key not in value]:
        raise ValueError(f"{name} of a state lacks {missing}")
    if unknown := [key for key in value if key not in required and key not in optional]:
        raise ValueError(f"{name} of a state has unknown entries: {_shown.repr(unknown)}")
    return value


def count(name: str, value: Any) -> int:
    """A number of things, 0 or more."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if 0 <= number <= _MAX_COUNT:
            return number
    refuse(name, f"an integer from 0 to {_MAX_COUNT}", value)


def counter(name: str, value: Any) -> Array:
    """An array of one such number, which goes on."""
    if not isinstance(value, np.ndarray) or value.shape != (1,):
        refuse(name, "an array of one integer", value)
    return np.array([count(name, value[0])], np.int64)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        refuse(name, "True or False", value)
    return value


def number(name: str, value: Any) -> float:
    """A real number, infinite or NaN ones included."""
    if isinstance(value, Real) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    refuse(name, "a number", value)


def within(low: float, high: float) -> Callable[[str, Any], float]:
    """A check for a number from `low` to `high`."""

    def check(name: str, value: Any) -> float:
        if not low <= number(name, value) <= high:
            refuse(name, f"a number from {low} to {high}", value)
        return float(value)

    return check


not_negative = within(0, np.inf)
fraction = within(0, 1)


def optional(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """A check for None, or what another check takes."""
    return lambda name, value: None if value is None else check(name, value)


def one_of(*options: str) -> Callable[[str, Any], str]:
    """A check for one of some strings."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in options:
            refuse(name, f"one of {list(options)}", value)
        return value

    return check


def numbers(name: str, value: Any) -> list[float]:
    """A list of real numbers."""
    if not isinstance(value, list):
        refuse(name, "a list of numbers", value)
    if set(map(type, value)) <= {float}:  # as fits leave them: curves may be long
        return list(value)
    return [number(f"{name}[{i}]", item) for i, item in enumerate(value)]


def floats(name: str, value: Any, ndim: int) -> Array:
    """An array of float32 or float64 that is not empty; aligned, native and C-contiguous."""
    expected = f"a {ndim}-d array of float32 or float64"
    if not isinstance(value, np.ndarray):
        refuse(name, expected, value)
    dtype = value.dtype.newbyteorder("=")
    if dtype not in (np.float32, np.float64) or value.ndim != ndim or value.size == 0:
        refuse(name, expected, f"{value.dtype} of shape {value.shape}")
    return np.require(value, dtype, ["C", "A", "E"])


def floats_list(name: str, value: Any, ndim: int) -> list[Array]:
    """A list of such arrays."""
    if not isinstance(value, list):
        refuse(name, "a list of arrays", value)
    return [floats(f"{name}[{i}]", array, ndim) for i, array in enumerate(value)]


def floats_like(name: str, value: Any, like: Arrays) -> list[Array]:
    """A list of arrays of the shapes and dtypes of others."""
    if not isinstance(value, list) or len(value) != len(like):
        refuse(name, f"a list of {len(like)} arrays", value)
    arrays = []
    for i, (array, other) in enumerate(zip(value, like, strict=True)):
        array = floats(f"{name}[{i}]", array, other.ndim)
        if (array.dtype, array.shape) != (other.dtype, other.shape):
            refuse(
                f"{name}[{i}]",
                f"{other.dtype} of shape {other.shape}",
                f"{array.dtype} of shape {array.shape}",
            )
        arrays.append(array)
    return arrays


def permutation(name: str, value: Any, n: int) -> Array:
    """A vector of the integers below `n`, each once."""
    if (
        not isinstance(value, np.ndarray)
        or value.ndim != 1
        or value.dtype.kind not in "iu"
        or not np.array_equal(np.sort(value), np.arange(n))
    ):
        refuse(name, f"a permutation of {n} rows", value)
    return value.astype(np.intp)


def labels(name: str, value: Any) -> Array:
    """A vector of numbers, text, times or plain objects; text and objects may be in a list."""
    if isinstance(value, dict):
        value = _array_of_labels(name, **entries(name, value, ["dtype", "labels"]))
    elif not isinstance(value, np.ndarray) or value.dtype.kind not in "biufUmM":
        refuse(name, "an array of numbers, text or times", value)
    if value.ndim != 1 or value.size == 0:
        refuse(name, "a vector", f"shape {value.shape}")
    return value


def _array_of_labels(name: str, dtype: Any, labels: Any) -> Array:
    """The array that a list was made of."""
    if not isinstance(labels, list) or not all(isinstance(x, (str, int, float)) for x in labels):
        refuse(name, "a list of strings and numbers", labels)
    text = re.fullmatch(r"\|O|[<>]U([0-9]{1,9})", dtype) if isinstance(dtype, str) else None
    if text is None or 4 * int(text[1] or 0) * len(labels) > MAX_TEXT_BYTES:
        refuse(name, f"objects or at most {MAX_TEXT_BYTES} bytes of text", dtype)
    if text[1] is None:
        return np.fromiter(labels, dtype=object, count=len(labels))
    if not all(isinstance(label, str) and len(label) <= int(text[1]) for label in labels):
        refuse(name, f"strings of {dtype}", labels)
    return np.array(labels, dtype=dtype)

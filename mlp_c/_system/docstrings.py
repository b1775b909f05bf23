"""Docstrings with parts that are filled in: lists of names, and what several have in common."""

import inspect
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def options(names: Iterable[str]) -> str:
    """The names that a parameter may have, as numpydoc writes them."""
    return f"{{{', '.join(map(repr, names))}}}"


def documented(**parts: str) -> Callable[[T], T]:
    """Fill in what stands in braces in the docstring of a class or function."""

    def fill(thing: T) -> T:
        doc = inspect.cleandoc(thing.__doc__ or "")  # none under -OO
        for name, text in parts.items():
            doc = doc.replace(f"{{{name}}}", text.strip())
        thing.__doc__ = doc
        return thing

    return fill

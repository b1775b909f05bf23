"""What the text in the cells of a CSV file means: numbers, gaps, levels of categories."""

import math
from collections.abc import Iterable
from typing import Any

# What stands for a gap, unless a category has it for a level. Most of what pandas takes for one.
GAPS = frozenset(
    ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "Null", "null", "None")
)

_BOOLS = {
    **dict.fromkeys(("True", "true", "TRUE"), True),
    **dict.fromkeys(("False", "false", "FALSE"), False),
}


def to_number(text: str) -> float:
    """The number that text is; NaN for a gap, 1 and 0 for true and false.

    Raises
    ------
    ValueError
        If it is none of them. What else `float` takes, '1_0' and digits of other scripts, is not.
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"{text!r} is not a number")
    try:
        return float(text)
    except ValueError:
        if text in GAPS:
            return math.nan
        if text in _BOOLS:
            return _BOOLS[text]
        raise


def is_number(text: str) -> bool:
    """Whether text is a number that is finite."""
    try:
        return text not in _BOOLS and math.isfinite(to_number(text))
    except ValueError:
        return False


def find_levels(texts: Iterable[str], labels: tuple[Any, ...]) -> dict[str, Any]:
    """The levels of a category that texts stand for, None for gaps; others are left out.

    Parameters
    ----------
    texts : iterable of str
        Texts that differ.
    labels : tuple of labels
        Those of the levels, as `mlp_c._tables.frames` has them.

    Returns
    -------
    dict
        The level of each text that stands for one. A word comes before a number of the same text.
    """
    numbers = {label for label in labels if isinstance(label, (int, float))}
    levels: dict[str, Any] = {str(number): number for number in numbers}
    levels |= {text: value for text, value in _BOOLS.items() if (value,) in labels}
    levels |= {label: label for label in labels if isinstance(label, str) and label}
    found = {}
    for text in texts:
        if text in levels:
            found[text] = levels[text]
        elif text in GAPS:
            found[text] = None
        elif is_number(text) and (number := to_number(text)) in numbers:
            found[text] = number
    return found

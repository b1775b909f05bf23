"""The examples in pages of prose, and what they print."""

import contextlib
import io
import re
import warnings

import pytest

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_WITH_OUTPUT = re.compile(
    r"^```python\n(.*?)^```$(?:\s*^```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")

# Of libraries that pages compare with; what they print was found by hand.
_OF_OTHERS = re.compile(r"^(?:import|from) (?:h2o|keras|skorch|torch)\b", re.MULTILINE)


def python_blocks(text):
    """The blocks of Python in a page's text."""
    return _BLOCK.findall(text)


def run_in_turn(text):
    """What each block of Python in a page prints, beside the block of text that follows it.

    Each block uses what those before it have made. A warning or an exception is printed as Python
    prints it, without the place where it came from. Blocks of other libraries are left out.
    """
    names = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        for category in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        for block, expected in _WITH_OUTPUT.findall(text):
            if not _OF_OTHERS.search(block):
                yield block, _printed_by(block, names), expected


def _printed_by(block, names):
    printed = io.StringIO()

    def show(message, category, *_):
        print(f"{category.__name__}: {message}", file=printed)

    with contextlib.redirect_stdout(printed):
        warnings.showwarning = show  # until `run_in_turn` ends
        try:
            exec(compile(block, "<example>", "exec"), names)
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
    return printed.getvalue()


def say_the_same(printed, expected):
    """Whether two texts have the same words, and numbers that are alike.

    Numbers may differ by 0.03 or a tenth, as machines do. Lines may be broken elsewhere.
    """
    numbers = [[float(n) for n in _NUMBER.findall(text)] for text in (printed, expected)]
    words = [" ".join(_NUMBER.sub("#", text).split()) for text in (printed, expected)]
    return words[0] == words[1] and numbers[0] == pytest.approx(numbers[1], rel=0.1, abs=0.03)

"""The guide to progress: its examples run in turn and print what the page says, but for seconds."""

import re
from pathlib import Path

import pytest

from support.pages import run_in_turn, say_the_same

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "progress.md"


def without_seconds(text):
    """A table without its last column, where that is the seconds."""
    titles, *rows = text.splitlines()
    if not titles.endswith("seconds"):
        return text
    return "\n".join([titles, *(re.sub(r"\S+$", "", row) for row in rows)])


def test_the_examples_print_what_the_page_says():
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    pytest.importorskip("rich")
    blocks = list(run_in_turn(PAGE.read_text(encoding="utf-8")))
    assert not [block for block, printed, _ in blocks if "Error" in printed]
    told = [(printed, expected) for _, printed, expected in blocks if expected]
    assert len(told) == 3
    for printed, expected in told:
        assert say_the_same(without_seconds(printed), without_seconds(expected)), printed

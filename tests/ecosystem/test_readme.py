"""The README's complete examples run as they are pasted, and say what they should."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


def examples():
    """The blocks of Python that import all that they use."""
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if "print(" in block]


@pytest.mark.parametrize("number", range(2), ids=["classifier", "regressor"])
def test_an_example_runs_and_its_model_is_good(number, capsys):
    pytest.importorskip("pandas")
    exec(examples()[number], {})
    assert float(capsys.readouterr().out) > 0.97


def test_these_are_all_complete_examples():
    assert len(examples()) == 2

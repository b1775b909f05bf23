"""Complete examples of README and guide run as they are pasted, and say what they should."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def examples(page):
    """The blocks of Python that import all that they use."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for block in blocks if "print(" in block]


def number_printed(example, capsys):
    exec(example, {})
    return float(capsys.readouterr().out)


@pytest.mark.parametrize("number", range(2), ids=["classifier", "regressor"])
def test_an_example_runs_and_its_model_is_good(number, capsys):
    pytest.importorskip("pandas")
    assert number_printed(examples("README.md")[number], capsys) > 0.97


# The one that prints a number.
BANDS = next(i for i, e in enumerate(examples("docs/options.md")) if "quantile=" in e)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_four_in_five_targets_lie_between_the_quantiles_of_the_guide(capsys):
    example = examples("docs/options.md")[BANDS]
    assert number_printed(example, capsys) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("number", set(range(len(examples("docs/options.md")))) - {BANDS})
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_the_guide_says_of_other_examples_is_so(number, capsys):
    pytest.importorskip("pandas")
    exec(examples("docs/options.md")[number], {})
    assert capsys.readouterr().out == "True\n"


def test_these_are_all_complete_examples():
    assert len(examples("README.md")) == 2
    guide = (ROOT / "docs/options.md").read_text(encoding="utf-8")
    assert len(examples("docs/options.md")) == guide.count("```python")

"""The examples of README and pages run as they are pasted, and say what they should."""

import inspect
import re
from pathlib import Path

import pytest
import sklearn.neural_network

import mlp_c
from support.pages import python_blocks, run_in_turn, say_the_same

ROOT = Path(__file__).resolve().parents[2]


def examples(page):
    """The blocks of Python that import all that they use."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block for block in python_blocks(text) if "print(" in block]


def number_printed(example, capsys):
    exec(example, {})
    return float(capsys.readouterr().out)


@pytest.mark.parametrize("number", range(2), ids=["classifier", "table"])
def test_an_example_runs_and_its_model_is_good(number, capsys):
    pytest.importorskip("pandas")
    assert number_printed(examples("README.md")[number], capsys) > 0.97


# The one that prints a number.
BANDS = next(i for i, e in enumerate(examples("docs/guide/options.md")) if "quantile=" in e)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_four_in_five_targets_lie_between_the_quantiles_of_the_guide(capsys):
    example = examples("docs/guide/options.md")[BANDS]
    assert number_printed(example, capsys) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(
    "number", sorted({*range(len(examples("docs/guide/options.md")))} - {BANDS})
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_the_guide_says_of_other_examples_is_so(number, capsys):
    pytest.importorskip("pandas")
    exec(examples("docs/guide/options.md")[number], {})
    assert capsys.readouterr().out == "True\n"


def test_these_are_all_complete_examples():
    assert len(examples("README.md")) == 2
    guide = (ROOT / "docs/guide/options.md").read_text(encoding="utf-8")
    assert len(examples("docs/guide/options.md")) == guide.count("```python")


def parameters_of(module):
    """The parameters of both estimators."""
    classes = (module.MLPClassifier, module.MLPRegressor)
    return {name for cls in classes for name in inspect.signature(cls).parameters}


def values_of(module):
    """The names that some of these parameters take."""
    constraints = module.MLPRegressor._parameter_constraints
    named = ("activation", "init", "learning_rate", "loss", "solver")
    return {
        value for name in named if name in constraints for value in constraints[name][0].options
    }


# Pages whose blocks run one after the other, and print the text that follows each.
PAGES = [
    "docs/start.md",
    "docs/guide/choosing.md",
    "docs/guide/kernels.md",
    "docs/guide/reproducibility.md",
    "docs/guide/threads.md",
    "docs/guide/troubleshooting.md",
    "docs/coming_from/h2o.md",
    "docs/coming_from/keras.md",
    "docs/coming_from/pytorch.md",
    "docs/coming_from/skorch.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_each_block_of_a_page_prints_the_text_that_follows_it(page, tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.chdir(tmp_path)
    for block, printed, expected in run_in_turn((ROOT / page).read_text(encoding="utf-8")):
        assert say_the_same(printed, expected), f"{block}\nprinted\n{printed}not\n{expected}"


def tables_of_other_libraries():
    """The first cells of the tables of names on each library's page: what is here."""
    pages = [ROOT / page for page in PAGES if page.startswith("docs/coming_from/")]
    for page in pages:
        section = page.read_text(encoding="utf-8").split("\n## This is called that\n")[1]
        yield page.name, " ".join(re.findall(r"^\| (.*?) \|", section, re.MULTILINE)[2:])


def test_the_guide_tells_of_every_option_that_scikit_learn_lacks():
    """And of its values."""
    guide = (ROOT / "docs/guide/options.md").read_text(encoding="utf-8")
    parameters = parameters_of(mlp_c) - parameters_of(sklearn.neural_network)
    assert {name for name in parameters if f"`{name}" not in guide} == set()
    values = values_of(mlp_c) - values_of(sklearn.neural_network)
    assert {value for value in values if f'"{value}"' not in guide} == set()


def test_the_tables_of_other_libraries_name_every_option():
    """But one schedule, which they lack."""
    cells = " ".join(cells for _, cells in tables_of_other_libraries())
    options = parameters_of(mlp_c) - parameters_of(sklearn.neural_network)
    words = set(re.findall(r"\b\w+\b", cells))
    assert options <= words, options - words
    lacking = values_of(mlp_c) - values_of(sklearn.neural_network)
    assert lacking - set(re.findall(r'"(\w+)"', cells)) == {"coslog4"}


@pytest.mark.parametrize(("page", "cells"), list(tables_of_other_libraries()))
def test_a_table_of_another_library_names_only_what_is_here(page, cells):
    values = set(re.findall(r'"(\w+)"', cells))
    assert values <= values_of(mlp_c) | {"float32", "loss"}
    named = set(re.findall(r"[`(, ](\w+)=", cells)) | set(re.findall(r"`(\w+)`", cells))
    of_fit = inspect.signature(mlp_c.MLPClassifier.fit).parameters
    attributes = set(re.findall(r"^(\w+_) : ", mlp_c.MLPClassifier.__doc__, re.MULTILINE))
    here = {*parameters_of(mlp_c), *of_fit, *attributes, *dir(mlp_c), *dir(mlp_c.MLPClassifier)}
    assert named <= here, named - here


def test_links_within_the_guide_lead_to_its_sections():
    guide = (ROOT / "docs/guide/options.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.*)$", guide, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    links = set(re.findall(r"\]\(#(.*?)\)", guide))
    assert links == anchors, links ^ anchors

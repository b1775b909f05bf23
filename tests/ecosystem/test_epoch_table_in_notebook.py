"""`EpochTable` in a Jupyter kernel: one table that is kept up to date."""

import re
from itertools import pairwise

import pytest

nbformat = pytest.importorskip("nbformat")

FIT = """
import warnings
warnings.simplefilter("ignore")
from sklearn.datasets import load_iris
from mlp_c import EpochTable, MLPClassifier
X, y = load_iris(return_X_y=True)
params = dict(max_iter=1000, n_iter_no_change=1000, random_state=0, early_stopping=True)
model = MLPClassifier(**params).set_callbacks(EpochTable()).fit(X, y)
"""
EVERY = "model = MLPClassifier(**params).set_callbacks(EpochTable(every=300)).fit(X, y)"
LAST = "print(model.history_['loss'][-1], model.history_['validation_score'][-1])"
PARTIAL = """
model = MLPClassifier().set_callbacks(EpochTable())
for _ in range(3):
    model.partial_fit(X, y, classes=range(3))
"""
FAILING = """
class Fails:
    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...
    def on_fit_task_end(self, estimator, context):
        assert estimator.n_iter_ < 7

try:
    MLPClassifier(**params).set_callbacks(Fails(), EpochTable(10)).fit(X, y)
except AssertionError:
    pass
"""
CELLS = {"fit": FIT, "last": LAST, "every": EVERY, "partial": PARTIAL, "failing": FAILING}


class Executed:
    """What a notebook of these cells has come to, and the messages that its displays sent."""

    def __init__(self, client, notebook):
        self.messages = {name: [] for name in CELLS}
        process = client.process_message

        def note(message, cell, cell_index):
            if "display" in message["msg_type"]:
                self.messages[list(CELLS)[cell_index]].append(message)
            return process(message, cell, cell_index)

        client.process_message = note
        client.execute()
        outputs = [cell.outputs for cell in notebook.cells]
        self.outputs = dict(zip(CELLS, outputs, strict=True))

    def text(self, cell):
        return "".join(output.text for output in self.outputs[cell])

    def table(self, cell):
        """The rows of the one table that a cell shows, the titles among them."""
        [shown] = self.outputs[cell]
        rows = re.findall("<tr>(.*?)</tr>", shown.data["text/html"])
        return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


@pytest.fixture(scope="module")
def executed(jupyter, tmp_path_factory):
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    return Executed(jupyter(notebook, tmp_path_factory.mktemp("notebook")), notebook)


def epochs(rows):
    return [int(row[0]) for row in rows]


def test_a_fit_shows_one_table_with_its_last_rows(executed):
    titles, omission, *rows = executed.table("fit")
    assert titles == [
        "epoch", "loss", "validation loss", "validation score", "learning rate", "seconds"
    ]  # fmt: skip
    assert omission == ["980 more above"]
    assert epochs(rows) == list(range(981, 1001))
    want = [float(value) for value in executed.text("last").split()]
    assert [float(rows[-1][1]), float(rows[-1][3])] == pytest.approx(want, rel=1e-5)


def test_the_table_is_text_too(executed):
    lines = executed.outputs["fit"][0].data["text/plain"].splitlines()
    assert lines[1] == "980 more above"
    assert lines[-1].split() == executed.table("fit")[-1]
    assert len(lines) == 22


def test_one_display_is_updated(executed):
    messages = executed.messages["fit"]
    first, *others = (message["msg_type"] for message in messages)
    assert first == "display_data"
    assert len(others) > 1
    assert set(others) == {"update_display_data"}
    assert len({message["content"]["transient"]["display_id"] for message in messages}) == 1


def test_updates_are_a_tenth_of_a_second_apart_but_for_the_last(executed):
    sent = [message["header"]["date"].timestamp() for message in executed.messages["fit"]]
    assert min(later - sooner for sooner, later in pairwise(sent[:-1])) > 0.09


def test_every_so_many_epochs_have_a_row_and_the_last_has_one(executed):
    assert epochs(executed.table("every")[1:]) == [300, 600, 900, 1000]


def test_a_fit_that_raises_has_shown_its_last_epoch(executed):
    assert epochs(executed.table("failing")[1:]) == [6]


def test_partial_fits_print_lines(executed):
    lines = executed.text("partial").splitlines()
    assert [line.split()[0] for line in lines] == ["epoch", "1", "2", "3"]

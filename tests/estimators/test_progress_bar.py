"""scikit-learn's ProgressBar on our fits: it ends whole, however a fit ends."""

import os
import re
import sys
import threading

import pytest
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlp_c
from support import tabular
from support.callbacks import Recorder, X, Y, make

pytest.importorskip("rich")
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Training interrupted by user"),
]

ANY = {"max_iter": 300, "tol": 0.0, "n_iter_no_change": 300}

# By how a fit ends before its last epoch: parameters, and what a callback does after four epochs.
ENDS = {
    "early stopping": ({"early_stopping": True, "n_iter_no_change": 2}, None),
    "tol": ({"tol": 1.0, "n_iter_no_change": 2}, None),
    "a callback": ({}, "stop"),
    "Ctrl-C": ({}, "interrupt"),
    "tol of lbfgs": ({"solver": "lbfgs", "tol": 1.0}, None),
    "a callback, with lbfgs": ({"solver": "lbfgs"}, "stop"),
    "Ctrl-C, with lbfgs": ({"solver": "lbfgs"}, "interrupt"),
}


def after_four(act):
    """A callback that does something after the fourth epoch."""

    def at_epoch_end(estimator, epoch):
        if epoch == 3 and act == "interrupt":
            raise KeyboardInterrupt
        if epoch == 3 and act == "raise":
            raise RuntimeError("mine")
        return epoch == 3 and act == "stop"

    return Recorder(at_epoch_end)


@pytest.fixture
def bars(capsys):
    """Reads the percentages that were shown; in the end, all threads of the bars have ended.

    But for one: scikit-learn 1.9 leaves the thread that listens to other processes asleep (its pull
    request 34856).
    """
    before = set(threading.enumerate())
    yield lambda: [int(percent) for percent in re.findall(r"(\d+)%", capsys.readouterr().out)]
    for thread in set(threading.enumerate()) - before:
        if "_accept" not in thread.name:
            thread.join(10)  # rich's refreshes the display ten times a second
            assert not thread.is_alive()


# ---- where bars end ----


@pytest.mark.parametrize("end", ENDS)
def test_a_fit_that_ends_early_ends_its_bar_at_100_percent(end, bars):
    params, act = ENDS[end]
    model = make(**ANY | params).set_callbacks(after_four(act), ProgressBar()).fit(X, Y)
    assert model.n_iter_ < 300
    assert bars()[-1] == 100


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_fit_that_raises_ends_its_bar_where_it_was(solver, bars):
    model = make(**ANY, solver=solver).set_callbacks(ProgressBar(), after_four("raise"))
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(X, Y)
    assert bars()[-1] == 1  # of 300 epochs, three or four


def test_weights_that_are_not_finite_end_the_bar_at_100_percent_and_raise(bars):
    model = make(mlp_c.MLPRegressor, **ANY, solver="sgd", learning_rate_init=1e30)
    with pytest.raises(ValueError, match="non-finite"):
        model.set_callbacks(ProgressBar()).fit(X, Y)
    assert bars()[-1] == 100


def test_a_partial_fit_is_a_bar_of_one_epoch(bars):
    make().set_callbacks(ProgressBar()).partial_fit(X, Y, classes=[0, 1])
    assert bars()[-1] == 100


@tabular.both
@pytest.mark.parametrize("params", [{"n_iter_no_change": 1}, {"time_limit": 1e-9}])
def test_members_that_end_early_end_the_bar_at_100_percent(cls, params, bars):
    model = tabular.make(cls, max_iter=300, **params).set_callbacks(ProgressBar())
    model.fit(tabular.MIXED, tabular.targets_for(cls))
    assert model.n_iter_ < 300
    assert bars()[-1] == 100


def test_all_bars_of_a_search_end_at_100_percent(bars):
    pipeline = make_pipeline(StandardScaler(), make(**ANY | ENDS["tol"][0]))
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [0, 1]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, Y)
    n_bars = 2 + 5 * 2  # of the search and its fits; of each pipeline and its network
    assert bars()[-n_bars:] == [100] * n_bars


# ---- in a terminal ----

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"

# Fits in a terminal, each behind its name: the last one has no end of its own.
FITS = """
import warnings
from sklearn.callback import ProgressBar
from estimators.test_progress_bar import ANY, ENDS, X, Y, after_four, make

warnings.simplefilter("ignore")
ALL = {**ENDS, "raise": ({}, "raise"), "typed": ({"max_iter": 10**9}, None)}
for name, (params, act) in ALL.items():
    print(f"<{name}>", flush=True)
    try:
        make(**ANY | params).set_callbacks(after_four(act), ProgressBar()).fit(X, Y)
    except RuntimeError as error:
        assert str(error) == "mine"
print("<end>")
"""


def read(terminal):
    """What a terminal's process has written since; nothing once it has ended."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
def test_a_terminal_is_as_before_after_each_bar():
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(os.path.dirname(os.path.dirname(__file__)))
        os.environ.update(TERM="xterm", COLUMNS="100")
        os.execv(sys.executable, [sys.executable, "-c", FITS])
    before, shown, is_typed = termios.tcgetattr(terminal), b"", False
    while part := read(terminal):
        shown += part
        if not is_typed and b"%" in shown.partition(b"<typed>")[2]:
            is_typed = os.write(terminal, b"\x03") == 1
    assert termios.tcgetattr(terminal) == before
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    shown = shown.decode()
    fits = re.findall(r"<([^>]+)>([^<]*)", shown)
    assert [name for name, _ in fits] == [*ENDS, "raise", "typed", "end"]
    for name, text in fits[:-1]:
        assert (text.count(HIDE), text.count(SHOW)) == (1, 1), name
        assert text.index(HIDE) < text.index(SHOW), name
        assert ("100%" in text) == (name != "raise"), name

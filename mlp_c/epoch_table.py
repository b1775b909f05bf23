"""A table of the epochs of a fit, which grows as the fit goes on."""

import sys
from abc import ABC, abstractmethod
from collections import deque
from time import monotonic
from typing import Any
from weakref import ref

from mlp_c._estimators.base import BaseMLP
from mlp_c._estimators.history import count_epochs, last_epoch_of
from mlp_c._estimators.tabular import BaseTabularMLP
from mlp_c._training.callbacks import check_every


class EpochTable:
    """Callback that shows a table with a row for each epoch, or for every so many.

    The columns are the epoch, the loss, the loss and the score of the rows held out, the learning
    rate, and the seconds that the epoch took, callbacks not counted. Columns that a fit does not
    have are left out, and the score with ``scoring="loss"``, which is minus the loss. Of an
    estimator for tables, a row has the epoch, how many members trained in it, the means of their
    losses and scores, and the seconds. Epochs are counted as in `history_`.

    A terminal shows a printed line for each row. A notebook shows one table that is kept up to
    date and has the last 20 rows. Fits of a single epoch, as ``partial_fit`` makes, print lines in
    both, with one header for those of the same estimator.

    Parameters
    ----------
    every : int, default=1
        Epochs from one row to the next. The last epoch of a fit of several has a row in any case.

    Raises
    ------
    TypeError
        If `every` is no integer; in ``fit``, if the estimator is not of this package.
    ValueError
        If `every` is less than 1.

    See Also
    --------
    Checkpoint : Callback that writes a file to go on from.

    Notes
    -----
    In a pipeline or a search, set it on the network: each fit has a table of its own. Fits in
    parallel print their lines as they come; scikit-learn's ``ProgressBar`` tells these apart.

    Examples
    --------
    >>> import mlp_c
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = mlp_c.MLPClassifier(random_state=1, max_iter=500)
    >>> _ = model.set_callbacks(mlp_c.EpochTable(every=200)).fit(X, y)  # doctest: +ELLIPSIS
    epoch         loss  learning rate    seconds
      200     0.3...
      400     0.1...
    """

    __module__ = "mlp_c"  # what pickles name, wherever this file lies

    def __init__(self, every: int = 1) -> None:
        self.every: int = check_every(every)
        self._tables: dict[int, _Table] = {}  # of the fits that go on, by their estimators' id
        self._single_epochs: tuple[ref[Any], _SingleEpochs] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What pickles and copies hold: a copy has no part in the fits that go on."""
        return {**vars(self), "_tables": {}, "_single_epochs": None}

    def setup(self, estimator: Any, context: Any) -> None:
        """Begin a table, where the estimator is one that has epochs to tell of."""
        if not isinstance(estimator, (BaseMLP, BaseTabularMLP)):
            raise TypeError(
                "EpochTable goes on an estimator of mlp_c, within a pipeline or a search too, got "
                f"a {type(estimator).__name__}"
            )
        table = self._choose_table(estimator, is_single=context.max_subtasks == 1)
        table.n_epochs = count_epochs(estimator)
        self._tables[id(estimator)] = table

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Leave the table as it is."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Add the epoch that has ended, if one has: not one that Ctrl-C cut off."""
        table = self._tables[id(estimator)]
        if count_epochs(estimator) > table.n_epochs:
            table.add(last_epoch_of(estimator))

    def teardown(self, estimator: Any, context: Any) -> None:
        """Show the last epoch, of a fit that failed too."""
        table = self._tables.pop(id(estimator), None)
        if table is not None:
            table.end()

    def _choose_table(self, estimator: Any, *, is_single: bool) -> "_Table":
        """A table, which is that of before if single epochs go on."""
        if not is_single:
            self._single_epochs = None
            return _Display(self.every) if _is_notebook() else _Lines(self.every)
        last = self._single_epochs  # which another thread may set meanwhile
        if last is None or last[0]() is not estimator:
            last = self._single_epochs = ref(estimator), _SingleEpochs(self.every)
        return last[1]


def _is_notebook() -> bool:
    """Whether this process is a kernel of Jupyter's, which shows what IPython displays."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


# ---- rows as text ----

# How the values of each column are written. Its title is its name in words.
_FORMATS = {
    "epoch": "d",
    "members": "d",
    "loss": "#.6g",
    "validation_loss": "#.6g",
    "validation_score": "#.6g",
    "learning_rate": ".4g",
    "seconds": ".4g",
}
_LEAST_WIDTHS = {"loss": 11, "seconds": 9}


def _titles(row: dict[str, Any]) -> list[str]:
    return [name.replace("_", " ") for name in row]


def _values(row: dict[str, Any]) -> list[str]:
    return [format(value, _FORMATS[name]).rstrip(".") for name, value in row.items()]


def _line(row: dict[str, Any], cells: list[str]) -> str:
    """Cells below the titles of their columns."""
    widths = [max(len(name), _LEAST_WIDTHS.get(name, 0)) for name in row]
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


# ---- tables ----


class _Table(ABC):
    """The epochs of a fit, of which every so many and the last are shown.

    Attributes
    ----------
    n_epochs : int
        The number of the last one that it was told of.
    """

    n_epochs: int

    def __init__(self, every: int) -> None:
        self._every = every
        self._hidden: dict[str, Any] | None = None  # the last epoch, if it has no row

    def add(self, row: dict[str, Any]) -> None:
        """Take an epoch, and show it if it is the time."""
        self.n_epochs = row["epoch"]
        is_time = self.n_epochs % self._every == 0
        self._hidden = None if is_time else row
        if is_time:
            self._show(row)

    def end(self) -> None:
        """Show the last epoch."""
        if self._hidden is not None:
            self._show(self._hidden)

    @abstractmethod
    def _show(self, row: dict[str, Any]) -> None:
        """Add a row to what users see."""


class _Lines(_Table):
    """Prints a line for each row."""

    def __init__(self, every: int) -> None:
        super().__init__(every)
        self._above: list[str] = []  # the titles that are printed

    def _show(self, row: dict[str, Any]) -> None:
        titles = _titles(row)
        if titles != self._above:
            print(_line(row, titles))
            self._above = titles
        print(_line(row, _values(row)), flush=True)


class _SingleEpochs(_Lines):
    """Prints lines for fits of one epoch each, of which none is known to be the last."""

    def end(self) -> None:
        """Go on with the next fit."""


class _Display(_Table):
    """Shows one table in a notebook, which is brought up to date ten times a second at most."""

    _N_ROWS = 20
    _PAUSE = 0.1

    def __init__(self, every: int) -> None:
        super().__init__(every)
        self._rows: deque[dict[str, Any]] = deque(maxlen=self._N_ROWS)
        self._n_rows = 0
        self._handle: Any = None
        self._next_update = 0.0

    def _show(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self._n_rows += 1
        if monotonic() >= self._next_update:
            self._update()

    def end(self) -> None:
        """Show the last epoch, and all rows that came too soon to be shown."""
        super().end()
        if self._rows:
            self._update()

    def _update(self) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(self, display_id=True)
        else:
            self._handle.update(self)
        self._next_update = monotonic() + self._PAUSE

    def __repr__(self) -> str:
        last = self._rows[-1]
        lines = [_line(last, _titles(last)), *self._omission()]
        return "\n".join([*lines, *(_line(row, _values(row)) for row in self._rows)])

    def _repr_html_(self) -> str:
        titles = _titles(self._rows[-1])
        omission = [f'<tr><td colspan="{len(titles)}">{o}</td></tr>' for o in self._omission()]
        rows = [_html_row("td", _values(row)) for row in self._rows]
        head, body = _html_row("th", titles), "".join([*omission, *rows])
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"

    def _omission(self) -> list[str]:
        """A line that says how many rows are left out, if any are."""
        n_left_out = self._n_rows - len(self._rows)
        return [f"{n_left_out} more above"] if n_left_out else []


def _html_row(tag: str, cells: list[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"

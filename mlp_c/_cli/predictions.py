"""The predictions of a model as columns, and as CSV."""

import csv
import io
import sys
from collections import Counter
from typing import Any

import numpy as np

from mlp_c._cli.errors import CommandError, shown_in_one_line
from mlp_c._saving.atomic import write_atomically

# Names and values for a row each, as they are written.
Columns = list[tuple[str, np.ndarray]]


def predict(model: Any, X: Any, *, proba: bool, alpha: float | None) -> Columns:
    """What is to be written, by the names of its columns."""
    predicted = model.predict(X)
    if not isinstance(predicted, np.ndarray):  # a sparse indicator of labels
        predicted = predicted.toarray()
    quantiles = getattr(model, "quantile", None) if getattr(model, "loss", "") == "quantile" else 0
    columns = _name_columns("prediction", predicted, quantiles)
    if proba:
        columns += _name_probabilities(model.classes_, model.predict_proba(X))
    if alpha is not None:
        interval = model.predict_interval(X, alpha)
        for k, end in enumerate(("lower", "upper")):
            columns += _name_columns(end, interval[..., k], 0)
    counts = Counter(name for name, _ in columns)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise CommandError(
            f"two columns would have the name {twice[0]!r}, which is that of a class: leave out "
            "--proba"
        )
    return columns


def _name_probabilities(classes: Any, probabilities: Any) -> Columns:
    """A column for each class; those of several columns of labels have the numbers of theirs."""
    if not isinstance(classes, list):
        return [(str(label), probabilities[:, k]) for k, label in enumerate(classes)]
    return [
        (f"{label}_{j}", values[:, k])
        for j, (of_column, values) in enumerate(zip(classes, probabilities, strict=True))
        for k, label in enumerate(of_column)
    ]


def _name_columns(name: str, values: np.ndarray, quantiles: Any) -> Columns:
    """The columns of an array: several have numbers, and those of quantiles what they are of."""
    if np.ndim(quantiles) > 0:
        return [
            column
            for quantile, of_one in zip(quantiles, np.moveaxis(values, -1, 0), strict=True)
            for column in _name_columns(f"{name}_q{quantile}", of_one, 0)
        ]
    if values.ndim == 1:
        return [(name, values)]
    return [(f"{name}_{j}", values[:, j]) for j in range(values.shape[1])]


def write(columns: Columns, path: str | None) -> None:
    """Write columns as CSV, to stdout if there is no path."""
    text = _as_csv(columns, csv.QUOTE_MINIMAL)
    if "\r" in text:  # csv leaves it bare, though it ends a line
        text = _as_csv(columns, csv.QUOTE_ALL)
    with shown_in_one_line(path or "stdout", UnicodeEncodeError):
        content = text.encode()
    if path is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return
    with shown_in_one_line(path, OSError, ValueError):  # such as a NUL in the path
        write_atomically(path, [content])


def _as_csv(columns: Columns, quoting: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=quoting)
    names, arrays = zip(*columns, strict=True)
    writer.writerow(names)
    # As text, floats have as many digits as tell them from others of their type.
    cells = [values.astype(str).tolist() for values in arrays]
    writer.writerows(zip(*cells, strict=True))
    return text.getvalue()

"""``python -m mlp_c predict``: the predictions of a saved model for the rows of a CSV file."""

import argparse
import csv
import io
import reprlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from mlp_c._cli import rows
from mlp_c._cli.errors import CommandError, note, shown_in_one_line
from mlp_c._estimators.tabular import BaseTabularMLP
from mlp_c._estimators.tabular_regressor import TabularMLPRegressor
from mlp_c._saving.atomic import write_atomically
from mlp_c._saving.files import load
from mlp_c._tables import frames

SUMMARY = "predict the rows of a CSV file with a saved model"
DESCRIPTION = """\
Predicts the rows of a CSV file with a model that its save method has written, and writes a CSV
file with a line for each row. Columns go by name if the model was fitted with names: others, such
as the target's, are ignored. Else the file must have as many columns as the model has inputs.

TabularMLPClassifier and TabularMLPRegressor take words and gaps as the columns have them;
MLPClassifier and MLPRegressor take numbers, scaled as they were for the fit. The file is read
whole, by pandas, polars or pyarrow, whichever of them is installed.
"""
EXAMPLES = """\
examples:
  python -m mlp_c predict iris.safetensors flowers.csv
  python -m mlp_c predict iris.safetensors flowers.csv --proba --output predicted.csv
  python -m mlp_c predict prices.safetensors houses.csv --interval 0.1
  zcat flowers.csv.gz | python -m mlp_c predict iris.safetensors -
"""

# Names and values for a row each, as they are written.
Columns = dict[str, np.ndarray]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("model", metavar="MODEL", help="the file of the model: X.safetensors")
    parser.add_argument("rows", metavar="ROWS", help="the CSV file, in UTF-8; - for stdin")
    parser.add_argument("--output", metavar="FILE", help="where to write to, instead of stdout")
    parser.add_argument(
        "--proba",
        action="store_true",
        help="write the probability of each class, too, in a column of its name",
    )
    parser.add_argument(
        "--interval",
        metavar="ALPHA",
        type=_check_alpha,
        help="write the ends of intervals, too, outside of which the share ALPHA of the targets "
        "may lie: for TabularMLPRegressor",
    )
    parser.add_argument(
        "--delimiter",
        type=rows.check_delimiter,
        default=",",
        help=r"what stands between the columns of ROWS; \t for a tab (default: a comma)",
    )
    parser.add_argument(
        "--no-header",
        action="store_true",
        help="the first line of ROWS is a row: columns are those of the fit, in order",
    )


def run(args: argparse.Namespace) -> None:
    """Predict, and write what was predicted."""
    with shown_in_one_line(args.model, OSError, ValueError, ImportError):
        model = load(args.model)
        check_is_fitted(model)
    kind = type(model).__name__
    if args.proba and not is_classifier(model):
        raise CommandError(f"--proba needs a classifier, got the {kind} of {args.model}")
    if args.interval is not None and not isinstance(model, TabularMLPRegressor):
        raise CommandError(
            f"--interval needs a TabularMLPRegressor, got the {kind} of {args.model}"
        )
    given = rows.read(args.rows, delimiter=args.delimiter, has_header=not args.no_header)
    chosen = _choose_columns(given, model)
    is_of_words = [False] * len(chosen)
    if isinstance(model, BaseTabularMLP):
        is_of_words = [_are_words(levels) for levels in model._columns.labels]
    words = [name for name, is_word in zip(chosen, is_of_words, strict=True) if is_word]
    frame = given.parse(words).select(chosen)
    with shown_in_one_line(given.name, TypeError, ValueError), warnings.catch_warnings():
        # Names have been compared, as far as both sides have them.
        warnings.filterwarnings("ignore", ".*feature names", UserWarning)
        if isinstance(model, BaseTabularMLP):
            X = _name_as_in_fit(frame, model).to_native()
            _note_unknown_levels(model, X)
        else:
            X = _as_numbers(frame, given.name, kind)
        predicted = _predict(model, X, proba=args.proba, alpha=args.interval)
    _write(predicted, args.output)


def _check_alpha(text: str) -> float:
    """The share that an option gives; argparse shows the error of a wrong one."""
    if not _is_number(text) or not 0 < float(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number between 0 and 1, got {text!r}")
    return float(text)


# ---- the rows as a model takes them ----


def _choose_columns(given: rows.Rows, model: Any) -> list[str]:
    """The names in a file of the columns that a model takes, in its order."""
    fitted = list(getattr(model, "feature_names_in_", []))
    if fitted and given.has_header:
        if missing := [name for name in fitted if name not in given.names]:
            named = f" {missing[0]!r}" if len(missing) == 1 else f"s {reprlib.repr(missing)}"
            raise CommandError(
                f"{given.name} has no column{named}, which the model was fitted with; it has "
                + reprlib.repr(given.names)
            )
        if extra := [name for name in given.names if name not in fitted]:
            note(f"columns that the model was not fitted with are ignored: {reprlib.repr(extra)}")
        return fitted
    if len(given.names) != model.n_features_in_:
        raise CommandError(
            f"{given.name} has {len(given.names)} columns, but the model was fitted with "
            f"{model.n_features_in_}"
        )
    if given.has_header and all(map(_is_number, given.names)):
        note(
            f"the first line of {given.name} holds numbers, and is taken for the names of the "
            "columns; if it is a row, add --no-header"
        )
    return given.names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _are_words(levels: tuple[Any, ...] | None) -> bool:
    """Whether a column of a table is a category of words, be they '007'."""
    return levels is not None and all(level is None or isinstance(level, str) for level in levels)


def _name_as_in_fit(frame: nw.DataFrame[Any], model: Any) -> nw.DataFrame[Any]:
    """A table whose columns have the names of the fit; of a file without a header they lack."""
    fitted = getattr(model, "feature_names_in_", frame.columns)
    return frame.rename(dict(zip(frame.columns, fitted, strict=True)))


def _note_unknown_levels(model: BaseTabularMLP, X: Any) -> None:
    """Tell of categories of which a table has values, but none that the model knows."""
    for column, levels in zip(frames.read(X).columns, model._columns.labels, strict=True):
        if levels is not None:
            found = set(column.labels()[0]) - {None}
            if found and found.isdisjoint(levels):
                note(f"{column.name}: the model knows none of its values, such as {found.pop()!r}")


def _as_numbers(frame: nw.DataFrame[Any], name: str, kind: str) -> np.ndarray:
    """A table of finite numbers as an array."""
    X = np.empty(frame.shape)
    for j, column in enumerate(frame.iter_columns()):
        if column.dtype.is_numeric() or column.dtype == nw.Boolean:
            X[:, j] = column.cast(nw.Float64).to_numpy()
        else:
            X[:, j] = list(_parse(column.name, column.to_list(), name, kind))
        wrong = np.flatnonzero(~np.isfinite(X[:, j]))
        if len(wrong):
            value = X[wrong[0], j]
            what = "has a gap" if np.isnan(value) else f"holds {value}"
            raise CommandError(
                f"{name}: column {column.name!r} {what} in row {wrong[0] + 1}; {kind} takes finite "
                "numbers only"
            )
    return X


def _parse(column: str, values: list[Any], name: str, kind: str) -> Iterator[float]:
    """The numbers in a column that has something else among them; a gap is NaN."""
    for i, value in enumerate(values):
        if isinstance(value, str) and not _is_number(value):
            raise CommandError(
                f"{name}: column {column!r} holds {reprlib.repr(value)} in row {i + 1}; "
                f"{kind} takes finite numbers only"
            )
        yield np.nan if value is None else float(value)


# ---- predictions as columns ----


def _predict(model: Any, X: Any, *, proba: bool, alpha: float | None) -> Columns:
    """What is to be written, by the names of its columns."""
    predicted = model.predict(X)
    if not isinstance(predicted, np.ndarray):  # a sparse indicator of labels
        predicted = predicted.toarray()
    quantiles = getattr(model, "quantile", None) if getattr(model, "loss", "") == "quantile" else 0
    columns = _name_columns("prediction", predicted, quantiles)
    if proba:
        probabilities = model.predict_proba(X)
        if isinstance(model.classes_, list):
            for j, of_column in enumerate(zip(model.classes_, probabilities, strict=True)):
                classes, values = of_column
                columns |= {f"{label}_{j}": values[:, k] for k, label in enumerate(classes)}
        else:
            columns |= {str(c): probabilities[:, k] for k, c in enumerate(model.classes_)}
    if alpha is not None:
        interval = model.predict_interval(X, alpha)
        for k, end in enumerate(("lower", "upper")):
            columns |= _name_columns(end, interval[..., k], 0)
    return columns


def _name_columns(name: str, values: np.ndarray, quantiles: Any) -> Columns:
    """The columns of an array: several have numbers, and those of quantiles what they are of."""
    if np.ndim(quantiles) > 0:
        of_targets = np.moveaxis(values, -1, 0)
        return {
            column: of_one
            for quantile, of_quantile in zip(quantiles, of_targets, strict=True)
            for column, of_one in _name_columns(f"{name}_q{quantile}", of_quantile, 0).items()
        }
    if values.ndim == 1:
        return {name: values}
    return {f"{name}_{j}": values[:, j] for j in range(values.shape[1])}


def _write(columns: Columns, path: str | None) -> None:
    """Write columns as CSV, to stdout if there is no path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    # As text, floats have as many digits as tell them from others of their type.
    cells = [values.astype(str).tolist() for values in columns.values()]
    writer.writerows(zip(*cells, strict=True))
    if path is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.getvalue().encode())
        return
    with shown_in_one_line(path, OSError):
        write_atomically(path, [text.getvalue().encode()])

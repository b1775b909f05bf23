"""``python -m mlp_c predict``: the predictions of a saved model for the rows of a CSV file."""

import argparse
import math
import reprlib
import warnings
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from mlp_c._cli import predictions, rows
from mlp_c._cli.cells import find_levels, is_number, to_number
from mlp_c._cli.errors import CommandError, note, shown_in_one_line
from mlp_c._estimators.tabular import BaseTabularMLP
from mlp_c._estimators.tabular_regressor import TabularMLPRegressor
from mlp_c._saving.files import load

SUMMARY = "predict the rows of a CSV file with a saved model"
DESCRIPTION = """\
Predicts the rows of a CSV file with a model that its save method has written, and writes a CSV
file with a line for each row. Columns go by name if the model was fitted with names: others, such
as the target's, are ignored. Else the file must have as many columns as the model has inputs.

TabularMLPClassifier and TabularMLPRegressor take words and gaps as the columns have them;
MLPClassifier and MLPRegressor take numbers, scaled as they were for the fit.
"""
EXAMPLES = """\
examples:
  python -m mlp_c predict iris.safetensors flowers.csv
  python -m mlp_c predict iris.safetensors flowers.csv --proba --output predicted.csv
  python -m mlp_c predict prices.safetensors houses.csv --interval 0.1
  zcat flowers.csv.gz | python -m mlp_c predict iris.safetensors -
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    for name, text in (
        ("model", "the file of the model: X.safetensors"),
        ("rows", "the CSV file, in UTF-8; - for stdin"),
    ):
        parser.add_argument(name, metavar=name.upper(), type=_check_path, help=text)
    parser.add_argument(
        "--output", metavar="FILE", type=_check_path, help="where to write to, instead of stdout"
    )
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
    X = _read_table(given, model, _choose_columns(given, model))
    with shown_in_one_line(given.name, TypeError, ValueError), warnings.catch_warnings():
        # Names have been compared, as far as both sides have them.
        warnings.filterwarnings("ignore", ".*feature names", UserWarning)
        columns = predictions.predict(model, X, proba=args.proba, alpha=args.interval)
    predictions.write(columns, args.output)


def _check_path(text: str) -> str:
    """The name of a file; argparse shows the error of an empty one."""
    if not text:
        raise argparse.ArgumentTypeError("must be the name of a file, got ''")
    return text


def _check_alpha(text: str) -> float:
    """The share that an option gives; argparse shows the error of a wrong one."""
    if not is_number(text) or not 0 < float(text) < 1:
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
    if given.has_header and all(map(is_number, given.names)):
        note(
            f"the first line of {given.name} holds numbers, and is taken for the names of the "
            "columns; if it is a row, add --no-header"
        )
    return given.names


def _read_table(given: rows.Rows, model: Any, chosen: list[str]) -> np.ndarray:
    """The chosen columns of a file as what they were in the fit, numbers or categories."""
    kind = type(model).__name__
    if not isinstance(model, BaseTabularMLP):
        takes = f"{kind} takes finite numbers only"
        return np.array([_read_numbers(given, name, takes, gaps=False) for name in chosen]).T
    takes = f"{kind} takes finite numbers and gaps there"
    X = np.empty((len(given.columns[chosen[0]]), len(chosen)), object)
    for j, (name, labels) in enumerate(zip(chosen, model._columns.labels, strict=True)):
        if labels is None:
            X[:, j] = _read_numbers(given, name, takes, gaps=True)
        else:
            X[:, j] = _read_category(given, name, labels)
    return X


def _read_numbers(given: rows.Rows, name: str, takes: str, *, gaps: bool) -> np.ndarray:
    """A column of numbers, whose gaps are NaN."""
    values = np.empty(len(given.columns[name]))
    for i, text in enumerate(given.columns[name]):
        try:
            value = values[i] = to_number(text)
        except ValueError:
            value = math.inf
        if math.isinf(value) or (math.isnan(value) and not gaps):
            what = f"holds {reprlib.repr(text)}" if text else "has a gap"
            raise CommandError(f"{given.name}: column {name!r} {what} in row {i + 1}; {takes}")
    return values


def _read_category(given: rows.Rows, name: str, labels: tuple[Any, ...]) -> list[Any]:
    """A column of levels that the model knows, None for gaps, and text that it does not know."""
    texts = given.columns[name]
    levels = find_levels(set(texts), labels)
    unknown = next((text for text in texts if text not in levels), None)
    if unknown is not None and all(level is None for level in levels.values()):
        note(f"column {name!r}: the model knows none of its values, such as {unknown!r}")
    return [levels.get(text, text) for text in texts]

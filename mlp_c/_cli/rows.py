"""The rows of a CSV file, read by the library of dataframes that is installed."""

import argparse
import codecs
import csv
import io
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import narwhals.stable.v2 as nw

from mlp_c._cli.errors import CommandError, shown_in_one_line

STDIN = "-"


@dataclass(frozen=True)
class Rows:
    """A CSV file that is read and not parsed yet.

    Attributes
    ----------
    name : str
        What messages call the file.
    content : bytes
        Its text in UTF-8.
    delimiter : str
        What stands between the columns.
    has_header : bool
        Whether the first line has the names of the columns.
    names : list of str
        The names of the columns; without a header '1', '2', ...
    """

    name: str
    content: bytes
    delimiter: str
    has_header: bool
    names: list[str]

    def parse(self, words: Collection[str]) -> nw.DataFrame[Any]:
        """The rows as a dataframe, whose columns `words` are text even if they look like numbers.

        Raises
        ------
        CommandError
            If no library is installed that can, or the file is no table, or has no rows.
        """
        reader = next((reader for name, reader in _READERS.items() if find_spec(name)), None)
        if reader is None:
            raise CommandError(
                "rows are read by pandas, polars or pyarrow, none of which is installed: "
                "pip install 'mlp_c[pandas]'"
            )
        # Each library has errors of its own, whose only common base this is.
        with shown_in_one_line(self.name, Exception), warnings.catch_warnings():
            frame = nw.from_native(reader(self, words), eager_only=True)
        if not len(frame):
            raise CommandError(f"{self.name} has no rows")
        return frame


def read(path: str, *, delimiter: str, has_header: bool) -> Rows:
    """Read a file, or stdin for '-', and the names of its columns.

    Raises
    ------
    CommandError
        If it cannot be read, or is empty or no UTF-8, or names two columns alike.
    """
    name = "stdin" if path == STDIN else path
    with shown_in_one_line(name, OSError):
        if path == STDIN:
            content = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                content = file.read()
    content = content.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CommandError(
            f"{name} is not UTF-8 text: byte 0x{content[error.start]:02x} in line {line}"
        ) from error
    with shown_in_one_line(name, csv.Error):
        first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), None)
    if first is None:
        raise CommandError(f"{name} is empty")
    if not has_header:
        names = [str(j + 1) for j in range(len(first))]
    else:  # pandas, with which most models are fitted, names what has no name
        names = [label or f"Unnamed: {j}" for j, label in enumerate(first)]
    if twice := [label for label, count in Counter(names).items() if count > 1]:
        raise CommandError(
            f"{name} has more than one column {twice[0]!r}; if its first line is a row, add "
            "--no-header"
        )
    return Rows(name, content, delimiter, has_header, names)


def check_delimiter(text: str) -> str:
    r"""The delimiter that an option gives; ``\t`` is a tab.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is not one character that can stand between columns.
    """
    delimiter = "\t" if text == r"\t" else text
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise argparse.ArgumentTypeError(f"must be one ASCII character, got {text!r}")
    return delimiter


# ---- what makes the libraries read alike ----


def _read_by_pandas(rows: Rows, words: Collection[str]) -> Any:
    import pandas

    warnings.simplefilter("error", pandas.errors.ParserWarning)  # of lines that are too long
    return pandas.read_csv(
        io.BytesIO(rows.content),
        sep=rows.delimiter,
        header=0 if rows.has_header else None,
        names=rows.names,
        index_col=False,
        dtype=dict.fromkeys(words, str),
        float_precision="round_trip",
        low_memory=False,  # else a column has one type for each block of rows
    )


def _read_by_polars(rows: Rows, words: Collection[str]) -> Any:
    import polars

    return polars.read_csv(
        rows.content,
        separator=rows.delimiter,
        has_header=rows.has_header,
        new_columns=rows.names,
        schema_overrides=dict.fromkeys(words, polars.String),
        infer_schema_length=None,
    )


def _read_by_pyarrow(rows: Rows, words: Collection[str]) -> Any:
    arrow = import_module("pyarrow.csv")
    return arrow.read_csv(
        io.BytesIO(rows.content),
        arrow.ReadOptions(column_names=rows.names, skip_rows=int(rows.has_header)),
        arrow.ParseOptions(delimiter=rows.delimiter, newlines_in_values=True),
        arrow.ConvertOptions(column_types=dict.fromkeys(words, "string"), strings_can_be_null=True),
    )


# In the order of preference.
_READERS: dict[str, Callable[[Rows, Collection[str]], Any]] = {
    "pandas": _read_by_pandas,
    "polars": _read_by_polars,
    "pyarrow": _read_by_pyarrow,
}

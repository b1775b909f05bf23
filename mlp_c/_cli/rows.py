"""The rows of a CSV file."""

import argparse
import codecs
import csv
import io
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mlp_c._cli.errors import CommandError, shown_in_one_line

STDIN = "-"


@dataclass(frozen=True)
class Rows:
    """The cells of a CSV file, as text.

    Attributes
    ----------
    name : str
        What messages call the file.
    has_header : bool
        Whether its first line has the names of the columns.
    columns : dict of tuple of str
        The cells of each column, by its name; without a header that is '1', '2', ...
    """

    name: str
    has_header: bool
    columns: dict[str, tuple[str, ...]]

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self.columns)


def read(path: str, *, delimiter: str, has_header: bool) -> Rows:
    """Read a file, or stdin for '-'.

    A row is a line, or several if quotes hold their ends. Blank lines before and after the rows
    are none; but in a single column they are rows, each of which is a gap.

    Raises
    ------
    CommandError
        If it cannot be read, is no UTF-8 or no table, has no rows, or names two columns alike.
    """
    name = "stdin" if path == STDIN else path
    text = _read_text(name, path)
    lines = _split(name, text, delimiter)
    first = next((i for i, cells in enumerate(lines) if cells), None)
    if first is None:
        raise CommandError(f"{name} is empty")
    width = len(lines[first])
    is_blank_a_row = width == 1
    if has_header:
        names, start = _name_columns(name, lines[first]), first + 1
    else:
        names, start = [str(j + 1) for j in range(width)], 0 if is_blank_a_row else first
    if is_blank_a_row:
        lines = [cells or [""] for cells in lines]
    while not lines[-1]:
        lines.pop()
    if start == len(lines):
        raise CommandError(f"{name} has no rows")
    if wrong := next((i for i in range(start, len(lines)) if len(lines[i]) != width), 0):
        raise CommandError(
            f"{name}: line {_count_lines(text, delimiter, wrong)}: expected {width} cells, as many "
            f"as the first line has, got {len(lines[wrong])}"
        )
    columns = zip(*lines[start:], strict=True)
    return Rows(name, has_header, dict(zip(names, columns, strict=True)))


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


def _read_text(name: str, path: str) -> str:
    with shown_in_one_line(name, OSError, ValueError):  # such as a NUL in the path
        if path != STDIN:
            with open(path, "rb") as file:
                content = file.read()
        elif sys.stdin is None:
            raise CommandError("stdin is closed")
        else:
            content = sys.stdin.buffer.read()
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CommandError(
            f"{name} is not UTF-8 text: byte 0x{content[error.start]:02x} in line {line}"
        ) from error


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _split(name: str, text: str, delimiter: str) -> list[list[str]]:
    """The cells of each line; those in quotes may go on for several."""
    reader = _reader(text, delimiter)
    try:
        return list(reader)
    except csv.Error as error:
        raise CommandError(f"{name}: line {reader.line_num}: {error}") from error


def _count_lines(text: str, delimiter: str, i: int) -> int:
    """The number of the line at which the i-th row ends."""
    reader = _reader(text, delimiter)
    next(islice(reader, i, None))
    return int(reader.line_num)


def _name_columns(name: str, head: list[str]) -> list[str]:
    # pandas, with which most models are fitted, names what has no name.
    names = [label or f"Unnamed: {j}" for j, label in enumerate(head)]
    if twice := [label for label, count in Counter(names).items() if count > 1]:
        raise CommandError(
            f"{name} has more than one column {twice[0]!r}; if its first line is a row, add "
            "--no-header"
        )
    return names

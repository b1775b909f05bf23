"""Rows of text as aligned columns or as Markdown."""

from collections.abc import Iterable


def aligned(rows: Iterable[Iterable[str]]) -> str:
    """Aligns the first and last columns to the left and the others to the right."""
    rows = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *middle, last in rows:
        cells = [cell.rjust(width) for cell, width in zip(middle, widths[1:-1], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells, last]))
    return "\n".join(lines)


def markdown(rows: Iterable[Iterable[str]]) -> str:
    """Takes the header as first row. The first column goes to the left, the others to the right."""
    header, *body = [tuple(row) for row in rows]
    rule = ("---", *("---:" for _ in header[1:]))
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *body))

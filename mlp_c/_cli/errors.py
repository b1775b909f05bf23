"""What goes wrong for a user of the command line, in one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class CommandError(Exception):
    """An error that a user can do something about; its text is all that the user sees."""


@contextmanager
def shown_in_one_line(name: str, *errors: type[Exception]) -> Iterator[None]:
    """Make a `CommandError` of errors that are about `name`, a file or a model.

    Raises
    ------
    CommandError
        If the block raises one of `errors`.
    """
    try:
        yield
    except errors as error:
        text = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())
        is_named = text.startswith(repr(name))
        raise CommandError(text if is_named else f"{name}: {text}") from error


def tell(text: str) -> None:
    """Write a line to stderr; if that is closed or full, there is no place to say so."""
    with suppress(OSError):
        print(" ".join(text.splitlines()), file=sys.stderr)


def note(text: str) -> None:
    """Tell the user something that is no error."""
    tell(f"note: {text}")

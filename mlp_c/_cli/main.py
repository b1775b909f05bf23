"""The command line: its parser, its exit codes."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stderr

from mlp_c._cli import bench, info, predict
from mlp_c._cli.errors import CommandError, tell
from mlp_c._version import __version__

_COMMANDS = (info, bench, predict)

_EXIT_CODES = """\
exit codes: 0 if all went well; 1 after an error, which is one line on stderr; 2 if the command
line is wrong; 130 after Ctrl-C; 141 if what reads the output has closed it.
"""

# As shells count them: 128 and the number of the signal, SIGINT or SIGPIPE.
_INTERRUPTED, _CLOSED = 130, 141


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m mlp_c",
        description="Multilayer perceptrons with scikit-learn's interface over C kernels.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"mlp_c {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        name = command.__name__.rpartition(".")[2]
        of_command = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(of_command)
        of_command.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, default=None
        The command and its arguments; those of the process by default.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    SystemExit
        If the command line is wrong, with code 2; after ``--help`` and ``--version``, with 0.
    """
    with ExitStack() as stack:
        if sys.stderr is None:  # else print and argparse would write to stdout what is for it
            nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(redirect_stderr(nowhere))
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    """Run a command; its exit code."""
    name = "mlp_c"
    try:
        try:
            args = make_parser().parse_args(argv)
            name = f"mlp_c {args.command}"
            if sys.stdout is None and getattr(args, "output", None) is None:
                raise CommandError("stdout is closed")
            args.run(args)
        finally:  # --help and --version end here, too
            if sys.stdout is not None:
                sys.stdout.flush()
    except CommandError as error:
        tell(f"{name}: {error}")
        return 1
    except MemoryError:
        tell(f"{name}: there is not enough memory")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _give_up_stdout()
        return _CLOSED
    except OSError as error:  # those of files have been made CommandErrors
        _give_up_stdout()
        tell(f"{name}: {error.strerror or error}")
        return 1
    return 0


def _give_up_stdout() -> None:
    """Lead stdout to nowhere, or else Python would try to write the rest of it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)

"""The command line: its parser, its exit codes."""

import argparse
import sys
from collections.abc import Sequence

from mlp_c._cli import bench, info, predict
from mlp_c._cli.errors import CommandError
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
    args = make_parser().parse_args(argv)
    try:
        args.run(args)
        sys.stdout.flush()
    except CommandError as error:
        print(f"mlp_c {args.command}: {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print(f"mlp_c {args.command}: there is not enough memory", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return _CLOSED
    return 0

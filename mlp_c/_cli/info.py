"""``python -m mlp_c info``: what this build is, and what it runs on and with."""

import argparse
import json
import platform
from importlib import metadata
from typing import Any

from mlp_c._cli.machine import describe_machine
from mlp_c._system.config import show_config

SUMMARY = "show the build, the machine and the versions of libraries"
DESCRIPTION = """\
Shows what mlp_c.show_config() does (version, instruction set, threads, compiler and flags), the
machine, and the versions of the libraries that mlp_c uses. A report of an error should have it.
"""
EXAMPLES = """\
examples:
  python -m mlp_c info
  python -m mlp_c info --json > info.json
"""

_NEEDED = ("numpy", "scipy", "scikit-learn")
_OPTIONAL = ("safetensors", "pandas", "polars", "pyarrow", "onnx", "mpi4py", "matplotlib")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--json", action="store_true", help="print an object of JSON")


def run(args: argparse.Namespace) -> None:
    """Print what there is."""
    machine = {"python": platform.python_version(), **describe_machine()}
    packages = _find_versions((*_NEEDED, *_OPTIONAL))
    if args.json:
        config: Any = show_config(mode="dicts")
        print(json.dumps({**config, **machine, "packages": packages}, indent=2))
        return
    show_config()
    for name, value in {**machine, **packages}.items():
        print(f"{name:>14}: {'not installed' if value is None else value}")


def _find_versions(names: tuple[str, ...]) -> dict[str, str | None]:
    """The versions of packages; None for one that is not installed. Imports none of them."""
    versions: dict[str, str | None] = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions

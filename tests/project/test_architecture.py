"""The storeys of the sources: each uses those below it and none above, and no files go in circles.

A use is an import, a lazy one inside a function too, or an ``#include "..."``. What pickles name
is here as well: the names that others hold on to when files move.
"""

import ast
import os
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import mlp_c

PACKAGE = Path(mlp_c.__file__).parent

# A file of the tree that is used, and the line that uses it.
Use = tuple[Path, int]


@dataclass(frozen=True)
class Rules:
    """What the files of a tree may use.

    Attributes
    ----------
    storeys : tuple of tuples of str
        The folders, from the bottom; those of one storey do not use each other. "." stands for
        the files beside the folders.
    find_uses : callable
        The uses in a file, given the root of the tree and the file.
    suffixes : tuple of str
        What the names of its files end in.
    for_all : tuple of str
        Files, without suffix, that every other may use.
    """

    storeys: tuple[tuple[str, ...], ...]
    find_uses: Callable[[Path, Path], Iterator[Use]]
    suffixes: tuple[str, ...]
    for_all: tuple[str, ...] = ()


# ---- what a file uses ----


def find_imports(root: Path, path: Path) -> Iterator[Use]:
    """The modules of the package `root` that a module imports, relative imports resolved."""
    package = [root.name, *path.relative_to(root).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.partition(".")[0] == root.name:
                yield find_module(root, name), node.lineno


def find_module(root: Path, name: str) -> Path:
    """The file of a module, or of the one that has an object of this name."""
    base = root.parent.joinpath(*name.split("."))
    for path in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
        if path.exists():
            return path
    if list(base.parent.glob(f"{base.name}.*")):  # an extension
        return base
    return find_module(root, name.rpartition(".")[0])


def find_includes(root: Path, path: Path) -> Iterator[Use]:
    """The files of the tree that a C source or header includes."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if found := re.match(r'\s*#\s*include\s*"([^"]+)"', line):
            beside = Path(os.path.normpath(path.parent / found[1]))
            yield (beside if beside.exists() else root / found[1]), number


# ---- what it may not ----


def find_violations(root: Path, rules: Rules) -> list[str]:
    """A line for each use that goes up, or sideways, or round in a circle: file, line, why."""
    paths = sorted(path for suffix in rules.suffixes for path in root.rglob(f"*{suffix}"))
    uses = {
        path: [
            use
            for use in rules.find_uses(root, path)
            if use[0].relative_to(root).with_suffix("").as_posix() not in rules.for_all
        ]
        for path in paths
    }
    heights = {folder: i for i, storey in enumerate(rules.storeys) for folder in storey}

    def folder(path: Path) -> str:
        return path.relative_to(root).parts[0] if path.parent != root else "."

    violations = [
        f"{path}: the folder {folder(path)} has no storey"
        for path in paths
        if folder(path) not in heights
    ]
    for path in paths:
        for used, line in uses[path]:
            here, there, place = folder(path), folder(used), f"{path}:{line}: "
            if here == there and (circle := find_way(used, path, uses)):
                names = [step.relative_to(root).as_posix() for step in (path, *circle)]
                violations.append(f"{place}goes in a circle: {' > '.join(names)}")
            elif here != there and heights.get(there, -1) >= heights.get(here, len(heights)):
                where = "above" if heights[there] > heights[here] else "beside"
                violations.append(f"{place}{here} uses {there}, which is {where} it")
    return violations


def find_way(start: Path, end: Path, uses: dict[Path, list[Use]]) -> list[Path]:
    """The files from one to another, each of which uses the next; none where there is no way."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        if way[-1] == end:
            return way
        for used, _ in uses.get(way[-1], []):
            if used not in seen:
                seen.add(used)
                ways.append([*way, used])
    return []


PYTHON = Rules(
    storeys=(
        ("_system",),
        ("_network",),
        ("_saving",),
        ("_tables",),
        ("_training",),
        ("_estimators", "_mpi"),
        ("_cli", "_onnx", "_plots"),
        (".",),
    ),
    find_uses=find_imports,
    suffixes=(".py",),
    for_all=("_core", "_version"),
)
C = Rules(
    storeys=(("base",), ("threads",), ("kernels",), ("network",), ("python", "testing")),
    find_uses=find_includes,
    suffixes=(".c", ".h"),
)

# By root; another tree is an entry.
C_ROOT = Path(__file__).parents[2] / "csrc"
TREES = {PACKAGE: PYTHON, C_ROOT: C}


@pytest.mark.parametrize("root", TREES, ids=lambda root: root.name)
def test_each_storey_uses_those_below_it_and_no_files_go_in_circles(root):
    violations = find_violations(root, TREES[root])
    assert not violations, "\n".join(violations)


# ---- Python's header ----


def find_first_header(root: Path, path: Path) -> str:
    """The first header that a C file includes, by way of others of the tree, that is not in it."""
    for line in path.read_text().splitlines():
        if found := re.match(r"\s*#\s*include\s*<([^>]+)>", line):
            return found[1]
        found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if found and (first := find_first_header(root, root / found[1])):
            return first
    return ""


@pytest.mark.parametrize("path", sorted(C_ROOT.glob("python/*.[ch]")), ids=lambda path: path.name)
def test_python_h_comes_first_as_it_sets_what_the_c_library_declares(path):
    assert find_first_header(C_ROOT, path) == "Python.h"


# ---- that violations are found ----

# The files of a tree, and what is to be found in it, by file and line.
FOUND = {
    "an import from above": (
        PYTHON,
        {"_system/a.py": "import os\nfrom pkg._saving import b\n", "_saving/b.py": ""},
        ["_system/a.py:2: _system uses _saving, which is above it"],
    ),
    "a lazy import from above": (
        PYTHON,
        {"_system/a.py": "def f():\n    import pkg._saving.b\n", "_saving/b.py": ""},
        ["_system/a.py:2: _system uses _saving, which is above it"],
    ),
    "a relative import from above": (
        PYTHON,
        {"_system/a.py": "from .._saving.b import c\n", "_saving/b.py": ""},
        ["_system/a.py:1: _system uses _saving, which is above it"],
    ),
    "an import of the whole": (
        PYTHON,
        {"_system/a.py": "import pkg\n", "__init__.py": ""},
        ["_system/a.py:1: _system uses ., which is above it"],
    ),
    "a circle of imports": (
        PYTHON,
        {
            "_system/a.py": "from . import b\n",
            "_system/b.py": "from .c import d\n",
            "_system/c.py": "\nfrom pkg._system.a import e\n",
        },
        [
            "_system/a.py:1: goes in a circle: _system/a.py > _system/b.py > _system/c.py > "
            "_system/a.py",
            "_system/b.py:1: goes in a circle: _system/b.py > _system/c.py > _system/a.py > "
            "_system/b.py",
            "_system/c.py:2: goes in a circle: _system/c.py > _system/a.py > _system/b.py > "
            "_system/c.py",
        ],
    ),
    "a folder of no storey": (
        PYTHON,
        {"_new/a.py": "from pkg import _version\n", "_version.py": ""},
        ["_new/a.py: the folder _new has no storey"],
    ),
    "imports that are in order": (
        PYTHON,
        {
            "__init__.py": "from pkg._saving.b import c\nfrom pkg import kernels",
            "kernels.py": "from pkg import _core\n",
            "_core.pyi": "",
            "_saving/__init__.py": "",
            "_saving/b.py": "from pkg._system import a\nfrom pkg import _core\nimport osmosis\n",
            "_system/a.py": "from pkg._version import __version__\nimport numpy.pkg\n",
            "_version.py": "",
        },
        [],
    ),
    "an include from above": (
        C,
        {"base/a.h": '#include <stdio.h>\n#  include "network/b.h"\n', "network/b.h": ""},
        ["base/a.h:2: base uses network, which is above it"],
    ),
    "an include from beside": (
        C,
        {"testing/a.c": '#include "python/b.h"\n', "python/b.h": ""},
        ["testing/a.c:1: testing uses python, which is beside it"],
    ),
    "a circle of includes": (
        C,
        {"base/a.h": '#include "../base/b.h"\n', "base/b.h": '#include "base/a.h"\n'},
        [
            "base/a.h:1: goes in a circle: base/a.h > base/b.h > base/a.h",
            "base/b.h:1: goes in a circle: base/b.h > base/a.h > base/b.h",
        ],
    ),
    "includes that are in order": (
        C,
        {"testing/a.c": '#include "network/b.h"\n', "network/b.h": '#include "kernels/c.h"\n'},
        [],
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_a_violation_is_found(what, tmp_path):
    rules, files, expected = FOUND[what]
    root = tmp_path / "pkg"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    assert find_violations(root, rules) == [f"{root}/{violation}" for violation in expected]


# ---- what pickles name ----


@pytest.mark.parametrize(
    "name",
    [
        "Checkpoint",
        "MLPClassifier",
        "MLPRegressor",
        "TabularMLPClassifier",
        "TabularMLPRegressor",
    ],
)
def test_pickles_name_the_package_and_not_a_file_of_it(name):
    assert b"cmlp_c\n" + name.encode() in pickle.dumps(getattr(mlp_c, name), protocol=0)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("_classifier", "MLPClassifier"),
        ("_regressor", "MLPRegressor"),
        ("_checkpoint", "Checkpoint"),
    ],
)
def test_pickles_of_version_0_1_0_find_the_classes(module, name):
    assert pickle.loads(f"cmlp_c.{module}\n{name}\n.".encode()) is getattr(mlp_c, name)

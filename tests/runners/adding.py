"""Applies the worked diffs of docs/inside/adding.md to a copy of the checkout, and tests the copy.

A diff is a sequence of files, each with hunks that ``…`` parts; the lines that a hunk keeps or
removes must stand in the file once, one after the other. Pytest's arguments may follow; without
any, it runs the tests of SELECTION.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE, COPY = ROOT / "docs/inside/adding.md", ROOT / "build/adding"
SELECTION = (
    "tests/project/test_tables.py",
    "tests/kernels",
    "tests/estimators/test_reference_fits.py",
    "tests/estimators/test_activations.py",
    "tests/estimators/test_initial_weights.py",
    "tests/saving",
)


def copy_checkout(target: Path) -> None:
    """Copy what git knows, as it is now."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)


def find_diffs(page: str) -> list[tuple[str, bool, list[str]]]:
    """Of each file in the diffs of a page: its name, whether it is new, and its hunks."""
    found = []
    for block in re.findall(r"^```diff\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^--- ", block, flags=re.MULTILINE)[1:]:
            old, new, hunks = part.split("\n", 2)
            name = new.removeprefix("+++ b/")
            found.append((name, old == "/dev/null", hunks.strip("\n").split("\n…\n")))
    return found


def side(hunk: str, marks: str) -> str:
    """The lines of a hunk that begin with one of the marks, without it."""
    lines = [line or " " for line in hunk.split("\n")]
    return "".join(line[1:] + "\n" for line in lines if line[0] in marks)


def apply(target: Path) -> int:
    """Apply the page's diffs to the files of a checkout; return how many files they change.

    Raises
    ------
    ValueError
        If a hunk does not fit.
    """
    diffs = find_diffs(PAGE.read_text())
    for name, is_new, hunks in diffs:
        text = "" if is_new else (target / name).read_text()
        for hunk in hunks:
            before = side(hunk, " -")
            if not is_new and text.count(before) != 1:
                raise ValueError(f"{name} has this {text.count(before)} times:\n{before}")
            text = side(hunk, "+") if is_new else text.replace(before, side(hunk, " +"))
        (target / name).write_text(text)
    return len({name for name, _, _ in diffs})


def main() -> int:
    shutil.rmtree(COPY, ignore_errors=True)
    copy_checkout(COPY)
    apply(COPY)
    environment = {**os.environ, "MLP_C_TESTING": "1"}
    build = (sys.executable, "setup.py", "--quiet", "build_ext", "--inplace")
    subprocess.run(build, cwd=COPY, env=environment, check=True)
    tests = (sys.executable, "-m", "pytest", "-q", *(sys.argv[1:] or SELECTION))
    return subprocess.run(tests, cwd=COPY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks.guard``: does anything take more instructions than before?

Times are too noisy to detect small changes. Instruction counts from valgrind are not noisy.
They are counted for one thread on small data, for every instruction set that valgrind knows,
and compared with the counts in baselines.json.
"""

import argparse
import json
import os
import pickle
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import data
from benchmarks.cases import CASES, Case
from benchmarks.guarded import MARKER
from benchmarks.processes import apart
from benchmarks.tables import aligned

BASELINES = Path(__file__).with_name("baselines.json")
TOLERANCE = 0.03
LEFT_OUT = {"wide"}  # valgrind would take many minutes
Counts = dict[str, dict[str, int]]  # by instruction set and name


def guarded(case: Case) -> Case:
    """The case with one thread and few rows, the same rows on every machine."""
    make = data.strokes if case.recipe.make is data.mnist else case.recipe.make
    rows = case.batch_size * 3 // 2  # a whole batch and a part of one
    few = replace(case, recipe=replace(case.recipe, rows=rows, make=make), threads=1)
    if not case.predicted_rows:
        return few
    predicted = min(case.predicted_rows, few.recipe.all_rows - rows)
    return replace(few, name=f"predict-{predicted}", predicted_rows=predicted)


def count(valgrind: str) -> Counts:
    cases = [guarded(case) for case in CASES if case.name not in LEFT_OUT]
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cases").write_bytes(pickle.dumps(cases))
        for number, case in enumerate(cases):
            (folder / str(number)).mkdir()
            apart(data.write, case.recipe, [case.dtype], folder / str(number))
        command = [
            *(valgrind, "--quiet", "--tool=callgrind", f"--dump-before={MARKER}"),
            f"--callgrind-out-file={folder / 'counts'}",
            *(sys.executable, "-m", "benchmarks.guarded", name),
        ]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, check=True)
        sections = json.loads((folder / "sections").read_text())
        counts = [instructions(folder / f"counts.{n}") for n in range(1, len(sections) + 1)]
    found: Counts = {}
    for (isa, name), instructions_taken in zip(sections, counts, strict=True):
        if isa:
            found.setdefault(isa, {})[name] = instructions_taken
    return found


def instructions(path: Path) -> int:
    """The number of instructions in one of callgrind's files."""
    (line,) = (line for line in path.read_text().splitlines() if line.startswith("totals:"))
    return int(line.partition(":")[2])


def made_with() -> dict[str, str]:
    """What the counts depend on besides this project."""
    from mlp_c import show_config

    return {
        "compiler": show_config(mode="dicts")["compiler"],
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "scikit-learn")},
    }


def compare(before: Counts, now: Counts) -> tuple[list[tuple[str, ...]], int]:
    """The table of what has changed, and how many of its rows are worse."""
    rows, n_worse = [("what", "before", "now", "change", "")], 0
    for isa, counts in now.items():
        for name, taken in counts.items():
            what, known = f"{isa} {name}", before.get(isa, {}).get(name)
            if known is None:
                rows.append((what, "", f"{taken:,}", "", "new"))
            elif abs(change := taken / known - 1) > TOLERANCE:
                n_worse += change > 0
                verdict = "WORSE" if change > 0 else "better"
                rows.append((what, f"{known:,}", f"{taken:,}", f"{change:+.1%}", verdict))
    return rows, n_worse


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--update", action="store_true", help="replace the baselines")
    arguments = parser.parse_args()
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        sys.exit("The guard counts instructions with valgrind, which is not installed.")
    now, environment = count(valgrind), made_with()
    saved = {} if not BASELINES.exists() else json.loads(BASELINES.read_text())
    rows, n_worse = compare(saved.get("counts", {}), now)
    n_counts = sum(map(len, now.values()))
    print(f"{n_counts} counts, {n_worse} of them worse by more than {TOLERANCE:.0%}")
    if len(rows) > 1:
        print(aligned(rows))
    if arguments.update:
        document = {"made with": environment, "counts": now}
        BASELINES.write_text(json.dumps(document, indent=1) + "\n")
        return
    for name, value in environment.items():
        if (then := saved.get("made with", {}).get(name)) != value:
            print(f"The baselines were made with {name} {then}; this is {value}.")
    sys.exit(n_worse > 0)


if __name__ == "__main__":
    main()

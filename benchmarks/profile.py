"""Where an epoch or a prediction spends its time, stage by stage: ``make profile``.

A build of its own, in which each thread notes the time as it goes from one stage of a batch to the
next (csrc/threads/stages.h), trains and predicts the cases.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.cases import CASES, LOOP, Case
from benchmarks.data import Rows, read, write

ROOT = Path(__file__).resolve().parents[1]
PROFILED = {case.name: case for case in CASES if case.rivals != LOOP.rivals}
LEAST_SHARE = 0.0005  # of a stage that has a line


def build(folder: Path) -> Path:
    """Build the package with stages that are counted; where it lies."""
    lib = folder / "lib"
    folders = ["--build-temp", str(folder / "temp"), "--build-lib", str(lib)]
    flags = f"{os.environ.get('MLP_C_CFLAGS', '')} -DMLP_PROFILE"
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build", *folders],
        cwd=ROOT,
        env={**os.environ, "MLP_C_CFLAGS": flags},
        check=True,
    )
    return lib


def profile(case: Case, threads: list[int], repeats: int) -> None:
    """Print a case's table for each number of threads."""
    with tempfile.TemporaryDirectory() as folder:
        note = write(case.recipe, [case.dtype], Path(folder))
        (x, y), (x_test, _) = (read(Path(folder), part, case.dtype) for part in ("train", "test"))
    print(f"\n{case.title.rpartition(',')[0]}; {note}")
    for n in threads:
        print_stages(replace(case, threads=n), x, y, x_test, repeats)


def print_stages(case: Case, x: Rows, y: Rows, x_test: Rows, repeats: int) -> None:
    """Print how long each thread was in each stage."""
    from benchmarks.rivals.estimators import MlpC

    ours = MlpC(case, x, y)
    ours.fit(1)
    if case.predicted_rows:
        rows = x_test[: case.predicted_rows]
        unit, n_units = "prediction", repeats
        wall, members = count(lambda: [ours.predict(rows) for _ in range(repeats)], case.threads)
    else:
        rows = x
        unit, n_units = "batch", repeats * -(-x.shape[0] // case.batch_size)
        wall, members = count(lambda: ours.fit(repeats), case.threads)
    total = sum(member.total() for member in members)
    n_rows = repeats * rows.shape[0]
    title = f"{case.threads} threads: {wall / n_units * 1e6:.1f} µs a {unit}"
    print(f"\n{title:31}   µs a {unit}, by thread\n{'stage':14}{'share':>7}{'ns a row':>10}")
    for stage in members[0]:
        spent = [member[stage] for member in members]
        if sum(spent) >= LEAST_SHARE * total:
            each = "".join(f"{seconds / n_units * 1e6:9.2f}" for seconds in spent)
            print(f"{stage:14}{sum(spent) / total:7.1%}{sum(spent) / n_rows * 1e9:10.1f}   {each}")


def count(work: Callable[[], object], n_threads: int) -> tuple[float, list[Counter[str]]]:
    """Seconds that work takes, and those of each thread in each stage."""
    from mlp_c import _core

    _core.take_stages()
    start = time.perf_counter()
    work()
    wall = time.perf_counter() - start
    return wall, [Counter(member) for member in _core.take_stages()[:n_threads]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.profile")
    parser.add_argument("--cases", nargs="+", choices=PROFILED, default=list(PROFILED))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5, help="epochs or predictions; default: 5")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "profile")
    arguments = parser.parse_args()
    lib = build(arguments.build)
    sys.path.insert(0, str(lib))  # nothing has imported the package yet
    for name in arguments.cases:
        profile(PROFILED[name], arguments.threads, arguments.repeats)


if __name__ == "__main__":
    main()

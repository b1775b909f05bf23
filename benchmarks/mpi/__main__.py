"""``python -m benchmarks.mpi``: times training by several processes for docs/inside/scaling.md."""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.mpi import page
from benchmarks.mpi.cases import BATCHES, NETS, Place, Timing, places
from benchmarks.mpi.launch import ROOT, Effort, Measured, measure
from benchmarks.processes import apart
from benchmarks.progress import progress

RAW = ROOT / "benchmarks" / "results" / "mpi.json"

FULL = Effort(rounds=4, nets=tuple(NETS), batches=BATCHES)
QUICK = Effort(rounds=1, nets=("mnist",), batches=BATCHES[-1:])


def save(measured: Measured, path: Path) -> None:
    """Writes what has been measured, in seconds."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(asdict(measured), indent=1) + "\n")


def load(path: Path) -> Measured:
    """Reads what has been measured."""
    saved = json.loads(path.read_text())
    timings = [
        Timing(
            *(one["net"], one["batch"], one["exchange"], Place(**one["place"])),
            *(tuple(one["short"]), tuple(one["long"])),
        )
        for one in saved.pop("timings")
    ]
    return Measured(**saved, timings=timings)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mpi", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a trial run of few cases; the page stays"
    )
    parser.add_argument("--more", action="store_true", help="add rounds to those measured before")
    parser.add_argument("--page", action="store_true", help="write the page of those alone")
    parser.add_argument("--rounds", type=int, help="default: 4")
    parser.add_argument(
        "--most-busy",
        type=float,
        default=FULL.most_busy,
        metavar="CPUS",
        help="leave out what was measured while other processes kept more CPUs busy",
    )
    parser.add_argument("--json", type=Path, default=RAW, metavar="FILE", help="the times")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    effort = replace(
        effort, rounds=arguments.rounds or effort.rounds, most_busy=arguments.most_busy
    )
    measured = load(arguments.json) if arguments.more or arguments.page else Measured()
    if not arguments.page:
        todo = places()
        with progress(len(todo) * effort.rounds) as step:

            def keep(text: str) -> None:
                if not arguments.quick:
                    save(measured, arguments.json)
                step(text)

            measure(todo, effort, keep, measured)
        if not arguments.quick:
            save(measured, arguments.json)
    for name, why in measured.absent.items():
        print(f"{name} is absent: {why}")
    print(page.summary(measured))
    if not arguments.quick:
        apart(page.write, measured)


if __name__ == "__main__":
    main()

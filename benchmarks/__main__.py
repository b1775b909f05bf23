"""``python -m benchmarks``: measures and prints a table for each case and dtype."""

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks import report
from benchmarks.cases import CASES
from benchmarks.progress import progress
from benchmarks.rivals import RIVALS
from benchmarks.runner import measure_all

DTYPES = ["float32", "float64"]
GOAL = 2.0  # seconds: how much longer a long fit is to take than a short one
QUICK = {"rows": 8000, "rounds": 2, "goal": 0.3}


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures training with mlp_c and with other libraries.",
    )
    names = [case.name for case in CASES]
    parser.add_argument("--cases", nargs="+", choices=names, default=names)
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--rivals", nargs="+", choices=list(RIVALS), default=list(RIVALS))
    parser.add_argument("--threads", type=positive, default=2, help="default: 2")
    parser.add_argument("--rounds", type=positive, default=5, help="default: 5")
    parser.add_argument("--quick", action="store_true", help="few rows and rounds, to try it out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the raw numbers")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="save a bar chart")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    cases = [case for case in CASES if case.name in arguments.cases]
    rounds, goal = arguments.rounds, GOAL
    if arguments.quick:
        cases = [replace(case, rows=min(case.rows, QUICK["rows"])) for case in cases]
        rounds, goal = QUICK["rounds"], QUICK["goal"]

    host = report.machine()
    print(
        f"{host['processor']}, {host['cpus']} CPUs, {arguments.threads} threads, "
        f"Python {host['python']}, medians of {rounds} interleaved rounds\n"
    )
    results = []
    total = len(cases) * len(arguments.dtypes) * (len(arguments.rivals) + 1) * (rounds + 1)
    with progress(total) as step:
        for result in measure_all(
            cases,
            arguments.dtypes,
            rivals=arguments.rivals,
            rounds=rounds,
            threads=arguments.threads,
            goal=goal,
            step=step,
        ):
            results.append(result)
    for result in results:
        print(report.table(result), end="\n\n")
    print(report.LEGEND)
    if arguments.json:
        report.save_json(results, arguments.threads, arguments.json)
    if arguments.plot:
        report.save_plot(results, arguments.plot)


if __name__ == "__main__":
    main()

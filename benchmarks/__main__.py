"""``python -m benchmarks``: measures and prints a table for each case."""

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks import kernels, report
from benchmarks.cases import CASES, Case
from benchmarks.progress import progress
from benchmarks.rivals import RIVALS
from benchmarks.runner import measure_all
from benchmarks.targets import rivals_of

GEMM = "gemm"  # stands for the targets of a kernel, the square product
QUICK = {"rows": 8000, "rounds": 2, "goal": 0.2}


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compares mlp_c with other libraries.",
    )
    names = [case.name for case in CASES]
    names.append(GEMM)
    parser.add_argument("--cases", nargs="+", choices=names, default=names)
    parser.add_argument("--rivals", nargs="+", choices=list(RIVALS), help="default: all that can")
    parser.add_argument(
        "--targets",
        action="store_true",
        help="measure what the targets need, and print for each case whether they are met",
    )
    parser.add_argument("--threads", type=positive, default=2, help="default: 2")
    parser.add_argument("--rounds", type=positive, default=5, help="default: 5")
    parser.add_argument(
        "--goal", type=float, default=1.0, help="seconds that a measurement takes; default: 1"
    )
    parser.add_argument("--quick", action="store_true", help="a trial run with few rows and rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the raw numbers")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    rounds, goal = arguments.rounds, arguments.goal
    cases = [
        replace(case, threads=arguments.threads) for case in CASES if case.name in arguments.cases
    ]
    if arguments.quick:
        cases = [case.with_rows(min(case.recipe.rows, QUICK["rows"])) for case in cases]
        rounds, goal = QUICK["rounds"], QUICK["goal"]

    def names_of(case: Case) -> list[str]:
        wanted = rivals_of(case) if arguments.targets else case.rivals
        return [name for name in RIVALS if name in wanted and name in (arguments.rivals or RIVALS)]

    host = report.machine()
    print(
        f"{host['processor']}, {host['cpus']} CPUs, Python {host['python']}, "
        f"medians of {rounds} interleaved rounds\n"
    )
    total = sum(len(names_of(case)) for case in cases) * (rounds + 1)
    with progress(total) as step:
        results = list(measure_all(cases, names_of, rounds=rounds, goal=goal, step=step))
        products = []
        if arguments.targets and GEMM in arguments.cases:
            products = kernels.measure([kernels.SQUARE], kernels.DTYPES, 1, rounds, step)
    if arguments.targets:
        print(report.target_table([*results, *products]))
    else:
        for result in results:
            print(report.table(result), end="\n\n")
        print(report.LEGEND)
    if arguments.json:
        report.save_json(results, arguments.json)


if __name__ == "__main__":
    main()

"""``python -m benchmarks.tabular``: fits all models to all tables, writes docs/guide/tabular.md.

What the file of results has already is not measured again: a run that was stopped goes on. Models
whose packages are in different environments can be run one after the other into the same file.
"""

import argparse
from pathlib import Path

from benchmarks.processes import apart
from benchmarks.progress import progress
from benchmarks.tables import aligned
from benchmarks.tabular import page
from benchmarks.tabular.results import Results
from benchmarks.tabular.rivals import RIVALS
from benchmarks.tabular.runner import measure, missing
from benchmarks.tabular.sets import SETS, load

RAW = page.ROOT / "benchmarks" / "results" / "tabular.json"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tabular", description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument(
        "--models", nargs="+", choices=list(RIVALS), default=list(RIVALS), help="default: all"
    )
    parser.add_argument(
        "--repeats", type=int, choices=range(1, 100), default=5, metavar="N", help="default: 5"
    )
    parser.add_argument("--threads", type=int, choices=(1, 2), default=2, help="default: 2")
    parser.add_argument(
        "--json", type=Path, default=RAW, metavar="FILE", help="the results, to go on with"
    )
    parser.add_argument(
        "--again", action="store_true", help="forget what the file has of these models and threads"
    )
    parser.add_argument(
        "--no-page",
        action="store_true",
        help="print the summary; leave docs/guide/tabular.md as it is",
    )
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    asked = {"n_repeats": arguments.repeats, "n_threads": arguments.threads}
    results = Results(arguments.json)
    if arguments.again:
        results.forget(arguments.models, arguments.threads)
    for data in arguments.sets:
        load(SETS[data])  # a package that is absent is the tables' here, and not a model's
    absent: dict[str, str] = {}
    todo = missing(results, arguments.sets, arguments.models, **asked)
    with progress(len(todo)) as step:
        for data in arguments.sets:
            absent |= measure(results, data, arguments.models, **asked, step=step)
    for name, why in absent.items():
        print(f"{name} is absent: {why}")
    outcomes = results.of(arguments.threads, arguments.repeats)
    measured = page.Measured(outcomes, arguments.repeats, arguments.threads)
    print(aligned(page.summary_rows(measured)))
    if not arguments.no_page:
        apart(page.write, measured)


if __name__ == "__main__":
    main()

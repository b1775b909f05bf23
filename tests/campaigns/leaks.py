"""Good and refused calls of every function, and estimators fitted and dropped, leave nothing.

Thousands of calls raise no reference count of an argument, hold no block of Python's memory and
at most 64 KiB of the process's. Then psleak, whose heap is the C library's, sees no growth of it
by a function, and no thread, file descriptor or cycle that a call leaves.
"""

import gc
import sys
import warnings

import numpy as np

import mlp_c
from campaigns import build, options
from support import calls, core_calls

MOST = {"references": 0, "blocks": 10, "threads": 0, "files": 0, "bytes": 64 << 10}
MOST_OF_FITS = MOST | {"blocks": 50}  # of hundreds: scikit-learn's caches grow in some
ROUNDS = 10  # the interpreter keeps some blocks now and then, in no relation to the calls

X, Y = np.random.default_rng(0).random((40, 8)), np.arange(40) % 3


def refused(function, *arguments):
    """A call that must be refused."""

    def call():
        try:
            function(*arguments)
        except (TypeError, ValueError):
            return
        raise AssertionError("was accepted")

    return call


def functions():
    """{label: (call, its arguments)}: valid, and with each argument in turn no array."""
    found = {}
    for case, arguments in core_calls.examples(n=4, n_threads=2).items():
        found[case] = lambda case=case, a=arguments: core_calls.run(case, a), arguments
        for name, value in arguments.items():
            if hasattr(value, "__len__") and len(value) > 0:
                spoiled = arguments | {name: object()}
                call = refused(core_calls.run, case, spoiled)
                found[f"{case}, argument {name} refused"] = call, spoiled
    for case in core_calls.NAMED:
        fields = core_calls.examples(n=4)[case]
        without = {name: value for name, value in fields.items() if name != "y"}
        for label, wrong in {"fewer": without, "more": fields | {"another": object()}}.items():
            found[f"{case}, {label} fields refused"] = refused(core_calls.run, case, wrong), wrong
    return found


def estimators():
    """{label: (call, its arguments)}: fitted and dropped, predicting, and refusing."""
    found = {}
    for cls in (mlp_c.MLPClassifier, mlp_c.MLPRegressor):
        name, fitted = cls.__name__, cls(hidden_layer_sizes=4, max_iter=2).fit(X, Y)
        for solver in ("adam", "sgd", "lbfgs"):
            params = {"hidden_layer_sizes": 4, "solver": solver, "max_iter": 2, "n_threads": 2}
            found[f"{name}.fit, {solver}"] = (
                lambda cls=cls, params=params: cls(**params).fit(X, Y),
                [X, Y],
            )
        found[f"{name}.predict"] = lambda model=fitted: model.predict(X), [X]
        found[f"{name}.fit refused"] = refused(cls().fit, X, Y[:-1]), [X, Y]
        found[f"{name}.predict refused"] = refused(fitted.predict, X[:, 1:]), [X]
    return found


def footprint(arguments):
    import psutil

    process = psutil.Process()
    gc.collect()
    return {
        "references": sum(sys.getrefcount(array) for _, array in calls.leaves(arguments)),
        "blocks": sys.getallocatedblocks(),
        "threads": process.num_threads(),
        "files": process.num_fds(),
        "bytes": process.memory_info().rss,
    }


def growth(call, arguments, n_calls, most):
    """By how much a round of calls raised the footprint, where that was least."""
    rounds = []
    for _ in range(ROUNDS):
        before = footprint(arguments)
        for _ in range(n_calls):
            call()
        after = footprint(arguments)
        rounds.append({what: after[what] - before[what] for what in before})
        if all(rounds[-1][what] <= most[what] for what in most):
            break
    return {what: min(grown[what] for grown in rounds) for what in most}


def count(n_calls):
    """Compares footprints; n_calls of each function, a tenth of it of an estimator's."""
    warnings.simplefilter("ignore")
    worst = dict.fromkeys(MOST, 0)
    of_fits = estimators(), n_calls // 10, MOST_OF_FITS
    for cases, n, most in ((functions(), n_calls, MOST), of_fits):
        for label, (call, arguments) in cases.items():
            grown = growth(call, arguments, n, most)
            worst = {what: max(worst[what], grown[what]) for what in worst}
            assert all(grown[what] <= most[what] for what in most), (label, grown)
    print(f"leaks: after {n_calls} calls of each function, at most", worst)


def run_psleak(quick):
    import psleak

    warnings.simplefilter("ignore")
    case, cases = psleak.MemoryLeakTestCase(), functions()
    if quick:
        cases = {label: cases[label] for label in core_calls.CASES}
    for call, _ in cases.values():
        case.execute(call, checkers=psleak.Checkers.exclude("py_threads"))
    print(f"leaks: psleak finds none in {len(cases)} calls")


def main() -> int:
    bounds = options.parse(__doc__, calls=(10_000, 1_000))
    failed = False
    if build.has_modules("psutil"):
        count = f"from campaigns import leaks; leaks.count({bounds.calls})"
        failed = build.run("-c", count) != 0
    if build.has_modules("psleak"):
        environment = {"PYTHONMALLOC": "malloc", "PYTHONUNBUFFERED": "1"}
        code = f"from campaigns import leaks; leaks.run_psleak({bounds.quick})"
        failed |= build.run("-c", code, environment=environment) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    build.end(main())

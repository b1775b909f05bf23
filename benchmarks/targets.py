"""The targets that figures must meet, case by case."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.cases import Case
from benchmarks.kernels import DTYPES, SQUARE, Figure
from benchmarks.rivals import KERNELS, ONE_THREAD, OURS, REFERENCES, TRAIN_STEP
from benchmarks.runner import Result

Measured = Result | Figure


@dataclass(frozen=True)
class Target:
    """A bound on a measured figure."""

    name: str
    figure: Callable[[Any], float]
    bound: float
    at_least: bool = False
    rivals: tuple[str, ...] = ()  # that the figure compares with; those absent are left out
    who: str = OURS  # who is compared

    def verdict(self, measured: Measured) -> tuple[str, str, str, str]:
        """The figure's name and value, the bound, and whether it is met."""
        bound = f"({'≥' if self.at_least else '≤'} {self.bound:g})"
        missing = [name for name in self.rivals if name not in measured.medians]
        name = f"{self.name} without {', '.join(missing)}" if missing else self.name
        if missing and len(missing) == len(self.rivals):
            return name, "unknown", bound, ""
        figure = self.figure(measured)
        met = figure >= self.bound if self.at_least else figure <= self.bound
        return name, f"{figure:.2f}", bound, "met" if met else "NOT MET"


def faster(ratio: float, *than: str, who: str = OURS) -> Target:
    """Target: faster by this ratio than the fastest of these rivals (default: REFERENCES)."""
    names = than or REFERENCES

    def figure(measured: Measured) -> float:
        medians = measured.medians
        return min(medians[name] for name in names if name in medians) / medians[who]

    name = f"ratio to {than[0] if than else 'fastest'}"
    return Target(name if who == OURS else f"{who}, {name}", figure, ratio, True, names, who)


def of_epoch(who: str, bound: float) -> Target:
    return Target(f"{who} of epoch", lambda r: r.medians[who] / r.medians[OURS], bound, who=who)


def of_limit(bound: float) -> Target:
    return Target("of dense limit", lambda r: r.timings[OURS].median / r.dense_limit, bound)


def fixed_seconds(bound: float) -> Target:
    return Target("fixed s", lambda r: median(r.timings[OURS].fixed_seconds), bound)


def growth(bound: float) -> Target:
    return Target("memory growth/X", lambda r: r.timings[OURS].growth_bytes / r.x_bytes, bound)


LARGE = (fixed_seconds(0.2), growth(0.35))
LOOP = (faster(2.5, "numpy", who=KERNELS), of_epoch(TRAIN_STEP, 1.3))

SHARED = faster(1.8, ONE_THREAD)

TARGETS: dict[str, tuple[Target, ...]] = {
    "mnist": (faster(5), of_limit(0.6), SHARED, *LARGE),
    "mnist-float64": (faster(5), of_limit(0.6), SHARED, *LARGE),
    "loop": LOOP,
    "loop-float64": LOOP,
    "mnist-adam": (faster(4), of_limit(0.6), *LARGE),
    "dense": (faster(1.3), of_limit(1.18), SHARED, *LARGE),
    "wide": (faster(1.05), of_limit(1.25), growth(0.35)),
    "small": (faster(1.5), of_limit(2.5)),
    "tabular": (faster(2), of_limit(1.67), SHARED),
    "text": (faster(4, "sklearn"),),
    "predict-1": (faster(1),),
    "predict-14000": (faster(2.5),),
    **{f"{SQUARE} {dtype}": (faster(1, "numpy"),) for dtype in DTYPES},  # with one thread
}


def rivals_of(case: Case) -> set[str]:
    """The rivals that must run to decide whether the case's targets are met."""
    targets = TARGETS[case.name]
    return {OURS, *(name for target in targets for name in (target.who, *target.rivals))}

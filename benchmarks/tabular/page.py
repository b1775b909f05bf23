"""The measured part of docs/guide/tabular.md, between its two markers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.pages import replaced
from benchmarks.processes import apart
from benchmarks.tables import markdown
from benchmarks.tabular import summary
from benchmarks.tabular.results import Outcome, Scores, collect
from benchmarks.tabular.rivals import BOOSTING, OURS, REAL_MLP, RIVALS
from benchmarks.tabular.sets import SETS, describe

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guide" / "tabular.md"
PICTURES = ROOT / "docs" / "guide" / "tabular"
N_MEMBERS = 8  # that ours has by default


@dataclass(frozen=True)
class Measured:
    """Outcomes of so many repeats, all by as many threads."""

    outcomes: list[Outcome]
    n_repeats: int
    n_threads: int

    def collect(self, figure: str) -> Scores:
        return collect(self.outcomes, figure, SETS, RIVALS, self.n_repeats)

    @cached_property
    def errors(self) -> Scores:
        return self.collect("error")

    @cached_property
    def log_losses(self) -> Scores:
        """Of tables with classes."""
        scores = self.collect("log_loss")
        has_classes = np.array([SETS[name].is_classification for name in scores.sets], dtype=bool)
        names = [name for name in scores.sets if SETS[name].is_classification]
        return Scores(names, scores.models, scores.values[has_classes])

    @cached_property
    def reference(self) -> str:
        """Whom a model that lacks tables is compared with: ours, if it has all tables."""
        whole = [
            name
            for name, is_whole in zip(self.errors.models, self.errors.is_whole, strict=True)
            if is_whole
        ]
        if not whole:
            raise ValueError("no model has all repeats of all tables that were measured")
        return whole[0]

    @property
    def whole(self) -> Scores:
        """Errors of the models that have all tables."""
        names = np.array(self.errors.models)[self.errors.is_whole]
        return self.errors.of_models(names.tolist())

    def level(self, figure: str, shift: float = 0.0) -> dict[str, float]:
        """The mean over tables, by model."""
        scores = self.log_losses if figure == "log_loss" else self.collect(figure)
        if not scores.sets:
            return dict.fromkeys(scores.models, np.nan)
        found = summary.levels(scores, self.reference, shift)
        return dict(zip(scores.models, found.tolist(), strict=True))


def write(measured: Measured) -> None:
    """Writes the measured part of the page, and its pictures."""
    PICTURES.mkdir(exist_ok=True)
    draw(measured, PICTURES)
    PAGE.write_text(
        replaced(PAGE.read_text(), part(measured, apart(descriptions, measured.errors.sets)))
    )


def descriptions(sets: Iterable[str]) -> list[tuple[str, ...]]:
    return [describe(SETS[name]) for name in sets]


def draw(measured: Measured, folder: Path) -> None:
    from benchmarks.tabular import plots

    whole = measured.whole
    n_models, n_sets = len(whole.models), len(whole.sets)
    if n_models < 2:
        raise ValueError(f"nothing to compare: {n_models} models have all tables")
    plots.draw_ranks(
        dict(zip(whole.models, summary.mean_ranks(whole.means).tolist(), strict=True)),
        summary.critical_difference(n_models, n_sets),
        n_sets,
        folder / "ranks.svg",
    )
    seconds = measured.level("fit_cpu_seconds")
    errors = measured.level("error", summary.SHIFT)
    plots.draw_error_and_time(
        {
            name: (seconds[name], errors[name], name in whole.models)
            for name in errors
            if np.isfinite(errors[name])
        },
        measured.reference,
        folder / "error_and_time.svg",
    )


def part(measured: Measured, tables: list[tuple[str, ...]]) -> str:
    host = report.machine()
    busy = [one.cpus_of_others for one in measured.outcomes if one.cpus_of_others is not None]
    header = ("table", "", "rows", "columns", "of categories (most)", "missing", "target")
    return f"""
{host["processor"]}, {host["cpus"]} CPUs, {host["platform"]}, Python {host["python"]},
{date.today()}. Repeats: {measured.n_repeats}. Threads of a model: {measured.n_threads}. Other
processes kept {np.median(busy):.2f} CPUs busy in the median fit, and {max(busy):.2f} at most.

{markdown(summary_rows(measured))}

Error and log-loss are shifted geometric means over the tables, times geometric means: of a fit, and
of the prediction of a row among all test rows.
{note_on_ratios(measured)}

![Mean ranks of the error](tabular/ranks.svg)

![Error against the time of a fit](tabular/error_and_time.svg)

### Error by table

The rate of wrong classes; of numbers the root mean squared error in standard deviations.

{markdown(matrix(measured.errors, "{:.4f}".format))}

### Log-loss by table

{markdown(matrix(measured.log_losses, "{:.4f}".format))}

### CPU seconds of a fit

{markdown(matrix(measured.collect("fit_cpu_seconds"), in_figures))}

### Targets

{markdown(target_rows(measured))}

### Tables

{markdown([header, *tables])}

### Versions

{markdown([("model", "package"), *versions(measured.outcomes)])}
{failures(measured.outcomes)}
"""


def note_on_ratios(measured: Measured) -> str:
    if measured.errors.is_whole.all():
        return "All models have all tables."
    return (
        f"A model in brackets lacks tables. Its figures are those of {measured.reference}, times "
        "the ratio\nof the two on the tables that it has; ranks and wins are without it."
    )


def summary_rows(measured: Measured) -> list[tuple[str, ...]]:
    """A header, then the models, those with the least error first."""
    whole = measured.whole
    ranks = dict(zip(whole.models, summary.mean_ranks(whole.means), strict=True))
    wins = dict(zip(whole.models, summary.wins(whole.means), strict=True))
    n_sets = dict(
        zip(measured.errors.models, (~np.isnan(measured.errors.means)).sum(axis=0), strict=True)
    )
    errors = measured.level("error", summary.SHIFT)
    log_losses = measured.level("log_loss", summary.SHIFT)
    fit_cpu, fit = measured.level("fit_cpu_seconds"), measured.level("fit_seconds")
    predict = measured.level("predict_seconds")
    header = (
        *("model", "tables", "error", "log-loss", "mean rank", "wins"),
        *("fit, CPU s", "fit, s", "predict, µs a row"),
    )
    rows = [
        (
            name if name in ranks else f"({name})",
            f"{n_sets[name]}",
            f"{errors[name]:.4f}",
            f"{log_losses[name]:.4f}" if np.isfinite(log_losses[name]) else "",
            f"{ranks[name]:.2f}" if name in ranks else "",
            f"{wins[name]}" if name in ranks else "",
            in_figures(fit_cpu[name]),
            in_figures(fit[name]),
            in_figures(predict[name] * 1e6),
        )
        for name in sorted(errors, key=errors.__getitem__)
        if np.isfinite(errors[name])
    ]
    return [header, *rows]


def in_figures(value: float) -> str:
    """Three of them, or all that are before the point."""
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def matrix(scores: Scores, text_of: Callable[[float], str]) -> list[tuple[str, ...]]:
    """A header, then a row for each table: the means over repeats, the least in bold."""
    rows = [("table", *scores.models)]
    for name, means in zip(scores.sets, scores.means, strict=True):
        least = np.nanmin(means) if np.isfinite(means).any() else np.nan
        cells = ["" if np.isnan(mean) else text_of(mean) for mean in means]
        rows.append(
            (name, *(f"**{c}**" if m == least else c for c, m in zip(cells, means, strict=True)))
        )
    return rows


def target_rows(measured: Measured) -> list[tuple[str, ...]]:
    """What ours should come to, beside the three that boost, and what it does."""
    header = ("figure", "measured", "target", "")
    present = [name for name in BOOSTING if name in measured.whole.models]
    if OURS not in measured.whole.models or not present:
        return [header, (f"{OURS} or all of {', '.join(BOOSTING)} lack tables", "", "", "")]

    def lowest(level: dict[str, float]) -> float:
        return min(level[name] for name in present)

    of = f"of the lowest of {', '.join(present)}"
    errors = measured.level("error", summary.SHIFT)
    log_losses = measured.level("log_loss", summary.SHIFT)
    fit_cpu, predict = measured.level("fit_cpu_seconds"), measured.level("predict_seconds")
    worse = summary.worse_sets(measured.errors, OURS, tuple(present), 1.1)
    bounds = [
        (f"error, {of}", errors[OURS] / lowest(errors), 0.90),
        (f"log-loss, {of}", log_losses[OURS] / lowest(log_losses), 0.82),
        (
            "tables more than 10 % worse than the best of them, beyond two standard errors",
            float(len(worse)),
            0.0,
        ),
    ]
    for name, cost, bound in (("LightGBM", 1, 25.0), (REAL_MLP, N_MEMBERS, 0.1)):
        if name in fit_cpu:
            times = f", {cost} of them" if cost > 1 else ""
            share = fit_cpu[OURS] / (cost * fit_cpu[name])
            bounds.append((f"CPU time of a fit, of {name}'s{times}", share, bound))
            bounds.append((f"time to predict, of {name}'s", predict[OURS] / predict[name], 1.0))
    rows = [
        (figure, f"{value:.3g}", f"≤ {bound:g}", "met" if value <= bound else "NOT MET")
        for figure, value, bound in bounds
        if np.isfinite(value)
    ]
    if worse:
        rows.append((f"those tables: {', '.join(worse)}", "", "", ""))
    return [header, *rows]


def versions(outcomes: Iterable[Outcome]) -> list[tuple[str, str]]:
    """Of each model's package, all that there are among the outcomes."""
    found: dict[str, dict[str, None]] = {name: {} for name in RIVALS}
    for one in outcomes:
        if one.version is not None and one.failure is None:
            found[one.model][one.version] = None
    return [(name, ", ".join(of)) for name, of in found.items() if of]


def failures(outcomes: Iterable[Outcome]) -> str:
    """A section on the models that failed, if there are any."""
    found = {(one.model, one.data): one.failure for one in outcomes if one.failure is not None}
    if not found:
        return ""
    lines = "\n".join(f"- {model}, {data}: {why}" for (model, data), why in found.items())
    return f"\n### What failed\n\n{lines}\n"

"""The outcomes of fits, in a file that a run goes on from."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

Key = tuple[str, str, int, int]


@dataclass(frozen=True)
class Outcome:
    """What came of one fit of one model. Numbers are None where it failed; `failure` says why."""

    data: str
    model: str
    repeat: int
    n_threads: int
    version: str | None = None
    error: float | None = None  # the rate of wrong classes, or the normalised RMSE
    log_loss: float | None = None  # of classes
    fit_seconds: float | None = None
    fit_cpu_seconds: float | None = None
    predict_seconds: float | None = None  # for a row
    predict_cpu_seconds: float | None = None
    cpus_of_others: float | None = None  # kept busy by other processes meanwhile
    failure: str | None = None

    @property
    def key(self) -> Key:
        return self.data, self.model, self.repeat, self.n_threads


class Results:
    """All outcomes so far. The file is written whole after each new one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        saved = json.loads(path.read_text()) if path.exists() else []
        self.outcomes = {outcome.key: outcome for outcome in (Outcome(**one) for one in saved)}

    def __contains__(self, key: Key) -> bool:
        """Whether a fit has come to scores: one that failed is tried again."""
        return key in self.outcomes and self.outcomes[key].failure is None

    def forget(self, models: Iterable[str], n_threads: int) -> None:
        """Drops what these models have come to, so that they are measured anew."""
        models = set(models)
        self.outcomes = {
            key: outcome
            for key, outcome in self.outcomes.items()
            if outcome.model not in models or outcome.n_threads != n_threads
        }

    def add(self, outcome: Outcome) -> None:
        self.outcomes[outcome.key] = outcome
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f"{self.path.name}.new")
        rows = ",\n".join(json.dumps(asdict(one)) for one in self.outcomes.values())
        new.write_text(f"[\n{rows}\n]\n")
        os.replace(new, self.path)

    def of(self, n_threads: int, n_repeats: int) -> list[Outcome]:
        """Those of the first repeats by so many threads."""
        return [
            outcome
            for outcome in self.outcomes.values()
            if outcome.n_threads == n_threads and outcome.repeat < n_repeats
        ]


@dataclass(frozen=True)
class Scores:
    """One figure of outcomes: `values` by set, model and repeat, NaN where there is none."""

    sets: list[str]
    models: list[str]
    values: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """Over repeats, by set and model: NaN where one of the repeats is missing."""
        return self.values.mean(axis=2)

    @property
    def is_whole(self) -> np.ndarray:
        """Of each model, whether it has all sets."""
        return ~np.isnan(self.means).any(axis=0)

    def of_models(self, models: Iterable[str]) -> "Scores":
        """With these models alone, in this order; those that are absent are left out."""
        places = [self.models.index(name) for name in models if name in self.models]
        return Scores(self.sets, [self.models[i] for i in places], self.values[:, places])


def collect(
    outcomes: Iterable[Outcome],
    figure: str,
    sets: Iterable[str],
    models: Iterable[str],
    n_repeats: int,
) -> Scores:
    """A figure, by its field's name, of those of these sets and models that have any outcome."""
    outcomes = list(outcomes)
    found = [name for name in sets if any(o.data == name for o in outcomes)]
    present = [name for name in models if any(o.model == name for o in outcomes)]
    values = np.full((len(found), len(present), n_repeats), np.nan)
    for outcome in outcomes:
        value = getattr(outcome, figure)
        if value is not None and outcome.data in found and outcome.model in present:
            place = found.index(outcome.data), present.index(outcome.model), outcome.repeat
            values[place] = value
    return Scores(found, present, values)

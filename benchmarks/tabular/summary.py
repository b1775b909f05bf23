"""What many scores come to: means over tables, ranks, and what differences mean."""

import numpy as np
from scipy.stats import rankdata, studentized_range

from benchmarks.tabular.results import Scores

SHIFT = 0.01  # so that a table without errors does not outweigh all others
TIE = 1.001  # within a thousandth of the best is as good


def shifted_geometric_mean(means: np.ndarray, shift: float = SHIFT) -> np.ndarray:
    """Over tables, the first axis: as in Holzmüller et al., "Better by default" (2024)."""
    return np.exp(np.log(means + shift).mean(axis=0))


def levels(scores: Scores, reference: str, shift: float = SHIFT) -> np.ndarray:
    """Of each model the mean over tables.

    A model that lacks tables has the reference's, times the ratio of the two on the tables that
    both have; NaN where there are none.
    """
    means = scores.means
    theirs = means[:, scores.models.index(reference)]
    whole = shifted_geometric_mean(theirs, shift)
    found = np.full(len(scores.models), np.nan)
    for i, ours in enumerate(means.T):
        both = ~np.isnan(ours) & ~np.isnan(theirs)
        if both.any():
            ratio = np.exp(np.mean(np.log(ours[both] + shift) - np.log(theirs[both] + shift)))
            found[i] = whole * ratio
    return found


def mean_ranks(means: np.ndarray) -> np.ndarray:
    """Over tables; equal ones share the mean of their ranks, and 1 is the best."""
    return rankdata(means, axis=1).mean(axis=0)


def wins(means: np.ndarray) -> np.ndarray:
    """On how many tables each model is the best, or as good."""
    return (means <= TIE * means.min(axis=1, keepdims=True)).sum(axis=0)


def critical_difference(n_models: int, n_sets: int, alpha: float = 0.05) -> float:
    """Mean ranks that are further apart differ significantly: Nemenyi's test.

    Demšar, "Statistical comparisons of classifiers over multiple data sets" (2006).
    """
    quantile = studentized_range.ppf(1 - alpha, n_models, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(n_models * (n_models + 1) / (6 * n_sets)))


def cliques(ranks: np.ndarray, difference: float) -> list[tuple[int, int]]:
    """The longest runs of sorted ranks that do not differ: the first and the last of each."""
    runs: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = int(np.searchsorted(ranks, rank + difference, side="right")) - 1
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return runs


def paired_standard_error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Of the mean difference over repeats; infinite for a single one."""
    if len(ours) < 2:
        return np.inf
    return float(np.std(ours - theirs, ddof=1) / np.sqrt(len(ours)))


def worse_sets(scores: Scores, ours: str, others: tuple[str, ...], margin: float) -> list[str]:
    """The tables where our error is this much above the best of these others.

    Unless it is within two paired standard errors of it.
    """
    mine = scores.values[:, scores.models.index(ours)]
    theirs = scores.of_models(others)
    found = []
    for name, own, rivals in zip(scores.sets, mine, theirs.values, strict=True):
        best = rivals[rivals.mean(axis=1).argmin()]
        excess = own.mean() - best.mean()
        if own.mean() > margin * best.mean() and excess > 2 * paired_standard_error(own, best):
            found.append(name)
    return found

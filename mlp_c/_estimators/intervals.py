"""Conformal intervals from rows that each member of an ensemble has held out: CV+.

Barber, Candès, Ramdas & Tibshirani, "Predictive inference with the jackknife+" (2021): with the
residual of each training row, by the member that held it out, and what that member predicts for a
new row, the interval goes from a low quantile of predictions minus residuals to a high one of
predictions plus residuals.
"""

from collections.abc import Sequence

import numpy as np

from mlp_c._system.blocks import Array

# Halvings of a range of float64 that leave neighbours, unless it has zero far inside.
_BISECTIONS = 64


def cv_plus(residuals: Sequence[Array], predictions: Sequence[Array], alpha: float) -> Array:
    """The intervals of new rows.

    Parameters
    ----------
    residuals : sequence of ndarray
        For each member, the magnitudes of the residuals of the rows that it held out.
    predictions : sequence of ndarray of shape (n_samples,)
        What each member predicts for the new rows.
    alpha : float
        The share of rows that intervals may miss. If no member has learned anything of the rows
        that it held out, they miss at most 2 alpha + sqrt(2 / n) of exchangeable rows, with n
        residuals, and in practice about alpha.

    Returns
    -------
    ndarray of shape (n_samples, 2)
        Lower and upper ends, infinite where there are too few residuals for `alpha`.
    """
    ascending = [np.sort(of_member) for of_member in residuals]
    n = sum(map(len, ascending))
    rank = int(np.ceil((1 - alpha) * (n + 1)))
    if rank > n:
        ends = np.full((2, len(predictions[0])), np.inf)
    else:
        ends = np.stack(
            [
                _order_statistic(ascending, [sign * p for p in predictions], rank)
                for sign in (-1.0, 1.0)
            ]
        )
    return np.stack([-ends[0], ends[1]], axis=1)


def _order_statistic(ascending: Sequence[Array], shifts: Sequence[Array], rank: int) -> Array:
    """For each row, the element of a rank, from 1, among all residuals plus their member's shift.

    Found by bisection: the number of elements up to a bound is a sum over members.
    """
    members = [(v, s) for v, s in zip(ascending, shifts, strict=True) if len(v)]
    low = np.min([shift + values[0] for values, shift in members], axis=0)
    high = np.max([shift + values[-1] for values, shift in members], axis=0)

    def has_enough(bound: Array) -> Array:
        counts = [np.searchsorted(v, bound - shift, side="right") for v, shift in members]
        return np.sum(counts, axis=0) >= rank

    high = np.where(has_enough(low), low, high)
    for _ in range(_BISECTIONS):
        middle = low / 2 + high / 2
        is_enough = has_enough(middle)
        high = np.where(is_enough, middle, high)
        low = np.where(is_enough, low, middle)
    return high

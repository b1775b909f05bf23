"""What is known of each epoch of a training, put together from the curves of a model."""

import math
from contextlib import suppress
from numbers import Integral
from typing import Any

import numpy as np

from mlp_c._training.stopping import is_whole
from mlp_c._training.stopwatch import SECONDS, seconds_of, was_cut_off
from mlp_c._training.validation import VALIDATION


def history_of(model: Any) -> dict[str, list[Any]]:
    """The history of a network; users may have edited its curves.

    Raises
    ------
    AttributeError
        If there is no curve of losses.
    """
    losses = _numbers(getattr(model, "loss_curve_", None))
    if losses is None:
        raise _has_none(model, "loss_curve_, a list of numbers")
    n = len(losses)
    curves = [
        _numbers(getattr(model, name, None))
        for name in ("validation_loss_curve_", "validation_scores_", "learning_rate_curve_")
    ]
    if curves[0] is None and curves[1] is not None and len(curves[1]) != n:
        curves[1] = None  # scores of an earlier fit, or of no fit of ours
    n_run = getattr(model, "n_iter_", 0)
    n_run = min(int(n_run), n) if isinstance(n_run, Integral) else 0
    n_cut_off = int(was_cut_off(model, n))
    validation_losses, validation_scores, rates = (
        _spread(curve, n, n_run, n_cut_off) for curve in curves
    )
    return {
        "epoch": list(range(1, n + 1)),
        "loss": losses,
        "validation_loss": validation_losses,
        "validation_score": validation_scores,
        "learning_rate": rates,
        "seconds": seconds_of(model, n),
    }


def history_of_members(model: Any) -> dict[str, list[Any]]:
    """The histories of the members of an ensemble, one below the other.

    Raises
    ------
    AttributeError
        If there are no members, or one has no curve of losses.
    """
    members = getattr(model, "members_", None)
    if not isinstance(members, list) or not members:
        raise _has_none(model, "members_")
    columns: dict[str, list[Any]] = {}
    for k, member in enumerate(members):
        history = history_of(member)
        for name, column in {"member": [k] * len(history["epoch"]), **history}.items():
            columns.setdefault(name, []).extend(column)
    return columns


def _has_none(model: Any, missing: str) -> AttributeError:
    return AttributeError(f"this {type(model).__name__} has no history_: it has no {missing}")


def _numbers(curve: Any) -> list[float] | None:
    """A curve as floats; None for what is no curve."""
    if isinstance(curve, (list, tuple, np.ndarray)):
        with suppress(TypeError, ValueError, OverflowError):
            numbers = np.asarray(curve, dtype=float)
            if numbers.ndim == 1:
                return numbers.tolist()
    return None


def _spread(curve: list[float] | None, n: int, n_run: int, n_cut_off: int) -> list[float]:
    """A curve over `n` epochs: it ends with them, and begins with the last `n_run` at the latest.

    Earlier fits may have been without it, and Ctrl-C may have cut off the last epoch before it had
    a value.
    """
    known = [] if curve is None else curve[max(len(curve) - n, 0) :]
    start = max(n - max(len(known) + n_cut_off, n_run), 0)
    return ([math.nan] * start + known + [math.nan] * n)[:n]


def best_epoch_of(network: Any) -> int:
    """The epoch of a network's history that has the best score; 0 where none is known.

    `best_iter_` counts from the first epoch that was scored, which may be of a later fit.
    """
    if not is_whole(VALIDATION, network):
        return 0
    is_scored = ~np.isnan(history_of(network)["validation_score"])
    best = int(network.best_iter_)
    return int(np.argmax(is_scored)) + best if best and is_scored.any() else 0


# ---- a fit that is going on ----


def count_epochs(model: Any) -> int:
    """How many epochs a network, or an ensemble, has ended: Ctrl-C may cut one off."""
    return max(len(vars(network)[SECONDS]) for network in _networks(model))


def last_epoch_of(model: Any) -> dict[str, Any]:
    """The last epoch that ended, with the columns that the fit has.

    It takes no time that grows with the epochs. Of an ensemble it has how many members trained in
    the epoch, and the means of these.
    """
    n = count_epochs(model)
    trained = [network for network in _networks(model) if len(vars(network)[SECONDS]) == n]
    rows = [_last_row(network) for network in trained]
    if trained == [model]:
        return {"epoch": n, **rows[0]}
    averaged = [name for name in rows[0] if name != "learning_rate"]
    means = {name: float(np.mean([row[name] for row in rows])) for name in averaged}
    seconds = max(row["seconds"] for row in rows)  # they train together
    return {"epoch": n, "members": len(rows), **means, "seconds": seconds}


def _networks(model: Any) -> list[Any]:
    return getattr(model, "members_", [model])


def _last_row(network: Any) -> dict[str, float]:
    row = {"loss": network.loss_curve_[-1]}
    if hasattr(network, "validation_loss_curve_"):
        row["validation_loss"] = network.validation_loss_curve_[-1]
        if network.scoring != "loss":  # a score that says what the loss does
            row["validation_score"] = network.validation_scores_[-1]
    if hasattr(network, "learning_rate_curve_"):
        row["learning_rate"] = network.learning_rate_curve_[-1]
    return {**row, "seconds": vars(network)[SECONDS][-1]}

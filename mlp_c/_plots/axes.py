"""Axes to draw on: matplotlib itself, room on axes, scores on their right, one legend."""

from typing import Any

import numpy as np

from mlp_c._system.blocks import Array

# The label by which another display on the same axes finds those of the scores.
_SCORES = "validation score"


def import_pyplot(caller: str) -> Any:
    """Matplotlib's pyplot, which few installations of this package need.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed: pip install matplotlib"
        ) from error
    return plt


def size_in_points(ax: Any) -> Array:
    """The width and height of axes, in the points that text is measured in."""
    extent = ax.get_window_extent()
    return np.array([extent.width, extent.height]) * 72 / ax.get_figure(root=True).dpi


def score_axes_of(ax: Any) -> Any:
    """The axes of scores on the right of other axes, which this makes if there are none."""
    score_ax = _find(ax)
    if score_ax is None:
        score_ax = ax.twinx()
        score_ax.set(label=_SCORES, ylabel=_SCORES)
    return score_ax


def make_legend(ax: Any) -> None:
    """Make one legend of all that is drawn on axes and on those of scores, in front of it."""
    score_ax = _find(ax)
    both = [ax] if score_ax is None else [ax, score_ax]
    handles = [handle for each in both for handle in each.get_legend_handles_labels()[0]]
    handles.sort(key=lambda handle: handle.get_linestyle() == "None")  # marks come last
    if (before := ax.get_legend()) is not None:
        before.remove()
    both[-1].legend(
        handles=handles,
        # Losses fall and scores rise: between them, the middle of the right side is free.
        loc="best" if score_ax is None else "center right",
        fontsize=np.clip(size_in_points(ax)[1] / 20, 5, 8),
        labelspacing=0.3,
    )


def _find(ax: Any) -> Any:
    """The axes of scores that share their epochs and their place with others; else None."""
    place = ax.get_position().bounds
    for other in ax.get_shared_x_axes().get_siblings(ax):
        if other.get_label() == _SCORES and other.get_position().bounds == place:
            return other
    return None

"""Curves of a training: losses, scores and learning rates by epoch."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mlp_c._estimators.curves import mean_at_work
from mlp_c._plots.axes import import_pyplot, make_legend, score_axes_of
from mlp_c._plots.histories import (
    History,
    best_epochs_of,
    is_known,
    rows_of_members,
)
from mlp_c._plots.models import find_network

# The curves of each kind of picture, with what the legend calls them. Colours are those of Okabe
# and Ito, which colour-blind readers can tell apart; dashes tell curves apart without colour.
_CURVES: dict[str, dict[str, dict[str, Any]]] = {
    "loss": {
        "loss": {"label": "training loss", "color": "#0072B2", "linestyle": "-"},
        "validation_loss": {"label": "validation loss", "color": "#D55E00", "linestyle": "--"},
        "validation_score": {
            "label": "validation score (right)",
            "color": "#007A5A",
            "linestyle": "-.",
        },
    },
    "learning_rate": {
        "learning_rate": {"label": "learning rate", "color": "#0072B2", "linestyle": "-"}
    },
}
_MEMBER = {"linewidth": 0.7, "alpha": 0.35}
_MARKER = {"linestyle": "none", "marker": "o", "markeredgecolor": "black", "markersize": 5}


class LossCurveDisplay:
    """Curves of a training: losses and validation scores, or learning rates, by epoch.

    Parameters
    ----------
    history : dict of lists
        What a model's `history_` is, of a network or of the members of an ensemble.
    kind : {'loss', 'learning_rate'}, default='loss'
        The training loss, with the loss and the score of the rows held out where they are known;
        or the learning rate.
    best_epochs : sequence of int, default=None
        The best epoch of each member, or that of the one network; 0 where none is known.
    name : str, default=None
        What the legend calls the model.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes of the losses or of the learning rates.
    score_ax_ : matplotlib.axes.Axes or None
        The axes of the scores, on the right.
    figure_ : matplotlib.figure.Figure
        The figure.
    lines_ : dict of matplotlib.lines.Line2D
        The line of each curve, by its key in `history`; of an ensemble the means of the members
        that are still at work.
    member_lines_ : dict of lists of matplotlib.lines.Line2D
        The lines of an ensemble's members, by key.
    best_markers_ : dict of lists of matplotlib.lines.Line2D
        The marks of the best epochs, on the curves of the rows held out, by key.

    Raises
    ------
    ValueError
        If `kind` is neither, or `history` has no such curve.

    See Also
    --------
    LossCurveDisplay.from_estimator : The curves of a fitted model.
    WeightsDisplay : Pictures of the weights.

    Notes
    -----
    A score that is the validation loss with the other sign is not drawn.

    Examples
    --------
    >>> from mlp_c import MLPClassifier
    >>> from mlp_c.plotting import LossCurveDisplay
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(early_stopping=True, max_iter=500, random_state=0).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(model)
    >>> sorted(display.lines_)
    ['loss', 'validation_loss', 'validation_score']
    """

    __module__ = "mlp_c.plotting"  # its public place

    def __init__(
        self,
        history: History,
        *,
        kind: str = "loss",
        best_epochs: Sequence[int] | None = None,
        name: str | None = None,
    ) -> None:
        if kind not in _CURVES:
            raise ValueError(f"kind must be one of {list(_CURVES)}, got {kind!r}")
        if missing := [key for key in ("epoch", *_CURVES[kind]) if key not in history]:
            raise ValueError(f"history must have lists named {', '.join(missing)}, got none")
        if not is_known(history[kind]):
            raise ValueError(
                f"kind={kind!r} needs a {kind.replace('_', ' ')} of some epoch in the history, "
                "which has none"
            )
        n_members = len(rows_of_members(history))
        if best_epochs is not None and len(best_epochs) != n_members:
            raise ValueError(
                f"best_epochs must be one for each of {n_members} networks, got {len(best_epochs)}"
            )
        self.history = history
        self.kind = kind
        self.best_epochs = best_epochs
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        kind: str = "loss",
        ax: Any = None,
        name: str | None = None,
        **style: Any,
    ) -> Self:
        """Draw the curves of a fitted model.

        Parameters
        ----------
        estimator : estimator
            A fitted network of this package or of scikit-learn, an ensemble for tables, a
            pipeline that ends in one, or a search of one.
        kind : {'loss', 'learning_rate'}, default='loss'
            What to draw.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default in a new figure.
        name : str, default=None
            What the legend calls the model, where several are drawn on the same axes.
        **style : dict
            Properties of all lines, as ``color="black"``.

        Returns
        -------
        LossCurveDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `kind` is neither, or the model has no record of it: lbfgs has no learning rates.
        TypeError
            If there is no network in `estimator`.
        ImportError
            If matplotlib is not installed: ``pip install matplotlib``.
        sklearn.exceptions.NotFittedError
            If it is not fitted.

        See Also
        --------
        LossCurveDisplay.plot : Draw the same curves again.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        model = find_network(estimator)
        try:
            history = model.history_
        except AttributeError as error:
            raise ValueError(f"estimator must have a record of its losses, got {error}") from error
        display = cls(history, kind=kind, best_epochs=best_epochs_of(model), name=name)
        return display.plot(ax, **style)

    def plot(self, ax: Any = None, *, name: str | None = None, **style: Any) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. By default in a new figure.
        name : str, default=None
            What the legend calls the model. By default the name that the display has.
        **style : dict
            Properties of all lines, as ``color="black"``.

        Returns
        -------
        LossCurveDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed: ``pip install matplotlib``.

        See Also
        --------
        LossCurveDisplay.from_estimator : The curves of a fitted model.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        style = normalize_kwargs(style, Line2D)
        name = self.name if name is None else name
        self.ax_ = plt.subplots(layout="constrained")[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        self.score_ax_ = None
        self.lines_: dict[str, Any] = {}
        self.member_lines_: dict[str, list[Any]] = {}
        self.best_markers_: dict[str, list[Any]] = {}
        for key, look in _CURVES[self.kind].items():
            if self._is_drawn(key):
                label = look["label"] if name is None else f"{name}: {look['label']}"
                self._draw(key, {**look, "label": label, **style})
        self.ax_.set(xlabel="epoch", ylabel=self.kind.replace("_", " "))
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        make_legend(self.ax_)
        return self

    def _is_drawn(self, key: str) -> bool:
        """Whether a curve is known, and says what no other does."""
        if key == "validation_score":
            loss = -np.asarray(self.history["validation_loss"], float)
            if np.array_equal(loss, self.history[key], equal_nan=True):
                return False
        return is_known(self.history[key])

    def _draw(self, key: str, look: dict[str, Any]) -> None:
        """Draw a curve, and mark its best epochs."""
        ax = self.ax_
        if key == "validation_score":
            ax = self.score_ax_ = score_axes_of(ax)
        epochs, values = np.asarray(self.history["epoch"]), np.asarray(self.history[key], float)
        curves = [(epochs[rows], values[rows]) for rows in rows_of_members(self.history)]
        if "member" in self.history:
            plain = {name: value for name, value in look.items() if name != "label"} | _MEMBER
            self.member_lines_[key] = [ax.plot(*curve, **plain)[0] for curve in curves]
            values = mean_at_work([values for _, values in curves])
            epochs = np.arange(1, len(values) + 1)
            look.setdefault("linewidth", 2)
        if len(epochs) == 1:
            look.setdefault("marker", ".")  # a line of one point is not seen
        (self.lines_[key],) = ax.plot(epochs, values, **look)
        if key.startswith("validation") and self.best_epochs is not None:
            self._mark_best(key, ax, curves)

    def _mark_best(self, key: str, ax: Any, curves: list[Any]) -> None:
        """Mark the best epochs of curves; in the legend those of the first that is drawn."""
        assert self.best_epochs is not None
        best = [
            (epoch, values[epochs == epoch])
            for (epochs, values), epoch in zip(curves, self.best_epochs, strict=True)
            if epoch in epochs
        ]
        label = "best epochs" if len(curves) > 1 else f"best epoch ({self.best_epochs[0]})"
        is_first = not any(self.best_markers_.values())
        color = self.lines_[key].get_color()
        self.best_markers_[key] = [
            ax.plot(
                epoch, loss, color=color, label=label if is_first and i == 0 else None, **_MARKER
            )[0]
            for i, (epoch, loss) in enumerate(best)
        ]

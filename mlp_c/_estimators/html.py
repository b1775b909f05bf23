"""What notebooks show of a fitted model: a summary below scikit-learn's table of parameters.

A summary says what is whole: what users have edited, or a fit that goes on has not set yet, is
left out. All text that may be the users' is escaped.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from html import escape
from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from mlp_c._estimators.fitted import EPOCHS, FINAL_LOSS, NETWORK
from mlp_c._estimators.history import best_epoch_of
from mlp_c._network.activations import layer_activations
from mlp_c._system.blocks import Array
from mlp_c._training.stopping import CURVE, RECORD, is_whole
from mlp_c._training.validation import VALIDATION

# Of more layers, those in the middle are not shown.
_MAX_LAYERS = 12

# A sparkline, in pixels, and the most points of a curve in it.
_WIDTH, _HEIGHT, _MARGIN = 240, 48, 4
_MAX_POINTS = 120


class Summarized(BaseEstimator):
    """An estimator with a summary of what was fitted in what notebooks show of it."""

    @abstractmethod
    def _summarize(self) -> str:
        """The summary in HTML; empty where nothing of it is known."""

    def _get_fitted_attr_html(self, doc_link: str = "") -> Any:
        """The table of fitted attributes, which scikit-learn asks for, with the summary above."""
        attributes = super()._get_fitted_attr_html(doc_link)
        table = getattr(attributes, "_html_repr", None)
        if table is None:  # it is private, and may go
            return attributes
        attributes._html_repr = lambda: self._summarize() + table()
        return attributes


def snapshot(model: Any) -> Any:
    """The attributes of a model as they are now: another thread's fit may change them."""
    return SimpleNamespace(**vars(model))


# ---- a network ----


def summarize_network(model: Any) -> str:
    """The summary of a network: its layers, its sizes, its training."""
    network = snapshot(model)
    parts = [describe_layers(network, 1), _describe_training(network)]
    curves = curves_of(network)
    if curves:
        best = best_epoch_of(network) if len(curves) > 1 else 0
        parts.append(draw_sparkline(curves, best))
    return as_section("Network", parts)


def describe_layers(network: Any, n_networks: int) -> str:
    """A table of the layers, and a line of the sizes of so many networks of this kind."""
    if not is_whole(NETWORK, network):
        return ""
    coefs, intercepts = network.coefs_, network.intercepts_
    names = [*_hidden_activations(network, len(coefs) - 1), network.out_activation_]
    rows = [
        (str(k), f"{w.shape[0]:,}", f"{w.shape[1]:,}", name, f"{w.size + b.size:,}")
        for k, (w, b, name) in enumerate(zip(coefs, intercepts, names, strict=True), 1)
    ]
    if len(rows) > _MAX_LAYERS:
        rows[_MAX_LAYERS // 2 : -(_MAX_LAYERS // 2)] = [("…",) * 5]
    arrays = coefs + intercepts
    n_weights = n_networks * sum(a.size for a in arrays)
    n_bytes = n_networks * sum(a.nbytes for a in arrays)
    dtypes = " and ".join(sorted({a.dtype.name for a in arrays}))
    header = ("layer", "inputs", "units", "activation", "weights and biases")
    return as_table(header, rows) + as_line(
        f"{n_weights:,} weights and biases of {dtypes}, {_in_units(n_bytes)}"
    )


def _hidden_activations(network: Any, n_hidden: int) -> list[str]:
    """The names of the activations of the hidden layers; question marks for what is no name."""
    try:
        return list(layer_activations(network.activation, n_hidden))
    except (AttributeError, TypeError, ValueError):  # edited since the fit
        return ["?"] * n_hidden


def _describe_training(network: Any) -> str:
    """A line of the epochs and what they came to."""
    facts = []
    if is_whole(CURVE, network):
        facts.append(_count(len(network.loss_curve_), "epoch"))
        if best := best_epoch_of(network):
            facts.append(f"best epoch {best:,}")
    elif is_whole(EPOCHS, network):
        facts.append(_count(network.n_iter_, "epoch"))
    if is_whole(FINAL_LOSS, network):
        facts.append(f"last loss {float(network.loss_):.4g}")
    if is_whole(RECORD, network):
        watched = "best loss", network.best_loss_
        if network.best_loss_ is None:
            watched = "best validation score", network.best_validation_score_
        facts.append(f"{watched[0]} {float(watched[1]):.4g}")
    return as_line(", ".join(facts))


def curves_of(network: Any) -> list[list[float]]:
    """The curve of the training losses, and of the losses of rows held out if there are some."""
    curves = [list(network.loss_curve_)] if is_whole(CURVE, network) else []
    if curves and is_whole(VALIDATION, network):
        held_out = list(network.validation_loss_curve_)
        if len(held_out) == len(curves[0]):
            curves.append(held_out)
    return curves


# ---- pieces ----


def as_section(title: str, parts: Iterable[str]) -> str:
    """A section that can be folded; empty where its parts are."""
    content = "".join(parts)
    if not content:
        return ""
    return (
        '<div class="estimator-table"><details open>'
        f"<summary>{_written(title)}</summary>{content}</details></div>"
    )


def as_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in the style of scikit-learn's; its cells are escaped."""
    head = "".join(f"<th>{_written(cell)}</th>" for cell in header)
    body = "".join(
        '<tr class="default">' + "".join(f"<td>{_written(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f'<table class="parameters-table"><tbody><tr>{head}</tr>{body}</tbody></table>'


def as_line(text: str) -> str:
    """A line of text, which is escaped; empty where the text is."""
    return f'<div style="padding: 0 0.5rem 0.3rem">{_written(text)}</div>' if text else ""


def _written(text: str) -> str:
    """Text for a page in UTF-8, which has no lone surrogates."""
    return escape(text.encode(errors="replace").decode())


def shorten(name: str, limit: int) -> str:
    """A name of so many characters at most."""
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def _in_units(n_bytes: int) -> str:
    """A number of bytes as people say it."""
    units = "bytes", "kB", "MB", "GB", "TB"
    power = min((len(str(n_bytes)) - 1) // 3, len(units) - 1)
    return f"{n_bytes / 1000**power:.4g} {units[power]}"


def draw_sparkline(curves: Sequence[Sequence[float] | Array], best: int) -> str:
    """Curves of losses in a small picture, in the colour of the text around it.

    Parameters
    ----------
    curves : sequence of sequences of float
        The training loss by epoch, and the loss of rows held out if there are some, in dashes.
    best : int
        The epoch to mark on the last of them; 0 for none.
    """
    table = np.array(curves, float)
    is_finite = np.isfinite(table)
    if table.shape[1] < 2 or not is_finite.any():
        return ""
    low, high = table[is_finite].min(), table[is_finite].max()
    n = table.shape[1]
    x = np.linspace(_MARGIN, _WIDTH - _MARGIN, n)
    # Halved, as the difference of two losses may be beyond float64.
    span = high / 2 - low / 2 or 1.0
    y = _HEIGHT - _MARGIN - (table / 2 - low / 2) / span * (_HEIGHT - 2 * _MARGIN)
    shown = np.unique(np.linspace(0, n - 1, min(n, _MAX_POINTS)).round().astype(int))
    dashes = ("", ' stroke-dasharray="4 2"')
    lines = [
        f'<polyline points="{points}"{dash}/>'
        for of_curve, finite, dash in zip(y, is_finite, dashes, strict=False)
        if (points := " ".join(f"{x[i]:.1f},{of_curve[i]:.1f}" for i in shown if finite[i]))
    ]
    label = f"Training loss, from {table[0, 0]:.4g} to {table[0, -1]:.4g}"
    legend = "— training loss"
    if len(curves) > 1:
        label += f"; validation loss, from {table[1, 0]:.4g} to {table[1, -1]:.4g}"
        legend += ", - - validation loss"
    if 1 <= best <= n and is_finite[-1, best - 1]:
        lines.append(
            f'<circle cx="{x[best - 1]:.1f}" cy="{y[-1, best - 1]:.1f}" r="3" '
            'fill="currentColor" stroke="none"/>'
        )
        legend += ", ● best epoch"
    return (
        f'<div style="padding: 0 0.5rem"><svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" fill="none" '
        f'stroke="currentColor" stroke-width="1.5"><title>{_written(label)}</title>'
        f"{''.join(lines)}</svg></div>{as_line(legend)}"
    )

"""What notebooks show of a fitted ensemble for tables: columns, members, their training."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlp_c._estimators.curves import mean_at_work
from mlp_c._estimators.fitted import EPOCHS, NETWORK
from mlp_c._estimators.html import (
    as_line,
    as_section,
    curves_of,
    describe_layers,
    draw_sparkline,
    shorten,
    snapshot,
)
from mlp_c._saving.registry import FittedPart
from mlp_c._system.blocks import Array
from mlp_c._training.stopping import is_whole
from mlp_c._training.validation import VALIDATION

# Names of columns in a line, and characters of a name.
_MAX_NAMES, _MAX_NAME = 8, 30


def summarize_ensemble(model: Any) -> str:
    """The summary of an ensemble: its columns, what a member is, the training of all."""
    ensemble = snapshot(model)
    return as_section("Ensemble", [*_describe_columns(ensemble), *_describe_members(ensemble)])


def _describe_columns(ensemble: Any) -> Iterator[str]:
    """Lines of the columns of each kind."""
    is_category = getattr(ensemble, "is_categorical_", None)
    if not isinstance(is_category, np.ndarray) or is_category.dtype != bool:
        return
    is_category = is_category.ravel()
    names = getattr(ensemble, "feature_names_in_", None)
    if not isinstance(names, np.ndarray) or names.shape != is_category.shape:
        names = None
    for kind, is_of_kind in (("numbers", ~is_category), ("categories", is_category)):
        if n := int(is_of_kind.sum()):
            of_kind = "" if names is None else f": {_list(names[is_of_kind])}"
            yield as_line(
                f"{n:,} columns of {kind}{of_kind}" if n > 1 else f"1 column of {kind}{of_kind}"
            )


def _list(names: Array) -> str:
    """The names of columns, at most some of them."""
    shown = [shorten(str(name), _MAX_NAME) for name in names[:_MAX_NAMES]]
    n_others = len(names) - len(shown)
    return ", ".join(shown) + (f" and {n_others:,} more" if n_others else "")


def _describe_members(ensemble: Any) -> Iterator[str]:
    """What a member is, and the training of all."""
    members = getattr(ensemble, "members_", None)
    if not isinstance(members, list):
        return
    networks = [snapshot(member) for member in members if hasattr(member, "__dict__")]
    if not networks or not all(is_whole(NETWORK, network) for network in networks):
        return
    n = len(networks)
    yield as_line(f"{n:,} members, each a network of" if n > 1 else "1 member, a network of")
    yield describe_layers(networks[0], n)
    facts = [
        f"{what} {low:,} to {high:,}" if low < high else f"{what} {low:,}"
        for what, part, name in (
            ("epochs", EPOCHS, "n_iter_"),
            ("best epochs", VALIDATION, "best_iter_"),
        )
        for low, high in _range_of(networks, part, name)
    ]
    score = getattr(ensemble, "oob_score_", None)
    if isinstance(score, float):
        facts.append(f"score of the rows held out {score:.4g}")
    yield as_line(", ".join(facts))
    curves = [curves_of(network) for network in networks]
    if all(len(of_network) == 2 and of_network[0] for of_network in curves):
        yield draw_sparkline([mean_at_work(of_kind) for of_kind in zip(*curves, strict=True)], 0)


def _range_of(networks: list[Any], part: FittedPart, name: str) -> Iterator[tuple[int, int]]:
    """The least and the largest of a number of all networks, if all have it."""
    if all(is_whole(part, network) for network in networks):
        numbers = [getattr(network, name) for network in networks]
        yield min(numbers), max(numbers)

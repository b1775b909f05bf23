"""What 'auto' stands for in the estimators for tables, by the number of rows.

Found on training rows of twelve tables, held out: see docs/guide/tabular.md.
"""

from typing import Any

import numpy as np

# From so many rows on, wide layers pay.
_MANY_ROWS = 10_000


def _batch_size(n_rows: int) -> int:
    """The power of two next to a 64th of the rows, from 32 to 512."""
    return int(np.clip(2.0 ** np.round(np.log2(max(n_rows, 1) / 64)), 32, 512))


def of_classifier(model: Any, n_rows: int) -> dict[str, Any]:
    """Of a classifier."""
    width = 256 if n_rows >= _MANY_ROWS else 128
    return _choose(model, n_rows, width, n_bins=16)


def of_regressor(model: Any, n_rows: int) -> dict[str, Any]:
    """Of a regressor."""
    return _choose(model, n_rows, 128, n_bins=48)


def _choose(model: Any, n_rows: int, width: int, n_bins: int) -> dict[str, Any]:
    choices = {
        "hidden_layer_sizes": (width, width),
        "batch_size": _batch_size(n_rows),
        "n_bins": n_bins,
    }
    given = {name: getattr(model, name) for name in choices}
    return {
        name: choices[name] if isinstance(value, str) else value for name, value in given.items()
    }

"""How initial weights and biases are drawn."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils import check_random_state

from mlp_c._network.activations import Activations, initial_activations
from mlp_c._network.widths import check_widths
from mlp_c._system.blocks import Array, blocks

Init = Literal["glorot_uniform", "he_normal"]
Draw = Callable[[tuple[int, ...]], Array]
Initializer = Callable[[Any, int, int, str], tuple[Draw, Draw]]


def _he_normal(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Draw, Draw]:
    scale = np.sqrt(2.0 / n_in)
    return lambda shape: random.standard_normal(shape) * scale, np.zeros


def _glorot_uniform(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Draw, Draw]:
    factor = 2.0 if activation == "logistic" else 6.0
    bound = np.sqrt(factor / (n_in + n_out))
    draw = partial(random.uniform, -bound, bound)
    return draw, draw


# By name, what draws weights, and what biases, of a shape.
INITIALIZERS: dict[Init, Initializer] = {
    "glorot_uniform": _glorot_uniform,
    "he_normal": _he_normal,
}


def draw(
    init: Init, widths: Sequence[int], activation: Activations, random: Any, dtype: Any
) -> tuple[list[Array], list[Array]]:
    """Draw weights and biases for layers of `widths` in float64, then cast them.

    The order is part of what a seed means: layer by layer, weights before biases.
    """
    weights, biases = [], []
    activations = initial_activations(activation, len(widths) - 2)
    for (n_in, n_out), name in zip(pairwise(widths), activations, strict=True):
        draw_weights, draw_biases = INITIALIZERS[init](random, n_in, n_out, name)
        weights.append(_drawn(draw_weights, (n_in, n_out), dtype))
        biases.append(_drawn(draw_biases, (n_out,), dtype))
    return weights, biases


def _drawn(draw: Draw, shape: tuple[int, ...], dtype: Any) -> Array:
    """What `draw(shape)` gives, cast; from the same stream, a block at a time."""
    array = np.empty(shape, dtype)
    for block in blocks(array.reshape(-1)):
        block[...] = draw(block.shape)
    return array


def initialize(
    layer_sizes: ArrayLike,
    *,
    init: Init = "he_normal",
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
    dtype: DTypeLike = np.float64,
) -> tuple[list[Array], list[Array]]:
    r"""Draws the initial weights and biases of a network.

    'he_normal' draws :math:`W_{ij} \sim N(0, 2 / n_{in})` and sets the biases to
    zero; 'glorot_uniform' draws weights, then biases, layer by layer from
    :math:`U(-r, r)` with :math:`r = \sqrt{6 / (n_{in} + n_{out})}`, as
    scikit-learn does. Draws are made in float64 and then cast.

    Parameters
    ----------
    layer_sizes : array-like of int of shape (n_layers + 1,)
        The widths from the input to the output, each at least 1.
    init : {'he_normal', 'glorot_uniform'}, default='he_normal'
        The distribution.
    random_state : int, RandomState, Generator or None, default=None
        Where the numbers come from. A RandomState or Generator goes on from where
        it stands; an int starts a RandomState; None takes NumPy's global one.
    dtype : {float32, float64}, default=float64
        The dtype of the arrays.

    Returns
    -------
    weights : list of ndarrays of shape (n_in, n_out)
    biases : list of ndarrays of shape (n_out,)

    Raises
    ------
    TypeError, ValueError
        If an argument is not one of these.

    References
    ----------
    He, Zhang, Ren & Sun, "Delving deep into rectifiers" (2015), section 2.2.
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward
    neural networks" (2010), equation 16.

    Examples
    --------
    >>> from mlp_c.kernels import initialize
    >>> weights, biases = initialize([784, 128, 10], random_state=42)
    >>> [w.shape for w in weights], [b.shape for b in biases]
    ([(784, 128), (128, 10)], [(128,), (10,)])
    """
    sizes = [
        int(size) if isinstance(size, Integral) and not isinstance(size, bool) else 0
        for size in np.atleast_1d(np.asarray(layer_sizes, dtype=object))
    ]
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(
            f"layer_sizes must hold two or more integers of at least 1, got {layer_sizes!r}"
        )
    check_widths("layer_sizes", sizes)
    if not isinstance(init, str) or init not in INITIALIZERS:
        raise ValueError(f"init must be one of {sorted(INITIALIZERS)}, got {init!r}")
    if not any(_is_dtype(dtype, real) for real in (np.float32, np.float64)):
        raise TypeError(f"dtype must be float32 or float64, got {dtype!r}")
    random = random_state
    if not isinstance(random, np.random.Generator):
        random = check_random_state(random_state)
    return draw(init, sizes, "relu", random, dtype)


def _is_dtype(given: Any, dtype: Any) -> bool:
    try:
        return np.dtype(given) == np.dtype(dtype)
    except (TypeError, ValueError):
        return False

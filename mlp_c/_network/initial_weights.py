"""How initial weights and biases are drawn."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils import check_random_state

from mlp_c import _core
from mlp_c._network.activations import Activations, initial_activations
from mlp_c._network.widths import check_widths
from mlp_c._system.blocks import Array, blocks, check_dtype
from mlp_c._system.docstrings import documented, options

Init = Literal[
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_normal",
    "orthogonal",
]
Fill = Callable[[Array], None]  # sets all elements of an array
Initializer = Callable[[Any, int, int, str], tuple[Fill, Fill]]


def _from(draw: Callable[[int], Array]) -> Fill:
    """Fill an array with what `draw` gives of one stream, a block at a time."""

    def fill(array: Array) -> None:
        for block in blocks(array.reshape(-1)):
            block[...] = draw(block.size)

    return fill


def _zeros(array: Array) -> None:
    array.fill(0)


def _uniform(random: Any, bound: float) -> Fill:
    return _from(partial(random.uniform, -bound, bound))


def _normal(random: Any, variance: float) -> Fill:
    scale = np.sqrt(variance)
    return _from(lambda n: random.standard_normal(n) * scale)


def _glorot_uniform(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Fill, Fill]:
    factor = 2.0 if activation == "logistic" else 6.0
    fill = _uniform(random, np.sqrt(factor / (n_in + n_out)))
    return fill, fill


def _glorot_normal(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Fill, Fill]:
    return _normal(random, 2.0 / (n_in + n_out)), _zeros


def _he_uniform(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Fill, Fill]:
    return _uniform(random, np.sqrt(6.0 / n_in)), _zeros


def _he_normal(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Fill, Fill]:
    return _normal(random, 2.0 / n_in), _zeros


def _lecun_normal(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Fill, Fill]:
    return _normal(random, 1.0 / n_in), _zeros


def _orthogonal(random: Any, n_in: int, n_out: int, activation: str) -> tuple[Fill, Fill]:
    return partial(_fill_orthogonal, random), _zeros


def _fill_orthogonal(random: Any, array: Array) -> None:
    rows = np.empty(sorted(array.shape))
    _normal(random, 1.0)(rows)
    _orthonormalize(rows)
    array[...] = rows if rows.shape == array.shape else rows.T


_PANEL = 32  # rows


def _orthonormalize(rows: Array) -> None:
    """Make rows orthonormal, each a positive number times what those before leave of it.

    Of normal numbers, all orthonormal rows are then alike likely (Mezzadri, "How to generate random
    matrices from the classical compact groups", 2007). Gram and Schmidt make them so, a panel at a
    time, and twice: rounding leaves no more to do (Giraud et al., "The loss of orthogonality in the
    Gram-Schmidt orthogonalization process", 2005). The bits of LAPACK's QR decomposition would
    depend on the number of its threads.
    """
    for begin in range(0, len(rows), _PANEL):
        before, panel = rows[:begin], rows[begin : begin + _PANEL]
        for _ in range(2):
            if begin > 0:
                panel -= _product(_product(panel, before.T), before)
            for i, row in enumerate(panel):
                row -= np.einsum("j,ji->i", np.einsum("ji,i->j", panel[:i], row), panel[:i])
                row /= np.sqrt(np.einsum("i,i->", row, row))


def _product(a: Array, b: Array) -> Array:
    layers: list[Array] = _core.forward(a, [b], [np.zeros(b.shape[1])], "identity", None, None, 1)
    return layers[0]


# By name, what fills weights, and what biases.
INITIALIZERS: dict[Init, Initializer] = {
    "glorot_uniform": _glorot_uniform,
    "glorot_normal": _glorot_normal,
    "he_uniform": _he_uniform,
    "he_normal": _he_normal,
    "lecun_normal": _lecun_normal,
    "orthogonal": _orthogonal,
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
        fill_weights, fill_biases = INITIALIZERS[init](random, n_in, n_out, name)
        weights.append(np.empty((n_in, n_out), dtype))
        fill_weights(weights[-1])
        biases.append(np.empty(n_out, dtype))
        fill_biases(biases[-1])
    return weights, biases


@documented(inits=options(INITIALIZERS))
def initialize(
    layer_sizes: ArrayLike,
    *,
    init: Init = "he_normal",
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
    dtype: DTypeLike = np.float64,
) -> tuple[list[Array], list[Array]]:
    r"""Draws the initial weights and biases of a network.

    Layer by layer, weights are drawn from

    - glorot_uniform: :math:`U(-r, r)` with :math:`r = \sqrt{6 / (n_{in} + n_{out})}`, and
      then biases, too, as scikit-learn does
    - glorot_normal: :math:`N(0, 2 / (n_{in} + n_{out}))`
    - he_uniform: :math:`U(-r, r)` with :math:`r = \sqrt{6 / n_{in}}`
    - he_normal: :math:`N(0, 2 / n_{in})`
    - lecun_normal: :math:`N(0, 1 / n_{in})`
    - orthogonal: the matrices whose columns, or rows where these are fewer, are
      orthonormal, all alike likely

    Biases are zero but for glorot_uniform's. Draws are made in float64 and then cast.

    Parameters
    ----------
    layer_sizes : array-like of int of shape (n_layers + 1,)
        The widths from the input to the output, each at least 1.
    init : {inits}, default='he_normal'
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
    neural networks" (2010), equations 12 and 16.
    LeCun, Bottou, Orr & Müller, "Efficient BackProp" (1998), section 4.6.
    Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks" (2013), section 3.

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
    check_dtype(dtype)
    random = random_state
    if not isinstance(random, np.random.Generator):
        random = check_random_state(random_state)
    return draw(init, sizes, "relu", random, dtype)

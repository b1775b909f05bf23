"""The network's kernels as functions of NumPy arrays.

They read and write the caller's arrays where they lie: float32 or float64, all
arrays of a call of one dtype, with any strides. Nothing is converted or copied;
what cannot be used is refused with an exception that names the argument, before
any output is touched. The GIL is released while they run.
"""

import math
import sys
from numbers import Integral, Real
from typing import Any

import numpy as np

from mlp_c import _core
from mlp_c._network.activations import ACTIVATIONS, Activations
from mlp_c._network.initial_weights import initialize
from mlp_c._system.blocks import Array, Arrays, check_dtype
from mlp_c._system.docstrings import documented, options
from mlp_c._system.threads import effective_n_threads

__all__ = [
    "initialize",
    "forward",
    "softmax",
    "softmax_cross_entropy",
    "backward",
    "dropout_mask",
    "sgd_step",
    "train_step",
]


@documented(activations=options(ACTIVATIONS))
def forward(
    X: Array,
    weights: Arrays,
    biases: Arrays,
    *,
    activation: Activations = "relu",
    out: Arrays | None = None,
    slopes: Arrays | None = None,
    n_threads: int | None = None,
) -> list[Array]:
    r"""Activations of every layer for the rows of `X`.

    .. math:: A_0 = X, \qquad Z_l = A_l W_l + b_l, \qquad A_{l+1} = f_l(Z_l)

    with :math:`f_l` the activation of a hidden layer, and the identity for the last
    layer, whose rows are the logits. Of one input :math:`z`, the activations are

    - identity: :math:`z`
    - logistic: :math:`1 / (1 + e^{-z})`
    - tanh: :math:`\tanh z`
    - relu: :math:`\max(z, 0)`
    - gelu: :math:`z \, \Phi(z)`, with :math:`\Phi` the standard normal distribution function
    - silu: :math:`z \, \sigma(z)`, with :math:`\sigma` the logistic function
    - mish: :math:`z \tanh(\log(1 + e^z))`
    - elu: :math:`z` where :math:`z > 0`, else :math:`e^z - 1`
    - selu: 1.0507 :math:`z` where :math:`z > 0`, else 1.7581 :math:`(e^z - 1)`; to more digits
    - leaky_relu: :math:`z` where :math:`z > 0`, else :math:`z / 100`
    - softplus: :math:`\log(1 + e^z)`

    Parameters
    ----------
    X : ndarray of shape (n, n_in), float32 or float64
        The input rows. Any strides; may be read-only. Of C-ordered rows that are
        mostly zeros, these are skipped: 0 times an infinite weight adds nothing.
    weights : list of ndarrays of shape (n_in, n_out), dtype of `X`
        One matrix a layer, each with as many rows as the one before has columns.
        A single matrix is a network without hidden layers.
    biases : list of ndarrays of shape (n_out,), dtype of `X`
        One vector a layer.
    activation : {activations} or list of these, default='relu'
        The hidden layers' activation, or one for each of them.
    out : list of ndarrays of shape (n, n_out), dtype of `X`, default=None
        Where to write the activations, one array a layer. Must not overlap each
        other or an input. New arrays where None.
    slopes : list of ndarrays of shape (n, n_out), dtype of `X`, default=None
        Where to write the derivatives :math:`f_l'(Z_l)`, one array a hidden layer,
        as `backward` takes them, which cannot do without those of some activations.
        Must not overlap each other, an output or an input. Not written where None.
    n_threads : int, default=None
        Threads to use, at least 1; None for what this process may use. The result
        has the same bits for any number.

    Returns
    -------
    list of ndarrays
        The hidden layers' activations, then the logits: `out`, if given.

    Raises
    ------
    TypeError
        If an argument is not an array, or of another dtype or byte order.
    ValueError
        If shapes do not fit together, an array is not aligned, or an output is
        read-only or overlaps something.

    See Also
    --------
    backward : The gradients.

    References
    ----------
    Goodfellow, Bengio & Courville, *Deep Learning* (2016), section 6.5.4,
    algorithm 6.3. Hendrycks & Gimpel, "Gaussian error linear units" (2016), section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from mlp_c.kernels import forward
    >>> X = np.array([[1.0, 2.0]])
    >>> weights = [np.array([[1.0, -1.0], [1.0, -1.0]]), np.array([[1.0], [1.0]])]
    >>> biases = [np.zeros(2), np.array([0.5])]
    >>> forward(X, weights, biases)
    [array([[3., 0.]]), array([[3.5]])]

    The slopes of relu, for `backward`:

    >>> slopes = [np.empty((1, 2))]
    >>> outputs = forward(X, weights, biases, slopes=slopes)
    >>> slopes
    [array([[1., 0.]])]
    """
    n_threads = effective_n_threads(n_threads)
    return _core.forward(X, weights, biases, activation, out, slopes, n_threads)


def softmax(logits: Array, *, out: Array | None = None) -> Array:
    r"""Class probabilities for rows of logits.

    .. math:: p_j = \frac{e^{z_j - \max z}}{\sum_i e^{z_i - \max z}}

    Parameters
    ----------
    logits : ndarray of shape (n, k), float32 or float64
        Any finite values.
    out : ndarray of shape (n, k), dtype of `logits`, default=None
        Where to write the probabilities. Must not overlap `logits`.

    Returns
    -------
    ndarray of shape (n, k)
        The probabilities: `out`, if given.

    Raises
    ------
    TypeError, ValueError
        As `forward` does.

    References
    ----------
    Goodfellow, Bengio & Courville, *Deep Learning* (2016), section 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> from mlp_c.kernels import softmax
    >>> softmax(np.array([[1000.0, 1000.0], [0.0, -np.inf]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    return _core.softmax(logits, out)


def softmax_cross_entropy(
    logits: Array, y: Array, *, eps: float = 0.0, out: Array | None = None
) -> tuple[float, Array]:
    r"""Mean cross-entropy of softmax and its gradient, in one pass.

    .. math::
        L = -\frac{1}{n} \sum_{i,j} y_{ij} \log(p_{ij} + \epsilon), \qquad
        \frac{\partial L}{\partial z_{ij}} = \frac{p_{ij} - y_{ij}}{n}

    with :math:`p` the softmax of a row of logits. The gradient is that of
    :math:`\epsilon = 0` and of rows of `y` that sum to 1, whatever is passed.

    Parameters
    ----------
    logits : ndarray of shape (n, k), float32 or float64
        Any finite values: with ``eps=0.0`` the loss is computed from the logits
        and stays finite where a probability underflows.
    y : ndarray of shape (n,) or (n, k)
        Labels in [0, k) of any integer dtype, or a row of targets each: one-hot or
        soft, of the dtype of `logits` or bool. Rows need not sum to 1. A class
        with target 0 adds nothing.
    eps : float, default=0.0
        Added to the probabilities in the reported loss, at least 0.
    out : ndarray of shape (n, k), dtype of `logits`, default=None
        Where to write the gradient. Must not overlap `logits` or `y`.

    Returns
    -------
    loss : float
        The mean loss in nats, 0.0 for no rows.
    dlogits : ndarray of shape (n, k)
        The gradient: `out`, if given.

    Raises
    ------
    TypeError
        If an argument is of another type or dtype.
    ValueError
        If shapes do not fit, a label is outside [0, k), `eps` is negative or not
        finite, or the output is read-only or overlaps an input.

    References
    ----------
    Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.4,
    equations 4.108 and 4.109.

    Examples
    --------
    >>> import numpy as np
    >>> from mlp_c.kernels import softmax_cross_entropy
    >>> loss, dlogits = softmax_cross_entropy(np.zeros((1, 2)), np.array([1]))
    >>> round(loss, 6), dlogits
    (0.693147, array([[ 0.5, -0.5]]))
    """
    return _core.softmax_cross_entropy(logits, y, _check_eps(eps), out)


@documented(activations=options(ACTIVATIONS))
def backward(
    X: Array,
    activations: Arrays,
    dlogits: Array,
    weights: Arrays,
    *,
    activation: Activations = "relu",
    slopes: Arrays | None = None,
    out: tuple[Arrays, Arrays] | None = None,
    n_threads: int | None = None,
) -> tuple[list[Array], list[Array]]:
    r"""Gradients of the weights and biases from the gradient of the logits.

    .. math::
        \frac{\partial L}{\partial W_l} = A_l^\top \Delta_l, \qquad
        \frac{\partial L}{\partial b_l} = \sum_i \Delta_{l,i}, \qquad
        \Delta_{l-1} = (\Delta_l W_l^\top) \odot f_{l-1}'(Z_{l-1})

    The derivatives :math:`f'(z)` are read from `slopes`. Without them they are computed
    from the activations :math:`a = f(z)`, where these tell them:

    - identity: :math:`1`
    - logistic: :math:`a (1 - a)`
    - tanh: :math:`1 - a^2`
    - relu: 1 where :math:`a > 0`, else 0
    - elu: 1 where :math:`a > 0`, else :math:`a + 1`
    - selu: 1.0507 where :math:`a > 0`, else :math:`a` + 1.7581
    - leaky_relu: 1 where :math:`a > 0`, else 0.01
    - softplus: :math:`1 - e^{-a}`

    Others must be given:

    - gelu: :math:`\Phi(z) + z \, \varphi(z)`, with :math:`\Phi` and :math:`\varphi` the
      distribution function and the density of the standard normal distribution
    - silu: :math:`\sigma(z) (1 + z \, (1 - \sigma(z)))`, with :math:`\sigma` the logistic function
    - mish: :math:`t + z \, (1 - t^2) \, \sigma(z)`, with :math:`t = \tanh(\log(1 + e^z))`

    Parameters
    ----------
    X : ndarray of shape (n, n_in), float32 or float64
        The rows given to `forward`. Zeros are skipped as there: 0 times an infinite
        delta adds nothing.
    activations : list of ndarrays of shape (n, n_out), dtype of `X`
        What `forward` returned; the logits in it are not read.
    dlogits : ndarray of shape (n, k), dtype of `X`
        The gradient of the loss with respect to the logits.
    weights : list of ndarrays of shape (n_in, n_out), dtype of `X`
        The weights given to `forward`.
    activation : {activations} or list of these, default='relu'
        The hidden layers' activation, or one for each of them. The derivative of relu
        at 0 is 0.
    slopes : list of ndarrays of shape (n, n_out), dtype of `X`, default=None
        What `forward` wrote to its `slopes`, one array a hidden layer. Must be given
        for the activations named above.
    out : tuple (dweights, dbiases) of lists of ndarrays, dtype of `X`, default=None
        Where to write the gradients. Must not overlap each other or an input.
    n_threads : int, default=None
        Threads to use, at least 1; None for what this process may use. The result
        has the same bits for any number.

    Returns
    -------
    dweights, dbiases : lists of ndarrays
        Shaped as the weights and biases: `out`, if given.

    Raises
    ------
    TypeError, ValueError
        As `forward` does, or if slopes are needed and not given.

    See Also
    --------
    forward : The activations and slopes.

    References
    ----------
    Goodfellow, Bengio & Courville, *Deep Learning* (2016), section 6.5.4,
    algorithm 6.4.

    Examples
    --------
    >>> import numpy as np
    >>> from mlp_c.kernels import backward, forward
    >>> X, weights, biases = np.array([[1.0, 2.0]]), [np.ones((2, 1))], [np.zeros(1)]
    >>> activations = forward(X, weights, biases)
    >>> backward(X, activations, np.array([[0.5]]), weights)
    ([array([[0.5],
           [1. ]])], [array([0.5])])

    With a hidden layer of gelu:

    >>> weights, biases = [np.ones((2, 1)), np.ones((1, 1))], [np.zeros(1), np.zeros(1)]
    >>> slopes = [np.empty((1, 1))]
    >>> activations = forward(X, weights, biases, activation="gelu", slopes=slopes)
    >>> dlogits = np.array([[0.5]])
    >>> dweights, _ = backward(X, activations, dlogits, weights, activation="gelu", slopes=slopes)
    >>> dweights[0].round(3)
    array([[0.506],
           [1.012]])
    """
    n_threads = effective_n_threads(n_threads)
    return _core.backward(X, activations, dlogits, weights, activation, slopes, out, n_threads)


def dropout_mask(
    shape: tuple[int, int],
    dropout: float,
    *,
    seed: int,
    step: int = 0,
    layer: int = 0,
    dtype: Any = np.float64,
    n_threads: int | None = None,
) -> Array:
    r"""Factors with which a fit with dropout multiplies a batch's inputs or hidden outputs.

    0 with probability :math:`p`, else :math:`1 / (1 - p)`. Rows of a batch have the factors of as
    many rows from its first on; units, of as many from the first on.

    Parameters
    ----------
    shape : tuple (n_rows, n_units) of int
        Rows of the batch, and inputs or units.
    dropout : float
        The probability :math:`p` that an element is dropped, in [0, 1).
    seed : int
        The seed: ``dropout_seed_`` of an estimator that was fitted with dropout.
    step : int, default=0
        Steps that the fit has made before.
    layer : int, default=0
        0 for the inputs, 1 for the outputs of the first hidden layer, and so on.
    dtype : {float32, float64}, default=float64
        The dtype of the factors.
    n_threads : int, default=None
        Threads to use, at least 1; None for what this process may use. The result has the same
        bits for any number.

    Returns
    -------
    ndarray of shape (n_rows, n_units)
        The factors.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If `dropout` is no such probability, or an integer is negative or beyond 64 bits.

    Notes
    -----
    The random word of unit :math:`u` is number :math:`\lfloor u / 16 \rfloor \bmod 4` of
    Philox 4x32-10's for the counter :math:`(16 \lfloor u / 64 \rfloor + u \bmod 16`, row, step,
    layer), each modulo :math:`2^{32}`, with the seed as the key. An element is dropped if its word
    is less than :math:`\lfloor 2^{32} p \rfloor`.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).
    Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).

    Examples
    --------
    >>> from mlp_c.kernels import dropout_mask
    >>> dropout_mask((2, 6), 0.5, seed=1)
    array([[2., 2., 0., 2., 0., 0.],
           [2., 2., 2., 2., 0., 2.]])
    """
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise TypeError(f"shape must be a tuple (n_rows, n_units), got {shape!r}")
    sizes = [_check_count(f"shape[{i}]", size) for i, size in enumerate(shape)]
    check_dtype(dtype)
    probability = _check_real("dropout", dropout)
    seed, step = _check_count("seed", seed), _check_count("step", step)
    layer = _check_count("layer", layer)
    n_threads = effective_n_threads(n_threads)
    factors = np.ones(sizes, dtype)
    _core.drop(factors, probability, seed, step, layer, n_threads)
    return factors


def sgd_step(
    params: Arrays, grads: Arrays, learning_rate: float, *, n_threads: int | None = None
) -> None:
    r"""One step of gradient descent, in place.

    .. math:: \theta \leftarrow \theta - \eta \, \nabla_\theta L

    Parameters
    ----------
    params : list of ndarrays of 1 or 2 dimensions, float32 or float64
        Updated in place. Must not overlap each other or a gradient.
    grads : list of ndarrays, shapes and dtype of `params`
        Their gradients.
    learning_rate : float
        The step's length, finite.
    n_threads : int, default=None
        Threads to use, at least 1; None for what this process may use. The result
        has the same bits for any number.

    Raises
    ------
    TypeError, ValueError
        As `forward` does, or if `learning_rate` is not a finite number.

    Notes
    -----
    Ctrl-C in the midst of it leaves some elements of `params` updated and the rest not.

    References
    ----------
    Goodfellow, Bengio & Courville, *Deep Learning* (2016), section 8.3.1,
    algorithm 8.1.

    Examples
    --------
    >>> import numpy as np
    >>> from mlp_c.kernels import sgd_step
    >>> weights = np.array([1.0, 2.0])
    >>> sgd_step([weights], [np.array([0.5, -0.5])], 0.1)
    >>> weights
    array([0.95, 2.05])
    """
    rate = _check_rate(learning_rate)
    _core.sgd_step(params, grads, rate, effective_n_threads(n_threads))


@documented(activations=options(ACTIVATIONS))
def train_step(
    X: Array,
    y: Array,
    weights: Arrays,
    biases: Arrays,
    learning_rate: float,
    *,
    rows: Array | None = None,
    activation: Activations = "relu",
    eps: float = 0.0,
    n_threads: int | None = None,
) -> float:
    r"""One step of stochastic gradient descent, in place, on the softmax cross-entropy.

    With the bits of `forward`, `softmax_cross_entropy`, `backward` and `sgd_step` one after
    the other on ``X[rows]`` and ``y[rows]``, which are not copied. Where a weight is infinite
    or NaN, this holds of C-ordered `X`.

    Parameters
    ----------
    X : ndarray of shape (n, n_in), float32 or float64
        The input rows. Any strides; may be read-only. Of C-ordered rows that are
        mostly zeros, these are skipped: 0 times an infinite weight adds nothing.
    y : ndarray of shape (n,) or (n, k)
        Labels in [0, k) of any integer dtype, or a row of targets each, as
        `softmax_cross_entropy` takes them. Labels of other rows are not looked at.
    weights : list of ndarrays of shape (n_in, n_out), dtype of `X`
        One matrix a layer; changed in place.
    biases : list of ndarrays of shape (n_out,), dtype of `X`
        One vector a layer; changed in place.
    learning_rate : float
        The step size.
    rows : ndarray of int of shape (n_rows,), default=None
        The rows of this batch in [0, n), in order; they may repeat. All rows where None.
    activation : {activations} or list of these, default='relu'
        The hidden layers' activation, or one for each of them.
    eps : float, default=0.0
        Added to the probabilities in the reported loss, at least 0.
    n_threads : int, default=None
        Threads to use, at least 1; None for what this process may use. The result
        has the same bits for any number.

    Returns
    -------
    float
        The mean loss of these rows in nats, with the weights before the step; 0.0 for no
        rows, which change nothing.

    Raises
    ------
    TypeError
        If an argument is of another type or dtype.
    ValueError
        If shapes do not fit together, a label is outside [0, k), `eps` or `learning_rate` is
        not finite, or a weight or bias is read-only or overlaps something.
    IndexError
        If `rows` holds a number outside [0, n).

    See Also
    --------
    forward, softmax_cross_entropy, backward, sgd_step : The steps that this one is made of.

    Notes
    -----
    Ctrl-C in the midst of it leaves the parameters as they were or as after the step, but
    some of each where the step takes longer than 30 ms.

    References
    ----------
    Goodfellow, Bengio & Courville, *Deep Learning* (2016), sections 6.5.4 and 8.3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from mlp_c.kernels import train_step
    >>> X, y = np.array([[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]), np.array([0, 1, 1])
    >>> weights, biases = [np.zeros((2, 2))], [np.zeros(2)]
    >>> losses = [train_step(X, y, weights, biases, 0.5, rows=np.array([0, 1])) for _ in range(9)]
    >>> round(losses[0], 3), round(losses[-1], 3)
    (0.693, 0.23)
    """
    rate, eps = _check_rate(learning_rate), _check_eps(eps)
    n_threads = effective_n_threads(n_threads)
    return _core.train_step(X, y, rows, weights, biases, activation, eps, rate, n_threads)


def _check_rate(learning_rate: Any) -> float:
    rate = _check_real("learning_rate", learning_rate)
    if not math.isfinite(rate):
        raise ValueError(f"learning_rate must be finite, got {rate!r}")
    return rate


def _check_eps(eps: Any) -> float:
    eps = _check_real("eps", eps)
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps must be finite and at least 0, got {eps!r}")
    return eps


def _check_count(name: str, value: Any) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    count = int(value)
    if not 0 <= count <= sys.maxsize:
        raise ValueError(f"{name} must be from 0 to {sys.maxsize}, got {count}")
    return count


def _check_real(name: str, value: Any) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a real number, got {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:  # of an int; refused by every caller
        return math.inf

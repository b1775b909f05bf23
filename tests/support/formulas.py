"""The formulas of everything that has a name, in plain NumPy, for any precision.

What the kernels' oracle and the reference of whole fits are made of: hidden activations, output
activations, losses and update rules, by the names that the kernels have for them. A new one needs
its entry here and no other in NumPy.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# ---- the normal distribution, for gelu: no library has its erf in longdouble ----


def _density(z):
    """exp(-z^2 / 2) / sqrt(2 pi), with z^2 in two parts lest its rounding costs digits."""
    z = np.clip(z, -200, 200)
    head = np.round(z * 2**16) / 2**16
    root = np.sqrt(8 * np.arctan(np.ones_like(z)))
    return np.exp(-(head**2) / 2) * np.exp(-(z - head) * (z + head) / 2) / root


def _tail(z):
    """The normal distribution's weight beyond z >= 0, to 1e-17 of it.

    Abramowitz & Stegun, *Handbook of Mathematical Functions* (1964): near 0 the series 26.2.11,
    whose terms all have one sign, and beyond the continued fraction 26.2.14.
    """
    near = np.minimum(z, 1.5)
    term, series = near, near
    for odd in range(3, 63, 2):
        term = term * near**2 / odd
        series = series + term
    tail = np.array(0.5 - _density(z) * series)
    is_far = z >= 1.5
    far = z[is_far]
    fraction = far
    for k in range(300, 0, -1):
        fraction = far + k / fraction
    tail[is_far] = _density(far) / fraction
    return tail


def _gelu(z):
    """z times the normal distribution function."""
    size = np.clip(np.abs(z), None, 200)  # beyond, the tail is 0
    return np.maximum(z, 0) - size * _tail(size)


def _gelu_slope(z):
    size = np.clip(np.abs(z), None, 200)
    beyond = _tail(size) - size * _density(size)
    return np.where(z < 0, beyond, 1 - beyond)


# ---- hidden activations ----

SELU_LAMBDA, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _logistic(z):
    return 1 / (1 + np.exp(-z))


def _softplus(z):
    return np.logaddexp(z, np.zeros_like(z))


def _tail_of_exp(z):
    """z where it may be multiplied by what falls as exp(-|z|), which is 0 beyond."""
    return np.clip(z, -20000, 20000)


def _silu_slope(z):
    z = _tail_of_exp(z)
    return _logistic(z) * (1 + z * (1 - _logistic(z)))


def _mish(z):
    return np.maximum(z, -20000) * np.tanh(_softplus(z))


def _mish_slope(z):
    z = _tail_of_exp(z)
    slope_of_tanh = 1 - np.tanh(_softplus(z)) ** 2
    return np.tanh(_softplus(z)) + z * slope_of_tanh * _logistic(z)


def _elu(z):
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": _logistic,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "gelu": _gelu,
    "silu": lambda z: np.maximum(z, -20000) * _logistic(z),
    "mish": _mish,
    "elu": _elu,
    "selu": lambda z: SELU_LAMBDA * np.where(z > 0, z, SELU_ALPHA * _elu(z)),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "softplus": _softplus,
}

# The derivative in terms of the activation itself, where that tells it.
DERIVATIVES = {
    "identity": np.ones_like,
    "logistic": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a**2,
    "relu": lambda a: np.where(a == 0, 0, np.ones_like(a)),
    "elu": lambda a: np.where(a > 0, 1, a + 1),
    "selu": lambda a: SELU_LAMBDA * np.where(a > 0, 1, a / SELU_LAMBDA + SELU_ALPHA),
    "leaky_relu": lambda a: np.where(a > 0, np.ones_like(a), 0.01),
    "softplus": lambda a: -np.expm1(-a),
}

# The derivative in terms of what is activated.
SLOPES = {
    "gelu": _gelu_slope,
    "silu": _silu_slope,
    "mish": _mish_slope,
} | {name: lambda z, name=name: DERIVATIVES[name](ACTIVATIONS[name](z)) for name in DERIVATIVES}

# The steepest of all slopes, with some room: that of selu just below 0 is 1.758.
STEEPEST = 1.001 * max(np.abs(f(np.linspace(-10, 10, 4001))).max() for f in SLOPES.values())


# ---- output activations ----


def log_softmax(z):
    shifted = z - np.max(z, axis=1, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))


def softmax(z):
    return np.exp(log_softmax(z))


OUTPUTS = {
    "identity": lambda z: z,
    "logistic": ACTIVATIONS["logistic"],
    "softmax": softmax,
    "exp": np.exp,
}


# ---- losses ----


class Loss(NamedTuple):
    """A loss of rows of logits z and rows of targets y, all functions of z, y and its constants.

    The logits of some losses are several for each target.

    Attributes
    ----------
    output : str
        The output activation that the estimators use it with.
    terms : callable
        What each output, or each target, adds to the loss of its row.
    gradient : callable
        The gradient of the loss of each row in its logits.
    sizes : callable
        Of each term, what it is a sum or difference of: rounding is relative to that.
    gradient_sizes : callable
        The same of the gradient; by default of a difference of targets and outputs.
    """

    output: str
    terms: Callable
    gradient: Callable
    sizes: Callable
    gradient_sizes: Callable | None = None


def _negative_log(z, eps):
    """Of the probability of each class."""
    return -np.log(softmax(z) + eps) if eps else -log_softmax(z)


def _smoothed(y, smoothing, n_classes):
    """Targets of which a part is shared out among the classes evenly."""
    return (1 - smoothing) * y + smoothing / n_classes


def _cross_entropy(z, y, eps, floor, ceiling, smoothing):
    y = _smoothed(y, smoothing, z.shape[1])
    return np.where(y == 0, 0, y * np.clip(_negative_log(z, eps), floor, ceiling))


def _cross_entropy_sizes(z, y, smoothing, **_):
    y = _smoothed(np.abs(y), smoothing, z.shape[1])
    return y * (1 + np.max(np.abs(log_softmax(z)), axis=1, keepdims=True))


CROSS_ENTROPY = Loss(
    output="softmax",
    terms=_cross_entropy,
    gradient=lambda z, y, smoothing, **_: softmax(z) - _smoothed(y, smoothing, z.shape[1]),
    sizes=_cross_entropy_sizes,
    gradient_sizes=lambda z, y, smoothing, **_: (
        softmax(z) + _smoothed(np.abs(y), smoothing, z.shape[1])
    ),
)


def _logistic_loss(z, y, floor, ceiling, smoothing):
    y = _smoothed(y, smoothing, 2)
    positive = np.clip(np.logaddexp(0, -z), floor, ceiling)
    return y * positive + (1 - y) * np.clip(np.logaddexp(0, z), floor, ceiling)


LOGISTIC_LOSS = Loss(
    output="logistic",
    terms=_logistic_loss,
    gradient=lambda z, y, smoothing, **_: OUTPUTS["logistic"](z) - _smoothed(y, smoothing, 2),
    sizes=lambda z, y, **_: np.logaddexp(0, np.abs(z)),
    gradient_sizes=lambda z, y, smoothing, **_: OUTPUTS["logistic"](z) + _smoothed(y, smoothing, 2),
)

SQUARED_ERROR = Loss(  # a mean over the outputs, whose gradient is left undivided
    output="identity",
    terms=lambda z, y: (z - y) ** 2 / 2 / z.shape[1],
    gradient=lambda z, y: z - y,
    sizes=lambda z, y: (z - y) ** 2 / 2 / z.shape[1],
)


def _y_log_y(y):
    return np.where(y == 0, 0, y * np.log(np.where(y == 0, 1, y)))


POISSON_LOSS = Loss(
    output="exp",
    terms=lambda z, y: _y_log_y(y) - np.where(y == 0, 0, y * z) - y + np.exp(z),
    gradient=lambda z, y: np.exp(z) - y,
    sizes=lambda z, y: np.abs(_y_log_y(y)) + y * np.abs(z) + y + np.exp(z),
)

ABSOLUTE_ERROR = Loss(
    output="identity",
    terms=lambda z, y: np.abs(z - y),
    gradient=lambda z, y: np.sign(z - y),
    sizes=lambda z, y: np.abs(z) + np.abs(y),
)


def _huber(z, y, delta):
    r = np.abs(z - y)
    return np.where(r <= delta, r**2 / 2, delta * (r - delta / 2))


HUBER_LOSS = Loss(
    output="identity",
    terms=_huber,
    gradient=lambda z, y, delta: np.clip(z - y, -delta, delta),
    sizes=lambda z, y, delta: delta * (np.abs(z) + np.abs(y) + delta),
)


def _of_quantiles(y, quantiles):
    """The targets and the quantile of each output: one quantile after the other."""
    return np.tile(y, len(quantiles)), np.repeat(quantiles, y.shape[1])


def _pinball(z, y, quantiles):
    y, q = _of_quantiles(y, quantiles)
    return np.maximum(q * (y - z), (q - 1) * (y - z))


def _pinball_gradient(z, y, quantiles):
    y, q = _of_quantiles(y, quantiles)
    return (z > y) * (1 - q) - (z < y) * q


PINBALL_LOSS = Loss(
    output="identity",
    terms=_pinball,
    gradient=_pinball_gradient,
    sizes=lambda z, y, quantiles: np.abs(z) + np.abs(_of_quantiles(y, quantiles)[0]),
    gradient_sizes=lambda z, y, quantiles: np.ones_like(z),
)


def _gaussian(z, y):
    """Of outputs that are means and then logarithms of variances: residuals, these, precisions."""
    mean, s = np.split(z, 2, axis=1)
    return mean - y, s, np.exp(-s)


def _gaussian_loss(z, y):
    r, s, precision = _gaussian(z, y)
    return (s + r**2 * precision) / 2


def _gaussian_gradient(z, y):
    r, _, precision = _gaussian(z, y)
    return np.hstack([r * precision, (1 - r**2 * precision) / 2])


def _gaussian_sizes(z, y):
    r, s, precision = _gaussian(z, y)
    return np.abs(s) + r**2 * precision


def _gaussian_gradient_sizes(z, y):
    r, _, precision = _gaussian(z, y)
    return np.hstack([np.abs(r) * precision, 1 + r**2 * precision])


GAUSSIAN_LOSS = Loss(
    output="identity",
    terms=_gaussian_loss,
    gradient=_gaussian_gradient,
    sizes=_gaussian_sizes,
    gradient_sizes=_gaussian_gradient_sizes,
)


def _exponent_size(z, y):
    """Of differences of z and log y, in what a rounding error of theirs is multiplied with."""
    return 1 + np.abs(z) + np.abs(np.log(np.where(y == 0, 1, y)))


GAMMA_LOSS = Loss(
    output="exp",
    terms=lambda z, y: y * np.exp(-z) - np.log(y) + z - 1,
    gradient=lambda z, y: 1 - y * np.exp(-z),
    sizes=lambda z, y: (1 + y * np.exp(-z)) * _exponent_size(z, y),
    gradient_sizes=lambda z, y: 1 + y * np.exp(-z) * _exponent_size(z, y),
)


def _tweedie(z, y, power):
    a, b = 1 - power, 2 - power
    return y**b / (a * b) - y * np.exp(a * z) / a + np.exp(b * z) / b


def _tweedie_size(z, y, power):
    a, b = 1 - power, 2 - power
    size = y**b / np.abs(a * b) + y * np.exp(a * z) / np.abs(a) + np.exp(b * z) / b
    return size * _exponent_size(z, y)


TWEEDIE_LOSS = Loss(
    output="exp",
    terms=_tweedie,
    gradient=lambda z, y, power: np.exp((2 - power) * z) - y * np.exp((1 - power) * z),
    sizes=_tweedie_size,
)

LOSSES = {
    "cross_entropy": CROSS_ENTROPY,
    "logistic_loss": LOGISTIC_LOSS,
    "squared_error": SQUARED_ERROR,
    "absolute_error": ABSOLUTE_ERROR,
    "huber_loss": HUBER_LOSS,
    "pinball_loss": PINBALL_LOSS,
    "poisson_loss": POISSON_LOSS,
    "gamma_loss": GAMMA_LOSS,
    "tweedie_loss": TWEEDIE_LOSS,
    "gaussian_loss": GAUSSIAN_LOSS,
}


# ---- update rules: how many moments, and what is added to a parameter in step t = 1, 2, ... ----


def _velocity(gradient, moments, rate, momentum):
    moments[0][...] = momentum * moments[0] - rate * gradient
    return moments[0]


def _momentum(gradient, moments, rate, t, *, momentum):
    return _velocity(gradient, moments, rate, momentum)


def _nesterov(gradient, moments, rate, t, *, momentum):
    return momentum * _velocity(gradient, moments, rate, momentum) - rate * gradient


def _adam(gradient, moments, rate, t, *, beta_1, beta_2, epsilon):
    mean, square = moments
    mean[...] = beta_1 * mean + (1 - beta_1) * gradient
    square[...] = beta_2 * square + (1 - beta_2) * gradient**2
    rate = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return -rate * mean / (np.sqrt(square) + epsilon)


def _adamw(gradient, moments, rate, t, *, beta_1, beta_2, epsilon):
    epsilon = epsilon * np.sqrt(1 - beta_2**t)
    return _adam(gradient, moments, rate, t, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)


def _rmsprop(gradient, moments, rate, t, *, beta_2, epsilon):
    square = moments[0]
    square[...] = beta_2 * square + (1 - beta_2) * gradient**2
    return -rate * gradient / (np.sqrt(square) + epsilon)


RULES = {
    "sgd": (0, lambda gradient, moments, rate, t: -rate * gradient),
    "momentum": (1, _momentum),
    "nesterov": (1, _nesterov),
    "adam": (2, _adam),
    "adamw": (2, _adamw),
    "rmsprop": (1, _rmsprop),
}


# ---- courses of the learning rate ----

# By name: a factor of the rate where a part of the fit is over.
COURSES = {
    "cosine": lambda t: 0.5 * (1 + np.cos(np.pi * t)),
    "one_cycle": lambda t: t / 0.3 if t < 0.3 else 0.5 * (1 + np.cos(np.pi * (t - 0.3) / 0.7)),
    "exponential": lambda t: 0.01**t,
    "coslog4": lambda t: 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * t))),
}


# ---- dropout ----


def philox(counter, key):
    """Philox 4x32-10 of Salmon et al. (2011): four words of 32 bits, in arrays or not."""
    c0, c1, c2, c3 = (np.asarray(word, np.uint64) for word in counter)
    k0, k1 = (np.uint64(word) for word in key)
    low, half = np.uint64(2**32 - 1), np.uint64(32)
    for _ in range(10):
        p0, p2 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = p2 >> half ^ c1 ^ k0, p2 & low, p0 >> half ^ c3 ^ k1, p0 & low
        k0, k1 = k0 + np.uint64(0x9E3779B9) & low, k1 + np.uint64(0xBB67AE85) & low
    return c0, c1, c2, c3


def dropout_words(row, unit, seed, step, layer):
    """The random words of rows of a batch and units, which are arrays of integers."""
    unit, key = np.asarray(unit), (seed % 2**32, seed // 2**32)
    counter = (unit // 64 * 16 + unit % 16, row, step, layer)
    return np.choose(unit // 16 % 4, philox([word % 2**32 for word in counter], key))


def dropout_mask(shape, dropout, seed, step, layer, row=0, unit=0):
    """What a layer's inputs are multiplied with in a step, from a row and a unit on."""
    rows, units = np.indices(shape)
    words = dropout_words(rows + row, units + unit, seed, step, layer)
    return np.where(words < int(dropout * 2**32), 0, 1 / (1 - dropout))

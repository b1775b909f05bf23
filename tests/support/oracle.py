"""The kernels as plain NumPy, one function each, in a wider precision than theirs."""

import numpy as np


def wide(array):
    """float64 for float32, longdouble for float64."""
    return array.astype(np.float64 if array.dtype == np.float32 else np.longdouble)


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
    far = np.maximum(z, 1.5)
    fraction = far
    for k in range(300, 0, -1):
        fraction = far + k / fraction
    return np.where(z < 1.5, 0.5 - _density(z) * series, _density(z) / fraction)


def _gelu(z):
    """z times the normal distribution function."""
    size = np.clip(np.abs(z), None, 200)  # beyond, the tail is 0
    return np.maximum(z, 0) - size * _tail(size)


def _gelu_slope(z):
    size = np.clip(np.abs(z), None, 200)
    beyond = _tail(size) - size * _density(size)
    return np.where(z < 0, beyond, 1 - beyond)


# ---- activations ----

ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "gelu": _gelu,
}

# In terms of the activation itself; of gelu, that does not tell.
DERIVATIVES = {
    "identity": np.ones_like,
    "logistic": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a**2,
    "relu": lambda a: np.where(a == 0, 0, np.ones_like(a)),
}

# In terms of what is activated.
SLOPES = {"gelu": _gelu_slope} | {
    name: lambda z, name=name: DERIVATIVES[name](ACTIVATIONS[name](z)) for name in DERIVATIVES
}

STEEPEST = 1.13  # of all slopes: that of gelu at sqrt(2)


def of_layers(activation, weights):
    """The activation of each layer, the last one's included: that is the identity."""
    hidden = len(weights) - 1
    names = [activation] * hidden if isinstance(activation, str) else list(activation)
    assert len(names) == hidden
    return [*names, "identity"]


# ---- the public kernels ----


def forward(X, weights, biases, activation="relu"):
    outputs, a = [], wide(X)
    for w, b, name in zip(weights, biases, of_layers(activation, weights), strict=True):
        a = ACTIVATIONS[name](a @ wide(w) + wide(b))
        outputs.append(a)
    return outputs


def log_softmax(logits):
    shifted = wide(logits) - np.max(wide(logits), axis=1, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))


def softmax(logits):
    return np.exp(log_softmax(logits))


def targets(y, k):
    """One row a sample, of labels or rows."""
    return np.arange(k) == y[:, np.newaxis] if y.ndim == 1 else y


def softmax_cross_entropy(logits, y, eps=0.0):
    n, k = logits.shape
    y, p = targets(y, k), softmax(logits)
    log_p = np.log(p + eps) if eps else log_softmax(logits)
    loss = -np.sum(y * np.where(y == 0, 0, log_p)) / max(n, 1)
    return loss, (p - y) / max(n, 1)


def backward(X, activations, dlogits, weights, activation="relu", slopes=None):
    """The gradients, with the hidden layers' slopes computed from their activations or given."""
    inputs = [wide(a) for a in (X, *activations[:-1])]
    if slopes is None:
        names = of_layers(activation, weights)[:-1]
        slopes = [DERIVATIVES[name](a) for name, a in zip(names, inputs[1:], strict=True)]
    delta, dweights, dbiases = wide(dlogits), [], []
    for layer in reversed(range(len(weights))):
        dweights.insert(0, inputs[layer].T @ delta)
        dbiases.insert(0, delta.sum(axis=0))
        if layer > 0:
            delta = (delta @ wide(weights[layer]).T) * slopes[layer - 1]
    return dweights, dbiases


def sgd_step(params, grads, learning_rate):
    return [wide(p) - learning_rate * wide(g) for p, g in zip(params, grads, strict=True)]


# ---- output activations and losses ----

OUTPUTS = {
    "identity": lambda z: z,
    "logistic": ACTIVATIONS["logistic"],
    "softmax": softmax,
    "exp": np.exp,
}

# The output activation that a loss is canonical for: its gradient in the logits is output - target.
CANONICAL = {
    "cross_entropy": "softmax",
    "logistic_loss": "logistic",
    "squared_error": "identity",
    "poisson_loss": "exp",
}


def _cross_entropy(z, y, eps=0.0, floor=-np.inf, ceiling=np.inf):
    log_p = np.log(softmax(z) + eps) if eps else log_softmax(z)
    return np.sum(np.where(y == 0, 0, y * np.clip(-log_p, floor, ceiling)), axis=1)


def _logistic_loss(z, y, floor=-np.inf, ceiling=np.inf):
    positive, negative = (np.clip(np.logaddexp(0, s), floor, ceiling) for s in (-z, z))
    return np.sum(y * positive + (1 - y) * negative, axis=1)


def _poisson_loss(z, y):
    with np.errstate(divide="ignore", invalid="ignore"):
        weighted = np.where(y == 0, 0, y * (np.log(y) - z))
    return np.sum(weighted - y + np.exp(z), axis=1)


# Of each row of logits and of targets.
LOSSES = {
    "cross_entropy": _cross_entropy,
    "logistic_loss": _logistic_loss,
    "squared_error": lambda z, y: np.mean((z - y) ** 2, axis=1) / 2,
    "poisson_loss": _poisson_loss,
}


def losses(logits, y, name, **constants):
    """The loss of each row."""
    rows = wide(np.asarray(targets(y, logits.shape[1]), dtype=logits.dtype))
    return LOSSES[name](wide(logits), rows, **constants)

"""The kernels as plain NumPy, one function each, in a wider precision than theirs."""

import numpy as np

from support.formulas import ACTIVATIONS, DERIVATIVES, LOSSES, log_softmax, softmax


def wide(array):
    """float64 for float32, longdouble for float64."""
    return array.astype(np.float64 if array.dtype == np.float32 else np.longdouble)


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


def targets(y, k):
    """One row a sample, of labels or rows."""
    return np.arange(k) == y[:, np.newaxis] if y.ndim == 1 else y


def softmax_cross_entropy(logits, y, eps=0.0):
    n, k = logits.shape
    y, p = targets(y, k), softmax(wide(logits))
    log_p = np.log(p + eps) if eps else log_softmax(wide(logits))
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


def losses(logits, y, name, **constants):
    """The loss of each row."""
    rows = wide(np.asarray(targets(y, logits.shape[1]), dtype=logits.dtype))
    return LOSSES[name].terms(wide(logits), rows, **constants).sum(axis=1)

"""The kernels as plain NumPy, one function each, in a wider precision than theirs."""

import numpy as np

ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}

# In terms of the activation itself.
DERIVATIVES = {
    "identity": np.ones_like,
    "logistic": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a**2,
    "relu": lambda a: np.where(a == 0, 0, np.ones_like(a)),
}


def wide(array):
    """float64 for float32, longdouble for float64."""
    return array.astype(np.float64 if array.dtype == np.float32 else np.longdouble)


def forward(X, weights, biases, activation="relu"):
    outputs, a = [], wide(X)
    for layer, (w, b) in enumerate(zip(weights, biases, strict=True), start=1):
        z = a @ wide(w) + wide(b)
        a = ACTIVATIONS[activation](z) if layer < len(weights) else z
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


def backward(X, activations, dlogits, weights, activation="relu"):
    inputs = [wide(a) for a in (X, *activations[:-1])]
    delta, dweights, dbiases = wide(dlogits), [], []
    for layer in reversed(range(len(weights))):
        dweights.insert(0, inputs[layer].T @ delta)
        dbiases.insert(0, delta.sum(axis=0))
        if layer > 0:
            delta = (delta @ wide(weights[layer]).T) * DERIVATIVES[activation](inputs[layer])
    return dweights, dbiases


def sgd_step(params, grads, learning_rate):
    return [wide(p) - learning_rate * wide(g) for p, g in zip(params, grads, strict=True)]

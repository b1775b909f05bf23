"""Whole fits in plain NumPy, to be read from top to bottom: what the estimators must come to.

Everything is float64, and no name is taken from mlp_c: activations, losses and rules are told by
the names that the kernels have for them. Rows are taken in the order given, in batches of which
the last may be smaller. What is reported and what is followed are scikit-learn's: the step of a
squared error does not divide by the number of outputs, as its loss does.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import expit, ndtr, softmax, xlogy

EPS = np.finfo(float).eps


# ---- hidden layers: an activation and its derivative, both of what is activated ----


def _density(z):
    """Of the normal distribution, whose distribution function is ndtr."""
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


ACTIVATIONS = {
    "identity": (lambda z: z, np.ones_like),
    "logistic": (expit, lambda z: expit(z) * expit(-z)),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "gelu": (lambda z: z * ndtr(z), lambda z: ndtr(z) + z * _density(z)),
}


# ---- losses: an output activation, and the loss of each row of outputs p for targets y ----


def _log(p):
    """Of probabilities, as scikit-learn clips them."""
    return np.log(np.clip(p, EPS, 1 - EPS))


LOSSES = {
    "cross_entropy": (
        lambda z: softmax(z, axis=1),
        lambda p, y: -np.sum(y * _log(p), axis=1),
    ),
    "logistic_loss": (expit, lambda p, y: -np.sum(y * _log(p) + (1 - y) * _log(1 - p), axis=1)),
    "squared_error": (lambda z: z, lambda p, y: np.mean((p - y) ** 2, axis=1) / 2),
    "poisson_loss": (np.exp, lambda p, y: np.sum(xlogy(y, y / p) - y + p, axis=1)),
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


RULES = {
    "sgd": (0, lambda gradient, moments, rate, t: -rate * gradient),
    "momentum": (1, _momentum),
    "nesterov": (1, _nesterov),
    "adam": (2, _adam),
}


# ---- a network ----


@dataclass
class Network:
    """Weights and biases by layer, the names of the hidden layers' activations, and a loss."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    activations: list[str]
    loss: str

    @property
    def params(self):
        return self.weights + self.biases


def initial(widths, activations, loss, random):
    """A network drawn as Glorot & Bengio (2010) do, by layer, weights before biases.

    The bound of a layer of logistic units is smaller; the output layer takes that of the last
    hidden one.
    """
    weights, biases = [], []
    for (n_in, n_out), name in zip(pairwise(widths), [*activations, activations[-1]], strict=True):
        bound = np.sqrt((2 if name == "logistic" else 6) / (n_in + n_out))
        weights.append(random.uniform(-bound, bound, (n_in, n_out)))
        biases.append(random.uniform(-bound, bound, n_out))
    return Network(weights, biases, list(activations), loss)


def forward(network, X):
    """What goes into each layer, what each makes of it before it is activated, and the outputs."""
    inputs, sums = [X], []
    for w, b in zip(network.weights, network.biases, strict=True):
        sums.append(inputs[-1] @ w + b)
        if len(sums) < len(network.weights):
            inputs.append(ACTIVATIONS[network.activations[len(sums) - 1]][0](sums[-1]))
    return inputs, sums, LOSSES[network.loss][0](sums[-1])


def loss_and_gradient(network, X, y, sample_weight, alpha, scale=1.0):
    """The mean loss with its L2 penalty, and the gradient in order of `params`.

    `scale` is what the gradient of the outputs is multiplied by.
    """
    inputs, sums, outputs = forward(network, X)
    total = sample_weight.sum()
    loss = sample_weight @ LOSSES[network.loss][1](outputs, y) / total
    loss += alpha / 2 * sum(np.sum(w**2) for w in network.weights) / total
    delta = scale * sample_weight[:, np.newaxis] * (outputs - y)
    dweights, dbiases = [], []
    for layer in reversed(range(len(sums))):
        dweights.insert(0, (inputs[layer].T @ delta + alpha * network.weights[layer]) / total)
        dbiases.insert(0, delta.sum(axis=0) / total)
        if layer > 0:
            slope = ACTIVATIONS[network.activations[layer - 1]][1](sums[layer - 1])
            delta = (delta @ network.weights[layer].T) * slope
    return loss, dweights + dbiases


# ---- a fit ----


def fit(network, X, y, rule, rate, *, epochs, batch_size, alpha, sample_weight=None, power_t=0.0,
        **constants):  # fmt: skip
    """Trains a network in place; returns the mean loss of each epoch.

    After an epoch, the rate is divided by a power of the rows seen so far and one: 0 is no power.
    A batch whose weights are all 0 is passed over.
    """
    n_moments, step = RULES[rule]
    moments = [[np.zeros_like(p) for _ in range(n_moments)] for p in network.params]
    sample_weight = np.ones(len(X)) if sample_weight is None else sample_weight
    t, curve = 0, []
    for epoch in range(epochs):
        now = rate / (epoch * len(X) + 1) ** power_t
        total = counted = 0
        for begin in range(0, len(X), batch_size):
            batch = slice(begin, begin + batch_size)
            if not sample_weight[batch].any():
                continue
            t += 1
            loss, gradient = loss_and_gradient(
                network, X[batch], y[batch], sample_weight[batch], alpha
            )
            total, counted = total + loss * len(X[batch]), counted + len(X[batch])
            for p, g, kept in zip(network.params, gradient, moments, strict=True):
                p += step(g, kept, now, t, **constants)
        curve.append(total / counted)
    return curve

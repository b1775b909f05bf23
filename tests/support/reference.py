"""Whole fits in plain NumPy, to be read from top to bottom: what the estimators must come to.

Everything is float64, and no name is taken from mlp_c: support.formulas says what activations,
losses and rules are. Rows are taken in the order given, in batches of which
the last may be smaller. What is reported and what is followed are scikit-learn's: the step of a
squared error does not divide by the number of outputs, as its loss does.
"""

from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from support.formulas import ACTIVATIONS, LOSSES, OUTPUTS, RULES, SLOPES

# ---- a network ----


@dataclass
class Network:
    """Weights and biases by layer, the names of the hidden layers' activations, and a loss.

    `constants` are those of the loss. `heads` are the numbers of neighbouring outputs that the
    loss and the output activation are of, one after the other; by default of all outputs at once.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    activations: list[str]
    loss: str
    constants: dict[str, Any] = field(default_factory=dict)
    heads: list[int] = field(default_factory=list)

    @property
    def params(self):
        return self.weights + self.biases


def initial(widths, activations, loss, constants, random):
    """A network drawn as Glorot & Bengio (2010) do, by layer, weights before biases.

    The bound of a layer of logistic units is smaller; the output layer takes that of the last
    hidden one.
    """
    weights, biases = [], []
    for (n_in, n_out), name in zip(pairwise(widths), [*activations, activations[-1]], strict=True):
        bound = np.sqrt((2 if name == "logistic" else 6) / (n_in + n_out))
        weights.append(random.uniform(-bound, bound, (n_in, n_out)))
        biases.append(random.uniform(-bound, bound, n_out))
    return Network(weights, biases, list(activations), loss, constants)


def by_head(network, function, *arrays):
    """What a function makes of the columns of each head, side by side."""
    ends = np.cumsum(network.heads[:-1], dtype=int)
    parts = [np.split(array, ends, axis=1) for array in arrays]
    return np.hstack([function(*of_head) for of_head in zip(*parts, strict=True)])


def no_masks(layer, shape):
    return 1.0


def forward(network, X, masks=no_masks):
    """What goes into each layer, what each makes of it before it is activated, and the outputs.

    `masks` gives the factors of what goes into a layer, by its number and the shape.
    """
    inputs, sums = [X * masks(0, X.shape)], []
    for w, b in zip(network.weights, network.biases, strict=True):
        sums.append(inputs[-1] @ w + b)
        if len(sums) < len(network.weights):
            activated = ACTIVATIONS[network.activations[len(sums) - 1]](sums[-1])
            inputs.append(activated * masks(len(sums), activated.shape))
    return inputs, sums, by_head(network, OUTPUTS[LOSSES[network.loss].output], sums[-1])


def loss_and_gradient(network, X, y, sample_weight, alpha, scale=1.0, masks=no_masks):
    """The mean loss with its L2 penalty, and the gradient in order of `params`.

    `scale` is what the gradient of the outputs is multiplied by.
    """
    inputs, sums, _ = forward(network, X, masks)
    total = sample_weight.sum()
    of_rows = LOSSES[network.loss]
    terms = by_head(network, partial(of_rows.terms, **network.constants), sums[-1], y)
    loss = sample_weight @ terms.sum(axis=1) / total
    loss += alpha / 2 * sum(np.sum(w**2) for w in network.weights) / total
    delta = by_head(network, partial(of_rows.gradient, **network.constants), sums[-1], y)
    delta = scale * sample_weight[:, np.newaxis] * delta
    dweights, dbiases = [], []
    for layer in reversed(range(len(sums))):
        dweights.insert(0, (inputs[layer].T @ delta + alpha * network.weights[layer]) / total)
        dbiases.insert(0, delta.sum(axis=0) / total)
        if layer > 0:
            slope = SLOPES[network.activations[layer - 1]](sums[layer - 1])
            delta = (delta @ network.weights[layer].T) * slope * masks(layer, slope.shape)
    return loss, dweights + dbiases


# ---- a fit ----


def clipped(gradient, max_norm):
    """A gradient whose norm is at most `max_norm`, of all parameters together."""
    norm = np.sqrt(sum(np.sum(g**2) for g in gradient))
    return [g * min(1, max_norm / (norm + 1e-6)) for g in gradient]


def fit(network, X, y, rule, rate, *, epochs, batch_size, alpha, sample_weight=None, power_t=0.0,
        course=None, warmup=0.0, weight_decay=0.0, max_grad_norm=np.inf, masks=None,
        **constants):  # fmt: skip
    """Trains a network in place; returns the mean loss of each epoch.

    After an epoch, the rate is divided by a power of the rows seen so far and one: 0 is no power.
    `course` gives a factor of the rate for the part of the fit that is over, and `warmup` is the
    part in which it rises. `masks` gives those of a step, by how many were made before. A batch
    whose weights are all 0 is passed over.
    """
    n_moments, step = RULES[rule]
    moments = [[np.zeros_like(p) for _ in range(n_moments)] for p in network.params]
    sample_weight = np.ones(len(X)) if sample_weight is None else sample_weight
    t, curve = 0, []
    n_batches = -(-len(X) // batch_size)
    n_all = epochs * n_batches
    n_warmup = round(warmup * n_all)
    for epoch in range(epochs):
        total = counted = 0
        for i in range(n_batches):
            batch = slice(i * batch_size, (i + 1) * batch_size)
            now, place = rate / (epoch * len(X) + 1) ** power_t, epoch * n_batches + i
            if course is not None:
                now *= course(place / n_all)
            if place < n_warmup:
                now *= (place + 1) / n_warmup
            if not sample_weight[batch].any():
                continue
            t += 1
            loss, gradient = loss_and_gradient(
                *(network, X[batch], y[batch], sample_weight[batch], alpha),
                masks=no_masks if masks is None else masks(t - 1),
            )
            total, counted = total + loss * len(X[batch]), counted + len(X[batch])
            gradient = clipped(gradient, max_grad_norm)
            for w in network.weights:
                w *= 1 - now * weight_decay
            for p, g, kept in zip(network.params, gradient, moments, strict=True):
                p += step(g, kept, now, t, **constants)
        curve.append(total / counted)
    return curve

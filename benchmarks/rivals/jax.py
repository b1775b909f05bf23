"""JAX written by hand: an epoch is one compiled scan over its batches."""

import os
from itertools import pairwise

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from benchmarks.cases import Case
from benchmarks.rivals.base import Rival

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def logits(parameters: list, x: jax.Array) -> jax.Array:
    *hidden, (weights, biases) = parameters
    for w, b in hidden:
        x = jax.nn.relu(x @ w + b)
    return x @ weights + biases


class Jax(Rival):
    version = jax.__version__

    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray) -> None:
        limit_threads(case.threads)
        jax.config.update("jax_enable_x64", case.dtype == "float64")
        self.case = case
        self.x, self.y = jnp.asarray(x), jnp.asarray(y)
        self.epoch = jax.jit(self.train, donate_argnums=0)
        self.label = jax.jit(lambda parameters, x: logits(parameters, x).argmax(axis=1))

    def fit(self, n_epochs: int) -> None:
        rng = np.random.default_rng(0)
        parameters = [
            (
                jnp.asarray(rng.standard_normal(shape) * np.sqrt(2 / shape[0]), self.case.dtype),
                jnp.zeros(shape[1], self.case.dtype),
            )
            for shape in pairwise(self.case.layer_sizes)
        ]
        moments = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
        state = parameters, *moments, jnp.zeros((), self.case.dtype)
        for _ in range(n_epochs):
            state = self.epoch(state, rng.permutation(len(self.x)), self.x, self.y)
        self.parameters = jax.block_until_ready(state)[0]

    def train(self, state: tuple, order: jax.Array, x: jax.Array, y: jax.Array) -> tuple:
        """Trains one epoch."""

        def step(state: tuple, rows: jax.Array) -> tuple[tuple, None]:
            gradients = jax.grad(self.loss)(state[0], x[rows], y[rows])
            return self.update(state, gradients), None

        batch = self.case.batch_size
        n_whole = len(order) // batch * batch
        state, _ = lax.scan(step, state, order[:n_whole].reshape(-1, batch))
        return step(state, order[n_whole:])[0] if n_whole < len(order) else state

    def loss(self, parameters: list, x: jax.Array, y: jax.Array) -> jax.Array:
        log_p = jax.nn.log_softmax(logits(parameters, x))
        decay = sum(jnp.vdot(w, w) for w, _ in parameters) * self.case.alpha / 2
        return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean() + decay / len(x)

    def update(self, state: tuple, gradients: list) -> tuple:
        parameters, mean, square, steps = state
        rate = self.case.learning_rate
        if self.case.solver == "adam":
            steps += 1
            mean = jax.tree.map(lambda m, g: m + (1 - BETA_1) * (g - m), mean, gradients)
            square = jax.tree.map(lambda v, g: v + (1 - BETA_2) * (g * g - v), square, gradients)
            rate *= jnp.sqrt(1 - BETA_2**steps) / (1 - BETA_1**steps)
            gradients = jax.tree.map(lambda m, v: m / (jnp.sqrt(v) + EPSILON), mean, square)
        parameters = jax.tree.map(lambda p, g: p - rate * g, parameters, gradients)
        return parameters, mean, square, steps

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.label(self.parameters, x))


def limit_threads(threads: int) -> None:
    """Limits the CPUs of the process: XLA starts a thread for each of them."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

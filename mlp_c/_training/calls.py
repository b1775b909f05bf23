"""The calls of the kernels that train and predict, with arguments by name.

What differs between these names and the extension's positions is in this file alone.
"""

from typing import Any

from mlp_c import _core
from mlp_c._system.blocks import Array, Arrays
from mlp_c._training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES

# The extension knows output activations by losses that have them.
_LOSS_WITH = {
    loss.out_activation: loss.name for loss in (*REGRESSION_LOSSES.values(), *CLASSIFICATION_LOSSES)
}


def train_epoch(arguments: dict[str, Any]) -> tuple[float, int]:
    """Train for an epoch; the sum of the losses and the rows that it is of."""
    given = dict(arguments)
    given["loss"] = _loss(given["loss"])
    rule, rates = given.pop("rule"), given.pop("learning_rates")
    constants = [rule.get(name, 0.0) for name in ("momentum", "beta_1", "beta_2", "epsilon")]
    # All schedules so far keep a rate for an epoch.
    given["optimizer"] = (rule["name"], float(rates[0]), *constants)
    names = ["X", "y", "sample_weight", "order", "weights", "biases", "activation", "loss", "l2"]
    names += ["batch_size", "optimizer", "moments", "steps", "n_threads"]
    return _core.train_epoch(*(given[name] for name in names))


def loss_gradient(arguments: dict[str, Any]) -> float:
    """Compute the gradient of the loss of all rows, which it returns."""
    given = dict(arguments)
    given["loss"] = (*_loss(given["loss"]), given["gradient_scale"])
    names = ["X", "y", "sample_weight", "weights", "biases", "activation", "loss", "l2"]
    names += ["dweights", "dbiases", "n_threads"]
    return _core.loss_gradient(*(given[name] for name in names))


def predict(
    X: Any,
    order: Array | None,
    weights: Arrays,
    biases: Arrays,
    activation: str,
    out_activation: Any,
    check_finite: bool,
    n_threads: int,
) -> Any:
    """Compute the outputs of a network; see `_core.predict`."""
    loss = _LOSS_WITH[out_activation]
    return _core.predict(X, order, weights, biases, activation, loss, check_finite, n_threads)


def _loss(loss: dict[str, Any]) -> tuple[str, float, float]:
    return loss["name"], loss.get("floor", 0.0), loss.get("ceiling", 0.0)

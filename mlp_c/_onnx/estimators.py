"""What estimators of arrays make of rows."""

from typing import Any

from mlp_c._estimators.prediction import count_layers
from mlp_c._onnx import labels
from mlp_c._onnx.networks import Network, dtype_of
from mlp_c._onnx.tensors import INT64, Tensor


def classify(model: Any, x: Tensor, classes: Any) -> tuple[list[Tensor], list[Tensor]]:
    """The likeliest of an `MLPClassifier`'s classes, and the probabilities of each head."""
    heads = Network.of(model).heads(x.cast(dtype_of(model, x.dtype)))
    kind = labels.kind_of_labels(model)
    return labels.decode(kind, classes, heads), labels.class_probabilities(kind, heads)


def estimate(model: Any, x: Tensor) -> list[Tensor]:
    """The estimates of an `MLPRegressor`; and, where it has them, the standard deviations."""
    (outputs,) = Network.of(model).heads(x.cast(dtype_of(model, x.dtype)))
    estimates, log_variances = read_outputs(model, outputs)
    found = [estimates] if log_variances is None else [estimates, (log_variances / 2).exp()]
    return [tensor.without_axis(1) if count_targets(model) == 1 else tensor for tensor in found]


def activate(transformer: Any, x: Tensor) -> Tensor:
    """The units that a `HiddenActivations` gives."""
    model = transformer.estimator_
    n_layers = count_layers(transformer.layer, len(model.coefs_) - 1)
    return Network.of(model).hidden(x.cast(dtype_of(model, x.dtype)), n_layers)


def count_targets(model: Any) -> int:
    """How many targets a regressor estimates."""
    return len(model.intercepts_[-1]) // model._choose_loss().outputs_per_target


def read_outputs(model: Any, outputs: Tensor) -> tuple[Tensor, Tensor | None]:
    """A regressor's estimates, of a row a target and with several quantiles of these a row each.

    With ``loss="gaussian"``, the logarithms of the variances as well.
    """
    n_targets, n_quantiles = count_targets(model), model._count_quantiles()
    if n_quantiles is not None:
        by_target = outputs.reshape(0, n_quantiles, n_targets).apply("Transpose", perm=[0, 2, 1])
        inputs = [by_target, outputs.graph.constant([n_quantiles], INT64)]
        dtypes = [outputs.dtype, INT64]
        return outputs.graph.apply("TopK", inputs, dtypes, axis=2, largest=0)[0], None
    if model.loss == "gaussian":
        means, log_variances = outputs.split([n_targets, n_targets])
        return means, log_variances
    return outputs, None

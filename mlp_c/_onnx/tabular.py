"""What estimators of tables make of rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlp_c._estimators.tabular_classifier import LEAST_PROBABILITY
from mlp_c._onnx import labels
from mlp_c._onnx.estimators import read_outputs
from mlp_c._onnx.networks import Network
from mlp_c._onnx.tables import read_columns
from mlp_c._onnx.tensors import FLOAT64, Tensor, concatenate, mean


def classify(
    model: Any, columns: Sequence[Tensor], classes: Any
) -> tuple[list[Tensor], list[Tensor]]:
    """The likeliest of a `TabularMLPClassifier`'s classes, and their probabilities."""
    probabilities = mean(
        [_probabilities_of(model, outputs) for outputs in _outputs_of(model, columns)]
    )
    logits = probabilities.maximum(LEAST_PROBABILITY).log() / model.temperature_
    probabilities = logits.softmax()
    return labels.decode("multiclass", classes, [probabilities]), [probabilities]


def _probabilities_of(model: Any, outputs: Tensor) -> Tensor:
    """The probabilities of the classes that a member's outputs say."""
    if not model._reads_logits:
        return outputs
    both = concatenate([-outputs, outputs]).apply("Sigmoid")
    return both.take([0], axis=1) if len(model.classes_) == 1 else both


def estimate(model: Any, columns: Sequence[Tensor]) -> list[Tensor]:
    """The estimates of a `TabularMLPRegressor`; the standard deviations, where it has them."""
    found = [
        read_outputs(member, outputs)
        for member, outputs in zip(model.members_, _outputs_of(model, columns), strict=True)
    ]
    has_quantiles = model.members_[0]._count_quantiles() is not None
    shape = (-1, 1) if has_quantiles else (-1,)  # behind rows, an axis of targets
    scale, center = (v.reshape(shape) for v in (model.target_scales_, model.target_centers_))
    low, high = (v.reshape(shape) for v in model.target_range_)
    of_members = [(estimates * scale + center).maximum(low).minimum(high) for estimates, _ in found]
    tensors = [mean(of_members)]
    variances = [log_variances.exp() for _, log_variances in found if log_variances is not None]
    if variances:
        standardized = [(estimates - center) / scale for estimates in of_members]
        middle = mean(standardized)
        squares = [(of_member - middle) * (of_member - middle) for of_member in standardized]
        tensors.append((mean(squares) + mean(variances)).sqrt() * scale)
    return [tensor.without_axis(1) for tensor in tensors] if model._is_vector else tensors


def _outputs_of(model: Any, columns: Sequence[Tensor]) -> list[Tensor]:
    """The outputs of each member, in float64."""
    units = read_columns(model._columns, columns)
    networks = [Network.of(member) for member in model.members_]
    outputs = []
    for network in networks:
        weights = [units.weights_of(network.weights[0]), *network.weights[1:]]
        output = "identity" if model._reads_logits else network.output
        (head,) = replace(network, weights=weights, output=output).heads(units.tensor)
        outputs.append(head.cast(FLOAT64))
    return outputs

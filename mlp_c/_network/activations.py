"""The activations that the kernels know, by name."""

from collections.abc import Sequence
from typing import Literal, get_args

Activation = Literal["identity", "logistic", "tanh", "relu", "gelu"]
Activations = Activation | Sequence[Activation]  # of all hidden layers, or one each
OutputActivation = Literal["identity", "exp", "softmax", "logistic"]

# Of the hidden layers, and of the last layer.
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
OUTPUT_ACTIVATIONS: tuple[OutputActivation, ...] = get_args(OutputActivation)

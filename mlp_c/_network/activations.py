"""The activations that the kernels know, by name."""

from collections.abc import Sequence
from typing import Literal, get_args

Activation = Literal[
    "identity",
    "logistic",
    "tanh",
    "relu",
    "gelu",
    "silu",
    "mish",
    "elu",
    "selu",
    "leaky_relu",
    "softplus",
]
Activations = Activation | Sequence[Activation]  # of all hidden layers, or one each
OutputActivation = Literal["identity", "exp", "softmax", "logistic"]

# Of the hidden layers, and of the last layer.
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
OUTPUT_ACTIVATIONS: tuple[OutputActivation, ...] = get_args(OutputActivation)


def layer_activations(activation: Activations, n_hidden: int) -> list[Activation]:
    """The activation of each hidden layer.

    Raises
    ------
    ValueError
        If there is a name for each, but for another number of layers, or one that is unknown: a
        list may have been changed since it was found good.
    """
    if isinstance(activation, str):
        return [activation] * n_hidden
    if len(activation) != n_hidden:
        raise ValueError(
            f"activation must be a name or a list of one for each of {n_hidden} hidden layers, got "
            f"{len(activation)} names"
        )
    for name in activation:
        if not isinstance(name, str) or name not in ACTIVATIONS:
            raise ValueError(f"activation must hold names among {list(ACTIVATIONS)}, got {name!r}")
    return list(activation)


def initial_activations(activation: Activations, n_hidden: int) -> list[Activation]:
    """The activation by which each layer's weights are drawn.

    That of the output layer is the last hidden layer's, as in scikit-learn; without hidden layers,
    the one name that there is, or else the identity.
    """
    hidden = layer_activations(activation, n_hidden)
    if hidden:
        return [*hidden, hidden[-1]]
    return [activation if isinstance(activation, str) else "identity"]

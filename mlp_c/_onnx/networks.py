"""Networks: layers, their activations, and those of outputs.

onnxruntime has kernels of float64 for few activations of ONNX, so all are written in terms of
operators for which it has them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import erfcx

from mlp_c._network.activations import layer_activations
from mlp_c._onnx.tensors import FLOAT32, FLOAT64, Tensor
from mlp_c._system.blocks import Array

_SELU_LAMBDA, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
_LEAK = 0.01

# From where on the normal distribution's tail is 0; and the degree at which it is exact.
_NORMAL_END, _NORMAL_DEGREE = 40, 27


def _softplus(z: Tensor) -> Tensor:
    return z.maximum(0) + (1 + (-abs(z)).exp()).log()


def _elu(z: Tensor) -> Tensor:
    return (z > 0).where(z, z.minimum(0).exp() - 1)


def _gelu(z: Tensor) -> Tensor:
    if z.dtype == FLOAT32:
        return z * (0.5 + 0.5 * (z / np.sqrt(2)).apply("Erf"))
    u = abs(z).minimum(_NORMAL_END)  # onnxruntime has no Erf of float64
    return z.maximum(0) - u * (-(u * u) / 2).exp() * _normal_tail(u)


def _normal_tail(u: Tensor) -> Tensor:
    """The normal distribution's lower tail beyond -u, times exp(u^2 / 2), as the kernels have it.

    That is a polynomial in t = (u - 3) / (u + 3), divided by u + 3.
    """

    def polynomial(t: Array) -> Array:
        of_u = 3 * (1 + t) / (1 - t)
        values: Array = (of_u + 3) * erfcx(of_u / np.sqrt(2)) / 2
        return values

    t = (u - 3) / (u + 3)
    *others, highest = Chebyshev.interpolate(polynomial, _NORMAL_DEGREE).convert(kind=Polynomial)
    total = t * float(highest)
    for coefficient in reversed(others[1:]):
        total = (total + float(coefficient)) * t
    return (total + float(others[0])) / (u + 3)


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "logistic": lambda z: z.apply("Sigmoid"),
    "tanh": lambda z: z.apply("Tanh"),
    "relu": lambda z: z.apply("Relu"),
    "gelu": _gelu,
    "silu": lambda z: z * z.apply("Sigmoid"),
    "mish": lambda z: z * _softplus(z).apply("Tanh"),
    "elu": _elu,
    "selu": lambda z: _SELU_LAMBDA * (z > 0).where(z, _SELU_ALPHA * _elu(z)),
    "leaky_relu": lambda z: z.maximum(_LEAK * z),
    "softplus": _softplus,
}

_OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "logistic": lambda z: z.apply("Sigmoid"),
    "softmax": Tensor.softmax,
    "exp": Tensor.exp,
}


def dtype_of(model: Any, given: np.dtype[Any] | None = None) -> np.dtype[Any]:
    """In what a model computes: the wider dtype of its weights and of the rows it is given."""
    dtype = np.asarray(model.coefs_[0]).dtype
    if given is not None and model.compute_dtype is None:
        dtype = np.result_type(dtype, given)
    return dtype if dtype in (FLOAT32, FLOAT64) else FLOAT64


@dataclass(frozen=True)
class Network:
    """A fitted network.

    Attributes
    ----------
    weights, biases : list of ndarray
        Those of each layer.
    activations : list of str
        Those of the hidden layers.
    output : str
        The output activation.
    widths : sequence of int or None
        How many outputs each head has; None for one head.
    """

    weights: list[Array]
    biases: list[Array]
    activations: list[Any]
    output: str
    widths: Sequence[int] | None

    @classmethod
    def of(cls, model: Any) -> Self:
        """The network of an estimator."""
        output = model._choose_output()
        name, widths = (output, None) if isinstance(output, str) else output
        activations = layer_activations(model.activation, len(model.coefs_) - 1)
        return cls(list(model.coefs_), list(model.intercepts_), activations, name, widths)

    def hidden(self, x: Tensor, n_layers: int) -> Tensor:
        """The activations of the last of so many hidden layers."""
        for k, activation in enumerate(self.activations[:n_layers]):
            x = _ACTIVATIONS[activation](self._layer(k, x))
        return x

    def heads(self, x: Tensor) -> list[Tensor]:
        """The outputs for rows, those of each head."""
        last = len(self.weights) - 1
        logits = self._layer(last, self.hidden(x, last))
        heads = [logits] if self.widths is None else logits.split(self.widths)
        return [_OUTPUTS[self.output](head) for head in heads]

    def _layer(self, k: int, x: Tensor) -> Tensor:
        weights, biases = self.weights[k], self.biases[k]
        return x @ np.asarray(weights, x.dtype) + np.asarray(biases, x.dtype)

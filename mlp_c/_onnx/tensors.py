"""Graphs of ONNX operators, written down as expressions of tensors.

What a graph is built in, a model of its own or one of skl2onnx's, is a `Graph`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlp_c._system.blocks import Array

FLOAT32, FLOAT64, INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
BOOL, TEXT = np.dtype(bool), np.dtype(object)

# The first version of ONNX's operators that has all in the forms that graphs use.
LEAST_OPSET = 13

ML = "ai.onnx.ml"  # the domain of operators that have to do with text


class Graph(ABC):
    """A graph that grows, node by node."""

    @abstractmethod
    def add_constant(self, value: Array) -> str:
        """Add an array to the graph; its name there."""

    @abstractmethod
    def add_node(
        self,
        operator: str,
        inputs: Sequence[str],
        n_outputs: int,
        domain: str,
        attributes: dict[str, Any],
    ) -> list[str]:
        """Add a node to the graph; the names of its outputs."""

    def constant(self, value: Any, dtype: Any = None) -> "Tensor":
        """A tensor that is always the same; text is of objects."""
        array = np.asarray(value, dtype)
        array = array.astype(TEXT) if array.dtype.kind == "U" else array
        return Tensor(self, self.add_constant(array), array.dtype)

    def apply(
        self,
        operator: str,
        inputs: Sequence["Tensor"],
        dtypes: Sequence[np.dtype[Any]],
        *,
        domain: str = "",
        **attributes: Any,
    ) -> list["Tensor"]:
        """What a node makes of tensors: as many as there are dtypes."""
        names = [tensor.name for tensor in inputs]
        outputs = self.add_node(operator, names, len(dtypes), domain, attributes)
        return [Tensor(self, *output) for output in zip(outputs, dtypes, strict=True)]


class Tensor:
    """A tensor of a graph; what is computed of it becomes nodes.

    Parameters
    ----------
    graph : Graph
        The graph.
    name : str
        Its name there.
    dtype : dtype
        The type of its elements: objects are text.
    """

    def __init__(self, graph: Graph, name: str, dtype: np.dtype[Any]) -> None:
        self.graph, self.name, self.dtype = graph, name, dtype

    def apply(
        self, operator: str, *others: Any, dtype: Any = None, domain: str = "", **attributes: Any
    ) -> "Tensor":
        """What an operator makes of it and others; numbers are of its own dtype."""
        inputs = [self, *map(self._like, others)]
        dtypes = [self.dtype if dtype is None else dtype]
        return self.graph.apply(operator, inputs, dtypes, domain=domain, **attributes)[0]

    def _like(self, other: Any) -> "Tensor":
        return other if isinstance(other, Tensor) else self.graph.constant(other, self.dtype)

    def __add__(self, other: Any) -> "Tensor":
        return self.apply("Add", other)

    def __sub__(self, other: Any) -> "Tensor":
        return self.apply("Sub", other)

    def __rsub__(self, other: Any) -> "Tensor":
        return self._like(other) - self

    def __mul__(self, other: Any) -> "Tensor":
        return self.apply("Mul", other)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> "Tensor":
        return self.apply("Div", other)

    def __matmul__(self, other: Any) -> "Tensor":
        return self.apply("MatMul", other)

    def __neg__(self) -> "Tensor":
        return self.apply("Neg")

    def __abs__(self) -> "Tensor":
        return self.apply("Abs")

    def __gt__(self, other: Any) -> "Tensor":
        return self.apply("Greater", other, dtype=BOOL)

    def __and__(self, other: Any) -> "Tensor":
        return self.apply("And", other)

    def equals(self, other: Any) -> "Tensor":
        """Where it is as another."""
        return self.apply("Equal", other, dtype=BOOL)

    def is_nan(self) -> "Tensor":
        """Where it is NaN."""
        return self.apply("IsNaN", dtype=BOOL)

    def maximum(self, other: Any) -> "Tensor":
        """The greater of two elements."""
        return self.apply("Max", other)

    def minimum(self, other: Any) -> "Tensor":
        """The lesser of two elements."""
        return self.apply("Min", other)

    def exp(self) -> "Tensor":
        """Its exponentials."""
        return self.apply("Exp")

    def log(self) -> "Tensor":
        """Its natural logarithms."""
        return self.apply("Log")

    def sqrt(self) -> "Tensor":
        """Its square roots."""
        return self.apply("Sqrt")

    def softmax(self) -> "Tensor":
        """The softmax of its rows."""
        return self.apply("Softmax", axis=1)

    def argmax(self) -> "Tensor":
        """Where the greatest element of each row is, the first of equals."""
        return self.apply("ArgMax", axis=1, keepdims=0, dtype=INT64)

    def cast(self, dtype: Any) -> "Tensor":
        """The same in another dtype."""
        from onnx.helper import np_dtype_to_tensor_dtype

        dtype = np.dtype(dtype)
        if dtype == self.dtype:
            return self
        return self.apply("Cast", dtype=dtype, to=np_dtype_to_tensor_dtype(dtype))

    def where(self, true: "Tensor", false: Any) -> "Tensor":
        """Of truth values: the one, or the other, element by element."""
        inputs = [self, true, true._like(false)]
        return self.graph.apply("Where", inputs, [true.dtype])[0]

    def take(self, indices: Any, axis: int) -> "Tensor":
        """Those of its elements that have these indices along an axis."""
        return self.apply("Gather", self.graph.constant(indices, INT64), axis=axis)

    def reshape(self, *shape: int) -> "Tensor":
        """The same in another shape, in which 0 stands for what it was, and -1 for the rest."""
        return self.apply("Reshape", self.graph.constant(shape, INT64))

    def with_axis(self, axis: int) -> "Tensor":
        """The same with one more axis, of length 1."""
        return self.apply("Unsqueeze", self.graph.constant([axis], INT64))

    def without_axis(self, axis: int) -> "Tensor":
        """The same without an axis of length 1."""
        return self.apply("Squeeze", self.graph.constant([axis], INT64))

    def split(self, widths: Sequence[int]) -> list["Tensor"]:
        """Parts of its columns."""
        inputs = [self, self.graph.constant(widths, INT64)]
        return self.graph.apply("Split", inputs, [self.dtype] * len(widths), axis=1)


def concatenate(tensors: Sequence[Tensor], axis: int = 1) -> Tensor:
    """Tensors side by side."""
    if len(tensors) == 1:
        return tensors[0]
    return tensors[0].apply("Concat", *tensors[1:], axis=axis)


def mean(tensors: Sequence[Tensor]) -> Tensor:
    """The mean of tensors, element by element."""
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total / len(tensors)

"""Probabilities as labels, and labels as ONNX has them."""

from typing import Any

import numpy as np

from mlp_c._estimators import labels
from mlp_c._onnx.tensors import FLOAT32, FLOAT64, INT64, TEXT, Tensor, concatenate
from mlp_c._saving.classes import as_classes
from mlp_c._system.blocks import Array


def kind_of_labels(model: Any) -> str:
    """The kind of a classifier's labels."""
    kind: str = vars(model).get("_target_kind") or model._kind_of_labels()
    return kind


def as_constants(classes: Any, name: str = "classes_") -> Array:
    """The classes as elements of a tensor: integers, floats, truth values or text.

    Raises
    ------
    TypeError
        If they are of several kinds, or of another, or no type holds them all.
    """
    given = np.asarray(classes)
    values = given.tolist()
    array = given if given.dtype.kind != "O" else np.array(values)
    if array.dtype.kind in "iu":
        fits = array.size == 0 or array.max() <= np.iinfo(np.int64).max
        array = array.astype(INT64 if fits else np.uint64)
    elif array.dtype.kind == "f" and array.dtype not in (FLOAT32, FLOAT64):
        array = array.astype(FLOAT64)
    if array.dtype.kind not in "iufbU" or array.tolist() != values:
        raise TypeError(
            f"{name} must hold integers, floats, truth values or text, which ONNX has types for, "
            f"got {given.dtype} {values[:3]}"
        )
    return array.astype(TEXT) if array.dtype.kind == "U" else array


def as_constants_of_columns(classes: list[Any]) -> list[Array]:
    """The same of labels in several columns; numbers in a dtype for all, if that holds them."""
    columns = [as_constants(c, f"classes_[{j}]") for j, c in enumerate(classes)]
    if all(column.dtype.kind in "iuf" for column in columns):
        dtype = np.result_type(*columns)
        alike = [column.astype(dtype) for column in columns]
        if [column.tolist() for column in alike] == [column.tolist() for column in columns]:
            return alike
    return columns


def class_probabilities(kind: str, heads: list[Tensor]) -> list[Tensor]:
    """The probabilities of the classes, of each head."""
    if kind != "binary":
        return heads
    return [concatenate([1 - heads[0], heads[0]])]


def decode(kind: str, classes: Any, heads: list[Tensor]) -> list[Tensor]:
    """The likeliest labels of rows; of columns that have several kinds of labels, those of each."""
    graph = heads[0].graph
    if kind == labels.COLUMNS:
        names_of = as_constants_of_columns(as_classes(classes))
        columns = [
            _pick(graph.constant(names), head.argmax())
            for names, head in zip(names_of, heads, strict=True)
        ]
        if len({column.dtype for column in columns}) > 1:
            return columns
        return [concatenate([column.with_axis(1) for column in columns])]
    if "multilabel" in kind:
        return [(heads[0] > 0.5).cast(INT64)]
    names = graph.constant(as_constants(as_classes(classes)))
    if kind == "multiclass":
        return [_pick(names, heads[0].argmax())]
    indices = (heads[0] > 0.5).cast(INT64).without_axis(1)
    return [_pick(names, indices if len(classes) == 2 else indices * 0)]


def _pick(names: Tensor, indices: Tensor) -> Tensor:
    return names.apply("Gather", indices, axis=0)

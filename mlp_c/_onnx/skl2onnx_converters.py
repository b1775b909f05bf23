"""``register_skl2onnx``: our estimators within those that skl2onnx converts.

By its conventions, floats that come out of an operator are of the type of those that went in, float
where these are no floats; regressors and transformers have one output of at least two axes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlp_c._estimators.classifier import MLPClassifier
from mlp_c._estimators.hidden_activations import HiddenActivations
from mlp_c._estimators.labels import COLUMNS
from mlp_c._estimators.regressor import MLPRegressor
from mlp_c._estimators.tabular_classifier import TabularMLPClassifier
from mlp_c._estimators.tabular_regressor import TabularMLPRegressor
from mlp_c._onnx import estimators, labels, tables, tabular
from mlp_c._onnx.tensors import (
    BOOL,
    FLOAT32,
    FLOAT64,
    INT64,
    LEAST_OPSET,
    TEXT,
    Graph,
    Tensor,
    concatenate,
)
from mlp_c._saving.classes import as_classes
from mlp_c._system.blocks import Array


def register_skl2onnx() -> None:
    """Have skl2onnx convert our estimators, and scikit-learn's that have them inside.

    Pipelines, voting, stacking, calibration, searches and whatever else skl2onnx knows then
    convert with ours in them. To call it again does no harm.

    Raises
    ------
    ImportError
        If skl2onnx is not installed: ``pip install onnx skl2onnx``.

    See Also
    --------
    to_onnx : One of our estimators by itself, without skl2onnx.

    Notes
    -----
    Floats that come out are of the type of those that go in, as of all operators of skl2onnx:
    float where `X` is declared as float, whatever the dtype of the weights. Estimators of tables
    take a variable for each column, or one for all: of numbers, or of words.

    Labels that are truth values come as integers. ``zipmap``, skl2onnx's default, makes a list of
    dicts of probabilities. onnxruntime knows it for float alone; a single class, and labels in
    several columns, need ``zipmap=False``.

    Of labels in several columns, probabilities have the shape
    (n_columns, n_samples, most classes of a column), zero past a column's classes. A regressor
    with ``loss="gaussian"`` gives means alone.

    Examples
    --------
    >>> import mlp_c
    >>> from skl2onnx import to_onnx
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> mlp_c.register_skl2onnx()
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), mlp_c.MLPClassifier(max_iter=500, random_state=1))
    >>> proto = to_onnx(model.fit(X, y), X[:1], options={"zipmap": False})
    >>> [output.name for output in proto.graph.output]
    ['label', 'probabilities']
    """
    try:
        from skl2onnx import update_registered_converter
    except ImportError as error:
        raise ImportError(
            "register_skl2onnx needs skl2onnx, which is not installed: pip install onnx skl2onnx"
        ) from error
    for cls, classify in _CLASSIFIERS.items():
        update_registered_converter(
            cls,
            f"MlpC{cls.__name__}",
            _set_types_of_classes,
            _converter_of_classifier(classify),
            options={
                "zipmap": [True, False, "columns"],
                "output_class_labels": [False, True],
                "nocl": [False, True],
            },
        )
    for other, (count_shape, convert) in _OTHERS.items():
        update_registered_converter(
            other, f"MlpC{other.__name__}", _setter_of_shape(count_shape), _converter_of(convert)
        )


class _ContainerGraph(Graph):
    """The graph of a model that skl2onnx makes."""

    def __init__(self, scope: Any, container: Any) -> None:
        if container.target_opset < LEAST_OPSET:
            raise ValueError(
                f"target_opset must be at least {LEAST_OPSET}, got {container.target_opset}"
            )
        self._scope, self._container = scope, container

    def add_constant(self, value: Array) -> str:
        from onnx.helper import np_dtype_to_tensor_dtype

        name: str = self._scope.get_unique_variable_name("constant")
        flat = value.ravel().tolist()
        content = [word.encode() for word in flat] if value.dtype == TEXT else flat
        kind = np_dtype_to_tensor_dtype(value.dtype)
        self._container.add_initializer(name, kind, list(value.shape), content)
        return name

    def add_node(
        self,
        operator: str,
        inputs: Sequence[str],
        n_outputs: int,
        domain: str,
        attributes: dict[str, Any],
    ) -> list[str]:
        names = [self._scope.get_unique_variable_name(operator) for _ in range(n_outputs)]
        own = self._scope.get_unique_operator_name(operator)
        self._container.add_node(
            operator, list(inputs), names, op_domain=domain, name=own, **attributes
        )
        return names

    def give(self, tensor: Tensor, variable: Any) -> None:
        """Make a tensor what a variable is, in its type."""
        tensor = tensor.cast(_dtype_of(variable))
        name = self._scope.get_unique_operator_name("Identity")
        self._container.add_node("Identity", [tensor.name], [variable.full_name], name=name)


def _dtype_of(variable: Any) -> np.dtype[Any]:
    from onnx.helper import tensor_dtype_to_np_dtype

    return np.dtype(tensor_dtype_to_np_dtype(variable.type._get_element_onnx_type()))


def _inputs_of(graph: Graph, operator: Any) -> list[Tensor]:
    return [Tensor(graph, variable.full_name, _dtype_of(variable)) for variable in operator.inputs]


def _rows_of(graph: Graph, operator: Any) -> Tensor:
    """The variables as rows of an array."""
    given = _inputs_of(graph, operator)
    dtype = np.result_type(*(tensor.dtype for tensor in given))
    return concatenate([tensor.cast(dtype) for tensor in given])


def _columns_of(graph: Graph, operator: Any) -> list[Tensor]:
    """The variables as a tensor for each column of a table."""
    model, given = operator.raw_operator, _inputs_of(graph, operator)
    n_columns = model.n_features_in_
    if len(given) == 1 and n_columns > 1:
        given = given[0].split([1] * n_columns)
    if len(given) != n_columns:
        raise ValueError(
            f"initial_types must be one variable, or one for each of {n_columns} columns, got "
            f"{len(given)}"
        )
    names = tables.names_of(model)
    for name, tensor, dtype in zip(names, given, tables.dtypes_of(model), strict=True):
        if dtype is not None and (tensor.dtype == TEXT) != (dtype == TEXT):
            raise TypeError(
                f"initial_types must have {'text' if dtype == TEXT else 'numbers'} for column "
                f"{name!r}, got {'text' if tensor.dtype == TEXT else tensor.dtype}"
            )
    return given


# ---- classifiers ----


def _classify_rows(graph: Graph, operator: Any) -> tuple[list[Tensor], list[Tensor]]:
    return estimators.classify(
        operator.raw_operator, _rows_of(graph, operator), _labels_of(operator)
    )


def _classify_table(graph: Graph, operator: Any) -> tuple[list[Tensor], list[Tensor]]:
    return tabular.classify(
        operator.raw_operator, _columns_of(graph, operator), _labels_of(operator)
    )


_CLASSIFIERS = {MLPClassifier: _classify_rows, TabularMLPClassifier: _classify_table}


def _labels_of(operator: Any) -> Any:
    """The classes; with the option ``nocl``, their indices."""
    classes = as_classes(operator.raw_operator.classes_)
    are_indices = _option(operator, "nocl", False) and not isinstance(classes, list)
    return np.arange(len(classes)) if are_indices else classes


def _feeds_a_zipmap(operator: Any) -> bool:
    """Whether the probabilities become dicts, or outputs by class: those of an outermost model."""
    return any(
        other.type.startswith("SklearnZipMap") and operator.outputs[1] in other.inputs
        for other in operator.scope_inst.operators.values()
    )


def _option(operator: Any, name: str, default: Any) -> Any:
    """What the user asks of the conversion of a model."""
    return operator.scope_inst.get_options(operator.raw_operator, {name: default})[name]


def _set_types_of_classes(operator: Any) -> None:
    """Say of what type and shape labels and probabilities are."""
    model, n_rows = operator.raw_operator, operator.inputs[0].get_first_dimension()
    classes, kind = _labels_of(operator), labels.kind_of_labels(model)
    if kind == COLUMNS:
        dtypes = {of_column.dtype for of_column in labels.as_constants_of_columns(classes)}
        if len(dtypes) > 1:
            raise TypeError(
                f"classes_ must be of one type for skl2onnx, got {sorted(map(str, dtypes))}"
            )
        (dtype,) = dtypes
        shape, of_floats = [n_rows, len(classes)], [len(classes), n_rows, max(map(len, classes))]
    elif "multilabel" in kind:
        dtype, shape, of_floats = INT64, [n_rows, len(classes)], [n_rows, len(classes)]
    else:
        of_both = 2 if isinstance(model, MLPClassifier) else len(classes)  # of a single class, too
        dtype, shape = labels.as_constants(classes).dtype, [n_rows]
        of_floats = [n_rows, max(len(classes), of_both)]
    if _feeds_a_zipmap(operator):
        if kind == COLUMNS or len(classes) == 1:
            raise ValueError(
                "zipmap must be False for labels in several columns and for a single class"
            )
        dtype = dtype if dtype == TEXT else INT64  # of which keys are
    dtype = INT64 if dtype == BOOL else dtype  # as skl2onnx has them
    _set_type(operator.outputs[0], dtype, shape)
    _set_type(operator.outputs[1], _floats_of(operator), of_floats)


def _converter_of_classifier(
    classify: Callable[[Graph, Any], tuple[list[Tensor], list[Tensor]]],
) -> Callable[[Any, Any, Any], None]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        graph = _ContainerGraph(scope, container)
        (names,), probabilities = classify(graph, operator)
        graph.give(names, operator.outputs[0])
        graph.give(_in_one(probabilities, operator.raw_operator.classes_), operator.outputs[1])

    return convert


def _in_one(heads: list[Tensor], classes: Any) -> Tensor:
    """Probabilities of several columns one upon the other, zero past the classes of a column."""
    if len(heads) == 1:
        return heads[0]
    width = max(map(len, classes))
    planes = []
    for head, of_column in zip(heads, classes, strict=True):
        pads = head.graph.constant([0, 0, 0, width - len(of_column)], INT64)
        planes.append(head.apply("Pad", pads).with_axis(0))
    return concatenate(planes, axis=0)


# ---- regressors and transformers ----


def _estimate_rows(graph: Graph, operator: Any) -> Tensor:
    estimates = estimators.estimate(operator.raw_operator, _rows_of(graph, operator))[0]
    return _with_two_axes(estimates, _shape_of_rows(operator.raw_operator))


def _estimate_table(graph: Graph, operator: Any) -> Tensor:
    estimates = tabular.estimate(operator.raw_operator, _columns_of(graph, operator))[0]
    return _with_two_axes(estimates, _shape_of_table(operator.raw_operator))


def _with_two_axes(estimates: Tensor, shape: list[int]) -> Tensor:
    """Estimates of two axes or more, whose shape is that of a row's."""
    return estimates.reshape(0, 1) if shape == [1] else estimates


def _shape_of_rows(model: Any) -> list[int]:
    """The shape of what an `MLPRegressor` estimates for a row."""
    return _shape_of(model, estimators.count_targets(model) == 1)


def _shape_of_table(model: Any) -> list[int]:
    """The shape of what a `TabularMLPRegressor` estimates for a row."""
    return _shape_of(model.members_[0], model._is_vector)


def _shape_of(network: Any, is_vector: bool) -> list[int]:
    n_targets, n_quantiles = estimators.count_targets(network), network._count_quantiles()
    if n_quantiles is None:
        return [n_targets]
    return [n_quantiles] if is_vector else [n_targets, n_quantiles]


def _activate(graph: Graph, operator: Any) -> Tensor:
    return estimators.activate(operator.raw_operator, _rows_of(graph, operator))


# The shape of what they give for a row, and what gives it.
_OTHERS: dict[type, tuple[Callable[[Any], list[int]], Callable[[Graph, Any], Tensor]]] = {
    MLPRegressor: (_shape_of_rows, _estimate_rows),
    TabularMLPRegressor: (_shape_of_table, _estimate_table),
    HiddenActivations: (lambda model: [model._n_features_out], _activate),
}


def _setter_of_shape(shape_of: Callable[[Any], list[int]]) -> Callable[[Any], None]:
    def set_shape(operator: Any) -> None:
        shape = [operator.inputs[0].get_first_dimension(), *shape_of(operator.raw_operator)]
        _set_type(operator.outputs[0], _floats_of(operator), shape)

    return set_shape


def _converter_of(convert_one: Callable[[Graph, Any], Tensor]) -> Callable[[Any, Any, Any], None]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        graph = _ContainerGraph(scope, container)
        graph.give(convert_one(graph, operator), operator.outputs[0])

    return convert


# ---- types ----


def _floats_of(operator: Any) -> np.dtype[Any]:
    """The type of the floats that come out of an operator."""
    is_double = FLOAT64 in [_dtype_of(variable) for variable in operator.inputs]
    return FLOAT64 if is_double else FLOAT32


def _set_type(variable: Any, dtype: np.dtype[Any], shape: list[Any]) -> None:
    from skl2onnx.common import data_types

    kind = "String" if dtype == TEXT else _KINDS[dtype.name]
    variable.set_type(getattr(data_types, f"{kind}TensorType")(shape))


_KINDS = {
    "int64": "Int64",
    "uint64": "UInt64",
    "float32": "Float",
    "float64": "Double",
}

"""``to_onnx``: a fitted estimator as a model of its own."""

from collections.abc import Callable, Sequence
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mlp_c._estimators.classifier import MLPClassifier
from mlp_c._estimators.hidden_activations import HiddenActivations
from mlp_c._estimators.regressor import MLPRegressor
from mlp_c._estimators.tabular_classifier import TabularMLPClassifier
from mlp_c._estimators.tabular_regressor import TabularMLPRegressor
from mlp_c._onnx import estimators, tables, tabular
from mlp_c._onnx.networks import dtype_of
from mlp_c._onnx.tensors import FLOAT64, LEAST_OPSET, ML, TEXT, Graph, Tensor
from mlp_c._saving.atomic import write_atomically
from mlp_c._system.blocks import Array
from mlp_c._version import __version__

_ML_OPSET = 2  # the version of ML's operators

_ROWS = "n_samples"

# The names and tensors of a model's outputs.
Outputs = list[tuple[str, Tensor]]


def to_onnx(model: Any, path: Any = None, *, opset: int = 17) -> Any:
    """Convert a fitted estimator to ONNX, with the operators of the standard alone.

    Runtimes of ONNX, onnxruntime among them, then predict without this package, and without
    Python. For pipelines and other estimators of scikit-learn's, see `register_skl2onnx`.

    Estimators of arrays have an input ``X`` of shape (n_samples, n_features), in the dtype of
    their weights. Those of tables have it in float64 if all columns are numbers, or categories of
    numbers; missing ones are NaN. Otherwise they have an input of shape (n_samples, 1) for each
    column, by its name, or ``column_0`` and so on without one: float64; strings, of which the empty
    one is missing; or bool.

    Parameters
    ----------
    model : estimator
        A fitted `MLPClassifier`, `MLPRegressor`, `TabularMLPClassifier`, `TabularMLPRegressor` or
        `HiddenActivations`.
    path : str or path-like, default=None
        The file to write as well, if any: whole or not at all.
    opset : int, default=17
        The version of ONNX's operators, from 13 to the newest that onnx knows.

    Returns
    -------
    onnx.ModelProto
        The model. Its outputs, in this order, are what ``predict`` and ``predict_proba`` return:
        ``label`` and ``probabilities``; ``prediction``, and with ``loss="gaussian"`` ``std``; or
        ``activations``. With labels in several columns, each has ``probabilities_0`` and so on,
        and ``label_0`` where these are not of one kind.

    Raises
    ------
    ImportError
        If onnx is not installed: ``pip install onnx``.
    TypeError
        If `model` is another estimator, or ONNX has no type for its labels or categories; or
        `path` or `opset` is of a wrong type.
    ValueError
        If there is no such `opset`, or `model` reads nothing of any row.
    sklearn.exceptions.NotFittedError
        If `model` is not fitted.
    OSError
        If `path` cannot be written to.

    See Also
    --------
    register_skl2onnx : The same within scikit-learn's pipelines.

    Notes
    -----
    Labels are those of ``predict``. Probabilities and predictions differ from them by rounding:
    by about 1e-7 in float32 and 1e-15 in float64. Inputs are not checked: of NaN, where
    ``predict`` raises, come floats that are NaN and the first label; of infinite ones, some
    prediction.

    Examples
    --------
    >>> import mlp_c
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = mlp_c.MLPClassifier(random_state=1, max_iter=500).fit(X, y)
    >>> proto = mlp_c.to_onnx(model)
    >>> [output.name for output in proto.graph.output]
    ['label', 'probabilities']
    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession(proto.SerializeToString())
    >>> session.run(["label"], {"X": X[:2]})[0].tolist()
    [0, 0]
    """
    onnx = _import_onnx()
    convert = _CONVERTERS.get(type(model))
    if convert is None:
        names = ", ".join(cls.__name__ for cls in _CONVERTERS)
        kind = model if isinstance(model, type) else type(model)
        came = f"{'the class ' if kind is model else ''}{kind.__module__}.{kind.__qualname__}"
        raise TypeError(
            f"model must be one of mlp_c's {names}, and of no subclass, got {came}; "
            "mlp_c.from_sklearn makes ours of scikit-learn's MLPs, and skl2onnx converts others, "
            "with ours in them after mlp_c.register_skl2onnx()"
        )
    newest = onnx.defs.onnx_opset_version()
    if not isinstance(opset, Integral) or isinstance(opset, bool):
        raise TypeError(f"opset must be an integer, got {opset!r}")
    if not LEAST_OPSET <= opset <= newest:
        raise ValueError(f"opset must be from {LEAST_OPSET} to {newest}, got {opset}")
    if not isinstance(path, (str, bytes, PathLike, type(None))):
        raise TypeError(f"path must be a str, a path-like or None, got {path!r}")
    check_is_fitted(model)
    graph = _ModelGraph()
    for name, tensor in convert(model, graph):
        graph.add_output(name, tensor)
    proto = graph.finish(type(model).__name__, int(opset))
    if path is not None:
        write_atomically(path, [proto.SerializeToString()])
    return proto


def _import_onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ImportError("to_onnx needs onnx, which is not installed: pip install onnx") from error
    return onnx


class _ModelGraph(Graph):
    """The graph of a model of its own."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._names: set[str] = set()

    def add_constant(self, value: Array) -> str:
        from onnx.numpy_helper import from_array

        name = self._new_name("constant")
        self._constants.append(from_array(np.ascontiguousarray(value).reshape(value.shape), name))
        return name

    def add_node(
        self,
        operator: str,
        inputs: Sequence[str],
        n_outputs: int,
        domain: str,
        attributes: dict[str, Any],
    ) -> list[str]:
        from onnx.helper import make_node

        outputs = [self._new_name(operator) for _ in range(n_outputs)]
        self._nodes.append(make_node(operator, inputs, outputs, domain=domain, **attributes))
        return outputs

    def add_input(self, name: str, dtype: Any, n_columns: int) -> Tensor:
        """A tensor that is given, of so many columns."""
        self._inputs.append(_describe(name, dtype, [_ROWS, n_columns]))
        self._names.add(name)
        return Tensor(self, name, np.dtype(dtype))

    def add_output(self, name: str, tensor: Tensor) -> None:
        """Give a tensor as an output, of this name unless an input has it."""
        from onnx.helper import make_node

        name = self._free_name(name)
        self._outputs.append(_describe(name, tensor.dtype, None))
        self._nodes.append(make_node("Identity", [tensor.name], [name]))

    def finish(self, name: str, opset: int) -> Any:
        """The model of what has been added."""
        from onnx.helper import (
            find_min_ir_version_for,
            make_graph,
            make_model,
            make_opsetid,
        )
        from onnx.shape_inference import infer_shapes

        used = [make_opsetid("", opset)]
        if any(node.domain == ML for node in self._nodes):
            used.append(make_opsetid(ML, _ML_OPSET))
        graph = make_graph(self._nodes, name, self._inputs, self._outputs, self._constants)
        model = make_model(
            graph,
            opset_imports=used,
            ir_version=find_min_ir_version_for(used),
            producer_name="mlp_c",
            producer_version=__version__,
        )
        inferred = infer_shapes(model).graph.output
        for output, with_shape in zip(model.graph.output, inferred, strict=True):
            output.CopyFrom(with_shape)
        return model

    def _new_name(self, kind: str) -> str:
        return self._free_name(f"{kind}_{len(self._names)}")

    def _free_name(self, name: str) -> str:
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name


def _describe(name: str, dtype: np.dtype[Any], shape: list[Any] | None) -> Any:
    from onnx.helper import make_tensor_value_info, np_dtype_to_tensor_dtype

    return make_tensor_value_info(name, np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


# ---- estimators ----


def _convert_classifier(model: MLPClassifier, graph: _ModelGraph) -> Outputs:
    return _name_classes(*estimators.classify(model, _add_rows(model, graph), model.classes_))


def _convert_regressor(model: MLPRegressor, graph: _ModelGraph) -> Outputs:
    return _name_estimates(estimators.estimate(model, _add_rows(model, graph)))


def _convert_hidden(transformer: HiddenActivations, graph: _ModelGraph) -> Outputs:
    x = _add_rows(transformer.estimator_, graph)
    return [("activations", estimators.activate(transformer, x))]


def _convert_tabular_classifier(model: TabularMLPClassifier, graph: _ModelGraph) -> Outputs:
    return _name_classes(*tabular.classify(model, _add_table(model, graph), model.classes_))


def _convert_tabular_regressor(model: TabularMLPRegressor, graph: _ModelGraph) -> Outputs:
    return _name_estimates(tabular.estimate(model, _add_table(model, graph)))


_CONVERTERS: dict[type, Callable[[Any, _ModelGraph], Outputs]] = {
    MLPClassifier: _convert_classifier,
    MLPRegressor: _convert_regressor,
    TabularMLPClassifier: _convert_tabular_classifier,
    TabularMLPRegressor: _convert_tabular_regressor,
    HiddenActivations: _convert_hidden,
}


def _add_rows(model: Any, graph: _ModelGraph) -> Tensor:
    return graph.add_input("X", dtype_of(model), np.shape(model.coefs_[0])[0])


def _add_table(model: Any, graph: _ModelGraph) -> list[Tensor]:
    """The inputs of a table, as a tensor for each column."""
    names = tables.names_of(model)
    dtypes = [TEXT if dtype is None else dtype for dtype in tables.dtypes_of(model)]
    if set(dtypes) != {FLOAT64}:
        return [graph.add_input(*column, 1) for column in zip(names, dtypes, strict=True)]
    x = graph.add_input("X", FLOAT64, len(names))
    return x.split([1] * len(names))


def _name_classes(labels: list[Tensor], probabilities: list[Tensor]) -> Outputs:
    return [*_number("label", labels), *_number("probabilities", probabilities)]


def _name_estimates(estimates: list[Tensor]) -> Outputs:
    return list(zip(("prediction", "std"), estimates, strict=False))


def _number(name: str, tensors: list[Tensor]) -> Outputs:
    """Tensors by a name, or of several by it and their number."""
    if len(tensors) == 1:
        return [(name, tensors[0])]
    return [(f"{name}_{j}", tensor) for j, tensor in enumerate(tensors)]

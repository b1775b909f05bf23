"""Arrays: the answer is that for a clean copy, or an exception, and then nothing has changed.

Elsewhere: each wrong array in each place of each kernel, and overlaps
(kernels/test_rejections); strided, turned, broadcast and read-only ones
(kernels/test_properties); rows of every dtype (estimators/test_inputs); sparse matrices out of
order or range (estimators/test_fit_edges).
"""

import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlp_c import MLPClassifier, MLPRegressor, kernels
from support import calls

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]
N, N_IN = 12, 3
ARGUMENTS = {
    "fit": ("X", "y", "sample_weight"),
    "partial_fit": ("X", "y", "sample_weight"),
    "predict": ("X",),
    "predict_proba": ("X",),
    "predict_log_proba": ("X",),
    "score": ("X", "y", "sample_weight"),
}
PLACES = [
    (cls, method, name)
    for cls in (MLPClassifier, MLPRegressor)
    for method, names in ARGUMENTS.items()
    for name in names
    if hasattr(cls, method)
]
each_place = pytest.mark.parametrize(
    ("cls", "method", "name"), PLACES, ids=lambda value: getattr(value, "__name__", value)
)


def clean(name):
    """An argument as it should be; of small integers, which every dtype holds."""
    rng = np.random.default_rng(0)
    return {
        "X": rng.integers(0, 4, (N, N_IN)),
        "y": np.arange(N) % 3,
        "sample_weight": rng.integers(1, 4, N),
    }[name]


@cache
def pickled(cls, dtype):
    model = cls(hidden_layer_sizes=4, max_iter=2, random_state=0, batch_size=5)
    return pickle.dumps(model.fit(clean("X").astype(dtype), clean("y")))


def fitted(cls, dtype="f8"):
    """A model of its own, always in the same state."""
    return pickle.loads(pickled(cls, dtype))


def answer(model, method, arguments):
    """The bits that a method returns, or fits."""
    result = getattr(model, method)(**arguments)
    if result is model:
        return calls.bits([model.coefs_, model.intercepts_]), model.loss_curve_
    return np.asarray(result).tobytes()


def state(model):
    return {name: pickle.dumps(value) for name, value in vars(model).items()}


def refused(model, method, arguments):
    """The exception that a method raises, if it does, having left the model alone."""
    before = state(model)
    try:
        getattr(model, method)(**arguments)
    except (TypeError, ValueError, OverflowError) as error:
        assert state(model) == before
        return error
    return None


def arguments_of(method, **changes):
    return {name: clean(name) for name in ARGUMENTS[method]} | changes


# ---- the same numbers in another guise ----


class Arraylike:
    """Nothing but __array__."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)


class Subclass(np.ndarray):
    """Says wrong things of itself to Python."""

    shape = property(lambda self: (1, 2, 3), lambda self, value: None)
    strides = property(lambda self: (0,))

    def __len__(self):
        return 10**9


def misaligned(array):
    if array.dtype == object:
        return array
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def strided(array):
    return (
        np.repeat(np.repeat(array, 2, 0), 3, -1)[::2, ::3]
        if array.ndim == 2
        else (np.repeat(array, 3)[::3])
    )


def turned(array):
    """Negative strides."""
    flip = (slice(None, None, -1),) * array.ndim
    return array[flip].copy()[flip]


def in_a_field(array):
    """Strides that are no multiple of the item's size."""
    field = np.zeros(array.shape, [("pad", "u1"), ("x", array.dtype), ("end", "u2")])["x"]
    field[...] = array
    return field


def broadcast(array):
    """Zero strides."""
    return np.broadcast_to(array[:1], array.shape)


def read_only(array):
    array.flags.writeable = False
    return array


LAYOUTS = [np.array, np.asfortranarray, misaligned, strided, turned, in_a_field, broadcast]
LAYOUTS += [read_only]
NUMBERS = ["f8", "f4", "f2", "g", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
SWAPPED = [">f8", ">f4", ">f2", ">i2", ">i4", ">u8"]
OTHERS = ["O", "c16", "S3", "U3", "m8[s]"]
CONTAINERS = {
    "array": lambda array: array,
    "subclass": lambda array: array.view(Subclass),
    "masked": lambda array: array.view(np.ma.MaskedArray),
    "matrix": lambda array: array.view(np.matrix) if array.ndim == 2 else array,
    "a field": lambda array: array if array.dtype == object else array.view([("x", array.dtype)]),
    "__array__": Arraylike,
    "list": lambda array: array.tolist(),
    "tuple": lambda array: tuple(map(tuple, array)) if array.ndim == 2 else tuple(array),
    "memoryview": lambda array: memoryview(array) if array.dtype.char in "fdbhilBHIL" else array,
    "pandas": lambda array: (pd.DataFrame if array.ndim == 2 else pd.Series)(native(array)),
    "nullable": lambda array: (pd.DataFrame if array.ndim == 2 else pd.Series)(
        native(array)
    ).convert_dtypes(),
    "csr": lambda array: sparse(scipy.sparse.csr_array, array),
    "csc": lambda array: sparse(scipy.sparse.csc_array, array),
}


def sparse(form, array):
    return form(native(array)) if array.ndim == 2 and array.dtype.char in "fdgbhilBHILF" else array


def native(array):
    return array.astype(array.dtype.newbyteorder("="))


@each_place
@given(
    dtype=st.sampled_from(NUMBERS + SWAPPED + OTHERS),
    layout=st.sampled_from(LAYOUTS),
    container=st.sampled_from(sorted(CONTAINERS)),
    model_dtype=st.sampled_from(["f4", "f8"]),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_estimators_answer_as_for_a_clean_copy_or_refuse(
    cls, method, name, dtype, layout, container, model_dtype
):
    """Arrays of numbers are never refused, however they lie. What has no dtype is float64.

    Targets and weights of a score are scikit-learn's to judge.
    """
    is_number = dtype in NUMBERS + SWAPPED
    if method == "score" and name != "X" and (dtype == "g" or not is_number):
        return
    array = layout(clean(name).astype(dtype))
    hostile = CONTAINERS[container](array)
    error = refused(fitted(cls, model_dtype), method, arguments_of(method, **{name: hostile}))
    if error is not None:
        assert not is_number or container != "array", error
        return
    got = answer(fitted(cls, model_dtype), method, arguments_of(method, **{name: hostile}))
    plain = np.array(native(array), dtype=np.float64)
    wanted = [
        answer(
            fitted(cls, model_dtype), method, arguments_of(method, **{name: plain.astype(computed)})
        )
        for computed in ("f4", "f8")
    ]
    assert got in wanted


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
@pytest.mark.parametrize("layout", [misaligned, in_a_field])
def test_misaligned_arrays_of_the_very_dtype_are_copied(cls, name, layout):
    array = clean(name).astype(np.float64)
    got = answer(fitted(cls), "fit", arguments_of("fit", **{name: layout(array)}))
    assert got == answer(fitted(cls), "fit", arguments_of("fit", **{name: array}))


@pytest.mark.parametrize("kernel", calls.KERNELS)
@given(data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_kernels_answer_as_for_a_clean_copy_or_refuse(kernel, dtype, data):
    """Any guise of any number of arrays; and after an exception, outputs as they were."""
    arguments = calls.example(kernel, dtype)
    guises = {
        path: (
            data.draw(st.sampled_from([dtype.str] * 6 + NUMBERS + SWAPPED + OTHERS)),
            data.draw(st.sampled_from(LAYOUTS)),
            data.draw(st.sampled_from(["array"] * 6 + sorted(CONTAINERS))),
        )
        for path in data.draw(st.sets(st.sampled_from(calls.paths(kernel)), min_size=1))
    }

    def disguise(path, array):
        kind, layout, container = guises.get(path, (dtype, np.array, "array"))
        return CONTAINERS[container](layout(array.astype(kind)))

    def plain(path, array):
        kind, layout, _ = guises.get(path, (dtype, np.array, "array"))
        return layout(array.astype(kind)).copy()

    hostile = calls.rebuilt(arguments, disguise)
    outputs = calls.outputs(kernel, hostile)
    before = calls.bits(outputs)
    try:
        calls.run(kernel, hostile)
    except (TypeError, ValueError) as exception:
        message = str(exception)
        assert calls.bits(outputs) == before
        assert message.startswith(tuple(map(calls.name, calls.paths(kernel))))
        return
    want = calls.rebuilt(arguments, plain)
    calls.run(kernel, want)
    assert calls.bits(outputs) == calls.bits(calls.outputs(kernel, want))


@pytest.mark.parametrize("shape", [(1, 5), (7, 1), (1, 1)])
def test_the_stride_of_a_dimension_of_one_element_is_arbitrary(shape, dtype):
    """Even one that would be misaligned, or beyond any memory."""
    X = calls.normal(dtype)(*shape)
    weights, biases = [calls.normal(dtype)(shape[1], 4)], [np.ones(4, dtype)]
    want = kernels.forward(X, weights, biases)
    for odd in (3, 2**62 + 1):
        strides = [odd if n == 1 else stride for n, stride in zip(shape, X.strides, strict=True)]
        view = np.lib.stride_tricks.as_strided(X, shape, strides)
        assert calls.bits(kernels.forward(view, weights, biases)) == calls.bits(want)


# ---- what is no array of numbers ----


def generator():
    yield from clean("X")


JUNK = {
    "str": "rows",
    "bytes": b"rows",
    "dict": {"a": [1, 2]},
    "set": {1, 2},
    "generator": generator(),
    "iterator": iter(clean("X").tolist()),
    "range": range(2),
    "type": np.ndarray,
    "function": clean,
    "object": object(),
    "Ellipsis": ...,
    "huge int": 10**400,
    "complex": 1j * np.ones((N, N_IN)),
    "0-d": np.array(1.0),
    "3-d": np.ones((N, N_IN, 1)),
    "64-d": np.ones((1,) * 64),
    "ragged": [[1, 2], [3]],
    "empty": [],
    "no columns": np.ones((N, 0)),
    "no rows": np.ones((0, N_IN)),
    "other rows": np.ones((N + 1, N_IN)),
    "strings": np.full((N, N_IN), "x"),
    "objects": np.full((N, N_IN), object()),
    "None": np.full((N, N_IN), None),
    "void": np.zeros((N, N_IN), "V8"),
    "structured": np.zeros((N, N_IN), [("a", "f4"), ("b", "i4")]),
    "records": np.ones((N, N_IN), [("x", "f8"), ("y", "f8")]).view(np.recarray),
    "NaN": np.full((N, N_IN), np.nan),
    "infinity": np.full((N, N_IN), -np.inf),
    "NaN in objects": np.full((N, N_IN), np.nan, object),
    "pandas NA": pd.DataFrame(np.full((N, N_IN), pd.NA)),
    "nullable NA": pd.DataFrame({i: pd.array([None] * N, "Int64") for i in range(N_IN)}),
    "strings in pandas": pd.DataFrame(np.full((N, N_IN), "x")),
    "beyond float64": np.full((N, N_IN), np.longdouble("1e4000")),
    "recursive": None,
}
JUNK["recursive"] = recursive = []
recursive.append(recursive)
# Vectors, for y and sample_weight.
VECTORS = {"None", "objects", "void", "structured", "records", "NaN", "infinity"}
VECTORS |= {"NaN in objects", "pandas NA", "nullable NA", "beyond float64", "complex", "strings"}


@each_place
@pytest.mark.parametrize("kind", JUNK)
def test_estimators_refuse_what_is_no_array_of_numbers(cls, method, name, kind):
    junk = JUNK[kind]
    if method == "score" and name != "X":
        return  # scikit-learn's to judge
    if kind == "other rows" and method.startswith("predict"):
        return  # are rows
    if name != "X" and kind in VECTORS:
        junk = junk.iloc[:, 0] if isinstance(junk, pd.DataFrame) else junk[:, 0]
    labels = name == "y" and cls is MLPClassifier and method == "fit"
    if labels and kind in ("strings", "strings in pandas"):
        return  # are labels, in one column or several
    assert refused(fitted(cls), method, arguments_of(method, **{name: junk})) is not None


def test_a_refused_fit_leaves_the_fitted_model_as_it_was():
    """Even of rows with other features and labels, which are found good."""
    model = fitted(MLPClassifier)
    wider, labels = np.ones((N, N_IN + 2)), np.arange(N) % 4
    assert refused(model, "fit", {"X": wider, "y": labels, "sample_weight": -np.ones(N)})
    assert refused(model, "fit", {"X": pd.DataFrame(wider).add_prefix("x"), "y": np.ones(N) / 3})
    assert refused(model.set_params(hidden_layer_sizes=[3, -1]), "fit", {"X": wider, "y": labels})
    assert model.predict(clean("X")).shape == (N,)


def test_a_fit_that_has_too_few_rows_to_hold_out_leaves_the_fitted_model_as_it_was():
    model = fitted(MLPClassifier).set_params(early_stopping=True, validation_fraction=0.01)
    wider, labels = np.ones((N, N_IN + 2)), np.arange(N) % 4
    assert refused(model, "fit", {"X": wider, "y": labels})
    assert model.predict(clean("X")).shape == (N,)

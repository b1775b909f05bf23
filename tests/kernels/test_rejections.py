"""What a kernel cannot use it refuses: TypeError or ValueError, naming the argument, what
came and what was expected; and every output keeps its bits.

Each array of each kernel's valid call, in turn, is replaced by each wrong thing.
"""

import re

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from mlp_c import kernels
from support import calls

NETWORK_KERNELS = ("forward", "backward")
PLACES = [(kernel, path) for kernel in calls.KERNELS for path in calls.paths(kernel)]
OUTPUT_PLACES = [place for place in PLACES if calls.is_output(*place)]
RANKS = {
    (kernel, path): array.ndim
    for kernel in calls.KERNELS
    for path, array in calls.leaves(calls.example(kernel))
}


def show(value):
    """An id for a case."""
    if isinstance(value, tuple) and isinstance(value[0], str):
        return calls.name(value)
    return getattr(value, "__name__", ascii(value)[:30].strip("'"))


def each(names, cases):
    return pytest.mark.parametrize(names, cases, ids=show)


each_place = each("kernel, path", PLACES)
each_output = each("kernel, path", OUTPUT_PLACES)


def assert_refused(kernel, arguments, error, message):
    """Raises with a message, which is returned, and no output changed."""
    outputs = calls.outputs(kernel, arguments)
    before = calls.bits(outputs)
    with pytest.raises(error, match=message) as refusal:
        calls.run(kernel, arguments)
    assert calls.bits(outputs) == before
    return str(refusal.value)


def leaf(kernel, path, dtype=np.float64):
    """A valid call's arguments, and the array at a path."""
    arguments = calls.example(kernel, dtype)
    return arguments, dict(calls.leaves(arguments))[path]


class Arraylike:
    def __array__(self, dtype=None, copy=None):
        return np.ones((7, 5))


# ---- the arrays ----

NO_ARRAYS = {
    "list": [[1.0, 2.0]],
    "None": None,
    "str": "an array",
    "bytes": b"\0" * 8,
    "float": 1.0,
    "numpy scalar": np.float64(1),
    "dict": {},
    "array-like": Arraylike(),
    "type": np.ndarray,
    "memoryview": memoryview(np.ones((7, 5))),
}


@each(
    "kernel, path, wrong",
    [
        (*place, wrong)
        for place in PLACES
        for wrong in NO_ARRAYS
        if (place[1], wrong) != (("out",), "None")
    ],
)
def test_what_is_no_array(kernel, path, wrong):
    """But None for an output asks for a new array."""
    value = NO_ARRAYS[wrong]
    arguments, _ = leaf(kernel, path)
    arguments = calls.replaced(arguments, (path, value))
    came = re.escape(type(value).__name__)
    expected = rf"^{re.escape(calls.name(path))} must be a NumPy array, got (numpy\.)?{came}"
    assert_refused(kernel, arguments, TypeError, expected)


DTYPES = ["float16", "longdouble", "complex128", "int64", "int32", "uint8", "object", "S8", "U2"]
DTYPES += ["datetime64[s]", "timedelta64[s]", ">f8", ">f4", [("field", "f8")]]


@each_place
@each("wrong", DTYPES)
def test_arrays_of_another_dtype(kernel, path, wrong):
    """Byte-swapped ones too: nothing is converted."""
    arguments, array = leaf(kernel, path)
    array = np.zeros(array.shape, wrong)
    arguments = calls.replaced(arguments, (path, array))
    came = re.escape(str(array.dtype))
    expected = rf"^{re.escape(calls.name(path))} must have dtype .*float64, got {came}"
    assert_refused(kernel, arguments, TypeError, expected)


@each_place
def test_arrays_of_mixed_dtypes(kernel, path, dtype):
    """One array of the other dtype; where it comes first, the next one is the odd one."""
    other = {"float32": "float64", "float64": "float32"}[dtype.name]
    arguments, array = leaf(kernel, path, dtype)
    arguments = calls.replaced(arguments, (path, array.astype(other)))
    expected = rf"^{re.escape(calls.name(path))} must have dtype {dtype}, got {other}"
    if path == calls.paths(kernel)[0]:
        expected = rf"^(weights\[0\]|y|out|params\[1\]) must have dtype {other}, got {dtype}"
    assert_refused(kernel, arguments, TypeError, expected)


@each_place
def test_bool_arrays(kernel, path):
    """Good as rows of targets only."""
    arguments, array = leaf(kernel, path)
    arguments = calls.replaced(arguments, (path, array.astype(bool)))
    if path == ("y",):
        calls.run(kernel, arguments)
    else:
        expected = rf"^{re.escape(calls.name(path))} must have dtype .*float64, got bool"
        assert_refused(kernel, arguments, TypeError, expected)


@each(
    "kernel, path, ndim",
    [(*place, ndim) for place in PLACES for ndim in (0, 1, 2, 3, 64) if ndim != RANKS[place]],
)
def test_arrays_of_another_number_of_dimensions(kernel, path, ndim):
    arguments, array = leaf(kernel, path)
    arguments = calls.replaced(arguments, (path, np.ones((1,) * ndim)))
    expected = rf"^{re.escape(calls.name(path))} must have .*dimensions?, got {ndim}"
    error = ValueError
    if path == ("y",) and ndim == 1:
        error, expected = TypeError, "^y must hold integers, got float64"
    elif path[0] == "params" and ndim in (1, 2):
        expected = rf"^grads\[{path[1]}\] must have {ndim} dimensions?, got {array.ndim}"
    assert_refused(kernel, arguments, error, expected)


@each("kernel, path, axis", [(*place, axis) for place in PLACES for axis in range(RANKS[place])])
@each("change", [-1, 1])
def test_arrays_of_another_shape(kernel, path, axis, change):
    """It or, where it says what the others must be, one that does not fit it."""
    arguments, array = leaf(kernel, path)
    shape = list(array.shape)
    shape[axis] += change
    arguments = calls.replaced(arguments, (path, np.zeros(shape)))
    places = "|".join(re.escape(calls.name(other)) for other in calls.paths(kernel))
    expected = rf"^({places}) must have shape \((\w+, ?)+\w*\), got \(\d+,( \d+)?\)"
    assert_refused(kernel, arguments, ValueError, expected)


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    return raw[1:].view(array.dtype).reshape(array.shape)


def odd_stride(array):
    """Aligned in its first element only."""
    field = np.zeros(array.shape, {"names": ["f"], "formats": ["f8"], "itemsize": 12})["f"]
    assert field.strides[-1] == 12
    return field


@each_place
@each("wrong", [misaligned, odd_stride])
def test_arrays_that_are_not_aligned(kernel, path, wrong):
    arguments, array = leaf(kernel, path)
    arguments = calls.replaced(arguments, (path, wrong(array)))
    expected = (
        rf"^{re.escape(calls.name(path))} must be aligned to its dtype, got a misaligned array"
    )
    assert_refused(kernel, arguments, ValueError, expected)


# ---- outputs ----


@each_output
def test_outputs_that_are_read_only(kernel, path):
    arguments, array = leaf(kernel, path)
    array.flags.writeable = False
    expected = rf"^{re.escape(calls.name(path))} must be writeable, got a read-only array"
    assert_refused(kernel, arguments, ValueError, expected)


@each_output
@each("kind", [np.memmap, np.ndarray])
def test_outputs_that_are_read_only_maps_of_a_file(kernel, path, kind, tmp_path):
    """As mapped, and as an array that is a view of it: to write there would be a fault."""
    arguments, array = leaf(kernel, path)
    array.tofile(tmp_path / "out")
    mapped = np.memmap(tmp_path / "out", array.dtype, "r", shape=array.shape).view(kind)
    expected = rf"^{re.escape(calls.name(path))} must be writeable, got a read-only array"
    assert_refused(kernel, calls.replaced(arguments, (path, mapped)), ValueError, expected)


@each_output
@each("strides", [(0, 0), (16, 8), (8, 8), (0, 8), (8, 0)])
def test_outputs_that_overlap_themselves(kernel, path, strides):
    """Elements or rows in the same place, or rows that begin within others."""
    arguments, array = leaf(kernel, path)
    strides = strides if array.ndim == 2 else (0,)
    view = as_strided(np.zeros(99), array.shape, strides)
    arguments = calls.replaced(arguments, (path, view))
    expected = (
        rf"^{re.escape(calls.name(path))} must be an array of its own, got one that overlaps itself"
    )
    assert_refused(kernel, arguments, ValueError, expected)


def placed_together(arguments, path, other, shared):
    """Two arrays moved to one buffer, the second's beginning `shared` elements in the first."""
    first, second = (dict(calls.leaves(arguments))[place] for place in (path, other))
    buffer = np.zeros(first.nbytes + second.nbytes, np.uint8)
    views = []
    for array, begin in ((first, 0), (second, first.nbytes - 8 * shared)):
        view = buffer[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
        view[...] = array
        views.append(view)
    return calls.replaced(arguments, (path, views[0]), (other, views[1]))


OVERLAP = r"^(\S+) must be an array of its own, got one that overlaps (\S+)$"
PAIRS = [
    (kernel, path, other)
    for kernel, path in OUTPUT_PLACES
    for other in calls.paths(kernel)
    if other != path
]


@each("kernel, path, other", PAIRS)
def test_outputs_that_overlap_an_input_or_another_output(kernel, path, other):
    """In one element, at either end; side by side they are accepted."""
    arguments = calls.example(kernel)
    names = {calls.name(path), calls.name(other)}
    for first, second in ((path, other), (other, path)):
        overlapping = placed_together(arguments, first, second, shared=1)
        message = assert_refused(kernel, overlapping, ValueError, OVERLAP)
        assert set(re.match(OVERLAP, message).groups()) == names
        calls.run(kernel, placed_together(arguments, first, second, shared=0))


def test_gradient_written_over_the_labels():
    y = np.array([1, 0, 1])
    arguments = {"logits": np.ones((3, 1)), "y": y * 0, "out": None}
    arguments["out"] = arguments["y"].view(float)[:, np.newaxis]
    assert_refused("softmax_cross_entropy", arguments, ValueError, OVERLAP)


# ---- lists ----

LISTS = [
    *(("forward", name) for name in ("weights", "biases", "out", "slopes")),
    *(("backward", name) for name in ("activations", "weights", "slopes")),
    *(("sgd_step", name) for name in ("params", "grads")),
]
NO_LISTS = [1.0, "list", {}, np.ones((2, 2)), iter([]), {1, 2}]
NONES = [(*place, None) for place in LISTS if place[1] not in ("out", "slopes")]


@each("kernel, name, wrong", [(*place, wrong) for place in LISTS for wrong in NO_LISTS] + NONES)
def test_what_is_no_list(kernel, name, wrong):
    """Nor does None stand for anything but new outputs and no slopes."""
    arguments = {**calls.example(kernel), name: wrong}
    expected = rf"^{name} must be a list of arrays, got \S*{type(wrong).__name__}"
    assert_refused(kernel, arguments, TypeError, expected)


@each("kernel, name", LISTS)
@each("change", ["short", "long"])
def test_lists_of_another_length(kernel, name, change):
    """It or one that does not fit it is named; weights that do not chain are a shape."""
    arguments = calls.example(kernel)
    right = arguments[name]
    arguments[name] = right[:-1] if change == "short" else [*right, right[-1].copy()]
    expected = r"^(\w+|out\[0\]) must hold \d arrays, got \d$|^weights\[2\] must have shape"
    assert_refused(kernel, arguments, ValueError, expected)


@each("kernel", NETWORK_KERNELS)
def test_no_weights(kernel):
    arguments = {**calls.example(kernel), "weights": []}
    expected = "^weights must hold at least one array, got none"
    assert_refused(kernel, arguments, ValueError, expected)


@each("wrong", [[], [[], []], ([],), ([], [], []), "ab", 1])
def test_backward_out_that_is_no_pair(wrong):
    arguments = {**calls.example("backward"), "out": wrong}
    expected = r"^out must be a tuple \(dweights, dbiases\)"
    assert_refused("backward", arguments, TypeError, expected)


@each("part", [0, 1])
@each("wrong", [None, "ab", 1.0])
def test_backward_out_of_what_is_no_list(part, wrong):
    arguments = calls.example("backward")
    out = list(arguments["out"])
    out[part] = wrong
    arguments["out"] = tuple(out)
    assert_refused("backward", arguments, TypeError, rf"^out\[{part}\] must be a list of arrays")


@each("part", [0, 1])
def test_backward_out_of_another_length(part):
    arguments = calls.example("backward")
    arguments["out"][part].pop()
    expected = rf"^out\[{part}\] must hold 2 arrays, got 1"
    assert_refused("backward", arguments, ValueError, expected)


# ---- activations and slopes ----


@each("kernel", NETWORK_KERNELS)
@each(
    "wrong, error, message",
    [
        ([], ValueError, "activation must hold 2 names, one for each hidden layer, got 0"),
        (["relu"], ValueError, "activation must hold 2 names, one for each hidden layer, got 1"),
        (
            ("relu",) * 3,
            ValueError,
            "activation must hold 2 names, one for each hidden layer, got 3",
        ),
        (
            ["relu", "x"],
            ValueError,
            r"activation\[1\] must be one of 'identity', .*'gelu', got 'x'",
        ),
        ([None, "relu"], TypeError, r"activation\[0\] must be a str, got NoneType"),
        ([["relu"], "relu"], TypeError, r"activation\[0\] must be a str, got list"),
        (1, TypeError, "activation must be a str or a list of str, got int"),
        (np.array(["relu"] * 2), TypeError, "activation must be a str or a list of str, got nump"),
        ({"relu": 0, "tanh": 1}, TypeError, "activation must be a str or a list of str, got dict"),
    ],
)
def test_lists_of_activations(kernel, wrong, error, message):
    arguments = {**calls.example(kernel, layers=(5, 4, 6, 3)), "activation": wrong}
    assert_refused(kernel, arguments, error, f"^{message}")


@each("activation", ["gelu", ["relu", "gelu"], ("gelu", "identity")])
def test_slopes_that_backward_cannot_do_without(activation):
    arguments = calls.example("backward", layers=(5, 4, 6, 3)) | {"activation": activation}
    calls.run("backward", arguments)
    expected = "^slopes must be a list of arrays for activation 'gelu', .*, got None"
    assert_refused("backward", arguments | {"slopes": None}, ValueError, expected)


@each("kernel", NETWORK_KERNELS)
def test_slopes_of_another_number_of_layers(kernel):
    arguments = calls.example(kernel, layers=(5, 4, 6, 3))
    for slopes in (arguments["slopes"][:1], [*arguments["slopes"], np.zeros((7, 3))]):
        expected = f"^slopes must hold 2 arrays, got {len(slopes)}"
        assert_refused(kernel, arguments | {"slopes": slopes}, ValueError, expected)
    arguments = calls.example(kernel, layers=(5, 3)) | {"activation": "gelu", "slopes": []}
    calls.run(kernel, arguments)


# ---- labels ----

LABELS = [
    (np.array([0, -1, 2]), "got -1 at index 1"),
    (np.array([0, 1, 3]), "got 3 at index 2"),
    (np.array([2**32, 1, 2]), "got 4294967296 at index 0"),
    (np.array([0, 2**63, 1], np.uint64), "got 9223372036854775808 at index 1"),
    (np.array([0, 1, 200], np.uint8), "got 200 at index 2"),
    (np.array([0, 1, -100], np.int8), "got -100 at index 2"),
    (np.array([0, 1, -(2**63)]), "got -9223372036854775808 at index 2"),
]


@each("y, came", LABELS)
def test_labels_out_of_range(y, came):
    arguments = {**calls.example("softmax_cross_entropy", n=3), "y": y}
    expected = rf"^y must hold integers in \[0, 3\), {came}"
    assert_refused("softmax_cross_entropy", arguments, ValueError, expected)


@each("code", ["f8", "f4", "?", "O", "c16", "M8[s]", "m8[s]", "U1", "S1"])
def test_labels_that_are_no_integers(code):
    arguments = {**calls.example("softmax_cross_entropy", n=3), "y": np.ones(3, code)}
    expected = rf"^y must hold integers, got {re.escape(str(np.dtype(code)))}"
    assert_refused("softmax_cross_entropy", arguments, TypeError, expected)


@each("n", [0, 2, 4])
def test_labels_of_another_length(n):
    arguments = {**calls.example("softmax_cross_entropy", n=3), "y": np.zeros(n, int)}
    expected = rf"^y must have shape \(3,\), got \({n},\)"
    assert_refused("softmax_cross_entropy", arguments, ValueError, expected)


def test_labels_of_no_classes():
    arguments = {"logits": np.ones((2, 0)), "y": np.zeros(2, int)}
    expected = r"^y must hold integers in \[0, 0\), got 0 at index 0"
    assert_refused("softmax_cross_entropy", arguments, ValueError, expected)


# ---- options ----

NO_NUMBERS = ["x", None, 1j, [1.0], True, np.ones(1)]
OPTIONS = [
    *[(kernel, "activation", wrong, ValueError,
       rf"must be one of 'identity', 'logistic', 'tanh', 'relu', 'gelu', got '{wrong}'")
      for kernel in NETWORK_KERNELS for wrong in ("", "Relu", "x" * 500)],
    *[(kernel, "activation", wrong, (TypeError, ValueError), "must be")
      for kernel in NETWORK_KERNELS for wrong in (None, 1, b"relu", "re\0lu", "\ud800", {"relu"})],
    *[(kernel, "n_threads", wrong, ValueError, f"must be .*at least 1, got {wrong}")
      for kernel in NETWORK_KERNELS for wrong in (0, -1, -(2**70))],
    *[(kernel, "n_threads", wrong, TypeError, f"must be .*at least 1, got {type(wrong).__name__}")
      for kernel in NETWORK_KERNELS for wrong in (1.5, True, "2", np.float64(1), [1])],
    *[("softmax_cross_entropy", "eps", wrong, ValueError, "must be finite and at least 0, got")
      for wrong in (-1e-300, -1, np.nan, np.inf, -np.inf, 10**400)],
    *[("softmax_cross_entropy", "eps", wrong, TypeError, "must be a real number, got")
      for wrong in NO_NUMBERS],
    *[("sgd_step", "learning_rate", wrong, ValueError, "must be finite, got")
      for wrong in (np.nan, np.inf, -np.inf, np.float32("inf"), 10**400)],
    *[("sgd_step", "learning_rate", wrong, TypeError, "must be a real number, got")
      for wrong in NO_NUMBERS],
]  # fmt: skip


@each("kernel, name, wrong, error, message", OPTIONS)
def test_options(kernel, name, wrong, error, message):
    arguments = {**calls.example(kernel), name: wrong}
    assert_refused(kernel, arguments, error, rf"^{name} {message}")


@each(
    "name, wrong, error, message",
    [
        *[("layer_sizes", wrong, ValueError, "must hold two or more integers of at least 1, got")
          for wrong in ([], [3], 3, [3, 0], [3, -1], [3, 2.0], [3, True], [3, None], "32", None,
                        [[3, 2], [2, 1]], {3: 2})],
        *[("layer_sizes", wrong, ValueError, "must make layers of at most")
          for wrong in ([3, 2**60], [2**31, 2**31], [10**400, 3])],
        *[("init", wrong, ValueError, "must be one of .*'glorot_uniform', 'he_normal'.*, got")
          for wrong in ("xavier", None, 1, "", ["he_normal"])],
        *[("dtype", wrong, TypeError, "must be float32 or float64, got")
          for wrong in ("float16", int, complex, object, ">f4", bool, np.longdouble, "nonsense")],
    ],
)  # fmt: skip
def test_initialize_options(name, wrong, error, message):
    arguments = {"layer_sizes": [3, 2], "random_state": 0} | {name: wrong}
    with pytest.raises(error, match=rf"^{name} {message}"):
        kernels.initialize(**arguments)


@each("wrong", ["seed", 1.5, -1, 2**32, []])
def test_initialize_from_no_seed(wrong):
    with pytest.raises(ValueError, match=r"(?i)seed"):
        kernels.initialize([3, 2], random_state=wrong)

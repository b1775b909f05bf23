"""Arrays, outputs and lists that a kernel cannot use it refuses: TypeError or ValueError, naming
the argument, what came and what was expected; and every output keeps its bits.

Each array of each kernel's valid call, in turn, is replaced by each wrong thing.
"""

import itertools
import re

import numpy as np
from numpy.lib.stride_tricks import as_strided

from support import calls
from support.refusals import NETWORK_KERNELS, assert_refused, each

PLACES = [(kernel, path) for kernel in calls.KERNELS for path in calls.paths(kernel)]
OUTPUT_PLACES = [place for place in PLACES if calls.is_output(*place)]
RANKS = {
    (kernel, path): array.ndim
    for kernel in calls.KERNELS
    for path, array in calls.leaves(calls.example(kernel))
}

each_place = each("kernel, path", PLACES)
each_output = each("kernel, path", OUTPUT_PLACES)


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
    *(("train_step", name) for name in ("weights", "biases")),
]
NO_LISTS = [1.0, "list", {}, np.ones((2, 2)), itertools.repeat(1.0, 2), {1, 2}]
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

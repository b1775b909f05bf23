"""No kernel copies its inputs, leaks, or allocates by their size."""

import gc
import itertools
import sys
import tracemalloc
from functools import partial

import numpy as np
import pytest

from mlp_c import kernels
from support import calls, core_calls
from support.wide import virtual

MB = 1 << 20
N_CALLS = 300  # more than the blocks that a leak may not reach; `make leaks` makes more
REFUSALS = 50  # calls of each that are to be refused
# Rows and widths that make the largest input 60 MB or more in float32.
LARGE = {
    "forward": (100_000, (160, 4, 3)),
    "softmax": (100_000, (1, 160)),
    "softmax_cross_entropy": (100_000, (1, 160)),
    "backward": (100_000, (160, 4, 3)),
    "sgd_step": (1, (100_000, 160)),
    "train_step": (100_000, (160, 4, 3)),
}

each_kernel = pytest.mark.parametrize("kernel", calls.KERNELS)


each_case = pytest.mark.parametrize("case", core_calls.CASES)


def broadcast(dtype):
    return partial(virtual, dtype=dtype)


def column_major(dtype):
    return lambda *shape: np.full(shape, 0.5, dtype, order="F")


def peak_of(kernel, arguments):
    """The most memory in use at once, beyond what is in use before, in bytes."""
    tracemalloc.start()
    try:
        calls.run(kernel, arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("draw", [broadcast, column_major])
@each_kernel
def test_large_inputs_are_read_where_they_lie(kernel, draw, dtype):
    """Stride tricks and Fortran order alike: the workspace is under 2 MB a thread."""
    n, widths = LARGE[kernel]
    arguments = calls.example(kernel, dtype, n, widths, draw=draw(dtype))
    assert max(array.nbytes for _, array in calls.leaves(arguments)) > 60 * MB
    assert peak_of(kernel, arguments) < 2 * MB
    if "n_threads" in arguments:
        assert peak_of(kernel, {**arguments, "n_threads": 2}) < 2 * 2 * MB


@pytest.mark.parametrize("kernel", ["forward", "backward", "train_step"])
def test_rows_that_are_mostly_zeros_are_not_copied(kernel, dtype):
    """What is listed of them is of the rows in work alone."""
    n, widths = LARGE[kernel]
    arguments = calls.example(kernel, dtype, n, widths, draw=broadcast(dtype))
    arguments["X"] = np.zeros((n, widths[0]), dtype)
    arguments["X"][:, ::10] = 1
    if kernel == "train_step":
        arguments |= {"weights": [w.copy() for w in arguments["weights"]]}
        arguments |= {"biases": [b.copy() for b in arguments["biases"]]}
    assert peak_of(kernel, arguments) < 2 * MB


def test_a_layer_without_units_has_no_tasks_however_many_inputs(dtype):
    """Its weights are no memory at all, and the plan's tasks would be more than there is."""
    inputs = 1 << 30
    arguments = calls.example("backward", dtype, 1, (1, 0, 2)) | {
        "X": virtual(1, inputs, dtype=dtype),
        "weights": [np.empty((inputs, 0), dtype), np.empty((0, 2), dtype)],
        "out": None,
    }
    assert peak_of("backward", arguments) < MB


@pytest.mark.parametrize("kind", ["labels", "bool"])
def test_targets_are_not_made_into_rows_of_the_dtype(kind, dtype):
    """Labels are copied, at 12 bytes each while they are checked; bool rows never."""
    n, widths = LARGE["softmax_cross_entropy"]
    y = np.zeros(n, np.int8) if kind == "labels" else np.ones((n, widths[-1]), bool)
    arguments = calls.example("softmax_cross_entropy", dtype, n, widths, draw=broadcast(dtype))
    assert peak_of("softmax_cross_entropy", {**arguments, "y": y}) < 2 * MB


def test_the_measure_sees_what_kernels_allocate(dtype):
    """New outputs count, to the byte; so does the workspace."""
    arguments = calls.example("forward", dtype, 5_000, (400, 200), draw=broadcast(dtype))
    size = arguments.pop("out")[0].nbytes
    assert size + 0.25 * MB < peak_of("forward", arguments) < size + 2 * MB


def footprint(arguments):
    """What a leak would raise: references, tracked objects, memory blocks, bytes."""
    gc.collect()
    references = [sys.getrefcount(array) for _, array in calls.leaves(arguments)]
    return (
        sum(references),
        len(gc.get_objects()),
        sys.getallocatedblocks(),
        tracemalloc.get_traced_memory()[0],
    )


def growth(arguments, call, n_calls=N_CALLS):
    """By how much so many calls raise the footprint, after as many to warm up."""
    tracemalloc.start()
    try:
        for _ in range(n_calls):
            call()
        before = footprint(arguments)
        for _ in range(n_calls):
            call()
        return np.subtract(footprint(arguments), before)
    finally:
        tracemalloc.stop()


def assert_flat(grown):
    """Far less than one of anything a call; of each of REFUSALS, no reference and no object."""
    assert (np.abs(grown) <= [3, 30, 200, 20_000]).all(), grown


@each_kernel
def test_good_calls_leave_nothing_behind(kernel):
    arguments = calls.example(kernel, n=3)
    assert_flat(growth(arguments, lambda: calls.run(kernel, arguments)))


@pytest.mark.parametrize("kernel", ["forward", "softmax", "softmax_cross_entropy", "backward"])
def test_good_calls_with_new_outputs_leave_nothing_behind(kernel):
    arguments = calls.example(kernel, n=3)
    arguments["out"] = None
    if kernel == "softmax_cross_entropy":
        arguments["y"] = np.zeros(3, int)
    assert_flat(growth(arguments, lambda: calls.run(kernel, arguments)))


@each_kernel
def test_failing_calls_leave_nothing_behind(kernel):
    """Each argument in turn is the one refused, as late as at the overlap check."""
    good = calls.example(kernel, n=3)
    bad = [calls.replaced(good, (path, "no array")) for path in calls.paths(kernel)]
    bad += [calls.replaced(good, (path, array.astype(int))) for path, array in calls.leaves(good)]
    for path, array in calls.leaves(good):
        if calls.is_output(kernel, path):
            itself = np.lib.stride_tricks.as_strided(array, strides=(0,) * array.ndim)
            bad.append(calls.replaced(good, (path, itself)))
    if kernel == "softmax_cross_entropy":
        bad.append({**good, "y": np.array([0, 1, 3])})
    turns = itertools.cycle(bad)

    def call():
        try:
            calls.run(kernel, next(turns))
        except (TypeError, ValueError):
            return
        raise AssertionError("was accepted")

    assert_flat(growth(good, call, REFUSALS * len(bad)))


# ---- the functions behind the estimators, too ----


@each_case
@pytest.mark.parametrize("n_threads", [1, 2])
def test_calls_write_to_their_outputs_only(case, n_threads, dtype):
    """Of enough rows that a second thread has a share of them, where not by batches."""
    arguments = core_calls.examples(dtype, 3000, (100, 64, 3), n_threads)[case]
    no_step = case.startswith(("sgd_step", "train_step"))  # at a learning rate of 0
    outputs = [] if no_step else core_calls.written(case)
    if case == "train_members":  # whose rows held out are not to be taken for what is trained
        arguments[0] = [(epoch, None) for epoch, _ in arguments[0]]
    before = {path: array.tobytes() for path, array in calls.leaves(arguments)}
    core_calls.run(case, arguments)
    changed = [path for path, array in calls.leaves(arguments) if array.tobytes() != before[path]]
    for path in changed:
        assert any(path[: len(place)] == place for place in outputs), path
    for place in outputs:
        assert any(path[: len(place)] == place for path in changed), place


@each_case
def test_good_calls_of_the_core_leave_nothing_behind(case):
    arguments = core_calls.examples(n=3)[case]
    assert_flat(growth(arguments, lambda: core_calls.run(case, arguments)))


@pytest.mark.parametrize("case", [case for case in core_calls.CASES if case not in core_calls.BARE])
def test_failing_calls_of_the_core_leave_nothing_behind(case):
    """Each argument in turn, and each array, is the one refused; or a field is missing."""
    good = core_calls.examples(n=3)[case]
    bad = [
        good | {name: object()}
        for name, value in good.items()
        if not isinstance(value, bool)  # of which any object will do
    ]
    bad += [calls.replaced(good, (path, array.astype("c16"))) for path, array in calls.leaves(good)]
    if "X" in good:
        bad += [{n: v for n, v in good.items() if n != missing} for missing in good]
        bad += [good | {"another": object()}]
        bad += [
            good | {part: {**good[part], name: object()}}
            for part in ("loss", "rule")
            for name in good.get(part, ())
        ]
    turns = itertools.cycle(bad)

    def call():
        try:
            core_calls.run(case, next(turns))
        except (TypeError, ValueError):
            return
        raise AssertionError("was accepted")

    assert_flat(growth(good, call, REFUSALS * len(bad)))


def test_failing_initialize_draws_nothing():
    random_state = np.random.RandomState(0)
    with pytest.raises(TypeError):
        kernels.initialize([2, 3], random_state=random_state, dtype=int)
    assert random_state.uniform() == np.random.RandomState(0).uniform()

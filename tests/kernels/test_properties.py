"""What holds for any input: one result, bit for bit, however the work is laid out."""

import functools
import operator
import os
import sys
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlp_c import _core, kernels
from support import calls
from support.processes import end_parked_threads

each_kernel = pytest.mark.parametrize("kernel", calls.KERNELS)
# More multiply-adds than 16 threads ask for, in an epoch's batch too.
WIDTHS, ROWS, BATCH = (200, 190, 10), 1000, 150


def problem(dtype, n=ROWS, widths=WIDTHS):
    """Rows, labels, an order, weights and biases."""
    draw = calls.normal(dtype)
    weights, biases = kernels.initialize(widths, random_state=0, dtype=dtype)
    y = np.arange(n) * 7 % widths[-1]
    return draw(n, widths[0]), y, np.random.default_rng(1).permutation(n), weights, biases


def everything(dtype, n_threads=None):
    """The bits of forward, backward, softmax, the loss, a step and an epoch."""
    X, y, order, weights, biases = problem(dtype)
    activations = kernels.forward(X, weights, biases, activation="tanh", n_threads=n_threads)
    loss, dlogits = kernels.softmax_cross_entropy(activations[-1], y)
    gradients = kernels.backward(
        X, activations, dlogits, weights, activation="tanh", n_threads=n_threads
    )
    rule, moments = "nesterov", calls.moments("nesterov", weights + biases, np.ones_like)
    options = {"rule": calls.rule(rule), "l2": 0.1, "order": order, "moments": moments}
    total = calls.train_epoch(
        X, y, weights, biases, batch_size=BATCH, n_threads=n_threads or 1, **options
    )
    p = kernels.softmax(activations[-1])
    kernels.sgd_step([*weights, *biases], [*gradients[0], *gradients[1]], 0.1, n_threads=n_threads)
    return calls.bits([activations, p, dlogits, gradients, weights, biases, moments]), loss, total


# ---- one result ----


@pytest.mark.parametrize("n_threads", [2, 3, 8, 16])
def test_same_bits_on_any_number_of_threads(n_threads, dtype, isa):
    assert everything(dtype, n_threads) == everything(dtype, 1)


@pytest.mark.parametrize("n_threads", [2, 3, 8, 16])
def test_sgd_step_has_the_same_bits_however_its_parameters_are_shared(n_threads, dtype, isa):
    draw = calls.normal(dtype)
    shapes = [(300, 701), (1, 100_003), (250_001,), (7, 3), (0, 5), (1,)]
    grads = [draw(*shape) for shape in shapes]
    alone, shared = ([np.ones(shape, dtype) for shape in shapes] for _ in range(2))
    kernels.sgd_step(alone, grads, 0.3, n_threads=1)
    kernels.sgd_step(shared, grads, 0.3, n_threads=n_threads)
    assert calls.bits(shared) == calls.bits(alone)
    assert all((a != 1).all() for a in shared)


@pytest.mark.parametrize("widths", [(201, 190, 10), (40, 65, 3), (7, 300)])
def test_same_bits_whether_zeros_are_skipped_and_on_any_number_of_threads(widths, dtype, isa):
    results = {}
    for kind in ("dense", "pairs", "scanned", "csri4"):
        for n_threads in (1, 2, 3, 4, 6):
            X, y, order, weights, biases = problem(dtype, widths=widths)
            X[X < 0.9] = 0
            total = calls.train_epoch(
                *(calls.rows_as(kind, X), y, weights, biases), rule=calls.rule("momentum"),
                l2=0.1, moments=calls.moments("momentum", weights + biases, np.ones_like),
                order=order, batch_size=300, n_threads=n_threads,
            )  # fmt: skip
            results[kind, n_threads] = calls.bits(weights + biases), total
    first = results["dense", 1]
    assert [key for key, result in results.items() if result != first] == []


LAYOUTS = {
    "C": np.array,
    "Fortran": np.asfortranarray,
    "strided": lambda p: (
        np.repeat(np.repeat(p, 2, 0), 3, -1)[::2, ::3] if p.ndim == 2 else p.copy()
    ),
}


@pytest.mark.parametrize("rule", ["sgd", "nesterov", "adam"])
def test_same_bits_for_weights_of_any_layout_on_any_number_of_threads(rule, dtype, isa):
    results = {}
    for layout, copy in LAYOUTS.items():
        for n_threads in (1, 2, 3, 4):
            X, y, order, weights, biases = problem(dtype, widths=(200, 141, 10))
            weights, biases = [copy(p) for p in weights], [p.copy() for p in biases]
            moments = calls.moments(rule, weights + biases, lambda p, c=copy: c(np.ones_like(p)))
            total = calls.train_epoch(
                *(X, y, weights, biases), rule=calls.rule(rule), l2=0.1, moments=moments,
                order=order, batch_size=300, n_threads=n_threads,
            )  # fmt: skip
            results[layout, n_threads] = calls.bits([weights, biases, moments]), total
    first = results["C", 1]
    assert [key for key, result in results.items() if result != first] == []


def test_same_bits_when_run_again(dtype, isa):
    assert everything(dtype) == everything(dtype)


@pytest.mark.parametrize("cuts", [[1], [7, 300], [96, 97, 257, 512, 600]])
def test_same_bits_when_rows_come_in_pieces(cuts, dtype, isa):
    X, _, _, weights, biases = problem(dtype)
    whole = kernels.forward(X, weights, biases)
    pieces = [kernels.forward(piece, weights, biases) for piece in np.split(X, cuts)]
    for layer, outputs in enumerate(zip(*pieces, strict=True)):
        assert np.concatenate(outputs).tobytes() == whole[layer].tobytes()
    parts = [kernels.softmax(piece) for piece in np.split(whole[-1], cuts)]
    assert np.concatenate(parts).tobytes() == kernels.softmax(whole[-1]).tobytes()


# ---- an epoch is a loop over the kernels ----


@pytest.mark.parametrize("batch_size", [1, 64, 300, 10**6])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_epoch_has_the_bits_of_a_loop_over_the_kernels(batch_size, ordered, soft, dtype, isa):
    n, widths = 700 if batch_size > 1 else 50, (20, 17, 9, 5)
    X, y, order, weights, biases = problem(dtype, n, widths)
    if soft:
        y = kernels.softmax(calls.normal(dtype)(n, widths[-1]))
    order = order if ordered else np.arange(n)
    looped = [p.copy() for p in weights + biases]
    loop_weights, loop_biases = looped[: len(weights)], looped[len(weights) :]
    want = 0.0
    for first in range(0, n, batch_size):
        rows = order[first : first + batch_size]
        activations = kernels.forward(X[rows], loop_weights, loop_biases)
        losses = [  # one row at a time: the epoch adds up rows, not means
            kernels.softmax_cross_entropy(activations[-1][i : i + 1], y[row : row + 1])[0]
            for i, row in enumerate(rows)
        ]
        want += functools.reduce(operator.add, losses)  # sum compensates, from Python 3.12 on
        _, dlogits = kernels.softmax_cross_entropy(activations[-1], y[rows])
        dweights, dbiases = kernels.backward(X[rows], activations, dlogits, loop_weights)
        kernels.sgd_step(looped, dweights + dbiases, 0.1)
    total = calls.train_epoch(
        X, y, weights, biases, order=order if ordered else None, batch_size=batch_size
    )
    assert calls.bits(weights + biases) == calls.bits(looped)
    assert total == want


@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov"])
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_update_rules_follow_their_formulas(rule, l2, dtype, isa):
    """One batch: v = momentum v - learning_rate g; p += v, or momentum v - learning_rate g.

    l2 adds l2 / n to a weight's gradient for each unit of it, and to the loss half
    of l2 times the weights' squares, as they were before.
    """
    n, learning_rate, momentum = 60, 0.2, 0.9
    X, y, _, weights, biases = problem(dtype, n, (8, 6, 4))
    params = weights + biases
    old = [p.astype(float) for p in params]
    activations = kernels.forward(X, weights, biases)
    loss, dlogits = kernels.softmax_cross_entropy(activations[-1], y)
    gradients = [g.astype(float) for part in kernels.backward(X, activations, dlogits, weights)
                 for g in part]  # fmt: skip
    velocities = [calls.normal(dtype)(*p.shape) for p in params]
    v0 = [v.astype(float) for v in velocities]
    moments = () if rule == "sgd" else (velocities,)
    constants = {} if rule == "sgd" else {"momentum": momentum}
    options = {"rule": calls.rule(rule, **constants), "learning_rates": np.full(1, learning_rate)}
    options |= {"l2": l2, "moments": moments, "batch_size": n}
    total = calls.train_epoch(X, y, weights, biases, **options)
    rounding = 8 * float(np.finfo(dtype).eps)
    for i, (p, p0, g, v, start) in enumerate(
        zip(params, old, gradients, velocities, v0, strict=True)
    ):
        step = learning_rate * (g + (l2 / n * p0 if i < len(weights) else 0))
        velocity = momentum * start - step
        change = {"sgd": -step, "momentum": velocity, "nesterov": momentum * velocity - step}[rule]
        size = np.abs(p0) + np.abs(start) + np.abs(step)
        assert (np.abs(p - (p0 + change)) <= rounding * size).all()
        assert (np.abs(v - (start if rule == "sgd" else velocity)) <= rounding * size).all()
    squares = sum((w**2).sum() for w in old[: len(weights)])
    assert total == pytest.approx(loss * n + l2 / 2 * squares, rel=rounding)


# ---- any layout ----

STEPS = st.sampled_from([-3, -2, -1, 1, 2, 3])


@st.composite
def layouts(draw):
    """A function that puts an array into a larger one and returns both."""
    steps, margin = draw(st.tuples(STEPS, STEPS)), draw(st.integers(0, 3))
    transposed = draw(st.booleans())

    def place(array):
        reach = [abs(step) * size for step, size in zip(steps, array.shape, strict=False)]
        shape = [2 * margin + r for r in reach]
        buffer = np.full(shape[::-1] if transposed else shape, -77, array.dtype)
        inside = tuple(
            slice(margin, margin + r, abs(step)) for r, step in zip(reach, steps, strict=False)
        )
        turned = tuple(slice(None, None, 1 if step > 0 else -1) for step in steps[: array.ndim])
        view = (buffer.T if transposed else buffer)[inside][turned]
        view[...] = array
        return view, buffer

    return place


@each_kernel
@given(data=st.data())
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_layout_has_the_bits_of_contiguous_arrays(kernel, dtype, isa, data):
    """Strided, negative, transposed, shifted and broadcast inputs, some read-only; outputs
    as slices of larger arrays, around which nothing is written. Inputs stay as they were.
    """
    n = data.draw(st.sampled_from([0, 1, 2, 6, 7, 13, 33]))
    width = st.sampled_from([1, 2, 4, 5, 9, 17, 33])
    contiguous = calls.example(kernel, dtype, n, (data.draw(width), data.draw(width), 3))
    buffers = {}

    def lay_out(path, array):
        view, buffers[path] = data.draw(layouts())(array)
        if not calls.is_output(kernel, path):
            if array.size and data.draw(st.booleans()):
                view = np.broadcast_to(view[:1], view.shape)
            view.flags.writeable = view.flags.writeable and data.draw(st.booleans())
        return view

    views = calls.rebuilt(contiguous, lay_out)
    wanted = calls.rebuilt(views, lambda path, view: np.array(view, order="C"))
    before = {path: buffer.copy() for path, buffer in buffers.items()}
    result, want = calls.run(kernel, views), calls.run(kernel, wanted)

    if kernel == "softmax_cross_entropy":
        assert result[0] == want[0]
    for (path, view), (_, expected) in zip(calls.leaves(views), calls.leaves(wanted), strict=True):
        assert view.tobytes() == expected.tobytes()
        if calls.is_output(kernel, path):
            view[...] = -77  # what is left is the guard area
            before[path][...] = -77
        assert buffers[path].tobytes() == before[path].tobytes()


@pytest.mark.parametrize("kernel", sorted(set(calls.KERNELS) - set(calls.IN_PLACE)))
def test_new_outputs_have_the_bits_of_given_ones(kernel, dtype):
    given_out = calls.example(kernel, dtype)
    made = calls.run(kernel, {**given_out, "out": None})
    assert calls.bits(made) == calls.bits(calls.run(kernel, given_out))


@each_kernel
def test_the_very_outputs_given_are_returned(kernel):
    arguments = calls.example(kernel)
    result = calls.run(kernel, arguments)
    if kernel in calls.IN_PLACE:
        assert not isinstance(result, np.ndarray | list | tuple)
    else:
        result = result[1] if kernel == "softmax_cross_entropy" else result
        assert result is arguments["out"]


@pytest.mark.parametrize("kernel", ["forward", "backward"])
def test_lists_may_be_tuples(kernel):
    arguments = calls.example(kernel)
    tuples = {
        key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()
    }
    assert calls.bits(calls.run(kernel, tuples)) == calls.bits(calls.run(kernel, arguments))


@pytest.mark.parametrize("subclass", [np.matrix, np.ma.MaskedArray, np.memmap])
def test_subclasses_are_read_as_the_arrays_they_are(subclass, tmp_path):
    logits = calls.example("softmax")["logits"]
    if subclass is np.memmap:
        logits.tofile(tmp_path / "logits")
        view = np.memmap(tmp_path / "logits", logits.dtype, "r", shape=logits.shape)
    else:
        view = logits.view(subclass)
    assert type(view) is subclass
    assert kernels.softmax(view).tobytes() == kernels.softmax(logits).tobytes()


def test_slices_that_interleave_in_memory_are_disjoint(dtype):
    """Input and output columns of one buffer."""
    big = np.ones((50, 8), dtype)
    weights, biases = [np.ones((5, 3), dtype)], [np.zeros(3, dtype)]
    kernels.forward(big[:, :5], weights, biases, out=[big[:, 5:]])
    np.testing.assert_array_equal(big, [[1] * 5 + [5] * 3] * 50)


# ---- nothing, and little ----


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("n", [0, 1, 4])
@pytest.mark.parametrize("widths", [(0, 2, 3), (2, 0, 3), (2, 3, 0), (0, 0, 0), (3, 2, 1)])
def test_empty_shapes_have_defined_results(order, n, widths, dtype, isa):
    """A sum of nothing is its start: the bias, or 0. The loss of nothing is 0.0."""
    weights = [np.ones(shape, dtype, order) for shape in pairwise(widths)]
    biases = [np.full(width, 2, dtype) for width in widths[1:]]
    X = np.ones((n, widths[0]), dtype, order)
    hidden, logits = kernels.forward(X, weights, biases)
    np.testing.assert_array_equal(hidden, np.full((n, widths[1]), 2 + widths[0]))
    np.testing.assert_array_equal(logits, hidden @ weights[1] + biases[1])
    assert kernels.softmax(logits).sum() == pytest.approx(n if widths[-1] else 0)
    loss, dlogits = kernels.softmax_cross_entropy(logits, np.ones_like(logits))
    assert loss == 0.0 or (n > 0 and widths[-1] > 1)
    dweights, dbiases = kernels.backward(X, [hidden, logits], np.ones_like(dlogits), weights)
    np.testing.assert_array_equal(dweights[1], hidden.T @ np.ones_like(logits))
    np.testing.assert_array_equal(dbiases[1], np.full(widths[-1], n))
    np.testing.assert_array_equal(dbiases[0], np.full(widths[1], n * widths[-1]))


@pytest.mark.parametrize("y", [np.zeros(0, int), np.zeros((0, 3)), np.zeros((0, 3), bool)])
def test_loss_of_no_rows_is_zero(y):
    loss, dlogits = kernels.softmax_cross_entropy(np.zeros((0, 3)), y)
    assert type(loss) is float
    assert loss == 0.0
    assert dlogits.shape == (0, 3)


def test_sgd_step_of_no_parameters():
    assert kernels.sgd_step([], [], 0.1) is None


@pytest.mark.parametrize("hidden", [[], [20]])
@pytest.mark.parametrize("n", [1, 4, 5, 130])
def test_a_bias_of_minus_zero_is_one_of_zero(n, hidden, dtype):
    """Else a sum of nothing but zeros would tell whether they were added."""
    widths = [7, *hidden, 5]
    weights = [np.ones(shape, dtype) for shape in pairwise(widths)]
    X = np.zeros((n, widths[0]), dtype)
    forms = X, (X, None), (X[:0, 0], np.zeros(0, np.int32), np.zeros(n + 1, np.int64), widths[0])
    for zero in (0.0, -0.0):
        biases = [np.full(k, zero, dtype) for k in widths[1:]]
        for form in forms:
            out = _core.predict(form, None, weights, biases, "relu", "identity", False, 1)
            assert out.tobytes() == bytes(out.nbytes)
        assert not np.signbit(kernels.forward(X, weights, biases)[-1]).any()


def test_denormal_arithmetic_is_left_alone(isa):
    """Neither flush-to-zero nor denormals-are-zero, after the kernels have run."""
    everything(np.dtype(np.float32), 2)
    smallest = np.finfo(np.float64).smallest_subnormal
    assert np.float64(2.0**-1022) / 2 == 2.0**-1023 != 0
    assert smallest * 2 == 2 * smallest != 0
    half = np.full(99, 2.0**-126, np.float32) / 2
    assert (half * 2 == 2.0**-126).all()


# ---- threads ----


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.thread_unsafe(reason="counts the threads of the process")
def test_the_gil_is_released_and_threads_run():
    """While another thread is inside forward, this one runs, and counts the threads."""
    X, (w,), (b,) = np.ones((6000, 600)), [np.ones((600, 600))], [np.ones(600)]
    call = threading.Thread(
        target=lambda: [kernels.forward(X, [w], [b], n_threads=3) for _ in range(3)]
    )
    end_parked_threads()
    before = len(os.listdir("/proc/self/task"))
    counts, began = [], time.process_time()
    call.start()
    while call.is_alive():
        counts.append(len(os.listdir("/proc/self/task")) - before)
        time.sleep(0.001)
    assert time.process_time() - began > 0.05, "too quick to tell"
    assert len(counts) > 20
    assert max(counts) == 3  # the calling thread and two more

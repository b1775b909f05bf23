"""Nothing beside an array is read or written, whatever its size: it lies between guard pages.

Elsewhere: what lies around strided outputs (kernels/test_properties).
"""

import sys
from itertools import pairwise

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from mlp_c import _core
from support import calls, coded, formulas, processes
from support.guards import Fence

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's mmap and /proc")
each_isa = pytest.mark.parametrize("isa", _core.config()["supported_isas"])
SIZES = range(1, 34)
SHAPE = {"rows": 7, "inputs": 5, "hidden": 9, "outputs": 3}


def shapes():
    """Every size in every dimension, and in all at once."""
    for size in SIZES:
        yield (size,) * 4
        for name in SHAPE:
            yield tuple({**SHAPE, name: size}.values())


def column_major(nest):
    return calls.rebuilt(nest, lambda _, array: np.array(array, order="F"))


def compare_kernels(fences, kernel, arguments, case):
    guarded = [fence.fenced(arguments) for fence in fences]
    calls.run(kernel, arguments)
    for nest in guarded:
        calls.run(kernel, nest)
        assert calls.bits(nest) == calls.bits(arguments), (kernel, case)


def check_kernels(dtype):
    """The public kernels give the same bits with every array between guard pages."""
    fences = [Fence(12, 33 * 33 * 8, at_end) for at_end in (False, True)]
    for n, *widths in shapes():
        for kernel in calls.KERNELS:
            plain = calls.example(kernel, dtype, n, tuple(widths))
            for arguments in (plain, column_major(plain)):
                compare_kernels(fences, kernel, arguments, (n, widths))


FORMS = ["dense", "scanned", "pairs", "csru2", "csri4", "csri8"]
FORMS += ["?", "u1", "i2", "i4", "u8", "f2", "f4", "f8"]
LOSSES, RULES = list(calls.LOSSES), list(calls.RULES)
ACTIVATIONS = _core.names()["activations"]


def train_epoch(a):
    names = ("X", "y", "weights", "biases", "sample_weight", "order", "activation", "loss", "rule")
    names += ("moments", "learning_rates", "batch_size", "n_threads")
    options = {name: a[name] for name in names} | {"l2": 0.1, "steps": np.full(1, 3)}
    return np.array(_core.train_epoch(calls.fields("train_epoch", **options)))


def loss_gradient(a):
    names = ("X", "y", "weights", "biases", "sample_weight", "activation", "loss")
    names += ("dweights", "dbiases")
    options = {name: a[name] for name in names} | {"l2": 0.1}
    return np.array(_core.loss_gradient(calls.fields("loss_gradient", **options)))


def output_of(a):
    return formulas.LOSSES[a["loss"]["name"]].output


def evaluate(a):
    names = "X", "y", "weights", "biases", "sample_weight", "order", "activation", "loss", "outputs"
    options = {name: a[name] for name in names} | {"output": output_of(a)}
    return np.array(_core.evaluate(calls.fields("evaluate", **options)))


def predict(a):
    output = output_of(a)
    if isinstance(a["y"], tuple):
        output = output, a["y"][1]
    return _core.predict(
        *(a["X"], a["order"], a["weights"], a["biases"], a["activation"], output, True, 1)
    )


def index_nonzeros(a):
    X = a["X"][0] if isinstance(a["X"], tuple) else a["X"]
    if X.ndim == 1 or X.dtype.kind == "i":
        return None
    return _core.index_nonzeros(X, a["weights"][0].dtype.name, 1.0, np.inf, 1)


def core_example(dtype, form, loss, rule, n, widths):
    """Arguments of an epoch and a gradient; of mostly-zero rows, of small integers."""
    draw, rng = calls.normal(dtype), np.random.default_rng(n)
    layers = [*widths[:-1], widths[-1] * calls.outputs_per_target(calls.loss(loss))]
    shapes = list(pairwise(layers))
    weights, biases = [draw(*shape) for shape in shapes], [draw(w) for w in layers[1:]]
    X = (rng.integers(1, 9, (n, widths[0])) * (rng.random((n, widths[0])) < 0.4)).astype(dtype)
    y = np.abs(draw(n, widths[-1]))
    if loss == "cross_entropy":
        k = widths[-1]
        y = np.arange(n) % k
        if n % 2 == 1:
            heads = np.array([width for width in (k // 3, 1, k - 1 - k // 3) if width > 0])
            y = y[:, np.newaxis] % heads, heads
    elif loss == "logistic_loss":
        y = y > 0.5
    batch_size = max(n // 2, 1)
    return {
        "X": calls.rows_as(form, X),
        "y": y,
        "sample_weight": np.abs(draw(n)) + 1,
        "order": rng.permutation(n),
        "weights": weights,
        "biases": biases,
        "moments": calls.moments(rule, weights + biases, lambda p: np.abs(draw(*p.shape))),
        "dweights": [np.zeros_like(w) for w in weights],
        "dbiases": [np.zeros_like(b) for b in biases],
        "activation": [ACTIVATIONS[(n + i) % len(ACTIVATIONS)] for i in range(len(shapes) - 1)],
        "outputs": draw(n, layers[-1]),
        "loss": calls.loss(loss),
        "rule": calls.rule(rule),
        "batch_size": batch_size,
        "learning_rates": calls.rates(0.01, n, batch_size),
        "n_threads": 1,
    }


CORE = loss_gradient, evaluate, predict, index_nonzeros, train_epoch


def compare_core(fences, plain, case, functions=CORE):
    guarded = [fence.fenced(plain) for fence in fences]
    for call in functions:
        results = [calls.bits(call(a)) for a in (plain, *guarded)]
        assert results[1:] == results[:1] * 2, (call, case)
    for nest in guarded:
        assert calls.bits(nest) == calls.bits(plain), case


def check_core(dtype):
    """The estimators' calls, too: rows of every form, each loss and each update rule."""
    fences = [Fence(32, 33 * 66 * 8, at_end) for at_end in (False, True)]
    turn = 0
    for n, *widths in shapes():
        for form in FORMS:
            turn += 1
            loss = LOSSES[turn % len(LOSSES)]
            rule = RULES[turn // len(LOSSES) % len(RULES)]
            plain = core_example(dtype, form, loss, rule, n, widths)
            if turn % 3 == 0:
                plain["order"] = None
            compare_core(fences, plain, (form, loss, rule, n, widths))


def check_coded(dtype):
    """Rows of a table, whose codes are copied from their arrays."""
    fences = [Fence(40, 200 * 66 * 8, at_end) for at_end in (False, True)]
    functions = [function for function in CORE if function is not index_nonzeros]
    for n in SIZES:
        rows = coded.draw(np.random.default_rng(n), n, d=n % 9)
        plain = core_example(dtype, "dense", "cross_entropy", "adam", n, (rows.n_units, 9, 3))
        compare_core(fences, plain | {"X": rows}, ("coded", n), functions)


def check_teams(dtype):
    """Wide enough that threads share the work, by slices of the first layer and by rows."""
    fences = [Fence(32, 201 * 301 * 8, at_end) for at_end in (False, True)]
    for turn, form in enumerate(("dense", "scanned", "pairs", "csri4", "u1")):
        rule = RULES[turn % len(RULES)]
        for n_threads in (2, 3, 4):
            plain = core_example(dtype, form, "cross_entropy", rule, 301, (201, 190, 9))
            plain |= {"batch_size": 301, "n_threads": n_threads}  # fewer batches than rates
            guarded = [fence.fenced(plain) for fence in fences]
            results = [calls.bits(train_epoch(a)) for a in (plain, *guarded)]
            assert results[1:] == results[:1] * 2
            for nest in guarded:
                assert calls.bits(nest) == calls.bits(plain), (form, rule, n_threads)


def check_long_rows(dtype):
    """Of one element more than kernels go through without a poll, or of as many units."""
    long = 2**16 + 1
    fences = [Fence(32, 6 * long * 8, at_end) for at_end in (False, True)]
    for widths in ((long, 3, 2), (2, long)):
        for kernel in calls.KERNELS:
            compare_kernels(fences, kernel, calls.example(kernel, dtype, 3, widths), widths)
        for turn, form in enumerate(("dense", "scanned", "pairs", "csri4", "i2")):
            loss, rule = LOSSES[turn % len(LOSSES)], RULES[turn % len(RULES)]
            plain = core_example(dtype, form, loss, rule, 3, widths)
            compare_core(fences, plain, (form, loss, rule, widths))


def check_guarded(isa):
    _core.set_isa(isa)
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        for check in (check_kernels, check_core, check_coded, check_teams, check_long_rows):
            check(dtype)


@linux
@each_isa
def test_nothing_beside_an_array_is_read_or_written(isa):
    processes.run(check_guarded, isa, timeout=200)


def touch(where):
    """One element too far."""
    array = Fence(1, 99, at_end=where == "behind").fenced([np.zeros(5)])[0]
    strides = array.strides if where == "behind" else (-array.itemsize,)
    as_strided(array, (6,), strides)[-1 if where == "behind" else 1] += 1


@linux
@pytest.mark.parametrize("where", ["before", "behind"])
def test_the_guards_see_a_single_element(where):
    """Lest the tests above pass because there are none."""
    with pytest.raises(AssertionError, match="exit status -11"):
        processes.run(touch, where)

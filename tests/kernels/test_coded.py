"""Rows of a table that are coded as they are loaded, against NumPy and against CSR matrices."""

import copy
import re
import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlp_c import _core
from support import calls, coded, core_calls, wide

MB = 1 << 20


def units_of(rows, dtype, order=None, n_threads=1):
    """What the first layer is given, by a layer that passes it on."""
    weights, biases = [np.eye(rows.n_units, dtype=dtype)], [np.zeros(rows.n_units, dtype)]
    return _core.predict(rows, order, weights, biases, "relu", "identity", True, n_threads)


@pytest.mark.parametrize("seed", range(8))
def test_units_are_those_of_numpy(seed, isa, dtype):
    """In any order, of rows in blocks and of one."""
    rng = np.random.default_rng(seed)
    rows = coded.draw(rng, 200)
    X = coded.encode(rows, dtype)
    order = rng.integers(0, 200, 300)
    np.testing.assert_array_equal(units_of(rows, dtype), X)
    np.testing.assert_array_equal(units_of(rows, dtype, order, n_threads=3), X[order])
    np.testing.assert_array_equal(units_of(rows, dtype, order[:1]), X[order[:1]])


def test_pairs_are_multiplied_that_are_not_zero_and_no_others(dtype):
    """Each output has infinite weights for a pair: 0 times them would be NaN."""
    rows = coded.draw(np.random.default_rng(0), 300)
    pairs = coded.encode(rows, dtype).reshape(300, -1, 2)
    n_pairs = pairs.shape[1]
    weights = [np.kron(np.eye(n_pairs), [[1], [1]]).astype(dtype)]
    weights[0][weights[0] > 0] = np.inf
    biases = [np.zeros(n_pairs, dtype)]
    found = _core.predict(rows, None, weights, biases, "relu", "identity", True, 1)
    np.testing.assert_array_equal(~np.isfinite(found), (pairs != 0).any(axis=2))


elements = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.0, 2.0, 5e-324, 1.7e308])


@st.composite
def columns_and_elements(draw, n):
    """A column of any kind, and n elements: any floats, and its own knots and indices."""
    kind = draw(st.integers(0, 2))
    if kind == coded.CATEGORY:
        levels = draw(st.integers(0, 9))
        return levels, draw(st.lists(elements | st.integers(-1, 10), min_size=n, max_size=n))
    if kind == coded.SIGN:
        return "sign", draw(st.lists(elements, min_size=n, max_size=n))
    finite = st.floats(-8e307, 8e307, width=64)
    knots = draw(st.lists(finite, max_size=40, unique_by=float))
    knots = np.unique(np.array(knots, float))
    knots = knots if len(knots) > 1 else knots[:0]
    own = st.sampled_from([*knots, *(knots[1:] / 2 + knots[:-1] / 2), 0.0])
    found = draw(st.lists(elements | own | finite, min_size=n, max_size=n))
    scale = draw(st.floats(5e-324, 1e308, allow_subnormal=True))
    return (draw(finite), scale, knots), found


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(columns_and_elements(3), max_size=6), st.floats(1e-9, 1e9))
def test_any_columns_of_any_elements(isa, dtype, drawn, bin_value):
    table = np.array([found for _, found in drawn], float).reshape(len(drawn), 3).T
    rows = coded.coded(table, [column for column, _ in drawn], bin_value)
    np.testing.assert_array_equal(units_of(rows, dtype), coded.encode(rows, dtype))


@pytest.mark.parametrize("exponent", range(-1074, 1024, 61))
def test_clipped_numbers_of_every_size(exponent, dtype):
    """Also where a square overflows, or the sum of it and 1 rounds."""
    sizes = 2.0**exponent * np.array([1.0, 1.3, 1.9])
    rows = coded.coded(np.array([*sizes, *-sizes])[:, None], [(0.0, 1.0, [])])
    found = units_of(rows, np.dtype(np.float64))
    np.testing.assert_array_equal(found, coded.encode(rows, np.float64))
    with np.errstate(over="ignore", under="ignore"):
        exact = sizes.astype(np.longdouble) / np.sqrt(1 + (sizes.astype(np.longdouble) / 3) ** 2)
    np.testing.assert_allclose(found[:3, 0], exact.astype(float), rtol=1e-15)
    np.testing.assert_array_equal(units_of(rows, dtype), found.astype(dtype))


# ---- the same bits as of a CSR matrix ----

ADAM = {"rule": calls.rule("adam"), "l2": 0.01}
SETTINGS = {
    "plain": {},
    "batches of few rows": {"batch_size": 3},
    "batches of several chunks": {"batch_size": 600},
    "dropped inputs": {"dropout": [0.3, 0.4], "seed": 5},
    "clipped and decayed": {"max_grad_norm": 0.1, "weight_decay": 0.1},
}


def results(X, given, n_threads):
    """The bits of an epoch and what it writes, of a gradient, an evaluation and predictions."""
    epoch = copy.deepcopy(given) | {"X": X, "n_threads": n_threads}
    names = "X", "y", "sample_weight", "weights", "biases", "activation", "loss", "n_threads"
    shared = {name: epoch[name] for name in names}
    gradient = calls.fields("loss_gradient", **shared, l2=0.1)
    numbers = [_core.loss_gradient(gradient)]
    numbers.append(_core.evaluate(calls.fields("evaluate", **shared, order=epoch["order"])))
    numbers += _core.train_epoch(epoch)
    network = epoch["weights"], epoch["biases"]
    outputs = _core.predict(X, epoch["order"], *network, "tanh", "softmax", False, n_threads)
    written = [gradient["dweights"], gradient["dbiases"], network, epoch["moments"], outputs]
    return calls.bits([*written, np.array(numbers)])


@pytest.mark.parametrize("name", SETTINGS)
def test_an_epoch_has_the_bits_of_one_of_a_csr_matrix(name, isa, dtype):
    rng = np.random.default_rng(1)
    n, hidden, k = 900, 150, 5
    rows = coded.draw(rng, n, d=11)
    draw = calls.normal(dtype, seed=2)
    weights = [draw(rows.n_units, hidden) / 4, draw(hidden, k) / 4]
    biases = [draw(hidden), draw(k)]
    options = {"batch_size": 128} | ADAM | SETTINGS[name]
    given = calls.fields(
        *("train_epoch", rows, rng.integers(0, k, n), weights, biases), **options,
        order=rng.integers(0, n, n + 50), activation="tanh",
        sample_weight=(rng.random(n) + 0.5).astype(dtype),
        moments=calls.moments("adam", weights + biases),
        learning_rates=calls.rates(0.01, n + 50, options["batch_size"]),
    )  # fmt: skip
    want = results(coded.parts(rows, dtype), given, 1)
    for n_threads in (1, 2, 3, 4, 8):
        assert results(rows, given, n_threads) == want


def test_tables_of_any_layout(dtype):
    rng = np.random.default_rng(3)
    rows = coded.draw(rng, 40, d=5)
    want = calls.bits(units_of(rows, dtype))
    far = np.full((80, 15), np.nan)
    far[::-2, ::3] = rows.table
    read_only = rows.table.copy()
    read_only.setflags(write=False)
    for table in (np.asfortranarray(rows.table), far[::-2, ::3], read_only):
        assert calls.bits(units_of(rows.having(table=table), dtype)) == want
    same = np.broadcast_to(rows.table[3], rows.table.shape)
    assert (units_of(rows.having(table=same), dtype) == coded.encode(rows, dtype)[3]).all()


def test_integers_of_any_type_say_where_columns_begin(dtype):
    rows = coded.draw(np.random.default_rng(4), 20)
    want = calls.bits(units_of(rows, dtype))
    for integers in ("u1", "i2", "u4", ">i8", "u8"):
        changes = {name: getattr(rows, name).astype(integers) for name in STARTS}
        assert calls.bits(units_of(rows.having(**changes), dtype)) == want


STARTS = "knot_starts", "unit_starts"


@pytest.mark.parametrize("n", [0, 3])
def test_rows_without_columns_or_columns_without_rows(n, dtype):
    biases = [np.arange(2, dtype=dtype)]
    empty = coded.coded(np.empty((n, 0)), [])
    weights = [np.empty((0, 2), dtype)]
    found = _core.predict(empty, None, weights, biases, "relu", "identity", True, 1)
    np.testing.assert_array_equal(found, np.tile(biases[0], (n, 1)))
    rows = coded.coded(np.empty((0, 2)), ["sign", 3])
    assert units_of(rows, dtype).shape == (0, 6)


def test_a_network_of_the_first_rows_takes_any_others(dtype):
    """A row that a table has gained is no less coded: nothing of a table is kept."""
    rows = coded.draw(np.random.default_rng(5), 10)
    before = units_of(rows, dtype)
    rows.table[:] = rows.table[::-1].copy()
    np.testing.assert_array_equal(units_of(rows, dtype), before[::-1])


# ---- memory ----


def test_codes_of_all_rows_never_lie_anywhere(dtype):
    """A million rows, whose pairs would take hundreds of MB."""
    n, d, batch = 1_000_000, 20, 200
    columns = [(0.0, 1.0, np.linspace(-2, 2, 16))] * d
    rows = coded.coded(wide.virtual(n, d, value=0.3, dtype=np.float64), columns)
    weights, biases = [np.zeros((rows.n_units, 4), dtype)], [np.zeros(4, dtype)]
    order = np.zeros(2000, int)
    epoch = calls.fields(
        *("train_epoch", rows, np.zeros(n, np.int8), weights, biases), order=order,
        batch_size=batch, learning_rates=calls.rates(0.1, len(order), batch),
    )  # fmt: skip
    labels = 4 * n  # which are copied
    tracemalloc.start()
    try:
        _core.train_epoch(epoch)
        assert tracemalloc.get_traced_memory()[1] < labels + 9 * n + 2 * MB
        tracemalloc.clear_traces()
        tracemalloc.reset_peak()
        _core.predict(rows, None, weights, biases, "relu", "softmax", False, 2)
        outputs = 4 * n * dtype.itemsize
        assert outputs < tracemalloc.get_traced_memory()[1] < outputs + 2 * MB
    finally:
        tracemalloc.stop()


# ---- what is refused ----


def example():
    """Three numbers of 3, 0 and 2 knots, a category of 3 levels, and one of two."""
    table = np.tile([0.5, 0.5, 0.5, 1.0, 0.0], (20, 1))
    numbers = [(0.0, 1.0, [0.0, 1.0, 2.0]), (0.0, 1.0, []), (0.5, 2.0, [-1.0, 1.0])]
    return coded.coded(table, [*numbers, 3, "sign"])


ROWS = example()
KINDS, CENTERS, KNOTS = ROWS.kinds, ROWS.centers, ROWS.knots
KNOT_STARTS, UNIT_STARTS = ROWS.knot_starts, ROWS.unit_starts


def put(array, place, value):
    array = array.copy()
    array[place] = value
    return array


FIT = "X.unit_starts must give a column an even number of units that fits it, got "
STEPS = "X.knots must ascend in a column, by steps that float64 holds, got "
REFUSED = [
    ("table", [[0.5] * 5], TypeError, "X.table must be a NumPy array, got list"),
    ("table", ROWS.table.astype("f4"), TypeError, "X.table must have dtype float64, got float32"),
    ("table", ROWS.table.astype(">f8"), TypeError, "X.table must have dtype float64, got >f8"),
    ("table", ROWS.table[0], ValueError, "X.table must have 2 dimensions, got 1"),
    ("table", ROWS.table[:, 1:], ValueError, "X.kinds must have shape (4,), got (5,)"),
    ("table", np.zeros(20 * 5 * 8 + 1, np.int8)[1:].view(float).reshape(20, 5), ValueError,
     "X.table must be aligned to its dtype"),
    ("kinds", None, TypeError, "X.kinds must be a NumPy array, got NoneType"),
    ("kinds", KINDS.astype(np.int8), TypeError, "X.kinds must have dtype uint8, got int8"),
    ("kinds", KINDS[:-1], ValueError, "X.kinds must have shape (5,), got (4,)"),
    ("kinds", KINDS[:, None], ValueError, "X.kinds must have 1 dimension, got 2"),
    ("kinds", np.repeat(KINDS, 2)[::2], ValueError, "X.kinds must be contiguous, got a strided"),
    ("kinds", put(KINDS, 1, 3), ValueError, "X.kinds must hold 0, 1 or 2, got 3 at index 1"),
    ("kinds", put(KINDS, 4, 255), ValueError, "X.kinds must hold 0, 1 or 2, got 255 at index 4"),
    ("centers", CENTERS.astype("f4"), TypeError, "X.centers must have dtype float64, got float32"),
    ("centers", CENTERS[1:], ValueError, "X.centers must have shape (5,), got (4,)"),
    ("centers", put(CENTERS, 2, np.inf), ValueError, "X.centers must be finite, got inf at index"),
    ("centers", put(CENTERS, 2, -np.inf), ValueError, "X.centers must be finite, got -inf at inde"),
    ("centers", put(CENTERS, 0, np.nan), ValueError, "X.centers must be finite, got nan at index"),
    ("scales", ROWS.scales.astype(int), TypeError, "X.scales must have dtype float64, got int64"),
    ("scales", np.ones(6), ValueError, "X.scales must have shape (5,), got (6,)"),
    ("scales", put(ROWS.scales, 1, 0.0), ValueError,
     "X.scales must hold finite numbers above 0, got 0.0 at index 1"),
    ("scales", put(ROWS.scales, 4, -1.0), ValueError, "finite numbers above 0, got -1.0 at index"),
    ("scales", put(ROWS.scales, 0, np.nan), ValueError, "finite numbers above 0, got nan at index"),
    ("scales", put(ROWS.scales, 0, np.inf), ValueError, "finite numbers above 0, got inf at index"),
    ("knots", KNOTS.astype("f4"), TypeError, "X.knots must have dtype float64, got float32"),
    ("knots", KNOTS[::-1], ValueError, "X.knots must be contiguous, got a strided array"),
    ("knots", np.tile(KNOTS, (2, 1)), ValueError, "X.knots must have 1 dimension, got 2"),
    ("knots", put(KNOTS, 2, np.inf), ValueError, "X.knots must be finite, got inf at index 2"),
    ("knots", put(KNOTS, 3, np.nan), ValueError, "X.knots must be finite, got nan at index 3"),
    ("knots", put(KNOTS, 1, 0.0), ValueError, STEPS + "0.0 at index 1"),
    ("knots", put(KNOTS, 2, 0.5), ValueError, STEPS + "0.5 at index 2"),
    ("knots", put(KNOTS, slice(3, 5), [-1e308, 1e308]), ValueError, STEPS + "1e+308 at index 4"),
    ("knots", np.append(KNOTS, 5.0), ValueError,
     "X.knot_starts must end at the number of knots, 6, got 5"),
    ("knots", KNOTS[:-1], ValueError, "X.knot_starts must hold integers in [0, 5), got 5 at "),
    ("knot_starts", KNOT_STARTS.astype(float), TypeError, "X.knot_starts must hold integers, got"),
    ("knot_starts", KNOT_STARTS[:-1], ValueError, "X.knot_starts must have shape (6,), got (5,)"),
    ("knot_starts", put(KNOT_STARTS, 0, 1), ValueError, "X.knot_starts must ascend from 0"),
    ("knot_starts", put(KNOT_STARTS, 2, 2), ValueError, "X.knot_starts must ascend from 0"),
    ("knot_starts", put(KNOT_STARTS, 1, -1), ValueError, "integers in [0, 6), got -1 at index 1"),
    ("knot_starts", put(KNOT_STARTS, 5, 2**62), ValueError, "integers in [0, 6), got 46116860184"),
    ("knot_starts", np.array([0, 3, 4, 5, 5, 5]), ValueError,
     "X.knot_starts must give a number no knots, or at least 2, got 1 at index 1"),
    ("kinds", put(KINDS, 2, coded.CATEGORY), ValueError,
     "X.knot_starts must give knots to numbers alone, got 2 at index 2"),
    ("unit_starts", UNIT_STARTS * 1.0, TypeError, "X.unit_starts must hold integers, got float64"),
    ("unit_starts", UNIT_STARTS[1:], ValueError, "X.unit_starts must have shape (6,), got (5,)"),
    ("unit_starts", UNIT_STARTS + 2, ValueError, "X.unit_starts must ascend from 0"),
    ("unit_starts", put(UNIT_STARTS, 2, 2), ValueError, "X.unit_starts must ascend from 0"),
    ("unit_starts", put(UNIT_STARTS, 5, 2**31), ValueError,
     "X.unit_starts must hold integers in [0, 2147483648), got 2147483648 at index 5"),
    ("unit_starts", put(UNIT_STARTS, 1, 5), ValueError, FIT + "5 at index 0"),
    ("unit_starts", put(UNIT_STARTS, slice(2, 6), UNIT_STARTS[2:] + 2), ValueError,
     FIT + "4 at index 1"),
    ("unit_starts", put(UNIT_STARTS, slice(4, 6), UNIT_STARTS[4:] + 1), ValueError,
     FIT + "5 at index 3"),
    ("unit_starts", put(UNIT_STARTS, 5, UNIT_STARTS[5] + 2), ValueError, FIT + "4 at index 4"),
    ("unit_starts", put(UNIT_STARTS, slice(4, 6), UNIT_STARTS[4:] + 2), ValueError,
     "weights[0] must have shape (18, any), got (16, 4)"),
    ("bin_value", "0.5", TypeError, "X.bin_value must be a real number, got str"),
    ("bin_value", None, TypeError, "X.bin_value must be a real number, got NoneType"),
    ("bin_value", 0, ValueError, "X.bin_value must be a finite number above 0, got 0.0"),
    ("bin_value", -0.5, ValueError, "X.bin_value must be a finite number above 0, got -0.5"),
    ("bin_value", np.nan, ValueError, "X.bin_value must be a finite number above 0, got nan"),
    ("bin_value", np.inf, ValueError, "X.bin_value must be a finite number above 0, got inf"),
    ("bin_value", 10**400, ValueError,
     "X.bin_value must be a finite number above 0, got a larger one than float64 holds"),
]  # fmt: skip


def network(rows, dtype=np.float64):
    return [np.ones((rows.n_units, 4), dtype)], [np.zeros(4, dtype)]


def calls_of(rows, weights, biases):
    """A call of each function that takes coded rows."""
    y = np.zeros(20, int)
    return [
        lambda: _core.train_epoch(calls.fields("train_epoch", rows, y, weights, biases)),
        lambda: _core.loss_gradient(calls.fields("loss_gradient", rows, y, weights, biases)),
        lambda: _core.evaluate(calls.fields("evaluate", rows, y, weights, biases)),
        lambda: _core.predict(rows, None, weights, biases, "relu", "softmax", False, 1),
    ]


def refused(rows, error, message, weights=None):
    network_of = network(ROWS)
    for call in calls_of(rows, weights or network_of[0], network_of[1]):
        with pytest.raises(error, match=re.escape(message)):
            call()
    assert calls.bits(network_of) == calls.bits(network(ROWS))


def test_the_example_is_taken():
    assert ROWS.n_units == 16
    for call in calls_of(ROWS, *network(ROWS)):
        call()


@pytest.mark.parametrize(("name", "wrong", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(name, wrong, error, message):
    refused(ROWS.having(**{name: wrong}), error, message)


def test_what_no_column_would_be_is_refused():
    """A network of another number of inputs; one of two with other units than two."""
    refused(ROWS, ValueError, "weights[0] must have shape (16, any), got (17, 4)",
            [np.ones((17, 4))])  # fmt: skip
    no_units = put(put(UNIT_STARTS, 5, UNIT_STARTS[4]), 4, UNIT_STARTS[4])
    refused(ROWS.having(unit_starts=no_units), ValueError, FIT + "0 at index 4")


ATTRIBUTES = list(vars(ROWS))


class Attributes:
    """Some of the attributes of coded rows; others raise what they are."""

    def __init__(self, **attributes):
        self.attributes = attributes

    def __getattr__(self, name):
        if name not in self.__dict__["attributes"]:
            raise AttributeError(name)
        value = self.attributes[name]
        value = value() if callable(value) else value
        if isinstance(value, BaseException):
            raise value
        return value


@pytest.mark.parametrize("missing", ATTRIBUTES[1:])
def test_a_missing_attribute_is_named(missing):
    rest = {name: value for name, value in vars(ROWS).items() if name != missing}
    listed = ", ".join(map(repr, ATTRIBUTES))
    message = f"X must be coded rows of {listed}, got Attributes without '{missing}'"
    refused(Attributes(**rest), TypeError, message)


@pytest.mark.parametrize("wrong", [None, [], [[1.0]], "table", 3, object(), np.float64(3)])
def test_what_has_no_table_is_no_coded_rows(wrong):
    refused(wrong, TypeError, "X must be a NumPy array, got ")


@pytest.mark.parametrize("error", [KeyError, ZeroDivisionError, KeyboardInterrupt])
def test_what_a_number_raises_itself_arrives(error):
    def fail():
        raise error("mine")

    refused(ROWS.having(bin_value=Real(fail)), error, "mine")


@pytest.mark.parametrize("name", ATTRIBUTES)
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, MemoryError])
def test_what_an_attribute_raises_itself_arrives(name, error):
    refused(Attributes(**{**vars(ROWS), name: error("mine")}), error, "mine")


class Real:
    """A number that does something as it is read."""

    def __init__(self, function):
        self.function = function

    def __float__(self):
        return self.function()


@pytest.mark.parametrize("name", ["unit_starts", "bin_value"])
def test_attributes_are_taken_and_read_before_any_array_is_looked_at(name):
    """The last that is asked for, or to be a number, changes the first."""
    table = ROWS.table.copy()

    def change():
        table.resize((20, 4), refcheck=False)
        return getattr(ROWS, name)

    last = Real(change) if name == "bin_value" else change
    rows = Attributes(**{**vars(ROWS), "table": table, name: last})
    with pytest.raises(ValueError, match=re.escape("X.kinds must have shape (4,), got (5,)")):
        _core.predict(rows, None, *network(ROWS), "relu", "softmax", False, 1)


def test_attributes_that_nobody_else_keeps():
    """Each is new where it is asked for, and lives as long as the call."""
    made = {name: partial(np.copy, value) for name, value in vars(ROWS).items()}
    want = calls.bits(units_of(ROWS, np.dtype(np.float64)))
    weights, biases = [np.eye(ROWS.n_units)], [np.zeros(ROWS.n_units)]
    found = _core.predict(Attributes(**made), None, weights, biases, "relu", "identity", True, 1)
    assert calls.bits(found) == want


@pytest.mark.parametrize("name", ["table", "centers", "scales", "knots"])
def test_no_attribute_lies_where_the_epoch_writes(name):
    weights, biases = network(ROWS)
    memory = weights[0].ravel()
    array = getattr(ROWS, name)
    own = memory[: array.size].reshape(array.shape) if name != "table" else memory[:5][None]
    own[...] = array[: len(own)]
    y = np.zeros(20 if name != "table" else 1, int)
    fields = calls.fields("train_epoch", ROWS.having(**{name: own}), y, weights, biases)
    before = calls.bits(weights)
    with pytest.raises(ValueError, match=rf"^weights\[0\] must be .* overlaps X\.{name}"):
        _core.train_epoch(fields)
    assert calls.bits(weights) == before


def test_other_functions_take_none():
    for name, place in (("train_step", 0), ("forward", 0), ("index_nonzeros", 0)):
        arguments = core_calls.examples()[name] | {place: ROWS}
        with pytest.raises(TypeError, match="X must be a NumPy array, got Coded"):
            core_calls.run(name, arguments)

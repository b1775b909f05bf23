"""What the functions behind the estimators refuse, naming it and what was expected."""

import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from mlp_c import _core
from support import calls, core_calls, processes

POSITIONAL = {case.split()[0] for case in core_calls.CASES}
POSITIONAL -= {*core_calls.NAMED, *core_calls.BARE}


def refused(case, name, wrong, error, message):
    """Makes a valid call with one argument replaced; it raises, with a message."""
    arguments = core_calls.examples()[case] | {name: wrong}
    with pytest.raises(error, match=re.escape(message)):
        core_calls.run(case, arguments)


@pytest.mark.parametrize("name", sorted(POSITIONAL))
def test_too_few_arguments(name):
    said = rf"^{name}\(\) takes (exactly|at least) \d+ arguments \(0 given\)"
    with pytest.raises(TypeError, match=said):
        getattr(_core, name)()


DATA, INDICES, INDPTR, N_COLUMNS = core_calls.examples()["train_epoch of CSR"]["X"]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ((DATA, INDICES, INDPTR), TypeError, "X must be (values, columns, row_starts, n_columns)"),
        ((DATA, INDICES, INDPTR, 8.0), TypeError, "X must be (values, columns, row_starts, n_col"),
        ((DATA.astype(int), INDICES, INDPTR, N_COLUMNS), TypeError, "X.data must have dtype"),
        ((DATA, INDICES * 1.0, INDPTR, N_COLUMNS), TypeError, "X.indices must hold integers of 2"),
        ((DATA, INDICES, INDPTR[::-1], N_COLUMNS), ValueError, "X.indptr must ascend from 0"),
        ((DATA, INDICES, INDPTR[1:], N_COLUMNS), ValueError, "X.indptr must ascend from 0"),
        ((DATA, INDICES, INDPTR[:0], N_COLUMNS), ValueError, "X.indptr must ascend from 0"),
        ((DATA[:-1], INDICES, INDPTR, N_COLUMNS), ValueError, "X.data must be as long as"),
        ((DATA, INDICES, INDPTR, 2**31), ValueError, "X must have less than 2**31 columns"),
        ((DATA, INDICES, INDPTR, 2**70), ValueError, "X must have less than 2**31 columns"),
        ((DATA, INDICES, INDPTR, -1), ValueError, "X must have less than 2**31 columns, got -1"),
    ],
)
def test_parts_that_are_no_csr_matrix(wrong, error, message):
    refused("train_epoch of CSR", "X", wrong, error, message)


@pytest.mark.parametrize("dtype", ["longdouble", "c16", "O", "S8", "M8[s]", ">f8", ">i4"])
@pytest.mark.parametrize("case", ["train_epoch", "loss_gradient", "evaluate"])
def test_rows_of_a_dtype_that_no_kernel_reads(case, dtype):
    wrong = np.zeros((20, 8)).astype(dtype)
    refused(case, "X", wrong, TypeError, "X must hold floats of up to 64 bits, integers or bool")


# ---- values of fields ----

MOMENTS = core_calls.examples()["train_epoch of CSR"]["moments"]
RATES = np.ones(3)  # for the 20 rows, by 7


@pytest.mark.parametrize(
    ("name", "wrong", "error", "message"),
    [
        ("loss", calls.loss("squared_error"), ValueError,
         "y must be a row of targets each for loss 'squared_error', got labels"),
        ("batch_size", 0, ValueError, "batch_size must be at least 1, got 0"),
        ("batch_size", -(2**63), ValueError, "batch_size must be at least 1, got -9"),
        ("activation", "relU", ValueError,
         f"activation must be one of {calls.ACTIVATIONS}, got 'relU'"),
        ("activation", ["swish"], ValueError, "activation[0] must be one of 'identity', "),
        ("activation", (3,), TypeError, "activation[0] must be a str, got int"),
        ("activation", [], ValueError,
         "activation must hold 1 names, one for each hidden layer, got 0"),
        ("activation", ["tanh"] * 2, ValueError, "activation must hold 1 names, one for each hid"),
        ("activation", None, TypeError, "activation must be a str or a list of str, got NoneType"),
        ("moments", MOMENTS[:1], ValueError, "moments must hold 2 lists for rule 'adam', got 1"),
        ("moments", MOMENTS + MOMENTS[:1], ValueError, "moments must hold 2 lists for rule 'adam'"),
        ("moments", None, TypeError, "moments must be a list of lists for rule 'adam', got"),
        ("moments", (MOMENTS[0], MOMENTS[1][:-1]), ValueError, "moments[1] must hold 4 arrays"),
        ("moments", (MOMENTS[0], [*MOMENTS[1][:3], np.ones(4)]), ValueError,
         "moments[1][3] must have shape (3,), got (4,)"),
        ("moments", (MOMENTS[0],) * 2, ValueError,
         "] must be an array of its own, got one that overlaps moments["),
        ("learning_rates", 0.1, TypeError, "learning_rates must be a NumPy array, got float"),
        ("learning_rates", RATES[:2], ValueError,
         "learning_rates must hold at least 3 rates, one for each batch, got 2"),
        ("learning_rates", RATES[:0], ValueError, "must hold at least 3 rates"),
        ("learning_rates", RATES.astype("f4"), TypeError, "must have dtype float64, got float32"),
        ("learning_rates", RATES.astype(">f8"), TypeError, "must have dtype float64, got >f8"),
        ("learning_rates", np.ones(3, int), TypeError, "must have dtype float64, got int64"),
        ("learning_rates", np.ones((3, 1)), ValueError, "must have 1 dimension, got 2"),
        ("learning_rates", np.ones(6)[::2], ValueError, "must be contiguous, got a strided array"),
        ("learning_rates", np.broadcast_to(1.0, 3), ValueError, "must be contiguous, got a st"),
        ("learning_rates", np.zeros(25, np.int8)[1:].view(float), ValueError, "must be aligned"),
        ("dropout", 0.5, TypeError, "dropout must be a list of real numbers, got float"),
        ("dropout", [0.5], ValueError,
         "dropout must hold 2 probabilities, of the inputs and each hidden layer, got 1"),
        ("dropout", [0.5, 1.0], ValueError,
         "dropout[1] must be a probability of at least 0, less than 1, got 1.0"),
        ("dropout", [-0.5, 0.5], ValueError, "dropout[0] must be a probability of at least 0"),
        ("dropout", [np.nan, 0.5], ValueError, "dropout[0] must be a probability of at least 0"),
        ("dropout", ["0.5", 0.5], TypeError, "dropout[0] must be a real number, got str"),
        ("seed", 0.5, TypeError, "seed must be an integer, got float"),
        ("seed", 2**63, ValueError, "seed must be an integer of at most 64 bits, got a larger int"),
        ("steps", 3, TypeError, "steps must be a NumPy array, got int"),
        ("steps", np.zeros(1), TypeError, "steps must have dtype int64, got float64"),
        ("steps", np.zeros(1, ">i8"), TypeError, "steps must have dtype int64, got >i8"),
        ("steps", np.zeros(2, int), ValueError, "steps must have shape (1,), got (2,)"),
        ("steps", np.frombuffer(bytes(8), int), ValueError, "steps must be writeable"),
        ("steps", np.full(1, -1), ValueError, "steps must hold an integer in [0, 2**62), got -1"),
        ("steps", np.full(1, 2**62), ValueError, "in [0, 2**62), got 4611686018427387904"),
    ],
)  # fmt: skip
def test_values_of_fields(name, wrong, error, message):
    refused("train_epoch of CSR", name, wrong, error, message)


def test_steps_are_counted_on_from_where_they_were():
    steps = np.full(1, 2**62 - 1)
    core_calls.run(
        "train_epoch of CSR", core_calls.examples()["train_epoch of CSR"] | {"steps": steps}
    )
    assert steps == 2**62 + 2


def test_each_batch_has_a_learning_rate_of_its_own():
    """So do epochs of one batch each. What there are more than batches is not read."""
    got, want = (core_calls.examples()["train_epoch"] for _ in range(2))
    rates = np.array([0.5, 0.0, 0.25, np.nan])
    _core.train_epoch(got | {"learning_rates": rates})
    for batch in range(3):
        order = np.arange(20)[7 * batch : 7 * batch + 7]
        _core.train_epoch(want | {"order": order, "learning_rates": rates[batch : batch + 1]})
    assert calls.bits([got["weights"], got["biases"]]) == calls.bits(
        [want["weights"], want["biases"]]
    )


@pytest.mark.parametrize("form", ["dense", "csri4"])
def test_a_batch_that_is_passed_over_takes_its_learning_rate_with_it(form):
    """As though its rows and its rate were not there."""
    got, want = (core_calls.examples()["train_epoch"] for _ in range(2))
    got["X"] = want["X"] = calls.rows_as(form, got["X"])
    weight = np.ones(20)
    weight[7:14] = 0
    _core.train_epoch(got | {"sample_weight": weight, "learning_rates": np.array([0.5, 9, 0.25])})
    order = np.delete(np.arange(20), np.s_[7:14])
    _core.train_epoch(want | {"order": order, "learning_rates": np.array([0.5, 0.25])})
    assert calls.bits([got["weights"], got["biases"]]) == calls.bits(
        [want["weights"], want["biases"]]
    )


@pytest.mark.parametrize("rates", [np.zeros(0), np.ones(1)])
def test_an_epoch_of_no_rows_needs_no_learning_rate(rates):
    fields = core_calls.examples()["train_epoch"]
    fields |= {"order": np.zeros(0, int), "learning_rates": rates}
    before = calls.bits(fields)
    assert _core.train_epoch(fields) == (0.0, 0)
    assert calls.bits(fields) == before


def test_no_learning_rate_lies_where_the_epoch_writes():
    fields = core_calls.examples()["train_epoch"]
    fields["learning_rates"] = fields["weights"][0].ravel()
    with pytest.raises(
        ValueError, match=r"^weights\[0\] must be an array of its own, got one that"
    ):
        _core.train_epoch(fields)


@pytest.mark.parametrize(
    ("case", "place"),
    [(case, place) for case in core_calls.CASES for place in core_calls.written(case)],
)
def test_read_only_maps_of_a_file_to_write_to(case, place, tmp_path):
    """Each array of the argument in turn; none is changed."""
    for path, array in calls.leaves(core_calls.examples()[case]):
        if path[: len(place)] != place:
            continue
        array.tofile(tmp_path / "array")
        mapped = np.memmap(tmp_path / "array", array.dtype, "r", shape=array.shape)
        arguments = calls.replaced(core_calls.examples()[case], (path, mapped))
        before = calls.bits(arguments)
        with pytest.raises(ValueError, match="must be writeable, got a read-only array"):
            core_calls.run(case, arguments)
        assert calls.bits(arguments) == before


def test_more_rows_than_can_be_counted():
    with pytest.raises(MemoryError):
        _core.index_nonzeros(np.empty((2**63 - 1, 0), bool), "float32", 1.0, np.inf, 1)


def write_what_may_overlap():
    """Virtual arrays of which NumPy does not find out in time; nobody may come to use them."""
    place, shape = np.zeros(1000, np.float32), (28510, 8227)
    param = as_strided(place, shape, (171804836, 20440))
    grad = as_strided(place[423:], shape, (1176301960, 3555678236))
    with pytest.raises(np.exceptions.TooHardError):
        np.shares_memory(param, grad, 100_000)
    with pytest.raises(ValueError, match=r"params\[0\] must be .* that overlaps grads\[0\]"):
        _core.sgd_step([param], [grad], 0.1, 1)


def test_what_is_too_hard_to_compare_counts_as_an_overlap():
    processes.run(write_what_may_overlap)


@pytest.mark.parametrize("wrong", ["float16", "", ">f8", "float32\0"])
def test_a_dtype_of_pairs_that_no_kernel_has(wrong):
    message = f"dtype must be 'float32' or 'float64', got {wrong!r}"
    refused("index_nonzeros", 1, wrong, ValueError, message)


@pytest.mark.parametrize(
    ("limit", "error", "message"),
    [
        ("sse9", ValueError, "unknown instruction set 'sse9'"),
        ("\udc80", UnicodeEncodeError, "surrogates not allowed"),
        (3, TypeError, "bad argument type"),
    ],
)
def test_unknown_instruction_sets(limit, error, message):
    before = _core.config()["isa"]
    with pytest.raises(error, match=message):
        _core.set_isa(limit)
    assert _core.config()["isa"] == before


@pytest.mark.parametrize(
    ("code", "isa", "message"),
    [
        ("import mlp_c", "sse9", "ImportError: MLP_C_ISA: unknown instruction set 'sse9'"),
        ("import mlp_c", "", ""),
    ],
)
def test_the_instruction_set_of_the_environment(code, isa, message):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MLP_C_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (message == ""), done.stderr
    assert message in done.stderr


def test_an_error_of_the_number_of_columns_itself_arrives():
    class Odd:
        def __index__(self):
            raise KeyError("mine")

    values, columns, starts = np.ones(1), np.zeros(1, np.int32), np.array([0, 1])
    weights, biases = [np.ones((3, 2))], [np.zeros(2)]
    rows = values, columns, starts, Odd()
    with pytest.raises(KeyError, match="mine"):
        _core.predict(rows, None, weights, biases, "relu", "identity", False, 1)


@pytest.mark.thread_unsafe(reason="other threads look for the main thread, too")
def test_an_error_of_the_look_for_the_main_thread_itself_arrives(monkeypatch):
    """A call asks which thread runs handlers of signals."""
    monkeypatch.setattr(threading, "_main_thread", object())
    with pytest.raises(AttributeError, match="ident"):
        core_calls.run("predict", core_calls.examples()["predict"])

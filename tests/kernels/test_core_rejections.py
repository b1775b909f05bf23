"""What the functions behind the estimators refuse, naming it and what was expected."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from mlp_c import _core
from support import calls, core_calls, processes

NAMES = sorted({case.split()[0] for case in core_calls.CASES} - {"config"})


def refused(case, place, wrong, error, message):
    """Makes a valid call with one argument replaced; it raises, with a message."""
    arguments = core_calls.examples()[case]
    arguments[place] = wrong
    with pytest.raises(error, match=re.escape(message)):
        core_calls.function(case)(*arguments)


@pytest.mark.parametrize("name", NAMES)
def test_too_few_arguments(name):
    with pytest.raises(TypeError, match=rf"^{name}\(\) takes exactly \d+ arguments \(0 given\)"):
        getattr(_core, name)()


DATA, INDICES, INDPTR, N_COLUMNS = core_calls.examples()["train_epoch of CSR"][0]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ((DATA, INDICES, INDPTR), TypeError, "X must be (values, columns, row_starts, n_columns)"),
        ((DATA.astype(int), INDICES, INDPTR, N_COLUMNS), TypeError, "X.data must have dtype"),
        ((DATA, INDICES * 1.0, INDPTR, N_COLUMNS), TypeError, "X.indices must hold integers of 2"),
        ((DATA, INDICES, INDPTR[::-1], N_COLUMNS), ValueError, "X.indptr must ascend from 0"),
        ((DATA, INDICES, INDPTR[1:], N_COLUMNS), ValueError, "X.indptr must ascend from 0"),
        ((DATA, INDICES, INDPTR[:0], N_COLUMNS), ValueError, "X.indptr must ascend from 0"),
        ((DATA[:-1], INDICES, INDPTR, N_COLUMNS), ValueError, "X.data must be as long as"),
        ((DATA, INDICES, INDPTR, 2**31), ValueError, "X must have less than 2**31 columns"),
        ((DATA, INDICES, INDPTR, -1), ValueError, "X must have less than 2**31 columns, got -1"),
    ],
)
def test_parts_that_are_no_csr_matrix(wrong, error, message):
    refused("train_epoch of CSR", 0, wrong, error, message)


LOSS, ADAM = ("squared_error", 0.0, 1.0), ("adam", 0.001, 0.0, 0.9, 0.999, 1e-8)
MOMENTS = core_calls.examples()["train_epoch of CSR"][11]


@pytest.mark.parametrize(
    ("place", "wrong", "error", "message"),
    [
        (7, LOSS, ValueError, "y must be a row of targets each for loss 'squared_error', got lab"),
        (7, LOSS[:2], TypeError, "loss must be (name, floor, ceiling)"),
        (9, 0, ValueError, "batch_size must be at least 1, got 0"),
        (10, ADAM[:5], TypeError, "optimizer must be (rule, five constants)"),
        (11, MOMENTS[:1], ValueError, "moments must hold 2 lists for rule 'adam', got 1"),
        (12, 3, TypeError, "steps must be a NumPy array, got int"),
        (12, np.zeros(1), TypeError, "steps must have dtype int64, got float64"),
        (12, np.zeros(1, ">i8"), TypeError, "steps must have dtype int64, got >i8"),
        (12, np.zeros(2, int), ValueError, "steps must have shape (1,), got (2,)"),
        (12, np.frombuffer(bytes(8), int), ValueError, "steps must be writeable"),
        (12, np.full(1, -1), ValueError, "steps must hold an integer in [0, 2**62), got -1"),
        (12, np.full(1, 2**62), ValueError, "in [0, 2**62), got 4611686018427387904"),
    ],
)
def test_objectives_and_optimizers(place, wrong, error, message):
    refused("train_epoch of CSR", place, wrong, error, message)


def test_steps_are_counted_on_from_where_they_were():
    arguments = core_calls.examples()["train_epoch of CSR"]
    arguments[12] = steps = np.full(1, 2**62 - 1)
    _core.train_epoch(*arguments)
    assert steps == 2**62 + 2


@pytest.mark.parametrize(
    ("case", "place"),
    [(case, place) for case, places in core_calls.WRITTEN.items() for place in places],
)
def test_read_only_maps_of_a_file_to_write_to(case, place, tmp_path):
    """Each array of the argument in turn; none is changed."""
    written = {"argument": core_calls.examples()[case][place]}
    for path, array in calls.leaves(written):
        arguments = core_calls.examples()[case]
        array.tofile(tmp_path / "array")
        mapped = np.memmap(tmp_path / "array", array.dtype, "r", shape=array.shape)
        arguments[place] = calls.replaced(written, (path, mapped))["argument"]
        before = calls.bits(arguments)
        with pytest.raises(ValueError, match="must be writeable, got a read-only array"):
            core_calls.function(case)(*arguments)
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
        _core.sgd_step([param], [grad], 0.1)


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

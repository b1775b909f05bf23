"""Activations, slopes, labels and options whose values a kernel cannot use: it raises TypeError or
ValueError, naming the argument, what came and what was expected; and every output keeps its bits.
"""

import re

import numpy as np
import pytest

from mlp_c import kernels
from support import calls
from support.refusals import NETWORK_KERNELS, assert_refused, each

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
            rf"activation\[1\] must be one of {calls.ACTIVATIONS}, got 'x'",
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


@each("kernel", ["forward", "backward"])
def test_slopes_of_another_number_of_layers(kernel):
    arguments = calls.example(kernel, layers=(5, 4, 6, 3))
    for slopes in (arguments["slopes"][:1], [*arguments["slopes"], np.zeros((7, 3))]):
        expected = f"^slopes must hold 2 arrays, got {len(slopes)}"
        assert_refused(kernel, arguments | {"slopes": slopes}, ValueError, expected)
    arguments = calls.example(kernel, layers=(5, 3)) | {"activation": "gelu", "slopes": []}
    calls.run(kernel, arguments)


# ---- labels ----


def test_labels_in_one_column_are_told_to_be_raveled():
    with pytest.raises(ValueError, match=r"^y must be labels in one dimension.*y\.ravel\(\)"):
        kernels.softmax_cross_entropy(np.zeros((4, 3)), np.zeros((4, 1), int))


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
THREADED = (*NETWORK_KERNELS, "sgd_step")
OPTIONS = [
    *[(kernel, "activation", wrong, ValueError,
       rf"must be one of {calls.ACTIVATIONS}, got '{wrong}'")
      for kernel in NETWORK_KERNELS for wrong in ("", "Relu", "x" * 500)],
    *[(kernel, "activation", wrong, (TypeError, ValueError), "must be")
      for kernel in NETWORK_KERNELS for wrong in (None, 1, b"relu", "re\0lu", "\ud800", {"relu"})],
    *[(kernel, "n_threads", wrong, ValueError, f"must be .*at least 1, got {wrong}")
      for kernel in THREADED for wrong in (0, -1, -(2**70))],
    *[(kernel, "n_threads", wrong, TypeError, f"must be .*at least 1, got {type(wrong).__name__}")
      for kernel in THREADED for wrong in (1.5, True, "2", np.float64(1), [1])],
    *[(kernel, "eps", wrong, ValueError, "must be finite and at least 0, got")
      for kernel in ("softmax_cross_entropy", "train_step")
      for wrong in (-1e-300, -1, np.nan, np.inf, -np.inf, 10**400)],
    *[("softmax_cross_entropy", "eps", wrong, TypeError, "must be a real number, got")
      for wrong in NO_NUMBERS],
    *[(kernel, "learning_rate", wrong, ValueError, "must be finite, got")
      for kernel in calls.IN_PLACE
      for wrong in (np.nan, np.inf, -np.inf, np.float32("inf"), 10**400)],
    *[(kernel, "learning_rate", wrong, TypeError, "must be a real number, got")
      for kernel in calls.IN_PLACE for wrong in NO_NUMBERS],
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

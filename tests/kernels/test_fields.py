"""The dicts that the functions behind training take: their fields, whatever the dicts are.

What is wrong is named with its function or dict, what came, and what was expected.
"""

import collections
import copy
import gc
import itertools
import re
import threading
import time
import types
from fractions import Fraction

import numpy as np
import pytest

from mlp_c import _core
from support import calls, core_calls, processes
from support.core_calls import NAMED

PARTS = ("loss", "rule")  # fields that are dicts themselves
CASES_OF_PARTS = [(case, part) for case in NAMED for part in PARTS
                  if part in core_calls.examples()[case]]  # fmt: skip
FIELDS = [(case, name) for case in NAMED for name in core_calls.examples()[case]]
NUMBERS = {"l2": "a real number", "gradient_scale": "a real number"}
NUMBERS |= {"batch_size": "an integer", "n_threads": "an integer"}
NUMERIC = [(case, name) for case, name in FIELDS if name in NUMBERS]


def names_of(fields):
    """As messages list them, in any order."""
    return "(?=" + ")(?=".join(rf".*'{name}'" for name in fields) + ")"


@pytest.mark.parametrize(("case", "missing"), FIELDS)
def test_a_missing_field_is_named(case, missing):
    fields = core_calls.examples()[case]
    del fields[missing]
    listed = names_of([*fields, missing])
    expected = rf"^fields of {case} must be a dict of {listed}.*, got one without '{missing}'$"
    with pytest.raises(TypeError, match=expected):
        getattr(_core, case)(fields)


class Name(str):
    """What a field is called, but another key."""

    __hash__, __eq__ = object.__hash__, object.__eq__


@pytest.mark.parametrize("case", NAMED)
@pytest.mark.parametrize(
    ("key", "came"),
    [
        ("learning_rate", "got one with 'learning_rate'"),
        ("x", "got one with 'x'"),
        ("X\0", r"got one with 'X\\x00'"),
        ("\udc80", r"got one with '\\udc80'"),
        ("", "got one with ''"),
        (0, "got one with a key of type int"),
        (None, "got one with a key of type NoneType"),
        (b"X", "got one with a key of type bytes"),
        (Name("order"), "got one with a key of type Name"),
    ],
)
def test_an_unknown_field_is_named(case, key, came):
    fields = core_calls.examples()[case]
    expected = rf"^fields of {case} must be a dict of {names_of(fields)}.*, {came}$"
    with pytest.raises(TypeError, match=expected):
        getattr(_core, case)(fields | {key: 1})
    with pytest.raises(TypeError, match=expected):  # before those that are missing
        getattr(_core, case)({key: 1})


@pytest.mark.parametrize("case", NAMED)
@pytest.mark.parametrize("wrong", [None, [], [("X", 1)], "X", 1, dict, types.MappingProxyType({})])
def test_what_is_no_dict(case, wrong):
    came = type(wrong).__name__
    with pytest.raises(TypeError, match=rf"^fields of {case} must be a dict, got {came}$"):
        getattr(_core, case)(wrong)


class Real:
    """Answers with whatever it was made with, or raises it."""

    def __init__(self, answer):
        self.answer = answer

    def _respond(self):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer

    __float__ = __index__ = _respond


@pytest.mark.parametrize(("case", "name"), NUMERIC)
@pytest.mark.parametrize("wrong", [None, "1", b"1", [1], 1j, np.ones(2), {}, Real("1")])
def test_fields_that_are_no_numbers(case, name, wrong):
    came = re.escape(type(wrong).__name__)
    expected = rf"^fields of {case}: {name} must be {NUMBERS[name]}, got (numpy\.)?{came}$"
    with pytest.raises(TypeError, match=expected):
        getattr(_core, case)(core_calls.examples()[case] | {name: wrong})


@pytest.mark.parametrize(("case", "name"), NUMERIC)
@pytest.mark.parametrize("wrong", [10**400, -(10**400), Real(OverflowError("it"))])
def test_numbers_that_do_not_fit(case, name, wrong):
    fitting = "a number that float64 holds"
    if NUMBERS[name] == "an integer":
        fitting = f"an integer of at most {64 if name == 'batch_size' else 32} bits"
    came = type(wrong).__name__
    expected = rf"^fields of {case}: {name} must be {fitting}, got a larger {came}$"
    with pytest.raises(ValueError, match=expected):
        getattr(_core, case)(core_calls.examples()[case] | {name: wrong})


@pytest.mark.parametrize("wrong", [1.0, np.float64(1), 2**31, -(2**31) - 1, 2**63])
@pytest.mark.parametrize("case", NAMED)
def test_numbers_of_threads_that_are_none(case, wrong):
    error = ValueError if isinstance(wrong, int) else TypeError
    with pytest.raises(error, match=f"^fields of {case}: n_threads must be an integer"):
        getattr(_core, case)(core_calls.examples()[case] | {"n_threads": wrong})


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, ValueError, MemoryError])
def test_what_a_number_raises_itself_is_left_as_it_is(error):
    for case, name in NUMERIC:
        with pytest.raises(error, match="its own"):
            getattr(_core, case)(core_calls.examples()[case] | {name: Real(error("its own"))})


def test_whatever_converts_to_a_number_will_do():
    fields = core_calls.examples()["loss_gradient"]
    want = _core.loss_gradient(fields | {"l2": 2.0})
    for l2 in (2, np.float32(2), np.int8(2), np.array(2.0), Real(2.0), Fraction(2)):
        assert _core.loss_gradient(fields | {"l2": l2}) == want
    for n_threads in (True, np.uint8(1), Real(1)):
        assert _core.loss_gradient(fields | {"l2": 2.0, "n_threads": n_threads}) == want


# ---- losses and rules ----


@pytest.mark.parametrize(("case", "part"), CASES_OF_PARTS)
@pytest.mark.parametrize("wrong", [None, "sgd", "squared_error", ["name", "sgd"], 1])
def test_losses_and_rules_that_are_no_dicts(case, part, wrong):
    fields = core_calls.examples()[case]
    with pytest.raises(TypeError, match=rf"^{part} must be a dict, got {type(wrong).__name__}$"):
        getattr(_core, case)(fields | {part: wrong})


EVERY = {"loss": calls.LOSSES, "rule": {name: r for name, (_, r) in _core.names()["rules"].items()}}
CONSTANTS = [
    (part, name, constant)
    for part, entries in EVERY.items()
    for name, constants in entries.items()
    for constant in constants
]


def refused_part(part, wrong, error, message):
    with pytest.raises(error, match=message):
        _core.train_epoch(core_calls.examples()["train_epoch"] | {part: wrong})


@pytest.mark.parametrize("part", PARTS)
def test_losses_and_rules_without_a_known_name(part):
    names = re.escape(", ".join(map(repr, EVERY[part])))
    without = f"^{part} must be a dict of 'name' and its constants, got one without 'name'$"
    refused_part(part, {}, TypeError, without)
    refused_part(part, {"eps": 1, 3: 4, Name("name"): "sgd"}, TypeError, without)
    expected = rf"^{part}\['name'\] must be one of {names}, got 'swish'$"
    refused_part(part, {"name": "swish"}, ValueError, expected)
    refused_part(part, {"name": 3}, TypeError, rf"^{part}\['name'\] must be a str, got int$")


@pytest.mark.parametrize(("part", "name", "constant"), CONSTANTS)
def test_constants_that_are_missing_or_no_numbers(part, name, constant):
    whole = getattr(calls, part)(name)
    rest = {key: value for key, value in whole.items() if key != constant}
    expected = (
        rf"^{part} '{name}' must be a dict of {names_of(whole)}.*, got one without '{constant}'$"
    )
    refused_part(part, rest, TypeError, expected)
    if isinstance(whole[constant], tuple):
        return
    expected = rf"^{part} '{name}': {constant} must be a real number, got str$"
    refused_part(part, whole | {constant: "0.5"}, TypeError, expected)
    expected = (
        rf"^{part} '{name}': {constant} must be a number that float64 holds, got a larger int$"
    )
    refused_part(part, whole | {constant: 10**400}, ValueError, expected)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (0.5, TypeError, "quantiles must be a list of real numbers, got float"),
        (np.array([0.5]), TypeError, "quantiles must be a list of real numbers, got numpy.ndarray"),
        ([0.5, "0.5"], TypeError, "quantiles[1] must be a real number, got str"),
        ((0.5, 10**400), ValueError, "quantiles[1] must be a number that float64 holds, got a "),
        ([0.5, Real(ZeroDivisionError("it"))], ZeroDivisionError, "it"),
        ([], ValueError, "weights must have a multiple of 0 outputs for loss 'pinball_loss', got "),
        ([0.1, 0.2], ValueError, "weights must have a multiple of 2 outputs for loss 'pinball_lo"),
    ],
)
def test_a_constant_that_is_several_numbers(wrong, error, message):
    """They are read when all is known to be there; of a network of three outputs."""
    loss = calls.loss("pinball_loss") | {"quantiles": wrong}
    refused_part("loss", loss, error, f"^{re.escape(message)}")


def test_targets_are_as_many_as_the_loss_has_for_the_outputs():
    """Of three outputs, one of three quantiles; of two for each target, none."""
    fields = core_calls.examples()["evaluate"]
    n = len(fields["y"])
    quantiles = fields | {"loss": calls.loss("pinball_loss", quantiles=[0.1, 0.5, 0.9])}
    assert _core.evaluate(quantiles | {"y": np.zeros((n, 1))}) > 0
    with pytest.raises(ValueError, match=rf"^y must have shape \({n}, 1\), got \({n}, 3\)"):
        _core.evaluate(quantiles | {"y": np.zeros((n, 3))})
    expected = "^weights must have a multiple of 2 outputs for loss 'gaussian_loss', got 3$"
    with pytest.raises(ValueError, match=expected):
        _core.evaluate(fields | {"loss": calls.loss("gaussian_loss"), "y": np.zeros((n, 1))})


@pytest.mark.parametrize(("part", "name"), [(part, name) for part in PARTS for name in EVERY[part]])
def test_constants_of_another_loss_or_rule(part, name):
    whole = getattr(calls, part)(name)
    expected = rf"^{part} '{name}' must be a dict of {names_of(whole)}.*, got one with 'gamma'$"
    refused_part(part, whole | {"gamma": 0.1}, TypeError, expected)


@pytest.mark.parametrize(("part", "name", "constant"), CONSTANTS)
def test_each_constant_is_read(part, name, constant):
    """Another value of it makes another epoch."""
    results = []
    values = (0.25, 0.75)
    if isinstance(calls.CONSTANTS[constant], tuple):
        values = [(value,) for value in values]
    for value in values:
        fields = core_calls.examples()["train_epoch"]
        whole = getattr(calls, part)(name, **{constant: value})
        if part == "loss" and name != "cross_entropy":
            fields["y"] = np.eye(3)[fields["y"]]
        if part == "rule":
            fields["moments"] = calls.moments(
                name, fields["weights"] + fields["biases"], np.ones_like
            )
        results.append((_core.train_epoch(fields | {part: whole}), calls.bits(fields["weights"])))
    assert results[0] != results[1]


# ---- dicts that are not what they seem ----


class Liar(dict):
    """A dict whose every method fails, while it holds what it holds."""

    def _respond(self, *_):
        raise AssertionError("was asked")

    __getitem__ = __iter__ = __len__ = __contains__ = __eq__ = __bool__ = _respond
    keys = values = items = get = copy = __reversed__ = __or__ = _respond
    __hash__ = None


@pytest.mark.parametrize("case", NAMED)
def test_subclasses_of_dict_are_taken_for_what_they_hold(case):
    want = getattr(_core, case)(core_calls.examples()[case])
    fields = core_calls.examples()[case]
    lying = Liar(fields, loss=Liar(fields["loss"]))
    if "rule" in fields:
        dict.__setitem__(lying, "rule", Liar(fields["rule"]))
    assert getattr(_core, case)(lying) == want
    dict.__delitem__(lying, "y")
    with pytest.raises(TypeError, match="got one without 'y'"):
        getattr(_core, case)(lying)


class Imitation(str):
    """A key that says that it is one of the fields, in whose place it is found."""

    def __hash__(self):
        return hash("y")

    def __eq__(self, other):
        return True


def test_keys_that_imitate_fields():
    fields = {Imitation("y"): None} | core_calls.examples()["evaluate"]
    with pytest.raises(TypeError, match=r"got one with(out 'y'| a key of type Imitation)$"):
        _core.evaluate(fields)


class Dropped:
    """Replaces what a dict holds."""


def drop(fields):
    fields.update(dict.fromkeys(fields, Dropped()))
    gc.collect()


@pytest.mark.parametrize(
    "change", [dict.clear, drop, lambda f: f.update(dict.fromkeys(range(999)))]
)
def test_a_number_that_changes_the_dict(change):
    """What it held was taken before."""
    want, fields = (core_calls.examples()["train_epoch of CSR"] for _ in range(2))
    result = _core.train_epoch(want)
    given = dict(fields)
    fields["l2"] = Real(lambda: change(fields) or want["l2"])
    fields["n_threads"] = Real(lambda: change(fields) or 1)
    assert _core.train_epoch(fields) == result
    for name in core_calls.WRITTEN["train_epoch of CSR"]:
        assert calls.bits(given[name]) == calls.bits(want[name])


@pytest.mark.parametrize("change", [dict.clear, drop])
@pytest.mark.parametrize("part", PARTS)
def test_a_constant_that_changes_its_dict(part, change):
    want, fields = (core_calls.examples()["train_epoch of CSR"] for _ in range(2))
    given = fields[part]
    for name in ("floor", "ceiling") if part == "loss" else ("beta_1", "epsilon"):
        value = given[name]
        given[name] = Real(lambda value=value: change(given) or value)
    assert _core.train_epoch(fields) == _core.train_epoch(want)


def test_a_number_that_changes_a_list_or_an_array():
    """These are looked at when all numbers are known."""
    fields = core_calls.examples()["train_epoch"]
    weights, order = fields["weights"], np.arange(20)
    fields |= {"l2": Real(lambda: weights.clear() or 0.1)}
    with pytest.raises(ValueError, match="weights must hold at least one array, got none"):
        _core.train_epoch(fields)
    fields = core_calls.examples()["train_epoch"]
    fields |= {"order": order, "l2": Real(lambda: order.fill(20) or 0.1)}
    with pytest.raises(
        ValueError, match=r"order must hold integers in \[0, 20\), got 20 at index 0"
    ):
        _core.train_epoch(fields)


def change_dicts(fields, stop):
    """Now it has all fields for a moment, now not, or others."""
    whole = core_calls.examples()["train_epoch of CSR"]
    for turn in itertools.count():
        if stop.is_set():
            return
        part = fields.get(PARTS[turn % 2], {})
        part.clear()
        fields.pop(list(whole)[turn % len(whole)], None)
        fields[f"field {turn % 99}"] = bytearray(99)
        time.sleep(1e-4)
        fields.clear()
        fields.update({name: copy.copy(value) for name, value in whole.items()})
        time.sleep(1e-3)


def train_while_fields_change():
    fields = core_calls.examples()["train_epoch of CSR"]
    stop, ended = threading.Event(), collections.Counter()
    threads = [threading.Thread(target=change_dicts, args=(fields, stop)) for _ in range(2)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        try:
            _core.train_epoch(fields)
            ended["done"] += 1
        except TypeError as error:
            ended["refused" if "must be a dict of" in str(error) else repr(error)] += 1
    stop.set()
    for thread in threads:
        thread.join()
    assert set(ended) == {"done", "refused"}, ended
    assert min(ended.values()) > 5, ended


def test_dicts_that_another_thread_changes_meanwhile():
    processes.run(train_while_fields_change)

"""Members in one call: each has what train_epoch and evaluate make of it, one after the other."""

import copy
import functools
import re
import sys
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from mlp_c import _core
from support import calls, core_calls

WRITTEN = "weights", "biases", "moments", "steps"
# By member: how its rows are stored, its layers, its rule, and what else differs.
KINDS = [
    ("dense", (50, 40, 5), "adam", {"dropout": [0.1, 0.3], "seed": 7}),
    ("csri4", (50, 33, 16, 5), "nesterov", {"max_grad_norm": 0.5}),
    ("scanned", (50, 64, 5), "sgd", {"batch_size": 300, "l2": 0.5}),
    ("pairs", (50, 30, 30, 5), "rmsprop", {"max_grad_norm": 0.1, "dropout": [0.2, 0.0, 0.4]}),
    ("f2", (50, 5), "adamw", {"weight_decay": 0.1}),
    ("csri8", (50, 130, 5), "momentum", {"batch_size": 1000, "dropout": [0.0, 0.5]}),
]
N = 700


@functools.cache
def rows(form, dtype):
    """Rows that members share, mostly zeros; whatever their form and dtype, with these values."""
    rng = np.random.default_rng(0)
    X = (rng.integers(-4, 5, (N, 50)) * (rng.random((N, 50)) < 0.4)).astype(dtype)
    return calls.rows_as(form, X)


LABELS, WEIGHTS = np.arange(N) * 3 % 5, np.linspace(0, 2, N)


def member(i, dtype):
    """The fields of an epoch, and of rows held out; every fourth member has none."""
    form, widths, rule, options = KINDS[i % len(KINDS)]
    draw, rng = calls.normal(dtype, seed=i), np.random.default_rng(i)
    weights = [draw(*shape) / dtype.type(8) for shape in pairwise(widths)]
    biases = [draw(width) for width in widths[1:]]
    X, y, sample_weight = rows(form, dtype), LABELS, WEIGHTS.astype(dtype)
    order = None if i % 2 else rng.permutation(N)
    epoch = calls.fields(
        *("train_epoch", X, y, weights, biases),
        rule=calls.rule(rule),
        moments=calls.moments(rule, weights + biases),
        sample_weight=sample_weight if i % 3 else None,
        order=order,
        activation="gelu" if i % 5 == 1 else "relu",
        learning_rates=np.linspace(0.01, 0.02, N),
        steps=np.full(1, i),
        **{"batch_size": 150} | options,
    )
    held_out = calls.fields(
        *("evaluate", X, y, weights, biases),
        activation=epoch["activation"],
        order=np.arange(0, N, 3 + i),
        output="softmax",
        outputs=np.empty((len(range(0, N, 3 + i)), 5), dtype) if i % 2 else None,
    )
    return epoch, None if i % 4 == 3 else held_out


def written(members):
    """Every array that members write to."""
    return [
        [[epoch[name] for name in WRITTEN], None if held_out is None else held_out["outputs"]]
        for epoch, held_out in members
    ]


def results(members):
    """What the functions for one network make of members: results, and the bits written."""
    made = []
    for epoch, held_out in members:
        epoch["n_threads"] = 1
        losses = _core.train_epoch(epoch)
        made.append((*losses, None if held_out is None else _core.evaluate(held_out)))
    return made, calls.bits(written(members))


@pytest.mark.parametrize("n_members", range(1, 13))
def test_members_have_the_bits_of_epochs_one_after_the_other(n_members, dtype):
    """On any number of threads, too: more than members, fewer, or one."""
    want = results([member(i, dtype) for i in range(n_members)])
    for n_threads in range(1, 10):
        members = [member(i, dtype) for i in range(n_members)]
        made = _core.train_members(members, n_threads)
        assert (made, calls.bits(written(members))) == want, n_threads
    assert all(type(value) is float for *_, value in made if value is not None)


def test_each_isa_has_the_same_members(dtype, isa):
    want = results([member(i, dtype) for i in range(6)])
    members = [member(i, dtype) for i in range(6)]
    assert (_core.train_members(tuple(members), 2), calls.bits(written(members))) == want


def test_members_of_both_dtypes_go_together():
    def both():
        return [member(i, np.dtype(dtype)) for i, dtype in enumerate(["f4", "f8", "f4", "f8"])]

    want, members = results(both()), both()
    assert (_core.train_members(members, 2), calls.bits(written(members))) == want


def test_several_epochs_go_on_from_one_to_the_next(dtype):
    want, members = ([member(i, dtype) for i in range(5)] for _ in range(2))
    for _ in range(3):
        expected = results(want)
        assert _core.train_members(members, 3) == expected[0]
    assert calls.bits(written(members)) == expected[1]


def test_no_members():
    assert _core.train_members([], 4) == []


@pytest.mark.parametrize("n_threads", [0, -1, -(2**31)])
def test_fewer_threads_than_one_are_one(n_threads, dtype):
    want, members = results([member(0, dtype)]), [member(0, dtype)]
    assert (_core.train_members(members, n_threads), calls.bits(written(members))) == want


def test_threads_of_fields_are_not_looked_at(dtype):
    want, (epoch, held_out) = results([member(0, dtype)]), member(0, dtype)
    members = [(epoch | {"n_threads": -3}, held_out | {"n_threads": 99})]
    assert (_core.train_members(members, 1), calls.bits(written(members))) == want


def test_rows_that_are_passed_over_are_not_counted():
    epoch = core_calls.examples()["train_epoch"]
    weight = np.ones(20)
    weight[:7] = 0
    none = core_calls.examples()["train_epoch"] | {"sample_weight": np.zeros(20)}
    given = [(epoch | {"sample_weight": weight}, None), (none, None)]
    ((_, counted, _), nothing) = _core.train_members(given, 1)
    assert counted == 13
    assert epoch["steps"] == 2
    assert nothing == (0.0, 0, None)


@pytest.mark.parametrize("options", [{}, {"max_grad_norm": 0.5}, {"batch_size": 300}])
def test_nothing_of_a_member_is_left_to_the_next(options, dtype):
    """Not the NaN of one that has lost its way; nor what was padding, or never written."""

    def both():
        lost, good = member(0, dtype), member(1, dtype)
        for epoch, _ in (lost, good):
            epoch |= options
        lost[0]["weights"][0][...] = np.nan
        return [lost, good]

    want, members = results(both()), both()
    _core.train_members(members, 1)
    assert calls.bits(written(members)) == want[1]
    assert np.isfinite(members[1][0]["weights"][0]).all()


def peak_of(members, n_threads):
    tracemalloc.start()
    try:
        _core.train_members(members, n_threads)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_only_members_at_work_have_a_workspace():
    """Of 500 KB here; ten more members have but their plans."""

    def wide(n):
        return [core_calls.examples(widths=(8, 5000, 3))["train_epoch"] for _ in range(n)]

    peaks = [peak_of([(fields, None) for fields in wide(n)], 1) for n in (1, 11)]
    assert peaks[0] > 400_000, "no workspace was seen"
    assert peaks[1] - peaks[0] < 10 * 20_000


# ---- refusals ----


def some():
    return [member(i, np.dtype(float)) for i in range(3)]


def refused(members, error, message):
    before = calls.bits(members)
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        _core.train_members(members, 2)
    assert calls.bits(members) == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "members must be a list of (epoch, held_out), got NoneType"),
        ({}, "members must be a list of (epoch, held_out), got dict"),
        ([None], "members[0] must be (epoch, held_out), got NoneType"),
        ([*some(), [1, 2]], "members[3] must be (epoch, held_out), got list"),
        ([()], "members[0] must be (epoch, held_out), got another tuple"),
        ([(1, 2, 3)], "members[0] must be (epoch, held_out), got another tuple"),
        ([(None, None)], "members[0]: fields of train_epoch must be a dict, got NoneType"),
        ([*some(), (some()[0][0], 3)], "members[3]: fields of evaluate must be a dict, got int"),
    ],
)
def test_what_are_no_members(wrong, message):
    refused(wrong, TypeError, message)


# By what is wrong with member 1: where, and what it is instead; the error and its message.
SPOILED = {
    "a field of the epoch": (0, {"l2": "x"}, TypeError,
                             "fields of train_epoch: l2 must be a real number, got str"),
    "an array of the epoch": (0, {"biases": [np.zeros(33), np.zeros(16), np.zeros(4)]}, ValueError,
                              "biases[2] must have shape (5,), got (4,)"),
    "a loss": (0, {"loss": {"name": "log"}}, ValueError, "loss['name'] must be one of"),
    "a label": (0, {"y": np.full(N, 5)}, ValueError, "y must hold integers in [0, 5), got 5"),
    "another dtype within": (0, {"sample_weight": np.ones(N, "f4")}, TypeError,
                             "sample_weight must have dtype float64, got float32"),
    "too few rates": (0, {"learning_rates": np.ones(4)}, ValueError,
                      "learning_rates must hold at least 5 rates"),
    "a field of the rows held out": (1, {"order": 3}, TypeError, "order must be a NumPy array"),
    "their layers": (1, {"weights": [np.zeros((49, 5))]}, ValueError, "weights[0] must have shape"),
    "their outputs": (1, {"outputs": np.empty((175, 5))[::-1, ::-1]}, ValueError,
                      "outputs must have contiguous rows"),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILED)
def test_a_refusal_names_the_member(what):
    part, wrong, error, message = SPOILED[what]
    members = some()
    pair = list(members[1])
    pair[part] = pair[part] | wrong
    members[1] = tuple(pair)
    refused(members, error, f"members[1]: {message}")


class Raises:
    def __init__(self, error):
        self.error = error

    def __float__(self):
        raise self.error


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyboardInterrupt, ZeroDivisionError])
def test_what_an_argument_raises_itself_is_left_as_it_is(error):
    """But for what says that it is no number, which is ours to say."""
    mine, members = error("its own"), some()
    members[2] = (members[2][0] | {"l2": Raises(mine)}, None)
    with pytest.raises(error) as raised:
        _core.train_members(members, 2)
    if error is TypeError:
        assert str(raised.value).startswith("members[2]: fields of train_epoch: l2 must be a real")
    else:
        assert raised.value is mine
        assert raised.traceback[-1].name == "__float__"


def test_what_other_c_code_raises_is_left_as_it_is():
    odd = type("Odd", (), {"__float__": functools.partial({}.__getitem__, "mine")})()
    with pytest.raises(KeyError, match=r"^'mine'$"):
        _core.train_members([(some()[0][0] | {"l2": odd}, None)], 2)


MESSAGE = "must be an array of its own, got one that overlaps"


@pytest.mark.parametrize(
    ("place", "also_at", "message"),
    [
        ((0, "weights", 0), (0, "weights", 0), f"members[1]: weights[0] {MESSAGE} weights[0] of "),
        ((0, "biases", 1), (0, "biases", 1), f"members[1]: biases[1] {MESSAGE} biases[1] of "),
        ((0, "moments", 1, 0), (0, "moments", 0, 0),
         f"members[1]: moments[0][0] {MESSAGE} moments[1][0] of "),
        ((0, "steps"), (0, "steps"), f"members[1]: steps {MESSAGE} steps of "),
        ((0, "weights", 1), (1, "weights", 1), f"members[0]: weights[1] {MESSAGE} weights[1] of "),
        ((0, "biases", 0), (1, "biases", 0), f"members[0]: biases[0] {MESSAGE} biases[0] of "),
    ],
)  # fmt: skip
def test_what_a_member_writes_is_its_own(place, also_at, message):
    """No other member writes it, or reads it."""
    members = [copy.deepcopy(member(0, np.dtype(float))) for _ in range(2)]
    array = dict(calls.leaves(members))[(0, *place)]
    members = calls.replaced(members, ((1, *also_at), array))
    refused(members, ValueError, f"{message}members[{0 if also_at[0] == 0 else 1}]")


def test_a_member_may_not_write_to_rows_that_others_read():
    members = [copy.deepcopy(member(0, np.dtype(float))) for _ in range(3)]
    X = np.lib.stride_tricks.as_strided(members[0][0]["biases"][0], (N, 50), (0, 0))
    members[2][0]["X"] = X
    refused(members, ValueError, f"members[0]: biases[0] {MESSAGE} X of members[2]")


def test_outputs_of_rows_held_out_are_a_members_own(dtype):
    """Neither what another member reads, nor what its own epoch has."""
    members = [copy.deepcopy(member(1, dtype)) for _ in range(2)]
    outputs = members[0][1]["outputs"]
    members[1][1]["outputs"] = outputs
    refused(members, ValueError, f"members[1]: outputs {MESSAGE} outputs of members[0]")
    members = [copy.deepcopy(member(1, dtype)) for _ in range(2)]
    members[0][0]["weights"][-1] = members[0][1]["outputs"][:16]
    refused(members, ValueError, f"members[0]: outputs {MESSAGE} weights[2] of its epoch")
    (epoch, held_out), outputs = copy.deepcopy(member(1, dtype)), np.zeros((175, 5), dtype)
    held_out |= {"weights": [*held_out["weights"][:-1], outputs[:16]], "outputs": outputs}
    refused([(epoch, held_out)], ValueError, f"members[0]: outputs {MESSAGE} weights[2]")


@pytest.mark.parametrize("name", ["sample_weight", "y", "X"])
def test_what_an_epoch_writes_is_no_data_of_its_held_out_rows(name):
    """Which would be read in part before the epoch, in part after it."""
    epoch, held_out = (copy.deepcopy(part) for part in member(0, np.dtype(float)))
    held_out |= {"weights": epoch["weights"], "biases": epoch["biases"], "order": None}
    place = epoch["weights"][0].ravel()
    shape = {"sample_weight": (N,), "y": (N, 5), "X": (N, 50)}[name]
    strides = (8,) if name == "sample_weight" else (0, 8)
    array = np.lib.stride_tricks.as_strided(place, shape, strides)
    message = f"members[0]: weights[0] {MESSAGE} {name} of its held-out rows"
    refused([(epoch, held_out | {name: array})], ValueError, message)


def test_rows_held_out_may_have_any_weights_of_their_epoch(dtype):
    """A view of them, too; and weights that nothing trains."""
    (epoch, held_out), (other, _) = member(0, dtype), member(0, dtype)
    held_out["weights"] = [w[:] for w in epoch["weights"]]
    made = _core.train_members([(epoch, held_out)], 1)
    assert made == results([member(0, dtype)])[0]
    still = held_out | {"weights": other["weights"], "biases": other["biases"], "outputs": None}
    want = _core.evaluate(still)
    assert _core.train_members([(epoch, still)], 1)[0][2] == want


@pytest.mark.skipif(sys.maxsize < 2**32, reason="of sizes that 64 bits hold")
def test_a_workspace_that_cannot_be_had_is_a_memory_error():
    """And the member before it is not trained."""
    fields = core_calls.examples()["train_epoch"]
    width = 2**44
    wide = np.lib.stride_tricks.as_strided(np.zeros(1), (8, width), (0, 0))
    huge = core_calls.examples()["evaluate"]
    huge |= {"weights": [wide, wide.T[:, :3]], "biases": [wide[0], np.zeros(3)]}
    before = calls.bits(fields)
    with pytest.raises(MemoryError):
        _core.train_members([(fields, huge)], 1)
    assert calls.bits(fields) == before

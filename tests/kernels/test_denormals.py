"""Training drops numbers before they become denormal, which makes many processors slow.

How slow differs; the operations on denormal numbers are counted, the same on any x86-64.
"""

import platform
import sys
from itertools import pairwise

import numpy as np
import pytest

import mlp_c
from mlp_c import _core, kernels
from mlp_c._training.data import Data
from support import calls
from support.bounds import ACTIVATIONS
from support.single import each_isa, testing

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
is_counted = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="operations on denormal numbers are counted on Linux on x86-64 alone",
)

# The thresholds of csrc/kernels/tiny.h, as powers of two.
DELTA = {"f": -80, "d": -500}
WEIGHT = {"f": -46, "d": -511}
VELOCITY = {"f": -100, "d": -996}
GRADIENT = {"f": -55, "d": -503}
SECOND_MOMENT = {"f": -120, "d": -1016}
FIRST_MOMENT = {"f": -60, "d": -508}


def about(threshold, dtype):
    """Numbers below a power of two, and those from it on, NaN and infinities; of both signs."""
    power = 2.0 ** threshold[dtype.char]
    below = [power * (1 - 2.0**-20), power / 2, power * 2.0**-19, 0]
    from_there = [power, power * 1.5, power * 2.0**10, 1, np.inf, np.nan]
    return [np.array(x + [-value for value in x], dtype) for x in (below, from_there)]


# ---- what is dropped ----


@each_isa
def test_slopes_drop_tiny_deltas_if_asked_to(isa, dtype):
    small, rest = about(DELTA, dtype)
    for deltas, want in ((small, 0 * small), (rest, rest)):
        got, kept = deltas[np.newaxis].copy(), deltas[np.newaxis].copy()
        ones = np.ones(got.shape)
        testing.apply_slopes(isa, "identity", None, ones.astype(dtype), True, got)
        np.testing.assert_array_equal(got[0], want)
        testing.apply_slopes(isa, "identity", None, ones.astype(dtype), False, kept)
        assert kept.tobytes() == deltas.tobytes()


@each_isa
@pytest.mark.parametrize("loss", calls.LOSSES)
def test_losses_leave_no_tiny_deltas(loss, isa, dtype):
    """Of logits that make every probability, down to those that are 0."""
    logits = -np.linspace(0, 800, 400 * 7).reshape(-1, 7).astype(dtype)
    logits[:, 0] = 0
    y, losses = np.zeros_like(logits), np.empty(len(logits))
    logits = np.tile(logits, calls.outputs_per_target(calls.loss(loss)))
    named, least = tuple(calls.loss(loss).values()), 2.0 ** DELTA[dtype.char]
    deltas, halves = np.empty_like(logits), np.empty_like(logits)
    testing.compute_losses(isa, named, logits, y, None, 1.0, losses, deltas)
    testing.compute_losses(isa, named, logits, y, None, 0.5, losses, halves)
    for found in (deltas, halves):
        assert not np.any((found != 0) & (np.abs(found) < least))
        assert np.any(found != 0)
    assert np.all((deltas == 2 * halves) | (halves == 0))
    if loss == "cross_entropy":
        labels, of_labels = np.zeros(len(logits), np.int32), np.empty_like(logits)
        testing.compute_losses(isa, named, logits, labels, None, 1.0, losses, of_labels)
        np.testing.assert_array_equal(of_labels[:, 1:], deltas[:, 1:])


def updated(isa, rule, dtype, gradient, moments, value=0.0, l2=0.0, decay=0.0, rate=0.0,
            **constants):  # fmt: skip
    """The value and the moments after a step, of one number each."""
    value, gradient, *kept = (np.full((1, 1), x, dtype) for x in (value, gradient, *moments))
    named = tuple(calls.rule(rule, **constants).values())
    testing.update(isa, named, rate, l2, 1.0, decay, 10**6, value, gradient, tuple(kept), None)
    return value.item(), [m.item() for m in kept]


@each_isa
@pytest.mark.parametrize("rule", ["momentum", "nesterov"])
def test_tiny_velocities_are_dropped(rule, isa, dtype):
    least = 2.0 ** VELOCITY[dtype.char]
    assert updated(isa, rule, dtype, 0, [least], momentum=1.0)[1] == [least]
    assert updated(isa, rule, dtype, 0, [-least], momentum=0.5)[1] == [0]


@each_isa
@pytest.mark.parametrize("rule", ["adam", "adamw"])
def test_tiny_moments_of_adam_are_dropped(rule, isa, dtype):
    """And the first where the second becomes 0; and gradients whose squares would be tiny."""
    first, second = 2.0 ** FIRST_MOMENT[dtype.char], 2.0 ** SECOND_MOMENT[dtype.char]
    keep = {"beta_1": 0.5, "beta_2": 0.5}
    assert updated(isa, rule, dtype, 0, [2 * first, 2 * second], **keep)[1] == [first, second]
    assert updated(isa, rule, dtype, 0, [first, 1], **keep)[1] == [0, 0.5]
    assert updated(isa, rule, dtype, 0, [1, second], **keep) == (0, [0, 0])
    least = 2.0 ** GRADIENT[dtype.char]
    assert updated(isa, rule, dtype, -least, [0, 0], **keep)[1] == [-least / 2, least**2 / 2]
    assert updated(isa, rule, dtype, least / 2, [0, 0], **keep) == (0, [0, 0])


@each_isa
def test_tiny_moments_of_rmsprop_are_dropped(isa, dtype):
    """And gradients whose squares are tiny: divided by epsilon alone, they could be large."""
    second, least = 2.0 ** SECOND_MOMENT[dtype.char], 2.0 ** GRADIENT[dtype.char]
    keep = {"beta_2": 0.5}
    assert updated(isa, "rmsprop", dtype, 0, [2 * second], **keep)[1] == [second]
    assert updated(isa, "rmsprop", dtype, 0, [second], **keep)[1] == [0]
    assert updated(isa, "rmsprop", dtype, -least, [0], **keep)[1] == [least**2 / 2]
    assert updated(isa, "rmsprop", dtype, least / 2, [0], **keep)[1] == [0]
    tiny = {"beta_2": 1 - 2.0**-53, "epsilon": 0.0, "rate": 1.0}
    assert updated(isa, "rmsprop", dtype, least, [0], **tiny) == (0, [0])


@each_isa
def test_a_tiny_epsilon_does_not_explode(isa, dtype):
    """One that the dtype does not hold counts as its smallest normal number."""
    value, moments = updated(isa, "adam", dtype, 0, [1e-3, 0], epsilon=1e-320, beta_2=0.5)
    assert (value, moments) == (0, [0, 0])


@each_isa
@pytest.mark.parametrize("rule", calls.RULES)
def test_tiny_weights_are_dropped_under_a_strong_l2_term_or_a_decay_alone(rule, isa, dtype):
    least = 2.0 ** WEIGHT[dtype.char]
    moments = [0] * calls.RULES[rule]
    for value in (least / 2, -least / 2):
        assert updated(isa, rule, dtype, 0, moments, value, 2.0**-12)[0] == 0
        assert updated(isa, rule, dtype, 0, moments, value, 0.0)[0] == value
        assert updated(isa, rule, dtype, 0, moments, value, 2.0**-13)[0] != 0
        assert updated(isa, rule, dtype, 0, moments, value, decay=1e-9)[0] == 0
        assert updated(isa, rule, dtype, 0, moments, 4 * value, decay=1e-9)[0] != 0


@each_isa
@pytest.mark.parametrize("rule", calls.RULES)
def test_nan_is_kept(rule, isa, dtype):
    moments = [0] * calls.RULES[rule]
    value, changed = updated(isa, rule, dtype, np.nan, moments, 1.0, 0.5)
    assert np.isnan([value, *changed]).all()


# ---- what is left to be slow ----


@is_counted
def test_the_count_sees_each_operation(dtype):
    """Of denormal numbers that NumPy makes and takes; none of ordinary ones."""
    tiny = np.full(1, np.finfo(dtype).smallest_normal)
    ones = np.full(1, 1, dtype)
    assert testing.count_denormals(lambda: np.multiply(tiny, ones, out=ones.copy())) == 0
    half = np.full(1, 0.5, dtype)
    assert testing.count_denormals(lambda: np.multiply(tiny, half)) == 1


@is_counted
@each_isa
def test_the_count_sees_what_the_public_kernels_keep(isa, dtype):
    """They drop nothing: slopes of 1 applied to denormal deltas."""
    deltas = np.full((1, 64), np.finfo(dtype).smallest_subnormal)
    slopes = np.ones((1, 64), dtype)
    apply = testing.apply_slopes
    counted = testing.count_denormals(lambda: apply(isa, "identity", None, slopes, False, deltas))
    assert counted > 0
    assert np.all(deltas == np.finfo(dtype).smallest_subnormal)


def counts_of_epochs(monkeypatch, model, X, y, first):
    """Of each epoch from one on, the operations on denormal numbers."""
    counts, epochs = [], iter(range(10**9))

    def train_epoch(fields):
        result = []
        if next(epochs) < first:
            return _core.train_epoch(fields)
        counts.append(testing.count_denormals(lambda: result.append(_core.train_epoch(fields))))
        return result[0]

    monkeypatch.setattr(Data, "train_epoch", lambda data, fields: train_epoch(fields))
    model.fit(X, y)
    return counts


# Activations that compute exponentials in steps: up to which size, in float32 and in float64, a
# number below 0 has an activation and a slope that are normal.
NORMAL = {
    "gelu": (12, 37),
    "silu": (80, 690),
    "mish": (80, 690),
    "elu": (80, 690),
    "selu": (80, 690),
    "softplus": (80, 690),
}


@is_counted
@pytest.mark.parametrize("isa", [isa for isa in testing.ISAS if isa != "baseline"])
@pytest.mark.parametrize("activation", NORMAL)
def test_activations_that_are_normal_lead_to_none(activation, isa, dtype):
    """From small numbers to the largest.

    Where nothing is fused, the last product may be denormal before it is added.
    """
    end, finfo = NORMAL[activation][dtype == np.float64], np.finfo(dtype)
    sizes = np.geomspace(finfo.tiny * 2.0**20, end, 4000)
    large = np.geomspace(end, finfo.max / 2, 4000)
    z = np.concatenate([sizes, -sizes, large]).astype(dtype)
    a, slopes = np.empty_like(z), np.empty_like(z)
    found = testing.count_denormals(lambda: testing.activate(isa, activation, z, a, slopes))
    assert found == 0


SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.05},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "adam": {"learning_rate_init": 0.005},
    "adamw": {"solver": "adamw", "learning_rate_init": 0.005},
    "adamw, strong decay": {"solver": "adamw", "learning_rate_init": 0.005, "weight_decay": 30.0},
    "rmsprop": {"solver": "rmsprop", "learning_rate_init": 0.001},
    "rmsprop, strong L2": {"solver": "rmsprop", "learning_rate_init": 0.005, "alpha": 1.0},
    "sgd, strong decay": {"solver": "sgd", "learning_rate_init": 0.05, "weight_decay": 1.0},
    "adam, clipped": {"learning_rate_init": 0.005, "max_grad_norm": 1e-3},
    "adam, strong L2": {"learning_rate_init": 0.005, "alpha": 1.0},
    "sgd, strong L2": {"solver": "sgd", "learning_rate_init": 0.05, "alpha": 10.0},
}


@is_counted
@pytest.mark.parametrize(
    ("solver", "activation", "dtype"),
    [  # every pair of any two
        (solver, activation, "fd"[(i + j) % 2])
        for i, solver in enumerate(SOLVERS)
        for j, activation in enumerate(ACTIVATIONS)
    ],
)
def test_epochs_after_long_training_have_next_to_none(solver, activation, dtype, monkeypatch):
    """The last 5 of 240: fewer than one in 20 rows, which no processor notices."""
    rng = np.random.default_rng(0)
    X = rng.random((1000, 20)).astype(dtype)
    y = (X @ rng.standard_normal((20, 4))).argmax(axis=1)
    model = mlp_c.MLPClassifier(
        (64, 32), activation=activation, max_iter=240, batch_size=32, tol=0, n_threads=1,
        n_iter_no_change=np.inf, random_state=0, **SOLVERS[solver],
    )  # fmt: skip
    counts = counts_of_epochs(monkeypatch, model, X, y, 235)
    assert len(counts) == 5
    assert max(counts) < len(X) / 20, counts


@is_counted
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("n", [3, 40, 300])
@pytest.mark.parametrize("widths", [(100, 24, 10), (100, 130, 10), (101, 9)], ids=str)
def test_normal_numbers_lead_to_none(widths, n, zeros, isa, dtype):
    """Nor does what a workspace has past the last column, whatever the memory held before."""
    draw = calls.normal(dtype)
    weights = [draw(*shape) / 16 for shape in pairwise(widths)]  # no probability is tiny
    biases = [draw(width) for width in widths[1:]]
    X, y = draw(n, widths[0]), np.arange(n) % widths[-1]
    if zeros:
        X[:, : widths[0] * 9 // 10] = 0
    out, deltas = kernels.forward(X, weights, biases), draw(n, widths[-1])
    jobs = {
        "forward": lambda: kernels.forward(X, weights, biases),
        "backward": lambda: kernels.backward(X, out, deltas, weights),
        "predict": lambda: _core.predict(X, None, weights, biases, "relu", "identity", False, 1),
        "train_step": lambda: kernels.train_step(X, y, weights, biases, 1e-3),
    }
    counts = {}
    for name, job in jobs.items():
        filled = [np.full(size, 5e-324) for size in (1 << 10, 1 << 13, 1 << 16)]
        del filled  # malloc gives it out next
        counts[name] = testing.count_denormals(job)
    assert counts == dict.fromkeys(jobs, 0)

"""Single kernels against plain NumPy: outputs, losses and their gradients, updates."""

import numpy as np
import pytest

from support import calls
from support.formulas import LOSSES, OUTPUTS, RULES
from support.single import (
    NAMES,
    SIZES,
    WIDE,
    assert_close,
    draw,
    each_isa,
    integers,
    strided,
    testing,
    wide,
)

each_output = pytest.mark.parametrize("output", NAMES["outputs"])
each_rule = pytest.mark.parametrize("rule", NAMES["rules"])
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy's own arithmetic


# ---- outputs and losses ----


@each_isa
@each_output
@pytest.mark.parametrize("scale", [1, 30, 1000])
def test_outputs_are_those_of_the_oracle(scale, output, isa, dtype):
    for k in SIZES:
        z = draw(dtype, 5, k, seed=k) * dtype.type(scale)
        got, apart = z.copy(), strided(z)
        testing.apply_output(isa, output, got)
        testing.apply_output(isa, output, apart)
        assert got.tobytes() == apart.tobytes()
        want = OUTPUTS[output](wide(z))
        # A quotient of exp by a sum of k of them, in order, whose arguments were rounded.
        bound = (k + 3) if output == "softmax" else 3
        if output == "softmax":
            bound = bound + np.abs(z - z.max(axis=1, keepdims=True)).astype(want.dtype)
        tiny = np.finfo(dtype).smallest_subnormal
        assert_close(got, want, bound * (np.finfo(dtype).eps * np.abs(want) + tiny))


# Each loss as it is called without more, those with bounds within them, of smoothed targets, and of
# several quantiles.
LOSS_CASES = [calls.loss(name) for name in NAMES["losses"]]
LOSS_CASES += [
    calls.loss("cross_entropy", eps=1e-7, floor=0.0, ceiling=3.0),
    calls.loss("logistic_loss", floor=0.1, ceiling=2.0),
    calls.loss("cross_entropy", smoothing=0.3),
    calls.loss("cross_entropy", eps=1e-7, smoothing=0.9),
    calls.loss("logistic_loss", smoothing=0.3),
    calls.loss("pinball_loss", quantiles=(0.1, 0.5, 0.9)),
]


def entry(named):
    """A loss or a rule as single kernels take it: its name and its constants, in order."""
    return tuple(named.values())


each_loss = pytest.mark.parametrize("loss", LOSS_CASES, ids=lambda loss: str(entry(loss)))


def losses_of(isa, loss, logits, y, weights=None, scale=1.0, with_deltas=True):
    losses = np.full(len(logits), np.nan)
    deltas = np.full_like(logits, np.nan) if with_deltas else None
    testing.compute_losses(isa, entry(loss), logits, y, weights, scale, losses, deltas)
    return losses, deltas


def targets_of(kind, dtype, n, k):
    rng = np.random.default_rng(1)
    if kind == "labels":
        return rng.integers(0, k, n).astype(np.int32)
    if kind == "bool":
        return rng.random((n, k)) < 0.5
    rows = rng.random((n, k)).astype(dtype)
    rows[rng.random((n, k)) < 0.3] = 0
    return rows


def kinds_of(loss):
    return ["bool", "rows"] + ["labels"] * (loss["name"] == "cross_entropy")


@each_isa
@each_loss
def test_losses_and_gradients_are_those_of_the_oracle(loss, isa, dtype):
    constants, formula = calls.constants_of(loss), LOSSES[loss["name"]]
    for kind in kinds_of(loss):
        n = 19 if kind == "labels" else 6  # of which several are computed at once
        for k in SIZES:
            logits = draw(dtype, n, k * calls.outputs_per_target(loss), seed=k) * 3
            y = targets_of(kind, dtype, n, k)
            weights = np.abs(draw(dtype, n, seed=2))
            losses, deltas = losses_of(isa, loss, logits, y, weights, 0.25)
            rows = np.arange(k) == y[:, np.newaxis] if kind == "labels" else y
            rows = rows.astype(WIDE[dtype])
            z = wide(logits)
            values, sizes = formula.terms(z, rows, **constants), formula.sizes(z, rows, **constants)
            gradients = formula.gradient(z, rows, **constants)
            # exp and log are off by 1 and 2 ulps, a sum of k exponentials by k more, and shifted
            # logits by the half of an ulp, which exp makes one of its result as often as they are.
            shifts = np.ptp(logits, axis=1, keepdims=True)
            off = (k + 8 + shifts if loss["name"] == "cross_entropy" else 6) * np.finfo(dtype).eps
            weighted = wide(weights)[:, np.newaxis]
            want = (values * weighted).sum(axis=1).astype(np.float64)
            assert_close(losses, want, (off * sizes * weighted).sum(axis=1) + 1e-15)
            if formula.gradient_sizes is None:
                outputs = np.abs(gradients) + 2 * rows
            else:
                outputs = formula.gradient_sizes(z, rows, **constants)
            assert_close(deltas, gradients * 0.25 * weighted, off * outputs * 0.25 * weighted)


def bits_of(array):
    """Those of its numbers: NaN is NaN."""
    return np.where(np.isnan(array), np.nan, array).astype(array.dtype).tobytes()


@each_isa
@pytest.mark.parametrize(
    "constants", [{}, {"smoothing": 0.1}, {"eps": 1e-8}, {"smoothing": 0.1, "eps": 1e-8}], ids=str
)
@pytest.mark.parametrize("k", [1, 2, 10, 31, 32, 33, 70])
def test_rows_of_labels_have_the_bits_that_each_has_by_itself(k, constants, isa, dtype):
    """Of few logits, several rows are computed at once."""
    loss = calls.loss("cross_entropy", **constants)
    logits, y = draw(dtype, 43, k, seed=k) * 9, targets_of("labels", dtype, 43, k)
    logits[5], logits[6, :2], logits[20] = np.nan, [np.inf, -np.inf][: len(logits[6, :2])], 0
    logits[7:12, 0] += 200  # so that probabilities of others are tiny
    weights = np.abs(draw(dtype, 43, seed=2))
    for with_deltas in (True, False):
        losses, deltas = losses_of(isa, loss, logits, y, weights, 0.25, with_deltas)
        alone = [
            losses_of(
                isa, loss, *(part[i : i + 1] for part in (logits, y, weights)), 0.25, with_deltas
            )
            for i in range(len(y))
        ]
        assert bits_of(losses) == bits_of(np.concatenate([part for part, _ in alone]))
        if with_deltas:
            assert bits_of(deltas) == bits_of(np.concatenate([part for _, part in alone]))


@each_isa
@each_loss
@pytest.mark.parametrize("scale", [1, 40, 1000])
def test_losses_without_gradients_have_the_same_bits(scale, loss, isa, dtype):
    for kind in kinds_of(loss):
        for k in (1, 2, 3, 7, 8, 16, 17, 33, 70):
            width = k * calls.outputs_per_target(loss)
            logits = draw(dtype, 9, width, seed=k) * dtype.type(scale)
            y, weights = targets_of(kind, dtype, 9, k), np.abs(draw(dtype, 9, seed=2))
            losses, _ = losses_of(isa, loss, logits, y, weights)
            alone, _ = losses_of(isa, loss, logits, y, weights, with_deltas=False)
            assert losses.tobytes() == alone.tobytes()


@each_isa
def test_cross_entropy_is_finite_where_probabilities_underflow(isa, dtype):
    logits = np.array([[-1000, 0, 1000], [3, 3, 3]], dtype)
    y = np.array([0, 2], np.int32)
    losses, deltas = losses_of(isa, calls.loss("cross_entropy"), logits, y)
    np.testing.assert_allclose(losses, [2000, np.log(3)], rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(deltas[0], [-1, 0, 1])


@each_isa
@pytest.mark.parametrize("s", [-1000, -60, 60, 1000])
def test_gaussian_losses_of_extreme_variances_are_finite(s, isa, dtype):
    """Of a residual of 0, whose product with the precision is 0, and of others."""
    logits = np.array([[3, s], [3, s], [3, 3]], dtype)
    y = np.array([[3], [2], [3]], dtype)
    losses, deltas = losses_of(isa, calls.loss("gaussian_loss"), logits, y)
    assert losses[0] == s / 2
    np.testing.assert_array_equal(deltas[0], [0, 0.5])
    assert np.isfinite(losses).all()
    assert np.isfinite(deltas).all()
    assert losses[1] >= losses[0]
    assert losses[1] > 1e20 or s > 0


# ---- updates ----


def parameters(rule, dtype, n, k):
    """A value, a gradient and moments."""
    moments = [np.abs(draw(dtype, n, k, seed=2 + m)) for m in range(NAMES["rules"][rule][0])]
    return draw(dtype, n, k), draw(dtype, n, k, seed=1), moments


@each_isa
@each_rule
@pytest.mark.parametrize("decay", [0.0, 0.125])
@pytest.mark.parametrize("factor", [1.0, 0.375])
@pytest.mark.parametrize("l2", [0.0, 0.25])
@pytest.mark.parametrize("place", [np.copy, strided], ids=["contiguous", "strided"])
def test_updates_are_those_of_the_oracle(place, l2, factor, decay, rule, isa, dtype):
    named, step = calls.rule(rule), RULES[rule][1]
    constants = calls.constants_of(named)
    for k in SIZES:
        value, gradient, moments = parameters(rule, dtype, 3, k)
        new, new_moments = place(value), [place(m) for m in moments]
        squares = np.full((1, 3), np.nan)
        testing.update(
            *(isa, entry(named), 0.01, l2, factor, decay, 7),
            *(new, place(gradient), tuple(new_moments), squares),
        )
        want_moments = [wide(m) for m in moments]
        followed = factor * (wide(gradient) + l2 * wide(value))
        want = (1 - decay) * wide(value) + step(followed, want_moments, 0.01, 7, **constants)
        # Constants, products and sums are rounded; beta_2 near 1 leaves 1 - beta_2 as it is.
        assert_close(new, want, 4 * np.finfo(dtype).eps * (np.abs(wide(value)) + 1))
        for m, want_m in zip(new_moments, want_moments, strict=True):
            assert_close(m, want_m, 4 * np.finfo(dtype).eps * (np.abs(want_m) + 1))
        assert_close(squares[0], (wide(value) ** 2).sum(axis=1).astype(np.float64),
                     k * np.finfo(dtype).eps * (wide(value) ** 2).sum(axis=1))  # fmt: skip


@each_isa
@each_rule
def test_updates_of_tails_have_the_bits_of_the_whole(rule, isa, dtype):
    named = entry(calls.rule(rule))

    def update(arrays):
        testing.update(isa, named, 0.01, 0.1, 0.9, 0.2, 3, *arrays[:2], tuple(arrays[2:]), None)
        return [x.tobytes() for x in arrays]

    value, gradient, moments = parameters(rule, dtype, 1, max(SIZES))
    for n in SIZES:
        whole = [x.copy() for x in (value, gradient, *moments)]
        update(whole)
        some = [x[:, :n].copy() for x in (value, gradient, *moments)]
        apart = [strided(x) for x in some]
        assert update(some) == [x[:, :n].tobytes() for x in whole] == update(apart)


@each_isa
def test_without_l2_infinite_weights_leave_gradients_alone(isa, dtype):
    value = np.array([[np.inf, -np.inf, 1, 2, 3]], dtype)
    gradient, out = np.ones_like(value), np.empty_like(value)
    testing.add_l2(isa, 0.0, value, gradient, out, None)
    np.testing.assert_array_equal(out, gradient)
    testing.update(isa, ("sgd",), 0.5, 0.0, 1, 0, 1, value, gradient, (), None)
    np.testing.assert_array_equal(value, np.array([[np.inf, -np.inf, 0.5, 1.5, 2.5]], dtype))


@each_isa
def test_l2_terms_and_squares_are_exact_of_integers(isa, dtype):
    for k in SIZES:
        value, gradient = integers(dtype, 4, k), integers(dtype, 4, k, seed=1)
        out, squares = np.empty_like(value), np.empty((1, 4))
        testing.add_l2(isa, 0.5, value, strided(gradient), out, squares)
        np.testing.assert_array_equal(out, gradient + value / 2)
        np.testing.assert_array_equal(squares[0], (value**2).sum(axis=1))


@each_isa
def test_without_decay_infinite_weights_stay_infinite(isa, dtype):
    """Where something else is asked for: 0 times infinity would be NaN."""
    value = np.array([[np.inf, -np.inf, 1]], dtype)
    testing.update(isa, ("sgd",), 0.5, 0.0, 0.5, 0.0, 1, value, np.ones_like(value), (), None)
    np.testing.assert_array_equal(value, np.array([[np.inf, -np.inf, 0.75]], dtype))


@each_isa
@pytest.mark.parametrize("l2", [0.0, 0.5])
@pytest.mark.parametrize("place", [np.copy, strided], ids=["contiguous", "strided"])
def test_squares_of_gradients_are_exact_of_integers(place, l2, isa, dtype):
    """A sum for each eight rows, and of those that are left."""
    for k in SIZES:
        value, gradient = integers(dtype, 19, k), integers(dtype, 19, k, seed=1)
        squares = np.full((1, 4), np.nan)
        testing.square_gradient(isa, l2, place(value), place(gradient), squares)
        want = ((gradient + l2 * value) ** 2).sum(axis=1)
        want = [want[:8].sum(), want[8:16].sum(), want[16:].sum(), np.nan]
        np.testing.assert_array_equal(squares[0], want)


@each_isa
@pytest.mark.parametrize("size", [3e38, 1.0 + 2.0**-23, 1e-38])
def test_squares_of_float32_gradients_are_exact(size, isa):
    """In double, which no square of float32 leaves, and which has all its digits."""
    gradient, squares = np.full((1, 3), size, np.float32), np.empty((1, 1))
    testing.square_gradient(isa, 0.0, np.zeros_like(gradient), gradient, squares)
    assert squares[0, 0] == 3 * float(gradient[0, 0]) ** 2


@each_isa
@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_squares_of_what_is_not_finite_are_not(odd, isa, dtype):
    for k in SIZES:
        gradient, squares = np.ones((1, k), dtype), np.zeros((1, 1))
        gradient[0, -1] = odd
        testing.square_gradient(isa, 0.0, np.ones_like(gradient), gradient, squares)
        np.testing.assert_array_equal(squares, [[odd * odd]])

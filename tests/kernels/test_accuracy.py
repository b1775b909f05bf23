"""The elementary functions, through the kernels, are off by a few ulps at most, anywhere."""

import numpy as np
import pytest

from mlp_c import kernels
from support.bounds import ULPS, assert_within, each_activation, unit
from support.formulas import ACTIVATIONS, SLOPES

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy's own arithmetic


def assert_ulps(got, want, ulps):
    """|got - want| in units of the last place of the result."""
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite].astype(got.dtype))
    place = np.spacing(np.abs(want[finite].astype(got.dtype)))
    worst = np.max(np.abs(got[finite] - want[finite]) / place)
    assert worst <= ulps, f"off by {worst} ulp"


def samples(dtype, low, high):
    """Evenly spread over the range and, by magnitude, down to the denormals."""
    tiny = np.finfo(dtype).smallest_subnormal
    by_size = np.geomspace(tiny.astype(float), max(-low, high), 4000)
    x = np.concatenate([np.linspace(low, high, 40001), by_size, -by_size, [0]])
    return x[(low <= x) & (x <= high)].astype(dtype)


def apply(activation, x):
    """The activation and its slopes alone: a hidden layer of one unit of weight 1."""
    one, zero = np.ones((1, 1), x.dtype), np.zeros(1, x.dtype)
    X, slopes = x[:, np.newaxis], np.empty((len(x), 1), x.dtype)
    options = {"activation": activation, "slopes": [slopes]}
    return kernels.forward(X, [one] * 2, [zero] * 2, **options)[0][:, 0], slopes[:, 0]


@each_activation
def test_activation_is_accurate_over_the_whole_range(activation, dtype, isa):
    x = samples(dtype, -800, 800)
    got, _ = apply(activation, x)
    assert_ulps(got, ACTIVATIONS[activation](x.astype(np.longdouble)), ULPS[activation][0])


# Activations whose slopes come from their input, and where these fall to 0.
FALLING = {"gelu": -1.5, "silu": -2, "mish": -2}


@pytest.mark.parametrize("activation", FALLING)
def test_slopes_of_an_input_are_accurate_over_the_whole_range(activation, dtype, isa):
    """To 4 u, and as they fall to 0 to 16 ulp; where they cross 0, of the terms of the sum."""
    x = samples(dtype, -800, 800)
    _, slopes = apply(activation, x)
    want = SLOPES[activation](x.astype(np.longdouble))
    assert_within(slopes, want, 4 * unit(dtype))
    falling = x < FALLING[activation]
    assert_ulps(slopes[falling], want[falling], 16)


@each_activation
def test_activation_of_special_values(activation, dtype, isa):
    largest = np.finfo(dtype).max
    x = np.array([np.inf, -np.inf, np.nan, largest, -largest, 0], dtype)
    got, slopes = apply(activation, x)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(x))
    assert not np.isnan(slopes[~np.isnan(x)]).any()
    rounding = {"rtol": 8 * unit(dtype), "atol": 0}
    np.testing.assert_allclose(got, ACTIVATIONS[activation](x), **rounding)
    np.testing.assert_allclose(slopes, SLOPES[activation](x), **rounding)


def test_exp_is_accurate_over_the_whole_range(dtype, isa):
    """Of two logits x and 0, the first one's probability is exp(x) / (1 + exp(x)).

    In the tail, where the sum is 1, it is exp(x) itself, down to the denormals and 0.
    """
    x = samples(dtype, -800, 0)
    p = kernels.softmax(np.stack([x, np.zeros_like(x)], axis=1))[:, 0]
    want = np.exp(x.astype(np.longdouble))
    tail = want < unit(dtype) / 2
    assert_ulps(p[tail], want[tail], 1.5)
    assert_ulps(p, want / (1 + want), 3)


def test_log_is_accurate_over_the_whole_range(dtype, isa):
    """Where the label's probability is 0, the loss is -log(eps)."""
    largest = np.finfo(dtype).max.astype(float)
    eps = np.concatenate([samples(dtype, 0, 2)[::37], np.geomspace(1, largest / 2, 500)])
    eps = eps[eps > 0].astype(dtype)
    logits, label = np.array([[0, -2e4]], dtype), np.array([1])
    loss = [kernels.softmax_cross_entropy(logits, label, eps=float(e))[0] for e in eps]
    assert_ulps(np.array(loss, dtype), -np.log(eps.astype(np.longdouble)), 2)

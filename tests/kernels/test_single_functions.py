"""Single kernels against plain NumPy: the vector functions, activations and their slopes."""

from decimal import Decimal, localcontext
from functools import cache

import numpy as np
import pytest

from support.bounds import ULPS, each_activation
from support.formulas import ACTIVATIONS, DERIVATIVES, SLOPES
from support.single import (
    HAS_WIDER,
    SIZES,
    draw,
    each_isa,
    strided,
    testing,
    ulps,
    wide,
)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy's own arithmetic


# ---- the vector functions ----

# What they compute, the exponents of two or the bounds of their domain, and the ulps that they may
# be off. exp: half for the last sum or product and half for 2^k in two parts, and what the
# reduction leaves. The others divide, add or multiply one to three times more.
FUNCTIONS = {
    "exp": (np.exp, (-104, 88), (-745, 709), 1.25),
    "expm1": (np.expm1, (-64, 64), (-64, 64), 2.25),
    "log": (np.log, (2.0**-149, 2.0**127), (5e-324, 2.0**1023), 2.25),
    "log1p": (np.log1p, (0, 1), (0, 1), 3),
    "sqrt": (np.sqrt, (2.0**-149, 2.0**127), (5e-324, 2.0**1023), 0.5),
    "tanh": (np.tanh, (-21, 21), (-21, 21), 3),
    "logistic": (lambda x: 1 / (1 + np.exp(-x)), (-87, 104), (-708, 745), 3),
}


def apply(isa, function, x):
    out = np.empty_like(x)
    testing.map(isa, function, x, out)
    return out


def domain(function, dtype):
    """Numbers of all sizes in the domain of a function, most of them where it bends."""
    _, *bounds, _ = FUNCTIONS[function]
    low, high = bounds[dtype == np.float64]
    rng = np.random.default_rng(0)
    if low > 0:
        x = np.exp2(rng.uniform(np.log2(low), np.log2(high), 20000))
        return np.concatenate([x, rng.uniform(0.5, 2, 20000)]).astype(dtype)
    tiny = np.exp2(rng.uniform(-60, 0, 5000)) * rng.choice([-1, 1], 5000)
    x = np.concatenate([rng.uniform(low, high, 20000), rng.normal(0, 1, 20000), tiny])
    return x[(low <= x) & (x <= high)].astype(dtype)


@pytest.mark.skipif(not HAS_WIDER, reason="needs a long double wider than double")
@each_isa
@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_is_off_by_a_few_ulps_at_most(function, isa, dtype):
    exact, _, _, most = FUNCTIONS[function]
    x = domain(function, dtype)
    off = ulps(apply(isa, function, x), exact(wide(x)))
    assert off.max() <= most, x[np.argmax(off)]


INF, NAN = np.inf, np.nan
EXTREMES = {
    "exp": [(-INF, 0), (INF, INF), (NAN, NAN), (-1e30, 0), (1e30, INF), (0, 1), (-0.0, 1)],
    "expm1": [(0, 0), (NAN, NAN)],
    "log": [(0, -INF), (-0.0, -INF), (-1, NAN), (-INF, NAN), (INF, INF), (NAN, NAN), (1, 0)],
    "log1p": [(0, 0), (NAN, NAN)],
    "sqrt": [(0, 0), (-0.0, -0.0), (INF, INF), (-1, NAN), (NAN, NAN), (4, 2)],
    "tanh": [(-INF, -1), (INF, 1), (NAN, NAN), (1e30, 1), (0, 0)],
    "logistic": [(-INF, 0), (INF, 1), (NAN, NAN), (1e30, 1), (-1e30, 0), (0, 0.5)],
}


@each_isa
@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_keeps_nan_and_takes_its_limits(function, isa, dtype):
    x, want = np.array(EXTREMES[function]).T.astype(dtype)
    np.testing.assert_array_equal(apply(isa, function, x), want)


@each_isa
@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_of_a_tail_has_the_bits_of_the_whole(function, isa, dtype):
    x = domain(function, dtype)[: max(SIZES)]
    whole = apply(isa, function, x)
    for n in SIZES:
        assert apply(isa, function, x[:n]).tobytes() == whole[:n].tobytes()
        assert apply(isa, function, strided(x[:n])).tobytes() == whole[:n].tobytes()


# ---- activations ----


@cache
def normal_tail(u):
    """Phi(-u) and its derivative -phi(u), u >= 0, in 50 digits.

    By the series of Phi about 0, and from 3 on by Laplace's continued fraction.
    """
    with localcontext() as context:
        context.prec = 50
        u = Decimal(u)
        pi = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
        density = (-u * u / 2).exp() / (2 * pi).sqrt()
        if u < 3:
            term = total = u
            for n in range(3, 201, 2):
                term *= u * u / n
                total += term
            return Decimal("0.5") - density * total, -density
        fraction = u
        for n in range(200, 0, -1):
            fraction = u + n / fraction
        return density / fraction, -density


def split(numbers, dtype):
    """Decimals as a sum of two arrays: what is nearest, and the rest."""
    nearest = np.array([float(x) for x in numbers])
    rest = np.array([float(x - Decimal(float(y))) for x, y in zip(numbers, nearest, strict=True)])
    return nearest.astype(np.float64), rest


def exact_gelu(z):
    """z Phi(z) and its derivative, each a sum of two arrays."""
    values, slopes = [], []
    with localcontext() as context:
        context.prec = 50
        for x in map(float, z):
            tail, negative_density = normal_tail(abs(x))
            values.append(Decimal(max(x, 0)) - Decimal(abs(x)) * tail)
            change = tail + Decimal(abs(x)) * negative_density
            slopes.append(change if x < 0 else 1 - change)
    return split(values, z.dtype), split(slopes, z.dtype)


def activate(isa, activation, z, with_slopes=True):
    a, slopes = np.empty_like(z), np.empty_like(z) if with_slopes else None
    testing.activate(isa, activation, z, a, slopes)
    return a, slopes


@each_isa
@each_activation
def test_activation_and_slopes_are_those_of_the_oracle(activation, isa, dtype):
    most, most_of_slopes = ULPS[activation]
    z = np.concatenate([draw(dtype, 5000) * 3, [0, 1, -1]]).astype(dtype)
    a, slopes = activate(isa, activation, z)
    found = ulps(a, ACTIVATIONS[activation](wide(z))).max()
    assert found <= most + (not HAS_WIDER), "more than ULPS says of the activation"
    found = np.max(np.abs(slopes - SLOPES[activation](wide(z))) / np.finfo(dtype).eps)
    assert found <= most_of_slopes + (not HAS_WIDER) * 2, "more than ULPS says of the slope"


@each_activation
@each_isa
def test_slopes_are_finite_differences_of_the_oracle(activation, isa):
    f = ACTIVATIONS[activation]
    z, h = np.linspace(-6, 6, 1001) + 1e-3, 1e-4
    _, slopes = activate(isa, activation, z)
    # What is left out is h^2 / 6 times third derivatives, which may be 6.
    np.testing.assert_allclose(slopes, (f(z + h) - f(z - h)) / (2 * h), rtol=0, atol=2e-8)


@each_isa
@each_activation
def test_activation_without_slopes_has_the_same_bits(activation, isa, dtype):
    z = np.concatenate([draw(dtype, 300) * 5, [np.inf, -np.inf, 1e-40, 0, -0.0]]).astype(dtype)
    a, _ = activate(isa, activation, z)
    alone, _ = activate(isa, activation, z, with_slopes=False)
    assert a.tobytes() == alone.tobytes()
    in_place = z.copy()
    testing.activate(isa, activation, in_place, in_place, None)
    assert in_place.tobytes() == a.tobytes()


@each_isa
@each_activation
def test_activation_of_tails_and_strides_has_the_bits_of_the_whole(activation, isa, dtype):
    z = draw(dtype, max(SIZES)) * 3
    a, slopes = activate(isa, activation, z)
    for n in SIZES:
        for some in (z[:n], strided(z[:n])):
            values, slopes_of_some = activate(isa, activation, some)
            assert values.tobytes() == a[:n].tobytes()
            assert slopes_of_some.tobytes() == slopes[:n].tobytes()


@each_isa
@each_activation
def test_slopes_are_applied_as_given_or_as_the_output_says(activation, isa, dtype):
    z, deltas = draw(dtype, 7, 33), draw(dtype, 7, 33, seed=1)
    a, slopes = activate(isa, activation, z)
    given, derived = deltas.copy(), deltas.copy()
    testing.apply_slopes(isa, activation, None, slopes, False, given)
    np.testing.assert_array_equal(given, deltas * slopes)
    if activation in DERIVATIVES:
        testing.apply_slopes(isa, activation, a, None, False, derived)
        assert derived.tobytes() == given.tobytes()


@each_isa
def test_gelu_is_off_by_a_few_ulps_at_most(isa, dtype):
    """As far as its result is not 0, denormal ones among them."""
    rng = np.random.default_rng(0)
    end = 14.2 if dtype == np.float32 else 38.5
    z = [*rng.uniform(-end, 5, 400), *rng.uniform(-3, 3, 400), *np.exp2(rng.uniform(-40, 0, 50))]
    z = np.array([*z, *-np.exp2(rng.uniform(-40, 0, 50))]).astype(dtype)
    a, slopes = activate(isa, "gelu", z)
    value, slope = exact_gelu(z)
    assert ulps(a, *value).max() <= ULPS["gelu"][0]
    # The slope has a zero at -0.75, about which it is the difference of two like numbers.
    off = np.abs(slopes - slope[0] - slope[1])
    assert np.all(off <= np.finfo(dtype).eps)
    tail = z < -1.5
    assert ulps(slopes[tail], slope[0][tail], slope[1][tail]).max() <= 4


@each_isa
def test_gelu_takes_its_limits_and_keeps_nan(isa, dtype):
    largest = np.finfo(dtype).max
    z = np.array([np.inf, largest, -np.inf, -largest, -50, np.nan, 0], dtype)
    a, slopes = activate(isa, "gelu", z)
    np.testing.assert_array_equal(a, np.array([np.inf, largest, 0, 0, 0, np.nan, 0], dtype))
    np.testing.assert_array_equal(slopes, np.array([1, 1, 0, 0, 0, np.nan, 0.5], dtype))

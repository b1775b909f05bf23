"""Values: numbers out of range, out of proportion or beyond counting have defined answers.

Elsewhere: labels and options of the kernels (kernels/test_value_rejections), extreme logits,
infinities and denormals in them (kernels/test_oracle); odd parameters and data that
scikit-learn refuses, too (estimators/test_errors); classes in partial_fit and a single class
(estimators/test_errors, estimators/test_fit_edges); random settings, weights of 0 among them
(estimators/test_parity).
"""

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from sklearn import neural_network

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor, _core, kernels
from support import calls, floating_point, processes

pytestmark = pytest.mark.filterwarnings("ignore")
both = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
solvers = pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
RNG = np.random.RandomState(0)
X, LABELS = RNG.randn(30, 4), np.arange(30) % 3
SMALL = {"hidden_layer_sizes": 3, "max_iter": 4, "random_state": 0}


def bits(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


# ---- parameters ----

HUGE = [2**31, 2**63 - 1, 2**63, 2**64, 10**400, 1e308, -(2**63), 5e-324, -0.0]
ODD_TYPES = [Fraction(1, 3), Decimal(1), 1j, np.float16(1), np.int8(-1), np.uint64(2**64 - 1)]
ODD_TYPES += [np.bool_(True), np.array(2), np.array([2]), b"1", object(), (), ("relu",), {1}, int]
PARAMETERS = sorted(MLPRegressor().get_params())
# Who looks at them.
SOLVERS = {"beta_1": "adam", "beta_2": "adam", "epsilon": "adam", "max_fun": "lbfgs"}


@pytest.mark.parametrize("value", HUGE + ODD_TYPES, ids=lambda value: ascii(value)[:20])
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_a_parameter_of_any_value_is_taken_or_refused(parameter, value):
    """By name where the constraints say so. No epoch is endless, nor is memory taken."""
    params = SMALL | {"solver": SOLVERS.get(parameter, "sgd"), "tol": 10.0, "n_iter_no_change": 1}
    model = MLPRegressor(**params | {parameter: value})
    try:
        model.fit(X, LABELS)
    except (TypeError, ValueError, OverflowError, MemoryError):
        return
    assert all(np.isfinite(p).all() for p in model.coefs_ + model.intercepts_)


@both
def test_more_epochs_than_an_int_counts_end_when_nothing_improves(cls):
    for solver in ("adam", "lbfgs"):
        model = cls(**SMALL | {"max_iter": 2**40, "max_fun": 2**40, "tol": 10.0}, solver=solver)
        assert model.fit(X, LABELS).n_iter_ < 100


@both
@pytest.mark.parametrize("batch_size", [31, 2**31, 2**63 - 1, 2**64])
def test_larger_batches_than_there_are_rows_are_clipped_with_a_warning(cls, batch_size):
    with pytest.warns(UserWarning, match="It is going to be clipped"):
        model = cls(**SMALL, batch_size=batch_size).fit(X, LABELS)
    assert bits(model) == bits(cls(**SMALL, batch_size=30).fit(X, LABELS))


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_learning_rate_of_1e10_ends_as_in_scikit_learn(name, solver):
    """With ValueError where weights come to be infinite, else with as large ones."""
    ends = []
    for package in (mlp_c, neural_network):
        model = getattr(package, name)(**SMALL | {"max_iter": 20, "solver": solver})
        try:
            model.set_params(learning_rate_init=1e10).fit(X, LABELS)
        except ValueError as exception:
            ends.append(str(exception)[:40])
        else:
            ends.append("finite")
            assert all(np.isfinite(p).all() for p in model.coefs_ + model.intercepts_)
    assert ends[0] == ends[1]


# ---- small problems ----


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@solvers
@pytest.mark.parametrize("hidden", [(), (1,)])
@pytest.mark.parametrize(("n", "n_in"), [(1, 1), (1, 4), (2, 1), (3, 2)])
def test_the_smallest_problems_are_learnt_as_by_scikit_learn(name, solver, hidden, n, n_in):
    params = SMALL | {"hidden_layer_sizes": hidden, "solver": solver}
    ours, theirs = (
        getattr(package, name)(**params).fit(X[:n, :n_in], LABELS[:n])
        for package in (mlp_c, neural_network)
    )
    for a, b in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(ours.predict(X[:, :n_in]).shape, (30,))


# ---- classes ----


def known(y=LABELS, **params):
    return MLPClassifier(**SMALL | params).fit(X, y)


UNSEEN = {
    "unseen in partial_fit": lambda: known().partial_fit(X, LABELS + 1),
    "unseen, beside known ones": lambda: known().partial_fit(X, np.where(X[:, 0] > 0, 7, 1)),
    "unseen of another type": lambda: known().partial_fit(X, LABELS.astype(str)),
    "not finite": lambda: known().partial_fit(X, np.where(LABELS > 1, np.inf, LABELS)),
    "not whole": lambda: known().partial_fit(X, LABELS + 0.5),
    "wrapping to known ones": lambda: known().partial_fit(X, LABELS + 2**32),
    "negative": lambda: known().partial_fit(X, -LABELS),
    "missing in a warm start": lambda: known(warm_start=True).fit(X, LABELS % 2),
    "more in a warm start": lambda: known(warm_start=True).fit(X, np.arange(30) % 4),
    "changed in partial_fit": lambda: known().partial_fit(X, LABELS, classes=[0, 1, 2, 3]),
    "fewer in partial_fit": lambda: known().partial_fit(X, LABELS, classes=[0, 1]),
    "repeated": lambda: known().partial_fit(X, LABELS, classes=[[0, 1], [1, 2]]),
    "a column more": lambda: known(X[:, :2] > 0).partial_fit(X, X[:, :3] > 0),
    "a column less": lambda: known(X[:, :3] > 0).partial_fit(X, X[:, :2] > 0),
}


@pytest.mark.parametrize("case", UNSEEN)
def test_classes_that_are_not_the_models_are_refused(case):
    with pytest.raises((TypeError, ValueError), match=r"(?i)class|label|y "):
        UNSEEN[case]()


def test_classes_missing_in_a_part_are_not_forgotten():
    model = MLPClassifier(**SMALL).partial_fit(X, np.ones(30, int), classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (30, 3)


# ---- sample weights ----

TINY = 5e-324
WRONG_WEIGHTS = {
    "negative": -np.ones(30),
    "one negative": np.where(np.arange(30) == 7, -TINY, 1.0),
    "NaN": np.full(30, np.nan),
    "infinite": np.full(30, np.inf),
    "all zero": np.zeros(30),
    "too few": np.ones(29),
    "too many": np.ones(31),
    "a column": np.ones((30, 1)),
    "complex": np.ones(30) * 1j,
    "strings": ["heavy"] * 30,
    "a sum beyond float64": np.full(30, 1e308),
}


@both
@solvers
@pytest.mark.parametrize("case", WRONG_WEIGHTS)
def test_weights_that_are_none_are_refused(cls, solver, case):
    model = cls(**SMALL, solver=solver).fit(X, LABELS)
    before = bits(model)
    with pytest.raises((TypeError, ValueError), match=r"(?i)weight|complex|convert|infinity|NaN"):
        model.fit(X, LABELS, sample_weight=WRONG_WEIGHTS[case])
    assert bits(model) == before


@both
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("zeros", [slice(0, 10), slice(10, 20), slice(20, 30)])
def test_a_batch_without_weight_is_passed_over(cls, solver, zeros):
    """As if its rows were not there: no step, no decay, no part in the loss."""
    params = SMALL | {"batch_size": 10, "shuffle": False, "solver": solver, "alpha": 0.1}
    weight = np.ones(30)
    weight[zeros] = 0
    kept = weight > 0
    model = cls(**params).fit(X, LABELS, sample_weight=weight)
    assert bits(model) == bits(cls(**params).fit(X[kept], LABELS[kept]))
    assert model.loss_curve_ == cls(**params).fit(X[kept], LABELS[kept]).loss_curve_


@both
@solvers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_are_proportions_down_to_the_least_sum_that_can_be_divided_by(cls, solver, dtype):
    weight = np.array([1.0, 3.0, 2.0] * 10) / 60
    params = SMALL | {"solver": solver, "alpha": 0.0}
    rows = X.astype(dtype)
    least = np.finfo(dtype).tiny
    whole = cls(**params).fit(rows, LABELS, sample_weight=weight)
    tiny = cls(**params).fit(rows, LABELS, sample_weight=weight * least * 2**8)
    for a, b in zip(tiny.coefs_, whole.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2)
    with pytest.raises(ValueError, match="the sum of sample_weight must be at least"):
        cls(**params).fit(rows, LABELS, sample_weight=weight * least / 2)


# ---- the processor's floating-point control ----

x86 = pytest.mark.skipif(not floating_point.AVAILABLE, reason="needs x86-64")
FLUSH = floating_point.FLUSH_TO_ZERO | floating_point.DENORMALS_ARE_ZERO
CONTROLS = {
    "default": 0,
    "denormals are zero": FLUSH,
    "rounding up": floating_point.ROUND_UP,
    "rounding down": floating_point.ROUND_DOWN,
    "rounding to zero, denormals are zero": floating_point.ROUND_TO_ZERO | FLUSH,
}


def check_control_left_alone():
    for control in CONTROLS.values():
        for solver in ("sgd", "adam", "lbfgs"):
            rows = RNG.randn(2000, 100)
            model = MLPClassifier((60,), solver=solver, max_iter=1, n_threads=3, batch_size=2000)
            floating_point.set_control(floating_point.DEFAULT | control)
            model.fit(rows, np.arange(2000) % 3).predict_proba(rows)
            kernels.forward(rows, model.coefs_, model.intercepts_, n_threads=3)
            after = floating_point.control()
            floating_point.set_control(floating_point.DEFAULT)
            assert after == floating_point.DEFAULT | control


@x86
def test_the_import_leaves_the_floating_point_control_as_it_was():
    code = "from support import floating_point; floating_point.check_import()"
    subprocess.run([sys.executable, "-c", code], cwd=processes.TESTS, check=True, timeout=60)


@x86
def test_calls_leave_the_floating_point_control_as_it_was():
    processes.run(check_control_left_alone)


def check_control_of_the_team(dtype):
    """Prints how many rows were counted under each control."""
    for name, control in CONTROLS.items():
        print(name, count_rows(control, np.dtype(dtype)), sep=": ", flush=True)


def count_rows(control, dtype):
    """Some batches have only weights that are 0 to who takes denormals for it.

    Members that disagreed about such a batch would wait for each other for ever.
    """
    n, widths = 2400, (100, 64, 3)
    rows = RNG.randn(n, widths[0]).astype(dtype)
    weight = np.ones(n, dtype)
    weight[::3] = weight[600:1200] = np.finfo(dtype).smallest_normal / 2
    results = []
    for n_threads in (1, 2, 3, 4):
        weights, biases = kernels.initialize(widths, random_state=0, dtype=dtype)
        fields = calls.fields(
            *("train_epoch", rows, np.arange(n) % 3, weights, biases), sample_weight=weight,
            rule=calls.rule("adam"), moments=calls.moments("adam", weights + biases, np.ones_like),
            batch_size=600, n_threads=n_threads,
        )  # fmt: skip
        floating_point.set_control(floating_point.DEFAULT | control)
        counted = *_core.train_epoch(fields), *fields["steps"]
        floating_point.set_control(floating_point.DEFAULT)
        assert all(np.isfinite(p).all() for p in weights + biases)
        results.append((counted, *[p.tobytes() for p in weights + biases]))
    assert results[1:] == results[:1] * 3
    return counted[1]


@x86
def test_a_team_works_under_its_callers_floating_point_control(dtype):
    """Same bits on any number of threads; who takes denormals for zero passes over a batch."""
    counted = {name: 1800 if control & FLUSH else 2400 for name, control in CONTROLS.items()}
    lines = processes.run(check_control_of_the_team, dtype).splitlines()
    assert lines == [f"{name}: {n}" for name, n in counted.items()]


def test_denormals_are_numbers(dtype):
    """Products and sums of them are NumPy's."""
    tiny = np.finfo(dtype).smallest_subnormal
    rows = (np.arange(1, 13).reshape(3, 4) * tiny).astype(dtype)
    weights, biases = [np.ones((4, 2), dtype)], [np.full(2, tiny, dtype)]
    (out,) = kernels.forward(rows, weights, biases)
    np.testing.assert_array_equal(out, rows @ weights[0] + biases[0])
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=1).fit(rows, np.ones(3))
    model.coefs_, model.intercepts_ = [weights[0][:, :1]], [biases[0][:1]]
    np.testing.assert_array_equal(model.predict(rows), out[:, 0])


# ---- Adam's steps ----


def steps_on(steps, n_threads=1):
    """The bits after partial_fits that go on from so many steps."""
    model = MLPClassifier(**SMALL, batch_size=10).fit(X, LABELS)
    model._optimizer.steps[0] = steps
    model.partial_fit(X, LABELS)
    assert model._optimizer.steps == steps + 3
    return bits(model)


@pytest.mark.parametrize("steps", [2**31 - 2, 2**31, 2**32, 2**53])
def test_adam_goes_on_after_two_to_the_31_steps(steps):
    """As long as its bias corrections are 1, nothing depends on the number."""
    assert steps_on(steps) == steps_on(10**6)


@pytest.mark.parametrize("steps", [-1, -(2**63), 2**63 - 1, 2**63 - 3])
def test_steps_that_cannot_be_counted_on_are_refused(steps):
    with pytest.raises(ValueError, match="steps must hold"):
        steps_on(steps)


def test_an_infinite_l2_term_leaves_the_biases_alone():
    """What has no L2 term has none of 0 times infinity either."""
    X, y, tiny = np.ones((4, 2)), np.zeros(4, int), np.full(4, 1e-300)
    weights, biases = [np.ones((2, 2))], [np.ones(2)]
    options = {"sample_weight": tiny, "l2": 1e300}
    given = calls.fields("loss_gradient", X, y, weights, biases, **options)
    _core.loss_gradient(given)
    assert np.isfinite(given["dbiases"][0]).all()
    calls.train_epoch(X, y, weights, biases, **options)
    assert np.isfinite(biases[0]).all()

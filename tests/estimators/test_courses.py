"""Courses of the learning rate: names, callables and warmup, over the length of a fit."""

import pickle

import cloudpickle
import numpy as np
import pytest
import sklearn.neural_network
from sklearn.base import clone

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor, _core
from mlp_c._training.course import COURSES
from support import formulas
from support.checkpoints import interrupt
from support.fits import assert_same_bits_on_any_threads_and_of_sparse_rows, bits
from support.states import CLASSES, NUMBERS, N, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
EPOCHS, A_BATCH = 4, 15
AN_EPOCH = -(-N // A_BATCH)
STEPS = EPOCHS * AN_EPOCH
T = np.arange(STEPS) / STEPS
SMALL = {
    "hidden_layer_sizes": (5,),
    "batch_size": A_BATCH,
    "max_iter": EPOCHS,
    "random_state": 0,
    "n_iter_no_change": np.inf,
}
each_solver = pytest.mark.parametrize("solver", ["sgd", "adam"])


def named(params):
    """An id that says functions by their names."""
    return ", ".join(f"{name}={getattr(v, '__name__', v)}" for name, v in params.items())


def rises(t):
    """A callable that a file leaves out."""
    return t + 0.5


def make(cls=MLPClassifier, **params):
    return cls(**SMALL | params)


def rates_of(model, monkeypatch, *, y=CLASSES):
    """The rates of all steps of a fit."""
    train, rates = _core.train_epoch, []

    def watch(arguments):
        rates.append(arguments["learning_rates"])
        return train(arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_core, "train_epoch", watch)
        model.fit(X, y)
    return np.concatenate(rates)


# ---- what rates there are ----


@each_solver
@pytest.mark.parametrize("name", COURSES)
def test_each_step_has_the_rate_of_its_part_of_the_fit(name, solver, monkeypatch):
    model = make(learning_rate=name, solver=solver, learning_rate_init=0.25)
    rates = rates_of(model, monkeypatch)
    want = [0.25 * formulas.COURSES[name](t) for t in T]
    np.testing.assert_allclose(rates, want, rtol=1e-14, atol=1e-17)
    assert model.learning_rate_curve_ == rates[AN_EPOCH - 1 :: AN_EPOCH].tolist()


@each_solver
@pytest.mark.parametrize("warmup", [0.0, 0.02, 0.05, 0.3, 0.5, 1, 1.0, np.float32(0.25)])
def test_a_rate_rises_to_what_it_is_otherwise(warmup, solver, monkeypatch):
    """In a number of steps that is rounded, and may be none."""
    n = round(float(warmup) * STEPS)
    ramp = np.minimum(1, np.arange(1, STEPS + 1) / n) if n > 0 else np.ones(STEPS)
    with np.errstate(divide="raise"):
        rates = rates_of(make(warmup=warmup, solver=solver), monkeypatch)
    np.testing.assert_array_equal(rates, 0.001 * ramp)
    rates = rates_of(make(warmup=warmup, solver=solver, learning_rate=rises), monkeypatch)
    np.testing.assert_allclose(rates, 0.001 * ramp * rises(T), rtol=1e-15)


def test_adaptive_and_invscaling_are_warmed_up_and_of_sgd_alone(monkeypatch):
    ramp = np.minimum(1, np.arange(1, STEPS + 1) / round(0.4 * STEPS))
    epoch = np.repeat(np.arange(EPOCHS), AN_EPOCH)
    own = {"sgd": 1 / (epoch * N + 1) ** 0.3, "adam": np.ones(STEPS)}
    for solver, factors in own.items():
        model = make(learning_rate="invscaling", power_t=0.3, warmup=0.4, solver=solver)
        rates = rates_of(model, monkeypatch)
        np.testing.assert_allclose(rates, 0.001 * factors * ramp, rtol=1e-15)
    own = {"sgd": 0.2 ** np.maximum(0, epoch - 2), "adam": np.ones(STEPS)}
    for solver, factors in own.items():
        model = make(learning_rate="adaptive", tol=9.0, warmup=0.4, solver=solver)
        model.set_params(n_iter_no_change=1 if solver == "sgd" else np.inf)
        rates = rates_of(model, monkeypatch)
        np.testing.assert_allclose(rates, 0.001 * factors * ramp, rtol=1e-15)


def test_a_plateau_ends_a_fit_with_a_course_as_a_constant_rate():
    for params in ({"learning_rate": "cosine"}, {"learning_rate": rises}, {"warmup": 0.5}, {}):
        model = make(tol=9.0, n_iter_no_change=2, max_iter=50, **params)
        assert model.fit(X, CLASSES).n_iter_ == 4


def test_a_course_begins_again_with_every_fit_and_is_as_long(monkeypatch):
    model = make(learning_rate="cosine", warm_start=True)
    for epochs in (EPOCHS, 2 * EPOCHS, 1):
        rates = rates_of(model.set_params(max_iter=epochs), monkeypatch)
        t = np.arange(epochs * AN_EPOCH) / (epochs * AN_EPOCH)
        np.testing.assert_allclose(rates, 0.001 * formulas.COURSES["cosine"](t), rtol=1e-14)


def test_early_stopping_takes_rows_out_of_the_course(monkeypatch):
    model = make(learning_rate=rises, early_stopping=True, validation_fraction=0.5)
    rates = rates_of(model, monkeypatch)
    n = EPOCHS * -(-(N // 2) // A_BATCH)
    np.testing.assert_allclose(rates, 0.001 * rises(np.arange(n) / n), rtol=1e-15)


@pytest.mark.parametrize("max_iter", [10**9, 10**30, 10**400], ids=["9", "30", "400"])
def test_a_fit_without_end_is_at_its_beginning(max_iter, monkeypatch):
    model = make(learning_rate="cosine", warmup=1e-300, max_iter=max_iter)
    model.set_params(tol=9.0, n_iter_no_change=1)
    rates = rates_of(model, monkeypatch)
    assert len(rates) == 3 * AN_EPOCH
    greatest = 0.001 if max_iter < 10**300 else 3 * AN_EPOCH * 0.001 / 1e8
    assert 0 < max(rates) <= greatest
    model.set_params(warmup=np.float32(1e-30))  # in float32, so many steps are infinite
    assert max(rates_of(model, monkeypatch)) > 0


@each_solver
@pytest.mark.parametrize(
    "params",
    [{"learning_rate": "one_cycle"}, {"learning_rate": rises, "warmup": 0.3}],
    ids=["one_cycle", "rises"],
)
def test_the_bits_are_the_same(params, dtype, solver):
    model = make(solver=solver, compute_dtype=dtype.name, **params)
    assert_same_bits_on_any_threads_and_of_sparse_rows(model, X.astype(dtype), CLASSES)


def test_a_constant_course_and_no_warmup_change_nothing():
    plain = bits(make().fit(X, CLASSES))
    assert bits(make(learning_rate=np.ones_like).fit(X, CLASSES)) == plain
    assert bits(make(warmup=0.01).fit(X, CLASSES)) == plain  # which is no step


# ---- callables ----


def test_a_callable_is_called_once_an_epoch_with_an_array_of_its_own():
    given = []

    def halves(t):
        given.append(t.copy())
        t[...] = np.nan
        return [0.5] * len(t)

    model = make(learning_rate=halves, warmup=0.2).fit(X, CLASSES)
    assert [len(t) for t in given] == [AN_EPOCH] * EPOCHS
    np.testing.assert_array_equal(np.concatenate(given), T)
    assert model.learning_rate_curve_ == [0.0005] * EPOCHS


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32, np.longdouble])
def test_a_callable_returns_numbers_of_any_type(dtype):
    model = make(learning_rate=lambda t: np.ones(len(t), dtype)).fit(X, CLASSES)
    assert bits(model) == bits(make().fit(X, CLASSES))


# What a callable returns, and what is said of that.
UNSUITABLE = {
    "a number": (lambda t: 0.5, r"float64 of shape \(\) from <function"),
    "None": (lambda t: None, r"object of shape \(\)"),
    "one too few": (lambda t: t[1:], r"float64 of shape \(2,\)"),
    "a column": (lambda t: t[:, np.newaxis], r"float64 of shape \(3, 1\)"),
    "objects": (lambda t: t.astype(object), r"object of shape \(3,\)"),
    "complex numbers": (lambda t: t + 0j, r"complex128 of shape \(3,\)"),
    "text": (lambda t: t.astype(str), r"<U32 of shape \(3,\)"),
    "lists of several lengths": (
        lambda t: [[1.0], [1.0, 2.0]],
        r"\[\[1.0\], \[1.0, 2.0\]\] from",
    ),
    "a negative one": (lambda t: -1 - t, r"-1.0 from <function"),
    "NaN": (lambda t: t * np.nan, "nan from <function"),
    "infinity": (lambda t: t + np.inf, "inf from <function"),
    "more than float64 holds": (lambda t: np.full(3, np.longdouble("1e4000")), "inf from"),
}


@pytest.mark.parametrize("what", UNSUITABLE)
def test_what_is_no_factors_is_refused(what):
    returned, got = UNSUITABLE[what]
    message = r"^learning_rate must return an array of shape \(3,\) of numbers( that are finite "
    message += rf"and not negative)?, got {got}"
    with np.errstate(all="raise"), pytest.raises(ValueError, match=message):
        make(learning_rate=returned).fit(X, CLASSES)


def test_a_callable_is_called_under_the_errors_that_the_user_has_set():
    """Products with tiny and huge rates are no errors of theirs."""
    model = make(learning_rate=lambda t: 1 / (1 + np.exp(3000 * t)))
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match=r"overflow .* exp"):
        model.fit(X, CLASSES)
    with np.errstate(all="ignore"):
        assert model.fit(X, CLASSES).learning_rate_curve_[-1] == 0
    with np.errstate(all="raise"):
        make(learning_rate="cosine", warmup=0.5, learning_rate_init=1e-307).fit(X, CLASSES)
        with pytest.raises(ValueError, match="non-finite"):
            make(learning_rate=lambda t: np.full(3, 1e9), learning_rate_init=1e300).fit(X, CLASSES)


@pytest.mark.parametrize("error", [ZeroDivisionError, StopIteration, SystemExit, TypeError])
def test_what_a_callable_raises_passes_through(error):
    def fails(t):
        if t[0] > 0:
            raise error("of a callable")
        return t

    model = make(learning_rate=fails)
    with pytest.raises(error, match="of a callable"):
        model.fit(X, CLASSES)
    assert model.n_iter_ == 1
    assert bits(model.set_params(learning_rate="constant").fit(X, CLASSES)) == bits(
        make().fit(X, CLASSES)
    )


def test_ctrl_c_in_a_callable_ends_the_fit_between_epochs():
    def stops(t):
        if t[0] >= 0.5:
            raise KeyboardInterrupt
        return np.ones(len(t))

    with pytest.warns(UserWarning, match="interrupted by user"):
        model = make(learning_rate=stops).fit(X, CLASSES)
    assert bits(model) == bits(make(max_iter=2).fit(X, CLASSES))


def test_a_callable_that_fits_the_model_or_changes_it_does_no_harm():
    """The fit goes by the parameters that it began with."""

    def meddles(t):
        with pytest.raises(RuntimeError, match="is being fitted"):
            model.fit(X, CLASSES)
        model.set_params(learning_rate="odd", warmup=-1, max_iter=1)
        return np.ones(len(t))

    model = make(learning_rate=meddles)
    assert bits(model.fit(X, CLASSES)) == bits(make().fit(X, CLASSES))


class Unhashable:
    """A callable object."""

    def __eq__(self, other):
        return isinstance(other, Unhashable)

    __hash__ = None

    def __call__(self, t):
        return 1 - t


def test_callables_are_parameters_as_any_other():
    """Of functions and of objects, in clones and pickles."""
    for callable_ in (rises, Unhashable()):
        model = make(learning_rate=callable_)
        assert model.get_params()["learning_rate"] is callable_
        for twin in (clone(model), cloudpickle.loads(cloudpickle.dumps(model))):
            assert bits(twin.fit(X, CLASSES)) == bits(clone(model).fit(X, CLASSES))
    model = make(learning_rate=rises).fit(X, CLASSES)
    assert pickle.loads(pickle.dumps(model)).learning_rate is rises


# ---- files ----


def test_a_file_has_a_constant_rate_in_the_place_of_a_callable(tmp_path):
    path = tmp_path / "m"
    model = make(learning_rate=rises, warmup=0.5).fit(X, CLASSES)
    model.save(path)
    loaded = mlp_c.load(path)
    assert (loaded.learning_rate, loaded.warmup) == ("constant", 0.5)
    assert model.learning_rate is rises
    assert loaded.learning_rate_curve_ == model.learning_rate_curve_
    assert loaded.n_steps_ == STEPS


def of_hits(estimator, X, y):
    return np.mean(estimator.predict(X) == y)


@pytest.mark.parametrize(
    "params",
    [
        {"learning_rate": rises},
        {"learning_rate": rises, "warmup": 0.7, "solver": "sgd"},
        {"learning_rate": rises, "scoring": of_hits, "early_stopping": True},
    ],
    ids=named,
)
def test_a_fit_with_a_callable_goes_on_to_the_bit(params, tmp_path):
    path = tmp_path / "c"
    interrupt(make(**params), path, 2, (X, CLASSES))
    again = {name: value for name, value in params.items() if callable(value)}
    whole = make(**params).fit(X, CLASSES)
    for missing in again:
        given = {name: value for name, value in again.items() if name != missing}
        for wrong in ({}, {missing: "cosine"}):
            with pytest.raises(ValueError, match=rf"^{missing} must be the callable of the fit of"):
                mlp_c.resume(path, X, CLASSES, **given, **wrong)
    resumed = mlp_c.resume(path, X, CLASSES, **again)
    assert bits(resumed) == bits(whole)
    assert resumed.learning_rate_curve_ == whole.learning_rate_curve_
    assert resumed.get_params() == whole.get_params()


@pytest.mark.parametrize("learning_rate", ["constant", "cosine"])
def test_a_callable_that_the_fit_did_not_have_is_refused(learning_rate, tmp_path):
    path = tmp_path / "c"
    interrupt(make(learning_rate=learning_rate), path, 2, (X, CLASSES))
    message = rf"^learning_rate must be None where the file holds it: '{learning_rate}' in '.*c'"
    for wrong in (rises, np.ones(2)):
        with pytest.raises(ValueError, match=message):
            mlp_c.resume(path, X, CLASSES, learning_rate=wrong)
    resumed = mlp_c.resume(path, X, CLASSES, learning_rate=learning_rate)
    assert bits(resumed) == bits(make(learning_rate=learning_rate).fit(X, CLASSES))


# ---- where there is no course ----

NEED_LENGTH = [*({"learning_rate": name} for name in [*COURSES, rises]), {"warmup": 0.1}]


@pytest.mark.parametrize("params", NEED_LENGTH, ids=named)
def test_partial_fit_takes_none(params):
    ((name, value),) = params.items()
    message = rf"^partial_fit, which knows no number of epochs, takes no {name}={value!r}$"
    model, whole = make(), make().fit(X, CLASSES)
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).partial_fit(X, CLASSES, classes=[0, 1, 2])
    assert not hasattr(model, "coefs_")
    before = bits(whole)
    with pytest.raises(ValueError, match=message):
        whole.set_params(**params).partial_fit(X, CLASSES)
    assert bits(whole) == before


def test_partial_fit_goes_on_from_a_course_at_the_first_rate():
    """With the moments of the fit, once it is told of a constant rate."""
    for solver in ("sgd", "adam"):
        model = make(learning_rate="cosine", solver=solver, learning_rate_init=0.25)
        model.fit(X, CLASSES)
        model.set_params(learning_rate="constant").partial_fit(X, CLASSES)
        assert model.learning_rate_curve_[-1] == 0.25
        assert model.n_steps_ == STEPS + AN_EPOCH


@pytest.mark.parametrize("params", NEED_LENGTH, ids=named)
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_lbfgs_takes_none(cls, params):
    ((name, value),) = params.items()
    y = CLASSES if cls is MLPClassifier else NUMBERS
    message = rf"^solver='lbfgs', which makes no steps, takes no {name}={value!r}$"
    random_state = np.random.RandomState(0)
    model = make(cls, solver="lbfgs", random_state=random_state, **params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")
    assert random_state.randint(2**31) == np.random.RandomState(0).randint(2**31)


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
def test_lbfgs_takes_what_scikit_learns_does(learning_rate):
    model = make(solver="lbfgs", learning_rate=learning_rate).fit(X, CLASSES)
    theirs = sklearn.neural_network.MLPClassifier(
        (5,), solver="lbfgs", max_iter=EPOCHS, random_state=0, learning_rate=learning_rate
    ).fit(X, CLASSES)
    assert model.loss_ == pytest.approx(theirs.loss_, rel=1e-6)


class Falling(MLPRegressor):
    """A subclass without the parameter."""

    def __init__(self):
        super().__init__(learning_rate="cosine", max_iter=2)


@pytest.mark.parametrize("params", NEED_LENGTH, ids=named)
def test_scikit_learns_model_has_a_constant_rate(params):
    model = make(**params).fit(X, CLASSES)
    theirs = model.to_sklearn()
    assert theirs.learning_rate == "constant"
    np.testing.assert_allclose(theirs.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    theirs = Falling().fit(X, NUMBERS).to_sklearn()
    assert theirs.learning_rate == "constant"
    model = make(learning_rate="adaptive").fit(X, CLASSES)
    assert model.to_sklearn().learning_rate == "adaptive"

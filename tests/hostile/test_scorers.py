"""Scorers that raise, meddle with the model that is being fitted, copy it, or write to its rows.

The fit ends, or raises, and the next one is as ever. Elsewhere: what a scorer may return
(estimators/test_validation), callbacks (test_callbacks), Ctrl-C in C code (test_interrupt).
"""

import copy
import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.metrics import log_loss

import mlp_c
from hostile.test_callbacks import MEDDLING
from mlp_c import MLPClassifier, MLPRegressor
from support import processes

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X, X_VAL = RNG.standard_normal((80, 6)), RNG.standard_normal((30, 6))
Y, Y_VAL = np.arange(80) % 3, np.arange(30) % 3
SOLVERS = "sgd", "adam", "lbfgs"
each_solver = pytest.mark.parametrize("solver", SOLVERS)


def make(scoring, cls=MLPClassifier, **params):
    params = {"hidden_layer_sizes": (7,), "max_iter": 6, "random_state": 0} | params
    return cls(early_stopping=True, scoring=scoring, **params)


def fit(model, X_val=X_VAL, y_val=Y_VAL):
    return model.fit(X, Y, X_val=X_val, y_val=y_val)


def bits(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


class Scripted:
    """The model's own score; in the call of a number, something else is done before."""

    def __init__(self, number, action):
        self.number, self.action = number, action

    def __reduce__(self):
        return Scripted, (0, print)

    def __call__(self, model, X, y):
        self.number -= 1
        if self.number == 0:
            self.action(model)
        return model.score(X, y)


# ---- what they raise ----


def raises(error):
    def action(model):
        raise error

    return action


@each_solver
@pytest.mark.parametrize("error", [ZeroDivisionError, MemoryError, SystemExit, StopIteration])
def test_what_a_scorer_raises_arrives_and_the_next_fit_works(solver, error):
    """SciPy would take a StopIteration for the end of the fit, and say nothing."""
    model = make(Scripted(3, raises(error)), solver=solver)
    is_hidden = error is StopIteration and solver == "lbfgs"
    with pytest.raises(RuntimeError if is_hidden else error):
        fit(model)
    plain = fit(make(None, solver=solver))
    assert bits(fit(model.set_params(scoring=None))) == bits(plain)
    assert set(vars(model)) == set(vars(plain))


@pytest.mark.parametrize("at", ["begin", "end"])
def test_a_callback_that_ends_by_mistake_does_not_end_lbfgs(at):
    class Callback:
        setup = teardown = on_fit_task_begin = on_fit_task_end = lambda *args, **kwargs: None

    def stop(estimator, context):
        if context.task_name == "epoch" and estimator.n_iter_ == 2:
            raise StopIteration

    setattr(Callback, f"on_fit_task_{at}", staticmethod(stop))
    model = MLPClassifier((7,), solver="lbfgs").set_callbacks(Callback())
    with pytest.raises(RuntimeError, match=r"^a scorer or callback raised StopIteration$"):
        model.fit(X, Y)


@each_solver
def test_an_interrupt_in_a_scorer_leaves_the_best_weights(solver):
    """Those of an epoch that has no score are none of them."""
    model = make(Scripted(4, raises(KeyboardInterrupt)), solver=solver)
    with pytest.warns(UserWarning, match="interrupted by user"):
        fit(model)
    plain = fit(make(None, solver=solver, max_iter=3))
    assert model.n_iter_ == 4
    assert model.validation_scores_ == plain.validation_scores_
    assert len(model.validation_loss_curve_) == 3
    assert bits(model) == bits(plain)
    assert model.score(X_VAL, Y_VAL) == model.best_validation_score_


@each_solver
def test_an_interrupt_as_the_best_weights_are_copied_leaves_those_before(solver, monkeypatch):
    """Nothing says then that others are the best."""
    copy_weights, n_copied = MLPClassifier._copy_weights, []

    def interrupted(model):
        n_copied.append(model.best_iter_)
        if model.n_iter_ > 0 and len(n_copied) == 3:
            raise KeyboardInterrupt
        return copy_weights(model)

    monkeypatch.setattr(MLPClassifier, "_copy_weights", interrupted)
    model = make("loss", solver=solver)
    with pytest.warns(UserWarning, match="interrupted by user"):
        fit(model)
    assert len(n_copied) == 3  # before the first epoch, and of the two best
    scores = model.validation_scores_
    assert len(scores) == len(model.validation_loss_curve_) == model.n_iter_ - 1
    assert model.best_validation_score_ == max(scores) == scores[model.best_iter_ - 1]
    kept = log_loss(Y_VAL, model.predict_proba(X_VAL))
    assert kept == pytest.approx(-max(scores), rel=1e-12)


@each_solver
def test_an_interrupt_before_the_first_score_leaves_what_can_be_saved(solver, tmp_path):
    model = make(Scripted(1, raises(KeyboardInterrupt)), solver=solver)
    with pytest.warns(UserWarning, match="interrupted by user"):
        fit(model)
    assert (model.best_iter_, model.validation_scores_) == (0, [])
    model.set_params(scoring=None).save(tmp_path / "m")
    assert bits(mlp_c.load(tmp_path / "m")) == bits(model)


# ---- what they do with the model ----


def score_meddling(cls):
    """Prints how each fit with a scorer that meddles ended; the next one is as ever."""
    cls = getattr(mlp_c, cls)
    for solver in SOLVERS:
        alone = bits(fit(make(None, cls, solver=solver)))
        for name, action in MEDDLING.items():
            try:
                fit(make(Scripted(2, action), cls, solver=solver))
            except (Exception, SystemExit) as error:
                print(f"{name}: {type(error).__name__}", flush=True)
            else:
                print(f"{name}: done", flush=True)
            assert bits(fit(make(None, cls, solver=solver))) == alone


@pytest.mark.parametrize("cls", ["MLPClassifier", "MLPRegressor"])
def test_a_scorer_that_meddles_with_the_model_does_no_harm(cls):
    lines = processes.run(score_meddling, cls).splitlines()
    assert [line.partition(":")[0] for line in lines] == 3 * list(MEDDLING)
    allowed = {"done", "TypeError", "ValueError", "AttributeError", "RuntimeError", "IndexError"}
    allowed |= {"SystemExit", "RecursionError", "KeyError", "NotFittedError", "OverflowError"}
    assert {line.rpartition(" ")[2] for line in lines} <= allowed


class Copying:
    """The model's own score, and copies of the model in several ways."""

    copies = ()

    def __call__(self, model, X, y):
        copies = copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.copy(model)
        for each in copies:
            assert np.array_equal(each.predict_proba(X), model.predict_proba(X))
        for each in (*copies, clone(model)):
            each.set_params(scoring=None).fit(X, y)
        return model.score(X, y)


@each_solver
def test_a_scorer_may_copy_the_model_and_fit_the_copies(solver):
    model = fit(make(Copying(), solver=solver))
    plain = fit(make(None, solver=solver))
    assert bits(model) == bits(plain)
    assert model.validation_scores_ == plain.validation_scores_


@each_solver
def test_a_scorer_may_not_fit_the_model(solver):
    model = make(lambda model, X, y: fit(model).score(X, y), solver=solver)
    with pytest.raises(RuntimeError, match=r"^this MLPClassifier is being fitted already$"):
        fit(model)


# ---- what they do with the rows ----


def rewrite():
    """Fits with rows and targets to validate with that the scorer fills with junk meanwhile."""
    forms = np.asarray, np.asfortranarray, lambda rows: csr_array(np.maximum(rows, 0))
    junk = np.nan, -np.inf, 1e300, 10**9, -1
    for cls, solver, form, value in (
        (cls, solver, form, value)
        for cls in (MLPClassifier, MLPRegressor)
        for solver in SOLVERS
        for form in forms
        for value in junk
    ):
        X_val, y_val = form(X_VAL.copy()), Y_VAL.astype(float)
        parts = [y_val]
        parts += [X_val] if isinstance(X_val, np.ndarray) else [X_val.data]
        others = [] if isinstance(X_val, np.ndarray) else [X_val.indices, X_val.indptr]

        def scoring(model, X, y, parts=parts, others=others, value=value):
            for part in parts:
                part.fill(value)
            for part in others:
                part.fill(2**31 - 1 if value == 10**9 else -1)
            return 1.0

        try:
            fit(make(scoring, cls, solver=solver), X_val, y_val)
        except ValueError:
            print("refused")
        else:
            print("done")


def test_rows_that_a_scorer_rewrites_lead_nowhere_else():
    lines = processes.run(rewrite).splitlines()
    assert len(lines) == 2 * 3 * 3 * 5
    assert set(lines) == {"done", "refused"}


@each_solver
def test_rows_to_validate_with_may_lie_among_those_of_the_training(solver):
    """Backwards, and every other one."""
    apart = fit(make("loss", solver=solver), X[::-2].copy(), Y[::-2].copy())
    among = fit(make("loss", solver=solver), X[::-2], Y[::-2])
    assert bits(among) == bits(apart)
    assert among.validation_scores_ == apart.validation_scores_

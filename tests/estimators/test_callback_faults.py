"""Callbacks that raise, interrupt, pickle, or fit another model or the same."""

import pickle

import pytest

from support.callbacks import EPOCHS, Recorder, X, Y, bits, both, make, solvers, tasks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Stumble(Exception):
    pass


class Stumbler(Recorder):
    """Raises in the named hook, once, of a task so named."""

    def __init__(self, hook, task_name):
        super().__init__()
        self.where = hook, task_name

    def _stumble(self, hook, task_name):
        if self.where == (hook, task_name):
            self.where = None
            raise Stumble

    def setup(self, estimator, context):
        super().setup(estimator, context)
        self._stumble("setup", context.task_name)

    def on_fit_task_begin(self, estimator, context):
        self._stumble("begin", context.task_name)

    def on_fit_task_end(self, estimator, context):
        self._stumble("end", context.task_name)


@both
@solvers
@pytest.mark.parametrize(
    "where",
    [("setup", "fit"), ("begin", "fit"), ("begin", "epoch"), ("end", "epoch"), ("end", "fit")],
    ids="-".join,
)
def test_an_exception_in_a_callback_arrives_and_the_next_fit_works(cls, solver, where):
    plain = make(cls, solver=solver, early_stopping=True).fit(X, Y)
    stumbler = Stumbler(*where)
    model = make(cls, solver=solver, early_stopping=True).set_callbacks(stumbler)
    with pytest.raises(Stumble):
        model.fit(X, Y)
    assert stumbler.calls == ["setup", "teardown"]
    model.fit(X, Y)
    assert stumbler.calls == ["setup", "teardown"] * 2
    assert bits(model) == bits(plain)


@both
@solvers
def test_a_fit_that_raised_leaves_nothing_in_the_next(cls, solver):
    plain = make(cls, solver=solver).fit(X, Y)
    model = make(cls, solver=solver, early_stopping=True)
    with pytest.raises(Stumble):
        model.set_callbacks(Stumbler("end", "epoch")).fit(X, Y)
    model.set_callbacks().set_params(early_stopping=False).fit(X, Y)
    assert set(vars(model)) == set(vars(plain))
    assert bits(model) == bits(plain)


@both
@solvers
def test_an_interrupt_in_a_callback_leaves_the_model_and_ends_the_tasks(cls, solver):
    def interrupt(estimator, epoch):
        if epoch == 2:
            raise KeyboardInterrupt

    recorder = Recorder(interrupt)
    model = make(cls, solver=solver).set_callbacks(recorder)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(X, Y)
    assert recorder.calls == list(tasks(3))
    assert bits(model) == bits(make(cls, solver=solver, max_iter=3).fit(X, Y))


@both
@solvers
def test_a_callback_may_pickle_the_estimator_as_it_trains(cls, solver):
    pickles = []
    model = make(cls, solver=solver)
    model.set_callbacks(Pickler(pickles)).fit(X, Y)
    assert bits(model) == bits(make(cls, solver=solver).fit(X, Y))
    for epochs, dump in enumerate(pickles, 1):
        copy = pickle.loads(dump)
        assert bits(copy) == bits(make(cls, solver=solver, max_iter=epochs).fit(X, Y))
        copy.set_callbacks().fit(X, Y)
        assert bits(copy) == bits(model)


class Pickler(Recorder):
    def __init__(self, pickles):
        super().__init__()
        self.pickles = pickles

    def __reduce__(self):
        return Recorder, ()

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.pickles.append(pickle.dumps(estimator))


@both
@solvers
def test_a_callback_may_fit_another_model(cls, solver):
    others = []

    def fit_another(estimator, epoch):
        others.append(make(cls, solver=solver).fit(X, Y))

    model = make(cls, solver=solver).set_callbacks(Recorder(fit_another)).fit(X, Y)
    assert len(others) == EPOCHS
    assert all(bits(other) == bits(model) for other in others)


@both
@solvers
def test_a_callback_may_not_fit_its_own_estimator(cls, solver):
    """It would change the weights under the fit that is going on, which ends as it would."""
    refused = []

    def refit(estimator, epoch):
        with pytest.raises(RuntimeError, match="being fitted already"):
            estimator.fit(X, Y)
        refused.append(epoch)

    recorder = Recorder(refit)
    model = make(cls, solver=solver).set_callbacks(recorder).fit(X, Y)
    assert refused == list(range(EPOCHS))
    assert recorder.calls == list(tasks(EPOCHS))
    assert bits(model) == bits(make(cls, solver=solver).fit(X, Y))
    model.set_callbacks().fit(X, Y)

"""Ranks on which something goes wrong: all end, at the same batch, and say what it was.

Whatever is said here of a fault is said of each rank that has it, with and without shards, and
with the same rows on all ranks or rows of their own. Ranks fit again after each fault, on the same
communicator. A rank that hangs says where, and is an error.
"""

import functools
import hashlib
import io
import itertools
import json
import os
import random
import signal
import time
import warnings
from contextlib import redirect_stdout

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from mlp_c import MLPClassifier, MLPRegressor, _core, mpi
from mlp_c._mpi import batches, data, exchanges, ranks
from mlp_c._mpi.launch import require_launched
from support.mpi_faults import ending_of, interrupt_after, interrupt_self, launch
from support.ranks import require

N = 96
N_BATCHES = 6
X = np.random.default_rng(0).standard_normal((N, 40))
Y = np.arange(N) % 3

# Shards of 16 rows, which end where ranks' rows do.
WAYS = [(rows, n_shards) for rows in ("same", "own") for n_shards in (None, 6)]


def make(cls=MLPClassifier, **params):
    defaults = {"hidden_layer_sizes": (5,), "max_iter": 3, "batch_size": N // N_BATCHES}
    return cls(**defaults | {"random_state": 0, "n_threads": 1} | params)


def endless(**params):
    """A model that nothing but a fault ends."""
    return make(max_iter=10**6, tol=0, n_iter_no_change=10**6, **params)


def part(comm, array):
    """A rank's part of rows."""
    n, rank, size = array.shape[0], comm.Get_rank(), comm.Get_size()
    return array[rank * n // size : (rank + 1) * n // size]


def fit(comm, model, rows="same", n_shards=None, x=X, y=Y, **options):
    """Fits a model to rows, of which a rank passes all or its part."""
    if rows == "own":
        x, y = part(comm, x), part(comm, y)
    return mpi.fit(model, x, y, comm=comm, rows=rows, n_shards=n_shards, **options)


def state_of(model):
    """A digest of a model's weights and moments, and how many steps made them; None before."""
    if not hasattr(model, "_optimizer"):
        return None
    moments = [m for ms in model._optimizer.moments for m in ms]
    content = b"".join(a.tobytes() for a in [*model.coefs_, *model.intercepts_, *moments])
    return [hashlib.sha256(content).hexdigest(), int(model._optimizer.steps[0])]


def in_ways(comm, names):
    """Names with ways: two ranks have all, three one of them in turn."""
    for i, name in enumerate(names):
        for way in WAYS if comm.Get_size() == 2 else [WAYS[i % len(WAYS)]]:
            yield name, way


def fits_again(comm):
    """What a fit then comes to on the same communicator, in each way."""
    for way in WAYS:
        model = make()
        ending = ending_of(lambda model=model, way=way: fit(comm, model, *way))
        yield f"again: {way}", [ending, state_of(model)]


def check_again(size, said):
    """Takes out what the fits have come to that follow others, which is the same on all ranks."""
    for way in WAYS:
        again = said.pop(f"again: {way}")
        assert again[0][0] == ["done"]
        assert again == [again[0]] * size


class Hooks:
    """A callback that does something where a fit or an epoch begins or ends."""

    def __init__(self, **actions):
        self.actions = actions

    def setup(self, estimator, context):
        self.actions.get("setup", id)(estimator)

    def teardown(self, estimator, context):
        self.actions.get("teardown", id)(estimator)

    def on_fit_task_begin(self, estimator, context):
        self.actions.get(f"begin_{context.task_name}", id)(estimator)

    def on_fit_task_end(self, estimator, context):
        return self.actions.get(f"end_{context.task_name}", id)(estimator) is True


def raises(error):
    def action(*args, **kwargs):
        raise error

    return action


# ---- faults ----


def replaced(owner, name, wrap):
    """Has a function be another, until what this returns is called."""
    function = getattr(owner, name)
    setattr(owner, name, wrap(function))
    return lambda: setattr(owner, name, function)


def at_call(number, action, *, after=False):
    """Wraps a function, of whose calls one does something, before or after its work."""
    calls = itertools.count()

    def wrap(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            is_it = next(calls) == number
            if is_it and not after:
                action()
            result = function(*args, **kwargs)
            if is_it and after:
                action()
            return result

        return call

    return wrap


class Failing:
    """A module, of whose functions' calls one fails."""

    def __init__(self, module, number, action):
        self._module, self._begin_call = module, at_call(number, action)(lambda: None)

    def __getattr__(self, name):
        found = getattr(self._module, name)
        if isinstance(found, type) or not callable(found):
            return found

        def call(*args, **kwargs):
            self._begin_call()
            return found(*args, **kwargs)

        return call


# ---- an error, wherever it is ----

# What fails: what is replaced, and among how many of its calls the one is.
FAILING = {
    "exchange": (exchanges.Exchange, "__call__", 20),
    "sum of shards": (exchanges, "_add_up", 10),
    "kernels": (_core, "train_share", 3),
    "evaluation": (_core, "evaluate", 3),
    "score": (MLPClassifier, "_score_outputs", 3),
    "arrays of exchanges": (exchanges, "np", 20),
    "arrays of batches": (batches, "np", 60),
    "arrays of rows": (data, "np", 25),
    "arrays of ranks": (ranks, "np", 8),
}


def errors(comm):
    """Errors at random calls on each rank: how the fit ended, and whether as it is to."""
    rng = random.Random(comm.Get_size())
    for way, (place, found), faulty, turn in itertools.product(
        WAYS, FAILING.items(), range(comm.Get_size()), range(4 - comm.Get_size())
    ):
        owner, name, n_calls = found
        if (name == "_add_up" and way[1] is None) or (name == "_score_outputs" and faulty > 0):
            continue  # which is not called
        number, after = rng.randrange(n_calls), rng.random() < 0.5
        error = rng.choice([MemoryError("no room"), OSError("lost")])
        put_back = list
        if comm.Get_rank() == faulty:
            wrap = at_call(number, raises(error), after=after)
            if name == "np":
                wrap = functools.partial(Failing, number=number, action=raises(error))
            put_back = replaced(owner, name, wrap)
        model = make(max_iter=6, early_stopping=True, validation_fraction=0.2)
        ending = ending_of(lambda model=model, way=way: fit(comm, model, *way))
        put_back()
        text = f"{type(error).__name__}: {error}"
        expected = [f"RuntimeError: training failed on rank {faulty}: {text}"]
        case = f"{place}, {way}, {turn}, on rank {faulty}, at call {number}, after: {after}"
        yield case, ending == expected or ending
    yield from fits_again(comm)


def test_an_error_on_one_rank_ends_the_fit_on_all(made):
    """In an exchange, the kernels, a score, or where there is no memory for an array.

    That is so before and after exchanges of a batch, of an evaluation and of what is checked.
    """
    said = made["errors"]
    check_again(made.size, said)
    n_turns, n_others = 4 - made.size, made.size - 1
    assert len(said) == n_turns * ((4 * 8 + 2) * made.size - 4 * n_others)
    assert {case: said[case] for case in said if said[case] != [True] * made.size} == {}


# ---- the user's code ----


class NoText(Exception):
    def __str__(self):
        raise ValueError


def no_rate(t):
    raise ZeroDivisionError("no rate")


def own_score(estimator, X, y):
    """Another on each rank: on some, training would end before it does on others."""
    own_score.calls = getattr(own_score, "calls", 0) + 1
    return own_score.calls if mpi.rank() == 1 else 0


def no_score_on_rank_0(estimator, X, y):
    return 1 / mpi.rank()


def change_weight(model):
    model.coefs_[0][0, 0] += 1


def change_last_weight(model):
    if model.n_iter_ == model.max_iter:
        change_weight(model)


def fit_alone(model):
    """Fits another model in a fit of several processes: on one of them."""
    from mpi4py import MPI

    fit(MPI.COMM_SELF, make())


def fit_with_errors_for_warnings(comm):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(comm, make())


FAILED = "RuntimeError: training failed on rank 0: "
OTHER_WEIGHTS = (
    "RuntimeError: the weights must be the same on all ranks, and no callback may change them, got "
    "others on rank 1 at "
)
REFUSED_IN_A_FIT = "RuntimeError: mlp_c.mpi.fit must not be called in the midst of another one"

# What a callback does, and how the fit ends.
HOOKS = {
    "error before a fit": ({"setup": raises(ValueError("no"))}, FAILED + "ValueError: no"),
    "error at its beginning": ({"begin_fit": raises(ValueError("no"))}, FAILED + "ValueError: no"),
    "error at an epoch's": ({"begin_epoch": raises(ValueError("no"))}, FAILED + "ValueError: no"),
    "error at an epoch's end": ({"end_epoch": raises(KeyError(1))}, FAILED + "KeyError: 1"),
    "error at its end": ({"end_fit": raises(ValueError("no"))}, FAILED + "ValueError: no"),
    "exit": ({"end_epoch": raises(SystemExit("no"))}, FAILED + "SystemExit: no"),
    "error without a text": ({"end_epoch": raises(NoText())}, FAILED + "NoText: (its text cannot"),
    "stop": ({"end_epoch": lambda model: model.n_iter_ == 2}, "done"),
    "fit of all": ({"end_epoch": lambda model: fit(None, make())}, FAILED + REFUSED_IN_A_FIT),
    "fit of one": ({"end_epoch": fit_alone}, "done"),
    "parameters": ({"end_epoch": lambda model: model.set_params(max_iter=1, tol=-1)}, "done"),
    "weights": ({"end_epoch": change_weight}, OTHER_WEIGHTS + "the beginning of an epoch"),
    "weights at the last end": ({"end_epoch": change_last_weight}, OTHER_WEIGHTS + "its end"),
    "weights at its end": ({"end_fit": change_weight}, OTHER_WEIGHTS + "its end"),
    "interrupt at its beginning": ({"begin_fit": lambda model: interrupt_self()}, "KeyboardInter"),
    "interrupt at an epoch's": ({"begin_epoch": lambda model: interrupt_self()}, "done"),
    "interrupt at an epoch's end": ({"end_epoch": lambda model: interrupt_self()}, "done"),
    "interrupt at its end": ({"end_fit": lambda model: interrupt_self()}, "KeyboardInterrupt"),
    "interrupt behind it": ({"teardown": lambda model: interrupt_self()}, "KeyboardInterrupt"),
}


def hooked(comm):
    """Callbacks of rank 0: how a fit has ended, what the model is, and what the next fit makes."""
    for name, way in in_ways(comm, HOOKS):
        model = make().set_callbacks(Hooks(**HOOKS[name][0]))
        ending = ending_of(lambda model=model, way=way: fit(comm, model, *way))
        yield f"{name}: {way}", [ending, state_of(model)]
    yield from fits_again(comm)


def test_what_a_callback_does_on_rank_0_ends_the_fit_on_all(made):
    """It raises, stops, is interrupted, or fits another model, which it may by itself."""
    check_again(made.size, made["hooked"])
    assert len(made["hooked"]) >= len(HOOKS)
    for case, said in made["hooked"].items():
        expected = HOOKS[case.partition(": ")[0]][1]
        assert all(ending[0].startswith(expected) for ending, _ in said), (case, said)
        if expected == "done":
            assert said == [said[0]] * made.size, case


def disturbed(comm):
    """Rates, scores and warnings of one rank that end a fit; and Ctrl-C as a rank waits."""
    rank, size = comm.Get_rank(), comm.Get_size()
    for faulty in range(size):
        rate = no_rate if rank == faulty else np.ones_like
        model = make(learning_rate=Named(rate))
        yield f"rate, {faulty}", ending_of(lambda model=model: fit(comm, model))
    for score in (no_score_on_rank_0, own_score):
        model = make(scoring=score, early_stopping=True, n_iter_no_change=2, max_iter=20)
        ending = ending_of(lambda model=model: fit(comm, model))
        yield score.__name__, [*ending, getattr(model, "validation_scores_", None)]
    put_back = list
    if rank == 1:
        put_back = replaced(ranks.RankTasks, "end_epoch", lambda end: lambda task: [end(task)])
    yield "leaves", ending_of(lambda: fit(comm, make()))
    put_back()
    resume = functools.partial(mpi.resume, "there is none", X, Y, comm=comm)
    begin = functools.partial(fit, comm, make()) if rank == 0 else resume
    yield "fit and resume", ending_of(begin)
    yield "no checkpoint", ending_of(lambda: mpi.resume("there is none", X, Y, comm=comm))
    yield "warning", ending_of(lambda: fit_with_errors_for_warnings(comm))
    model = make().set_callbacks(Hooks(end_fit=lambda model: time.sleep(0.4)))
    put_back = list
    if rank == 1:
        put_back = replaced(ranks.RankTasks, "end", at_call(0, lambda: interrupt_after(0.2)))
    yield "waits", ending_of(lambda: fit(comm, model))
    put_back()
    yield from fits_again(comm)


class Named:
    """A callable that is the same to all ranks."""

    def __init__(self, function):
        self._function = function

    def __call__(self, t):
        return self._function(t)


def test_what_one_rank_alone_does_ends_the_fit_on_all(made):
    """A rate or a score that fails there; what it calls or leaves; a warning; Ctrl-C as it waits.

    Scores are those of rank 0, whatever they would be on others.
    """
    size, said = made.size, made["disturbed"]
    check_again(size, said)
    rates = {f"rate, {r}": f"training failed on rank {r}: ZeroDivisionError" for r in range(size)}
    for case, text in {
        **rates,
        "no_score_on_rank_0": "training failed on rank 0: ZeroDivisionError: ",
        "leaves": "training must go the same way on all ranks, got rank 0 at the beginning of an ",
        "no checkpoint": "training failed on rank 0: FileNotFoundError: ",
        "warning": "training failed on rank 0: ConvergenceWarning: ",
    }.items():
        assert all(ending.startswith(f"RuntimeError: {text}") for ending, *_ in said[case]), case
    assert said["own_score"] == [["done", [0.0] * 4]] * size
    fit_and_resume = "ValueError: the function of mlp_c.mpi must be the same on all ranks, got fit "
    assert all(ending.startswith(fit_and_resume) for (ending,) in said["fit and resume"])
    assert said["waits"] == [["KeyboardInterrupt"]] * size


# ---- a child process ----


class Child:
    """A child process that goes on with what its parent does, which waits for its end.

    Attributes
    ----------
    said : list or None
        What it has had to say.
    """

    def __init__(self):
        self.said, self._answer = None, None

    def fork(self, *args):
        if self.said is not None or self._answer is not None:
            return
        read, write = os.pipe()
        if os.fork() == 0:
            self._answer = write
            return
        os.close(write)
        with open(read) as answer:
            self.said = json.loads(answer.read() or '"nothing"')
        os.wait()

    def leave(self, answer):
        """Say something, if this is the child, and end."""
        if self._answer is not None:
            os.write(self._answer, json.dumps(answer).encode())
            os._exit(0)


def forked(comm):
    """A child of a callback, or of a signal's handler before or behind an exchange."""
    for name, way in in_ways(comm, ["callback", "before", "behind"]):
        child, model, put_back = Child(), make(), list
        if name == "callback":
            model.set_callbacks(Hooks(end_epoch=child.fork))
        elif comm.Get_rank() == 1:
            wrap = at_call(5, child.fork, after=name == "behind")
            put_back = replaced(exchanges.Exchange, "__call__", wrap)
        ending = ending_of(lambda model=model, way=way: fit(comm, model, *way))
        child.leave(ending)
        put_back()
        yield f"{name}: {way}", [ending, state_of(model), child.said]
    yield from fits_again(comm)


def test_a_forked_child_leaves_the_fit_of_its_parent(made):
    """It sends nothing, waits for nothing, and ends with an error; the ranks go on."""
    check_again(made.size, made["forked"])
    for case, said in made["forked"].items():
        parent = 0 if case.startswith("callback") else 1
        assert said[parent][2][0].startswith("RuntimeError: a child process that a callback"), case
        of_ranks = [[*of_rank[:2], None] for of_rank in said]
        assert of_ranks == [[["done"], said[0][1], None]] * made.size, (case, said)


# ---- Ctrl-C in training ----


def interrupts(comm):
    """Ctrl-C on each rank: at a call of an exchange, after a while, on all, and twice."""
    rank, size = comm.Get_rank(), comm.Get_size()
    rng = random.Random(size)
    signal.signal(signal.SIGINT, interrupt_fits)
    for way, faulty, how in itertools.product(WAYS, range(size), ("call", "time", "all", "twice")):
        number, after = rng.randrange(60), rng.random() < 0.5
        delays = [rng.uniform(0, 0.1) for _ in range(size)]
        delay = delays[rank]
        put_back, timers = list, []
        if how == "call" and rank == faulty:
            wrap = at_call(number, interrupt_self, after=after)
            put_back = replaced(exchanges.Exchange, "__call__", wrap)

        def begin(how=how, faulty=faulty, delay=delay, timers=timers):
            if how == "all" or (how != "call" and rank == faulty):
                timers.append(interrupt_after(delay))
            if how == "twice" and rank == faulty:
                timers.append(interrupt_after(delay + 0.001))

        # From the first epoch on, so that each takes part in training.
        put_begin_back = replaced(data.SharedData, "train_epoch", at_call(0, begin))
        model = endless(early_stopping=faulty == 1)
        ending = ending_of(lambda model=model, way=way: fit(comm, model, *way))
        put_back()
        put_begin_back()
        for timer in timers:
            timer.cancel()
            timer.join()
        case = f"{how}: {way}, rank {faulty}, call {number}, after: {after}, {delays}"
        record = [model.n_iter_, model.loss_curve_, getattr(model, "validation_scores_", None)]
        yield case, [ending, state_of(model), record]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield from fits_again(comm)


def interrupt_fits(signum, frame):
    """Handles a signal: one that comes too late for a fit does nothing."""
    if mpi._in_progress:
        raise KeyboardInterrupt


def test_ctrl_c_ends_training_on_all_ranks_with_the_same_weights(made):
    """All warn, as ``fit`` does, and return, with the same steps and scores, too.

    On whichever rank, in an exchange or at any time, and where all are sent a signal. A second one
    is heard at once where the first still waits, and all raise KeyboardInterrupt; or when they have
    warned, and its rank alone does.
    """
    size = made.size
    check_again(size, made["interrupts"])
    assert len(made["interrupts"]) == 4 * size * 4
    for case, said in made["interrupts"].items():
        endings = {ending[0] for ending, *_ in said}
        if case.startswith("twice"):
            assert endings <= {"KeyboardInterrupt", "done"}, (case, said)
        else:
            assert endings == {"done"}, (case, said)
        if "done" in endings:
            assert {ending[-1] for ending, *_ in said} == {"Training interrupted by user"}, case
            assert [of_rank[1:] for of_rank in said] == [said[0][1:]] * size, (case, said)


# ---- L-BFGS ----


def lbfgs(comm):
    """An error and Ctrl-C on each rank at an exchange of an evaluation that rank 0 asks for."""
    rng = random.Random(comm.Get_size())
    for way, faulty, (what, action) in itertools.product(
        WAYS,
        range(comm.Get_size()),
        {"error": raises(MemoryError("no room")), "interrupt": interrupt_self}.items(),
    ):
        number, after = rng.randrange(12), rng.random() < 0.5
        put_back = list
        if comm.Get_rank() == faulty:
            wrap = at_call(number, action, after=after)
            put_back = replaced(exchanges.Exchange, "__call__", wrap)
        model = endless(solver="lbfgs", max_fun=10**6, batch_size="auto")
        ending = ending_of(lambda model=model, way=way: fit(comm, model, *way))
        put_back()
        weights = np.concatenate([w.ravel() for w in model.coefs_]).tolist()
        case = f"{what}: {way}, rank {faulty}, call {number}, after: {after}, {faulty}"
        yield case, [ending, what == "error" or weights]
    yield from fits_again(comm)


def test_faults_end_a_fit_by_lbfgs_on_all_ranks(made):
    """Which is rank 0's to lead: the others wait for what that asks of them."""
    check_again(made.size, made["lbfgs"])
    assert len(made["lbfgs"]) == 4 * made.size * 2
    for case, said in made["lbfgs"].items():
        expected = ["done", "Training interrupted by user"]
        if case.startswith("error"):
            expected = [f"RuntimeError: training failed on rank {case[-1]}: MemoryError: no room"]
        assert said == [[expected, said[0][1]]] * made.size, (case, said)


# ---- what must be the same ----


def by_rank(faulty, usual, other):
    return other if mpi.rank() == faulty else usual


WEIGHTS = [np.ones((40, 5)), np.ones((5, 3))], [np.ones(5), np.ones(3)]
INIT = {"coefs_init": WEIGHTS[0], "intercepts_init": WEIGHTS[1]}
OTHER_INIT = INIT | {"intercepts_init": [np.ones(5), np.zeros(3)]}
WITH_INF = np.where(np.arange(N)[:, None] % 16 == 0, np.inf, X)
HELD_OUT = {"X_val": X[:24], "y_val": Y[:24]}
ALL_RANKS = " must be the same on all ranks, got "


def warm(alpha_of_first):
    """A model that goes on from weights of its own."""
    model = make(warm_start=True, max_iter=1, alpha=alpha_of_first)
    return model.fit(X, Y).set_params(alpha=0.5)


def with_launcher(rank, comm, way):
    os.environ["SLURM_STEP_NUM_TASKS"] = str(comm.Get_size() + by_rank(rank, 0, 1))
    try:
        fit(comm, make(), *way)
    finally:
        del os.environ["SLURM_STEP_NUM_TASKS"]


def other_model(rank, comm, way, **params):
    fit(comm, by_rank(rank, make(), make(**params)), *way)


def other_argument(rank, comm, way, usual, **other):
    model = make(early_stopping="X_val" in {**usual, **other})
    fit(comm, model, *way, **by_rank(rank, usual, other))


# What differs on one rank, by name: what to call, and how all end, a number of which is that rank.
DIFFERENCES = {
    "parameter": (functools.partial(other_model, alpha=0.5), "ValueError: alpha" + ALL_RANKS),
    "class": (
        lambda rank, comm, way: fit(comm, by_rank(rank, make(), make(MLPRegressor)), *way),
        "ValueError: the class of model" + ALL_RANKS,
    ),
    "no parameter": (
        functools.partial(other_model, alpha="x"),
        "ValueError: alpha" + ALL_RANKS,
    ),
    "no model": (
        lambda rank, comm, way: fit(comm, by_rank(rank, make(), "model"), *way),
        "RuntimeError: training failed on rank {}: TypeError: model must be",
    ),
    "another rows=": (
        lambda rank, comm, way: fit(comm, make(), by_rank(rank, "own", "same"), way[1]),
        "ValueError: rows" + ALL_RANKS,
    ),
    "no rows=": (
        lambda rank, comm, way: fit(comm, make(), by_rank(rank, way[0], "mine"), way[1]),
        "RuntimeError: training failed on rank {}: ValueError: rows must be",
    ),
    "another n_shards": (
        lambda rank, comm, way: fit(comm, make(), way[0], by_rank(rank, way[1], 12)),
        "ValueError: n_shards" + ALL_RANKS,
    ),
    "no n_shards": (
        lambda rank, comm, way: fit(comm, make(), way[0], by_rank(rank, way[1], "six")),
        "RuntimeError: training failed on rank {}: TypeError: n_shards must be",
    ),
    "few n_shards": (
        lambda rank, comm, way: fit(comm, make(), way[0], by_rank(rank, way[1], 1)),
        "RuntimeError: training failed on rank {}: ValueError: n_shards must be at least",
    ),
    "few n_shards on all": (
        lambda rank, comm, way: fit(comm, make(), way[0], 1),
        "ValueError: n_shards must be at least the number of ranks",
    ),
    "launcher": (with_launcher, "RuntimeError: training failed on rank {}: RuntimeError: srun has"),
    "infinity": (
        lambda rank, comm, way: fit(comm, make(), *way, x=by_rank(rank, X, WITH_INF)),
        "RuntimeError: training failed on rank {}: ValueError: Input X contains infinity",
    ),
    "columns": (
        lambda rank, comm, way: fit(comm, make(), *way, x=by_rank(rank, X, X[:, :-1])),
        "ValueError: the number of columns of X" + ALL_RANKS,
    ),
    "dtype": (
        lambda rank, comm, way: fit(comm, make(), *way, x=by_rank(rank, X, X.astype(np.float32))),
        "ValueError: the dtype of X" + ALL_RANKS,
    ),
    "no numbers": (
        lambda rank, comm, way: fit(comm, make(), *way, x=by_rank(rank, X, X.astype(str) + "x")),
        "RuntimeError: training failed on rank {}: ValueError: ",
    ),
    "length of y": (
        lambda rank, comm, way: fit(comm, make(), *way, y=by_rank(rank, Y, np.append(Y, [0] * 9))),
        "RuntimeError: training failed on rank {}: ValueError: Found input variables",
    ),
    "initial weights": (
        functools.partial(other_argument, usual=INIT, **OTHER_INIT),
        "ValueError: the weights to begin with" + ALL_RANKS,
    ),
    "no initial weights": (
        functools.partial(other_argument, usual=INIT),
        "ValueError: the weights to begin with" + ALL_RANKS,
    ),
    "initial weights on one": (
        functools.partial(other_argument, usual={}, **INIT),
        "ValueError: the weights to begin with" + ALL_RANKS,
    ),
    "weights to go on from": (
        lambda rank, comm, way: fit(comm, by_rank(rank, warm(0.1), warm(0.2)), *way),
        "ValueError: the weights to begin with" + ALL_RANKS,
    ),
    "rows to validate with": (
        functools.partial(other_argument, usual={}, **HELD_OUT),
        "ValueError: whether X_val is given" + ALL_RANKS,
    ),
    "no targets of theirs": (
        functools.partial(other_argument, usual=HELD_OUT, X_val=X[:24]),
        "RuntimeError: training failed on rank {}: ValueError: X_val must be given with y_val",
    ),
}

# Of rows that all must pass alike, or of each rank's own.
DIFFERENCES_OF_SAME = {
    "rows": (
        lambda rank, comm, way: fit(comm, make(), *way, x=by_rank(rank, X, -X)),
        "ValueError: the rows of X (with rows='same')" + ALL_RANKS,
    ),
    "targets": (
        lambda rank, comm, way: fit(comm, make(), *way, y=by_rank(rank, Y, 2 - Y)),
        "ValueError: y (with rows='same')" + ALL_RANKS,
    ),
    "weights": (
        lambda rank, comm, way: fit(
            comm, make(), *way, sample_weight=by_rank(rank, np.ones(N), np.arange(N) + 1.0)
        ),
        "ValueError: sample_weight" + ALL_RANKS,
    ),
}
DIFFERENCES_OF_OWN = {
    "no rows": (
        lambda rank, comm, way: fit_own(comm, way, by_rank(rank, 16, 0)),
        "RuntimeError: training failed on rank {}: ValueError: Found array with 0 sample",
    ),
    "weights of other rows": (
        lambda rank, comm, way: fit(
            comm, make(), *way, sample_weight=np.ones(by_rank(rank, N // comm.Get_size(), 9))
        ),
        "RuntimeError: training failed on rank {}: ValueError: sample_weight must have shape",
    ),
    "kind of y": (
        lambda rank, comm, way: fit(comm, make(), *way, y=by_rank(rank, Y, Y.astype(str))),
        "ValueError: y must be of one kind on all ranks, got ",
    ),
    "outputs": (
        lambda rank, comm, way: fit(
            comm, make(MLPRegressor), *way, y=by_rank(rank, X[:, :2], X[:, :3])
        ),
        "ValueError: y must be of one kind on all ranks, got ",
    ),
    "score": (
        lambda rank, comm, way: fit(comm, make(early_stopping=True, scoring=own_score), *way),
        "ValueError: mlp_c.mpi.fit takes no scoring=",
    ),
}


def fit_own(comm, way, n):
    """Fits to so many rows of the rank's own."""
    mpi.fit(make(), X[:n], Y[:n], comm=comm, rows="own", n_shards=way[1])


def differences_of(way):
    return DIFFERENCES | (DIFFERENCES_OF_SAME if way[0] == "same" else DIFFERENCES_OF_OWN)


ALL_DIFFERENCES = DIFFERENCES | DIFFERENCES_OF_SAME | DIFFERENCES_OF_OWN


def differing(comm):
    """What differs on each rank: how the fit ended there, and what the next makes."""
    for (name, way), rank in itertools.product(
        in_ways(comm, ALL_DIFFERENCES), range(comm.Get_size())
    ):
        work = differences_of(way).get(name, [None])[0]
        if work is not None:
            ending = ending_of(lambda work=work, rank=rank, way=way: work(rank, comm, way))
            yield f"{name}: {way}, on rank {rank}", ending
    yield from fits_again(comm)


def test_what_must_be_the_same_on_all_ranks_is_refused_on_all(made):
    """Before anything is trained, with the same error on all ranks, which says what it is."""
    check_again(made.size, made["differing"])
    wrong = {}
    for case, said in made["differing"].items():
        expected = ALL_DIFFERENCES[case.partition(": ")[0]][1].format(case[-1])
        if said != [said[0]] * made.size or not said[0][0].startswith(expected):
            wrong[case] = expected, said
    assert wrong == {}


# ---- what may differ, and what is at the edges ----


def edges(comm):
    """What the ranks make of unusual rows and arguments, and what one process makes of the same."""
    rank, size = comm.Get_rank(), comm.Get_size()
    y2 = np.column_stack([Y, Y % 2])
    weights = np.ones(N)
    weights[: N // size] = 0
    cases = {
        "no weight on rank 0": (make(), X, Y, {"sample_weight": weights}),
        "classes of their own": (make(), X, np.arange(N) * size // N, {}),
        "more classes on one rank": (make(), X, np.maximum(np.arange(N) - 80, 0), {}),
        "batches of one row": (make(batch_size=1, max_iter=1), X, Y, {}),
        "batches of fewer rows than ranks": (make(batch_size=2, max_iter=1), X, Y, {}),
        "rows of one rank in a batch": (make(batch_size=7, shuffle=False), X, Y, {}),
        "float32": (make(), X.astype(np.float32), Y, {}),
        "sparse": (make(), sp.csr_array(X * (X > 1)), Y, {}),
        "labels of columns": (make(), X, y2, {}),
        "text": (make(), X, np.array(["a", "bc", "def"])[Y], {}),
        "outputs": (make(MLPRegressor), X, X[:, :3], {}),
        "held out": (make(early_stopping=True), X, Y, {"X_val": X[::-2], "y_val": Y[::-2]}),
        "a loss of those": (
            make(early_stopping=True, scoring="loss"),
            X,
            Y,
            {"X_val": X[::-2], "y_val": Y[::-2], "sample_weight_val": np.arange(48) % 5 + 1.0},
        ),
    }
    for name, way in in_ways(comm, cases):
        model, x, y, options = cases[name]
        model = clone(model)
        given = options if way[0] == "same" else {k: part(comm, v) for k, v in options.items()}
        ending = ending_of(lambda: fit(comm, model, *way, x=x, y=y, **given))  # noqa: B023
        alone = None
        if way == ("same", None) and rank == 0:
            alone = clone(model)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                alone = state_of(alone.fit(x, y, **options)) == state_of(model)
        yield f"{name}: {way}", [ending, state_of(model), alone]
    for name, of_rank in RANDOM_STATES.items():
        states = [of_rank(r) for r in range(size)]
        np.random.seed(rank)
        model = make(random_state=states[rank])
        ending = ending_of(lambda model=model: fit(comm, model))
        yield f"random_state: {name}", [ending, state_of(model), None]
    half = comm.Split(rank % 2, -rank)
    model = make(random_state=rank % 2)
    yield "parts of the ranks", [ending_of(lambda: fit(half, model)), None, None]
    half.Free()
    request = comm.irecv(source=(rank - 1) % size)
    model = make()
    ending = ending_of(lambda: fit(comm, model))
    comm.send("meant for others", (rank + 1) % size)
    is_there = request.wait() == "meant for others"
    yield "messages of the user's", [ending, state_of(model), is_there]


class OnlyDup:
    """A communicator that is good for nothing but to be duplicated, and what was made of it."""

    def __init__(self, comm):
        self._comm, self.made = comm, []

    def Get_size(self):
        return self._comm.Get_size()

    def Dup(self):
        self.made.append(self._comm.Dup())
        return self.made[-1]


def spoken(comm):
    """Which messages a fit has sent, what it has printed, and what it has left of the model."""
    stop = Hooks(begin_fit=lambda model: interrupt_self())
    for name, model, x in (
        ("fit", make(verbose=True, batch_size=N + 1), X),
        ("error", make(verbose=True), WITH_INF),
        ("error on one", make(verbose=True, alpha=by_rank(1, 0.1, "x")), X),
        ("interrupt", make(verbose=True).set_callbacks(stop), X),
    ):
        own, printed = OnlyDup(comm), io.StringIO()
        has_callbacks = hasattr(model, "_skl_callbacks")
        with redirect_stdout(printed):
            ending = ending_of(lambda model=model, x=x, own=own: fit(own, model, x=x))
        is_as_before = model.verbose is True and hasattr(model, "_skl_callbacks") == has_callbacks
        yield name, [ending, bool(printed.getvalue()), [bool(c) for c in own.made], is_as_before]


def test_a_fit_speaks_by_rank_0_and_on_a_communicator_of_its_own(made):
    """Which is freed in every way out, as `verbose` and callbacks are put back on all ranks."""
    for case, said in made["spoken"].items():
        assert [of_rank[2:] for of_rank in said] == [[[False], True]] * made.size, (case, said)
    warned = ["done", "Got `batch_size` less than 1 or larger than sample size"]
    of_fit = [of_rank[:2] for of_rank in made["spoken"]["fit"]]
    assert of_fit == [[warned, True]] + [[["done"], False]] * (made.size - 1)
    assert [of_rank[0] for of_rank in made["spoken"]["interrupt"]] == [
        ["KeyboardInterrupt"]
    ] * made.size


RANDOM_STATES = {
    "None": lambda rank: None,
    "numbers": lambda rank: rank,
    "RandomState": np.random.RandomState,
    "Generator": np.random.default_rng,
    "Generator on rank 0": lambda rank: np.random.default_rng(3) if rank == 0 else rank,
    "Generator on others": lambda rank: np.random.default_rng(3) if rank > 0 else None,
}


def test_unusual_rows_and_arguments_are_trained_with(made):
    """All ranks have the same weights; with rows that are the same, those of ``fit``."""
    for case, said in made["edges"].items():
        assert [ending for ending, *_ in said] == [["done"]] * made.size, (case, said)
        assert len({str(state) for _, state, _ in said}) == 1, case
        assert said[0][2] in (None, True), case


# ---- all of that, in one launch if nothing fails ----

GROUPS = {
    function.__name__: function
    for function in (
        errors,
        hooked,
        disturbed,
        forked,
        interrupts,
        lbfgs,
        differing,
        edges,
        spoken,
    )
}


def everything(comm, groups):
    """What groups of cases yield, with the names of the groups, and of each that it has ended."""
    for group in groups:
        for case, answer in GROUPS[group](comm):
            yield f"{group}/{case}", answer
        yield group, "ended"


class Made(dict):
    """What so many ranks said of the cases of each group; an error for one that did not end.

    Those behind it have a launch of their own.
    """

    def __init__(self, size):
        super().__init__({group: {} for group in GROUPS})
        self.size, self._failures = size, {}
        groups = list(GROUPS)
        while groups:
            launched = launch(size, everything, groups)
            for name, said in launched.by_case().items():
                group, _, case = name.partition("/")
                if case:
                    self[group][case] = said
                elif launched.failure is None or group != groups[-1]:
                    groups.remove(group)
            if launched.failure is not None:
                self._failures[groups.pop(0)] = launched.failure

    def __getitem__(self, group):
        assert group not in self._failures, self._failures[group]
        return super().__getitem__(group)


@pytest.fixture(scope="module", params=[2, 3])
def made(request):
    """The cases on so many ranks."""
    require()
    return Made(request.param)


# ---- a process that is killed ----


def train(comm, rows, n_shards):
    yield "fit", ending_of(lambda: fit(comm, endless(), rows, n_shards))


@pytest.mark.parametrize(("size", "killed"), [(2, 0), (2, 1), (3, 1)])
def test_a_killed_process_takes_all_others_with_it(size, killed):
    """The launcher fails, and within five seconds no process is left."""
    require()
    rng, ended = random.Random(size * 3 + killed), []

    def kill(pids):
        time.sleep(rng.uniform(0.3, 0.9))
        os.kill(pids[killed], signal.SIGKILL)
        ended.append(time.monotonic())

    made = launch(size, train, *WAYS[size + killed - 2], during=kill)
    assert isinstance(made.status, int)
    assert made.status != 0
    assert made.said == [[]] * size
    assert made.left == []
    assert time.monotonic() - ended[0] < 5


# ---- launchers ----


@pytest.mark.parametrize("variable", ["SLURM_STEP_NUM_TASKS", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_a_launcher_whose_processes_mpi_does_not_know_is_refused(monkeypatch, variable):
    """Each would train by itself, and say nothing of it."""
    for name in ("SLURM_STEP_NUM_TASKS", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "4")
    with pytest.raises(RuntimeError, match=rf"has started 4 processes \({variable}\)"):
        require_launched(1)
    require_launched(4)
    monkeypatch.setenv(variable, "some")
    require_launched(1)

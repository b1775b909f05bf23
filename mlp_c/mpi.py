"""Training by several processes together, on MPI.

Start the processes with ``mpiexec -n 4 python train.py``, and call `fit` in each of them. Nothing
of MPI is imported before.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np

from mlp_c import _core
from mlp_c._estimators.arguments import FitArguments
from mlp_c._estimators.base import BaseMLP
from mlp_c._mpi.agreement import Agreement, without_addresses
from mlp_c._mpi.data import checksum_of
from mlp_c._mpi.launch import require_launched, require_mpi, share_of_threads, this_machine
from mlp_c._mpi.ranks import Ranks
from mlp_c._saving import files
from mlp_c._training.data import digest_of
from mlp_c._version import __version__
from mlp_c.checkpoint import restore

__all__ = ["fit", "resume", "rank", "size"]

# A process lists the nodes of the tree that they make, and tells 64 of its own at most.
_MOST_SHARDS = 1 << 16

# Parameters that may differ from rank to rank; generators are rank 0's.
_OWN_PARAMETERS = ("n_threads", "verbose", "random_state")


def rank(comm: Any = None) -> int:
    """The number of this process among those that train together.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, default=None
        The processes, by default all that were started together.

    Returns
    -------
    int
        0 for the first.

    Examples
    --------
    >>> import mlp_c.mpi
    >>> mlp_c.mpi.rank()
    0
    """
    return int(_launched(comm).Get_rank())


def size(comm: Any = None) -> int:
    """The number of processes that train together.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, default=None
        The processes, by default all that were started together.

    Returns
    -------
    int
        1 for a process that was started by itself.

    Examples
    --------
    >>> import mlp_c.mpi
    >>> mlp_c.mpi.size()
    1
    """
    return int(_launched(comm).Get_size())


def _launched(comm: Any) -> Any:
    """A communicator, by default that of all processes, which the launcher and MPI know alike."""
    world = require_mpi().COMM_WORLD
    require_launched(world.Get_size())
    return world if comm is None else comm


def fit(
    model: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    comm: Any = None,
    rows: str = "same",
    n_shards: int | None = None,
    X_val: Any = None,
    y_val: Any = None,
    sample_weight_val: Any = None,
    coefs_init: Any = None,
    intercepts_init: Any = None,
) -> Any:
    """Fit a model by several processes, which share the rows of every batch.

    Every process calls it with the same model, and has the fitted model afterwards.

    Parameters
    ----------
    model : MLPClassifier or MLPRegressor
        The model, with the same parameters on all ranks. Its callbacks, and what `verbose` prints,
        are rank 0's. With ``n_threads=None``, the processes of a machine share its CPUs. A
        `random_state` of None, or an instance, is rank 0's.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows, as ``fit`` of the model takes them, memory maps too.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Their weights.
    comm : mpi4py.MPI.Comm, default=None
        The processes, by default ``MPI.COMM_WORLD``.
    rows : {'same', 'own'}, default='same'
        Whether every process passes all rows, with their targets and weights, or rows of its own.
        The rows are those of all ranks then, in the order of the ranks, and rows to validate with
        likewise. No rows are exchanged.
    n_shards : int, default=None
        With a number, a batch's gradient is the sum of so many shards' sums: any number of ranks up
        to that gives the same bits. With None, they are those of the model's own ``fit``, on any
        number of ranks; with ``rows="own"`` if it does not shuffle, for the rows of a batch are
        taken in the order of their numbers. Then a process waits for the sums of the one before.
    X_val, y_val, sample_weight_val : default=None
        Rows to validate with, their targets and weights.
    coefs_init, intercepts_init : default=None
        Weights and biases to begin with.

    Returns
    -------
    estimator
        `model`.

    Raises
    ------
    TypeError
        If `model` is another estimator, or an argument has another type.
    ValueError
        If what must be the same differs between ranks, or a parameter or an argument is
        unsuitable.
    RuntimeError
        If training has failed on a rank: on all ranks, naming that one; or if the launcher has
        started processes that MPI does not know of.
    ImportError
        If mpi4py, or its MPI library, is not installed.

    Notes
    -----
    Every rank keeps the targets, the weights and the order of all rows: some 50 bytes a row for a
    single target.

    Examples
    --------
    >>> import mlp_c
    >>> import mlp_c.mpi
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = mlp_c.MLPClassifier(random_state=1, max_iter=500)
    >>> mlp_c.mpi.fit(model, X, y).predict(X[:2])
    array([0, 0])
    """
    given = FitArguments(
        X, y, sample_weight, X_val, y_val, sample_weight_val, coefs_init, intercepts_init
    )
    return _fit_together("fit", comm, rows, n_shards, given, lambda ranks: (model, None))


def resume(
    path: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    comm: Any = None,
    rows: str = "same",
    n_shards: int | None = None,
    X_val: Any = None,
    y_val: Any = None,
    sample_weight_val: Any = None,
    learning_rate: Any = None,
    scoring: Any = None,
    callbacks: Iterable[Any] = (),
) -> Any:
    """Go on with a fit from its last checkpoint to its end, on any number of ranks.

    Every process calls it. The result has the bits that the fit would have come to, whether that
    ran on as many ranks, on others, or with ``rows="same"`` and no shards in one process.

    Parameters
    ----------
    path : str or path-like
        The file of a `mlp_c.Checkpoint`, which rank 0 reads and keeps up to date.
    X, y, sample_weight, X_val, y_val, sample_weight_val
        What the fit was given. With ``rows="own"``, the rows of all ranks must be the same in the
        same order.
    comm, rows, n_shards
        As of `fit`; `rows` and `n_shards` those of the interrupted fit.
    learning_rate, scoring, callbacks
        As of `mlp_c.resume`.

    Returns
    -------
    MLPClassifier or MLPRegressor
        The fitted model.

    Raises
    ------
    TypeError, ValueError, OSError, RuntimeError, ImportError
        As `mlp_c.resume` and `fit` do.

    Notes
    -----
    With ``rows="own"``, no process has all rows, and some of them stand for all in the check that
    they are those of the fit.

    Examples
    --------
    >>> import os, tempfile
    >>> import mlp_c
    >>> import mlp_c.mpi
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "fit.safetensors")
    ...     model = mlp_c.MLPClassifier(random_state=1, max_iter=500)
    ...     model = model.set_callbacks(mlp_c.Checkpoint(path, every=100))
    ...     model = mlp_c.mpi.fit(model, X, y)
    ...     resumed = mlp_c.mpi.resume(path, X, y)
    >>> resumed.loss_curve_ == model.loss_curve_
    True
    """
    given = FitArguments(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def begin(ranks: Ranks) -> tuple[Any, dict[str, Any]]:
        content = files.read(path) if ranks.rank == 0 else None
        content = ranks.hear_first("its checkpoint", content)
        return restore(path, content, learning_rate, scoring, callbacks)

    return _fit_together("resume", comm, rows, n_shards, given, begin)


def _fit_together(
    function: str,
    comm: Any,
    rows: str,
    n_shards: int | None,
    given: FitArguments,
    begin: Callable[[Ranks], tuple[Any, dict[str, Any] | None]],
) -> Any:
    """Fit the model that `begin` returns, from its beginning or from a checkpoint on."""
    MPI = require_mpi()
    comm = MPI.COMM_WORLD if comm is None else comm
    agreement = Agreement(comm)
    models: list[Any] = []

    def work() -> float:
        require_launched(MPI.COMM_WORLD.Get_size())
        _check_arguments(agreement.comm, rows, n_shards)
        ranks = Ranks(
            agreement,
            has_own_rows=rows == "own",
            n_shards=None if n_shards is None else int(n_shards),
        )
        ranks.require_same("its beginning", {"the function of mlp_c.mpi": function})
        model, checkpoint = begin(ranks)
        _check_model(model, rows)
        models.append(model)
        machines = ranks.tell_all("its parameters", this_machine())
        if model.n_threads is None:
            ranks.n_threads = share_of_threads(ranks.rank, machines)
        same = _what_must_be_same(model, given, rows, n_shards)
        ranks.require_same("its parameters", same)
        model._fit_in(ranks, given, checkpoint)
        return checksum_of(model.coefs_, model.intercepts_)

    with agreement.interrupts, _one_fit_of(comm):
        agreement.together(work)
    return models[0]


# The communicators of the fits that are in progress, and in which threads.
_in_progress: list[tuple[int, Any]] = []
_in_progress_lock = threading.RLock()  # a signal's handler may fit, too


@contextmanager
def _one_fit_of(comm: Any) -> Iterator[None]:
    """Refuse a fit that another one would wait for, as that does whose callback has called it.

    Ctrl-C must wait while it is entered and left: what is in progress would be so for ever.
    """
    thread = threading.get_ident()
    with _in_progress_lock:
        for other_thread, other in _in_progress:
            waits = thread == other_thread and min(comm.Get_size(), other.Get_size()) > 1
            if waits or comm == other:
                raise RuntimeError(
                    "mlp_c.mpi.fit must not be called in the midst of another one, whose other "
                    "ranks wait, as by a callback; with comm=MPI.COMM_SELF it may"
                )
        _in_progress.append((thread, comm))
    try:
        yield
    finally:
        with _in_progress_lock:
            _in_progress.remove((thread, comm))


def _check_arguments(comm: Any, rows: Any, n_shards: Any) -> None:
    if rows not in ("same", "own"):
        raise ValueError(f"rows must be 'same' or 'own', got {rows!r}")
    if n_shards is None:
        return
    if not isinstance(n_shards, Integral) or isinstance(n_shards, bool):
        raise TypeError(f"n_shards must be None or an integer, got {type(n_shards).__name__}")
    if int(n_shards) > _MOST_SHARDS:
        raise ValueError(f"n_shards must be at most {_MOST_SHARDS}, got {n_shards}")
    if n_shards < comm.Get_size():
        raise ValueError(
            f"n_shards must be at least the number of ranks, which is {comm.Get_size()}, got "
            f"{n_shards}"
        )


def _check_model(model: Any, rows: str) -> None:
    """Refuse what several processes cannot fit."""
    if not isinstance(model, BaseMLP):
        raise TypeError(
            f"model must be an MLPClassifier or MLPRegressor of mlp_c, got a {type(model).__name__}"
        )
    if rows == "own" and not (model.scoring is None or model.scoring == "loss"):
        raise ValueError(
            f"mlp_c.mpi.fit takes no scoring={model.scoring!r} with rows='own': a scorer is given "
            "rows that no process has all of"
        )


def _what_must_be_same(
    model: BaseMLP, given: FitArguments, rows: str, n_shards: int | None
) -> dict[str, Any]:
    """What must be the same on all ranks, by what errors call it."""
    same = {
        "the class of model": type(model).__name__,
        "the version of mlp_c": __version__,
        "whether products and sums are fused (the instruction set)": _core.config()["isa"]
        != "baseline",
        "rows": rows,
        "n_shards": n_shards,
    }
    for name, value in model.get_params(deep=False).items():
        if name not in _OWN_PARAMETERS:
            text = getattr(value, "__qualname__", None) or repr(value)
            same[name] = without_addresses(text)
    for name in ("sample_weight", "X_val", "sample_weight_val"):
        same[f"whether {name} is given"] = getattr(given, name) is not None
    start = given.coefs_init, given.intercepts_init
    if model.warm_start and hasattr(model, "coefs_"):
        start = model.coefs_, model.intercepts_
    if all(isinstance(arrays, list | tuple) for arrays in start):  # others may be of no end
        same["the weights to begin with"] = digest_of(*(np.asarray(w) for ws in start for w in ws))
    return same

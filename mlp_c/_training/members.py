"""The members of an ensemble, trained together: an epoch of all of them is one call."""

from collections.abc import Callable, Sequence
from time import monotonic

import numpy as np

from mlp_c import _core
from mlp_c._system.threads import effective_n_threads
from mlp_c._system.warnings import warn_caller
from mlp_c._training.callbacks import Tasks
from mlp_c._training.loop import Stochastic


class Members:
    """Trains several models, each with rows of its own held out, until none improves.

    Each epoch is a call that trains the models that are still at it, and evaluates them on the
    rows held out. Threads share the models, so that a model's bits are those of a fit by itself.

    Parameters
    ----------
    trainings : sequence of Stochastic
        The trainings, each where it is to begin. All of them hold out rows.
    n_threads : int or None
        The most threads to use.
    time_limit : float or None
        Seconds after which no other epoch begins.
    report : callable
        Is called after each epoch, with the number of models that go on.
    """

    def __init__(
        self,
        trainings: Sequence[Stochastic],
        *,
        n_threads: int | None,
        time_limit: float | None,
        report: Callable[[int], None],
    ) -> None:
        self._trainings = trainings
        self._n_threads = n_threads
        self._end = np.inf if time_limit is None else monotonic() + time_limit
        self._report = report
        self.max_epochs = max(training.max_epochs for training in trainings)

    def run(self, tasks: Tasks) -> None:
        """Train the models, and give each the weights that scored best."""
        at_work = [training for training in self._trainings if not training.is_over]
        n_threads = effective_n_threads(self._n_threads)
        try:
            while at_work:
                tasks.begin_epoch()
                fields = [(t.start_epoch(), t.evaluation_fields()) for t in at_work]
                results = _core.train_members(fields, n_threads)
                for training, result in zip(at_work, results, strict=True):
                    training.finish_epoch(*result)
                at_work = [training for training in at_work if not training.is_over]
                self._report(len(at_work))
                if tasks.end_epoch() or monotonic() >= self._end:
                    break
        except KeyboardInterrupt:
            warn_caller("Training interrupted by user.")
        for training in self._trainings:
            training.end()

"""What the rows that members have held out tell of a model for tables."""

from abc import ABC, abstractmethod
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from mlp_c._estimators.data import check_weights
from mlp_c._estimators.tabular_data import DTYPE
from mlp_c._system.blocks import Array
from mlp_c._tables.codes import CodedRows
from mlp_c._tables.columns import Columns
from mlp_c._tables.frames import read_for
from mlp_c._training.generators import random_source


class HeldOutRows(ABC):
    """Predictions of each row of the training by those members that did not train on it."""

    n_features_in_: int
    folds_: Array
    members_: list[Any]
    oob_score_: float
    _columns: Columns

    # ---- what an estimator says ----

    @abstractmethod
    def _check_targets_again(self, y: Any) -> Array:
        """What predictions are compared with, of targets of the training or of rows to score."""

    @abstractmethod
    def _run_member(self, member: Any, rows: Any) -> Array:
        """A member's outputs for rows of a table."""

    @abstractmethod
    def _read_outputs(self, outputs: list[Array]) -> list[Array]:
        """What each member's outputs say: probabilities, or estimates in the targets' units."""

    @abstractmethod
    def _learn_from(self, y: Array, held_out: Array, sample_weight: Array | None) -> None:
        """Set what the rows that members have held out tell, but for their score.

        Parameters
        ----------
        y : ndarray of shape (n_samples, ...)
            What predictions are compared with.
        held_out : ndarray of shape (n_samples, ...)
            What was said of each row by those that held it out; NaN where none did.
        sample_weight : ndarray of shape (n_samples,) or None
            Weights in scores.
        """

    @abstractmethod
    def _score_predictions(self, y: Array, predicted: Array, sample_weight: Array | None) -> float:
        """The score of what was said of rows with these checked targets."""

    # ---- the look back ----

    def _look_back(self, rows: CodedRows, y: Array, sample_weight: Array | None) -> None:
        """Set all that the rows of the training tell, which have these targets and weights."""
        held_out = self._gather(self._predict_held_out(rows))
        self._learn_from(y, held_out, sample_weight)
        self.oob_score_ = self._score_held_out(y, held_out, sample_weight)

    def _is_held_out_by(self, member: int) -> Array:
        """Which rows a member holds out: of few rows, there are fewer folds than members."""
        is_held_out: Array = self.folds_ == member % (self.folds_.max() + 1)
        return is_held_out

    def _predict_held_out(self, rows: CodedRows) -> list[Array]:
        """What members say of those of the training's rows that they held out."""
        outputs = [
            self._run_member(member, rows.take(self._is_held_out_by(k)))
            for k, member in enumerate(self.members_)
        ]
        return self._read_outputs(outputs)

    def _score_held_out(self, y: Array, held_out: Array, sample_weight: Array | None) -> float:
        """The score of rows that were held out."""
        return self._score_predictions(*of_known_rows(y, held_out, sample_weight))

    def _gather(self, of_members: list[Array]) -> Array:
        """What members say of the rows that they held out, as one array of all rows.

        The mean of several members; NaN for rows that none has held out.
        """
        total = np.zeros((len(self.folds_), *of_members[0].shape[1:]))
        counts = np.zeros(len(total))
        for k, of_member in enumerate(of_members):
            is_held_out = self._is_held_out_by(k)
            total[is_held_out] += of_member
            counts[is_held_out] += 1
        counts[counts == 0] = np.nan
        return total / counts.reshape(-1, *[1] * (total.ndim - 1))

    def permutation_importance(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        n_repeats: int = 5,
        random_state: Any = None,
    ) -> Bunch:
        """How much worse rows that were held out are predicted without each of the columns.

        A column's values are exchanged among the rows that a member has held out, and the score
        ``oob_score_`` is taken again.

        Parameters
        ----------
        X, y, sample_weight
            What ``fit`` was given.
        n_repeats : int, default=5
            How often the values are exchanged.
        random_state : int, RandomState or Generator instance, or None, default=None
            By which orders.

        Returns
        -------
        sklearn.utils.Bunch
            `importances`, ndarray of shape (n_features, n_repeats): the score before minus that
            after; `importances_mean` and `importances_std` of shape (n_features,).

        Raises
        ------
        ValueError
            If there are not as many rows as in the training, or no repeats.
        sklearn.exceptions.NotFittedError
            If the model is not fitted.

        References
        ----------
        Breiman, "Random forests" (2001).
        """
        check_is_fitted(self, ["members_", "folds_"])
        if not isinstance(n_repeats, Integral) or isinstance(n_repeats, bool) or n_repeats < 1:
            raise ValueError(f"n_repeats must be an integer of at least 1, got {n_repeats!r}")
        random = random_source(random_state)
        rows = self._columns.code(read_for(self, X, reset=False))
        targets = self._check_targets_again(y)
        if not len(rows) == len(targets) == len(self.folds_):
            raise ValueError(
                f"X and y must be those of the training, which had {len(self.folds_)} rows, got "
                f"{len(rows)} and {len(targets)}"
            )
        weight = check_weights(sample_weight, targets, DTYPE)
        before = self._score_held_out(targets, self._gather(self._predict_held_out(rows)), weight)
        importances = np.empty((self.n_features_in_, n_repeats))
        for column, repeat in np.ndindex(*importances.shape):
            table = rows.table.copy()
            for fold in np.unique(self.folds_):
                held_out = np.flatnonzero(self.folds_ == fold)
                table[held_out, column] = table[random.permutation(held_out), column]
            exchanged = self._gather(self._predict_held_out(CodedRows(table, rows.codes)))
            after = self._score_held_out(targets, exchanged, weight)
            importances[column, repeat] = before - after
        return Bunch(
            importances=importances,
            importances_mean=importances.mean(axis=1),
            importances_std=importances.std(axis=1),
        )


def of_known_rows(
    y: Array, held_out: Array, sample_weight: Array | None
) -> tuple[Array, Array, Array | None]:
    """Targets, predictions and weights of the rows that some member has held out."""
    known = ~np.isnan(held_out).reshape(len(held_out), -1)[:, 0]
    return y[known], held_out[known], None if sample_weight is None else sample_weight[known]

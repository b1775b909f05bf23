"""What the estimators for tables share: columns, members and the course of a fit."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.base import _fit_context, is_regressor
from sklearn.callback import CallbackSupportMixin
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from mlp_c._estimators.arguments import FitArguments
from mlp_c._estimators.base import BaseMLP
from mlp_c._estimators.data import check_weights, weigh_by_class
from mlp_c._estimators.folds import count_folds, divide, number_groups
from mlp_c._estimators.history import history_of_members
from mlp_c._estimators.html import Summarized
from mlp_c._estimators.parameters import CONSTRAINTS, CheckedParameters
from mlp_c._estimators.prediction import run_network
from mlp_c._estimators.tabular_data import DTYPE, Sample
from mlp_c._estimators.tabular_held_out import HeldOutRows
from mlp_c._estimators.tabular_html import summarize_ensemble
from mlp_c._network.initial_weights import draw
from mlp_c._network.widths import check_widths, hidden_widths
from mlp_c._saving import checks
from mlp_c._saving.savable import FITTING, SavableEstimator
from mlp_c._system.blocks import Array, are_finite
from mlp_c._tables.codes import CodedRows
from mlp_c._tables.columns import Columns
from mlp_c._tables.columns import fit as fit_columns
from mlp_c._tables.frames import Frame, read_for
from mlp_c._training import resuming
from mlp_c._training.callbacks import report_to_callbacks
from mlp_c._training.data import Data, ForScorers
from mlp_c._training.generators import random_source
from mlp_c._training.guards import one_fit_at_a_time, unchanged_if_refused
from mlp_c._training.loop import Stochastic
from mlp_c._training.members import Members
from mlp_c._training.optimizers import RULES
from mlp_c._training.progress import EnsembleProgress

# What is known at the end of a fit.
_OF_THE_END = ("oob_prediction_", "oob_score_", "_residuals")

# Seeds of members are below this.
_SEEDS = 2**31


class BaseTabularMLP(
    HeldOutRows, CallbackSupportMixin, Summarized, CheckedParameters, SavableEstimator
):
    """Networks that read a table, each with rows of its own held out."""

    _columns: Columns

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_members": [Interval(Integral, 1, 65_535, closed="both")],
        "hidden_layer_sizes": [StrOptions({"auto"}), *CONSTRAINTS["hidden_layer_sizes"]],
        "activation": CONSTRAINTS["activation"],
        "n_bins": [StrOptions({"auto"}), Interval(Integral, 0, 65_535, closed="both")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "batch_size": CONSTRAINTS["batch_size"],
        "learning_rate_init": CONSTRAINTS["learning_rate_init"],
        "alpha": CONSTRAINTS["alpha"],
        "dropout": CONSTRAINTS["dropout"],
        "max_iter": CONSTRAINTS["max_iter"],
        "n_iter_no_change": CONSTRAINTS["n_iter_no_change"],
        "scoring": [StrOptions({"loss", "score", *get_scorer_names()}), callable],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": CONSTRAINTS["random_state"],
        "verbose": CONSTRAINTS["verbose"],
        "n_threads": CONSTRAINTS["n_threads"],
    }

    _of_a_fit = (
        FITTING,
        "_callback_fit_ctx",
        "_parent_callback_ctx",
        "_progress",
        "_skl_callbacks_to_teardown",
    )

    # ---- what a subclass says, beside what HeldOutRows asks for ----

    @abstractmethod
    def _check_targets(self, y: Any) -> Array:
        """Targets as an array; what they say of the estimator is set."""

    @abstractmethod
    def _targets_of(self, y: Array, encoded: Array) -> Array:
        """What predictions are compared with: the numbers of the classes, or the targets."""

    @abstractmethod
    def _encode(self, y: Array, sample_weight: Array | None) -> Array:
        """Checked targets as the members train on them."""

    @abstractmethod
    def _classes_of(self, encoded: Array) -> Array | None:
        """The classes of rows by number, by which they are stratified; None for numbers."""

    def _weigh_classes(self, y: Array, encoded: Array) -> Array | None:
        """The weights that rows have in training for their classes; a regressor has none."""
        return None

    @abstractmethod
    def _choose_defaults(self, n_rows: int) -> dict[str, Any]:
        """What 'auto' stands for, by parameter."""

    def _least_progress(self) -> float:
        """By how much a score must be better than the best: equal ones are none."""
        return 1e-10

    @abstractmethod
    def _make_member(self, parameters: dict[str, Any]) -> BaseMLP:
        """A member with these parameters, which knows what its outputs mean."""

    # ---- fitting ----

    @one_fit_at_a_time
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit the members to a table and targets.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The table: of pandas, polars or pyarrow, or what else narwhals reads; or an array.
            Numbers, True and False, text and categories; values may be missing anywhere. A
            C-ordered array of float64 is read where it lies.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, none negative.
        groups : array-like of shape (n_samples,), default=None
            Rows of the same group are held out together.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter or an argument is unsuitable.
        """
        given = FitArguments(X, y, sample_weight, groups=groups)
        return self._fit(given, self._begin)

    @one_fit_at_a_time
    @_fit_context(prefer_skip_nested_validation=True)
    def _resume(self, given: FitArguments, checkpoint: dict[str, Any]) -> Self:
        """Go on with a fit from where a checkpoint says that the members were."""
        given.refuse(self, "X_val", "y_val", "sample_weight_val")
        return self._fit(given, partial(self._go_on, checkpoint))

    def _fit(
        self, given: FitArguments, begin: Callable[[FitArguments], tuple[Sample, list[Stochastic]]]
    ) -> Self:
        """Train the members from where they begin; leave the model as it was if it is refused."""
        before = dict(vars(self))
        with unchanged_if_refused(self):
            sample, trainings = begin(given)
            members = Members(
                trainings,
                n_threads=self.n_threads,
                time_limit=self.time_limit,
                report=self._end_epoch,
            )
        tasks = report_to_callbacks(self, members.max_epochs, given.X, given.y, given.sample_weight)
        if self.verbose:
            print(f"{'epoch':>5}  {'members':>7}  {'loss':>10}  {'held out':>10}")
        self._progress = EnsembleProgress(sample, [training.progress for training in trainings])
        try:
            members.run(tasks)
        finally:
            del self._progress
        tasks.end()
        with unchanged_if_refused(self, before):
            self._conclude(sample)
        return self

    def _begin(self, given: FitArguments) -> tuple[Sample, list[Stochastic]]:
        """Check everything, find the columns, and make members that are ready to train."""
        random_state = random_source(self.random_state)
        for name in _OF_THE_END:  # not those of the last fit
            self.__dict__.pop(name, None)
        sample = self._check_sample(given, reset=True)
        self.folds_ = divide(
            len(sample),
            count_folds(self.n_members),
            classes=self._classes_of(sample.data.y),
            groups=sample.groups,
            random_state=random_state,
        )
        seeds = np.asarray(random_state.randint(_SEEDS, size=self.n_members))
        made = self._make_members(seeds.tolist(), sample)
        self.members_ = [member for member, _ in made]
        self.n_iter_ = 0
        trainings = [_begin_member(member, self._widths(member, own), own) for member, own in made]
        return sample, trainings

    def _go_on(
        self, checkpoint: dict[str, Any], given: FitArguments
    ) -> tuple[Sample, list[Stochastic]]:
        """Check everything, and make the members of an interrupted fit ready to go on."""
        sample = self._check_sample(given, reset=False)
        resuming.require_same(
            checkpoint,
            sample,
            "X, y, sample_weight and groups must have the values of the interrupted fit",
        )
        folds = vars(self).get("folds_", ())
        if len(folds) != len(sample):
            checks.refuse("folds_", f"those of {len(sample)} rows", folds)
        if len(self.members_) != self.n_members:
            checks.refuse("members_", f"a list of {self.n_members}", self.members_)
        seeds = [
            checks.count(f"members_[{k}].random_state", member.random_state)
            for k, member in enumerate(self.members_)
        ]
        made = self._make_members(seeds, sample)
        for k, (member, (new, own)) in enumerate(zip(self.members_, made, strict=True)):
            vars(member).update(vars(new))  # the parameters that the file has are unchecked
            _check_member(f"members_[{k}]", member, self._widths(member, own))
        self.n_iter_ = max(member.n_iter_ for member in self.members_)
        data = [own for _, own in made]
        return sample, resuming.go_on_together(checkpoint, self.members_, data)

    def _check_sample(self, given: FitArguments, *, reset: bool) -> Sample:
        """What to train on, checked; what the targets say of the estimator is set.

        Parameters
        ----------
        given : FitArguments
            The arguments of ``fit``.
        reset : bool
            Whether to find the columns, or else to take those that the estimator has.
        """
        frame = read_for(self, given.X, reset=reset)
        if given.y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        y = self._check_targets(given.y)
        check_consistent_length(given.X, y)
        score_weight = check_weights(given.sample_weight, y, DTYPE)
        encoded = self._encode(y, score_weight)
        weight = weigh_by_class(self._weigh_classes(y, encoded), score_weight, y, DTYPE)
        groups = None if given.groups is None else number_groups(given.groups, len(y))
        rows = self._find_columns(frame) if reset else self._columns.code(frame)
        for_scorers = ForScorers(
            nw.to_native(given.X, pass_through=True),
            y[:, 0] if y.shape[1:] == (1,) else y,
            self._of_one_member,
        )
        data = Data(rows, encoded, weight, score_weight, np.arange(len(y)), DTYPE, for_scorers)
        return Sample(
            rows,
            self._targets_of(y, encoded),
            self.classes_.tolist() if hasattr(self, "classes_") else None,
            groups,
            data.astype(DTYPE),
        )

    def _of_one_member(self, member: Any) -> Self:
        """An estimator that predicts what a member does, for scorers of the rows it holds out."""
        alone = object.__new__(type(self))
        kept = {name: value for name, value in vars(self).items() if name not in self._of_a_fit}
        alone.__dict__.update(kept, members_=[member])
        return alone

    def _find_columns(self, frame: Frame) -> CodedRows:
        """Find out what the columns of a table are; its rows."""
        self._columns, rows = fit_columns(
            frame,
            categorical_features=self.categorical_features,
            n_bins=self._choose_defaults(frame.n_rows)["n_bins"],
        )
        self.is_categorical_ = self._columns.is_category
        return rows

    def _make_members(self, seeds: list[int], sample: Sample) -> list[tuple[Any, Data]]:
        """Members with these seeds and without weights, and the data of each."""
        shared = self._shared(self._choose_defaults(len(sample)))
        made = []
        for k, seed in enumerate(seeds):
            is_held_out = self._is_held_out_by(k)
            if is_held_out.sum() < 2 and self._is_scored_by_itself and is_regressor(self):
                raise ValueError(
                    "scoring='score' needs at least 2 rows that each member holds out, got 1; "
                    "scoring='loss' takes it"
                )
            own = sample.hold_out(is_held_out)
            batch_size = min(shared["batch_size"], own.n)
            parameters = {**shared, "batch_size": batch_size, "random_state": seed}
            made.append((self._make_member(parameters), own))
        return made

    def _widths(self, member: Any, data: Data) -> list[int]:
        """The widths of a member's layers: the columns' units, hidden ones, outputs."""
        widths = [self._columns.codes.n_units, *member.hidden_layer_sizes]
        check_widths("hidden_layer_sizes", widths)
        return [*widths, member._count_outputs(data.y)]

    def _shared(self, defaults: dict[str, Any]) -> dict[str, Any]:
        """The parameters that all members have."""
        return {
            "hidden_layer_sizes": tuple(hidden_widths(defaults["hidden_layer_sizes"])),
            "activation": self.activation,
            "alpha": self.alpha,
            "batch_size": defaults["batch_size"],
            "learning_rate_init": self.learning_rate_init,
            "max_iter": self.max_iter,
            "tol": self._least_progress(),
            "early_stopping": True,
            "n_iter_no_change": self.n_iter_no_change,
            "scoring": None if self._is_scored_by_itself else self.scoring,
            "dropout": self.dropout,
            "compute_dtype": DTYPE.name,
            "n_threads": self.n_threads,
        }

    @property
    def _is_scored_by_itself(self) -> bool:
        return isinstance(self.scoring, str) and self.scoring == "score"

    def _end_epoch(self, n_at_work: int) -> None:
        """Count an epoch, and print a line of the table that ``verbose`` asks for."""
        self.n_iter_ = max(member.n_iter_ for member in self.members_)
        if not self.verbose:
            return
        loss = np.mean([member.loss_ for member in self.members_])
        held_out = np.mean([np.fmin.reduce(m.validation_loss_curve_) for m in self.members_])
        print(f"{self.n_iter_:5}  {n_at_work:7}  {loss:10.5f}  {held_out:10.5f}")

    def _conclude(self, sample: Sample) -> None:
        """Check what came of the training, and look back at the rows that were held out."""
        for member in self.members_:
            if _has_diverged(member):
                raise ValueError(
                    "the training came to weights that are not finite: learning_rate_init="
                    f"{self.learning_rate_init} may be too large"
                )
            del member._optimizer  # nothing goes on from it, and files would hold it
        self.n_iter_ = max(member.n_iter_ for member in self.members_)
        self._look_back(sample.rows, sample.targets, sample.data.score_weight)

    def _copy_progress(self) -> dict[str, Any]:
        """What training goes on changing, for a model as it is now: callbacks ask for it."""
        # A scorer is the user's, and may be large or no thing to copy.
        return {"members_": copy.deepcopy(self.members_, {id(self.scoring): self.scoring})}

    @property
    def history_(self) -> dict[str, list[Any]]:
        """What is known of each epoch of each member, in lists of equal length."""
        return history_of_members(self)

    def _summarize(self) -> str:
        return summarize_ensemble(self)

    # ---- prediction ----

    @property
    def _reads_logits(self) -> bool:
        """Whether members' outputs are read before their activation."""
        return False

    def _run_member(self, member: Any, rows: Any) -> Array:
        """A member's outputs for rows of a table."""
        member.n_threads = self.n_threads  # which may have been set since the fit
        return run_network(member, rows, dtype=DTYPE, as_logits=self._reads_logits)

    def _outputs(self, X: Any) -> Iterator[list[Array]]:
        """The members' outputs for the rows of a table, some rows at a time."""
        check_is_fitted(self, "members_")
        frame = read_for(self, X, reset=False)
        for rows in self._columns.code_blocks(frame):
            yield [self._run_member(member, rows) for member in self.members_]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def _begin_member(member: BaseMLP, widths: list[int], data: Data) -> Stochastic:
    """Draw a member's weights, and make ready to train it."""
    random_state = check_random_state(member.random_state)
    member._begin_network(draw(member.init, widths, member.activation, random_state, DTYPE))
    member.n_features_in_ = widths[0]
    return Stochastic.begin(RULES["adam"], member, data, random_state)


def _check_member(name: str, member: BaseMLP, widths: list[int]) -> None:
    """Refuse a member of a file that is no network of these widths, or whose record has gaps."""
    weights = [(w.dtype, w.shape) for w in member.coefs_]
    if weights != [(DTYPE, shape) for shape in pairwise(widths)]:
        checks.refuse(f"{name}.coefs_", f"{DTYPE}, of layers of widths {widths}", weights)
    lengths = [len(member.loss_curve_), len(member.validation_scores_ or ())]
    lacks_loss = member.n_iter_ > 0 and not hasattr(member, "loss_")
    if lacks_loss or lengths != [member.n_iter_] * 2:
        checks.refuse(name, f"one with a loss and a score of {member.n_iter_} epochs", lengths)


def _has_diverged(member: BaseMLP) -> bool:
    """Whether no epoch had a score, or the weights of that with the best are not finite."""
    scores = member.validation_scores_
    has_score = not scores or np.isfinite(scores).any()  # Ctrl-C may have come before the first
    return not (has_score and are_finite(member.coefs_ + member.intercepts_))

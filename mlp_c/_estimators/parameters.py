"""What an estimator's parameters may be, and checks of them beside scikit-learn's."""

import operator
from collections.abc import Iterable
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, InvalidParameterError, Options, StrOptions

from mlp_c._network.activations import ACTIVATIONS
from mlp_c._network.initial_weights import INITIALIZERS
from mlp_c._training.course import COURSES
from mlp_c._training.schedules import SCHEDULES
from mlp_c._training.solvers import SOLVERS


class ListOf(Options):
    """A list or tuple whose items are all among some strings."""

    def __init__(self, options: Iterable[str]) -> None:
        super().__init__(str, set(options))

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether a value is such a list."""
        return isinstance(val, (list, tuple)) and all(
            isinstance(item, str) and item in self.options for item in val
        )

    def __str__(self) -> str:
        """Return what scikit-learn's message says."""
        return f"a list of str among {sorted(self.options)}"


def _as_floats(val: Any) -> list[float] | None:
    """The real numbers of a list, tuple or array; None of anything else."""
    is_list = isinstance(val, (list, tuple)) or (isinstance(val, np.ndarray) and val.ndim == 1)
    if not is_list or not all(isinstance(item, Real) for item in val):
        return None
    try:
        return [float(item) for item in val]
    except OverflowError:
        return None


class Ascending(Options):
    """A list, tuple or array of real numbers that ascend, all between two bounds."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(Real, set())
        self.low, self.high = low, high

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether a value is such a list."""
        numbers = _as_floats(val)
        if not numbers:
            return False
        return all(left < right for left, right in pairwise([self.low, *numbers, self.high]))

    def __str__(self) -> str:
        """Return what scikit-learn's message says."""
        return f"a list of ascending numbers between {self.low} and {self.high}"


class Probabilities(Options):
    """A list, tuple or array of real numbers from 0 to below 1."""

    def __init__(self) -> None:
        super().__init__(Real, set())

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether a value is such a list."""
        numbers = _as_floats(val)
        return numbers is not None and all(0 <= number < 1 for number in numbers)

    def __str__(self) -> str:
        """Return what scikit-learn's message says."""
        return "a list of numbers from 0 to below 1"


CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS)), ListOf(ACTIVATIONS)],
    "solver": [StrOptions(set(SOLVERS))],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({*SCHEDULES, *COURSES}), callable],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state", np.random.Generator],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "scoring": [StrOptions({"loss", *get_scorer_names()}), callable, None],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "init": [StrOptions(set(INITIALIZERS))],
    "compute_dtype": [StrOptions({"float32", "float64"}), None],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    "warmup": [Interval(Real, 0, 1, closed="both")],
    "weight_decay": [Interval(Real, 0, None, closed="left"), None],
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
    "dropout": [Interval(Real, 0, 1, closed="left"), Probabilities()],
    "input_dropout": [Interval(Real, 0, 1, closed="left")],
}


class Constrained(Protocol):
    """An estimator, as far as the checks of its parameters know it."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]]
    _valid_params: list[Any]

    def _validate_params(self) -> None:
        """Refuse parameters that the constraints do not allow."""


def refuse_huge(model: Constrained) -> None:
    """Refuse what scikit-learn takes for a real number, but no float64 holds.

    And integers so long that Python makes no text of them, nor scikit-learn a message.
    """
    for name, constraints in model._parameter_constraints.items():
        value = getattr(model, name)
        if isinstance(value, (bool, float, str)) or not isinstance(value, Real):
            continue  # no such thing is too large, and most parameters are one
        is_real = any(isinstance(c, Interval) and c.type is Real for c in constraints)
        try:
            if isinstance(value, Integral):
                repr(value)
            if is_real:
                float(value)
        except (OverflowError, ValueError):
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(model).__name__} must be a number that float64 "
                "holds. Got a larger one instead."
            ) from None


def validate_changed(model: Constrained) -> None:
    """Check all parameters if one is another object than when they were last found good.

    For ``partial_fit`` of a fitted model, where scikit-learn checks none, to save time.
    """
    values = [getattr(model, name) for name in model._parameter_constraints]
    known = vars(model).get("_valid_params", ())
    if len(known) != len(values) or any(map(operator.is_not, known, values)):
        model._validate_params()
        model._valid_params = values


class CheckedParameters(BaseEstimator):
    """An estimator whose constructor takes parameters as they are, and whose fit checks them."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]]
    _valid_params: list[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make an estimator; `n_jobs`, which many of scikit-learn's have, is named `n_threads`."""
        if "n_jobs" in kwargs and "n_jobs" not in cls._get_param_names():
            raise TypeError(f"{cls.__name__} has no parameter n_jobs: it is n_threads")
        return super().__new__(cls)

    def _set_parameters(self, values: dict[str, Any]) -> None:
        """Store what ``__init__`` was given: its ``locals()``."""
        for name, value in values.items():  # of a subclass, `_get_param_names` are others
            if name != "self":
                setattr(self, name, value)

    def _validate_params(self) -> None:
        refuse_huge(self)
        super()._validate_params()

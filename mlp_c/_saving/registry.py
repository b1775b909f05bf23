"""What can be saved: classes announce themselves here, states and files look their names up.

So the modules that save know none of those whose objects they save.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, TypeVar

from mlp_c._system.blocks import Arrays

# Takes the name of a value in a state and the value, which it returns as it is to be used.
Check = Callable[[str, Any], Any]


@dataclass(frozen=True)
class FittedPart:
    """Attributes that a fit sets together, as a state holds them.

    Attributes
    ----------
    checks : dict
        The check of each attribute, by name.
    needed_with : tuple of str
        A state that has any of these attributes needs this part, whole. A part that no attribute
        needs is left out of what is read where it is not whole, or something in it is not as it
        must be: predictions do without it, and training begins it anew.
    check_whole : callable
        Refuses fitted attributes that do not fit each other. It is called if this part is whole.
    complete : callable
        Returns attributes that follow from those of a state, by name: they take the place of what
        a state says of them.
    encoders : dict
        What makes plain data of attributes that are none, by name.
    """

    checks: dict[str, Check]
    needed_with: tuple[str, ...] = ()
    check_whole: Callable[[dict[str, Any]], None] = lambda fitted: None
    complete: Callable[[dict[str, Any]], dict[str, Any]] = lambda fitted: {}
    encoders: dict[str, Callable[[Any], Any]] = field(default_factory=dict)


class StoredEstimator(Protocol):
    """What a state needs to know of an estimator's class besides scikit-learn's protocol.

    Attributes
    ----------
    _fitted_parts : tuple of FittedPart
        What a fit sets, in the order in which a state holds it.
    _of_a_fit : tuple of str
        Attributes that no state holds: those of a fit that is going on, or found anew.
    """

    _fitted_parts: ClassVar[tuple[FittedPart, ...]]
    _of_a_fit: ClassVar[tuple[str, ...]]

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """Return the names of the parameters."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the state."""


class StoredOptimizer(Protocol):
    """What a state needs to know of an optimizer.

    Attributes
    ----------
    rule : str
        The name of its update rule.
    n_moments : int
        How many moments it keeps of each parameter.
    stored : dict
        The checks of what a state holds besides the rule and the moments, by name.
    moments : tuple of lists of ndarrays
        Its moments.
    """

    rule: ClassVar[str]
    n_moments: ClassVar[int]
    stored: ClassVar[dict[str, Check]]
    moments: tuple[Arrays, ...]

    def entries(self) -> dict[str, Any]:
        """Return what a state holds of it besides the rule and the moments."""

    @classmethod
    def restore(cls, moments: tuple[Arrays, ...], entries: dict[str, Any]) -> Self:
        """Return the optimizer that has these moments and entries, which are checked."""


ESTIMATORS: dict[str, Any] = {}
OPTIMIZERS: dict[str, type[StoredOptimizer]] = {}

Estimator = TypeVar("Estimator", bound=type[Any])
Optimizer = TypeVar("Optimizer", bound=type[StoredOptimizer])


def stored_estimator(cls: Estimator) -> Estimator:
    """Announce an estimator to files, which hold the name of its class."""
    ESTIMATORS[cls.__name__] = cls
    return cls


def stored_optimizer(cls: Optimizer) -> Optimizer:
    """Announce an optimizer to states, which hold the name of its rule."""
    OPTIMIZERS[cls.rule] = cls
    return cls

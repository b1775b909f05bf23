"""Checks of an estimator's parameters beside scikit-learn's."""

import operator
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, InvalidParameterError


def refuse_huge(model: Any) -> None:
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


def validate_changed(model: Any) -> None:
    """Check all parameters if one is another object than when they were last found good.

    For ``partial_fit`` of a fitted model, where scikit-learn checks none, to save time.
    """
    values = [getattr(model, name) for name in model._parameter_constraints]
    known = vars(model).get("_valid_params", ())
    if len(known) != len(values) or any(map(operator.is_not, known, values)):
        model._validate_params()
        model._valid_params = values

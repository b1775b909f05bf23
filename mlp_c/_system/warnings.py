"""Warnings that point at the line of the caller's that they are about."""

import sys
import warnings

# Between that line and us: decorators, meta-estimators and their parallel loops.
_PASSED_OVER = {"mlp_c", "sklearn", "joblib"}


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line that is not this package's, scikit-learn's or joblib's."""
    frame, stacklevel = sys._getframe(1), 2
    while (
        frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED_OVER
        and frame.f_back is not None
    ):
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, category, stacklevel=stacklevel)

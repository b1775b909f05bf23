"""Warnings that point at the line of the caller's that they are about."""

import re
import sys
import warnings
from types import FrameType
from typing import Any

# Between that line and us: decorators, meta-estimators and their parallel loops; and what these
# run in, in other threads and processes.
_OURS = "mlp_c"
_PASSED_OVER = {_OURS, "sklearn", "joblib", "multiprocessing", "concurrent", "threading", "runpy"}

# Functions of theirs that a worker process begins with: nothing outside them is a user's.
_WORKERS = {"_bootstrap", "_bootstrap_inner", "spawn_main"}

# Where scikit-learn's networks warn: filters for that module are meant for ours, too.
_SKLEARNS = "sklearn.neural_network._multilayer_perceptron"


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line that is not this package's, scikit-learn's or joblib's.

    Filters by module are tried, in their order, against scikit-learn's module, the one that warns,
    and that of the line; the first that matches acts.
    """
    warning_frame = sys._getframe(1)
    frame = _find_caller(warning_frame)
    modules = (_module_of(frame), _module_of(warning_frame), _SKLEARNS)
    line = frame.f_lineno
    module = min(modules, key=lambda name: _first_filter(message, category, name, line))
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        line,
        module=module,
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _module_of(frame: FrameType) -> str:
    return frame.f_globals.get("__name__") or "<unknown>"


def _find_caller(start: FrameType) -> FrameType:
    """The frame that a warning is about; in a worker, where there is none, the first not ours."""
    frame, first_not_ours = start, None
    while True:
        package = _module_of(frame).partition(".")[0]
        if package != _OURS and first_not_ours is None:
            first_not_ours = frame
        if package not in _PASSED_OVER:
            return frame
        if frame.f_back is None or frame.f_code.co_name in _WORKERS:
            return first_not_ours or start
        frame = frame.f_back


def _first_filter(message: str, category: type[Warning], module: str, line: int) -> int:
    """The place of the first filter that matches a warning."""
    # Where filters belong to a context, as in a free-threaded CPython, this says which.
    filters = getattr(warnings, "_get_filters", lambda: warnings.filters)()
    for place, (_, text, kind, name, number) in enumerate(filters):
        if (
            _matches(text, message)
            and issubclass(category, kind)
            and _matches(name, module)
            and number in (0, line)
        ):
            return place
    return len(filters)


def _matches(pattern: Any, text: str) -> bool:
    """As the interpreter matches: all for None, a plain string as it is."""
    if isinstance(pattern, re.Pattern):
        return pattern.match(text) is not None
    return pattern is None or pattern == text

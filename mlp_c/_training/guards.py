"""What keeps a model whole: one fit at a time, and all or nothing of its data."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from mlp_c._saving.savable import FITTING


def one_fit_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse to fit an estimator that a callback or another thread finds being fitted."""

    @wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = object()
        try:
            if vars(self).setdefault(FITTING, token) is not token:
                raise RuntimeError(f"this {type(self).__name__} is being fitted already")
            return method(self, *args, **kwargs)
        finally:
            try:
                _end_fit(self, token)
            finally:  # Ctrl-C may have ended the first
                _end_fit(self, token)

    return run


def _end_fit(model: object, token: object) -> None:
    """Let others fit a model, if the fit that the token stands for has not done so."""
    if vars(model).get(FITTING) is token:
        vars(model).pop(FITTING, None)


@contextmanager
def unchanged_if_refused(model: object, before: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Leave a model as it was, or as it was `before`, where what it learns from is refused."""
    state = vars(model)
    before = dict(state if before is None else before)
    try:
        yield
    except BaseException:
        state.update(before)
        for name in state.keys() - before.keys():
            del state[name]
        raise

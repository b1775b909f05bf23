"""How estimators are saved: pickles and copies."""

from typing import Any

from sklearn.base import BaseEstimator

from mlp_c import _state


class SavableEstimator(BaseEstimator):
    """An estimator whose pickles and copies hold plain data, checked as it is read."""

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles hold: not what belongs to a fit that is going on."""
        return _state.encode(self, super().__getstate__())

    def __setstate__(self, state: Any) -> None:
        """Become what a state says, or raise a ValueError and stay the same."""
        attributes = _state.decode(type(self), state)
        if "_fitting" in self.__dict__:
            raise RuntimeError(f"this {type(self).__name__} is being fitted")
        self.__dict__.clear()
        super().__setstate__(attributes)

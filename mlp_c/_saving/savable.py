"""How estimators are saved: pickles, copies and files."""

from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from mlp_c._saving import files
from mlp_c._saving.registry import FittedPart
from mlp_c._saving.state import decode, encode

# The attribute that marks an estimator as being fitted.
FITTING = "_fitting"


class SavableEstimator(BaseEstimator):
    """An estimator whose pickles, copies and files hold plain data, checked as it is read."""

    _fitted_parts: ClassVar[tuple[FittedPart, ...]]
    _of_a_fit: ClassVar[tuple[str, ...]]

    def save(self, path: Any) -> None:
        """Save the model to a file, which `mlp_c.load` reads.

        The file is in safetensors form and holds no pickle: parameters, what was fitted, the
        moments of the optimiser, and a digest. It is put in the place of another whole or not
        at all, whenever the process is stopped.

        Parameters
        ----------
        path : str or path-like
            The file. Callbacks, attributes that are not this package's, and a callable
            `learning_rate` or `scoring` are left out.

        Raises
        ------
        TypeError
            If the class is a subclass, or a parameter is of a type that a file cannot hold.
        ValueError
            If the model was edited so that it could not be read again. Nothing is written.
        OSError
            If the file cannot be written; an old one is as it was.
        ImportError
            If safetensors is not installed: ``pip install safetensors``.

        See Also
        --------
        mlp_c.load : Load a model.

        Examples
        --------
        >>> import os, tempfile
        >>> import mlp_c
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = os.path.join(directory, "model.safetensors")
        ...     mlp_c.MLPRegressor(alpha=0.5).save(path)
        ...     mlp_c.load(path)
        MLPRegressor(alpha=0.5)
        """
        files.save(self, path)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles hold: not what belongs to a fit that is going on."""
        # Of a copy: another thread's fit adds and removes attributes.
        state = encode(self, dict(super().__getstate__()))
        decode(type(self), state)  # refuses before anything is written what could not be read
        return state

    def __setstate__(self, state: Any) -> None:
        """Become what a state says, or raise a ValueError and stay the same."""
        attributes = decode(type(self), state)
        if FITTING in self.__dict__:
            raise RuntimeError(f"this {type(self).__name__} is being fitted")
        self.__dict__.clear()
        super().__setstate__(attributes)

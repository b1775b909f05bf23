"""What a network makes of rows while it is trained: their loss and its outputs."""

from typing import Any

import numpy as np

from mlp_c._system.blocks import Array
from mlp_c._system.threads import effective_n_threads
from mlp_c._training.data import Data
from mlp_c._training.losses import Loss
from mlp_c._training.model import Model


class Evaluation:
    """Rows to evaluate again and again, with the weights that a model then has.

    Parameters
    ----------
    model : estimator
        The model.
    loss : Loss
        The loss.
    data : Data
        The rows, and the dtype to compute in.

    Attributes
    ----------
    outputs : ndarray of shape (data.n, n_outputs)
        What the last evaluation has written.
    """

    def __init__(self, model: Model, loss: Loss, data: Data) -> None:
        self._model, self._loss, self._data = model, loss, data
        self._rows = None if data.takes_all else data.rows
        weights = data.score_weight
        if weights is not None and self._rows is not None:
            weights = weights[self._rows]
        self._weight_sum = data.n if weights is None else float(weights.sum(dtype=np.float64))
        self.outputs: Array = np.empty((0, 0))

    def fields(self) -> dict[str, Any]:
        """What the kernels take to evaluate the rows."""
        model, loss, data = self._model, self._loss, self._data
        self.outputs = np.empty((data.n, model.n_outputs_), data.dtype)
        return {
            "X": data.X,
            "y": loss.targets_for_kernels(data.y),
            "sample_weight": data.score_weight,
            "order": self._rows,
            "weights": [w.astype(data.dtype, copy=False) for w in model.coefs_],
            "biases": [b.astype(data.dtype, copy=False) for b in model.intercepts_],
            "activation": model.activation,
            "loss": loss.for_kernels(data.dtype),
            "output": model.out_activation_,
            "outputs": self.outputs,
            "losses": None,
            "n_threads": effective_n_threads(model.n_threads),
        }

    def run(self) -> float:
        """Evaluate the rows; the sum of their losses, weighted as scores are, without L2 term."""
        return self._data.evaluate(self.fields())

    def mean(self, total: float) -> float:
        """The mean loss, of the sum that an evaluation gives."""
        return total / self._weight_sum

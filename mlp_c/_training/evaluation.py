"""What a network makes of rows while it is trained: their loss and its outputs."""

import numpy as np

from mlp_c import _core
from mlp_c._system.blocks import Array
from mlp_c._system.threads import effective_n_threads
from mlp_c._training.data import Data
from mlp_c._training.losses import Loss
from mlp_c._training.model import Model


def evaluate(model: Model, loss: Loss, data: Data) -> tuple[float, Array]:
    """The mean loss of rows, weighted as scores are, without the L2 term; and the outputs.

    Parameters
    ----------
    model : estimator
        Its present weights are used.
    loss : Loss
        The loss.
    data : Data
        The rows, and the dtype to compute in.

    Returns
    -------
    loss : float
    outputs : ndarray of shape (data.n, n_outputs)
    """
    rows = None if data.takes_all else data.rows
    outputs = np.empty((data.n, model.n_outputs_), data.dtype)
    total = _core.evaluate(
        {
            "X": data.X,
            "y": loss.targets_for_kernels(data.y),
            "sample_weight": data.score_weight,
            "order": rows,
            "weights": [w.astype(data.dtype, copy=False) for w in model.coefs_],
            "biases": [b.astype(data.dtype, copy=False) for b in model.intercepts_],
            "activation": model.activation,
            "loss": loss.for_kernels(data.dtype),
            "output": model.out_activation_,
            "outputs": outputs,
            "n_threads": effective_n_threads(model.n_threads),
        }
    )
    if data.score_weight is None:
        return total / data.n, outputs
    weights = data.score_weight if rows is None else data.score_weight[rows]
    return total / float(weights.sum(dtype=np.float64)), outputs

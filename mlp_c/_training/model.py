"""The model that is trained, as far as the training knows it."""

from abc import abstractmethod
from typing import Any, Protocol

from mlp_c._system.blocks import Array
from mlp_c._training.hyperparameters import Hyperparameters
from mlp_c._training.losses import Loss
from mlp_c._training.optimizers import Optimizer
from mlp_c._training.progress import Progress


class Model(Hyperparameters, Protocol):
    """An estimator: its parameters, its network, and the record of its training."""

    coefs_: list[Array]
    intercepts_: list[Array]
    out_activation_: str
    n_outputs_: int
    n_iter_: int
    t_: int
    loss_: float
    loss_curve_: list[float]
    learning_rate_curve_: list[float]
    best_loss_: Any  # a float, or None where the validation score is watched
    validation_scores_: Any  # a list of float, or None where the loss is watched
    best_validation_score_: Any  # a float, or None there
    validation_loss_curve_: list[float]  # where the score is watched, as the next
    best_iter_: int
    dropout_seed_: int  # only where there is dropout
    _no_improvement_count: int
    _optimizer: Optimizer
    _progress: Progress

    @abstractmethod
    def _choose_loss(self) -> Loss:
        """Return the loss for the targets and the parameters that the model has."""

    @abstractmethod
    def _choose_output(self) -> Any:
        """Return the output activation, as the kernels take it."""

    @abstractmethod
    def _score_outputs(self, y: Array, outputs: Array, sample_weight: Array | None) -> float:
        """Return the score of the outputs of rows with the encoded targets `y`."""

    def _init_callback_context(self, *, max_subtasks: int) -> Any:
        """Return scikit-learn's context of the callbacks."""

    @abstractmethod
    def _copy_progress(self) -> dict[str, Any]:
        """Return copies of what training goes on changing, by attribute."""

    @abstractmethod
    def _copy_weights(self) -> tuple[list[Array], list[Array]]:
        """Return copies of the weights and of the biases."""

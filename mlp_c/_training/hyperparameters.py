"""The parameters of an estimator, by name and type."""

from typing import Any, Protocol

from mlp_c._network.activations import Activations
from mlp_c._network.initial_weights import Init


class Hyperparameters(Protocol):
    """What ``__init__`` takes: unchecked until ``fit``, which gives them these types."""

    hidden_layer_sizes: Any
    activation: Activations
    solver: str
    alpha: float
    batch_size: int | str
    learning_rate: Any  # a name, or a callable
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    scoring: Any
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    init: Init
    compute_dtype: str | None
    n_threads: int | None
    warmup: float
    weight_decay: float | None
    max_grad_norm: float | None
    dropout: Any  # a number, or a sequence of one for each hidden layer
    input_dropout: float

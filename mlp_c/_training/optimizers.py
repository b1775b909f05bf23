"""What an update rule carries from epoch to epoch: moments and the learning rate.

An optimizer has a `rule` the kernels know, its `constants()`, and `moments` and `steps` that they
keep up to date in place; it answers the end of an epoch and a plateau. Its attributes are what a
state holds of it.
"""

from typing import Any

import numpy as np

from mlp_c._saving import checks
from mlp_c._system.blocks import Arrays


def _zeros_for(params: Arrays) -> Arrays:
    """Moments of parameters; np.zeros_like would write all of them, which this leaves for later."""
    return [np.zeros(p.shape, p.dtype) for p in params]


class SGD:
    """Stochastic gradient descent with momentum and a learning-rate schedule.

    Parameters
    ----------
    params : list of ndarrays
        The parameters; the velocities take their shapes.
    learning_rate_init, schedule, power_t, momentum, nesterov
        As the estimators' `learning_rate_init`, `learning_rate`, `power_t`, `momentum` and
        `nesterovs_momentum`.
    """

    def __init__(
        self,
        params: Arrays,
        *,
        learning_rate_init: float,
        schedule: str,
        power_t: float,
        momentum: float,
        nesterov: bool,
    ) -> None:
        self.learning_rate_init = self.learning_rate = float(learning_rate_init)
        self.schedule = schedule
        self.power_t = float(power_t)  # an integer would make powers that never end
        self.momentum = float(momentum)
        self.rule = "sgd" if momentum == 0 else "nesterov" if nesterov else "momentum"
        self.moments: tuple[Arrays, ...] = ()
        if self.rule != "sgd":
            self.moments = (_zeros_for(params),)

    def constants(self) -> tuple[Any, ...]:
        """The rule and its constants, as the kernels take them."""
        return self.rule, self.learning_rate, self.momentum, 0.0, 0.0, 0.0

    @property
    def steps(self) -> np.ndarray:
        """For the kernels to count in; nothing depends on it."""
        return np.zeros(1, np.int64)

    def epoch_ends(self, n_samples_seen: int) -> None:
        """Move the learning rate along its schedule."""
        if self.schedule == "invscaling":
            self.learning_rate = self.learning_rate_init / (n_samples_seen + 1) ** self.power_t

    def plateau(self, message: str, verbose: bool) -> bool:
        """Answer a plateau: whether to stop, or to go on with a lower learning rate."""
        stop = self.schedule != "adaptive" or self.learning_rate <= 1e-6
        if self.schedule != "adaptive":
            reaction = "Stopping."
        elif stop:
            reaction = "Learning rate too small. Stopping."
        else:
            self.learning_rate /= 5.0
            reaction = f"Setting learning rate to {self.learning_rate:f}"
        if verbose:
            print(f"{message} {reaction}")
        return stop


class Adam:
    """Adam, whose steps are scaled by estimates of the gradient's moments.

    Parameters
    ----------
    params : list of ndarrays
        The parameters; the moments take their shapes.
    learning_rate_init, beta_1, beta_2, epsilon
        As the estimators' parameters.
    """

    def __init__(
        self,
        params: Arrays,
        *,
        learning_rate_init: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
    ) -> None:
        self.rule = "adam"
        self.learning_rate_init = float(learning_rate_init)
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)
        self.steps = np.zeros(1, np.int64)  # counted by the kernels, batch by batch
        self.moments: tuple[Arrays, ...] = (_zeros_for(params), _zeros_for(params))

    def constants(self) -> tuple[Any, ...]:
        """The rule and its constants, as the kernels take them."""
        return (
            self.rule,
            self.learning_rate_init,
            0.0,
            self.beta_1,
            self.beta_2,
            self.epsilon,
        )

    def epoch_ends(self, n_samples_seen: int) -> None:
        """Nothing changes."""

    def plateau(self, message: str, verbose: bool) -> bool:
        """Answer a plateau: stop."""
        if verbose:
            print(f"{message} Stopping.")
        return True


def new_optimizer(model: Any) -> SGD | Adam:
    """What the solver of an estimator begins with."""
    params = model.coefs_ + model.intercepts_
    if model.solver == "adam":
        return Adam(
            params,
            learning_rate_init=model.learning_rate_init,
            beta_1=model.beta_1,
            beta_2=model.beta_2,
            epsilon=model.epsilon,
        )
    return SGD(
        params,
        learning_rate_init=model.learning_rate_init,
        schedule=model.learning_rate,
        power_t=model.power_t,
        momentum=model.momentum,
        nesterov=model.nesterovs_momentum,
    )


_not_negative = checks.within(0, np.inf)
_fraction = checks.within(0, 1)
_SGD_STATE = {
    "learning_rate_init": _not_negative,
    "learning_rate": _not_negative,
    "schedule": checks.one_of("constant", "invscaling", "adaptive"),
    "power_t": _not_negative,
    "momentum": _fraction,
}
_ADAM_STATE = {
    "learning_rate_init": _not_negative,
    "beta_1": _fraction,
    "beta_2": _fraction,
    "epsilon": _not_negative,
    "steps": checks.counter,
}

# By rule: the class, how many moments it keeps, and the checks of its other attributes.
_STATES: dict[str, tuple[Any, int, dict[str, Any]]] = {
    "sgd": (SGD, 0, _SGD_STATE),
    "momentum": (SGD, 1, _SGD_STATE),
    "nesterov": (SGD, 1, _SGD_STATE),
    "adam": (Adam, 2, _ADAM_STATE),
}


def optimizer_from_state(state: Any, params: Arrays) -> SGD | Adam:
    """The optimizer of `params` that has the attributes in `state`.

    Raises
    ------
    ValueError
        If an attribute is not what an optimizer has, or the moments do not fit `params`.
    """
    if not isinstance(state, dict):
        checks.refuse("optimizer", "a dict", state)
    rule = checks.one_of(*_STATES)("optimizer.rule", state.get("rule"))
    cls, n_moments, constants = _STATES[rule]
    checks.entries("optimizer", state, ["rule", "moments", *constants])
    moments = state["moments"]
    if not isinstance(moments, tuple) or len(moments) != n_moments:
        checks.refuse("optimizer.moments", f"a tuple of {n_moments} lists", moments)
    optimizer = cls.__new__(cls)
    optimizer.rule = rule
    optimizer.moments = tuple(
        checks.floats_like(f"optimizer.moments[{m}]", arrays, params)
        for m, arrays in enumerate(moments)
    )
    for name, check in constants.items():
        setattr(optimizer, name, check(f"optimizer.{name}", state[name]))
    return optimizer

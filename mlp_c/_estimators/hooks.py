"""Private methods of scikit-learn's networks, which subclasses override, and what to do here."""

from typing import Any

_SCORING = "pass a callable as the parameter scoring"
_KERNELS = "write the training loop with mlp_c.kernels"

# What scikit-learn's classes call and ours do not have, with what does the same.
HOOKS = {
    "_backprop": _KERNELS,
    "_check_solver": "override partial_fit",
    "_compute_loss_grad": _KERNELS,
    "_fit_lbfgs": "override fit",
    "_fit_stochastic": "override fit, or pass callbacks to set_callbacks",
    "_forward_pass": "use mlp_c.kernels.forward on coefs_ and intercepts_",
    "_forward_pass_fast": "use mlp_c.kernels.forward on coefs_ and intercepts_",
    "_init_coef": "pass coefs_init and intercepts_init to fit",
    "_loss_grad_lbfgs": _KERNELS,
    "_predict": "override predict",
    "_score": _SCORING,
    "_score_with_function": _SCORING,
    "_unpack": _KERNELS,
    "_update_no_improvement_count": "pass a callback that returns True to stop to set_callbacks",
    "_validate_input": "override fit and check the data before",
}


def refuse_hooks(cls: type[Any], ours: type[Any]) -> None:
    """Refuse a subclass that overrides what is never called, itself or by a mixin.

    Raises
    ------
    TypeError
        If it has a method of HOOKS, which says what to do instead.
    """
    for base in cls.__mro__:
        if base is ours:
            return
        for name in vars(base).keys() & HOOKS.keys():
            raise TypeError(
                f"{cls.__name__} overrides {name}, which mlp_c never calls: {HOOKS[name]}"
            )

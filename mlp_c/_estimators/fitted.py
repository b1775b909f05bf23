"""What every fit sets, as states hold it."""

from itertools import pairwise
from typing import Any

from mlp_c._network.activations import OUTPUT_ACTIVATIONS
from mlp_c._saving import checks
from mlp_c._saving.registry import FittedPart
from mlp_c._system.blocks import Arrays


def _check_network(fitted: dict[str, Any]) -> None:
    """The weights and biases are a chain of layers."""
    coefs, intercepts = fitted["coefs_"], fitted["intercepts_"]
    shapes = [w.shape for w in coefs]
    if not coefs or any(left[1] != right[0] for left, right in pairwise(shapes)):
        checks.refuse("coefs_", "of shapes that fit each other", shapes)
    if [b.shape for b in intercepts] != [(n_out,) for _, n_out in shapes]:
        checks.refuse("intercepts_", f"as wide as {shapes}", [b.shape for b in intercepts])


def sizes_of(coefs: Arrays) -> dict[str, int]:
    """The attributes that the weights tell."""
    return {
        "n_features_in_": coefs[0].shape[0],
        "n_outputs_": coefs[-1].shape[1],
        "n_layers_": len(coefs) + 1,
    }


def _complete_sizes(fitted: dict[str, Any]) -> dict[str, int]:
    return sizes_of(fitted["coefs_"]) if "coefs_" in fitted else {}


def _check_names(fitted: dict[str, Any]) -> None:
    names = fitted["feature_names_in_"]
    if len(names) != fitted.get("n_features_in_") or not all(isinstance(n, str) for n in names):
        checks.refuse("feature_names_in_", "n_features_in_ strings", names)


NETWORK = FittedPart(
    {
        "coefs_": lambda name, value: checks.floats_list(name, value, ndim=2),
        "intercepts_": lambda name, value: checks.floats_list(name, value, ndim=1),
        "out_activation_": checks.one_of(*OUTPUT_ACTIVATIONS),
    },
    needed_with=("coefs_", "intercepts_"),
    check_whole=_check_network,
)
SIZES = FittedPart(
    dict.fromkeys(("n_features_in_", "n_layers_", "n_outputs_"), checks.count),
    complete=_complete_sizes,
)
EPOCHS = FittedPart({"n_iter_": checks.count})
FEATURE_NAMES = FittedPart(  # without them, columns in another order would be taken
    {"feature_names_in_": checks.labels},
    needed_with=("feature_names_in_",),
    check_whole=_check_names,
)
FINAL_LOSS = FittedPart({"loss_": checks.number})

"""What every fit sets, as states hold it."""

from collections.abc import Collection
from itertools import pairwise
from typing import Any

from mlp_c._network.activations import OutputActivation
from mlp_c._saving import checks
from mlp_c._saving.registry import FittedPart


def network_part(out_activations: Collection[OutputActivation]) -> FittedPart:
    """The network of estimators that use these output activations."""
    return FittedPart(
        {
            "coefs_": lambda name, value: checks.floats_list(name, value, ndim=2),
            "intercepts_": lambda name, value: checks.floats_list(name, value, ndim=1),
            "n_features_in_": checks.count,
            "n_layers_": checks.count,
            "n_outputs_": checks.count,
            "n_iter_": checks.count,
            "t_": checks.count,
            "out_activation_": checks.one_of(*out_activations),
        },
        needed_with=("coefs_", "intercepts_"),
        check_whole=_check_network,
    )


def _check_network(fitted: dict[str, Any]) -> None:
    """The weights and biases are a chain of layers, and all of one dtype."""
    coefs, intercepts = fitted["coefs_"], fitted["intercepts_"]
    shapes = [w.shape for w in coefs]
    if not coefs or any(left[1] != right[0] for left, right in pairwise(shapes)):
        checks.refuse("coefs_", "of shapes that fit each other", shapes)
    if [b.shape for b in intercepts] != [(n_out,) for _, n_out in shapes]:
        checks.refuse("intercepts_", f"as wide as {shapes}", [b.shape for b in intercepts])
    if len(dtypes := {p.dtype.name for p in coefs + intercepts}) > 1:
        checks.refuse("coefs_ and intercepts_", "all of one dtype", sorted(dtypes))
    for name, value in (
        ("n_features_in_", shapes[0][0]),
        ("n_outputs_", shapes[-1][1]),
        ("n_layers_", len(shapes) + 1),
    ):
        if fitted[name] != value:
            checks.refuse(name, f"{value} with weights of shapes {shapes}", fitted[name])


def _check_names(fitted: dict[str, Any]) -> None:
    names = fitted["feature_names_in_"]
    if len(names) != fitted.get("n_features_in_") or not all(isinstance(n, str) for n in names):
        checks.refuse("feature_names_in_", "n_features_in_ strings", names)


FEATURE_NAMES = FittedPart({"feature_names_in_": checks.labels}, check_whole=_check_names)
FINAL_LOSS = FittedPart({"loss_": checks.number})

"""The libraries that are compared, each behind one interface.

To add a rival: a module with a subclass of Rival, and a line in RIVALS. A module here
is imported in its rival's own process only; an ImportError there says that the library
is absent.
"""

from importlib import import_module

OURS = "mlp_c"
ONE_THREAD = "mlp_c-1"

RIVALS = {
    OURS: "estimators:MlpC",
    ONE_THREAD: "estimators:MlpCOneThread",
    "sklearn": "estimators:ScikitLearn",
    "numpy": "numpy:NumPy",
    "torch": "torch:PyTorch",
    "jax": "jax:Jax",
    "keras": "keras:Keras",
}
LIBRARIES = tuple(name for name in RIVALS if name != ONE_THREAD)
REFERENCES = ("sklearn", "numpy", "torch")  # the ones whose fastest is to be beaten


def load(name: str) -> type:
    module, _, kind = RIVALS[name].partition(":")
    return getattr(import_module(f"benchmarks.rivals.{module}"), kind)

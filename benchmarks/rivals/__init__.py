"""The libraries that are compared, all behind one interface.

To add a rival, write a module with a subclass of Rival and add a line to RIVALS. A module here is
imported only in its rival's own process. An ImportError there means that the library is absent.
"""

from importlib import import_module

OURS = "mlp_c"
ONE_THREAD = "mlp_c-1"
KERNELS, TRAIN_STEP = "kernels", "train_step"  # in a loop of one's own

RIVALS = {
    OURS: "estimators:MlpC",
    ONE_THREAD: "estimators:MlpCOneThread",
    KERNELS: "loops:FiveKernels",
    TRAIN_STEP: "loops:TrainStep",
    "sklearn": "estimators:ScikitLearn",
    "numpy": "numpy:NumPy",
    "torch": "torch:PyTorch",
    "jax": "jax:Jax",
    "keras": "keras:Keras",
}
REFERENCES = ("sklearn", "numpy", "torch", "jax", "keras")  # mlp_c should beat the fastest of them
LIBRARIES = (OURS, *REFERENCES)


def load(name: str) -> type:
    module, _, kind = RIVALS[name].partition(":")
    return getattr(import_module(f"benchmarks.rivals.{module}"), kind)

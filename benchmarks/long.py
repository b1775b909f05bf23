"""Long fits: whether the last epochs take longer than the first, ``make bench-long``.

As a network grows sure of itself, what is made of its probabilities becomes denormal, at which many
processors are slow, those of Intel above all. Each library trains in a process of its own, case by
case in turns.
"""

import argparse
import warnings
from statistics import median

from benchmarks.processes import apart
from benchmarks.timing import seconds

EDGE = 5  # epochs at either end whose median is taken
SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.05},
    "momentum": {"solver": "sgd", "momentum": 0.9, "learning_rate_init": 0.05},
    "adam": {"solver": "adam", "learning_rate_init": 0.005},
}
ACTIVATIONS, DTYPES, LIBRARIES = (
    ("relu", "tanh", "logistic"),
    ("float32", "float64"),
    ("mlp_c", "sklearn"),
)


def time_epochs(
    library: str, solver: str, activation: str, dtype: str, epochs: int
) -> tuple[float, float]:
    """Median seconds of the first and of the last epochs, on one thread."""
    import numpy as np
    import threadpoolctl

    if library == "sklearn":
        from sklearn.neural_network import MLPClassifier
    else:
        from mlp_c import MLPClassifier
    rng = np.random.default_rng(0)
    X = rng.random((2000, 20)).astype(dtype)
    y = (X @ rng.standard_normal((20, 4))).argmax(axis=1)
    model = MLPClassifier(
        (64, 32), activation=activation, batch_size=32, random_state=0, **SOLVERS[solver]
    )
    warnings.simplefilter("ignore")
    with threadpoolctl.threadpool_limits(1):
        model.partial_fit(X, y, classes=range(4))
        times = [seconds(lambda: model.partial_fit(X, y)) for _ in range(epochs)]
    return median(times[:EDGE]), median(times[-EDGE:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.long")
    parser.add_argument("--epochs", type=int, default=240)
    epochs = parser.parse_args().epochs
    print(f"20-64-32, 2,000 rows, batch 32, one thread: milliseconds of an epoch, the first "
          f"{EDGE} and the last {EDGE} of {epochs}")  # fmt: skip
    print(f"{'':28}" + "".join(f"{library:>26}" for library in LIBRARIES))
    for dtype in DTYPES:
        for solver in SOLVERS:
            for activation in ACTIVATIONS:
                line = f"{f'{solver}, {activation}, {dtype}':28}"
                for library in LIBRARIES:
                    first, last = apart(time_epochs, library, solver, activation, dtype, epochs)
                    line += f"{first * 1e3:9.2f}{last * 1e3:9.2f}{last / first:6.2f} x"
                print(line, flush=True)


if __name__ == "__main__":
    main()

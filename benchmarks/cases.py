"""What is measured: the networks, their data, and whether they train or predict.

To add a case, add a line to CASES.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

from benchmarks.data import Recipe, gaussian, mnist, text
from benchmarks.rivals import KERNELS, LIBRARIES, OURS, TRAIN_STEP


@dataclass(frozen=True)
class Case:
    """A ReLU network with softmax output."""

    name: str
    recipe: Recipe
    hidden: tuple[int, ...]
    dtype: str = "float32"
    solver: str = "sgd"  # plain gradient descent; or "adam"
    learning_rate: float = 0.1
    alpha: float = 0.0
    batch_size: int = 128
    threads: int = 2
    predicted_rows: int = 0  # 0: training is timed; else the prediction of so many test rows
    rivals: tuple[str, ...] = LIBRARIES

    def with_rows(self, rows: int) -> "Case":
        return replace(self, recipe=replace(self.recipe, rows=rows))

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        return (self.recipe.n_in, *self.hidden, self.recipe.n_classes)

    @property
    def flop(self) -> int:
        """Floating-point operations in the dense products of an epoch or a prediction.

        An epoch has the forward products, the gradients of the weights, and the deltas of
        every layer but the input.
        """
        sizes = [n_in * n_out for n_in, n_out in pairwise(self.layer_sizes)]
        if self.predicted_rows:
            return self.predicted_rows * 2 * sum(sizes)
        return self.recipe.rows * (6 * sum(sizes) - 2 * sizes[0])

    @property
    def title(self) -> str:
        network = "-".join(map(str, self.layer_sizes))
        task = (
            f"predict {self.predicted_rows:,} rows"
            if self.predicted_rows
            else f"{self.solver}, batch {self.batch_size}"
        )
        return f"{self.name}: {network}, {task}, {self.dtype}, {self.threads} threads"


MNIST = Recipe(mnist, rows=56_000, n_in=784, n_classes=10, density=0.19)
DENSE = Recipe(gaussian, rows=56_000, n_in=784, n_classes=10)
NOTEBOOK = Case("mnist", MNIST, hidden=(128,), learning_rate=0.2)
LOOP = replace(NOTEBOOK, name="loop", rivals=(OURS, KERNELS, TRAIN_STEP, "numpy"))

CASES = [
    NOTEBOOK,
    replace(NOTEBOOK, name="mnist-float64", dtype="float64"),
    LOOP,
    replace(LOOP, name="loop-float64", dtype="float64"),
    # scikit-learn's defaults:
    Case("mnist-adam", MNIST, (100,), "float32", "adam", 0.001, alpha=1e-4, batch_size=200),
    replace(NOTEBOOK, name="predict-1", predicted_rows=1),
    replace(NOTEBOOK, name="predict-14000", predicted_rows=14_000),
    replace(NOTEBOOK, name="dense", recipe=DENSE),
    Case("wide", Recipe(gaussian, 20_000, 512, 10), hidden=(1024, 512), batch_size=256),
    Case("small", Recipe(gaussian, 20_000, 20, 4), hidden=(64, 32), batch_size=64),
    Case(
        "tabular", Recipe(gaussian, 20_000, 40, 3), hidden=(100,), dtype="float64", batch_size=200
    ),
    Case(
        "text",
        Recipe(text, rows=20_000, n_in=50_000, n_classes=10, density=0.001),
        hidden=(100,),
        dtype="float64",
        solver="adam",
        learning_rate=0.001,
        batch_size=200,
        rivals=("mlp_c", "sklearn"),  # the others take dense rows only
    ),
]

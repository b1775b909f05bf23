"""What is measured: the networks, their training and their data.

To add a case: a line in CASES and, for data of another kind, a maker in data.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from benchmarks import data


@dataclass(frozen=True)
class Case:
    """A ReLU network with softmax output, trained by plain gradient descent."""

    name: str
    layer_sizes: tuple[int, ...]
    make_data: Callable[["Case"], data.Dataset]
    rows: int  # of the training set
    density: float  # of data that is made up: the share of non-zero elements
    batch_size: int = 128
    learning_rate: float = 0.2
    dtype: str = "float64"

    @property
    def flop_per_row(self) -> int:
        """Of the dense products: forward, weight gradients, and deltas but for the input's."""
        sizes = [n_in * n_out for n_in, n_out in pairwise(self.layer_sizes)]
        return 6 * sum(sizes) - 2 * sizes[0]

    @property
    def title(self) -> str:
        network = "-".join(map(str, self.layer_sizes))
        return (
            f"{self.name}: {network} ReLU/softmax, batch {self.batch_size}, "
            f"SGD with learning rate {self.learning_rate}"
        )


CASES = [
    Case("notebook", (784, 128, 10), data.mnist, rows=56_000, density=0.19),
]

"""The data sets, made once and handed to the rivals' processes as files.

A maker takes a case and returns a Dataset of `case.rows` training rows, float64.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.cases import Case

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Dataset:
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    note: str


def mnist(case: "Case") -> Dataset:
    """MNIST as the notebook splits and scales it, or made-up pixels where it cannot be had."""
    from sklearn.model_selection import train_test_split

    try:
        pixels, digits = fetch_mnist()
    except (OSError, ImportError) as error:
        return synthetic(case, f"SYNTHETIC data: no MNIST ({type(error).__name__}: {error})")
    x, x_test, y, y_test = train_test_split(
        pixels / 255.0, digits.astype(np.int64), test_size=TEST_SHARE, random_state=42
    )
    return Dataset(x[: case.rows], y[: case.rows], x_test, y_test, "MNIST")


def fetch_mnist() -> tuple[np.ndarray, np.ndarray]:
    """From scikit-learn's data home or, failing that, from OpenML into it.

    Reads a copy of what is there, for scikit-learn deletes a file it fails to parse.
    """
    from sklearn.datasets import fetch_openml

    home = Path(os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")).expanduser()
    options = {"version": 1, "return_X_y": True, "as_frame": False, "n_retries": 1}
    if not any((home / "openml").rglob("*.gz")):
        return fetch_openml("mnist_784", data_home=home, **options)
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(home / "openml", Path(copy, "openml"))
        return fetch_openml("mnist_784", data_home=copy, **options)


def synthetic(case: "Case", note: str = "synthetic data") -> Dataset:
    """Rows of `case.density` whose label decides how likely each element is to be non-zero."""
    rng = np.random.default_rng(0)
    n_in, n_classes = case.layer_sizes[0], case.layer_sizes[-1]
    chance = rng.permuted(np.linspace(0, 1, n_in) ** (1 / case.density - 1))
    chance = np.array([rng.permutation(chance) for _ in range(n_classes)])
    n = round(case.rows / (1 - TEST_SHARE))
    y = rng.integers(n_classes, size=n)
    x = np.empty((n, n_in))
    for row, label in zip(x, y, strict=True):
        row[:] = rng.integers(1, 256, size=n_in) / 255 * (rng.random(n_in) < chance[label])
    return Dataset(x[: case.rows], y[: case.rows], x[case.rows :], y[case.rows :], note)


def write(case: "Case", dtypes: list[str], folder: Path) -> str:
    """Makes the case's data and saves it in each dtype; returns a description of it."""
    made = case.make_data(case)
    for dtype in dtypes:
        np.save(folder / f"x_{dtype}.npy", made.x.astype(dtype))
        np.save(folder / f"x_test_{dtype}.npy", made.x_test.astype(dtype))
    np.save(folder / "y.npy", made.y)
    np.save(folder / "y_test.npy", made.y_test)
    density = np.count_nonzero(made.x) / made.x.size
    return f"{len(made.x):,} rows, {density:.0%} non-zero: {made.note}"


def read_training(case: "Case", folder: Path) -> tuple[np.ndarray, np.ndarray]:
    return np.load(folder / f"x_{case.dtype}.npy"), np.load(folder / "y.npy")


def read_test(case: "Case", folder: Path) -> tuple[np.ndarray, np.ndarray]:
    return np.load(folder / f"x_test_{case.dtype}.npy"), np.load(folder / "y_test.npy")

"""The data sets. They are made once and passed to the rivals' processes as files.

A maker takes a recipe and returns a Dataset of `recipe.rows` training rows in float64,
dense or CSR. To add one, write a function here and name it in a recipe in cases.py.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

TEST_SHARE = 0.2
Rows = np.ndarray | sparse.csr_array


@dataclass(frozen=True)
class Dataset:
    x: Rows
    y: np.ndarray
    x_test: Rows
    y_test: np.ndarray
    note: str


@dataclass(frozen=True)
class Recipe:
    """What a data set should be: `rows` training rows of `n_in` features."""

    make: Callable[["Recipe"], Dataset]
    rows: int
    n_in: int
    n_classes: int
    density: float = 1.0  # the share of non-zero elements in synthetic data

    @property
    def all_rows(self) -> int:
        """The number of training and test rows together."""
        return round(self.rows / (1 - TEST_SHARE))

    def split(self, x: Rows, y: np.ndarray, note: str) -> Dataset:
        return Dataset(x[: self.rows], y[: self.rows], x[self.rows :], y[self.rows :], note)


def mnist(recipe: Recipe) -> Dataset:
    """MNIST as the notebook splits and scales it, or synthetic pixels if it is unavailable."""
    from sklearn.model_selection import train_test_split

    try:
        pixels, digits = fetch_mnist()
    except (OSError, ImportError) as error:
        return strokes(recipe, f"SYNTHETIC data: no MNIST ({type(error).__name__}: {error})")
    x, x_test, y, y_test = train_test_split(
        pixels / 255.0, digits.astype(np.int64), test_size=TEST_SHARE, random_state=42
    )
    return Dataset(x[: recipe.rows], y[: recipe.rows], x_test, y_test, "MNIST")


def fetch_mnist() -> tuple[np.ndarray, np.ndarray]:
    """Reads MNIST from scikit-learn's data home, or downloads it from OpenML into it.

    Reads a copy of the files, because scikit-learn deletes a file that it fails to parse.
    """
    from sklearn.datasets import fetch_openml

    home = Path(os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")).expanduser()
    options = {"version": 1, "return_X_y": True, "as_frame": False, "n_retries": 1}
    if not any((home / "openml").rglob("*.gz")):
        return fetch_openml("mnist_784", data_home=home, **options)
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(home / "openml", Path(copy, "openml"))
        return fetch_openml("mnist_784", data_home=copy, **options)


def strokes(recipe: Recipe, note: str = "made-up strokes") -> Dataset:
    """Rows like scanned digits: ink lies in runs of pixels."""
    return scattered(recipe, note, run=5)


def scattered(recipe: Recipe, note: str = "made-up pixels", run: int = 1) -> Dataset:
    """Rows with a share `density` of non-zeros. The label sets the chance of each run to be one."""
    rng = np.random.default_rng(0)
    n_in = recipe.n_in
    n_runs = -(-n_in // run)
    chance = np.linspace(0, 1, n_runs) ** (1 / recipe.density - 1)
    chance = np.array([rng.permutation(chance) for _ in range(recipe.n_classes)])
    y = rng.integers(recipe.n_classes, size=recipe.all_rows)
    x = np.empty((len(y), n_in))
    for row, label in zip(x, y, strict=True):
        has_ink = np.repeat(rng.random(n_runs) < chance[label], run)[:n_in]
        row[:] = rng.integers(1, 256, size=n_in) / 255 * has_ink
    return recipe.split(x, y, note)


def gaussian(recipe: Recipe) -> Dataset:
    """Independent normal features, labelled by a linear teacher."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((recipe.all_rows, recipe.n_in))
    return recipe.split(x, taught_labels(x, recipe, rng), "Gaussian")


def text(recipe: Recipe) -> Dataset:
    """CSR rows of words whose frequencies follow Zipf-Mandelbrot, labelled by a linear teacher."""
    rng = np.random.default_rng(0)
    chance = 1 / (rng.permutation(recipe.n_in) + 10)
    chance *= recipe.density * recipe.n_in / chance.sum()
    counts = rng.binomial(recipe.all_rows, chance)
    columns = [rng.choice(recipe.all_rows, count, replace=False) for count in counts]
    indptr = np.concatenate([[0], np.cumsum(counts)])
    values = rng.random(indptr[-1])
    shape = (recipe.all_rows, recipe.n_in)
    x = sparse.csc_array((values, np.concatenate(columns), indptr), shape=shape).tocsr()
    return recipe.split(x, taught_labels(x, recipe, rng), "made-up text, CSR")


def taught_labels(x: Rows, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    return np.argmax(x @ rng.standard_normal((recipe.n_in, recipe.n_classes)), axis=1)


def write(recipe: Recipe, dtypes: Iterable[str], folder: Path) -> str:
    """Makes the data, saves it in each dtype, and returns a description of it."""
    made = recipe.make(recipe)
    for part, x, y in (("train", made.x, made.y), ("test", made.x_test, made.y_test)):
        np.save(folder / f"y_{part}.npy", y)
        for dtype in dtypes:
            path = path_of(folder, part, dtype)
            with path.open("wb") as file:
                if sparse.issparse(x):
                    sparse.save_npz(file, x.astype(dtype), compressed=False)
                else:
                    np.save(file, x.astype(dtype))
    rows, columns = made.x.shape
    n_nonzero = made.x.nnz if sparse.issparse(made.x) else np.count_nonzero(made.x)
    return f"{made.note}, {rows:,} x {columns:,}, {n_nonzero / (rows * columns):.2g} non-zero"


def read(folder: Path, part: str, dtype: str) -> tuple[Rows, np.ndarray]:
    """Reads the rows and labels of a part, "train" or "test"."""
    path = path_of(folder, part, dtype)
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    x = sparse.load_npz(path) if is_zip else np.load(path)
    return x, np.load(folder / f"y_{part}.npy")


def path_of(folder: Path, part: str, dtype: str) -> Path:
    """The file of the rows. It is a few bytes larger than the rows in memory."""
    return folder / f"x_{part}_{dtype}"

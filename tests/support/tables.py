"""The same table in each of the libraries that make tables."""

import numpy as np
import pytest

# Columns as Python has them; None where a value is missing.
N_ROWS = 40
_rng = np.random.default_rng(19)


def _with_missing(values, share=0.2):
    return [None if _rng.random() < share else value for value in values]


TABLE = {
    "floats": _rng.standard_t(2, N_ROWS).tolist(),
    "floats missing": _with_missing(_rng.normal(size=N_ROWS).tolist()),
    "integers": _rng.integers(-9, 9, N_ROWS).tolist(),
    "integers missing": _with_missing(_rng.integers(0, 99, N_ROWS).tolist()),
    "constant": [7.5] * N_ROWS,
    "words": _rng.choice(["a", "b", "c", "1", "True"], N_ROWS).tolist(),
    "words missing": _with_missing(_rng.choice(["é", "", "nan"], N_ROWS).tolist()),
    "two words": _rng.choice(["yes", "no"], N_ROWS).tolist(),
    "flags": (_rng.random(N_ROWS) < 0.5).tolist(),
    "flags missing": _with_missing((_rng.random(N_ROWS) < 0.5).tolist()),
    "categories": _with_missing(_rng.choice(["x", "y", "z"], N_ROWS).tolist()),
}
CATEGORIES = ("categories",)


def _as_pandas(table):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(table)
    return frame.astype({name: "category" for name in CATEGORIES if name in table})


def _as_objects_of_pandas(table):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(table, dtype=object)


def _as_nullable(table):
    return _as_pandas(table).convert_dtypes()


def _as_arrow_in_pandas(table):
    pytest.importorskip("pyarrow")
    return _as_pandas(table).convert_dtypes(dtype_backend="pyarrow")


def _as_polars(table):
    pl = pytest.importorskip("polars")
    return pl.DataFrame(table).with_columns(
        pl.col(name).cast(pl.Categorical) for name in CATEGORIES if name in table
    )


def _as_enums_of_polars(table):
    pl = pytest.importorskip("polars")
    kinds = {name: pl.Enum(["z", "y", "unseen", "x"]) for name in CATEGORIES if name in table}
    return pl.DataFrame(table).with_columns(pl.col(name).cast(kind) for name, kind in kinds.items())


def _as_arrow(table):
    pa = pytest.importorskip("pyarrow")
    return pa.table(
        {
            name: pa.array(values).dictionary_encode() if name in CATEGORIES else pa.array(values)
            for name, values in table.items()
        }
    )


def _as_array(table):
    return np.array(list(table.values()), dtype=object).T


def _as_lists(table):
    return [list(row) for row in zip(*table.values(), strict=True)]


LIBRARIES = {
    "pandas": _as_pandas,
    "pandas objects": _as_objects_of_pandas,
    "pandas nullable": _as_nullable,
    "pandas over pyarrow": _as_arrow_in_pandas,
    "polars": _as_polars,
    "polars enums": _as_enums_of_polars,
    "pyarrow": _as_arrow,
    "array": _as_array,
    "lists": _as_lists,
}

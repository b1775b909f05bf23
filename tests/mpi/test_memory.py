"""What each rank keeps of a memory map of rows, which is several times what it may take."""

import sys
from pathlib import Path

import numpy as np
import pytest

from support import ranks

N, WIDTH = 100_000, 700  # float32: 267 MiB
MIB = 1 << 20


def anonymous():
    """Memory of this process that is not a file's."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def fit(path, whose, n_shards):
    """How much of its own memory a rank has more after a fit, and its losses."""
    import mlp_c
    import mlp_c.mpi

    X = np.memmap(path, np.float32, "r", shape=(N, WIDTH))
    if whose == "own":
        rank, size = mlp_c.mpi.rank(), mlp_c.mpi.size()
        X = X[rank * N // size : (rank + 1) * N // size]
    y = (X[:, 0] > 0.5).astype(int)
    warm = mlp_c.MLPClassifier((8,), max_iter=1, batch_size=100, early_stopping=True)
    mlp_c.mpi.fit(warm, X[:1000], y[:1000], rows=whose)
    before = anonymous()
    model = mlp_c.MLPClassifier((32,), max_iter=1, batch_size=4096, random_state=0, n_threads=1)
    model.set_params(early_stopping=True)
    mlp_c.mpi.fit(model, X, y, rows=whose, n_shards=n_shards)
    return anonymous() - before, model.loss_curve_


@pytest.mark.skipif(sys.platform != "linux", reason="RssAnon is Linux's")
@pytest.mark.parametrize(("whose", "n_shards"), [("same", None), ("own", 2)])
def test_rows_stay_in_the_file(whose, n_shards, tmp_path):
    """Beside targets and orders, a rank keeps rows of a batch: a tenth of the map at most."""
    ranks.require()
    path = str(tmp_path / "rows")
    rng = np.random.default_rng(0)
    rows = np.memmap(path, np.float32, "w+", shape=(N, WIDTH))
    for block in np.array_split(rows, 20):
        block[...] = rng.random(block.shape, np.float32)
    del rows, block
    made = ranks.run(2, fit, tmp_path / "ranks", path, whose, n_shards)
    grown, losses = zip(*made, strict=True)
    assert max(grown) < N * WIDTH * 4 / 10, [g / MIB for g in grown]
    assert losses[0] == losses[1]

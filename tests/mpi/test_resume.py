"""A fit that ends early goes on from its checkpoint, on other ranks, to the same bits."""

import pytest

import mlp_c
from mpi import fits
from support import ranks
from support.callbacks import Recorder

SETTING = "adamw, clipped, dropout"


def begin(path, whose, n_shards):
    """Train for two epochs of four, with a checkpoint at their end; what all four come to."""
    import mlp_c.mpi

    model, X, y, weights = _given(whose, n_shards)
    stop = Recorder(lambda estimator, _: estimator.n_iter_ == 2)
    stopped = model.set_callbacks(mlp_c.Checkpoint(path, every=2), stop)
    mlp_c.mpi.fit(stopped, X, y, weights, rows=whose, n_shards=n_shards)
    whole, *_ = fits.make(fits.SETTINGS[SETTING])
    mlp_c.mpi.fit(whole.set_params(max_iter=4), X, y, weights, rows=whose, n_shards=n_shards)
    return stopped.n_iter_, fits.digest(whole)


def go_on(path, whose, n_shards):
    import mlp_c.mpi

    _, X, y, weights = _given(whose, n_shards)
    model = mlp_c.mpi.resume(path, X, y, weights, rows=whose, n_shards=n_shards)
    return model.n_iter_, fits.digest(model)


def _given(whose, n_shards):
    import mlp_c.mpi

    model, X, y, weights = fits.make(fits.SETTINGS[SETTING])
    if whose == "own":
        a, b = fits.bounds_of(mlp_c.mpi.size(), mlp_c.mpi.rank(), n_shards)
        X, y = X[a:b], y[a:b]
    return model.set_params(max_iter=4), X, y, weights


@pytest.mark.parametrize(
    ("whose", "n_shards", "first", "then"), [("same", None, 2, 3), ("own", 5, 3, 1)]
)
def test_a_resumed_fit_has_the_bits_of_the_whole(whose, n_shards, first, then, tmp_path):
    ranks.require()
    pytest.importorskip("safetensors")
    path = str(tmp_path / "fit.safetensors")
    ((n_iter, whole), *_) = ranks.run(first, begin, tmp_path / "begin", path, whose, n_shards)
    assert n_iter == 2
    resumed = ranks.run(then, go_on, tmp_path / "then", path, whose, n_shards)
    assert resumed == [(4, whole)] * then


def test_one_process_goes_on_where_ranks_have_begun(tmp_path):
    """With all rows on each rank, and no shards."""
    ranks.require()
    pytest.importorskip("safetensors")
    path = str(tmp_path / "fit.safetensors")
    ((_, whole), *_) = ranks.run(2, begin, tmp_path / "begin", path, "same", None)
    _, X, y, weights = fits.make(fits.SETTINGS[SETTING])
    assert fits.digest(mlp_c.resume(path, X, y, weights)) == whole


def go_on_with_shards(path):
    import mlp_c.mpi

    _, X, y, weights = _given("same", None)
    try:
        mlp_c.mpi.resume(path, X, y, weights, n_shards=2)
    except ValueError as error:
        return str(error)
    return "went on"


def go_on_with_others(path):
    import mlp_c.mpi

    _, X, y, weights = _given("own", None)
    X = X.copy()
    if mlp_c.mpi.rank() == 1:
        X[-1, 0] += 1
    try:
        mlp_c.mpi.resume(path, X, y, weights, rows="own")
    except ValueError as error:
        return str(error)
    return "went on"


def test_other_rows_and_shards_are_refused_on_all_ranks(tmp_path):
    """Rows that no process has all of are told by some of them: here, by the last."""
    ranks.require()
    pytest.importorskip("safetensors")
    path = str(tmp_path / "fit.safetensors")
    ranks.run(2, begin, tmp_path / "begin", path, "own", None)
    said = ranks.run(2, go_on_with_others, tmp_path / "then", path)
    ranks.run(2, begin, tmp_path / "again", path, "same", None)
    assert ranks.run(2, go_on_with_shards, tmp_path / "shards", path) == said
    assert said[0].startswith(
        "X, y and sample_weight, and those to validate with, must be those of"
    )
    assert said[1] == said[0]

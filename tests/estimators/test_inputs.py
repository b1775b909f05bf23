"""Rows of every dtype and layout: the numbers of converted rows, without converting them."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.utils.validation import validate_data

from mlp_c import MLPClassifier, MLPRegressor, _core
from mlp_c._estimators import prediction

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
N, N_IN = 600, 70
PARAMS = {"hidden_layer_sizes": 9, "max_iter": 2, "batch_size": 50, "random_state": 0}


def rows(dtype, density=1.0):
    """Of which `density` is not zero; every number fits every dtype but bool."""
    rng = np.random.RandomState(0)
    numbers = rng.randint(1, 100, (N, N_IN)) * (rng.rand(N, N_IN) < density)
    return numbers.astype(dtype)


def labels():
    return np.arange(N) % 3


def bits(model):
    return [p.tobytes() for p in model.coefs_ + model.intercepts_]


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("density", [0.1, 1.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_dtype_gives_the_bits_of_converted_rows(dtype, density, solver):
    X = rows(dtype, density)
    params = PARAMS | {"solver": solver, "learning_rate_init": 1e-4, "compute_dtype": "float64"}
    model = MLPClassifier(**params).fit(X, labels())
    other = MLPClassifier(**params).fit(X.astype(np.float64), labels())
    assert bits(model) == bits(other)
    assert model.predict_proba(X).tobytes() == model.predict_proba(X.astype(float)).tobytes()


def test_every_float16_has_its_value():
    X = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(-1, 1)
    X = X[np.isfinite(X[:, 0])]
    for dtype in (np.float32, np.float64):
        one, zero = np.ones((1, 1), dtype), np.zeros(1, dtype)
        out = _core.predict(X, None, [one], [zero], "relu", "identity", False, 1)
        np.testing.assert_array_equal(out, X.astype(dtype))


@pytest.mark.parametrize(("given", "compute"), [("f8", "float32"), ("f4", "float64")])
@pytest.mark.parametrize("density", [0.1, 1.0])
def test_compute_dtype_is_that_of_the_weights_and_predictions(given, compute, density):
    X, y = rows(given, density) / 100, rows("f8")[:, 0] / 100
    params = PARAMS | {"early_stopping": True}
    model = MLPRegressor(**params, compute_dtype=compute).fit(X, y)
    other = MLPRegressor(**params).fit(X.astype(compute), y)
    assert {p.dtype for p in model.coefs_ + model.intercepts_} == {np.dtype(compute)}
    assert bits(model) == bits(other)
    assert model.predict(X).dtype == compute
    assert model.predict(X).tobytes() == other.predict(X.astype(compute)).tobytes()


@pytest.mark.thread_unsafe(reason="traces the memory of the process")
@pytest.mark.parametrize("density", [0.1, 1.0])
@pytest.mark.parametrize(
    ("dtype", "compute"), [("u1", None), ("f2", None), ("f8", "float32"), ("f4", None)]
)
def test_rows_are_not_converted_as_a_whole(dtype, compute, density):
    rng = np.random.RandomState(0)
    X = (rng.randint(1, 100, (20_000, 500)) * (rng.rand(20_000, 500) < density)).astype(dtype)
    y = np.arange(len(X)) % 3
    model = MLPClassifier(**PARAMS | {"max_iter": 1, "compute_dtype": compute})
    tracemalloc.start()
    try:
        model.fit(X, y)
        model.predict(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    constant = 100 * len(X)  # of labels and order, however wide the rows
    # scikit-learn looks for NaN in float16 with a bool for every element.
    share = 0.5 if dtype == "f2" else 0.35
    assert peak < share * X.nbytes + constant


def test_a_memory_map_is_read_where_it_lies(tmp_path):
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (N, N_IN))
    X[:] = rows("f4") / 100
    X.flush()
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = MLPClassifier(**PARAMS).fit(mapped, labels())
    assert bits(model) == bits(MLPClassifier(**PARAMS).fit(np.array(mapped), labels()))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("n", [1, N])
def test_infinity_and_nan_are_refused_in_every_float(dtype, wrong, n):
    X = rows(dtype)
    model = MLPClassifier(**PARAMS).fit(X, labels())
    X = X[:n]
    X[-1, -1] = wrong
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        model.predict(X)
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        model.fit(X, labels()[:n])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("density", [0.1, 1.0])
@pytest.mark.parametrize("order", ["C", "F"])
def test_infinity_and_nan_are_found_wherever_they_are(dtype, density, order):
    """Of rows that are mostly zeros, only the elements that are not are looked at."""
    X = np.asarray(rows(dtype, density), order=order)
    model = MLPClassifier(**PARAMS).fit(X, labels())
    for i, j in ((0, 0), (N - 1, N_IN - 1), (95, 1), (96, 33), (N // 2, N_IN - 2)):
        for wrong in (np.inf, -np.inf, np.nan):
            right, X[i, j] = X[i, j], wrong
            with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
                model.predict(X)
            X[i, j] = right
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("wrong", [1e300, -1e300])
def test_float64_rows_out_of_range_of_compute_dtype_are_refused(form, wrong):
    X = rows("f8", 0.5)
    model = MLPClassifier(**PARAMS, compute_dtype="float32").fit(form(X), labels())
    X[3, 4] = wrong
    for call in (model.predict_proba, lambda X: model.fit(X, labels())):
        with pytest.raises(ValueError, match=r"X must be in the range of float32 .* 1e\+300"):
            call(form(X))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("layout", ["offset", "field"])
def test_misaligned_rows_are_copied(dtype, layout):
    X = (rows(dtype) / 100).astype(dtype)
    if layout == "offset":
        misaligned = np.frombuffer(b"x" + X.tobytes(), dtype, offset=1).reshape(X.shape)
    else:
        misaligned = np.zeros(X.shape, [("a", "u1"), ("x", dtype)])["x"]
        misaligned[:] = X
    assert not misaligned.flags.aligned
    model = MLPClassifier(**PARAMS).fit(misaligned, labels())
    other = MLPClassifier(**PARAMS).fit(X, labels())
    assert bits(model) == bits(other)
    assert model.predict_proba(misaligned).tobytes() == other.predict_proba(X).tobytes()


CSR = (np.ones(2), np.zeros(2, np.int32), np.array([0, 1, 2]), 3)


@pytest.mark.parametrize("X", [CSR, (rows("f8"), None), None, [[1.0]], rows("f8").astype("O")])
def test_only_a_dense_array_can_become_sparse(X):
    with pytest.raises(TypeError, match="X must"):
        _core.index_nonzeros(X, "float64", 1.0, np.inf, 1)


@pytest.mark.parametrize("X", [(), CSR[:1], CSR[:3], (rows("f8"),), (*CSR, 1)], ids=len)
def test_tuples_of_other_lengths_are_refused(X):
    weights, biases = [np.ones((N_IN, 2))], [np.zeros(2)]
    with pytest.raises(TypeError, match="X must be"):
        _core.predict(X, None, weights, biases, "relu", "identity", False, 1)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_rows_of_zeros_only_are_learnt_from_as_any_others(form):
    X = np.zeros((N, N_IN))
    zeros = MLPClassifier(**PARAMS).fit(form(X), labels())
    X[0, 0] = 1e-300  # next to nothing, but not a zero
    assert np.allclose(MLPClassifier(**PARAMS).fit(X, labels()).coefs_[0], zeros.coefs_[0])
    assert np.isfinite(zeros.loss_)


PAIRS = (np.ones((2, 2)), np.zeros(2, np.uint16), np.array([0, 1, 2]), N_IN)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 3)), r"X.data must have shape \(any, 2\), got \(2, 3\)"),
        (np.ones((1, 2)), "X.data must be as long as X.indices"),
        (np.ones((4, 2))[::2], "X.data must be contiguous"),
        (np.ones((2, 2), order="F"), "X.data must be contiguous"),
        (np.ones((2, 2, 1)), "X.data must have"),
    ],
)
def test_pairs_of_another_shape_are_refused(values, message):
    weights, biases = [np.ones((N_IN, 2))], [np.zeros(2)]
    arguments = None, weights, biases, "relu", "identity", False, 1
    assert _core.predict(PAIRS, *arguments).shape == (2, 2)
    with pytest.raises(ValueError, match=message):
        _core.predict((values, *PAIRS[1:]), *arguments)


@pytest.mark.parametrize("column", [N_IN // 2 + 1, 2**16 - 1])
def test_pairs_of_no_column_are_never_looked_up(column):
    """Only another thread could make such columns; they count as the last pair's."""
    weights, biases = [np.ones((N_IN, 2))], [np.zeros(2)]
    X = (PAIRS[0], np.full(2, column, np.uint16), *PAIRS[2:])
    outputs = _core.predict(X, None, weights, biases, "relu", "identity", False, 1)
    assert (outputs == 2).all()


# ---- dataframes of a few rows, whose values are taken as they lie ----

NAMES = [f"x{j}" for j in range(N_IN)]


@pytest.fixture
def fitted():
    return MLPClassifier(**PARAMS).fit(frame(N), labels())


def frame(n=3, dtype="f8", **columns):
    return pd.DataFrame(rows(dtype)[:n], columns=NAMES).assign(**columns)


TAKEN = {
    "one": frame(1),
    "several": frame(),
    "mixed": frame().astype({"x3": "int64"}),
    "another index": pd.DataFrame(rows("f8")[:3], columns=pd.Index(NAMES, dtype=object)),
}
NOT_TAKEN = {
    "many": frame(N),
    "float32": frame(dtype="f4"),
    "integers": frame(dtype="i8"),
    "objects": frame().astype({"x3": object}),
    "nullable": frame(x3=pd.array([16, 10, 13], dtype="Int64")),
}


@pytest.mark.parametrize("given", [*TAKEN, *NOT_TAKEN])
def test_a_frame_is_predicted_as_its_numbers_are(given, fitted, monkeypatch):
    frame = (TAKEN | NOT_TAKEN)[given]
    validated = []

    def validate(*args, **kwargs):
        validated.append(1)
        return validate_data(*args, **kwargs)

    monkeypatch.setattr(prediction, "validate_data", validate)
    found = fitted.predict_proba(frame)
    assert bool(validated) == (given in NOT_TAKEN)
    monkeypatch.setattr(prediction, "_values_of", lambda X, names: None)
    assert found.tobytes() == fitted.predict_proba(frame).tobytes()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (frame()[NAMES[::-1]], "feature names should match"),
        (frame().iloc[:, 1:], "feature names should match"),
        (frame().rename(columns={"x3": "y"}), "feature names should match"),
        (frame(x3=np.nan), "contains NaN"),
        (frame(x3=np.inf), "contains infinity"),
        (frame(x3="a"), "could not convert string"),
        (frame(0), "0 sample"),
    ],
    ids=["reordered", "a column less", "renamed", "NaN", "infinity", "text", "no rows"],
)
def test_a_frame_of_a_few_rows_is_checked_as_any(given, message, fitted):
    with pytest.raises(ValueError, match=message):
        fitted.predict(given)


def test_names_that_compare_with_nothing_are_refused_as_any(fitted):
    given = frame().set_axis(pd.Index([pd.NA, *NAMES[1:]], dtype=object), axis=1)
    with pytest.raises(TypeError, match="Feature names are only supported"):
        fitted.predict(given)


def test_names_that_the_fit_did_not_see_are_warned_of(fitted):
    model = MLPClassifier(**PARAMS).fit(rows("f8"), labels())
    with pytest.warns(UserWarning, match="X has feature names"):
        model.predict(frame())
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.predict(rows("f8"))

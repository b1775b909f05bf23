"""Dropout: training drops what the masks say, predictions nothing; seeds, and what goes on."""

import copy
import pickle
import re
from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

from mlp_c import MLPClassifier, MLPRegressor, _core, kernels, resume
from mlp_c._saving import files
from support import calls, checkpoints, formulas
from support.fits import assert_same_bits_on_any_threads_and_of_sparse_rows, bits
from support.states import CLASSES, NUMBERS, X

OPTIONS = {"hidden_layer_sizes": (9, 5), "max_iter": 4, "tol": 0, "random_state": 0}
OPTIONS |= {"batch_size": 16}
DROPPED = {"dropout": [0.5, 0.2], "input_dropout": 0.3}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fitted(cls=MLPRegressor, **params):
    return cls(**OPTIONS | params).fit(X, CLASSES if cls is MLPClassifier else NUMBERS)


# ---- what is dropped ----


@pytest.mark.parametrize("form", ["dense", "scanned", "pairs", "csri4", "csri8"])
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("step", [0, 3])
def test_the_gradient_is_the_slope_of_the_loss_with_the_masks_of_the_step(step, activation, form):
    """Of one batch beyond a chunk, from the weights before and after; the loss is NumPy's own."""
    random, n, p = np.random.default_rng(1), 300, [0.3, 0.4, 0.2]
    widths = [6, 70, 5, 1]
    rows = random.standard_normal((n, 6)) * (random.random((n, 6)) < 0.5)
    y = random.standard_normal((n, 1))
    params = [random.standard_normal(s) / 2 for s in pairwise(widths)]
    params += [random.standard_normal(k) / 2 for k in widths[1:]]

    def train(params, rate):
        fields = calls.fields(
            *("train_epoch", calls.rows_as(form, rows), y, params[:3], params[3:]),
            loss=calls.loss("squared_error"), activation=activation, batch_size=n, dropout=p,
            seed=8, steps=np.array([step]), learning_rates=np.array([rate]),
        )  # fmt: skip
        return _core.train_epoch(fields)[0]

    masks = [
        kernels.dropout_mask((n, width), p[layer], seed=8, step=step, layer=layer)
        for layer, width in enumerate(widths[:-1])
    ]
    after = copy.deepcopy(params)
    train(after, 1.0)
    at_rest = copy.deepcopy(params)
    assert train(at_rest, 0.0) == pytest.approx(
        n * loss_with(masks, params, rows, y, activation), rel=1e-12
    )
    size = 1e-6
    for parameter, moved in zip(params, after, strict=True):
        for at in [(0,) * parameter.ndim, tuple(np.array(parameter.shape) - 1)]:
            kept, values = parameter[at], []
            for parameter[at] in (kept + size, kept - size):
                values.append(loss_with(masks, params, rows, y, activation))
            parameter[at] = kept
            slope = (values[0] - values[1]) / (2 * size)
            assert kept - moved[at] == pytest.approx(slope, abs=1e-7)


def loss_with(masks, params, rows, y, activation):
    """The mean of halved squares."""
    out = rows
    for layer, mask in enumerate(masks):
        z = (out * mask) @ params[layer] + params[3 + layer]
        out = formulas.ACTIVATIONS[activation](z)
    return np.mean((z - y) ** 2) / 2


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_nothing_is_dropped_of_rows_held_out_nor_in_predictions(cls):
    """Where nothing is learnt, scores and losses are those of a fit without dropout."""
    params = {"early_stopping": True, "learning_rate_init": 1e-300, "scoring": "loss"}
    plain, dropping = fitted(cls, **params), fitted(cls, **params, **DROPPED)
    assert dropping.validation_loss_curve_ == plain.validation_loss_curve_
    assert dropping.validation_scores_ == plain.validation_scores_
    np.testing.assert_array_equal(dropping.predict(X), plain.predict(X))
    assert dropping.loss_curve_[0] != plain.loss_curve_[0]
    assert len(set(dropping.loss_curve_)) == OPTIONS["max_iter"]  # each epoch drops others


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("batch_size", [3, 64, 300])
def test_same_bits_on_any_number_of_threads_and_of_sparse_rows(batch_size, solver, dtype):
    """In batches of few rows, of one chunk and of two; the first layer in slices."""
    rows = np.random.default_rng(2).standard_normal((300, 70)).astype(dtype)
    params = {"hidden_layer_sizes": (150, 20), "max_iter": 2, "batch_size": batch_size}
    model = MLPClassifier(**OPTIONS | DROPPED | params, solver=solver)
    assert_same_bits_on_any_threads_and_of_sparse_rows(model, rows, np.digitize(rows[:, 0], [0, 1]))


@pytest.mark.parametrize("rows", [(10 * X).astype(np.int16), X.astype(np.float32), X > 0])
def test_rows_of_any_dtype_have_the_bits_of_converted_ones(rows):
    """Which are used in place where nothing is dropped, and never changed."""
    before = rows.copy()
    model = MLPRegressor(**OPTIONS | DROPPED, shuffle=False, compute_dtype="float32")
    found = {repr(bits(clone(model).fit(r, NUMBERS))) for r in (rows, rows.astype(np.float32))}
    assert len(found) == 1
    np.testing.assert_array_equal(rows, before)


def test_a_list_of_the_same_is_a_number():
    of_number = fitted(dropout=0.25)
    for of_layers in ([0.25, 0.25], (0.25, 0.25), np.array([0.25, 0.25], np.float32)):
        assert bits(fitted(dropout=of_layers)) == bits(of_number)
    assert bits(fitted(dropout=[0.25, 0.2])) != bits(of_number)


@pytest.mark.parametrize("dropout", [[0.5], [0.1] * 3, np.array([])])
def test_another_number_of_probabilities_is_refused(dropout):
    message = rf"^dropout must be a probability or .* each of 2 hidden.*, got {len(dropout)} "
    with pytest.raises(ValueError, match=message):
        fitted(dropout=dropout)


@pytest.mark.parametrize(
    ("name", "value"), [("dropout", 0.1), ("dropout", [0.0, 0.1]), ("input_dropout", 0.1)]
)
def test_lbfgs_refuses_it_by_name(name, value):
    message = re.escape(f"solver='lbfgs', which makes no steps, takes no {name}={value!r}")
    with pytest.raises(ValueError, match=f"^{message}$"):
        fitted(solver="lbfgs", **{name: value})


def test_a_checkpoint_of_dropout_without_its_seed_is_refused(tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "fit.safetensors"
    checkpoints.interrupt(MLPRegressor(**OPTIONS | DROPPED), path, 2, (X, NUMBERS))
    assert b"dropout_seed_" in path.read_bytes()
    content = files.read(path)
    del content["fitted"]["dropout_seed_"]
    path.write_bytes(b"".join(files.pack(content)))
    with pytest.raises(ValueError, match=r"^fitted of a state lacks \['dropout_seed_'\]"):
        resume(path, X, NUMBERS)


# ---- without it ----


def test_fits_without_dropout_are_those_of_before():
    """No random number is drawn for it, and nothing is kept, in fits, files or pickles."""
    plain = fitted()
    for zero in ({"dropout": 0}, {"dropout": [0.0, 0.0]}, {"input_dropout": 0.0}):
        model = fitted(**zero)
        assert bits(model) == bits(plain)
        assert not hasattr(model, "dropout_seed_")
    assert b"dropout" not in pickle.dumps(plain)
    alone = MLPRegressor(**OPTIONS | {"hidden_layer_sizes": ()})  # where no layer is hidden
    assert bits(clone(alone).set_params(dropout=0.5).fit(X, NUMBERS)) == bits(alone.fit(X, NUMBERS))


def test_the_initial_weights_and_the_rows_held_out_are_those_of_a_fit_without():
    params = {"early_stopping": True, "learning_rate_init": 1e-300}
    plain, dropping = fitted(**params), fitted(**params, **DROPPED)
    assert calls.bits(plain.coefs_) == calls.bits(dropping.coefs_)
    assert plain.validation_scores_ == dropping.validation_scores_


# ---- seeds ----


def test_fits_of_one_random_state_are_one_and_of_others_are_not():
    model = fitted(**DROPPED)
    assert bits(fitted(**DROPPED)) == bits(model)
    assert fitted(**DROPPED).dropout_seed_ == model.dropout_seed_
    seeds = {fitted(**DROPPED, random_state=seed).dropout_seed_ for seed in range(9)}
    assert len(seeds) == 9
    instance = np.random.RandomState(0)
    both = [fitted(**DROPPED, random_state=instance).dropout_seed_ for _ in range(2)]
    assert both[0] == model.dropout_seed_ != both[1]


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_goes_on_with_the_masks_of_a_fit(solver):
    """Of copies, too: the seed and the count of steps go with them."""
    params = DROPPED | {"shuffle": False, "solver": solver}
    parts = [MLPRegressor(**OPTIONS | params).partial_fit(X, NUMBERS)]
    for _ in range(1, OPTIONS["max_iter"]):
        parts.append(pickle.loads(pickle.dumps(parts[-1])).partial_fit(X, NUMBERS))
    whole = fitted(**params)
    assert bits(parts[-1]) == bits(whole)
    assert {part.dropout_seed_ for part in parts} == {whole.dropout_seed_}


def test_a_new_fit_draws_a_new_seed_and_one_without_dropout_has_none():
    model = MLPRegressor(**OPTIONS | DROPPED, warm_start=True)
    model.set_params(random_state=np.random.RandomState(0))
    first, second = (model.fit(X, NUMBERS).dropout_seed_ for _ in range(2))
    assert first != second
    without = {"dropout": 0.0, "input_dropout": 0.0}
    assert not hasattr(model.set_params(**without).partial_fit(X, NUMBERS), "dropout_seed_")
    model.set_params(**DROPPED).partial_fit(X, NUMBERS)
    assert hasattr(model, "dropout_seed_")
    model.set_params(**without, solver="lbfgs").fit(X, NUMBERS)
    assert not hasattr(model, "dropout_seed_")


@pytest.mark.parametrize("edited", ["x", None, -1, 2**53 + 1, 2**70, 1.5, True])
def test_a_new_seed_takes_the_place_of_what_is_none(edited):
    """What users have put there: files do not hold it."""
    model = MLPRegressor(**OPTIONS | DROPPED).partial_fit(X, NUMBERS)
    model.dropout_seed_ = edited
    seed = model.partial_fit(X, NUMBERS).dropout_seed_
    assert type(seed) is int
    assert 0 <= seed < 2**53
    assert model.n_steps_ == 2 * -(-len(X) // OPTIONS["batch_size"])


def test_an_epoch_is_told_what_the_parameters_say(monkeypatch):
    given, epoch = [], _core.train_epoch
    monkeypatch.setattr(_core, "train_epoch", lambda fields: given.append(fields) or epoch(fields))
    model = fitted(**DROPPED)
    assert [fields["dropout"] for fields in given] == [[0.3, 0.5, 0.2]] * OPTIONS["max_iter"]
    assert {fields["seed"] for fields in given} == {model.dropout_seed_}


# ---- other estimators ----


def test_scikit_learns_model_predicts_the_same():
    """It has no such parameters."""
    model = fitted(**DROPPED)
    theirs = model.to_sklearn()
    assert not hasattr(theirs, "dropout")
    np.testing.assert_allclose(theirs.predict(X), model.predict(X), rtol=1e-12)


def test_a_sparse_array_is_not_changed():
    rows = csr_array(np.where(X > 0, X, 0))
    before = rows.copy()
    MLPRegressor(**OPTIONS | DROPPED).fit(rows, NUMBERS)
    np.testing.assert_array_equal(rows.toarray(), before.toarray())

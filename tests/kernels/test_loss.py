"""The loss of rows, by itself: what the oracle has, and the loss that comes with a gradient."""

import itertools

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from mlp_c import _core
from support import calls, oracle

ROWS, WIDTHS = 600, (21, 30, 7)  # chunks of 256 rows
FORMS = ["dense", "scanned", "pairs", "csri4", "i2", "f2"]
each_loss = pytest.mark.parametrize("name", calls.LOSSES)


def problem(dtype, name, n=ROWS, widths=WIDTHS, seed=0):
    """The fields of evaluate: rows of small integers, many of them 0."""
    draw, rng = calls.normal(dtype, seed), np.random.default_rng(seed)
    layers = (*widths[:-1], widths[-1] * calls.outputs_per_target(calls.loss(name)))
    weights = [draw(*shape) / dtype.type(shape[0]) for shape in itertools.pairwise(layers)]
    biases = [draw(width) for width in layers[1:]]
    X = (rng.integers(-4, 5, (n, widths[0])) * (rng.random((n, widths[0])) < 0.4)).astype(dtype)
    y = np.abs(draw(n, widths[-1]))
    if name == "cross_entropy":
        y = np.arange(n) % widths[-1]
    elif name == "logistic_loss":
        y = y > 0.7
    options = {"activation": "tanh", "loss": calls.loss(name)}
    return calls.fields("evaluate", X, y, weights, biases, **options)


def want(fields):
    """The sum of the losses, and of their magnitudes."""
    *_, logits = oracle.forward(
        *(fields["X"], fields["weights"], fields["biases"], fields["activation"])
    )
    constants = calls.constants_of(fields["loss"])
    losses = oracle.losses(logits, fields["y"], fields["loss"]["name"], **constants)
    if fields["sample_weight"] is not None:
        losses = losses * oracle.wide(fields["sample_weight"])
    losses = losses if fields["order"] is None else losses[fields["order"]]
    return losses.sum(), np.abs(losses).sum()


def check(fields, X=None):
    """Each row's loss is off by some roundings of logits of order 1."""
    total, size = want(fields)
    got = _core.evaluate(fields if X is None else fields | {"X": X})
    assert isinstance(got, float)
    assert abs(got - total) <= 100 * np.finfo(fields["weights"][0].dtype).eps * (size + 1)
    return got


@each_loss
@pytest.mark.parametrize("form", FORMS)
def test_the_loss_of_every_form_of_rows(form, name, dtype, isa):
    fields = problem(dtype, name)
    check(fields, calls.rows_as(form, fields["X"]))


@each_loss
def test_the_loss_of_weighted_rows_in_an_order(name, dtype, isa):
    """Some of them more than once, some never, some of no weight."""
    fields = problem(dtype, name)
    order = np.random.default_rng(1).integers(0, ROWS, 777)
    sample_weight = np.abs(calls.normal(dtype)(ROWS))
    sample_weight[::5] = 0
    for given in itertools.product([None, order], [None, sample_weight]):
        check(fields | dict(zip(("order", "sample_weight"), given, strict=True)))


@pytest.mark.parametrize("activation", _core.names()["activations"])
def test_the_loss_behind_every_activation(activation, dtype, isa):
    fields = problem(dtype, "cross_entropy", widths=(21, 9, 30, 7))
    check(fields | {"activation": activation})
    check(fields | {"activation": [activation, "gelu"]})
    check(fields | {"activation": ("relu", activation)})


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("cross_entropy", {"eps": 0.1}),
        ("cross_entropy", {"floor": 1.5, "ceiling": 2.5}),
        ("logistic_loss", {"floor": 0.5, "ceiling": 1.0}),
        ("cross_entropy", {"smoothing": 0.2}),
        ("cross_entropy", {"smoothing": 0.2, "floor": 1.5, "ceiling": 2.5}),
        ("logistic_loss", {"smoothing": 0.2}),
    ],
)
def test_the_loss_within_bounds_and_of_smoothed_targets(name, constants, dtype, isa):
    check(problem(dtype, name) | {"loss": calls.loss(name, **constants)})


@pytest.mark.parametrize("kind", ["soft", "bool"])
def test_the_cross_entropy_of_rows_of_targets(kind, dtype):
    fields = problem(dtype, "cross_entropy")
    rows = np.abs(calls.normal(dtype, seed=3)(ROWS, WIDTHS[-1]))
    check(fields | {"y": rows if kind == "soft" else rows > 1})


@each_loss
@pytest.mark.parametrize("n", [0, 1, 2, 5, 255, 256, 257, 600])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_loss_that_comes_with_a_gradient(weighted, n, name, dtype, isa):
    """That is divided by the sum of the weights."""
    fields = problem(dtype, name, n)
    if weighted:
        fields["sample_weight"] = np.zeros(n, dtype)
        fields["sample_weight"][: n // 2] = 2
    total = check(fields)
    of_both = fields.keys() - {"output", "outputs", "losses"}
    gradient = calls.fields("loss_gradient", **{name: fields[name] for name in of_both})
    sum_of_weights = 2 * (n // 2) if weighted else n
    if sum_of_weights == 0:
        assert total == 0
    else:
        assert _core.loss_gradient(gradient) == total / sum_of_weights


@each_loss
@pytest.mark.parametrize("form", ["dense", "scanned", "pairs", "csri4", "f2"])
def test_same_bits_on_any_number_of_threads(form, name, dtype, isa):
    """Enough work for each of them."""
    fields = problem(dtype, name, 2000, (100, 190, 10))
    fields["X"] = calls.rows_as(form, fields["X"])
    fields["order"] = np.random.default_rng(1).permutation(2000)
    alone = _core.evaluate(fields)
    assert [_core.evaluate(fields | {"n_threads": n}) for n in (2, 3, 4, 16)] == [alone] * 4


@pytest.mark.parametrize("output", _core.names()["outputs"])
@pytest.mark.parametrize("form", ["dense", "scanned", "csri4", "f2"])
@pytest.mark.parametrize("widths", [WIDTHS, (21, 3)])
def test_the_outputs_beside_the_loss_are_those_of_predict(widths, form, output, dtype, isa):
    """Of rows of an order, on any number of threads; the loss stays the same."""
    fields = problem(dtype, "cross_entropy", widths=widths)
    fields |= {"X": calls.rows_as(form, fields["X"]), "output": output}
    fields["order"] = np.random.default_rng(1).integers(0, ROWS, 777)
    network = [fields[name] for name in ("X", "order", "weights", "biases", "activation")]
    predicted = _core.predict(*network, output, False, 1)
    for n_threads in (1, 2, 3):
        outputs = np.full((777, widths[-1]), np.nan, dtype)
        total = _core.evaluate(fields | {"outputs": outputs, "n_threads": n_threads})
        assert calls.bits(outputs) == calls.bits(predicted)
        assert total == _core.evaluate(fields)


def test_the_loss_of_no_units_and_no_inputs(dtype, isa):
    for widths in [(0, 2, 3), (2, 0, 3), (3, 3)]:
        check(problem(dtype, "squared_error", 9, widths))


def test_the_loss_of_nan_and_infinities(dtype):
    fields = problem(dtype, "squared_error") | {"activation": "identity"}
    for value in (np.nan, np.inf):
        fields["X"][3, 5] = value
        assert not np.isfinite(_core.evaluate(fields))
        assert np.isfinite(_core.evaluate(fields | {"order": np.delete(np.arange(ROWS), 3)}))


def test_nothing_is_written_to(dtype):
    fields = problem(dtype, "cross_entropy")
    before = calls.bits(fields)
    _core.evaluate(fields)
    assert calls.bits(fields) == before


@pytest.mark.parametrize(
    ("field", "wrong", "error", "message"),
    [
        ("y", np.arange(4), ValueError, r"^y must have shape \(600,\), got \(4,\)"),
        ("y", np.arange(600), ValueError, r"^y must hold integers in \[0, 7\), got 7 at index 7"),
        (
            "loss",
            calls.loss("poisson_loss"),
            ValueError,
            "^y must be a row of targets each for loss",
        ),
        ("sample_weight", np.ones(4), ValueError, r"^sample_weight must have shape \(600,\)"),
        ("order", np.arange(601), ValueError, r"^order must hold integers in \[0, 600\), got 600"),
        ("biases", [], ValueError, "^biases must hold 2 arrays, got 0"),
        ("output", "sofmax", ValueError, "^output must be one of .*, got 'sofmax'"),
        ("outputs", np.empty((600, 6)), ValueError, r"^outputs must have shape \(600, 7\)"),
        ("outputs", np.empty((7, 600)).T, ValueError, "^outputs must have contiguous rows, got"),
        ("outputs", np.empty((600, 14))[:, ::2], ValueError, "^outputs must have contiguous rows"),
        ("outputs", np.empty((600, 7), "f"), TypeError, "^outputs must have dtype float64"),
        (
            "X",
            as_strided(np.zeros(1), (600, 20), (0, 0)),
            ValueError,
            r"^weights\[0\] must have sh",
        ),
    ],
)
def test_refusals(field, wrong, error, message):
    with pytest.raises(error, match=message):
        _core.evaluate(problem(np.dtype(float), "cross_entropy") | {field: wrong})

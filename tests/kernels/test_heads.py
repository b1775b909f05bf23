"""Outputs in several heads: a softmax and a label for each, whose cross-entropies are added."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from mlp_c import _core, kernels
from support import calls
from support.single import draw, each_isa, testing

HEADS = np.array([3, 1, 17, 2, 40])  # tails, a vector and more, and heads that begin at odd places
K = int(HEADS.sum())
ENDS = np.cumsum(HEADS)[:-1]
N = 300
FORMS = ["dense", "scanned", "pairs", "csri4", "f2"]


def labels(n, heads=HEADS, seed=0):
    return np.random.default_rng(seed).integers(0, heads, (n, len(heads)))


def problem(function, dtype, widths=(21, 30, K), n=N, heads=HEADS, **options):
    """The fields of a function: rows of small integers, many of them 0, and labels by head."""
    rng, normal = np.random.default_rng(0), calls.normal(dtype)
    weights = [normal(*shape) / dtype.type(shape[0]) for shape in pairwise(widths)]
    biases = [normal(width) for width in widths[1:]]
    X = (rng.integers(-4, 5, (n, widths[0])) * (rng.random((n, widths[0])) < 0.4)).astype(dtype)
    y = labels(n, heads), heads
    options = {"loss": calls.loss("cross_entropy", floor=0.0, ceiling=36.0)} | options
    return calls.fields(function, X, y, weights, biases, activation="tanh", **options)


# ---- single kernels ----


def losses_of(isa, logits, y, weights=None, with_deltas=True):
    losses = np.full(len(logits), np.nan)
    deltas = np.full_like(logits, np.nan) if with_deltas else None
    loss = tuple(calls.loss("cross_entropy", floor=0.0, ceiling=9.0).values())
    testing.compute_losses(isa, loss, logits, y, weights, 0.25, losses, deltas)
    return losses, deltas


@each_isa
@pytest.mark.parametrize("scale", [1, 40, 1000])
def test_each_head_is_a_softmax_by_itself(scale, isa, dtype):
    """Gradients have its bits, and losses are the sums of its, in order."""
    logits, weights = draw(dtype, 9, K) * dtype.type(scale), np.abs(draw(dtype, 9, seed=1))
    y = labels(9).astype(np.int32)
    parts = [
        losses_of(isa, part.copy(), y[:, h].copy(), weights)
        for h, part in enumerate(np.split(logits, ENDS, axis=1))
    ]
    losses, deltas = losses_of(isa, logits, (y, HEADS.astype(np.intp)), weights)
    assert deltas.tobytes() == np.hstack([d for _, d in parts]).tobytes()
    np.testing.assert_allclose(losses, sum(of_head for of_head, _ in parts), rtol=1e-15)
    alone, _ = losses_of(isa, logits, (y, HEADS.astype(np.intp)), weights, with_deltas=False)
    assert alone.tobytes() == losses.tobytes()
    unweighted = [losses_of(isa, p.copy(), y[:, h].copy())[0] for h, p in
                  enumerate(np.split(logits, ENDS, axis=1))]  # fmt: skip
    losses, _ = losses_of(isa, logits, (y, HEADS.astype(np.intp)))
    assert losses.tobytes() == sum(unweighted, np.zeros(9)).tobytes()


# ---- training and prediction ----


@pytest.mark.parametrize("form", FORMS)
def test_the_gradient_is_the_slope_of_the_loss(form):
    given = problem("loss_gradient", np.dtype(float), (4, 3, 6), 20, np.array([3, 1, 2]), l2=0.2)
    given["X"] = calls.rows_as(form, given["X"])
    given["sample_weight"] = np.random.default_rng(2).uniform(0.2, 2, 20)
    _core.loss_gradient(given)
    gradients = [g.copy() for g in given["dweights"] + given["dbiases"]]
    for p, gradient in zip(given["weights"] + given["biases"], gradients, strict=True):
        for at in np.ndindex(p.shape):
            kept, values = p[at], []
            for p[at] in (kept + 1e-5, kept - 1e-5):
                values.append(_core.loss_gradient(given))
            p[at] = kept
            assert abs(gradient[at] - (values[0] - values[1]) / 2e-5) < 1e-8


@pytest.mark.parametrize("form", FORMS)
def test_one_head_has_the_bits_of_plain_labels(form, dtype, isa):
    y = labels(N, np.array([K]))
    for function in ("evaluate", "loss_gradient", "train_epoch"):
        one, plain = (problem(function, dtype) for _ in range(2))
        one["X"] = plain["X"] = calls.rows_as(form, one["X"])
        one["y"], plain["y"] = (y, np.array([K])), y.ravel()
        assert getattr(_core, function)(one) == getattr(_core, function)(plain)
        assert calls.bits({**one, "y": None}) == calls.bits({**plain, "y": None})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("function", ["evaluate", "loss_gradient", "train_epoch"])
def test_same_bits_on_any_number_of_threads(function, form, dtype, isa):
    results = []
    for n_threads in (1, 2, 3, 4, 16):
        given = problem(function, dtype, (100, 190, K), 2000, n_threads=n_threads)
        given["X"] = calls.rows_as(form, given["X"])
        if function != "loss_gradient":
            given["order"] = np.random.default_rng(1).permutation(2000)
        results.append((getattr(_core, function)(given), calls.bits(given)))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("n", [0, 1, 3, 30, N])
@pytest.mark.parametrize("n_threads", [1, 4])
@pytest.mark.parametrize("form", FORMS)
def test_predictions_are_the_softmax_of_each_head(form, n_threads, n, dtype, isa):
    given = problem("evaluate", dtype, n=n)
    rows, network = calls.rows_as(form, given["X"]), (given["weights"], given["biases"], "tanh")
    logits = _core.predict(rows, None, *network, "identity", False, 1)
    out = _core.predict(rows, None, *network, ("softmax", HEADS), False, n_threads)
    parts = np.split(logits, ENDS, axis=1)
    assert out.tobytes() == np.hstack([kernels.softmax(part.copy()) for part in parts]).tobytes()


@pytest.mark.parametrize("form", FORMS)
def test_the_outputs_beside_the_loss_are_those_of_predict(form, dtype, isa):
    """With the heads of the targets."""
    given = problem("evaluate", dtype)
    given["X"] = calls.rows_as(form, given["X"])
    network = given["weights"], given["biases"], "tanh"
    predicted = _core.predict(given["X"], None, *network, ("softmax", HEADS), False, 1)
    for n_threads in (1, 3):
        outputs = np.full((N, K), np.nan, dtype)
        of_all = {"output": "softmax", "outputs": outputs, "losses": None, "n_threads": n_threads}
        assert _core.evaluate(given | of_all) == _core.evaluate(given)
        assert outputs.tobytes() == predicted.tobytes()


@pytest.mark.parametrize("smoothing", [0.25, 0.75])
def test_labels_are_smoothed_within_their_head(smoothing, dtype, isa):
    """As many loss terms as the head has classes: the gradients of the heads alone."""
    given = problem("loss_gradient", dtype)
    given["loss"] = calls.loss("cross_entropy", floor=0.0, ceiling=36.0, smoothing=smoothing)
    value, parts = _core.loss_gradient(given), 0.0
    for h, (low, high) in enumerate(pairwise([0, *ENDS, K])):
        one = problem("loss_gradient", dtype, loss=given["loss"])
        one["weights"] = [given["weights"][0], given["weights"][1][:, low:high].copy()]
        one["biases"] = [given["biases"][0], given["biases"][1][low:high].copy()]
        one["dweights"] = [np.empty_like(w) for w in one["weights"]]
        one["dbiases"] = [np.empty_like(b) for b in one["biases"]]
        one["y"] = given["y"][0][:, h].copy()
        parts += _core.loss_gradient(one)
        np.testing.assert_array_equal(one["dbiases"][1], given["dbiases"][1][low:high])
    assert value == pytest.approx(parts, rel=1e-14 if dtype == np.float64 else 1e-6)


def test_other_outputs_are_what_they_are_of_all(dtype):
    given = problem("evaluate", dtype)
    arguments = given["X"], None, given["weights"], given["biases"], "tanh"
    for output in ("identity", "logistic", "exp"):
        whole = _core.predict(*arguments, output, False, 1)
        assert _core.predict(*arguments, (output, HEADS), False, 1).tobytes() == whole.tobytes()


# ---- sizes ----


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64, np.int64])
def test_labels_and_widths_of_any_integers_in_any_layout(kind, dtype):
    given = problem("evaluate", dtype)
    total = _core.evaluate(given)
    table, widths = given["y"]
    for layout in (np.asarray, np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2]):
        given["y"] = layout(table.astype(kind)), np.repeat(widths, 2)[::2].astype(kind)
        assert _core.evaluate(given) == total


def test_no_rows_no_heads_and_no_outputs(dtype):
    assert _core.evaluate(problem("evaluate", dtype, n=0)) == 0
    nothing = np.zeros(0, int)
    given = problem("loss_gradient", dtype, (3, 2, 0), 5, nothing, l2=0.0)
    assert _core.loss_gradient(given) == 0
    arguments = given["X"], None, given["weights"], given["biases"], "tanh"
    assert _core.predict(*arguments, ("softmax", nothing), False, 1).shape == (5, 0)
    empty = np.array([0, K, 0])  # predictions need no labels
    given = problem("evaluate", dtype)
    arguments = given["X"], None, given["weights"], given["biases"], "tanh"
    plain = _core.predict(*arguments, "softmax", False, 1)
    assert _core.predict(*arguments, ("softmax", empty), False, 1).tobytes() == plain.tobytes()


def test_many_heads_of_one_class_lose_nothing(dtype):
    heads = np.ones(70_000, int)
    given = problem("evaluate", dtype, (2, 70_000), 3, heads)
    assert _core.evaluate(given) == 0
    out = _core.predict(
        *(given["X"], None, given["weights"], given["biases"], "tanh", ("softmax", heads)),
        *(False, 2),
    )
    assert (out == 1).all()


TABLE = labels(N)
HUGE = as_strided(np.zeros(1, np.int8), (N, 2**40), (0, 0))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ((TABLE,), ValueError, "^y must be an array, or a tuple of labels and widths, got one of"),
        ((TABLE, HEADS, 1), ValueError, "^y must be an array, or a tuple of labels and widths"),
        (([], HEADS), TypeError, r"^y\[0\] must be a NumPy array, got list"),
        ((TABLE, [K]), TypeError, r"^y\[1\] must be a NumPy array, got list"),
        ((TABLE * 1.0, HEADS), TypeError, r"^y\[0\] must hold integers, got float64"),
        ((TABLE, HEADS * 1.0), TypeError, r"^y\[1\] must hold integers, got float64"),
        ((TABLE[:-1], HEADS), ValueError, r"^y\[0\] must have shape \(300, 5\), got \(299, 5\)"),
        ((TABLE[:, 1:], HEADS), ValueError, r"^y\[0\] must have shape \(300, 5\), got \(300, 4\)"),
        ((TABLE.ravel(), HEADS), ValueError, r"^y\[0\] must have shape \(300, 5\), got \(1500,\)"),
        ((TABLE, HEADS[:4]), ValueError, r"^y\[1\] must hold widths of 63 outputs together, got f"),
        ((TABLE, HEADS + 1), ValueError, r"^y\[1\] must hold widths of 63 outputs together, got m"),
        ((TABLE, HEADS[:0]), ValueError, r"^y\[1\] must hold widths of 63 outputs together, got f"),
        ((TABLE, HEADS[np.newaxis]), ValueError, r"^y\[1\] must have shape \(any,\), got \(1, 5\)"),
        ((TABLE, -HEADS), ValueError, r"^y\[1\] must hold integers in \[0, 2147483647\), got -3"),
        ((TABLE, np.full(5, 2**62)), ValueError, r"^y\[1\] must hold integers in \[0, 2147483647"),
        ((TABLE + np.array([0, 1, 0, 0, 0]), HEADS), ValueError,
         r"^y\[0\] must hold integers in \[0, 1\), got 1 at index \(0, 1\)"),
        ((np.where(TABLE > 38, -1, TABLE), HEADS), ValueError,
         r"^y\[0\] must hold integers in \[0, 40\), got -1"),
        ((np.full((N, 5), 2**64 - 1, np.uint64), HEADS), ValueError,
         r"^y\[0\] must hold integers in \[0, 3\), got 18446744073709551615 at index \(0, 0\)"),
        ((TABLE, np.array([3, 0, 18, 2, 40])), ValueError, r"in \[0, 0\), got 0 at index \(0, 1\)"),
        ((HUGE, HEADS), ValueError, r"^y\[0\] must have shape \(300, 5\), got \(300, 1099511"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("function", ["evaluate", "loss_gradient", "train_epoch"])
def test_refusals_of_targets(function, wrong, error, message):
    given = problem(function, np.dtype(float))
    before = calls.bits(given)
    with pytest.raises(error, match=message):
        getattr(_core, function)(given | {"y": wrong})
    assert calls.bits(given) == before


def test_labels_are_for_a_cross_entropy():
    given = problem("evaluate", np.dtype(float)) | {"loss": calls.loss("squared_error")}
    with pytest.raises(ValueError, match=r"^y must be a row of targets each for loss 'squared_err"):
        _core.evaluate(given)


def test_widths_beyond_memory():
    with pytest.raises(ValueError, match=r"^y\[1\] must hold widths of 63 outputs together, got m"):
        _core.evaluate(
            problem("evaluate", np.dtype(float)) | {"y": (TABLE, np.full(2**16, 2**31 - 2))}
        )
    wide = as_strided(np.zeros(1, np.int8), (2**59,), (0,))
    with pytest.raises(MemoryError):
        _core.evaluate(problem("evaluate", np.dtype(float)) | {"y": (TABLE, wide)})


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        (("softmax",), TypeError, "^output must be a str, got tuple"),
        (("softmax", HEADS, 1), TypeError, "^output must be a str, got tuple"),
        ((HEADS, "softmax"), TypeError, r"^output\[0\] must be a str, got numpy.ndarray"),
        (("softmin", HEADS), ValueError, r"^output\[0\] must be one of 'identity', "),
        (("softmax", 63), TypeError, r"^output\[1\] must be a NumPy array, got int"),
        (("softmax", HEADS[1:]), ValueError, r"^output\[1\] must hold widths of 63 outputs toget"),
    ],
)
def test_refusals_of_outputs(output, error, message):
    given = problem("evaluate", np.dtype(float))
    with pytest.raises(error, match=message):
        _core.predict(
            given["X"], None, given["weights"], given["biases"], "tanh", output, False, 1
        )  # fmt: skip


def test_public_kernels_take_no_heads():
    """They are of one softmax."""
    with pytest.raises(TypeError, match=r"^y must be a NumPy array, got tuple"):
        kernels.softmax_cross_entropy(np.zeros((N, K)), (TABLE, HEADS))


@pytest.mark.parametrize("part", [0, 1], ids=["labels", "widths"])
def test_no_output_lies_where_labels_or_widths_are(part):
    given = problem("train_epoch", np.dtype(float))
    given["steps"] = given["y"][part].reshape(-1)[:1]
    before = calls.bits(given)
    with pytest.raises(ValueError, match=rf"^steps must be an array of its own, .* y\[{part}\]"):
        _core.train_epoch(given)
    assert calls.bits(given) == before

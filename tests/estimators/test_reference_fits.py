"""Whole fits and gradients, of every loss, rule and activation, are those of the reference."""

import copy
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import softmax

from mlp_c import MLPClassifier, MLPRegressor, _core
from mlp_c._network.activations import ACTIVATIONS
from mlp_c._training import data
from support import calls, formulas, reference
from support.activations import CLASSES, MIXED, NUMBERS, SMALL, WIDTHS, N, X, rng

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
WEIGHT = rng.uniform(0.2, 2, N)
KINDS = dict.fromkeys(ACTIVATIONS) | MIXED
each_kind = pytest.mark.parametrize("kind", KINDS)


def activation_of(kind):
    """What the parameter is: a name, or a list of one for each of three layers."""
    return KINDS[kind] or kind


# ---- whole fits are those of the reference ----

# Logarithms of probabilities are held within those of scikit-learn's smallest and largest.
EPS = np.finfo(float).eps
WITHIN = {"floor": -np.log1p(-EPS), "ceiling": -np.log(EPS), "smoothing": 0.0}

# By loss; and by problem, where they differ.
CONSTANTS = {
    "cross_entropy": WITHIN | {"eps": 0.0},
    "smoothed classes": WITHIN | {"eps": 0.0, "smoothing": 0.2},
    "smoothed labels": WITHIN | {"smoothing": 0.3},
    "logistic_loss": WITHIN,
    "huber_loss": {"delta": 0.5},
    "pinball_loss": {"quantiles": (0.8,)},
    "quantiles": {"quantiles": (0.2, 0.5, 0.9)},
    "tweedie_loss": {"power": 1.3},
}

# By problem: the estimator, its parameters, its targets, and the kernels' loss and targets.
PROBLEMS = {
    "classes": (MLPClassifier, {}, CLASSES, "cross_entropy", np.eye(3)[CLASSES]),
    "two classes": (MLPClassifier, {}, CLASSES > 1, "logistic_loss", (CLASSES > 1)[:, np.newaxis]),
    "labels": (MLPClassifier, {}, (NUMBERS > 0).astype(int), "logistic_loss", NUMBERS > 0),
    "smoothed classes": (
        MLPClassifier,
        {"label_smoothing": 0.2},
        CLASSES,
        "cross_entropy",
        np.eye(3)[CLASSES],
    ),
    "smoothed labels": (
        MLPClassifier,
        {"label_smoothing": 0.3},
        (NUMBERS > 0).astype(int),
        "logistic_loss",
        NUMBERS > 0,
    ),
    "numbers": (MLPRegressor, {}, NUMBERS[:, 1], "squared_error", NUMBERS[:, 1:2]),
    "several numbers": (MLPRegressor, {}, NUMBERS, "squared_error", NUMBERS),
    "poisson": (
        MLPRegressor,
        {"loss": "poisson"},
        np.round(np.abs(NUMBERS)),
        "poisson_loss",
        np.round(np.abs(NUMBERS)),
    ),
    "medians": (MLPRegressor, {"loss": "absolute_error"}, NUMBERS, "absolute_error", NUMBERS),
    "robust": (MLPRegressor, {"loss": "huber", "huber_delta": 0.5}, NUMBERS, "huber_loss", NUMBERS),
    "quantile": (
        MLPRegressor,
        {"loss": "quantile", "quantile": 0.8},
        NUMBERS,
        "pinball_loss",
        NUMBERS,
    ),
    "quantiles": (
        MLPRegressor,
        {"loss": "quantile", "quantile": [0.2, 0.5, 0.9]},
        NUMBERS,
        "pinball_loss",
        NUMBERS,
    ),
    "gaussian": (MLPRegressor, {"loss": "gaussian"}, NUMBERS, "gaussian_loss", NUMBERS),
    "gamma": (MLPRegressor, {"loss": "gamma"}, np.exp(NUMBERS), "gamma_loss", np.exp(NUMBERS)),
    "tweedie": (
        MLPRegressor,
        {"loss": "tweedie", "tweedie_power": 1.3},
        np.maximum(NUMBERS, 0),
        "tweedie_loss",
        np.maximum(NUMBERS, 0),
    ),
}

# Labels in three columns, of three classes, two and one.
COLUMNS = np.column_stack([CLASSES, NUMBERS[:, 0] > 0, np.zeros(N, int)])
PROBLEMS["columns of labels"] = (
    MLPClassifier,
    {},
    COLUMNS,
    "cross_entropy",
    np.hstack([np.eye(k)[column] for k, column in zip([3, 2, 1], COLUMNS.T, strict=True)]),
)
HEADS = {"columns of labels": [3, 2, 1]}

# By problem, a factor of the learning rates: the Gaussian gradient is as steep as targets are near.
SLOWER = {"gaussian": 0.1}

# By rule: parameters of the solver, its learning rate, and the constants of the rule.
RULES = {
    "sgd": ({"solver": "sgd", "momentum": 0}, 0.1, {}),
    "momentum": (
        {"solver": "sgd", "momentum": 0.7, "nesterovs_momentum": False},
        0.05,
        {"momentum": 0.7},
    ),
    "nesterov": ({"solver": "sgd", "momentum": 0.8}, 0.03, {"momentum": 0.8}),
    "adam": (
        {"solver": "adam", "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6},
        0.02,
        {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6},
    ),
}
RULES["adamw"] = ({"solver": "adamw"} | (of_adam := RULES["adam"][2]), 0.02, of_adam)
RULES["rmsprop"] = (
    {"solver": "rmsprop", "beta_2": 0.95, "epsilon": 1e-6},
    0.01,
    {"beta_2": 0.95, "epsilon": 1e-6},
)
each_rule = pytest.mark.parametrize("rule", RULES)


def pairwise_of(name, values):
    """Runs a test with problems, kinds and values such that every pair of any two meets.

    There are fewer values than problems, and than kinds.
    """
    triples = [
        (problem, kind, values[(i + j) % len(values)])
        for i, problem in enumerate(PROBLEMS)
        for j, kind in enumerate(KINDS)
    ]
    return pytest.mark.parametrize(("problem", "kind", name), triples)


def begun(problem, activation, widths=WIDTHS):
    """The network that the reference begins with, and its targets."""
    _, _, _, loss, targets = PROBLEMS[problem]
    names = [activation] * len(widths) if isinstance(activation, str) else activation
    random = np.random.RandomState(SMALL["random_state"])
    constants = CONSTANTS.get(problem, CONSTANTS.get(loss, {}))
    each = calls.outputs_per_target({"name": loss} | constants)
    widths = [X.shape[1], *widths, targets.shape[1] * each]
    network = reference.initial(widths, names, loss, constants, random)
    network.heads = HEADS.get(problem, [])
    return network, targets.astype(float)


def assert_close(got, want, tolerance=1e-10):
    """Each array or number to some part of its greatest."""
    for ours, theirs in zip(got, want, strict=True):
        greatest = np.max(np.abs(theirs), initial=1e-3)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * greatest)


def assert_is_the_references_fit(
    problem, kind, rule, rows=X, sample_weight=None, tolerance=1e-10, **params
):
    """Weights, loss curve and outputs after some epochs of a last batch that is not whole."""
    cls, own, y, _, _ = PROBLEMS[problem]
    options, rate, constants = RULES[rule]
    rate *= SLOWER.get(problem, 1)
    activation = activation_of(kind)
    params = own | options | {"alpha": 0.1, "batch_size": 16} | params
    epochs = SMALL["max_iter"]
    model = cls(**SMALL | params, activation=activation, shuffle=False, learning_rate_init=rate)
    model.set_params(n_iter_no_change=np.inf).fit(rows, y, sample_weight)
    assert model.n_iter_ == epochs

    network, targets = begun(problem, activation)
    curve = reference.fit(
        *(network, X, targets, rule, rate),
        masks=masks_of(model),
        epochs=epochs,
        batch_size=params["batch_size"],
        alpha=0 if rule == "adamw" else params["alpha"],
        sample_weight=sample_weight,
        power_t=0.5 if params.get("learning_rate") == "invscaling" else 0.0,
        course=formulas.COURSES.get(params.get("learning_rate")),
        warmup=params.get("warmup", 0.0),
        weight_decay=params.get("weight_decay", 0.01 if rule == "adamw" else 0),
        max_grad_norm=params.get("max_grad_norm", np.inf),
        **constants,
    )
    assert curve[-1] < curve[0] or masks_of(model)
    assert_close(model.loss_curve_, curve, tolerance)
    assert_close(model.coefs_ + model.intercepts_, network.params, tolerance)
    found = (model.predict if cls is MLPRegressor else model.predict_proba)(rows)
    found = np.hstack(found) if problem in HEADS else found.reshape(N, -1)
    outputs = predicted(network, reference.forward(network, X)[2])
    assert_close([found[:, -outputs.shape[1] :]], [outputs], tolerance)


dropout_mask = cache(formulas.dropout_mask)  # models of the same seed have the same


def masks_of(model):
    """What the reference takes of a model with dropout; None of another."""
    if not hasattr(model, "dropout_seed_"):
        return None
    dropout = np.broadcast_to(model.dropout, len(model.coefs_) - 1)
    by_layer = [model.input_dropout, *dropout]

    def masks(step):
        return lambda layer, shape: dropout_mask(
            shape, by_layer[layer], model.dropout_seed_, step, layer
        )

    return masks


def predicted(network, outputs):
    """What is predicted of outputs: of means and variances, the first; quantiles in order."""
    if network.loss == "gaussian_loss":
        return outputs[:, : outputs.shape[1] // 2]
    if network.loss == "pinball_loss":
        by_quantile = outputs.reshape(N, len(network.constants["quantiles"]), -1)
        return np.sort(by_quantile.swapaxes(1, 2)).reshape(N, -1)
    return outputs


def test_every_loss_and_rule_is_fitted_here():
    """In PROBLEMS and TARGETS, and in RULES."""
    losses_of_problems = {problem[3] for problem in PROBLEMS.values()}
    calls.assert_have(calls.LOSSES, losses_of_PROBLEMS=losses_of_problems, TARGETS=TARGETS)
    calls.assert_have(calls.RULES, RULES=RULES)


@pairwise_of("rule", list(RULES))
def test_a_fit_is_the_references(problem, rule, kind):
    """Every loss, rule and activation, and lists: four batches an epoch, the last of 2 rows."""
    assert_is_the_references_fit(problem, kind, rule)


@each_rule
@pytest.mark.parametrize(
    "problem", ["classes", "two classes", "several numbers", "columns of labels"]
)
def test_a_fit_with_sample_weights_is_the_references(problem, rule):
    """Each batch is divided by its own sum of weights."""
    assert_is_the_references_fit(problem, "gelu, tanh, relu", rule, sample_weight=WEIGHT)


@each_rule
def test_a_fit_passes_over_batches_without_weight_as_the_reference_does(rule):
    """The second batch: no step is counted, and no loss."""
    weight = WEIGHT.copy()
    weight[16:32] = 0
    assert_is_the_references_fit("classes", "logistic, gelu, identity", rule, sample_weight=weight)


# By name: probabilities of what is dropped.
DROPPED = {
    "hidden": {"dropout": 0.3},
    "inputs": {"input_dropout": 0.2},
    "one each": {"dropout": [0.5, 0.0, 0.1], "input_dropout": 0.4},
}


# What is dropped, of dense rows and of sparse ones.
DROPPED_OF = {
    f"{name}, {form}": (DROPPED[name], rows)
    for name in DROPPED
    for form, rows in {"dense": X, "sparse": csr_array(X)}.items()
}


@pairwise_of("dropped", list(DROPPED_OF))
def test_a_fit_with_dropout_is_the_references(problem, dropped, kind):
    """Through every activation; of a batch that is passed over, no step is counted."""
    weight = WEIGHT.copy()
    weight[16:32] = 0
    options, rows = DROPPED_OF[dropped]
    assert_is_the_references_fit(problem, kind, "adam", rows, weight, **options)


@each_rule
@pytest.mark.parametrize("dropped", DROPPED)
def test_dropout_goes_with_every_rule(dropped, rule):
    """To the last digits."""
    for rows in (X, csr_array(X)):
        assert_is_the_references_fit(
            *("classes", "gelu, tanh, relu", rule, rows), tolerance=1e-12, **DROPPED[dropped]
        )


@pytest.mark.parametrize("rows", [X, csr_array(X)], ids=["dense", "sparse"])
def test_columns_of_labels_are_the_references_to_the_last_digits(rows):
    """Of a fit: loss curve, weights and probabilities to 1e-12."""
    assert_is_the_references_fit("columns of labels", "tanh", "adam", rows, WEIGHT, tolerance=1e-12)


@each_rule
@each_kind
def test_a_fit_of_sparse_rows_is_the_references(kind, rule):
    """CSR rows, of which only what is not zero is multiplied."""
    assert_is_the_references_fit("classes", kind, rule, csr_array(X), WEIGHT)


@pytest.mark.parametrize("batch_size", [1, 7, 49, 50])
def test_batches_of_any_size_are_the_references(batch_size):
    """Of one row, with a last one of one row, and all rows at once."""
    for rows in (X, csr_array(X)):
        assert_is_the_references_fit(
            "numbers", "gelu, tanh, relu", "adam", rows, batch_size=batch_size
        )


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_penalty_is_the_references(alpha):
    """L2, of the weights alone, divided by the batch's sum of weights."""
    assert_is_the_references_fit(
        "numbers", "gelu", "nesterov", sample_weight=WEIGHT, alpha=alpha, batch_size=20
    )


def test_a_falling_rate_is_the_references():
    """'invscaling', which divides the rate once an epoch."""
    assert_is_the_references_fit("classes", "gelu", "sgd", learning_rate="invscaling")


@each_rule
@pytest.mark.parametrize("warmup", [0.0, 0.01, 0.4, 1.0])
@pytest.mark.parametrize("learning_rate", [*formulas.COURSES, "constant"])
def test_a_course_of_the_rate_is_the_references(learning_rate, warmup, rule):
    """With every rule; 0.01 is no step of the fit."""
    params = {"learning_rate": learning_rate, "warmup": warmup}
    assert_is_the_references_fit("classes", "tanh", rule, **params)


@pytest.mark.parametrize("learning_rate", formulas.COURSES)
def test_a_batch_without_weight_takes_its_part_of_the_course_with_it(learning_rate):
    """Of sparse rows, too."""
    weight = WEIGHT.copy()
    weight[16:32] = 0
    params = {"sample_weight": weight, "learning_rate": learning_rate, "warmup": 0.5}
    for rows in (X, csr_array(X)):
        assert_is_the_references_fit("classes", "tanh", "nesterov", rows, **params)


def test_a_falling_rate_is_warmed_up_as_the_references_is():
    assert_is_the_references_fit("classes", "tanh", "sgd", learning_rate="invscaling", warmup=0.3)


@each_rule
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_decay_is_the_references(rule, alpha):
    """Of the weights before the step, whose L2 term is of those before the decay."""
    assert_is_the_references_fit(
        "classes", "gelu, tanh, relu", rule, sample_weight=WEIGHT, weight_decay=3.0, alpha=alpha
    )


@each_rule
@pytest.mark.parametrize("problem", ["classes", "numbers", "quantiles"])
@pytest.mark.parametrize("max_grad_norm", [1e-7, 0.3, 1e3])
@pytest.mark.parametrize("rows", [X, csr_array(X)], ids=["dense", "sparse"])
def test_a_clipped_gradient_is_the_references(rows, max_grad_norm, problem, rule):
    """Shorter than epsilon of Adam, than some gradients, and than none; with a decay."""
    options = {"max_grad_norm": max_grad_norm, "weight_decay": 0.5}
    assert_is_the_references_fit(problem, "logistic, gelu, identity", rule, rows, WEIGHT, **options)


# By name: the sample weights, and the rows.
GIVEN = {
    "dense": (None, X),
    "weighted": (WEIGHT, X),
    "sparse": (None, csr_array(X)),
    "sparse, weighted": (WEIGHT, csr_array(X)),
}


@pairwise_of("given", list(GIVEN))
def test_lbfgs_is_told_the_references_loss_and_gradient(problem, kind, given, monkeypatch):
    """Of all rows at once, where the fit begins and elsewhere: the gradient of the mean loss."""
    sample_weight, rows = GIVEN[given]
    cls, own, y, loss, _ = PROBLEMS[problem]
    told = []
    monkeypatch.setattr(data, "minimize", lambda fun, x0, **_: told.extend([fun, x0]) or 1 / 0)
    model = cls(**SMALL | own, activation=activation_of(kind), solver="lbfgs", alpha=0.3)
    with pytest.raises(ZeroDivisionError):
        model.fit(rows, y, sample_weight)
    function, start = told
    network, targets = begun(problem, activation_of(kind))
    np.testing.assert_array_equal(start, np.concatenate([p.ravel() for p in network.params]))
    weight = np.ones(N) if sample_weight is None else sample_weight
    scale = 1 / targets.shape[1] if loss == "squared_error" else 1
    for x in (start, start + 0.3 * rng.standard_normal(len(start))):
        ends = np.cumsum([p.size for p in network.params])[:-1]
        for p, part in zip(network.params, np.split(x, ends), strict=True):
            p[...] = part.reshape(p.shape)
        want, gradient = reference.loss_and_gradient(network, X, targets, weight, 0.3, scale)
        value, slopes = function(x)
        assert_close([value], [want], 1e-13)
        assert_close(np.split(slopes, ends), [g.ravel() for g in gradient], 1e-12)


# ---- finite differences ----

# Of each loss, targets of three outputs that it is defined for.
TARGETS = {
    "cross_entropy": softmax(NUMBERS, axis=1),
    "logistic_loss": (NUMBERS > 0).astype(float),
    "squared_error": NUMBERS,
    "absolute_error": NUMBERS,
    "huber_loss": NUMBERS,
    "pinball_loss": NUMBERS,
    "poisson_loss": np.abs(NUMBERS),
    "gamma_loss": np.exp(NUMBERS),
    "tweedie_loss": np.maximum(NUMBERS, 0),
    "gaussian_loss": NUMBERS,
}

# Losses with constants that have more to go wrong: the kernels' loss, and these.
MORE_LOSSES = {
    "smoothed cross_entropy": ("cross_entropy", {"smoothing": 0.2}),
    "smoothed logistic_loss": ("logistic_loss", {"smoothing": 0.2}),
    "three quantiles": ("pinball_loss", {"quantiles": (0.2, 0.5, 0.9)}),
}


@pytest.mark.parametrize("form", ["dense", "pairs", "csri4"])
@pytest.mark.parametrize("kind", ["gelu", *MIXED])
@pytest.mark.parametrize("loss", [*calls.LOSSES, *MORE_LOSSES])
def test_the_gradient_is_the_slope_of_the_loss(loss, kind, form):
    """Central differences of what loss_gradient itself returns, along every parameter."""
    loss, constants = MORE_LOSSES.get(loss, (loss, {}))
    named, random = calls.loss(loss, **constants), np.random.default_rng(1)
    widths = [4, *WIDTHS, 3 * calls.outputs_per_target(named)]
    weights = [random.standard_normal(s) / 2 for s in pairwise(widths)]
    biases = [random.standard_normal(n_out) / 2 for n_out in widths[1:]]
    given = calls.fields(
        *("loss_gradient", calls.rows_as(form, X), TARGETS[loss], weights, biases),
        activation=activation_of(kind),
        loss=named,
        sample_weight=WEIGHT,
        gradient_scale=1 / 3 if loss == "squared_error" else 1.0,
        l2=0.2,
    )
    _core.loss_gradient(given)
    gradients = copy.deepcopy(given["dweights"] + given["dbiases"])
    step = 1e-5
    for p, gradient in zip(weights + biases, gradients, strict=True):
        for at in np.ndindex(p.shape):
            kept, values = p[at], []
            for p[at] in (kept + step, kept - step):
                values.append(_core.loss_gradient(given))
            p[at] = kept
            assert abs(gradient[at] - (values[0] - values[1]) / (2 * step)) < 1e-8

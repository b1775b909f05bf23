"""Random fits in PyTorch: what its autograd and torch.optim make of a network from given weights.

Everything is float64. A problem says what an estimator is told and what is minimised, in PyTorch's
own words where it has them: a new loss is a function among `OF_NUMBERS` or `OF_LABELS`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from scipy.sparse import csr_array
from sklearn.utils._param_validation import make_constraint
from sklearn.utils.class_weight import compute_sample_weight

from mlp_c import MLPClassifier, MLPRegressor, _core
from mlp_c._estimators.labels import KINDS, find_classes
from mlp_c._estimators.parameters import CONSTRAINTS
from mlp_c._training.course import COURSES as OUR_COURSES
from mlp_c._training.losses import REGRESSION_LOSSES
from support.calls import assert_have
from support.formulas import dropout_mask

TermsOfRows = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
UNITS = {
    "identity": torch.nn.Identity,
    "logistic": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "gelu": torch.nn.GELU,
    "silu": torch.nn.SiLU,
    "mish": torch.nn.Mish,
    "elu": torch.nn.ELU,
    "selu": torch.nn.SELU,
    "leaky_relu": torch.nn.LeakyReLU,
    "softplus": partial(torch.nn.Softplus, threshold=700),  # from where on it is exactly z
}


# What a fit draws dropout's seed from, where its weights and rows to validate with are given.
SEED = 7


def choose(rng, *options):
    return options[rng.integers(len(options))]


# ---- problems ----


@dataclass
class Problem:
    """What is asked of a network.

    Attributes
    ----------
    estimator : type
        MLPClassifier or MLPRegressor.
    y : ndarray or sparse array
        Its targets.
    targets : ndarray
        The same as `terms` takes them.
    n_outputs : int
        How many units the last layer has.
    terms : callable
        Terms of the rows' losses, from logits and targets: the stochastic solvers follow the
        gradient of their sum over a row.
    params : dict
        What else the estimator is told.
    class_weight : ndarray or None
        The weights of the rows for their classes.
    smoothed : callable or None
        The terms of the training, where these are others than those of rows held out.
    least : callable
        Of targets: what deviances, which are 0 at best, subtract from the terms.
    averages_outputs : bool
        Whether the loss is the mean of a row's terms, and not their sum.
    """

    estimator: type
    y: Any
    targets: np.ndarray
    n_outputs: int
    terms: TermsOfRows
    params: dict[str, Any] = field(default_factory=dict)
    class_weight: np.ndarray | None = None
    smoothed: TermsOfRows | None = None
    least: Callable[[torch.Tensor], torch.Tensor] = lambda y: torch.zeros(1)
    averages_outputs: bool = False

    def losses(self, terms, targets):
        """The rows' losses, as they are reported."""
        apart = terms - self.least(targets)
        return apart.mean(dim=1) if self.averages_outputs else apart.sum(dim=1)


def regression(loss, y, terms, *, outputs_per_target=1, least=None, **params):
    """Of numbers for each target."""
    given, n_outputs = y.ravel() if y.shape[1] == 1 else y, y.shape[1] * outputs_per_target
    problem = Problem(MLPRegressor, given, y, n_outputs, terms, {"loss": loss, **params})
    problem.averages_outputs = loss == "squared_error"
    problem.least = least or problem.least
    return problem


def classification(rng, y, targets, n_outputs, terms_of):
    """With weights of the classes and smoothed labels, or without; `terms_of` takes how smooth."""
    of_labels = [weights_of(rng, column) for column in y.T] if y.ndim == 2 else weights_of(rng, y)
    said, smoothing = choose(rng, None, "balanced", of_labels), choose(rng, 0.0, 0.1, 0.8)
    problem = Problem(MLPClassifier, y, targets, n_outputs, terms_of(0.0))
    problem.params = {"class_weight": said, "label_smoothing": smoothing}
    problem.class_weight = None if said is None else compute_sample_weight(said, y)
    problem.smoothed = terms_of(smoothing)
    return problem


def weights_of(rng, labels):
    """Of all classes but one, whose weight is 1."""
    return {label: rng.uniform(0.2, 2.5) for label in np.unique(labels)[1:]}


def squared_error(rng, signal):
    return regression("squared_error", signal, lambda z, y: (z - y) ** 2 / 2)


def absolute_error(rng, signal):
    return regression("absolute_error", signal, lambda z, y: F.l1_loss(z, y, reduction="none"))


def huber(rng, signal):
    delta = rng.uniform(0.1, 2)

    def terms(z, y):
        return F.huber_loss(z, y, reduction="none", delta=delta)

    return regression("huber", signal, terms, huber_delta=delta)


def quantile(rng, signal):
    """Of one quantile, or of several: all targets' outputs of each, one after the other."""
    q = np.sort(rng.uniform(0.05, 0.95, choose(rng, 1, 1, 2, 3, 5)))
    each = torch.from_numpy(q)[:, None]

    def terms(z, y):
        r = y[:, None] - z.reshape(len(z), len(q), -1)
        return torch.maximum(each * r, (each - 1) * r).flatten(1)

    said = choose(rng, q, list(q)) if len(q) > 1 else choose(rng, q[0], list(q))
    return regression("quantile", signal, terms, outputs_per_target=len(q), quantile=said)


def gaussian(rng, signal):
    def terms(z, y):
        mean, log_variance = z.chunk(2, dim=1)
        return F.gaussian_nll_loss(mean, y, log_variance.exp(), reduction="none", eps=1e-300)

    return regression("gaussian", signal, terms, outputs_per_target=2)


def poisson(rng, signal):
    counts = rng.poisson(np.exp(signal)).astype(float)

    def terms(z, y):
        return F.poisson_nll_loss(z, y, reduction="none")

    return regression("poisson", counts, terms, least=lambda y: y - torch.xlogy(y, y))


def gamma(rng, signal):
    def terms(z, y):
        return z + y * torch.exp(-z)

    return regression("gamma", np.exp(signal), terms, least=lambda y: torch.log(y) + 1)


def tweedie(rng, signal):
    p = rng.uniform(1.05, 1.95)

    def terms(z, y):
        return torch.exp((2 - p) * z) / (2 - p) - y * torch.exp((1 - p) * z) / (1 - p)

    def least(y):
        return y ** (2 - p) / (2 - p) - y ** (2 - p) / (1 - p)

    return regression("tweedie", np.maximum(signal, 0), terms, least=least, tweedie_power=p)


def classes(rng, signal):
    """Of which one applies: a softmax."""
    n_classes = choose(rng, 3, 4, 5)
    codes = codes_of(signal[:, :1], [n_classes])
    return classification(rng, codes[:, 0] * 10, codes, n_classes, cross_entropies([n_classes]))


def columns(rng, signal):
    """Of which one applies in each of several columns: a softmax for each."""
    signal = with_mirrored(signal)
    widths = rng.integers(2, 6, signal.shape[1]).tolist()
    codes = codes_of(signal, widths)
    y = codes * 10 + np.arange(len(widths))  # as no two columns have a label in common, no 0 and 1
    return classification(rng, y, codes, sum(widths), cross_entropies(widths))


def cross_entropies(widths):
    """Of softmaxes of these widths, side by side, each with a column of targets."""

    def terms_of(smoothing):
        def terms(z, y):
            return torch.cat(
                [
                    ((1 - smoothing) * F.one_hot(codes, k).double() + smoothing / k)
                    * bounded(-F.log_softmax(logits, dim=1))
                    for k, codes, logits in zip(widths, y.T, z.split(widths, dim=1), strict=True)
                ],
                dim=1,
            )

        return terms

    return terms_of


def two_classes(rng, signal):
    """Of which one applies: a single logistic output."""
    is_second = (ranks(signal[:, 0]) > len(signal) // 3).astype(int)
    return classification(rng, is_second, is_second[:, np.newaxis].astype(float), 1, log_losses)


def labels(rng, signal):
    """Of which several may apply: a logistic output for each."""
    signal = with_mirrored(signal)
    apply = (signal > np.quantile(signal, 0.4, axis=0)).astype(int)
    problem = classification(rng, apply, apply.astype(float), apply.shape[1], log_losses)
    problem.y = choose(rng, apply, csr_array(apply))
    return problem


def log_losses(smoothing):
    def terms(z, y):
        smooth = (1 - smoothing) * y + smoothing / 2
        return smooth * bounded(-F.logsigmoid(z)) + (1 - smooth) * bounded(-F.logsigmoid(-z))

    return terms


def bounded(log_loss):
    """That of probabilities clipped to [eps, 1 - eps]; the gradient is that without bounds.

    L-BFGS tries steps that are too long, whose losses say how much.
    """
    eps = np.finfo(float).eps
    return log_loss + (log_loss.clamp(-np.log1p(-eps), -np.log(eps)) - log_loss).detach()


def with_mirrored(signal):
    """Two columns at least."""
    return np.hstack([signal, -signal[:, ::-1]])


def codes_of(signal, widths):
    """So many classes of each column, about as frequent."""
    return np.column_stack(
        [ranks(column) * k // len(signal) for column, k in zip(signal.T, widths, strict=True)]
    )


def ranks(x):
    return x.argsort().argsort()


# Those of a regressor are named as the losses are, and rules as the kernels name them.
OF_NUMBERS = (
    *(squared_error, absolute_error, huber, quantile, gaussian),
    *(poisson, gamma, tweedie),
)
OF_LABELS = (classes, two_classes, labels, columns)


# ---- update rules ----


def set_rate(optimizer, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate


def scale_gradients(optimizer, rate):
    """What puts the rate inside the velocity, as scikit-learn does, where the optimizer's is 1.

    PyTorch multiplies the velocity by the rate of each step.
    """
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad *= rate


@dataclass
class Rule:
    """An update rule: how the solver is told, the optimizer, and what it needs before each step.

    Attributes
    ----------
    params : dict
        The solver's parameters.
    optimizer : callable or None
        Groups of parameters, the weights and the biases -> PyTorch's optimizer; None where SciPy
        minimises.
    before_step : callable
        Is given the optimizer and the number of the step.
    set_rate : callable
        Is given the optimizer and the learning rate of the step.
    power_t : float
        The power of the rows seen that the rate is divided by at the end of an epoch; 0 for none.
    decays_itself : bool
        Whether the optimizer's own weight decay is meant, decoupled, which then takes the place of
        the L2 term.
    """

    params: dict[str, Any]
    optimizer: Callable[[Any], torch.optim.Optimizer] | None
    before_step: Callable[[torch.optim.Optimizer, int], None] = lambda optimizer, number: None
    set_rate: Callable[[torch.optim.Optimizer, float], None] = set_rate
    power_t: float = 0.0
    decays_itself: bool = False


def sgd(rng):
    rate, power_t = 10 ** rng.uniform(-3.5, -1.5), choose(rng, 0.0, 0.1, 0.5)
    params = {"momentum": 0.0, "learning_rate_init": rate, "power_t": power_t}
    params["learning_rate"] = "invscaling" if power_t > 0 else "constant"
    return Rule({"solver": "sgd"} | params, lambda p: torch.optim.SGD(p, lr=rate), power_t=power_t)


def momentum(rng, *, nesterov=False):
    rate, beta = 10 ** rng.uniform(-3.5, -2), rng.uniform(0.1, 0.95)
    params = {"momentum": beta, "learning_rate_init": rate, "nesterovs_momentum": nesterov}
    return Rule(
        {"solver": "sgd"} | params,
        lambda p: torch.optim.SGD(p, lr=1, momentum=beta, nesterov=nesterov),
        set_rate=scale_gradients,
    )


def nesterov(rng):
    return momentum(rng, nesterov=True)


def adam(rng):
    """Whose epsilon is added before the bias of the second moment is corrected.

    As in the last lines of section 2 of Kingma & Ba (2014); PyTorch adds it after that.
    """
    rate, betas = 10 ** rng.uniform(-3, -1.5), (rng.uniform(0, 0.95), rng.uniform(0.9, 0.999))
    epsilon = choose(rng, 1e-8, 1e-3)

    def correct_epsilon(optimizer, number):
        for group in optimizer.param_groups:
            group["eps"] = epsilon / np.sqrt(1 - betas[1] ** number)

    params = {"learning_rate_init": rate, "beta_1": betas[0], "beta_2": betas[1]}
    return Rule(
        {"solver": "adam", "epsilon": epsilon} | params,
        lambda p: torch.optim.Adam(p, lr=rate, betas=betas),
        correct_epsilon,
    )


def adamw(rng):
    rate, betas = 10 ** rng.uniform(-3, -1.5), (rng.uniform(0, 0.95), rng.uniform(0.9, 0.999))
    epsilon = choose(rng, 1e-8, 1e-3)
    params = {"learning_rate_init": rate, "beta_1": betas[0], "beta_2": betas[1]}
    return Rule(
        {"solver": "adamw", "epsilon": epsilon} | params,
        lambda groups: torch.optim.AdamW(groups, lr=rate, betas=betas, eps=epsilon),
        decays_itself=True,
    )


def rmsprop(rng):
    rate, beta = 10 ** rng.uniform(-3.5, -2), rng.uniform(0.8, 0.999)
    epsilon = choose(rng, 1e-8, 1e-3)
    return Rule(
        {"solver": "rmsprop", "learning_rate_init": rate, "beta_2": beta, "epsilon": epsilon},
        lambda groups: torch.optim.RMSprop(groups, lr=rate, alpha=beta, eps=epsilon),
    )


def lbfgs(rng):
    """SciPy's, which takes losses and gradients from PyTorch here."""
    return Rule({"solver": "lbfgs"}, None)


RULES = (sgd, momentum, nesterov, adam, adamw, rmsprop, lbfgs)


# ---- courses of the learning rate ----

# By name: a factor of the rate where a part of the fit is over.
COURSES = {
    "cosine": lambda t: (1 + math.cos(math.pi * t)) / 2,
    "one_cycle": lambda t: t / 0.3 if t < 0.3 else (1 + math.cos(math.pi * (t - 0.3) / 0.7)) / 2,
    "exponential": lambda t: math.exp(t * math.log(0.01)),
    "coslog4": lambda t: (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t))) / 2,
}


@dataclass
class Course:
    """Factors of the learning rates of a fit.

    Attributes
    ----------
    params : dict
        How the estimator is told.
    factor : callable
        Of the part of the fit that is over.
    warmup : float
        The part in which the rate rises.
    """

    params: dict[str, Any] = field(default_factory=dict)
    factor: Callable[[float], float] = lambda t: 1.0
    warmup: float = 0.0

    def factors(self, n):
        """Of all steps of a fit."""
        n_warmup = round(self.warmup * n)
        ramp = [min(1, (s + 1) / n_warmup) if n_warmup > 0 else 1 for s in range(n)]
        return [self.factor(s / n) * ramp[s] for s in range(n)]


def draw_course(rng, rule):
    """By name, by a callable or none, with warmup or without; L-BFGS has none."""
    if rule.optimizer is None:
        return Course()
    warmup, power = choose(rng, 0.0, 0.0, rng.random()), rng.uniform(0.5, 2)
    powers = Course({"learning_rate": lambda t: (1 - t) ** power}, lambda t: (1 - t) ** power)
    named = [Course({"learning_rate": name}, factor) for name, factor in COURSES.items()]
    course = choose(rng, Course(), Course(), powers, *named)
    if rule.power_t > 0:  # whose schedule has a name of its own
        course = Course()
    course.params["warmup"] = course.warmup = warmup
    return course


# ---- settings ----


@dataclass
class HeldOut:
    """Rows to validate with: their targets are those of some of the training rows."""

    X: np.ndarray
    rows: np.ndarray
    sample_weight: np.ndarray | None
    is_sparse: bool

    @property
    def weight(self):
        return np.ones(len(self.X)) if self.sample_weight is None else self.sample_weight


@dataclass
class Setting:
    """A fit that an estimator and PyTorch are told alike."""

    name: str
    problem: Problem
    rule: Rule
    course: Course
    X: np.ndarray
    sample_weight: np.ndarray | None
    held_out: HeldOut | None
    activations: list[str]
    dropout: float | list[float]
    input_dropout: float
    weights: list[np.ndarray]
    biases: list[np.ndarray]
    epochs: int
    batch_size: int
    alpha: float
    weight_decay: float | None
    max_grad_norm: float | None
    is_sparse: bool
    n_threads: int

    @property
    def params(self):
        """What the estimator is told."""
        return {
            "hidden_layer_sizes": [len(b) for b in self.biases[:-1]],
            "activation": self.activations,
            "dropout": self.dropout,
            "input_dropout": self.input_dropout,
            "alpha": self.alpha,
            "weight_decay": self.weight_decay,
            "max_grad_norm": self.max_grad_norm,
            "batch_size": self.batch_size,
            "max_iter": self.epochs,
            "n_iter_no_change": np.inf,
            "early_stopping": self.held_out is not None,
            "scoring": "loss",
            "shuffle": False,
            "random_state": SEED,  # of dropout's alone
            "n_threads": self.n_threads,
            **self.problem.params,
            **self.rule.params,
            **self.course.params,
        }

    def fitted(self):
        """The estimator, fitted."""
        return self.problem.estimator(**self.params).fit(
            as_given(self.X, self.is_sparse),
            self.problem.y,
            self.sample_weight,
            **self._held_out(),
            coefs_init=self.weights,
            intercepts_init=self.biases,
        )

    def _held_out(self):
        held_out = self.held_out
        if held_out is None:
            return {}
        return {
            "X_val": as_given(held_out.X, held_out.is_sparse),
            "y_val": self.problem.y[held_out.rows],
            "sample_weight_val": held_out.sample_weight,
        }


def rounded(rng, setting):
    """A setting whose numbers are up to an ulp or two away: as far as rounding errors are."""

    def of(x):
        return x * (1 + np.finfo(float).eps * rng.integers(-1, 2, x.shape))

    n, weight = len(setting.X), setting.sample_weight
    return replace(
        setting,
        X=of(setting.X),
        sample_weight=of(np.ones(n) if weight is None else weight),
        weights=[of(w) for w in setting.weights],
        biases=[of(b) for b in setting.biases],
    )


def as_given(X, is_sparse):
    return csr_array(X) if is_sparse else X


def draw_rows(rng, n, n_in):
    return rng.standard_normal((n, n_in)) * (rng.random((n, n_in)) < choose(rng, 0.3, 1))


def draw_weights_of_rows(rng, n):
    weight = choose(rng, None, rng.uniform(0.1, 2, n), rng.integers(0, 3, n) + 0.0)
    return weight if weight is None or weight.any() else None


def draw_held_out(rng, n, n_in):
    n_val = choose(rng, 1, 3, 20)
    return HeldOut(
        X=draw_rows(rng, n_val, n_in),
        rows=rng.integers(0, n, n_val),
        sample_weight=draw_weights_of_rows(rng, n_val),
        is_sparse=choose(rng, False, False, True),
    )


def draw_dropout(rng, make_rule, n_hidden):
    """Of hidden layers and inputs, or neither."""
    if make_rule is lbfgs or rng.random() < 0.5:
        return {"dropout": 0.0, "input_dropout": 0.0}
    of_layers = rng.choice([0.0, 0.1, 0.5], n_hidden).tolist()
    return {
        "dropout": choose(rng, 0.3, of_layers),
        "input_dropout": choose(rng, 0.0, 0.1, 0.2),
    }


def draw_setting(rng):
    """A small network from random weights, with a problem, a rule and data."""
    n, n_in = choose(rng, 5, 24, 50), choose(rng, 1, 3, 8, 17)
    X = draw_rows(rng, n, n_in)
    signal = X @ rng.standard_normal((n_in, choose(rng, 1, 1, 2, 3))) / np.sqrt(n_in)
    signal = np.tanh(signal + 0.3 * rng.standard_normal(signal.shape))
    make_problem, make_rule = choose(rng, *OF_NUMBERS, *OF_LABELS), choose(rng, *RULES)
    problem = make_problem(rng, signal)
    hidden = rng.choice([1, 4, 7, 16, 33], rng.integers(4)).tolist()
    widths = [n_in, *hidden, problem.n_outputs]
    rule, has_steps = make_rule(rng), make_rule is not lbfgs
    return Setting(
        name=f"{make_problem.__name__} by {make_rule.__name__}",
        problem=problem,
        rule=rule,
        course=draw_course(rng, rule),
        X=X,
        sample_weight=draw_weights_of_rows(rng, n),
        held_out=draw_held_out(rng, n, n_in) if rng.random() < 0.5 else None,
        activations=[choose(rng, *UNITS) for _ in hidden],
        weights=[rng.standard_normal(shape) / np.sqrt(2 * shape[0]) for shape in pairwise(widths)],
        biases=[rng.standard_normal(width) / 3 for width in widths[1:]],
        epochs=int(rng.integers(1, 6)),
        batch_size=min(n, choose(rng, 1, 4, 7, 16, 50)),
        alpha=choose(rng, 0.0, 1e-3, 0.3),
        weight_decay=choose(rng, None, 0.0, 0.1, 3.0) if has_steps else None,
        max_grad_norm=choose(rng, None, None, 0.01, 1.0, 100.0) if has_steps else None,
        is_sparse=choose(rng, False, False, True),
        n_threads=choose(rng, 1, 2, 3),
        **draw_dropout(rng, make_rule, len(hidden)),
    )


# ---- what is compared ----

LEFT_OUT = {  # parameters that fits without chance, to the last epoch, have nothing to do with
    *("init", "validation_fraction", "tol", "warm_start", "verbose"),
    "max_fun",
    "compute_dtype",  # float64
}


def assert_is_complete():
    """Every activation, loss, kind of labels, update rule and parameter is compared.

    Of those that only a classifier or a regressor has, such as `class_weight` and `quantile`, all
    forms that a value may have are: numbers, lists, …
    """
    kernels = _core.names()
    assert_have(kernels["activations"], UNITS=UNITS)
    assert_have(REGRESSION_LOSSES, OF_NUMBERS={problem.__name__ for problem in OF_NUMBERS})
    assert_have([*kernels["rules"], "lbfgs"], RULES={rule.__name__ for rule in RULES})
    assert_have(OUR_COURSES, COURSES=COURSES)
    drawn = [draw_setting(np.random.default_rng(seed)) for seed in range(500)]
    of_labels = [s.problem.y for s in drawn if s.problem.estimator is MLPClassifier]
    assert_have(KINDS, OF_LABELS={find_classes(y)[0] for y in of_labels})
    for estimator in (MLPClassifier, MLPRegressor):
        default, constraints = estimator().get_params(), estimator._parameter_constraints
        told = [s.params for s in drawn if s.problem.estimator is estimator]
        names = {name for params in told for name in params}
        assert_have(default.keys() - LEFT_OUT, **{f"{estimator.__name__} in draw_setting": names})
        for name in constraints.keys() - CONSTRAINTS:
            values = [params[name] for params in told if name in params]
            where = f"draw_setting lacks a {name} that is"
            are_default = [np.array_equal(value, default[name]) for value in values]
            assert not all(are_default), f"{where} not the default"
            for constraint in map(make_constraint, constraints[name]):
                assert any(map(constraint.is_satisfied_by, values)), f"{where} {constraint}"


# ---- a fit ----


class Fit:
    """A fit of a setting.

    Attributes
    ----------
    weights : list of list of ndarray
        The weights and biases, as the estimators have them, after each epoch.
    losses : list of float
        The loss of each epoch.
    lost_gradient : bool
        Whether L-BFGS was told a gradient of NaN.
    losses_held_out : list of float
        That of the rows held out, after each epoch.
    """

    def __init__(self, setting):
        problem, held_out = setting.problem, setting.held_out
        self._setting, self._problem = setting, problem
        self.network = network_of(setting)
        self.linears = list(self.network)[::2]
        self._X, self._targets = torch.from_numpy(setting.X), torch.from_numpy(problem.targets)
        self._weight = torch.ones(len(setting.X), dtype=torch.float64)
        for given in (setting.sample_weight, problem.class_weight):
            if given is not None:
                self._weight = self._weight * torch.from_numpy(given)
        self._held_out = held_out and (
            torch.from_numpy(held_out.X),
            torch.from_numpy(problem.targets[held_out.rows]),
            torch.from_numpy(held_out.weight),
        )
        dropout = np.broadcast_to(setting.dropout, len(setting.activations))
        self._dropout = [setting.input_dropout, *dropout.tolist()]
        self._seed = int(np.random.RandomState(SEED).randint(2**53, dtype=np.int64))
        self.weights, self.losses, self.losses_held_out = [], [], []
        self.lost_gradient = False
        (self._minimize if setting.rule.optimizer is None else self._step)()

    def _logits(self, rows, step):
        """Of a batch, with dropout's factors in the step."""
        out, modules = self._X[rows], list(self.network)
        for layer, (linear, unit) in enumerate(zip(modules[::2], modules[1::2], strict=True)):
            if self._dropout[layer] > 0:
                mask = dropout_mask(out.shape, self._dropout[layer], self._seed, step, layer)
                out = out * torch.from_numpy(mask)
            out = unit(linear(out))
        return out

    def _objectives(self, rows, step=0):
        """What a solver follows the gradient of, and the loss that it reports."""
        problem, targets, weight = self._problem, self._targets[rows], self._weight[rows]
        terms = (problem.smoothed or problem.terms)(self._logits(rows, step), targets)
        alpha = 0 if self._setting.rule.decays_itself else self._setting.alpha
        penalty = alpha / 2 * sum((w.weight**2).sum() for w in self.linears)
        rows_losses = terms.sum(dim=1), problem.losses(terms, targets)
        return [(weight @ losses + penalty) / weight.sum() for losses in rows_losses]

    def _end_epoch(self, loss):
        self.losses.append(loss)
        weights = [linear.weight.detach().numpy().T.copy() for linear in self.linears]
        self.weights.append(weights + [w.bias.detach().numpy().copy() for w in self.linears])
        if self._held_out is not None:
            X, targets, weight = self._held_out
            with torch.no_grad():
                terms = self._problem.terms(self.network(X), targets)
                losses = self._problem.losses(terms, targets)
            self.losses_held_out.append(float(weight @ losses / weight.sum()))

    def _step(self):
        """Batch by batch."""
        setting, rule = self._setting, self._setting.rule
        weights, biases = zip(*((w.weight, w.bias) for w in self.linears), strict=True)
        optimizer = rule.optimizer([{"params": weights}, {"params": biases, "weight_decay": 0.0}])
        decay = setting.weight_decay
        if rule.decays_itself and decay is not None:
            optimizer.param_groups[0]["weight_decay"] = decay
        n, rate, number = len(setting.X), rule.params["learning_rate_init"], 0
        factors = iter(setting.course.factors(setting.epochs * -(-n // setting.batch_size)))
        for epoch in range(setting.epochs):
            total, n_counted = 0.0, 0
            for begin in range(0, n, setting.batch_size):
                now = next(factors) * rate / (epoch * n + 1) ** rule.power_t
                rows = slice(begin, min(n, begin + setting.batch_size))
                if self._weight[rows].sum() == 0:
                    continue  # a batch without weight is passed over
                number += 1
                followed, reported = self._objectives(rows, number - 1)
                n_rows = rows.stop - begin
                total, n_counted = total + n_rows * float(reported), n_counted + n_rows
                optimizer.zero_grad()
                followed.backward()
                if setting.max_grad_norm is not None:
                    torch.nn.utils.clip_grad_norm_(self.network.parameters(), setting.max_grad_norm)
                if decay is not None and not rule.decays_itself:
                    with torch.no_grad():
                        for weight in weights:
                            weight *= 1 - now * decay
                rule.set_rate(optimizer, now)
                rule.before_step(optimizer, number)
                optimizer.step()
            self._end_epoch(total / n_counted)

    def _minimize(self):
        """By SciPy's L-BFGS, of all rows at once."""
        parameters = list(self.network.parameters())

        def loss_and_gradient(vector):
            torch.nn.utils.vector_to_parameters(torch.from_numpy(vector), parameters)
            _, reported = self._objectives(slice(None))
            gradients = torch.autograd.grad(reported, parameters)
            gradient = torch.nn.utils.parameters_to_vector(gradients).numpy()
            self.lost_gradient |= bool(np.isnan(gradient).any())
            return float(reported), gradient

        def end_iteration(intermediate_result):
            torch.nn.utils.vector_to_parameters(
                torch.from_numpy(intermediate_result.x.copy()), parameters
            )
            self._end_epoch(float(intermediate_result.fun))

        minimize(
            loss_and_gradient,
            torch.nn.utils.parameters_to_vector(parameters).detach().numpy(),
            method="L-BFGS-B",
            jac=True,
            callback=end_iteration,
            options={"maxiter": self._setting.epochs, "maxfun": 15_000, "gtol": 1e-4},
        )


def network_of(setting):
    """PyTorch's module with the weights of a setting."""
    layers = []
    units = [*(UNITS[name] for name in setting.activations), torch.nn.Identity]  # of the logits
    for w, b, unit in zip(setting.weights, setting.biases, units, strict=True):
        linear = torch.nn.Linear(*w.shape, dtype=torch.float64)
        with torch.no_grad():
            linear.weight[...] = torch.from_numpy(w.T)
            linear.bias[...] = torch.from_numpy(b)
        layers += [linear, unit()]
    return torch.nn.Sequential(*layers)

"""Random fits in PyTorch: what its autograd and torch.optim make of a network from given weights.

Everything is float64. A problem says what an estimator is told and what is minimised, in PyTorch's
own words where it has them: a new loss is a function among `OF_NUMBERS` or `OF_LABELS`. Losses are
those whose gradient the stochastic solvers follow: that of the squared error is a sum over outputs,
and that of the log-loss knows no bounds of probabilities.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_array
from sklearn.utils.class_weight import compute_sample_weight

from mlp_c import MLPClassifier, MLPRegressor, _core
from mlp_c._training.losses import REGRESSION_LOSSES
from support.calls import assert_have

TermsOfRows = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
UNITS = {
    "identity": torch.nn.Identity,
    "logistic": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "gelu": torch.nn.GELU,
}


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
    y : ndarray
        Its targets.
    targets : ndarray
        The same as `terms` takes them.
    n_outputs : int
        How many units the last layer has.
    terms : callable
        Terms of the rows' losses, from logits and targets: those of a row are summed.
    params : dict
        What else the estimator is told.
    class_weight : ndarray or None
        The weights of the rows for their classes.
    """

    estimator: type
    y: np.ndarray
    targets: np.ndarray
    n_outputs: int
    terms: TermsOfRows
    params: dict[str, Any] = field(default_factory=dict)
    class_weight: np.ndarray | None = None


def regression(loss, y, terms, **params):
    """Of a number for each output."""
    given = y.ravel() if y.shape[1] == 1 else y
    return Problem(MLPRegressor, given, y, y.shape[1], terms, {"loss": loss, **params})


def classification(rng, y, targets, n_outputs, terms):
    """With weights of the classes, or without."""
    of_labels = [{0: 0.3, 1: 1.7}] * y.shape[1] if y.ndim == 2 else {y[0]: 2.5}
    said = choose(rng, None, "balanced", of_labels)
    weight = None if said is None else compute_sample_weight(said, y)
    return Problem(MLPClassifier, y, targets, n_outputs, terms, {"class_weight": said}, weight)


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
    q = rng.uniform(0.05, 0.95)

    def terms(z, y):
        return torch.maximum(q * (y - z), (q - 1) * (y - z))

    return regression("quantile", signal, terms, quantile=q)


def poisson(rng, signal):
    counts = rng.poisson(np.exp(signal)).astype(float)
    return regression("poisson", counts, lambda z, y: F.poisson_nll_loss(z, y, reduction="none"))


def gamma(rng, signal):
    return regression("gamma", np.exp(signal), lambda z, y: z + y * torch.exp(-z))


def tweedie(rng, signal):
    p = rng.uniform(1.05, 1.95)

    def terms(z, y):
        return torch.exp((2 - p) * z) / (2 - p) - y * torch.exp((1 - p) * z) / (1 - p)

    return regression("tweedie", np.maximum(signal, 0), terms, tweedie_power=p)


def classes(rng, signal):
    """Of which one applies: a softmax."""
    n_classes = choose(rng, 3, 4, 5)
    codes = ranks(signal[:, 0]) * n_classes // len(signal)

    def terms(z, y):
        return F.cross_entropy(z, y, reduction="none")[:, None]

    return classification(rng, np.arange(n_classes)[codes] * 10, codes, n_classes, terms)


def two_classes(rng, signal):
    """Of which one applies: a single logistic output."""
    is_second = (ranks(signal[:, 0]) > len(signal) // 3).astype(int)
    return classification(rng, is_second, is_second[:, np.newaxis].astype(float), 1, log_losses)


def labels(rng, signal):
    """Of which several may apply: a logistic output for each."""
    signal = np.hstack([signal, -signal[:, ::-1]])  # two columns at least
    apply = (signal > np.quantile(signal, 0.4, axis=0)).astype(int)
    return classification(rng, apply, apply.astype(float), apply.shape[1], log_losses)


def log_losses(z, y):
    return F.binary_cross_entropy_with_logits(z, y, reduction="none")


def ranks(x):
    return x.argsort().argsort()


# Those of a regressor are named as the losses are, and rules as the kernels name them.
OF_NUMBERS = (squared_error, absolute_error, huber, quantile, poisson, gamma, tweedie)
OF_LABELS = (classes, two_classes, labels)


# ---- update rules ----


@dataclass
class Rule:
    """An update rule: how the solver is told, the optimizer, and what it needs before each step.

    Attributes
    ----------
    params : dict
        The solver's parameters.
    optimizer : callable
        Parameters of the network -> PyTorch's optimizer.
    before_step : callable
        Is given the optimizer and the number of the step.
    power_t : float
        The power of the rows seen that the rate is divided by at the end of an epoch; 0 for none.
    """

    params: dict[str, Any]
    optimizer: Callable[[Any], torch.optim.Optimizer]
    before_step: Callable[[torch.optim.Optimizer, int], None] = lambda optimizer, number: None
    power_t: float = 0.0


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
        lambda p: torch.optim.SGD(p, lr=rate, momentum=beta, nesterov=nesterov),
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
        optimizer.param_groups[0]["eps"] = epsilon / np.sqrt(1 - betas[1] ** number)

    params = {"learning_rate_init": rate, "beta_1": betas[0], "beta_2": betas[1]}
    return Rule(
        {"solver": "adam", "epsilon": epsilon} | params,
        lambda p: torch.optim.Adam(p, lr=rate, betas=betas),
        correct_epsilon,
    )


RULES = (sgd, momentum, nesterov, adam)


def assert_is_complete():
    """Every activation, loss of a regressor and update rule is compared."""
    kernels = _core.names()
    assert_have(kernels["activations"], UNITS=UNITS)
    assert_have(REGRESSION_LOSSES, OF_NUMBERS={problem.__name__ for problem in OF_NUMBERS})
    assert_have(kernels["rules"], RULES={rule.__name__ for rule in RULES})


# ---- settings ----


@dataclass
class Setting:
    """A fit that an estimator and PyTorch are told alike."""

    name: str
    problem: Problem
    rule: Rule
    X: np.ndarray
    sample_weight: np.ndarray | None
    activations: list[str]
    weights: list[np.ndarray]
    biases: list[np.ndarray]
    epochs: int
    batch_size: int
    alpha: float
    is_sparse: bool
    n_threads: int

    def fitted(self):
        """The estimator, fitted."""
        model = self.problem.estimator(
            hidden_layer_sizes=[len(b) for b in self.biases[:-1]],
            activation=self.activations,
            alpha=self.alpha,
            batch_size=self.batch_size,
            max_iter=self.epochs,
            n_iter_no_change=np.inf,
            shuffle=False,
            n_threads=self.n_threads,
            **self.problem.params,
            **self.rule.params,
        )
        return model.fit(
            csr_array(self.X) if self.is_sparse else self.X,
            self.problem.y,
            self.sample_weight,
            coefs_init=self.weights,
            intercepts_init=self.biases,
        )


def draw_setting(rng):
    """A small network from random weights, with a problem, a rule and data."""
    n, n_in = choose(rng, 5, 24, 50), choose(rng, 1, 3, 8, 17)
    X = rng.standard_normal((n, n_in)) * (rng.random((n, n_in)) < choose(rng, 0.3, 1))
    signal = X @ rng.standard_normal((n_in, choose(rng, 1, 1, 2, 3))) / np.sqrt(n_in)
    signal = np.tanh(signal + 0.3 * rng.standard_normal(signal.shape))
    make_problem, make_rule = choose(rng, *OF_NUMBERS, *OF_LABELS), choose(rng, *RULES)
    problem = make_problem(rng, signal)
    hidden = rng.choice([1, 4, 7, 16, 33], rng.integers(4)).tolist()
    widths = [n_in, *hidden, problem.n_outputs]
    sample_weight = choose(rng, None, rng.uniform(0.1, 2, n), rng.integers(0, 3, n) + 0.0)
    if sample_weight is not None and not sample_weight.any():
        sample_weight = None
    return Setting(
        name=f"{make_problem.__name__} by {make_rule.__name__}",
        problem=problem,
        rule=make_rule(rng),
        X=X,
        sample_weight=sample_weight,
        activations=[choose(rng, *UNITS) for _ in hidden],
        weights=[rng.standard_normal(shape) / np.sqrt(2 * shape[0]) for shape in pairwise(widths)],
        biases=[rng.standard_normal(width) / 3 for width in widths[1:]],
        epochs=int(rng.integers(1, 6)),
        batch_size=min(n, choose(rng, 1, 4, 7, 16, 50)),
        alpha=choose(rng, 0.0, 1e-3, 0.3),
        is_sparse=choose(rng, False, False, True),
        n_threads=choose(rng, 1, 2, 3),
    )


# ---- a fit ----


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


def fit(setting):
    """The weights and biases, as the estimators have them, that PyTorch ends with."""
    problem, rule, network = setting.problem, setting.rule, network_of(setting)
    n, batch_size = len(setting.X), setting.batch_size
    X, targets = torch.from_numpy(setting.X), torch.from_numpy(problem.targets)
    weight = torch.ones(n, dtype=torch.float64)
    for given in (setting.sample_weight, problem.class_weight):
        weight = weight if given is None else weight * torch.from_numpy(given)
    linears = list(network)[::2]
    optimizer = rule.optimizer(network.parameters())
    rate, number = optimizer.param_groups[0]["lr"], 0
    for epoch in range(setting.epochs):
        optimizer.param_groups[0]["lr"] = rate / (epoch * n + 1) ** rule.power_t
        for begin in range(0, n, batch_size):
            rows = slice(begin, begin + batch_size)
            total = weight[rows].sum()
            if total == 0:
                continue  # a batch without weight is passed over
            number += 1
            terms = problem.terms(network(X[rows]), targets[rows])
            squares = sum((linear.weight**2).sum() for linear in linears)
            loss = (weight[rows] @ terms.sum(dim=1) + setting.alpha / 2 * squares) / total
            optimizer.zero_grad()
            loss.backward()
            rule.before_step(optimizer, number)
            optimizer.step()
    weights = [linear.weight.detach().numpy().T for linear in linears]
    return weights + [linear.bias.detach().numpy() for linear in linears]

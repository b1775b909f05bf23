"""What the guide says that options bring, ``make bench-options``: figures of docs/guide/options.md.

Each function is an example of the guide. It draws a split, or data, from a seed, and returns
figures of how good models are, by name.
"""

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import datasets, metrics
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.progress import progress
from mlp_c import HiddenActivations, MLPClassifier, MLPRegressor
from mlp_c._network.activations import ACTIVATIONS
from mlp_c._network.initial_weights import INITIALIZERS

Figures = dict[str, float]


def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = datasets.load_digits(return_X_y=True)
    return X / 16, y


def scaled(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    scaler = StandardScaler().fit(train)
    return [scaler.transform(rows) for rows in (train, *others)]


def halves(X: np.ndarray, y: np.ndarray, seed: int) -> list[np.ndarray]:
    """Rows to train on and to test with, and their labels, with as many of each label."""
    return train_test_split(X, y, test_size=0.5, random_state=seed, stratify=y)


def class_weights(seed: int) -> Figures:
    """Twelve malignant tumours among 250 benign ones."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, 1 - y, test_size=0.3, stratify=1 - y, random_state=seed
    )
    few = np.random.default_rng(seed).choice(np.flatnonzero(y_train == 1), 12, replace=False)
    kept = np.concatenate([np.flatnonzero(y_train == 0), few])
    figures = {}
    for weight in (None, "balanced"):
        model = make_pipeline(
            StandardScaler(),
            MLPClassifier(
                *((16,),), max_iter=100, learning_rate_init=0.003, class_weight=weight,
                random_state=seed,
            ),
        )  # fmt: skip
        predicted = model.fit(X_train[kept], y_train[kept]).predict(X_test)
        figures[f"found, {weight}"] = metrics.recall_score(y_test, predicted)
        figures[f"called so rightly, {weight}"] = metrics.precision_score(y_test, predicted)
    return figures


def label_smoothing(seed: int) -> Figures:
    """Half of the digits; with their labels, and with a tenth of these drawn at random."""
    X, y = digits()
    X_train, X_test, y_train, y_test = halves(X, y, seed)
    figures = {}
    for share in (0.0, 0.1):
        rng, labels = np.random.default_rng(seed), y_train.copy()
        wrong = rng.random(len(labels)) < share
        labels[wrong] = rng.integers(0, 10, wrong.sum())
        for smoothing in (0.0, 0.1):
            model = MLPClassifier((100,), random_state=seed, label_smoothing=smoothing)
            probabilities = model.fit(X_train, labels).predict_proba(X_test)
            of = f"{smoothing}, {share} random"
            figures[f"right, {of}"] = float((probabilities.argmax(axis=1) == y_test).mean())
            figures[f"log loss, {of}"] = metrics.log_loss(y_test, probabilities)
    return figures


def label_columns(seed: int) -> Figures:
    """The digit, its parity and its half, by one network and by three."""
    X, y = digits()
    columns = np.column_stack([y, y % 2, y // 5])
    X_train, X_test, y_train, y_test = train_test_split(
        X, columns, test_size=0.5, random_state=seed
    )
    one = MLPClassifier((96,), random_state=seed).fit(X_train, y_train)
    each = MultiOutputClassifier(MLPClassifier((32,), random_state=seed)).fit(X_train, y_train)
    return {"one network": one.score(X_test, y_test), "three": each.score(X_test, y_test)}


def losses(seed: int) -> Figures:
    """With a twentieth of the targets multiplied by ten, and without; and deviances."""
    X, y = datasets.load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y / 100, test_size=0.25, random_state=seed
    )
    X_train, X_test = scaled(X_train, X_test)
    spoilt, n = y_train.copy(), len(y_train)
    spoilt[np.random.default_rng(seed).choice(n, n // 20, replace=False)] *= 10

    def predict(loss: str, targets: np.ndarray) -> np.ndarray:
        model = MLPRegressor(
            *(loss, (16,)), learning_rate_init=0.005, max_iter=150, alpha=1.0, random_state=seed
        )
        return model.fit(X_train, targets).predict(X_test)

    figures = {}
    for loss in ("squared_error", "absolute_error", "huber"):
        for name, targets in (("clean", y_train), ("with errors", spoilt)):
            error = metrics.mean_absolute_error(y_test, predict(loss, targets))
            figures[f"off by, {loss}, {name}"] = error
    for loss in ("squared_error", "gamma"):
        positive = np.maximum(predict(loss, y_train), 1e-3)
        figures[f"gamma deviance, {loss}"] = metrics.mean_gamma_deviance(y_test, positive)
    return figures


def quantiles(seed: int) -> Figures:
    """Three by one network, and by a network each."""
    asked = [0.1, 0.5, 0.9]
    X, y = datasets.load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        StandardScaler().fit_transform(X), y / 100, test_size=0.5, random_state=seed
    )
    options = {"hidden_layer_sizes": (16,), "max_iter": 400, "alpha": 1.0, "random_state": seed}
    one = MLPRegressor("quantile", quantile=asked, **options).fit(X_train, y_train)
    each = [MLPRegressor("quantile", quantile=q, **options).fit(X_train, y_train) for q in asked]
    predicted = np.column_stack([model.predict(X_test) for model in each])
    return {
        "D2, one network": one.score(X_test, y_test),
        "D2, three": float(np.mean([model.score(X_test, y_test) for model in each])),
        "rows that cross, three": float((np.diff(predicted) < 0).any(axis=1).mean()),
    }


def standard_deviations(seed: int) -> Figures:
    """A spread that grows with x: how many targets lie within 1.645 standard deviations."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 3, (2000, 1))
    y = x.ravel() * (1 + 0.5 * rng.standard_normal(2000))
    options = {"hidden_layer_sizes": (16,), "random_state": seed}
    gaussian = MLPRegressor("gaussian", **options).fit(x[:1500], y[:1500])
    squared = MLPRegressor(**options).fit(x[:1500], y[:1500])
    spread = np.std(y[:1500] - squared.predict(x[:1500]))
    figures, is_small = {}, x[1500:, 0] < 1
    for name, model, (mean, std) in (
        ("gaussian", gaussian, gaussian.predict(x[1500:], return_std=True)),
        ("squared_error", squared, (squared.predict(x[1500:]), spread)),
    ):
        within = np.abs(y[1500:] - mean) < 1.645 * std
        figures[f"within, {name}"] = float(within.mean())
        figures[f"within, x below 1, {name}"] = float(within[is_small].mean())
        figures[f"R2, {name}"] = model.score(x[1500:], y[1500:])
    return figures


def validation_rows(seed: int) -> Figures:
    """Two hundred patients, each measured five times: rows at random, and patients of their own."""
    X, y = datasets.load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    X_few, X_test, y_few, y_test = train_test_split(X, y, train_size=200, random_state=seed)
    patient = np.repeat(np.arange(200), 5)
    rows = X_few[patient] + 0.1 * np.random.default_rng(seed).standard_normal((1000, X.shape[1]))
    targets = y_few[patient]
    options = {
        "hidden_layer_sizes": (64,), "early_stopping": True, "validation_fraction": 0.2,
        "n_iter_no_change": 40, "learning_rate_init": 0.003, "max_iter": 400, "random_state": 0,
    }  # fmt: skip
    groups = GroupShuffleSplit(1, test_size=0.2, random_state=0)
    train, held_out = next(groups.split(rows, groups=patient))
    at_random = MLPRegressor(**options).fit(rows, targets)
    of_their_own = MLPRegressor(**options).fit(
        rows[train], targets[train], X_val=rows[held_out], y_val=targets[held_out]
    )
    figures = {}
    for name, model in (("rows at random", at_random), ("patients", of_their_own)):
        figures[f"best epoch, {name}"] = model.best_iter_
        figures[f"R2 held out, {name}"] = model.best_validation_score_
        figures[f"R2 of test rows, {name}"] = model.score(X_test, y_test)
    return figures


def scoring(seed: int) -> Figures:
    """The accuracy and the loss, watched."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = halves(X, y, seed)
    X_train, X_test = scaled(X_train, X_test)
    figures = {}
    for watched in (None, "loss"):
        model = MLPClassifier(
            *((32,),), early_stopping=True, scoring=watched, validation_fraction=0.2, max_iter=500,
            learning_rate_init=0.003, random_state=seed,
        )  # fmt: skip
        probabilities = model.fit(X_train, y_train).predict_proba(X_test)
        figures[f"log loss, {watched}"] = metrics.log_loss(y_test, probabilities)
        figures[f"right, {watched}"] = model.score(X_test, y_test)
        figures[f"best epoch, {watched}"] = model.best_iter_
    return figures


def initial_weights(seed: int) -> Figures:
    """A hundred rows with noisy, or moved, pixels, after 900 that are as they are."""
    X, y = digits()
    X_train, X_rest, y_train, y_rest = train_test_split(
        X, y, train_size=900, random_state=seed, stratify=y
    )
    first = MLPClassifier((50,), random_state=seed).fit(X_train, y_train)
    noise = 0.4 * np.random.default_rng(seed).standard_normal(X_rest.shape)
    moved = np.roll(X_rest.reshape(-1, 8, 8), 1, axis=2).reshape(X_rest.shape)
    figures = {}
    for name, rows in (("noisy", X_rest + noise), ("moved", moved)):
        few, test, y_few, y_test = train_test_split(
            rows, y_rest, train_size=100, random_state=seed, stratify=y_rest
        )
        new, from_first = (MLPClassifier((50,), random_state=seed) for _ in range(2))
        new.fit(few, y_few)
        from_first.fit(few, y_few, coefs_init=first.coefs_, intercepts_init=first.intercepts_)
        for of, model in (("the first", first), ("new", new), ("from its weights", from_first)):
            figures[f"{name}, {of}"] = model.score(test, y_test)
    return figures


def hidden_activations(seed: int) -> Figures:
    """Odd digits by few labels; scaled tumours by their five nearest."""
    X, y = digits()
    X_train, X_rest, y_train, y_rest = halves(X, y, seed)
    network = MLPClassifier((50,), max_iter=100, random_state=seed).fit(X_train, y_train)
    hidden = HiddenActivations(FrozenEstimator(network))
    is_odd, figures = y_rest % 2, {}
    for n in (20, 100):
        for name, model in (
            ("pixels", KNeighborsClassifier(1)),
            ("hidden units", make_pipeline(hidden, KNeighborsClassifier(1))),
            ("a new network", MLPClassifier((50,), max_iter=500, random_state=seed)),
        ):
            model.fit(X_rest[:n], is_odd[:n])
            figures[f"odd by {n}, {name}"] = model.score(X_rest[n:], is_odd[n:])
    X, y = datasets.load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = halves(X, y, seed)
    network = MLPClassifier((16,), learning_rate_init=0.01, random_state=seed)
    for name, steps in (
        ("columns", [KNeighborsClassifier()]),
        ("hidden units", [HiddenActivations(network), KNeighborsClassifier()]),
        ("the network", [network]),
    ):
        model = make_pipeline(StandardScaler(), *steps).fit(X_train, y_train)
        figures[f"tumours, {name}"] = model.score(X_test, y_test)
    return figures


def learning_rates(seed: int) -> Figures:
    """Ten epochs of half of the digits, at rates that are high, and at one that is not."""
    X, y = digits()
    X_train, X_test, y_train, y_test = halves(X, y, seed)

    def right(**params: object) -> float:
        model = MLPClassifier((200, 200), batch_size=50, max_iter=10, random_state=seed)
        return model.set_params(**params).fit(X_train, y_train).score(X_test, y_test)

    figures = {}
    for name in ("constant", "cosine", "one_cycle", "exponential", "coslog4"):
        for rate in (0.01, 0.001):
            params = {"learning_rate": name, "learning_rate_init": rate}
            figures[f"right, adam, {rate}, {name}"] = right(**params)
    for warmup in (0.0, 0.1, 0.3):
        params = {"learning_rate": "cosine", "learning_rate_init": 0.4, "warmup": warmup}
        figures[f"right, sgd, 0.4, cosine, warmup {warmup}"] = right(solver="sgd", **params)
    return figures


def activations(seed: int) -> Figures:
    """One hidden layer, and eight."""
    figures = {}
    for hidden, max_iter in (((100,), 100), ((50,) * 8, 30)):
        for activation in ACTIVATIONS[1:]:
            figures[f"{len(hidden)} layers, {activation}"] = digits_right(
                seed, hidden, activation=activation, max_iter=max_iter
            )
    return figures


def inits(seed: int) -> Figures:
    """Sixteen hidden layers."""
    return {
        f"{activation}, {init}": digits_right(
            seed, (50,) * 16, activation=activation, init=init, max_iter=30
        )
        for activation in ("relu", "silu", "tanh", "selu")
        for init in INITIALIZERS
    }


def digits_right(seed: int, hidden: tuple[int, ...], **options: Any) -> float:
    """How much of half of the digits a network names right that learned the other half."""
    X_train, X_test, y_train, y_test = halves(*digits(), seed)
    model = MLPClassifier(hidden, random_state=seed, **options)
    return model.fit(X_train, y_train).score(X_test, y_test)


def of_diabetes(
    seed: int, *, unit: float = 100, **params: Any
) -> tuple[MLPRegressor, np.ndarray, np.ndarray]:
    """Two layers of 200 units, fitted to half of the patients, and the others."""
    X, y = datasets.load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=seed)
    X_train, X_test = scaled(X_train, X_test)
    model = MLPRegressor(
        hidden_layer_sizes=(200, 200), max_iter=100, tol=0, random_state=seed, **params
    )
    return model.fit(X_train, y_train / unit), X_test, y_test / unit


def weight_decay(seed: int) -> Figures:
    """Of a network that has room for all rows; and of one that classifies."""
    figures = {}
    X, y = datasets.load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = halves(X, y, seed)
    X_train, X_test = scaled(X_train, X_test)
    for decay in (0.01, 1.0, 10.0):
        params: dict[str, Any] = {"solver": "adamw", "weight_decay": decay}
        model, rows, targets = of_diabetes(seed, **params)
        figures[f"R², {decay}"] = model.score(rows, targets)
        classifier = MLPClassifier((200, 200), max_iter=100, tol=0, random_state=seed, **params)
        probabilities = classifier.fit(X_train, y_train).predict_proba(X_test)
        figures[f"log loss of tumours, {decay}"] = metrics.log_loss(y_test, probabilities)
        figures[f"right of tumours, {decay}"] = classifier.score(X_test, y_test)
    for alpha in (1.0, 10.0):
        model, rows, targets = of_diabetes(seed, alpha=alpha)
        figures[f"R² of adam, alpha={alpha}"] = model.score(rows, targets)
    return figures


def clipping(seed: int) -> Figures:
    """Of targets as they are, up to 346, for which steps of sgd are too long."""
    params: dict[str, Any] = {"solver": "sgd", "unit": 1}
    figures = {"fitted, None": 1.0}
    try:
        of_diabetes(seed, **params)
    except ValueError:  # weights that are not finite
        figures["fitted, None"] = 0.0
    for norm in (1.0, 10.0, 100.0):
        model, rows, targets = of_diabetes(seed, max_grad_norm=norm, **params)
        figures[f"R², {norm}"] = model.score(rows, targets)
    return figures


def dropout(seed: int) -> Figures:
    """Half of the digits, a fifth of their labels drawn at random; and a network that is small."""
    X, y = digits()
    X_train, X_test, y_train, y_test = halves(X, y, seed)
    rng, spoilt = np.random.default_rng(seed), y_train.copy()
    wrong = rng.random(len(spoilt)) < 0.2
    spoilt[wrong] = rng.integers(0, 10, wrong.sum())
    figures = {}
    for hidden, labels, of in (
        ((200, 200), spoilt, "two of 200, a fifth random"),
        ((200, 200), y_train, "two of 200"),
        ((16,), y_train, "one of 16"),
    ):
        for probability in (0.0, 0.2, 0.5):
            model = MLPClassifier(
                *(hidden,), max_iter=60, batch_size=50, dropout=probability, random_state=seed
            )
            figures[f"{of}, dropout {probability}"] = model.fit(X_train, labels).score(
                X_test, y_test
            )
    X, y = datasets.load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y / 100, test_size=0.25, random_state=seed
    )
    X_train, X_test = scaled(X_train, X_test)
    for name, dropped in (
        ("none", {}),
        ("0.5 of units", {"dropout": 0.5}),
        ("and 0.2 of inputs", {"dropout": 0.5, "input_dropout": 0.2}),
    ):
        regressor = MLPRegressor(
            *("squared_error", (200, 200)),
            max_iter=200,
            batch_size=50,
            random_state=seed,
            **dropped,
        )
        figures[f"R2 of diabetes, {name}"] = regressor.fit(X_train, y_train).score(X_test, y_test)
    return figures


# By the guide's headings.
SECTIONS: dict[str, Callable[[int], Figures]] = {
    "Class weights": class_weights,
    "Label smoothing": label_smoothing,
    "Labels in several columns": label_columns,
    "What a regressor minimises": losses,
    "Bands of quantiles": quantiles,
    "Means and standard deviations": standard_deviations,
    "A validation set of your own": validation_rows,
    "What early stopping watches": scoring,
    "Activations": activations,
    "How weights are drawn": inits,
    "Initial weights": initial_weights,
    "Schedules of the learning rate": learning_rates,
    "Weight decay": weight_decay,
    "Clipped gradients": clipping,
    "Hidden layers as features": hidden_activations,
    "Dropout": dropout,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.options")
    parser.add_argument("--splits", type=int, default=10)
    splits = parser.parse_args().splits
    warnings.simplefilter("ignore")  # fits end with max_iter, on purpose
    found: dict[str, list[Figures]] = {title: [] for title in SECTIONS}
    with progress(splits * len(SECTIONS)) as step:
        for title, section in SECTIONS.items():
            for seed in range(splits):
                found[title].append(section(seed))
                step(f"{title}, split {seed}")
    for title, rows in found.items():
        print(f"\n{title}")
        for name in rows[0]:
            values = [row[name] for row in rows]
            print(f"  {name:44}{np.mean(values):9.3f} ± {np.std(values):.3f}")


if __name__ == "__main__":
    main()

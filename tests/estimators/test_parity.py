"""Random settings, trained by scikit-learn and by us: the same numbers.

Some settings are chaotic: scikit-learn differs from itself once its products, activations
and step lengths are rounded otherwise. Those are counted and not compared.
MLP_C_PARITY_SETTINGS says how many settings to draw for each estimator, solver and dtype.
"""

import copy
import os
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import sklearn.neural_network
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.neural_network import _multilayer_perceptron as reference
from sklearn.utils import _safe_indexing
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.multiclass import unique_labels

import mlp_c
from support.settings import draw_setting

N_SETTINGS = int(os.environ.get("MLP_C_PARITY_SETTINGS", "25"))
# By dtype: how far scikit-learn may move from itself, and we from scikit-learn.
TOLERANCES = {np.float64: (1e-8, 1e-6), np.float32: (1e-4, 1e-3)}


@pytest.mark.timeout(max(300, 3 * N_SETTINGS))
@pytest.mark.parametrize(
    ("solver", "dtype"),
    [
        ("sgd", np.float64),
        ("adam", np.float64),
        ("lbfgs", np.float64),
        ("sgd", np.float32),
        ("adam", np.float32),  # scikit-learn's lbfgs does not return float32
    ],
)
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_settings_give_scikit_learns_numbers(name, solver, dtype):
    """Fitted attributes, predictions, scores, warnings and errors are scikit-learn's."""
    outcomes = Counter()
    misfits = []
    for seed in range(N_SETTINGS):
        setting = draw_setting(name, solver, seed, dtype)
        theirs = observe(sklearn.neural_network, name, setting)
        if is_chaotic(name, setting, theirs, TOLERANCES[dtype][0]):
            outcomes["chaotic"] += 1
            continue
        outcomes["raises" if "error" in theirs else "compared"] += 1
        misfit = find_misfit(observe(mlp_c, name, setting), theirs, TOLERANCES[dtype][1])
        if misfit is not None:
            misfits.append(f"seed {seed}: {misfit}")
    print(dict(outcomes))
    assert not misfits, "\n".join(misfits)
    assert outcomes["chaotic"] <= 0.1 * N_SETTINGS
    assert outcomes["raises"] <= 0.2 * N_SETTINGS


def observe(module, name, setting):
    """All that can be seen of an estimator that went through a setting."""
    params = copy.deepcopy(setting.params)
    if module is mlp_c:
        params["n_threads"] = setting.n_threads
    model = getattr(module, name)(**params)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            train(model, setting)
            seen = {name: value for name, value in vars(model).items() if is_public(name)}
            only_ours = ["learning_rate_curve_", "validation_loss_curve_", "best_iter_"]
            only_ours += ["loss_curve_"] if setting.params["solver"] == "lbfgs" else []
            seen = {name: value for name, value in seen.items() if name not in only_ours}
            seen["predict"] = model.predict(setting.X)
            if is_classifier(model):
                seen["predict_proba"] = model.predict_proba(setting.X)
                # NumPy's exp of float32 is 0 where ours is subnormal.
                least = np.log(np.finfo(seen["predict_proba"].dtype).tiny)
                log_proba = model.predict_log_proba(setting.X)
                seen["predict_log_proba"] = np.maximum(log_proba, least)
            seen["score"] = model.score(setting.X, setting.y, setting.sample_weight)
        except Exception as error:
            return {"error": type(error)}
    return seen | {"warnings": {w.category for w in caught} - {RuntimeWarning}}


def is_public(attribute):
    return attribute.endswith("_") and not attribute.startswith("_")


def train(model, setting):
    """Call what the setting's course says."""
    data = setting.X, setting.y, setting.sample_weight
    if setting.course == "partial":
        classes = {"classes": unique_labels(setting.y)} if is_classifier(model) else {}
        for first in range(3):
            rows = np.arange(first, setting.n, 3)
            X, y, weight = (_safe_indexing(a, rows) if a is not None else None for a in data)
            model.partial_fit(X, y, sample_weight=weight, **classes)
        return
    model.fit(*data)
    if setting.course == "warm":
        if hasattr(
            model, "_best_coefs"
        ):  # scikit-learn's, which it trains on itself: see differences
            model._best_coefs = [w.copy() for w in model.coefs_]
            model._best_intercepts = [b.copy() for b in model.intercepts_]
        model.fit(*data)
    if setting.course == "both":
        model.partial_fit(*data)


def is_chaotic(name, setting, theirs, tolerance):
    """Whether scikit-learn, rounding otherwise, has other numbers; or one that is not finite."""
    rng = np.random.RandomState(0)
    nearby = {k: np.nextafter(setting.params[k], 1.0) for k in ("alpha", "learning_rate_init")}
    setting = replace(setting, params=setting.params | nearby)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "safe_sparse_dot", rounded_otherwise(safe_sparse_dot, rng))
        for activation in ("logistic", "tanh", "softmax", "exp"):
            function = rounded_otherwise(reference.ACTIVATIONS[activation], rng)
            patch.setitem(reference.ACTIVATIONS, activation, function)
        again = observe(sklearn.neural_network, name, setting)
    stable = find_misfit(again, theirs, tolerance) is None
    return not (stable and np.isfinite(theirs.get("loss_curve_", 0)).all())


def rounded_otherwise(function, rng):
    """A function whose results, new or in place, are off by a rounding up or down."""

    def perturbed(first, *others):
        result = function(first, *others)
        result = first if result is None else result
        result *= 1 + np.finfo(result.dtype).eps * rng.choice(signs, result.shape)
        return result

    signs = np.array([-1, 1], dtype=np.float32)
    return perturbed


def find_misfit(ours, theirs, tolerance):
    """The first thing by which two observations differ, or None."""
    if ours.keys() != theirs.keys():
        return f"only one has {sorted(ours.keys() ^ theirs.keys())}: {ours} {theirs}"
    for name, value in theirs.items():
        if not are_alike(ours[name], value, tolerance):
            return f"{name} is {ours[name]!r}, not {value!r}"
    return None


def are_alike(ours, theirs, tolerance):
    """Whether numbers agree, relative to the array's greatest, and all else is equal."""
    if isinstance(theirs, list) and theirs and isinstance(theirs[0], np.ndarray):
        return len(ours) == len(theirs) and all(
            are_alike(a, b, tolerance) for a, b in zip(ours, theirs, strict=True)
        )
    if issparse(theirs):
        return issparse(ours) and are_alike(ours.toarray(), theirs.toarray(), tolerance)
    if isinstance(theirs, np.ndarray) and theirs.dtype != ours.dtype:
        return False
    if np.asarray(theirs).dtype.kind != "f":
        return np.array_equal(ours, theirs)
    if np.shape(ours) != np.shape(theirs):
        return False
    greatest = np.abs(np.where(np.isfinite(theirs), theirs, 0)).max(initial=0)
    # A loss of probabilities near 1 is as exact as their last bit.
    atol = tolerance * greatest + 4 * np.finfo(np.asarray(theirs).dtype).eps
    return np.allclose(ours, theirs, rtol=0, atol=atol, equal_nan=True)

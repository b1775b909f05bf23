"""
A schedule of your own
======================

``learning_rate`` names a schedule, or is one: a function of t, the part of the fit that is over.
It is called once an epoch with an array of t, from 0 to below 1, and returns as many factors of
``learning_rate_init``.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from mlp_c import MLPClassifier
from mlp_c.plotting import LossCurveDisplay

# %%
# Three schedules
# ---------------
#
# "Flat, then down" keeps the rate for two thirds of the fit and then lets it fall to zero in a
# straight line.


def flat_then_down(t):
    return np.minimum(1, 3 * (1 - t))


schedules = {"constant": "constant", "cosine": "cosine", "flat, then down": flat_then_down}

# %%
# Five fits of each
# -----------------
#
# There is time for fifteen epochs, at a rate that is too high to end with.
# ``n_iter_no_change=np.inf`` makes all of them, so that each schedule comes to its end. The
# warning that a fit ended by ``max_iter`` is turned off, as it is meant to. Single fits differ by
# chance, so each schedule has five splits into training and test rows.

X, y = load_digits(return_X_y=True)
warnings.simplefilter("ignore", ConvergenceWarning)
models = {}
for name, schedule in schedules.items():
    scores = []
    for seed in range(5):
        X_train, X_test, y_train, y_test = train_test_split(
            X / 16, y, test_size=0.5, random_state=seed
        )
        model = MLPClassifier(
            hidden_layer_sizes=(200, 200),
            learning_rate=schedule,
            learning_rate_init=0.02,
            batch_size=50,
            max_iter=15,
            n_iter_no_change=np.inf,
            random_state=seed,
        )
        scores.append(100 * model.fit(X_train, y_train).score(X_test, y_test))
    models[name] = model
    print(f"{name:16} {np.mean(scores):.1f} ± {np.std(scores):.1f} % of the test digits right")

# %%
# Rates and losses
# ----------------
#
# The curves are those of the last split. At the constant rate the loss jumps to the end. With
# both of the others it falls farther once the rate has fallen.

plt.style.use("petroff10")
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
looks = [{"color": "C0"}, {"color": "C1", "linestyle": "--"}, {"color": "C2", "linestyle": "-."}]
for (name, model), look in zip(models.items(), looks, strict=True):
    LossCurveDisplay.from_estimator(model, kind="learning_rate", ax=left, name=name, **look)
    LossCurveDisplay.from_estimator(model, ax=right, name=name, **look)
right.set(yscale="log")
plt.show()

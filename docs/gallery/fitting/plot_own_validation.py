"""
A validation set of your own
============================

Early stopping holds out a tenth of the rows at random. Where rows come in groups, that tenth is
too much like the rest: the network has seen the same patient, day or instrument. ``fit``
therefore takes rows of your own to validate with, as ``X_val`` and ``y_val``.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit
from sklearn.preprocessing import StandardScaler

from mlp_c import MLPRegressor
from mlp_c.plotting import LossCurveDisplay

# %%
# Patients who were measured five times
# -------------------------------------
#
# Of scikit-learn's diabetes patients, 200 are for training. Each is there five times, with a
# little noise, as if measured again. The other 242 patients are new.

X, y = load_diabetes(return_X_y=True)
order = np.random.RandomState(0).permutation(len(X))
scaler = StandardScaler().fit(X[order[:200]])
patients = np.repeat(order[:200], 5)
rows = scaler.transform(X[patients])
rows += 0.1 * np.random.RandomState(1).standard_normal(rows.shape)
targets = y[patients] / 100
new_rows, new_targets = scaler.transform(X[order[200:]]), y[order[200:]] / 100

# %%
# Two ways to hold rows out
# -------------------------
#
# A fifth of the rows at random, or all rows of a fifth of the patients. The network and its
# parameters are the same.

at_random = ShuffleSplit(1, test_size=0.2, random_state=0).split(rows)
by_patient = GroupShuffleSplit(1, test_size=0.2, random_state=0).split(rows, groups=patients)
models = {}
for name, splits in {"rows at random": at_random, "patients of their own": by_patient}.items():
    train, held_out = next(splits)
    model = MLPRegressor(
        hidden_layer_sizes=(100, 100),
        early_stopping=True,
        scoring="loss",
        n_iter_no_change=30,
        max_iter=1000,
        random_state=0,
    )
    model.fit(rows[train], targets[train], X_val=rows[held_out], y_val=targets[held_out])
    models[name] = model
    on_held_out = model.score(rows[held_out], targets[held_out])
    on_new = model.score(new_rows, new_targets)
    print(f"{name}: best epoch {model.best_iter_}")
    print(f"    R² of rows held out {on_held_out:.2f}, of new patients {on_new:.2f}")

# %%
# Which curve to believe
# ----------------------
#
# With rows at random, the held-out loss falls along with the training loss, and the best epoch
# comes late: the network learns each patient by heart, and the rows held out reward it for that.
# With patients of their own, the held-out loss turns upwards early, and the fit ends with weights
# that suit new patients better.

plt.style.use("petroff10")
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    LossCurveDisplay.from_estimator(model, ax=ax)
    ax.set(title=name, yscale="log")
plt.show()

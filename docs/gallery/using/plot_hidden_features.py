"""
A hidden layer as features
==========================

A network that knows one question about rows has learned what matters in them. Its hidden layer
helps another model with another question, for which few answers are known.
:class:`mlp_c.HiddenActivations` makes the layer a step of a pipeline.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from mlp_c import HiddenActivations, MLPClassifier

# %%
# The first question
# ------------------
#
# Half of scikit-learn's digits teach a network of 50 hidden units which digit it is.

X, digit = load_digits(return_X_y=True)
X = X / 16
order = np.random.RandomState(0).permutation(len(X))
known, new = order[:900], order[900:]
network = MLPClassifier((50,), max_iter=500, random_state=0).fit(X[known], digit[known])

# %%
# The second question
# -------------------
#
# Is a digit odd? That is known of few of the other half. The nearest of them answers for the
# rest: nearest by pixels, or by hidden units. ``FrozenEstimator`` keeps the pipeline from fitting
# the network anew. Each number of known answers is tried with 20 draws.

by_pixels = KNeighborsClassifier(1)
by_units = make_pipeline(HiddenActivations(FrozenEstimator(network)), KNeighborsClassifier(1))
is_odd, sizes = digit % 2, [10, 20, 50, 100, 200]
scores = {"pixels": by_pixels, "hidden units": by_units}
for name, model in list(scores.items()):
    scores[name] = np.empty((len(sizes), 20))
    for i, j in np.ndindex(scores[name].shape):
        drawn = np.random.RandomState(j).permutation(new)
        few, rest = drawn[: sizes[i]], drawn[sizes[i] :]
        scores[name][i, j] = model.fit(X[few], is_odd[few]).score(X[rest], is_odd[rest])
    print(f"{name:12}", " ".join(f"{mean:6.1%}" for mean in scores[name].mean(axis=1)))

# %%
# The fewer answers are known, the more the hidden units help. Bars are standard deviations over
# the draws.

plt.style.use("petroff10")
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for (name, values), marker in zip(scores.items(), "so", strict=True):
    mean, deviation = 100 * values.mean(axis=1), 100 * values.std(axis=1)
    ax.errorbar(sizes, mean, deviation, marker=marker, capsize=4, label=name)
ax.set(xscale="log", xlabel="known answers", ylabel="right answers (%)")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend()
plt.show()

# %%
# What the layer sees
# -------------------
#
# t-SNE draws rows that are near each other as points that are near each other. Digits of one kind
# are together in both pictures; by hidden units most of their groups lie farther from the others.

shown = new[:300]
spaces = {"pixels": X[shown], "hidden units": by_units[:-1].transform(X[shown])}
with threadpool_limits(limits=1):  # so few points keep no second thread busy
    places = [TSNE(random_state=0).fit_transform(rows) for rows in spaces.values()]
fig, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for ax, name, points in zip(axes, spaces, places, strict=True):
    for (x, height), d in zip(points, digit[shown], strict=True):
        ax.text(x, height, d, color=f"C{d}", ha="center", va="center", fontsize=8, weight="bold")
        ax.update_datalim([(x, height)])
    ax.autoscale_view()
    ax.set(title=name, xlabel="first t-SNE coordinate", ylabel="second t-SNE coordinate")
plt.show()

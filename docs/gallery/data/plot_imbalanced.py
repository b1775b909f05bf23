"""
Rare classes
============

Where one class is rare, a network learns to say the other one. ``class_weight="balanced"``
multiplies the loss of each row so that both classes weigh the same. This example shows what that
changes, and what not.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import PrecisionRecallDisplay, precision_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from mlp_c import MLPClassifier

# %%
# The data
# --------
#
# Of scikit-learn's breast tumours, 37 % are malignant. To make them rare, 12 of them stay among
# the training rows. The test rows keep all.

X, y = load_breast_cancer(return_X_y=True)
is_malignant = y == 0
X_train, X_test, y_train, y_test = train_test_split(
    X, is_malignant, test_size=0.5, stratify=is_malignant, random_state=0
)
kept = np.r_[np.flatnonzero(y_train)[:12], np.flatnonzero(~y_train)]
scaler = StandardScaler().fit(X_train[kept])
rows, targets, test_rows = scaler.transform(X_train[kept]), y_train[kept], scaler.transform(X_test)
print(f"training: {targets.sum()} malignant, {(~targets).sum()} benign")
print(f"test:     {y_test.sum()} malignant, {(~y_test).sum()} benign")

# %%
# Two fits
# --------
#
# Recall is the share of the malignant tumours that are found; precision is the share of malignant
# ones among those that are called so.

models = {}
for name, class_weight in {"no weights": None, "balanced": "balanced"}.items():
    model = MLPClassifier((16,), class_weight=class_weight, max_iter=1000, random_state=0)
    models[name] = model.fit(rows, targets)
    found = model.predict(test_rows)
    recall, precision = recall_score(y_test, found), precision_score(y_test, found)
    print(f"{name:10}  recall {recall:.2f}, precision {precision:.2f}")

# %%
# Thresholds
# ----------
#
# A curve has a point for each threshold of the probability; the large marks are at 0.5, where
# ``predict`` decides. With weights, the mark is farther to the right: more of the malignant
# tumours are found. Most of that way can be gone without weights, too, along the other curve, by
# a lower threshold; the rest is that the network with weights ranks these tumours somewhat
# better. Where probabilities matter, leave the weights out and choose a threshold, as
# scikit-learn's ``TunedThresholdClassifierCV`` does: with weights, the probabilities are those of
# classes that are equally frequent.

plt.style.use("petroff10")
fig, ax = plt.subplots(figsize=(6, 4.8), layout="constrained")
for (name, model), color, marker in zip(models.items(), ["C0", "C1"], "os", strict=True):
    PrecisionRecallDisplay.from_estimator(
        model, test_rows, y_test, name=name, ax=ax, curve_kwargs={"color": color}
    )
    found = model.predict(test_rows)
    point = recall_score(y_test, found), precision_score(y_test, found)
    ax.plot(*point, marker, color=color, markersize=11, label=f"{name}, at 0.5")
ax.set(xlabel="recall", ylabel="precision", xlim=(0.4, 1.01), ylim=(0.4, 1.03), aspect="auto")
ax.legend(loc="lower left")
plt.show()

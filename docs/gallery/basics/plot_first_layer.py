"""
The weights of the first layer
==============================

Each hidden unit multiplies the pixels by weights of its own and adds them up. Weights of pixels
can be drawn as a picture: :class:`mlp_c.plotting.WeightsDisplay` shows what makes a unit respond,
in red, and what holds it back, in blue.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from mlp_c import MLPClassifier
from mlp_c.plotting import WeightsDisplay

X, y = load_digits(return_X_y=True)
X = X / 16

# %%
# With the usual penalty
# ----------------------
#
# ``alpha=0.0001``, the default, hardly restrains the weights. They keep much of the noise with
# which they began: pixels side by side have weights that have little to do with each other. The
# units drawn are the sixteen with the largest weights.

loose = MLPClassifier((32,), learning_rate_init=0.005, max_iter=500, random_state=0).fit(X, y)
WeightsDisplay.from_estimator(loose)
plt.show()

# %%
# With a stronger one
# -------------------
#
# A larger ``alpha`` pulls weights towards zero that do not earn their keep. What is left is
# smoother: strokes and gaps that digits have in common.

strict = MLPClassifier((32,), alpha=2.0, learning_rate_init=0.005, max_iter=500, random_state=0)
strict.fit(X, y)
WeightsDisplay.from_estimator(strict)
plt.show()

# %%
# How much of it is noise
# -----------------------
#
# A number says the same: how alike the weights of neighbours are. It is the correlation between a
# unit's picture and the same picture moved by one pixel to the right, once for each unit. Dead
# units, all of whose weights the penalty has brought to nearly zero, are left out.


def smoothness(model):
    pictures = model.coefs_[0].T.reshape(-1, 8, 8)
    pictures = pictures[np.abs(pictures).max(axis=(1, 2)) > 1e-3]
    return [np.corrcoef(p[:, :-1].ravel(), p[:, 1:].ravel())[0, 1] for p in pictures]


plt.style.use("petroff10")
fig, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
bins = np.linspace(-0.5, 1, 31)
for model, color, hatch in ((loose, "C0", ""), (strict, "C1", "//")):
    values = smoothness(model)
    label = f"alpha={model.alpha}: {len(values)} units, {model.score(X, y):.1%} of digits right"
    ax.hist(values, bins, color=color, alpha=0.7, hatch=hatch, label=label)
ax.set(xlabel="correlation of neighbouring weights", ylabel="units")
ax.margins(y=0.4)  # room for the legend
ax.legend()
plt.show()

"""
A classifier and its loss curve
===============================

:class:`mlp_c.MLPClassifier` takes the place of scikit-learn's estimator of that name. Here it
learns scikit-learn's digits, with rows held out that say when to stop.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mlp_c import MLPClassifier
from mlp_c.plotting import LossCurveDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)

# %%
# ``early_stopping=True`` holds out a tenth of the training rows. ``scoring="loss"`` watches their
# loss: where it has not fallen for ten epochs, the fit ends with the weights of the best epoch.

model = MLPClassifier(
    hidden_layer_sizes=(100,),
    learning_rate_init=0.005,
    early_stopping=True,
    scoring="loss",
    max_iter=300,
    random_state=0,
)
model.fit(X_train, y_train)
print(f"{model.n_iter_} epochs, the best of them {model.best_iter_}")
print(f"{model.score(X_test, y_test):.1%} of the test digits are named right")

# %%
# The loss curve
# --------------
#
# The loss of the training rows goes on falling for as long as the fit lasts. That of the rows
# held out levels off: what the network learns from there on helps with the training rows alone.

plt.style.use("petroff10")
display = LossCurveDisplay.from_estimator(model)
display.ax_.set(yscale="log")
plt.show()

# %%
# The errors
# ----------
#
# Test digits that it names wrong, twelve at the most, those first that it is surest about.
# Several are hard to read at 8 x 8 pixels.

predicted, sure = model.predict(X_test), model.predict_proba(X_test).max(axis=1)
wrong = np.flatnonzero(predicted != y_test)
fig, axes = plt.subplots(2, 6, figsize=(9, 3.9), layout="constrained")
for ax, i in zip(axes.flat, wrong[np.argsort(-sure[wrong])], strict=False):
    ax.imshow(X_test[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"is {y_test[i]}, named {predicted[i]}\n{sure[i]:.0%} sure", fontsize=9)
for ax in axes.flat:
    ax.set_axis_off()
fig.suptitle(f"{len(wrong)} of {len(y_test)} test digits are named wrong")
plt.show()

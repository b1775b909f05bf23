"""
What a fit leaves to look at
============================

A fit can be watched as it goes, by a table of its epochs, and looked at afterwards: notebooks
draw the model, and pandas takes ``history_``.
"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import mlp_c

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)

# %%
# As it goes
# ----------
#
# :class:`mlp_c.EpochTable` is a callback. In a terminal it prints a line for every tenth epoch,
# as here; in a notebook it keeps one table up to date. Below the table is what a notebook shows
# of a fitted model: its parameters, its layers, and the course of its loss.

model = mlp_c.MLPClassifier(
    hidden_layer_sizes=(50,),
    learning_rate_init=0.005,
    early_stopping=True,
    scoring="loss",
    max_iter=300,
    random_state=0,
)
model.set_callbacks(mlp_c.EpochTable(every=10)).fit(X_train, y_train)

# %%
# The history
# -----------
#
# ``history_`` is a dict of lists, a value for each epoch.

history = pd.DataFrame(model.history_).set_index("epoch")
history.tail()

# %%
# From there, all that pandas can do is at hand: here the best epoch, and the time until it was
# reached.

best = history["validation_loss"].idxmin()
print(f"best epoch {best}; best_iter_ says {model.best_iter_}")
seconds = history["seconds"].cumsum()
print(f"reached after {seconds[best]:.2f} s of {seconds.iloc[-1]:.2f} s")

# %%
# Both losses fall together at first. From then on the gap between them grows, which is what the
# network learns of the training rows alone.

plt.style.use("petroff10")
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
history[["loss", "validation_loss"]].plot(ax=ax, style=["-", "--"], linewidth=2, logy=True)
ax.fill_between(
    history.index, history["loss"], history["validation_loss"], color="C2", alpha=0.15, label="gap"
)
ax.axvline(best, color="0.4", linestyle=":", label="best epoch")
ax.set(xlabel="epoch", ylabel="cross-entropy (nats)")
ax.legend()
plt.show()

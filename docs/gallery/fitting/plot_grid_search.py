"""
A grid search and its threads
=============================

A search has two ways to use several CPUs: several fits at a time (``n_jobs`` of the search), or
several threads in each fit (``n_threads`` of the estimator). The results are the same in both, to
the last bit; the times are not.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from mlp_c import MLPClassifier

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
grid = {"alpha": [0.01, 1.0, 10.0], "hidden_layer_sizes": [(10,), (30,), (100,)]}


def search(n_jobs, n_threads):
    model = MLPClassifier(
        learning_rate_init=0.01, tol=1e-3, max_iter=200, n_threads=n_threads, random_state=0
    )
    return GridSearchCV(model, grid, cv=3, n_jobs=n_jobs).fit(X, y)


# %%
# Two fits at a time, or two threads a fit
# ----------------------------------------
#
# With ``n_jobs=2``, joblib starts two processes. The first search with them also pays for their
# start, so a small one comes before the clock begins. ``n_threads=None``, the default, would find
# out by itself: a process of joblib's tells it its share of the CPUs.

ways = {"one of each": (1, 1), "n_threads=2": (1, 2), "n_jobs=2": (2, 1)}
GridSearchCV(MLPClassifier(tol=1), {"alpha": [1, 2]}, cv=2, n_jobs=2).fit(X, y)
searches, seconds = {}, {}
for name, way in ways.items():
    begin = time.perf_counter()
    searches[name] = search(*way)
    seconds[name] = time.perf_counter() - begin
scores = [found.cv_results_["mean_test_score"] for found in searches.values()]
print("same scores in all three:", all(np.array_equal(scores[0], other) for other in scores))
print("best:", searches["n_jobs=2"].best_params_)

# %%
# Scores and times
# ----------------
#
# The strongest penalty costs accuracy at every width; with the weakest, more units score better.
# The times are those of one run on the machine that built this page, which may have been busy. Fits
# as small as these gain little or nothing from a second thread, so several fits at a time are the
# better use of idle CPUs while there are more fits than CPUs.

plt.style.use("petroff10")
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
table = scores[0].reshape(3, 3)
image = left.imshow(table, cmap="cividis")
for row, column in np.ndindex(3, 3):
    color = "black" if table[row, column] > table.mean() else "white"
    left.text(column, row, f"{table[row, column]:.1%}", ha="center", va="center", color=color)
left.set_xticks(range(3), [width for (width,) in grid["hidden_layer_sizes"]])
left.set_yticks(range(3), grid["alpha"])
left.set(xlabel="hidden units", ylabel="alpha", title="Mean accuracy of three folds")
bars = right.barh([*seconds], [*seconds.values()], color=["C3", "C1", "C0"])
right.bar_label(bars, fmt="{:.1f} s", padding=3)
right.set(xlabel="time of the search (s)", title="28 fits")
right.margins(x=0.15)
right.invert_yaxis()
plt.show()

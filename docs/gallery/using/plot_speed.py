"""
Speed against scikit-learn
==========================

The same fits by scikit-learn's MLP and by ours, in turns, with one thread each. This is a small
measurement on whatever machine built this page, perhaps a busy one. The pages on benchmarks have
more careful ones, with more threads and more rivals.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import sklearn.neural_network
from scipy.sparse import random_array
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import mlp_c

warnings.simplefilter("ignore", ConvergenceWarning)  # two epochs are no training, but can be timed
print("instruction set of mlp_c:", mlp_c.show_config(mode="dicts")["isa"])

# %%
# Three kinds of rows
# -------------------
#
# Small pictures, a table of numbers, and rows like texts, of which 0.2 % are not zero. Both
# libraries get the same float32 rows and the same parameters.

rng = np.random.default_rng(0)
X, y = load_digits(return_X_y=True)
table = rng.standard_normal((10_000, 40), np.float32)
texts = random_array((2_000, 5_000), density=0.002, format="csr", dtype=np.float32, rng=rng)
cases = {
    "digits: 1,797 x 64": ((X / 16).astype(np.float32), y),
    "table: 10,000 x 40": (table, (table[:, 0] > 0).astype(int)),
    "texts (CSR): 2,000 x 5,000": (texts, rng.integers(0, 5, 2_000)),
}

# %%
# Five rounds, in turns
# ---------------------
#
# In each round, each library has its turn with each kind of rows. So a machine that is busy for a
# while slows both. A time is that of a fit of two epochs, divided by two; it includes checks and
# the start. threadpoolctl keeps scikit-learn's BLAS and ours to one thread.

libraries = {"scikit-learn": sklearn.neural_network.MLPClassifier, "mlp_c": mlp_c.MLPClassifier}
times = {name: np.empty((5, len(cases))) for name in libraries}  # milliseconds
with threadpool_limits(limits=1):
    for i, (j, rows) in ((i, case) for i in range(5) for case in enumerate(cases.values())):
        for name, library in libraries.items():
            model = library((100,), max_iter=2, random_state=0)
            begin = time.perf_counter()
            model.fit(*rows)
            times[name][i, j] = 1e3 * (time.perf_counter() - begin) / 2
median = {name: np.median(values, axis=0) for name, values in times.items()}
for j, case in enumerate(cases):
    ratio = median["scikit-learn"][j] / median["mlp_c"][j]
    print(f"{case:28} scikit-learn takes {ratio:4.1f} times as long as mlp_c")

# %%
# The times
# ---------
#
# Bars are medians, and points are the five rounds. Each kind of rows has a scale of its own.

plt.style.use("petroff10")
fig, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained")
for j, (ax, case) in enumerate(zip(axes, cases, strict=True)):
    bars = ax.bar([*libraries], [values[j] for values in median.values()], color=["C3", "C0"])
    ax.bar_label(bars, fmt="{:.1f} ms", label_type="center")
    for name, values in times.items():
        ax.plot([name] * 5, values[:, j], ".", color="black", alpha=0.6)
    ax.set(title=case, ylim=(0, None))
axes[0].set_ylabel("time of an epoch (ms)")
plt.show()

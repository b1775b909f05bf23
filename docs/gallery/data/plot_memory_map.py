"""
Rows in a file, not in memory
=============================

A NumPy memory map is an array whose values stay in a file. The estimators read it where it lies,
a batch at a time. So a fit needs memory for a batch and for the network, however long the file
is.
"""

import tempfile
import threading
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import psutil
from sklearn.exceptions import ConvergenceWarning

from mlp_c import MLPRegressor

# %%
# A file of rows
# --------------
#
# The rows are written block by block, for the same reason. A file of 200 MB is small, so that
# this page is soon built; nothing below depends on its size.

N_ROWS, N_COLUMNS = 250_000, 200
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.npy"
rng = np.random.default_rng(0)
slopes = rng.standard_normal(N_COLUMNS, np.float32) / np.sqrt(N_COLUMNS, dtype=np.float32)
rows = np.lib.format.open_memmap(path, "w+", np.float32, (N_ROWS, N_COLUMNS))
y = np.empty(N_ROWS, np.float32)
for start in range(0, N_ROWS, 10_000):
    block = rng.standard_normal((10_000, N_COLUMNS), np.float32)
    rows[start : start + 10_000] = block
    y[start : start + 10_000] = np.tanh(2 * block @ slopes)
del rows  # closes the file
size = path.stat().st_size / 1e6
print(f"{size:.0f} MB in the file")

# %%
# Two fits, watched
# -----------------
#
# A thread looks 50 times a second at how much memory the process has that is not shared. Pages of
# the file do not count, which Linux counts as shared: they are the system's cache, and it takes
# them back whenever it needs them. The second fit reads the file into an array first, to see the
# difference.


class Watch(threading.Thread):
    """Notes the process's own memory, in MB, until it is told to stop."""

    def __enter__(self):
        self.seconds, self.used, self.over = [], [], threading.Event()
        self.start()
        return self

    def run(self):
        begin, process = time.perf_counter(), psutil.Process()
        while not self.over.wait(0.02):
            memory = process.memory_info()
            self.seconds.append(time.perf_counter() - begin)
            self.used.append((memory.rss - memory.shared) / 1e6)

    def __exit__(self, *_):
        self.over.set()
        self.join()


model = MLPRegressor(hidden_layer_sizes=(64,), batch_size=1000, max_iter=2, random_state=0)
warnings.simplefilter("ignore", ConvergenceWarning)  # two epochs are enough here
curves = {}
for name, mode in {"memory map": "r", "array in memory": None}.items():
    with Watch(daemon=True) as watch:
        time.sleep(0.2)
        X = np.load(path, mmap_mode=mode)
        model.fit(X, y)
    curves[name] = watch.seconds, np.subtract(watch.used, watch.used[0])
    print(f"{name:15}  loss {model.loss_:.5f}, {curves[name][1].max():4.0f} MB more at the most")
    del X
folder.cleanup()

# %%
# Memory over time
# ----------------
#
# With the memory map, the fit takes a few MB more than before it, and stays there. With the
# array, the whole file is in memory until the end. Both fits come to the same loss, and a larger
# file would lift the upper curve alone.

plt.style.use("petroff10")
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, (seconds, used)), style in zip(curves.items(), ["-", "--"], strict=True):
    ax.plot(seconds, used, style, linewidth=2.5, label=name)
ax.axhline(size, color="0.4", linestyle=":", label="size of the file")
ax.set(xlabel="time (s)", ylabel="memory of its own, above the start (MB)")
ax.legend(loc="center right")
plt.show()

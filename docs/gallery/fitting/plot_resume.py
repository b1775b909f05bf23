"""
A fit that was killed goes on
=============================

A power cut, a batch system, a process killed for want of memory: :class:`mlp_c.Checkpoint` writes
a fit to a file as it goes, and :func:`mlp_c.resume` goes on from there. The result has the bits
that the fit would have come to if nothing had stopped it. Here a process is really killed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import mlp_c

# %%
# The process
# -----------
#
# A script fits digits and writes a checkpoint every 20 epochs. A callback of our own says when 50
# epochs are over and then waits, so that the kill comes at the same place whenever this page is
# built.

SCRIPT = """
import sys
import time
import mlp_c
from sklearn.datasets import load_digits

class WaitAt50:
    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...
    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch" and estimator.n_iter_ == 50:
            print("50 epochs are over", flush=True)
            time.sleep(600)

X, y = load_digits(return_X_y=True)
model = mlp_c.MLPClassifier(random_state=0, max_iter=500)
model.set_callbacks(mlp_c.Checkpoint(sys.argv[1], every=20), WaitAt50()).fit(X / 16, y)
"""

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "fit.safetensors"
process = subprocess.Popen(
    [sys.executable, "-c", SCRIPT, str(path)], stdout=subprocess.PIPE, text=True
)
print("the process says:", process.stdout.readline().strip())
process.kill()
process.communicate()
print("it ended with status", process.returncode)

# %%
# What the file holds
# -------------------
#
# The last checkpoint is that of epoch 40: the ten epochs after it are lost. ``load`` reads it as
# the model of that time, ``resume`` goes on to the end. It wants the same rows again, and checks
# that they are.

X, y = load_digits(return_X_y=True)
at_checkpoint = mlp_c.load(path)
resumed = mlp_c.resume(path, X / 16, y)
print(f"{at_checkpoint.n_iter_} epochs in the file, {resumed.n_iter_} at the end")

# %%
# The same bits
# -------------
#
# For comparison, the same fit without a break.

whole = mlp_c.MLPClassifier(random_state=0, max_iter=500).fit(X / 16, y)
print("same loss curve:", resumed.loss_curve_ == whole.loss_curve_)
print("same weights:   ", all(map(np.array_equal, resumed.coefs_, whole.coefs_)))
folder.cleanup()

plt.style.use("petroff10")
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
epochs = np.arange(1, resumed.n_iter_ + 1)
ax.plot(epochs, whole.loss_curve_, color="0.7", linewidth=7, label="without a break")
ax.plot(epochs[:40], resumed.loss_curve_[:40], color="C0", linewidth=2, label="before the kill")
ax.plot(epochs[39:], resumed.loss_curve_[39:], "--", color="C1", linewidth=2, label="resumed")
ax.axvline(50, color="C2", linestyle=":", label="killed")
ax.set(xlabel="epoch", ylabel="cross-entropy (nats)", yscale="log")
ax.legend()
plt.show()

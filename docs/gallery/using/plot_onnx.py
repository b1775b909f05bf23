"""
A model in onnxruntime
======================

:func:`mlp_c.to_onnx` writes a fitted model for the runtimes of ONNX. They predict without this
package, without scikit-learn and without Python. This example compares their probabilities with
those of the model.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import mlp_c

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)

# %%
# Two models, two files
# ---------------------
#
# A model has the arithmetic of its training rows, and the file keeps it: one is of float32, one
# of float64.

differences = {}
for dtype in (np.float32, np.float64):
    model = mlp_c.MLPClassifier(max_iter=500, random_state=0).fit(X_train.astype(dtype), y_train)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.onnx"
        mlp_c.to_onnx(model, path)
        n_bytes = path.stat().st_size
        session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()
    label, probabilities = session.run(None, {given.name: X_test.astype(dtype)})
    expected = model.predict_proba(X_test.astype(dtype))
    differences[np.dtype(dtype).name] = np.abs(probabilities - expected)
    print(f"{given.name}: {given.type} {given.shape}, {n_bytes / 1e3:.0f} kB")
    print("  same labels:", np.array_equal(label, model.predict(X_test.astype(dtype))))
    print(f"  greatest difference of a probability: {differences[np.dtype(dtype).name].max():.1e}")

# %%
# How close is close
# ------------------
#
# The labels are the same. The probabilities differ by rounding, because another runtime adds in
# another order. The vertical lines are the distance from 1 to the next number of each precision.
# Differences of 0 are drawn at the left edge.

plt.style.use("petroff10")
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, values), color in zip(differences.items(), ["C0", "C1"], strict=True):
    largest = values.max(axis=1)
    ax.ecdf(np.maximum(largest, 1e-18), color=color, linewidth=2.5, label=name)
    ax.axvline(np.finfo(name).eps, color=color, linestyle=":", label=f"next to 1 in {name}")
ax.set(xscale="log", xlabel="greatest difference of its probabilities", ylabel="share of digits")
ax.legend()
plt.show()

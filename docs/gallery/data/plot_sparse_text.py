"""
Sparse text
===========

Words of a text become a row with a column for each word of the vocabulary. Nearly all of it is
zero. scikit-learn's vectorizers store such rows in compressed form (CSR), and the estimators
train on that form: no dense copy is made, and the cost of a row grows with its words and not with
the vocabulary.

The texts are the summaries of SciPy's functions, the first lines of their docstrings. The
question is which part of SciPy a summary belongs to.
"""

import inspect
from importlib import import_module

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from mlp_c import MLPClassifier

PARTS = ["linalg", "ndimage", "optimize", "signal", "special", "stats"]
texts = {}
for part in PARTS:
    module = import_module(f"scipy.{part}")
    for name in module.__all__:
        text = (inspect.getdoc(getattr(module, name)) or "").split("\n\n")[0]
        if len(text.split()) > 3:
            texts.setdefault(text, part)
labels = list(texts.values())
print({part: labels.count(part) for part in PARTS})

# %%
# From texts to rows
# ------------------
#
# Words are weighted by how rare they are (tf-idf). The names of the parts are taken out: they
# would tell.

train, test, y_train, y_test = train_test_split([*texts], labels, stratify=labels, random_state=0)
words = TfidfVectorizer(token_pattern=r"[a-z]{3,}", stop_words=["scipy", *PARTS], dtype=np.float32)
X_train, X_test = words.fit_transform(train), words.transform(test)
n_bytes = X_train.data.nbytes + X_train.indices.nbytes + X_train.indptr.nbytes
print("texts, words:", X_train.shape, f"with {X_train.nnz / X_train.shape[0]:.1f} words a text")
print(f"CSR: {n_bytes / 1e6:.2f} MB; dense: {np.prod(X_train.shape) * 4 / 1e6:.2f} MB")

# %%
# The fit
# -------
#
# The matrix goes to ``fit`` as it is. Half of the hidden units are dropped at each step, as there
# are more words than texts to learn them from.

model = MLPClassifier(
    (64,), dropout=0.5, learning_rate_init=0.005, max_iter=200, tol=1e-3, random_state=0
)
model.fit(X_train, y_train)
print(f"{model.score(X_test, y_test):.1%} of the test texts are put where they belong")

# %%
# Where the errors are
# --------------------
#
# Most texts are on the diagonal. Some of the others would puzzle a reader as well:

predicted = model.predict(X_test)
for i in np.flatnonzero(predicted != y_test)[:3]:
    print(f"{y_test[i]}, predicted as {predicted[i]}: {' '.join(test[i].split())}")

# %%
# In the picture, a row adds up to 100 %, and shares below 0.5 % are left blank.

plt.style.use("petroff10")
fig, ax = plt.subplots(figsize=(6, 5), layout="constrained")
display = ConfusionMatrixDisplay.from_predictions(
    y_test, predicted, normalize="true", values_format=".0%", cmap="Blues", ax=ax, colorbar=False
)
for share, text in zip(display.confusion_matrix.ravel(), display.text_.ravel(), strict=True):
    text.set_visible(share >= 0.005)
ax.set(xlabel="predicted part of SciPy", ylabel="true part of SciPy")
plt.show()

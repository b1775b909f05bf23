"""Models in ONNX, what onnxruntime makes of rows with them, and rows with labels of every kind."""

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from scipy.sparse import csr_matrix

from mlp_c import to_onnx

_rng = np.random.default_rng(0)
ROWS = _rng.normal(size=(80, 6))
NEW_ROWS = 2 * _rng.normal(size=(300, 6))
CODES = _rng.integers(0, 3, 80)
TARGETS = ROWS @ _rng.normal(size=(6, 2)) + 0.1 * _rng.normal(size=(80, 2))

LABELS = {
    "integers": CODES,
    "two": CODES % 2,
    "one": np.zeros(80, int),
    "negative and far apart": np.array([-5, 7, 2**60])[CODES],
    "beyond int64": np.array([1, 2**63 + 9, 2**64 - 1], np.uint64)[CODES],
    "bytes": np.array([1, 2, 250], np.uint8)[CODES],
    "truth": CODES == 1,
    "floats": np.array([0.0, 1.0, -3.0])[CODES],
    "float32": np.array([0.0, 1.0, 2.0], np.float32)[CODES],
    "text": np.array(["ant", "bee", "Käfer 🐞"])[CODES],
    "two words": np.array(["no", "yes"])[CODES % 2],
    "objects of text": np.array(["ant", "bee", "cat"], object)[CODES],
    "series": pd.Series(["ant", "bee", "cat"])[CODES],
    "indicator": np.eye(3, dtype=int)[CODES] | np.eye(3, dtype=int)[(CODES + 1) % 3],
    "sparse indicator": csr_matrix(np.eye(3, dtype=int)[CODES]),
}

COLUMNS = {
    "integers": np.stack([CODES, CODES[::-1] + 5], axis=1),
    "text": np.array(["a", "b", "c"])[np.stack([CODES, CODES[::-1]], axis=1)],
    "integers and floats": np.array(
        [[a, float(b)] for a, b in zip(CODES, CODES[::-1], strict=True)]
    ),
    "mixed": np.array([[a, "xyz"[b]] for a, b in zip(CODES, CODES[::-1], strict=True)], object),
}


def run(proto, feed):
    """The outputs of a model, which onnx finds nothing wrong with, by their names."""
    onnx.checker.check_model(proto, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


def predict(model, X, **options):
    """What onnxruntime makes of the rows of an array, by a fitted model of ours."""
    return run(to_onnx(model, **options), {"X": X})


def tolerance(dtype):
    """How far floats may differ from those of `predict`."""
    return 1e-6 if dtype == np.float32 else 1e-12


def feed_of(table):
    """A table as a session takes it: a column of each name, in which no text is missing."""
    feed = {}
    for name in table.columns:
        values = table[name]
        if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
            values = values.fillna("").astype(object)
        elif values.dtype != bool:
            values = values.astype(np.float64)
        feed[name] = values.to_numpy()[:, np.newaxis]
    return feed

"""Models in ONNX, and what onnxruntime makes of rows with them."""

import numpy as np
import onnx
import onnxruntime

from mlp_c import to_onnx


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

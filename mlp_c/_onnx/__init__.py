"""Fitted models as graphs of ONNX's standard operators."""

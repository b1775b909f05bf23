"""Models in files of safetensors form: arrays as tensors, all else as JSON in the metadata.

The metadata have one entry, `mlp_c`: the text of a JSON object with ``sha256``, the digest of the
whole file but for its own digits, for which zeros are taken; ``class``; the parts of a state but
for ``own``; and in a checkpoint ``checkpoint``. In these, JSON's objects stand for what JSON has
not: see `_to_json`.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mlp_c._saving import checks, state
from mlp_c._saving.atomic import write_atomically
from mlp_c._saving.registry import ESTIMATORS, StoredEstimator
from mlp_c._system.blocks import blocks

_ENTRY = "mlp_c"
_NO_DIGEST = b"0" * 64

# As it stands in a header. Strings elsewhere have more backslashes: it is found once.
_DIGEST = re.compile(rb'\\"sha256\\": \\"([0-9a-f]{64})\\"')

# The arrays that are tensors, by their types' characters.
_TENSOR_TYPES = "?bBhHiIlLqQefd"


def save(model: StoredEstimator, path: Any, checkpoint: dict[str, Any] | None = None) -> None:
    """Write a model, without what is the user's own, and what a checkpoint has besides.

    Raises
    ------
    TypeError
        If the model is of another class, or has something that a file cannot hold.
    """
    cls = type(model)
    if cls is not ESTIMATORS.get(cls.__name__):
        raise TypeError(
            f"a file holds an {' or '.join(ESTIMATORS)} of mlp_c's, got "
            f"{cls.__module__}.{cls.__qualname__}"
        )
    content = {"class": cls.__name__, **model.__getstate__()}
    del content["own"]
    left_out = state.leave_out_callables(cls, content)
    if checkpoint is not None:
        content["checkpoint"] = {**checkpoint, **({"left_out": left_out} if left_out else {})}
    write_atomically(path, pack(content))


def load(path: Any) -> Any:
    """Load a model that ``save`` has written.

    Nothing in a file is run, and everything in it is checked: see ``docs/guide/state.md``.

    Parameters
    ----------
    path : str or path-like
        The file; one that a `Checkpoint` has written gives the model as it was then.

    Returns
    -------
    MLPClassifier, MLPRegressor, TabularMLPClassifier or TabularMLPRegressor
        The model, which predicts, and goes on with `partial_fit`, as the one saved does. Its
        callbacks, and attributes that are not this package's, are not in the file.

    Raises
    ------
    ValueError
        If the file is damaged, or no file of a model, or of a newer version of this package.
    OSError
        If it cannot be read.
    ImportError
        If safetensors is not installed: ``pip install safetensors``.

    See Also
    --------
    MLPClassifier.save, MLPRegressor.save : Save a model.

    Examples
    --------
    >>> import os, tempfile
    >>> import mlp_c
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = mlp_c.MLPClassifier(random_state=1, max_iter=500).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "iris.safetensors")
    ...     model.save(path)
    ...     same = mlp_c.load(path)
    >>> bool((same.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    return restore(read(path))


def read(path: Any) -> dict[str, Any]:
    """What is in a file of a model, not checked yet."""
    with open(path, "rb") as file:
        contents = file.read()
    try:
        return unpack(contents)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)!r}: {error}") from error


def restore(content: dict[str, Any]) -> Any:
    """The model that has the class and the state of what was read."""
    cls = ESTIMATORS[checks.one_of(*ESTIMATORS)("class", content.get("class"))]
    parts = [part for part in state.PARTS if part != "own"]
    checks.entries("the whole", content, ["class", *parts], ["checkpoint"])
    model = cls.__new__(cls)
    model.__setstate__({part: content[part] for part in parts} | {"own": {}})
    return model


# ---- the bytes of a file ----


def require_safetensors() -> Any:
    """The library; an ImportError with advice where it is absent."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "files of models need safetensors, which is not installed: pip install safetensors"
        ) from error
    return safetensors


def pack(content: dict[str, Any]) -> list[bytes | memoryview]:
    """The parts of a file that holds a dict of plain data."""
    tensors: dict[str, np.ndarray] = {}
    document = {"sha256": _NO_DIGEST.decode()}
    document |= {key: _to_json(part, key, tensors) for key, part in content.items()}
    metadata = {_ENTRY: json.dumps(document, allow_nan=False)}
    contents = require_safetensors().numpy.save(tensors, metadata)
    found = _find_digest(contents)
    assert found is not None
    start, stop = found.span(1)
    return [contents[:start], _digest(contents, start, stop), memoryview(contents)[stop:]]


def unpack(contents: bytes) -> dict[str, Any]:
    """What a file holds.

    Raises
    ------
    ValueError
        If `contents` are not, to the bit, what `pack` gives for something.
    """
    library = require_safetensors()
    found = _find_digest(contents)
    if found is None or _digest(contents, *found.span(1)) != found[1]:
        raise ValueError("this file is damaged, or was not made by mlp_c")
    with _malformed():
        document = json.loads(json.loads(_header(contents))["__metadata__"][_ENTRY])
        del document["sha256"]
    state.check_format(document)
    with _malformed(library.SafetensorError):
        tensors = library.numpy.load(contents)
        content = {key: _from_json(part, tensors) for key, part in document.items()}
    if tensors:
        raise ValueError(f"this file was not made by mlp_c: nothing uses {list(tensors)}")
    return content


@contextmanager
def _malformed(*errors: type[Exception]) -> Iterator[None]:
    """Make a ValueError of what reading data that are not as they should be may raise."""
    known = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
    expected: tuple[type[Exception], ...] = (*errors, *known)
    try:
        yield
    except expected as error:
        raise ValueError(f"this file was not made by mlp_c: {error!r}") from error


def _header(contents: bytes) -> bytes:
    """The header, or as much as there is of one whose length is wrong."""
    return contents[8 : 8 + int.from_bytes(contents[:8], "little")]


def _find_digest(contents: bytes) -> re.Match[bytes] | None:
    return _DIGEST.search(contents, 8, 8 + len(_header(contents)))


def _digest(contents: bytes, start: int, stop: int) -> bytes:
    """The digits of the digest of a file whose own are from `start` to `stop`."""
    digest = hashlib.sha256(contents[:start] + _NO_DIGEST)
    for block in blocks(np.frombuffer(contents, np.uint8, offset=stop)):
        digest.update(block.data)
    return digest.hexdigest().encode()


# ---- plain data as JSON and tensors ----


def _to_json(value: Any, name: str, tensors: dict[str, np.ndarray]) -> Any:
    """Plain data as JSON, whose arrays are put among the tensors.

    An object of JSON has one entry: ``dict``; ``pairs``, for one with keys that are no strings;
    ``tuple``; ``float`` for one that is not finite;
    ``tensor`` for the name of an array of numbers; ``scalar`` for that of a NumPy scalar.
    """
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, np.generic):
        return {"scalar": _to_json(np.asarray(value), name, tensors)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, (list, tuple)):
        items = [_to_json(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {
            "dict": {key: _to_json(item, f"{name}.{key}", tensors) for key, item in value.items()}
        }
    if isinstance(value, dict):
        pairs = enumerate(map(list, value.items()))
        return {"pairs": [_to_json(pair, f"{name}.{i}", tensors) for i, pair in pairs]}
    if isinstance(value, np.ndarray) and value.dtype.char in _TENSOR_TYPES:
        tensors[name] = np.require(value, None, ["C", "E"])
        return {"tensor": name}
    what = f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__
    raise TypeError(f"{name} is a {what}, which a file cannot hold")


def _from_json(value: Any, tensors: dict[str, np.ndarray]) -> Any:
    """The data that `_to_json` was given; takes the tensors that it uses."""
    if isinstance(value, list):
        return [_from_json(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, item),) = value.items()
    match kind:
        case "dict":
            return {key: _from_json(inner, tensors) for key, inner in item.items()}
        case "pairs":
            return dict(_from_json(item, tensors))
        case "tuple":
            return tuple(_from_json(item, tensors))
        case "float":
            return float(item)
        case "tensor":
            return tensors.pop(item)
        case "scalar":
            return _from_json(item, tensors)[()]
    raise TypeError(f"JSON of an unknown kind: {kind}")

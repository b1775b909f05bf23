"""Files that are cut, changed, of others or forged: a ValueError, at no cost in memory."""

import hashlib
import json
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlp_c
from mlp_c import MLPRegressor
from mlp_c._saving import files
from mlp_c._saving.state import FORMAT
from support.states import CASES, NUMBERS, X, assert_predicts, fitted, make, packed

safetensors = pytest.importorskip("safetensors.numpy")  # there is none for all Pythons
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# ---- damaged files ----


@pytest.fixture(scope="module")
def small():
    """The bytes of a file of few."""
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", max_iter=1, random_state=0)
    return packed(content_of(model.fit(X[:, :1], NUMBERS)))


def content_of(model, **changes):
    content = {"class": type(model).__name__, **model.__getstate__()}
    del content["own"]
    return content | changes


def test_a_file_that_is_cut_anywhere_is_refused(small):
    assert files.unpack(small)["class"] == "MLPRegressor"
    for length in range(len(small)):
        with pytest.raises(ValueError, match="damaged"):
            files.unpack(small[:length])


def test_a_file_with_any_bit_flipped_is_refused(small):
    flipped = bytearray(small)
    for position in range(len(small)):
        for bit in range(8):
            flipped[position] ^= 1 << bit
            with pytest.raises(ValueError, match="damaged"):
                files.unpack(bytes(flipped))
            flipped[position] ^= 1 << bit


@pytest.mark.parametrize("more", [b"\0", b"more", bytes(1000)])
def test_a_file_that_is_too_long_is_refused(small, more):
    with pytest.raises(ValueError, match="damaged"):
        files.unpack(small + more)


@pytest.mark.parametrize("contents", [b"", b"{}", bytes(8), b"\xff" * 100, b"\x80\x04N."])
def test_files_of_other_kinds_are_refused_by_name(contents, path):
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=re.escape(repr(str(path))) + ".*not made by mlp_c"):
        mlp_c.load(path)


def test_the_files_of_others_are_refused(path):
    safetensors.save_file({"weight": X}, path, {"format": "np"})
    with pytest.raises(ValueError, match="not made by mlp_c"):
        mlp_c.load(path)


# ---- files that someone has made with care: the digest is right ----


def signed(contents):
    """With the digest that the file should have."""
    start, stop = files._find_digest(contents).span(1)
    zeroed = contents[:start] + b"0" * 64 + contents[stop:]
    return contents[:start] + hashlib.sha256(zeroed).hexdigest().encode() + contents[stop:]


def file_of(document, tensors=None):
    """A file with any document and tensors."""
    text = json.dumps({"sha256": "0" * 64, "format": 1, **document})
    return signed(safetensors.save(tensors or {}, {"mlp_c": text}))


def abyss(depth):
    """A file whose JSON has lists in lists."""
    document = '{"sha256": "%s", "format": 1, "a": %s1%s}'
    text = document % ("0" * 64, "[" * depth, "]" * depth)
    return signed(safetensors.save({}, {"mlp_c": text}))


FORGED = {
    "newer": (lambda: file_of({"format": FORMAT + 1}), "newer version"),
    "of a format to come": (lambda: packed(content_of(make("gelu"), format=3)), "newer version"),
    "without a class": (lambda: file_of({}), "MLPClassifier"),
    "of another class": (lambda: file_of({"class": "Popen"}), "Popen"),
    "of a list of classes": (lambda: file_of({"class": ["MLPClassifier"]}), "MLPClassifier"),
    "without a state": (lambda: file_of({"class": "MLPClassifier"}), "parameters"),
    "with an unknown part": (lambda: packed(content_of(make("adam"), more=1)), "more"),
    "with what is of a user": (lambda: packed(content_of(make("adam"), own={})), "own"),
    "with an array that is not there": (
        lambda: file_of({"class": {"tensor": "coefs_"}}),
        "coefs_",
    ),
    "with an array twice": (
        lambda: file_of({"a": {"tensor": "x"}, "b": {"tensor": "x"}}, {"x": X}),
        "'x'",
    ),
    "with an array too many": (lambda: file_of({}, {"x": X}), "'x'"),
    "with an unknown object": (lambda: file_of({"a": {"call": "f"}}), "call"),
    "with an object of two": (lambda: file_of({"a": {"dict": {}, "tuple": []}}), "unpack"),
    "with a dict of no dict": (lambda: file_of({"a": {"dict": 1}}), "items"),
    "with a tuple of no list": (lambda: file_of({"a": {"tuple": 1}}), "iterable"),
    "with a scalar of no array": (lambda: file_of({"a": {"scalar": [1]}}), "list indices"),
    "with a number of no number": (lambda: file_of({"a": {"float": "one"}}), "one"),
    "with deep lists": (lambda: abyss(900), "recursion|class"),
    "with an abyss": (lambda: abyss(10**5), "recursion"),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_file_that_is_forged_is_refused(what, path):
    forge, named = FORGED[what]
    path.write_bytes(forge())
    with pytest.raises(ValueError, match=named):
        mlp_c.load(path)


def with_activations(case, value, **changes):
    """The file of a fitted model in which someone has written other activations."""
    content = content_of(fitted(case)[0], **changes)
    return packed(content | {"parameters": content["parameters"] | {"activation": value}})


JUNK_NAMES = [
    "odd",
    "",
    3,
    None,
    ["odd"],
    ["gelu", 3],
    [["gelu", "tanh"]],
    {"0": "gelu"},
    ["softmax"],
]


@pytest.mark.parametrize("junk", JUNK_NAMES, ids=repr)
@pytest.mark.parametrize("case", ["gelu", "an activation each", "adam"])
def test_a_file_with_junk_for_activations_is_read_and_predicts_nothing(case, junk, path):
    """Under either format. Set right, the parameter predicts."""
    model, rows, _ = fitted(case)
    for number in (1, 2):
        path.write_bytes(with_activations(case, junk, format=number))
        twin = mlp_c.load(path)
        with pytest.raises((TypeError, ValueError), match="activation"):
            twin.predict(rows)
        twin.set_params(activation=model.activation)
        np.testing.assert_array_equal(twin.predict(rows), model.predict(rows))


@pytest.mark.parametrize("names", [[], ["gelu"], ["gelu"] * 3, ("tanh",) * 100], ids=len)
def test_a_file_with_activations_for_another_network_is_read_and_predicts_nothing(names, path):
    """The kernels count layers, not names: the prediction is refused, and so is more training."""
    _, rows, targets = fitted("an activation each")
    path.write_bytes(with_activations("an activation each", names))
    model = mlp_c.load(path)
    assert model.activation == names
    assert_predicts(model, rows)
    with pytest.raises(ValueError, match="2 hidden layers"):
        model.partial_fit(rows, targets)


def test_a_file_says_in_its_text_what_the_activations_are(path):
    """The format is 2 for a list, 1 for a name that older versions know."""
    for case, number, activation in (
        ("an activation each", 2, ["gelu", "tanh"]),
        ("gelu", 2, "gelu"),
        ("lbfgs", 1, "relu"),
    ):
        fitted(case)[0].save(path)
        with safetensors.safe_open(path, "np") as file:
            document = json.loads(file.metadata()["mlp_c"])
        assert document["format"] == number
        assert document["parameters"]["dict"]["activation"] == activation


def replaced(contents, old, new):
    """With a part of the header, which becomes longer or shorter, replaced."""
    length = int.from_bytes(contents[:8], "little")
    header = contents[8 : 8 + length].replace(old, new)
    assert header != contents[8 : 8 + length]
    return signed(len(header).to_bytes(8, "little") + header + contents[8 + length :])


def with_length(contents, length):
    return signed(length.to_bytes(8, "little") + contents[8:])


SHAPE, OFFSETS, DTYPE = b'"shape":[1,1]', b'"data_offsets":[0', b'"dtype":"F64"'
ABSURD = {
    "a header beyond the file": lambda c: with_length(c, 2**40),
    "a header beyond all memory": lambda c: with_length(c, 2**64 - 1),
    "a shape beyond the file": lambda c: replaced(c, SHAPE, b'"shape":[1048576,1048576]'),
    "a shape beyond all numbers": lambda c: replaced(c, SHAPE, b'"shape":[%d,4]' % 2**62),
    "offsets beyond the file": lambda c: replaced(c, OFFSETS, b'"data_offsets":[%d' % 2**50),
    "offsets below 0": lambda c: replaced(c, OFFSETS, b'"data_offsets":[-8'),
    "another dtype": lambda c: replaced(c, DTYPE, b'"dtype":"F32"'),
    "a dtype of no array": lambda c: replaced(c, DTYPE, b'"dtype":"F8_E5M2"'),
}


@pytest.mark.parametrize("what", ABSURD)
def test_a_file_with_an_absurd_header_is_refused_and_takes_no_memory(what, small, path):
    path.write_bytes(ABSURD[what](small))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="not made by mlp_c"):
            mlp_c.load(path)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


FILES = [(packed(content_of(model)), rows) for model, rows, _ in map(fitted, CASES)]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes_with_the_right_digest_are_refused_or_are_a_model(data):
    contents, rows = data.draw(st.sampled_from(FILES))
    contents = bytearray(contents)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(contents) - 1))
        contents[position] = data.draw(st.integers(0, 255))
    if files._find_digest(bytes(contents)) is None:
        return
    try:
        model = files.restore(files.unpack(signed(bytes(contents))))
    except ValueError:
        return
    if hasattr(model, "coefs_"):
        with np.errstate(all="ignore"):
            assert_predicts(model, np.asarray(rows))

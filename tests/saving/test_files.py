"""Models in files: what was saved comes back, or an error; a file is the old one or the new."""

import copy
import hashlib
import json
import os
import pathlib
import re
import stat
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor
from mlp_c._saving import atomic, files
from runners import kill
from support.states import CASES, FORMS, NUMBERS, X, fitted, make, outcome, packed

safetensors = pytest.importorskip("safetensors.numpy")  # there is none for all Pythons
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
each_case = pytest.mark.parametrize("case", CASES)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
not_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


# ---- there and back ----


@each_case
def test_a_model_comes_back_from_a_file_as_it_was(case, path):
    model, rows, targets = fitted(case)
    model.save(path)
    loaded = mlp_c.load(path)
    assert outcome(loaded) == outcome(model)
    np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))
    if model.solver != "lbfgs" and not model.early_stopping:
        assert outcome(loaded.partial_fit(rows, targets)) == outcome(
            model.partial_fit(rows, targets)
        )


@each_case
def test_an_unfitted_model_comes_back_from_a_file(case, path):
    make(case).save(path)
    assert outcome(mlp_c.load(path)) == outcome(make(case))


VALUES = [
    *(2**200, -(2**63), 0.1 + 0.2, 5e-324, -0.0, np.inf, -np.inf, "\ud800é"),
    *((1, [2.5, (None, True)]), {"a": {"b": ()}}),
    *(np.int8(-3), np.float32(0.1), np.bool_(True), np.array(3), np.zeros((0, 2), np.uint16)),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_data_come_back_with_their_types(value, path):
    """As a parameter, which may be anything before a fit."""
    MLPClassifier(tol=value).save(path)
    loaded = mlp_c.load(path).tol
    assert type(loaded) is type(value)
    assert repr(loaded) == repr(value)
    assert getattr(loaded, "dtype", None) == getattr(value, "dtype", None)


def test_nan_comes_back(path):
    MLPClassifier(tol=np.nan).save(path)
    assert np.isnan(mlp_c.load(path).tol)


@pytest.mark.parametrize("form", FORMS)
def test_weights_of_any_form_are_saved(form, path):
    model, _, _ = fitted("adam")
    changed = copy.deepcopy(model)
    changed.coefs_ = [FORMS[form](w) for w in changed.coefs_]
    changed.save(path)
    assert outcome(mlp_c.load(path)) == outcome(model)


def test_any_reader_of_safetensors_finds_the_arrays_and_the_rest(path):
    model, _, _ = fitted("adam")
    model.save(path)
    with safetensors.safe_open(path, "np") as file:
        document = json.loads(file.metadata()["mlp_c"])
        np.testing.assert_array_equal(file.get_tensor("fitted.coefs_.1"), model.coefs_[1])
    assert document["class"] == "MLPClassifier"
    assert document["parameters"]["dict"]["hidden_layer_sizes"] == {"tuple": [3]}
    assert document["fitted"]["dict"]["classes_"] == {
        "dict": {"dtype": "<U9", "labels": ["ant", "bee", "wolverine"]}
    }


def test_the_same_model_makes_the_same_bytes(path):
    model, _, _ = fitted("early stopping")
    model.save(path)
    first = path.read_bytes()
    mlp_c.load(path).save(path)
    assert path.read_bytes() == first


class Silent:
    def setup(self, estimator, context):
        pass

    teardown = on_fit_task_begin = on_fit_task_end = setup


def test_callbacks_and_attributes_of_users_are_left_out(path):
    model, _, _ = fitted("adam")
    plain = outcome(model)
    model.note = object()
    model.set_callbacks(Silent()).save(path)
    assert outcome(mlp_c.load(path)) == plain


class Subclass(MLPRegressor):
    pass


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (Subclass(), "Subclass"),
        (MLPClassifier(alpha=1j), "parameters.alpha is a complex"),
        (MLPClassifier(hidden_layer_sizes=range(3)), "hidden_layer_sizes is a range"),
        (MLPClassifier(hidden_layer_sizes=[3, {4}]), r"hidden_layer_sizes\.1 is a set"),
        (MLPClassifier(hidden_layer_sizes=np.array([3, 4], object)), "object array"),
        (MLPClassifier(random_state=np.random.RandomState(np.random.PCG64())), "RandomState"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_a_file_cannot_hold_is_named_and_no_file_is_made(model, named, path):
    with pytest.raises(TypeError, match=named):
        model.save(path)
    assert os.listdir(path.parent) == []


def test_without_safetensors_the_extra_is_named(path, monkeypatch):
    make("adam").save(path)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"mlp_c\[files\]"):
        make("adam").save(path)
    with pytest.raises(ImportError, match=r"mlp_c\[files\]"):
        mlp_c.load(path)


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
    "newer": (lambda: file_of({"format": 2}), "newer version"),
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
            assert len(model.predict(np.asarray(rows))) == len(rows)


# ---- writing ----


def saved(path, model="adam"):
    make(model).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("step", ["open", "chmod", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_step_that_fails_leaves_the_old_file_and_no_other(step, error, path, monkeypatch):
    before = saved(path)

    def fail(*_):
        raise error

    where = atomic if step == "open" else os
    monkeypatch.setattr(where, step, fail, raising=False)
    with pytest.raises(error):
        make("lbfgs").save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_the_whole_file_and_then_the_directory_are_on_the_disk(path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        status = os.fstat(descriptor)
        steps.append("directory" if stat.S_ISDIR(status.st_mode) else status.st_size)
        fsync(descriptor)

    def note_replace(*paths):
        steps.append("replace")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    make("adam").save(path)
    assert steps == [path.stat().st_size, "replace", *([] if os.name == "nt" else ["directory"])]


@pytest.mark.skipif(os.name == "nt", reason="needs permissions")
def test_permissions_are_the_usual_ones_or_those_of_the_file_before(path):
    before = os.umask(0o027)
    try:
        make("adam").save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    make("adam").save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_and_what_it_points_to_is_replaced(path, tmp_path):
    (tmp_path / "models").mkdir()
    target = tmp_path / "models" / "first"
    path.symlink_to(target)
    make("adam").save(path)
    assert path.is_symlink()
    assert mlp_c.load(target).get_params() == make("adam").get_params()
    assert os.listdir(target.parent) == ["first"]


@pytest.mark.parametrize("kind", [str, os.fsencode, pathlib.Path])
def test_paths_are_text_bytes_or_path_likes(kind, path):
    make("adam").save(kind(path))
    assert mlp_c.load(kind(path)).get_params() == make("adam").get_params()


@pytest.mark.parametrize("value", [None, 3, 1.5, ["model"]])
def test_what_is_no_path_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"path|str"):
        make("adam").save(value)


def test_a_relative_path_is_one_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make("adam").save("model")
    assert os.listdir() == ["model"]
    mlp_c.load("model")


def below_a_file(path):
    path.write_text("")
    return path / "model"


def a_pipe(path):
    os.mkfifo(path)
    return path


def read_only(path):
    path.mkdir(mode=0o500)
    return path / "model"


PLACES = {
    "no such directory": (lambda path: path / "model", FileNotFoundError),
    "a file as a directory": (below_a_file, NotADirectoryError),
    "a directory": (lambda path: path.parent, IsADirectoryError),
    "a pipe": (a_pipe, OSError),
    "a name too long": (lambda path: path.parent / ("x" * 300), OSError),
    "a read-only directory": (read_only, PermissionError),
}


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
@pytest.mark.parametrize(
    "place", [pytest.param(p, marks=not_root if "read-only" in p else ()) for p in PLACES]
)
def test_places_where_no_file_can_be_are_named(place, path):
    where, error = PLACES[place]
    where = where(path)
    with pytest.raises(error) as caught:
        make("adam").save(where)
    assert caught.value.filename == str(where)
    assert not list(path.parent.glob("**/.*.tmp"))


def test_a_file_that_is_not_there_is_not_found(path):
    with pytest.raises(FileNotFoundError):
        mlp_c.load(path)


@needs_fork
def test_a_process_killed_as_it_saves_leaves_the_old_file_or_the_new(tmp_path):
    one, other, cut = kill.kill_saves(15, tmp_path)
    assert one + other == 15
    assert cut > 0

"""Models in files: what was saved comes back; a file is the old one or the new."""

import copy
import json
import os
import pathlib
import stat
import sys

import numpy as np
import pytest

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor
from mlp_c._saving import atomic
from runners import kill
from support.states import (
    CASES,
    FORMS,
    Silent,
    fitted,
    make,
    outcome,
    takes_partial_fit,
)

safetensors = pytest.importorskip("safetensors.numpy")  # there is none for all Pythons
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
each_case = pytest.mark.parametrize("case", CASES)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
not_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)


# ---- there and back ----


@each_case
def test_a_model_comes_back_from_a_file_as_it_was(case, path):
    model, rows, targets = fitted(case)
    model.save(path)
    loaded = mlp_c.load(path)
    assert outcome(loaded) == outcome(model)
    np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))
    if takes_partial_fit(model):
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
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_a_file_cannot_hold_is_named_and_no_file_is_made(model, named, path):
    with pytest.raises(TypeError, match=named):
        model.save(path)
    assert os.listdir(path.parent) == []


def test_without_safetensors_what_to_install_is_named(path, monkeypatch):
    make("adam").save(path)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match="pip install safetensors"):
        make("adam").save(path)
    with pytest.raises(ImportError, match="pip install safetensors"):
        mlp_c.load(path)


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

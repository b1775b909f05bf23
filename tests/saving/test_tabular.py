"""Estimators for tables in pickles, copies and files, and states that none of them has."""

import copy
import io
import pickle

import cloudpickle
import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

import mlp_c
from mlp_c import TabularMLPClassifier, TabularMLPRegressor
from support.states import Silent, an, changed, packed, parts, restored, state_of
from support.tabular import MIXED, NUMBERS, TARGETS, WEIGHTS, WORDS, N, both, make, targets_for

C, R = TabularMLPClassifier, TabularMLPRegressor

# Constructor parameters, rows, targets.
CASES = {
    "classes": (C, {}, MIXED, WORDS),
    "two classes": (C, {"class_weight": {True: 2, False: 1}}, MIXED, TARGETS > 0),
    "one class": (C, {}, NUMBERS, ["only"] * N),
    "objects": (C, {"scoring": "score"}, NUMBERS, WORDS.astype(object)),
    "layers": (
        *(C, {"hidden_layer_sizes": (4, 3), "activation": ["gelu", "tanh"], "dropout": [0.1, 0]}),
        *(NUMBERS, WORDS),
    ),
    "numbers": (R, {}, MIXED, TARGETS),
    "two targets": (R, {"n_bins": 0, "n_members": 6}, NUMBERS, NUMBERS[:, :2]),
    "a missing value": (R, {"alpha": 0}, np.where(NUMBERS > 2, np.nan, NUMBERS), TARGETS),
    "quantiles": (R, {"loss": "quantile", "quantile": [0.1, 0.9]}, MIXED, TARGETS),
    "gaussian": (R, {"loss": "gaussian"}, MIXED, TARGETS),
    "Poisson": (R, {"loss": "poisson", "time_limit": 60.0}, MIXED, np.exp(TARGETS)),
    "categories by name": (R, {"categorical_features": ["count", "colour"]}, MIXED, TARGETS),
}
each_case = pytest.mark.parametrize("case", CASES)


def fitted(case):
    cls, params, rows, targets = CASES[case]
    return make(cls, **params).fit(rows, targets), rows


def said(model, rows):
    """All that a model says of rows."""
    answers = [model.predict(rows)]
    if isinstance(model, C):
        answers.append(model.predict_proba(rows))
    elif np.ndim(model.quantile) == 0:
        answers.append(model.predict_interval(rows, alpha=0.2))
        if model.loss == "gaussian":
            answers += model.predict(rows, return_std=True)
    return [answer.tolist() for answer in answers]


def _by_joblib(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return joblib.load(io.BytesIO(buffer.getvalue()))


WAYS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "cloudpickle": lambda model: cloudpickle.loads(cloudpickle.dumps(model)),
    "joblib": _by_joblib,
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@each_case
@pytest.mark.parametrize("way", WAYS)
def test_a_copy_says_the_same(case, way):
    model, rows = fitted(case)
    twin = WAYS[way](model)
    assert vars(twin).keys() == vars(model).keys()
    assert state_of(twin) == state_of(model)
    assert said(twin, rows) == said(model, rows)


@each_case
def test_a_model_comes_back_from_a_file_as_it_was(case, path):
    pytest.importorskip("safetensors")
    model, rows = fitted(case)
    model.save(path)
    twin = mlp_c.load(path)
    assert type(twin) is type(model)
    assert vars(twin).keys() == vars(model).keys()
    assert state_of(twin) == state_of(model)
    assert said(twin, rows) == said(model, rows)
    twin.save(path.with_name("again"))
    assert path.with_name("again").read_bytes() == path.read_bytes()


@each_case
def test_skops_loads_a_model_trusting_its_class_alone(case):
    skops = pytest.importorskip("skops.io")
    model, rows = fitted(case)
    dump = skops.dumps(model)
    ours = f"mlp_c.{type(model).__name__}"
    assert skops.get_untrusted_types(data=dump) == [ours]
    assert said(skops.loads(dump, trusted=[ours]), rows) == said(model, rows)


@both
def test_an_unfitted_model_comes_back(cls, path):
    pytest.importorskip("safetensors")
    model = make(cls, n_members="many", categorical_features=[True, False])
    model.save(path)
    assert mlp_c.load(path).get_params() == model.get_params()
    assert pickle.loads(pickle.dumps(model)).get_params() == model.get_params()


@each_case
def test_a_state_is_plain_data_without_moments(case):
    """Nothing goes on from them, and they are twice the weights."""
    state = fitted(case)[0].__getstate__()
    plain = (dict, list, tuple, str, int, float, bool, type(None), np.bool_, np.number)
    for path, part in parts(state):
        if isinstance(part, np.ndarray):
            assert part.dtype.kind in "biuf", path
        else:
            assert isinstance(part, plain), path
    assert state["optimizer"] is None
    assert all(member["optimizer"] is None for member in state["fitted"]["members_"])


@both
def test_a_model_that_came_back_is_fitted_again(cls):
    y = targets_for(cls)
    model = make(cls).fit(MIXED, y)
    twin = pickle.loads(pickle.dumps(model))
    importances = [
        m.permutation_importance(MIXED, y, n_repeats=1, random_state=0) for m in (model, twin)
    ]
    np.testing.assert_array_equal(importances[0].importances, importances[1].importances)
    before = state_of(model)
    assert state_of(twin.fit(MIXED, y, WEIGHTS)) != before
    assert state_of(twin.fit(MIXED, y)) == before


def test_what_users_set_stays_theirs():
    model, _ = fitted("numbers")
    model.set_callbacks(silent := Silent())
    model.note = {1, 2}
    twin = copy.copy(model)
    assert twin._skl_callbacks == [silent]
    assert twin.note is model.note


# ---- states that are refused ----

FITTED = ("fitted",)
MEMBERS = ("fitted", "members_")
COLUMNS = ("fitted", "_columns")
REFUSED = {
    "no members": ("classes", MEMBERS, an([]), "members_"),
    "members as a number": ("classes", MEMBERS, an(3), "members_"),
    "members in a tuple": ("classes", MEMBERS, tuple, "members_"),
    "a member of None": ("classes", (*MEMBERS, 0), an(None), "format"),
    "an empty member": ("classes", (*MEMBERS, 0), an({}), "format"),
    "a member of a later version": ("classes", (*MEMBERS, 0, "format"), an(99), "newer version"),
    "a member that is not fitted": ("classes", (*MEMBERS, 1, "fitted"), an({}), "members_"),
    "a member of another width": (
        *("classes", (*MEMBERS, 1, "fitted", "coefs_", 0)),
        *(lambda w: w[:-2], "members_"),
    ),
    "a member of fewer outputs": (
        *("numbers", (*MEMBERS, 1, "fitted")),
        lambda f: f | {"coefs_": [f["coefs_"][0], np.tile(f["coefs_"][1], 2)],
                       "intercepts_": [f["intercepts_"][0], np.tile(f["intercepts_"][1], 2)]},
        "members_",
    ),
    "a member of other classes": (
        *("classes", (*MEMBERS, 1, "fitted", "classes_", "labels")),
        *(lambda c: [*c[:-1], "dog"], "classes_"),
    ),
    "a member with weights cut": (
        *("classes", (*MEMBERS, 2, "fitted", "intercepts_", 0)),
        *(lambda b: b[:-1], "intercepts_"),
    ),
    "columns as None": ("classes", COLUMNS, an(None), "_columns"),
    "fewer knots": ("numbers", (*COLUMNS, "knots"), lambda k: k[:-1], "_columns.knots"),
    "scales of 0": ("numbers", (*COLUMNS, "scales"), np.zeros_like, "_columns.scales"),
    "one level less": ("numbers", (*COLUMNS, "levels", 2), lambda x: x[:1], "members_"),
    "columns of another fit": (
        "classes", COLUMNS, an(fitted("layers")[0]._columns.to_state()), "members_",
    ),
    "other classes": ("classes", (*FITTED, "classes_", "labels"), lambda c: c[::-1], "classes_"),
    "an unknown kind": ("classes", (*FITTED, "_target_kind"), an("ordinal"), "_target_kind"),
    **{
        f"a temperature of {value!r}": (
            "classes", (*FITTED, "temperature_"), an(value), "temperature_",
        )
        for value in (0, -1.0, np.nan, np.inf, "1", None, True, 10**400)
    },
    "a scale too many": (
        "numbers", (*FITTED, "target_scales_"), lambda s: np.tile(s, 2), "target_scales_",
    ),
    "no center": ("numbers", (*FITTED, "target_centers_"), lambda c: c[:0], "target_centers_"),
    "centers of two targets": (
        *("numbers", FITTED),
        lambda f: f | {"_is_vector": False, "target_range_": np.array([[0.0, 0], [1, 1]]),
                       "target_centers_": np.zeros(2), "target_scales_": np.ones(2)},
        "members_",
    ),
    "a range of one end": ("numbers", (*FITTED, "target_range_"), lambda r: r[:1], "target_range_"),
    "a flag of 1": ("numbers", (*FITTED, "_is_vector"), an(1), "_is_vector"),
    "a vector of two targets": ("two targets", (*FITTED, "_is_vector"), an(True), "_is_vector"),
    "a member of another loss": (
        "numbers", (*MEMBERS, 1, "parameters", "loss"), an("gaussian"), "members_",
    ),
    "a member of more quantiles": (
        "quantiles", (*MEMBERS, 1, "parameters", "quantile"), lambda q: [*q, 0.95], "members_",
    ),
    "a member of no quantiles": (
        "quantiles", (*MEMBERS, 1, "parameters", "quantile"), an([[], 0.5]), "members_",
    ),
    "residuals of more members": (
        "numbers", (*FITTED, "_residuals"), lambda r: r * 2, "_residuals",
    ),
    "residuals of two targets": (
        "numbers", (*FITTED, "_residuals"), lambda r: [np.tile(a, 2) for a in r], "_residuals",
    ),
    "residuals of none": (
        "numbers", (*FITTED, "_residuals", 0), lambda r: r[:0], "_residuals",
    ),
    "names too few": (
        "classes", (*FITTED, "feature_names_in_", "labels"), lambda c: c[:2], "feature_names",
    ),
    "weights beside": ("classes", FITTED, lambda f: f | {"coefs_": []}, "coefs_"),
    "an unknown parameter": ("classes", ("parameters",), lambda p: p | {"solver": "sgd"}, "solver"),
    "members of a user's": ("classes", ("own",), an({"members_": []}), "members_"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_state_that_no_model_has_is_refused_and_changes_nothing(what):
    case, path, change, named = REFUSED[what]
    state = changed(fitted(case)[0].__getstate__(), path, change)
    with pytest.raises(ValueError, match=named):
        restored(fitted(case)[0], state)
    other = make(CASES[case][0]).fit(NUMBERS, targets_for(CASES[case][0]))
    before = dict(vars(other))
    with pytest.raises(ValueError, match=named):
        other.__setstate__(state)
    assert vars(other) == before


NEEDED = {
    "classes": ["members_", "_columns", "classes_", "temperature_", "_target_kind"],
    "numbers": ["members_", "_columns", "target_centers_", "target_range_", "_is_vector"],
}


@pytest.mark.parametrize(
    ("case", "name"), [(case, name) for case, names in NEEDED.items() for name in names]
)
def test_a_state_that_lacks_what_predictions_need_is_refused(case, name):
    model, _ = fitted(case)
    state = model.__getstate__()
    del state["fitted"][name]
    with pytest.raises(ValueError, match=name):
        restored(model, state)


def test_the_state_of_a_classifier_is_refused_by_a_regressor():
    with pytest.raises(ValueError, match="state"):
        restored(R(), fitted("classes")[0].__getstate__())


# What only tells of the training: left out where it does not fit.
TOLERATED = {
    "folds with a gap": ("folds_", lambda folds: folds + (folds > 0)),
    "negative folds": ("folds_", lambda folds: folds - 1),
    "folds of floats": ("folds_", lambda folds: folds * 1.0),
    "no folds": ("folds_", an(None)),
    "folds beyond all memory": ("folds_", lambda folds: folds + 2**62),
    "a score of text": ("oob_score_", an("1")),
    "predictions in a list": ("oob_prediction_", list),
    "a count of text": ("n_iter_", an("3")),
}


@pytest.mark.parametrize("what", TOLERATED)
def test_what_predictions_do_without_is_left_out_where_it_does_not_fit(what):
    name, change = TOLERATED[what]
    model, rows = fitted("numbers")
    twin = restored(model, changed(model.__getstate__(), (*FITTED, name), change))
    assert not hasattr(twin, name)
    assert said(twin, rows) == said(model, rows)
    assert state_of(restored(twin, twin.__getstate__())) == state_of(twin)
    if name == "folds_":
        with pytest.raises(NotFittedError):
            twin.permutation_importance(rows, TARGETS)


def test_what_the_columns_tell_is_taken_from_them():
    model, _ = fitted("numbers")
    state = changed(model.__getstate__(), (*FITTED, "n_features_in_"), an(77))
    state = changed(state, (*FITTED, "is_categorical_"), an(np.ones(3, bool)))
    twin = restored(model, state)
    assert twin.n_features_in_ == 5
    assert twin.is_categorical_.tolist() == model.is_categorical_.tolist()


JUNK = [None, True, -1, 0, 3, 2**70, 1.5, np.nan, np.inf, "", "odd", [], {}, (), [[]], b"x"]
JUNK += [np.arange(3), np.zeros((2, 2)), np.full(3, np.nan), np.array("text"), np.empty(0), object]
STATES = {case: fitted(case)[0].__getstate__() for case in CASES}


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_part_of_a_state_that_is_junk_is_refused_or_the_model_predicts(data):
    case = data.draw(st.sampled_from(list(CASES)))
    state = STATES[case]
    for _ in range(data.draw(st.integers(1, 2))):
        path, part = data.draw(st.sampled_from(list(parts(state))))
        options = [*JUNK, *([part[:-1], part[::-1], part * 0] if _is_cut(part) else [])]
        state = changed(state, path, an(data.draw(st.sampled_from(options))))
    try:
        model = restored(CASES[case][0](), state)
    except ValueError:
        return
    if hasattr(model, "members_"):
        with np.errstate(all="ignore"):
            refused = _refused(lambda: model.predict(CASES[case][2]))
        assert refused is None or _is_users(refused)


def _refused(predict):
    """Why a prediction is refused; None if there is one."""
    try:
        assert len(predict()) == N
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def _is_cut(part):
    return isinstance(part, np.ndarray) and part.ndim > 0 and part.dtype.kind in "biuf"


def _is_users(message):
    """Whether an error is about a parameter, which may be anything, or of other names."""
    return any(what in message for what in ("activation", "n_threads", "feature names"))


@each_case
def test_a_file_cut_short_is_refused(case, path):
    pytest.importorskip("safetensors")
    model, _ = fitted(case)
    content = {"class": type(model).__name__, **model.__getstate__()}
    del content["own"]
    contents = packed(content)
    for length in (0, 9, len(contents) // 2, len(contents) - 1):
        path.write_bytes(contents[:length])
        with pytest.raises(ValueError, match=r"damaged|not made by mlp_c"):
            mlp_c.load(path)

"""States that no model has: each leads to a ValueError and changes nothing."""

import copy
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlp_c import MLPClassifier, MLPRegressor
from mlp_c._saving.state import FORMAT
from support.states import (
    CASES,
    TEXT,
    Silent,
    X,
    an,
    assert_predicts,
    changed,
    fitted,
    outcome,
    parts,
    restored,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def without(state, path):
    *parents, key = path
    return changed(state, parents, lambda part: {k: v for k, v in part.items() if k != key})


# ---- states that are refused ----


def objects(labels):
    return an({"dtype": "|O", "labels": labels})


REFUSED = {
    "names of numbers": (("fitted", "feature_names_in_"), an(np.arange(4)), "feature_names_in_"),
    "names too few": (("fitted", "feature_names_in_"), objects(["a"]), "feature_names"),
    "no dict": ((), an([1]), "format"),
    "None": ((), an(None), "format"),
    "no format, as of an older version": ((), lambda s: s["parameters"] | s["fitted"], "format"),
    "newer": (("format",), an(FORMAT + 1), "newer version"),
    "format 0": (("format",), an(0), "format"),
    "format as text": (("format",), an("1"), "format"),
    "an unknown part": ((), lambda s: s | {"more": 1}, "more"),
    "an unknown parameter": (("parameters",), lambda p: p | {"gamma": 1}, "gamma"),
    "an unknown attribute": (("fitted",), lambda f: f | {"coef_": 1}, "coef_"),
    "parameters as a list": (("parameters",), an([]), "parameters"),
    "fitted as None": (("fitted",), an(None), "fitted"),
    "own as None": (("own",), an(None), "own"),
    "own without names": (("own",), an({1: 2}), "own"),
    "a parameter of the user's": (("own",), an({"alpha": 2}), "alpha"),
    "weights of the user's": (("own",), an({"intercepts_": []}), "intercepts_"),
    "an optimizer of the user's": (("own",), an({"_optimizer": None}), "_optimizer"),
    "a fit of the user's": (("own",), an({"_fitting": None}), "_fitting"),
    "no weights": (("fitted", "coefs_"), an([]), "coefs_"),
    "weights as None": (("fitted", "coefs_"), an(None), "coefs_"),
    "weights as lists": (("fitted", "coefs_", 0), np.ndarray.tolist, r"coefs_\[0\]"),
    "weights transposed": (("fitted", "coefs_", 0), np.transpose, "coefs_"),
    "weights cut": (("fitted", "coefs_", 1), lambda w: w[:-1], "coefs_"),
    "integer weights": (("fitted", "coefs_", 0), lambda w: w.astype(int), "int64"),
    "complex weights": (("fitted", "coefs_", 0), lambda w: w.astype(complex), "complex128"),
    "half weights": (("fitted", "coefs_", 0), lambda w: w.astype(np.float16), "float16"),
    "object weights": (("fitted", "coefs_", 0), lambda w: w.astype(object), "object"),
    "flat weights": (("fitted", "coefs_", 0), np.ravel, r"coefs_\[0\]"),
    "empty weights": (("fitted", "coefs_", 0), lambda w: w[:0], r"\(0, 3\)"),
    "a layer too few": (("fitted", "coefs_"), lambda w: w[:1], "coefs_|intercepts_"),
    "biases cut": (("fitted", "intercepts_", 0), lambda b: b[:-1], "intercepts_"),
    "biases in two dimensions": (("fitted", "intercepts_", 0), np.atleast_2d, "intercepts_"),
    "no biases": (("fitted", "intercepts_"), an([]), "intercepts_"),
    "unknown outputs": (("fitted", "out_activation_"), an("relu"), "out_activation_"),
    "classes cut": (("fitted", "classes_", "labels"), lambda c: c[:2], "_target_kind"),
    "more classes": (("fitted", "classes_"), an(np.arange(4)), "n_outputs_"),
    "classes twice": (("fitted", "classes_", "labels"), lambda c: [c[0], *c[:2]], "classes_"),
    "classes without order": (("fitted", "classes_"), objects([1, "a", 2]), "classes_"),
    "classes of dicts": (("fitted", "classes_"), objects([{}, 1, 2]), "classes_"),
    "classes of no list": (("fitted", "classes_"), objects(3), "classes_"),
    "classes in an array of objects": (("fitted", "classes_"), np.array, "classes_"),
    "numbers in two dimensions": (("fitted", "classes_"), an(np.eye(3)), "classes_"),
    "no dtype of classes": (("fitted", "classes_", "dtype"), an(None), "classes_"),
    "another dtype of classes": (("fitted", "classes_", "dtype"), an("<f8"), "classes_"),
    "classes longer than their dtype": (("fitted", "classes_", "dtype"), an("<U3"), "classes_"),
    "classes that fill the memory": (("fitted", "classes_", "dtype"), an("<U99999999"), "bytes"),
    "numbers in text": (("fitted", "classes_", "labels"), an([1, 2, 3]), "classes_"),
    "an unknown kind": (("fitted", "_target_kind"), an("ordinal"), "_target_kind"),
    "another kind": (("fitted", "_target_kind"), an("binary"), "_target_kind|n_outputs_"),
    "requests of numbers": (("requests",), an({"fit": 1}), "requests"),
    "requests to no method": (("requests",), an({"fly": {"a": True}}), "requests"),
    "a generator of no kind": (("parameters", "random_state"), an({"class": 1}), "random_state"),
    "a generator with a state of no dict": (
        ("parameters", "random_state"),
        an({"class": "RandomState", "state": 3}),
        "random_state",
    ),
    "a generator without state": (
        ("parameters", "random_state"),
        an({"class": "RandomState", "state": {"bit_generator": "MT19937"}}),
        "random_state",
    ),
    "a fresh kind of bits": (
        ("parameters", "random_state"),
        an({"class": "Generator", "state": {"bit_generator": "SystemRandom"}}),
        "bit_generator",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_state_that_no_model_has_is_refused_and_changes_nothing(what):
    path, change, named = REFUSED[what]
    model, _, _ = fitted("names")
    state = changed(model.__getstate__(), path, change)
    with pytest.raises(ValueError, match=named):
        restored(model, state)
    other, _, _ = fitted("adam")
    before = dict(vars(other))
    with pytest.raises(ValueError, match=named):
        other.__setstate__(state)
    assert {name: id(value) for name, value in vars(other).items()} == {
        name: id(value) for name, value in before.items()
    }


@pytest.mark.parametrize("name", ["coefs_", "intercepts_", "out_activation_", "classes_"])
def test_a_state_that_lacks_what_predictions_need_is_refused(name):
    model, _, _ = fitted("adam")
    with pytest.raises(ValueError, match=name):
        restored(model, without(model.__getstate__(), ("fitted", name)))


def test_the_state_of_a_classifier_is_refused_by_a_regressor():
    classifier, _, _ = fitted("adam")
    with pytest.raises(ValueError, match="classes_"):
        restored(MLPRegressor(), classifier.__getstate__())
    with pytest.raises(ValueError, match="parameters"):
        restored(MLPRegressor(), MLPClassifier().__getstate__())


def mersenne(**changes):
    state = np.random.RandomState(0).get_state(legacy=False)
    return {"class": "RandomState", "state": state | {"state": state["state"] | changes}}


def philox(buffer_pos):
    return {"class": "Generator", "state": np.random.Philox(0).state | {"buffer_pos": buffer_pos}}


@pytest.mark.parametrize(
    "state",
    [
        *(mersenne(pos=pos) for pos in (-1, 625, 2**31 - 1, 2**40, None)),
        *(mersenne(key=np.zeros(n, np.uint32)) for n in (0, 623, 624)),
        mersenne(key="key"),
        *(philox(pos) for pos in (-1, 5, 2**31 - 1)),
    ],
)
def test_a_generator_that_numpy_takes_and_cannot_use_is_refused(state):
    """NumPy reads where `pos` says, and a generator of zeros draws forever."""
    model = MLPClassifier().__getstate__()
    with pytest.raises(ValueError, match="random_state"):
        restored(MLPClassifier(), changed(model, ("parameters", "random_state"), an(state)))


def test_a_model_that_is_being_fitted_keeps_its_state():
    refused = []

    class Resetter(Silent):
        def on_fit_task_begin(self, estimator, context):
            with pytest.raises(RuntimeError, match="being fitted"):
                estimator.__setstate__(MLPClassifier().__getstate__())
            refused.append(context.task_name)

    MLPClassifier(max_iter=2).set_callbacks(Resetter()).fit(X, TEXT)
    assert refused == ["fit", "epoch", "epoch"]


def test_a_new_state_leaves_nothing_of_the_old_one():
    model, _, _ = fitted("names")
    model.note = 1
    model.__setstate__(MLPClassifier(alpha=3).__getstate__())
    assert outcome(model) == outcome(MLPClassifier(alpha=3))


# ---- states that are tolerated ----

# What is derived, or only records training: left out, or found anew.
TOLERATED = {
    "weights of another dtype": (("fitted", "coefs_", 1), np.float32),
    "more features": (("fitted", "n_features_in_"), an(5)),
    "more outputs": (("fitted", "n_outputs_"), an(4)),
    "more layers": (("fitted", "n_layers_"), an(4)),
    "a negative counter": (("fitted", "t_"), an(-1)),
    "a great counter": (("fitted", "t_"), an(2**60)),
    "a counter as a float": (("fitted", "n_iter_"), an(3.0)),
    "a counter as a bool": (("fitted", "n_iter_"), an(True)),
    "classes out of order": (("fitted", "classes_", "labels"), lambda c: c[::-1]),
    "a loss curve of text": (("fitted", "loss_curve_"), an(["1"])),
    "a curve of rates as a number": (("fitted", "learning_rate_curve_"), an(0.5)),
    "a loss curve of arrays": (("fitted", "loss_curve_"), an([np.ones(2)])),
    "a loss beyond floats": (("fitted", "loss_curve_"), an([10**400])),
    "a loss curve as an array": (("fitted", "loss_curve_"), np.array),
    "no loss is best": (("fitted", "best_loss_"), an(None)),
    "validation beside": (("fitted", "validation_scores_"), an([])),
    "an optimizer as text": (("optimizer",), an("adam")),
    "an unknown rule": (("optimizer", "rule"), an("lion")),
    "the moments of another rule": (("optimizer", "rule"), an("nesterov")),
    "a moment too few": (("optimizer", "moments"), lambda m: m[:1]),
    "moments as a list": (("optimizer", "moments"), list),
    "moments of few arrays": (("optimizer", "moments", 1), lambda m: m[:3]),
    "moments cut": (("optimizer", "moments", 1, 2), lambda m: m[:-1]),
    "moments of another dtype": (("optimizer", "moments", 1, 2), np.float32),
    "negative steps": (("optimizer", "steps"), an(np.array([-1]))),
    "great steps": (("optimizer", "steps"), an(np.array([2**63 - 1]))),
    "steps as a number": (("optimizer", "steps"), an(3)),
    "two numbers of steps": (("optimizer", "steps"), an(np.zeros(2, int))),
    "a part of a step": (("optimizer", "steps"), an(np.array([0.5]))),
    "a decay above 1": (("optimizer", "beta_1"), an(1.5)),
    "a decay of NaN": (("optimizer", "beta_2"), an(np.nan)),
    "an unknown constant": (("optimizer",), lambda o: o | {"decay": 1}),
}

# Parameters that a fit refuses.
KEPT = {
    "unknown activation": (("parameters", "activation"), an("odd")),
    "an activation of outputs": (("parameters", "activation"), an("softmax")),
    "no activation": (("parameters", "activation"), an(None)),
    "activations of which one is unknown": (("parameters", "activation"), an(["gelu", "odd"])),
    "activations of which one is none": (("parameters", "activation"), an(["gelu", None])),
    "activations in lists": (("parameters", "activation"), an([["gelu"]])),
    "activations by number": (("parameters", "activation"), an({0: "gelu"})),
    "activations in an array": (("parameters", "activation"), an(np.array(["gelu"]))),
    "negative alpha": (("parameters", "alpha"), an(-1)),
    "0 threads": (("parameters", "n_threads"), an(0)),
    "True threads": (("parameters", "n_threads"), an(True)),
}


@pytest.mark.parametrize("what", TOLERATED)
def test_what_predictions_do_without_is_left_out_where_it_does_not_fit(what):
    """The model predicts the same, is saved anew without it, and can be trained on."""
    path, change = TOLERATED[what]
    model, rows, targets = fitted("names")
    twin = restored(model, changed(model.__getstate__(), path, change))
    np.testing.assert_allclose(twin.predict_proba(rows), model.predict_proba(rows), rtol=1e-6)
    again = restored(twin, twin.__getstate__())
    assert outcome(again) == outcome(twin)
    if {w.dtype for w in twin.coefs_} == {np.dtype(float)}:
        twin.set_params(max_iter=2).partial_fit(rows, targets)
        assert len(twin.loss_curve_) >= 1


@pytest.mark.parametrize("case", ["adam", "adamw", "rmsprop"])
def test_moments_without_their_steps_are_left_out(case):
    """Which correct the bias of Adam's, and of which no format lacks them."""
    model = fitted(case)[0]
    assert hasattr(restored(model, model.__getstate__()), "_optimizer")
    twin = restored(model, without(model.__getstate__(), ("optimizer", "steps")))
    assert not hasattr(twin, "_optimizer")


@pytest.mark.parametrize("what", KEPT)
def test_parameters_that_a_fit_refuses_are_kept(what):
    """A fit refuses them still; and predictions, where they need them."""
    path, change = KEPT[what]
    model, rows, targets = fitted("adam")
    twin = restored(model, changed(model.__getstate__(), path, change))
    assert repr(twin.get_params()[path[1]]) == repr(change(None))
    if path[1] == "alpha":
        np.testing.assert_array_equal(twin.predict_proba(rows), model.predict_proba(rows))
    else:
        with pytest.raises((TypeError, ValueError), match=path[1]):
            twin.predict_proba(rows)
    with pytest.raises((TypeError, ValueError), match=path[1]):
        twin.fit(rows, targets)
    twin.set_params(**{path[1]: model.get_params()[path[1]]})
    assert outcome(twin) == outcome(model)


DERIVED = "n_features_in_ n_layers_ n_outputs_ n_iter_ t_ _target_kind"
RECORDS = "_no_improvement_count best_loss_ loss_curve_ validation_scores_ loss_"


@pytest.mark.parametrize("name", f"{DERIVED} {RECORDS}".split())
def test_what_predictions_do_without_may_be_missing(name):
    model, rows, targets = fitted("adam")
    twin = restored(model, without(model.__getstate__(), ("fitted", name)))
    np.testing.assert_array_equal(twin.predict_proba(rows), model.predict_proba(rows))
    twin.partial_fit(rows, targets)
    twin.set_params(warm_start=True, max_iter=2).fit(rows, targets)


@pytest.mark.parametrize("output", ["logistic", "identity", "exp"])
def test_another_output_activation_is_kept(output):
    """A user may have set it: predictions take it as it is."""
    model, rows, _ = fitted("names")
    model.out_activation_ = output
    twin = restored(model, model.__getstate__())
    np.testing.assert_array_equal(twin.predict_proba(rows), model.predict_proba(rows))


def test_moments_without_weights_are_left_out():
    model, _, _ = fitted("adam")
    twin = restored(model, model.__getstate__() | {"fitted": {}})
    assert not hasattr(twin, "_optimizer")


# ---- random states ----

FITTED = [fitted(case) for case in CASES]
SCALARS = [None, True, -1, 0, 1, 3, 2**31, 2**63, 10**400, 0.5, -0.5, 1e308, np.nan, np.inf]
OTHERS = [
    "",
    "adam",
    b"",
    (),
    [],
    {},
    [1],
    {"dtype": "|O", "labels": ["a"]},
    np.float32(1),
    X,
    X[0],
    X[:0],
]
PARTS = st.sampled_from(SCALARS + OTHERS)


@st.composite
def mutated(draw):
    """A model of ours, and a state that differs from its own in one to three places."""
    model, rows, targets = draw(st.sampled_from(FITTED))
    state = model.__getstate__()
    for _ in range(draw(st.integers(1, 3))):
        places = [(path, part) for path, part in parts(state) if path and path[0] != "own"]
        path, part = draw(st.sampled_from(places))
        swap = st.sampled_from([part for _, part in places])
        choices = [PARTS, swap]
        if isinstance(part, np.ndarray):
            choices.append(st.sampled_from([part.T, part[:1], part[::-1], part.ravel()]))
        if isinstance(part, (list, tuple)):
            choices.append(st.sampled_from([part[:-1], part[::-1], part * 2]))
        new = draw(st.one_of(choices))
        state = changed(state, path, lambda part, new=new: new)
    return model, rows, targets, state


def asks_for_much(model):
    """Whether a fit would draw more weights than a test has memory for."""
    widths = model.hidden_layer_sizes
    widths = widths if isinstance(widths, (list, tuple)) else [widths]
    return any(isinstance(width, int) and width > 1000 for width in widths)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=400, deadline=None)
@given(mutated())
def test_any_state_is_refused_or_is_that_of_a_model(case):
    model, rows, targets, state = case
    try:
        twin = restored(model, copy.deepcopy(state))
    except ValueError:
        return
    if hasattr(twin, "coefs_") and twin.n_features_in_ == 4:
        with suppress(ValueError, TypeError):  # of parameters that no fit has left
            twin._validate_params()
            assert_predicts(twin, np.asarray(rows))  # whatever their names
    if hasattr(twin, "partial_fit") and not asks_for_much(twin):
        with suppress(ValueError, TypeError, OverflowError):  # of a parameter that a fit refuses
            twin.partial_fit(rows, targets)

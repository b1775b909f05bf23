"""WeightsDisplay: images or a heat map of a first layer's weights."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlp_c import MLPClassifier, MLPRegressor, TabularMLPRegressor
from mlp_c.plotting import WeightsDisplay
from support import tabular

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
draw = WeightsDisplay.from_estimator


def fitted(n_features, names=None, n_units=6):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, n_features))
    X = X if names is None else pd.DataFrame(X, columns=names)
    model = MLPRegressor(hidden_layer_sizes=n_units, max_iter=2, random_state=0)
    return model.fit(X, rng.normal(size=30))


def picture(display):
    return np.ma.filled(display.image_.get_array(), np.nan)


# ---- images ----


@pytest.mark.parametrize(("n_features", "side"), [(64, 8), (784, 28)])
def test_a_square_number_of_features_without_names_makes_square_images(n_features, side):
    assert draw(fitted(n_features)).image_shape == (side, side)


def test_each_image_has_the_weights_of_its_unit():
    model = fitted(64)
    display = draw(model, units=[5, 0])
    images, coefs = picture(display), model.coefs_[0]
    blocks = np.lib.stride_tricks.sliding_window_view(images, (8, 8)).reshape(-1, 8, 8)
    is_whole = ~np.isnan(blocks).any(axis=(1, 2))
    np.testing.assert_array_equal(blocks[is_whole], coefs.T[[5, 0]].reshape(-1, 8, 8))
    assert [text.get_text() for text in display.ax_.texts] == ["unit 5", "unit 0"]


def test_the_shape_of_images_is_taken_from_the_user():
    images = picture(draw(fitted(6), image_shape=(2, 3), units=1))
    assert images[-2:].shape == (2, 3)
    with pytest.raises(ValueError, match=r"image_shape must be .* of 6 pixels, .* got \(2, 2\)"):
        draw(fitted(6), image_shape=(2, 2))
    with pytest.raises(ValueError, match=r"image_shape must be .* got \(6,\)"):
        draw(fitted(6), image_shape=(6,))


@pytest.mark.parametrize("n_features", [64, 3])
def test_the_colour_scale_is_one_and_symmetric(n_features):
    model = fitted(n_features)
    largest = np.abs(model.coefs_[0]).max()
    assert draw(model).image_.get_clim() == (-largest, largest)


# ---- heat maps ----


def test_other_features_make_a_heat_map_of_features_by_units():
    model = fitted(9)  # three by three would be no picture
    display = draw(model, units=[2, 1])
    assert display.image_shape is None
    np.testing.assert_array_equal(picture(display), model.coefs_[0][:, [2, 1]])
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["2", "1"]


def test_features_with_names_are_a_table_and_named_where_there_is_room(pyplot):
    names = [f"${k}_{{$" for k in range(64)]  # no formula that matplotlib could set
    few, many = fitted(3, names[:3]), fitted(64, names)
    display = draw(few)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == names[:3]
    display.figure_.canvas.draw()
    display = draw(many)
    assert display.image_shape is None
    assert not {label.get_text() for label in display.ax_.get_yticklabels()} & {*names}
    assert draw(many, image_shape=(8, 8)).image_shape == (8, 8)


# ---- units ----


def test_a_number_of_units_means_those_of_the_largest_norm():
    model = fitted(5, n_units=20)
    by_norm = np.argsort(-np.linalg.norm(model.coefs_[0], axis=0))
    assert draw(model, units=3).units.tolist() == by_norm[:3].tolist()
    assert len(draw(model).units) == 16
    assert len(draw(model, units=99).units) == 20


@pytest.mark.parametrize("units", [[6], [-1], [], [0.5], "all", True, [[0]]])
def test_units_that_do_not_exist_are_refused(units, pyplot):
    with pytest.raises(ValueError, match="list of indices from 0 to 5, got"):
        draw(fitted(5), units=units)
    assert not pyplot.get_fignums()


def test_no_units_are_refused():
    with pytest.raises(ValueError, match="units must be at least 1, got 0"):
        draw(fitted(5), units=0)


@pytest.mark.parametrize("weights", [np.ones(4), np.ones((2, 2, 2)), np.ones((0, 3))])
def test_what_is_no_matrix_is_refused(weights):
    with pytest.raises(ValueError, match="weights must be a matrix of features by units, got sh"):
        WeightsDisplay(weights)


@pytest.mark.parametrize("shape", [(3, 3), (2.0, 2.0), (-2, -2), 4, "22", (4,)])
def test_what_is_no_shape_of_the_features_is_refused(shape):
    with pytest.raises(ValueError, match="image_shape must be a height and a width of 4 pixels"):
        WeightsDisplay(np.ones((4, 3)), image_shape=shape)


# ---- models and axes ----


def test_an_ensemble_for_tables_is_refused_with_the_reason(pyplot):
    model = tabular.make(TabularMLPRegressor).fit(tabular.NUMBERS, tabular.TARGETS)
    with pytest.raises(TypeError, match=r"TabularMLPRegressor, whose 3 networks read codes of col"):
        draw(model)
    with pytest.raises(NotFittedError):
        draw(MLPClassifier())
    assert not pyplot.get_fignums()


def test_the_last_step_of_a_pipeline_is_drawn_on_the_axes_that_are_given(pyplot):
    pipeline = make_pipeline(StandardScaler(), MLPRegressor(max_iter=2))
    pipeline.fit(np.eye(5), np.arange(5.0))
    _, ax = pyplot.subplots(figsize=(1, 1))
    display = draw(pipeline, ax=ax, cmap="PuOr")
    assert display.ax_ is ax
    assert display.image_.get_cmap().name == "PuOr"
    assert display.plot() is display
    assert display.ax_ is not ax
    assert len(pyplot.get_fignums()) == 2
    for number in pyplot.get_fignums():
        pyplot.figure(number).canvas.draw()

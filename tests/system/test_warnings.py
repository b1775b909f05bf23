"""Warnings point at the caller's line, and obey filters for scikit-learn's module and for ours."""

import linecache
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

from mlp_c import MLPClassifier

X, Y = np.random.default_rng(0).random((40, 3)), np.arange(40) % 2


def fit():
    return MLPClassifier((3,), max_iter=1).fit(X, Y)


def caught(function=fit, filters=()):
    """The warnings of a call under some filters alone, the last of which comes first."""
    with warnings.catch_warnings(record=True) as found:
        warnings.resetwarnings()
        warnings.simplefilter("always")
        for action, options in filters:
            warnings.filterwarnings(action, **options)
        function()
    return found


@pytest.mark.parametrize("module", ["sklearn", r"sklearn\.neural_network", "mlp_c", __name__])
@pytest.mark.parametrize("category", [ConvergenceWarning, UserWarning])
def test_filters_by_module_silence_our_warnings(module, category):
    """Such as scikit-learn's own examples have."""
    assert len(caught()) == 1
    assert caught(filters=[("ignore", {"category": category, "module": module})]) == []


@pytest.mark.parametrize(
    "options",
    [
        {"module": "numpy"},
        {"module": "sklearn.svm"},
        {"category": DeprecationWarning},
        {"message": "another"},
        {"lineno": 1},
    ],
)
def test_filters_for_other_warnings_leave_ours(options):
    assert len(caught(filters=[("ignore", options)])) == 1


def test_the_first_filter_that_matches_acts():
    """Whichever of the modules it is for."""
    ignore, raise_ = ("ignore", {"module": "sklearn"}), ("error", {"module": __name__})
    assert caught(filters=[raise_, ignore]) == []
    with pytest.raises(ConvergenceWarning):
        caught(filters=[ignore, raise_])
    always = "always", {"module": "mlp_c"}
    assert len(caught(filters=[ignore, always])) == 1


@pytest.mark.parametrize("wrap", [lambda model: model, make_pipeline])
def test_a_warning_shows_the_callers_line(wrap):
    """Whatever the filters say, and through scikit-learn's own."""
    model = wrap(MLPClassifier((3,), max_iter=1))
    filters = [("always", {"module": "sklearn"})]
    (warning,) = caught(lambda: model.fit(X, Y), filters)
    assert warning.filename == __file__
    assert "model.fit(X, Y), filters" in linecache.getline(__file__, warning.lineno)


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_a_warning_in_a_worker_shows_no_line_of_the_workers_machinery(backend):
    """There is no line of the caller's there: it shows the one that called us."""
    code = f"""
        import joblib, numpy as np
        from sklearn.model_selection import cross_val_score
        from mlp_c import MLPClassifier
        if __name__ == "__main__":
            X, y = np.random.default_rng(0).random((40, 3)), np.arange(40) % 2
            with joblib.parallel_backend({backend!r}, n_jobs=2):
                cross_val_score(MLPClassifier((3,), max_iter=1), X, y, cv=2)
    """
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in run.stderr.splitlines() if "ConvergenceWarning" in line]
    assert lines
    assert all("sklearn" in line.split(": ConvergenceWarning")[0] for line in lines), lines

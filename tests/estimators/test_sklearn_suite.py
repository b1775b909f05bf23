"""scikit-learn's own tests of its multilayer perceptrons, run on these in their place."""

import importlib.util

import pytest
import sklearn.neural_network

import mlp_c

# Tests of scikit-learn that are not run: name, reason.
EXCLUDED = {
    "test_gradient": "calls the private _loss_grad_lbfgs; kernels/test_oracle.py tests gradients",
}


def _load_suite():
    """A copy of scikit-learn's test module, in which its names mean our classes."""
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    suite = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLPClassifier", "MLPRegressor"):
            patch.setattr(sklearn.neural_network, name, getattr(mlp_c, name))
        spec.loader.exec_module(suite)
    return suite


_TESTS = {name: test for name, test in vars(_load_suite()).items() if name.startswith("test_")}
globals().update({name: test for name, test in _TESTS.items() if name not in EXCLUDED})


@pytest.fixture
def global_random_seed():
    """The seed that scikit-learn's conftest hands to its tests."""
    return 42


def test_exclusions_name_tests_that_exist():
    """Neither a renamed test of scikit-learn nor an emptied module goes unnoticed."""
    assert set(EXCLUDED) < set(_TESTS)

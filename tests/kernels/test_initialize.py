"""How weights are drawn: as the notebook and scikit-learn draw them, from the caller's stream."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from mlp_c import kernels
from mlp_c._system import blocks
from support import calls


@pytest.mark.thread_unsafe(reason="seeds NumPy's global stream")
def test_initialize_draws_as_the_notebook_does(dtype):
    np.random.seed(42)
    want = [
        np.random.randn(784, 128) * np.sqrt(2 / 784),
        np.random.randn(128, 10) * np.sqrt(2 / 128),
    ]
    weights, biases = kernels.initialize([784, 128, 10], random_state=42, dtype=dtype)
    for got, expected in zip(weights, want, strict=True):
        np.testing.assert_array_equal(got, expected.astype(dtype), strict=True)
    for got, size in zip(biases, (128, 10), strict=True):
        np.testing.assert_array_equal(got, np.zeros(size, dtype), strict=True)


@pytest.mark.thread_unsafe(reason="changes the size of blocks")
@pytest.mark.parametrize("init", ["he_normal", "glorot_uniform"])
@pytest.mark.parametrize(("n_in", "n_out"), [(3010, 699), (1, 2_000_001)])
def test_large_layers_are_drawn_as_if_at_once(init, n_in, n_out, monkeypatch):
    """Though by blocks: an odd number of normals each, which are drawn in twos."""
    monkeypatch.setattr(blocks, "BLOCK_ELEMENTS", 999_999)
    random = np.random.RandomState(4)
    if init == "he_normal":
        want = random.standard_normal((n_in, n_out)) * np.sqrt(2 / n_in), np.zeros(n_out)
    else:
        bound = np.sqrt(6 / (n_in + n_out))
        want = [random.uniform(-bound, bound, shape) for shape in ((n_in, n_out), n_out)]
    drawn = kernels.initialize([n_in, n_out], init=init, random_state=4, dtype=np.float32)
    for (got,), expected in zip(drawn, want, strict=True):
        np.testing.assert_array_equal(got, expected.astype(np.float32), strict=True)


@pytest.mark.parametrize("init", ["he_normal", "glorot_uniform"])
@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_initialize_goes_on_with_the_callers_stream(init, make):
    """Two calls draw what one call for both networks' layers draws."""
    one, two = make(3), make(3)
    first = kernels.initialize([4, 3], init=init, random_state=one)
    second = kernels.initialize([3, 2], init=init, random_state=one)
    weights, biases = kernels.initialize([4, 3, 2], init=init, random_state=two)
    assert calls.bits([first, second]) == calls.bits(
        [weights[:1], biases[:1], weights[1:], biases[1:]]
    )
    assert one.uniform() == two.uniform()


@pytest.mark.thread_unsafe(reason="seeds NumPy's global stream")
def test_initialize_without_a_seed_uses_numpys_global_stream():
    np.random.seed(5)
    got = kernels.initialize([3, 2], random_state=None)
    assert calls.bits(got) == calls.bits(kernels.initialize([3, 2], random_state=5))


def test_glorot_draws_are_scikit_learns():
    """MLPClassifier's, of which a learning rate of next to nothing leaves the start."""
    X, y = np.ones((6, 7)), np.arange(6) % 3
    model = MLPClassifier(
        (5, 4), solver="sgd", learning_rate_init=1e-300, momentum=0, max_iter=1, random_state=8
    )
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X, y)
    weights, biases = kernels.initialize([7, 5, 4, 3], init="glorot_uniform", random_state=8)
    assert calls.bits([weights, biases]) == calls.bits([model.coefs_, model.intercepts_])

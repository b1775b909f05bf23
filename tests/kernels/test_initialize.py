"""How weights are drawn: as the notebook and scikit-learn draw them, from the caller's stream."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_info, threadpool_limits

from mlp_c import kernels
from mlp_c._network.initial_weights import INITIALIZERS
from mlp_c._system import blocks
from support import calls

each_init = pytest.mark.parametrize("init", INITIALIZERS)

# Of distributions whose elements are drawn one by one: the variance of weights.
VARIANCES = {
    "glorot_uniform": lambda n_in, n_out: 2 / (n_in + n_out),
    "glorot_normal": lambda n_in, n_out: 2 / (n_in + n_out),
    "he_uniform": lambda n_in, n_out: 2 / n_in,
    "he_normal": lambda n_in, n_out: 2 / n_in,
    "lecun_normal": lambda n_in, n_out: 1 / n_in,
}


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
@pytest.mark.parametrize("init", VARIANCES)
@pytest.mark.parametrize(("n_in", "n_out"), [(3010, 699), (1, 2_000_001)])
def test_large_layers_are_drawn_as_if_at_once(init, n_in, n_out, monkeypatch):
    """Though by blocks: an odd number of normals each, which are drawn in twos."""
    monkeypatch.setattr(blocks, "BLOCK_ELEMENTS", 999_999)
    random, bound = np.random.RandomState(4), {
        "glorot_uniform": np.sqrt(6 / (n_in + n_out)),
        "he_uniform": np.sqrt(6 / n_in),
    }.get(init)  # fmt: skip
    if bound is None:
        scale = np.sqrt(VARIANCES[init](n_in, n_out))
        weights = random.standard_normal((n_in, n_out)) * scale
    else:
        weights = random.uniform(-bound, bound, (n_in, n_out))
    biases = np.zeros(n_out)
    if init == "glorot_uniform":
        biases = random.uniform(-bound, bound, n_out)
    want = weights, biases
    drawn = kernels.initialize([n_in, n_out], init=init, random_state=4, dtype=np.float32)
    for (got,), expected in zip(drawn, want, strict=True):
        np.testing.assert_array_equal(got, expected.astype(np.float32), strict=True)


@each_init
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


def test_all_distributions_but_the_orthogonal_have_a_variance():
    assert VARIANCES.keys() == INITIALIZERS.keys() - {"orthogonal"}


@pytest.mark.parametrize("init", VARIANCES)
def test_weights_have_the_mean_and_the_variance_of_their_distribution(init, dtype):
    """And its bound or, of normals, the share beyond two deviations. Within 5 standard errors."""
    n_in, n_out = 500, 300
    (weights,), (biases,) = kernels.initialize(
        [n_in, n_out], init=init, random_state=0, dtype=dtype
    )
    w = weights.ravel() / np.sqrt(VARIANCES[init](n_in, n_out))
    error = 5 / np.sqrt(w.size)
    assert abs(np.mean(w)) < error
    assert abs(np.mean(w**2) - 1) < error * np.sqrt(2)
    if init.endswith("uniform"):
        assert 0.999 * np.sqrt(3) < np.max(np.abs(w)) < 1.001 * np.sqrt(3)
    else:
        assert abs(np.mean(np.abs(w) > 2) - 0.0455) < error * np.sqrt(0.0455)
    assert biases.any() == (init == "glorot_uniform")


@pytest.mark.parametrize("shape", [(30, 30), (40, 7), (7, 40), (1, 5), (5, 1), (1, 1)])
def test_orthogonal_weights_are_so(shape, dtype):
    """Columns are orthonormal, or rows where these are fewer."""
    (weights,), (biases,) = kernels.initialize(
        shape, init="orthogonal", random_state=0, dtype=dtype
    )
    assert weights.shape == shape
    assert weights.dtype == biases.dtype == dtype
    tall = weights.astype(float) if shape[0] >= shape[1] else weights.T.astype(float)
    np.testing.assert_allclose(tall.T @ tall, np.eye(min(shape)), atol=8 * np.finfo(dtype).eps)
    assert not biases.any()


@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (1, 1)])
def test_all_orthogonal_weights_are_alike_likely(shape):
    """Each element is of either sign as often: of a QR decomposition, LAPACK chooses the signs."""
    random = np.random.RandomState(0)
    drawn = [kernels.initialize(shape, init="orthogonal", random_state=random) for _ in range(900)]
    weights = np.stack([w for (w,), _ in drawn])
    assert np.max(np.abs(np.mean(weights > 0, axis=0) - 0.5)) < 5 * 0.5 / np.sqrt(900)
    of_a_sphere = 1 / max(shape)  # the mean of the square of a coordinate
    np.testing.assert_allclose(np.mean(weights**2, axis=0), of_a_sphere, atol=5 / np.sqrt(900) / 2)


@pytest.mark.thread_unsafe(reason="limits the threads of NumPy's LAPACK")
def test_orthogonal_weights_have_the_same_bits_on_any_number_of_threads():
    """Of NumPy's BLAS, with which a QR decomposition of so large a matrix has other bits."""
    drawn = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, "blas"):
            drawn.append(kernels.initialize([300, 300], init="orthogonal", random_state=0))
            assert all(
                library["num_threads"] == n_threads
                for library in threadpool_info()
                if library["user_api"] == "blas"
            )
    assert calls.bits(drawn[0]) == calls.bits(drawn[1])


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

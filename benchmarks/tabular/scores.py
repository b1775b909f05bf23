"""How far predictions are off."""

import numpy as np

LEAST = 1e-7  # probabilities are at least so great before their logarithm is taken


def normalised_rmse(y: np.ndarray, predicted: np.ndarray) -> float:
    """The root mean squared error in standard deviations of y: 1 is what y's mean comes to."""
    return float(np.sqrt(np.mean((predicted - y) ** 2)) / y.std())


def error_rate(y: np.ndarray, probabilities: np.ndarray, classes: np.ndarray) -> float:
    """The share of rows whose most probable class is not theirs."""
    return float(np.mean(classes[probabilities.argmax(axis=1)] != y))


def log_loss(y: np.ndarray, probabilities: np.ndarray, classes: np.ndarray) -> float:
    """The mean of minus the logarithm of the probability of each row's class.

    A class that training has not seen has the least probability that any may have.
    """
    clipped = np.clip(np.asarray(probabilities, np.float64), LEAST, 1)
    clipped /= clipped.sum(axis=1, keepdims=True)
    of_truth = np.full(len(y), LEAST)
    rows, columns = np.nonzero(y[:, np.newaxis] == classes)
    of_truth[rows] = clipped[rows, columns]
    return float(-np.log(of_truth).mean())

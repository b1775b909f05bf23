"""Keras over JAX: Sequential, compile, fit."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np

from benchmarks.cases import Case
from benchmarks.rivals.base import Rival
from benchmarks.rivals.jax import limit_threads


class Keras(Rival):
    version = f"{keras.__version__} (JAX {jax.__version__})"

    def __init__(self, case: Case, x: np.ndarray, y: np.ndarray) -> None:
        limit_threads(case.threads)
        jax.config.update("jax_enable_x64", case.dtype == "float64")
        keras.config.set_floatx(case.dtype)
        self.case, self.x, self.y = case, x, y
        decay = keras.regularizers.L2(case.alpha / 2 / case.batch_size) if case.alpha else None
        self.model = keras.Sequential(
            [
                keras.Input((case.layer_sizes[0],)),
                *(
                    keras.layers.Dense(width, activation="relu", kernel_regularizer=decay)
                    for width in case.hidden
                ),
                keras.layers.Dense(case.layer_sizes[-1], kernel_regularizer=decay),
            ]
        )
        optimizers = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}
        self.model.compile(
            optimizers[case.solver](case.learning_rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self.first_weights = self.model.get_weights()

    def fit(self, n_epochs: int) -> None:
        self.model.set_weights(self.first_weights)  # a new model would be compiled again
        self.model.fit(self.x, self.y, batch_size=self.case.batch_size, epochs=n_epochs, verbose=0)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict_on_batch(x).argmax(axis=1)

"""The classifier: labels in, labels and probabilities out."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from mlp_c import kernels
from mlp_c._base import BaseMLP


class MLPClassifier(ClassifierMixin, BaseMLP):
    """placeholder"""

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        init="glorot_uniform",
        n_threads=None,
    ):
        self._set_parameters(locals())

    def _validate_data(self, X, y, *, reset, incremental):
        X, y = validate_data(
            self, X, y, multi_output=True, dtype=(np.float64, np.float32), order="C", reset=reset
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if reset:
            self._label_binarizer = LabelBinarizer().fit(y)
            if self._label_binarizer.y_type_ != "multiclass":
                raise NotImplementedError(
                    f"{self._label_binarizer.y_type_} targets are not implemented yet in mlp_c"
                )
            self.classes_ = self._label_binarizer.classes_
            self.out_activation_ = "softmax"
        elif set(unique_labels(y)) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {unique_labels(y)}"
            )
        return X, np.searchsorted(self.classes_, y)

    def _count_outputs(self, y):
        return len(self.classes_)

    def _score(self, X, y):
        logits = self._forward(X)
        if not np.isfinite(logits).all():
            return np.nan
        return float(np.mean(logits.argmax(axis=1) == y))

    def predict(self, X: Any) -> np.ndarray:
        """Predict the classes of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            The likeliest class of each row, the first of equals.
        """
        check_is_fitted(self)
        return self.classes_[self._forward(self._validate_rows(X)).argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            The probabilities, classes ordered as in ``classes_``.
        """
        check_is_fitted(self)
        return kernels.softmax(self._forward(self._validate_rows(X)))

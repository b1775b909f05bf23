"""What a fit came to, to the bit."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone

from support import calls


def bits(model):
    """The bits of weights, biases and loss curve."""
    return calls.bits([model.coefs_, model.intercepts_, np.array(model.loss_curve_)])


def assert_same_bits_on_any_threads_and_of_sparse_rows(model, X, y):
    """Of a model as it is to be fitted; rows have zeros where `X` is negative."""
    rows = np.where(X > 0, X, 0)
    found = set()
    for n_threads in (1, 2, 3, 8):
        for given in (rows, csr_array(rows)):
            found.add(repr(bits(clone(model).set_params(n_threads=n_threads).fit(given, y))))
    assert len(found) == 1

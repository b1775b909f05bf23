"""What the docstrings of the estimators for tables have in common."""

from collections.abc import Callable
from typing import TypeVar

from mlp_c._system.docstrings import documented

T = TypeVar("T")

_PARAMETERS = """
n_members : int, default=8
    How many networks are trained, each with seeds, an order of the rows and rows held out of
    its own. The rows are divided into as many folds, but at least 5; each member holds out one
    fold, whose loss says which of its epochs was best.
hidden_layer_sizes : 'auto', int or array-like of int, default='auto'
    Units of each hidden layer. 'auto' for {widths}.
activation : str or list of str, default='relu'
    The activation of the hidden layers, as of :class:`mlp_c.MLPClassifier`.
n_bins : 'auto' or int, default='auto'
    Into how many bins of as many rows each a column of numbers is divided, between whose bounds
    the networks interpolate; 0 or 1 for none. 'auto' for {bins}.
categorical_features : 'from_dtype', array-like or None, default='from_dtype'
    Which columns are categories: 'from_dtype' for those of text, of True and False, and of the
    categorical types of dataframes; or a mask, indices or names, which may be of numbers; None
    for none, where all columns must be numbers.
batch_size : 'auto' or int, default='auto'
    Rows of a batch, at most all that a member trains on. 'auto' for the power of two next to a
    64th of the rows, from 32 to 512.
learning_rate_init : float, default=0.003
    The learning rate, of Adam.
alpha : float, default=1e-4
    The factor of the L2 term.
dropout : float or list of float, default={dropout}
    The probability that an output of a hidden layer is dropped in training.
max_iter : int, default=200
    The most epochs.
n_iter_no_change : int or inf, default=16
    After so many epochs that are no better than its best one, a member is done.
scoring : str or callable, default='loss'
    What says which epoch of a member is best, and when it is done: the loss of the rows that it
    holds out; 'score' for {score}; the name of a scorer of scikit-learn's; or a
    callable ``scoring(estimator, X, y)``, which is given an estimator that predicts as the member
    does, a copy of these rows and an array of their targets, and returns a number: the greater,
    the better. Scorers of scikit-learn's are also given the rows' weights. Scorers read and
    predict the rows in Python after each epoch, which takes longer than the loss.
time_limit : float or None, default=None
    Seconds from the first epoch after which no other begins. The members keep their best epochs;
    how many there are depends on the machine then, and so do the results. It begins anew where
    ``mlp_c.resume`` goes on.
random_state : int, RandomState or Generator instance, or None, default=None
    Where the folds and the members' seeds come from. The same int gives the same bits on any
    number of threads.
verbose : bool, default=False
    Whether to print a line for each epoch: the members at work, the mean of all members' losses,
    and the mean of their least ones yet of the rows held out.
n_threads : int or None, default=None
    Threads to use; None for what this process may use. They share the members in training, and
    the rows in predictions.
"""

_ATTRIBUTES = """
members_ : list of {member}
    The networks, whose inputs are codes of the columns. `loss_curve_`, `validation_loss_curve_`
    and `best_iter_` of each tell of its training.
history_ : dict of list
    The members' `history_`, one below the other, for ``pandas.DataFrame``, with a first column
    `member`, counted from 0. Members train together: the `seconds` of each are those of the epoch
    of all.
folds_ : ndarray of int of shape (n_samples,)
    The fold of each row of the training: member k held out fold ``k``.
oob_prediction_ : ndarray of shape {predictions}
    {oob} by the members that held it out; NaN for rows that none did, where there are fewer
    members than folds.
oob_score_ : float
    {oob_score} of these predictions. The rows have chosen their members' best epochs: of few
    rows, the score is somewhat too good.
is_categorical_ : ndarray of bool of shape (`n_features_in_`,)
    Which of the columns are categories.
n_iter_ : int
    Epochs until the last member was done.
n_features_in_ : int
    Columns seen in ``fit``.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Their names, where `X` had names that are all strings.
"""

_NOTES = """
Notes
-----
**Numbers** are read by their place, ``z = u / sqrt(1 + (u / 3)**2)`` with
``u = (value - median) / interquartile range``, and by their place within quantile bins: a bin
below the value is full, one above is empty, and the one it is in is full to the part of it that
lies below. **Categories** are one-hot; two levels are -1 and 1. Levels of a single row, and of more
than 255 the less frequent, are taken for unknown ones, which are all zeros. Levels are told apart
by value and kind: ``True`` is not 1, and ``"1"`` is neither. **Missing** numbers
have an input of their own, and missing categories a level, if training has seen any. The codes
are made from the table as each batch is loaded.

Ctrl-C leaves a usable model, with a warning: each member with its best epoch.

References
----------
Gorishniy, Rubachev & Babenko, "On embeddings for numerical features in tabular deep learning"
(2022), on piecewise-linear codes; Holzmüller, Grinsztajn & Steinwart, "Better by default: strong
pre-tuned MLPs and boosted trees on tabular data" (2024), on robust scaling and smooth clipping
and on smoothed labels; Lakshminarayanan, Pritzel & Blundell, "Simple and scalable predictive
uncertainty estimation using deep ensembles" (2017); {references}.
"""


def documented_tabular(**differences: str) -> Callable[[T], T]:
    """Fill in the common parts, in which the estimators differ as said."""
    parts = {"parameters": _PARAMETERS, "attributes": _ATTRIBUTES, "notes": _NOTES}
    filled = {}
    for part, text in parts.items():
        for name, difference in differences.items():
            text = text.replace(f"{{{name}}}", difference)
        filled[part] = text.replace("{{", "{").replace("}}", "}")
    return documented(**filled)

"""What the docstrings of both estimators have in common."""

from mlp_c._network.activations import ACTIVATIONS
from mlp_c._network.initial_weights import INITIALIZERS
from mlp_c._system.docstrings import documented, options
from mlp_c._training.course import COURSES
from mlp_c._training.schedules import SCHEDULES
from mlp_c._training.solvers import SOLVERS

_PARAMETERS = f"""
hidden_layer_sizes : int or array-like of int of shape (n_hidden,), default=(100,)
    The widths of the hidden layers; an empty sequence is a linear model.
activation : {options(ACTIVATIONS)} or list of these, default='relu'
    The activation of all hidden layers, or one for each. scikit-learn has the first four alone, and
    no lists. 'gelu' is the exact one, 'elu' has an alpha of 1, and 'leaky_relu' a slope of 0.01.
solver : {options(SOLVERS)}, default='adam'
    What minimises the loss:

    - 'lbfgs': SciPy's L-BFGS-B, over all rows at once;
    - 'sgd': stochastic gradient descent, with batches of rows;
    - 'adam': Adam, with batches of rows;
    - 'adamw': Adam with `weight_decay` in the place of the L2 term, with batches of rows;
    - 'rmsprop': RMSprop without momentum, with batches of rows.
alpha : float, default=0.0001
    Strength of the L2 term, ``alpha / 2`` times the squared weights (not the biases) over the
    sum of the batch's sample weights. 'adamw' has none.
batch_size : int or 'auto', default='auto'
    Rows in a batch of a stochastic solver; 'auto' is ``min(200, n_samples)``. A larger number
    than there are rows is clipped, with a warning.
learning_rate : {options([*SCHEDULES, *COURSES])} or callable, default='constant'
    The schedule of the learning rate, with a stochastic solver. Constant; or, with solver 'sgd'
    alone, divided by ``(rows seen + 1) ** power_t`` at the end of every epoch ('invscaling'), or
    by 5 on every plateau until it is 1e-6 ('adaptive'). Or `learning_rate_init` times a function
    of the part t of the fit that is over, which is s / N at step s = 0 … N - 1, with N the steps
    of `max_iter` epochs:

    - 'cosine': ``(1 + cos(pi t)) / 2``, which falls to 0;
    - 'one_cycle': ``t / 0.3`` up to 0.3, then ``(1 + cos(pi (t - 0.3) / 0.7)) / 2``;
    - 'exponential': ``0.01 ** t``;
    - 'coslog4': ``(1 - cos(2 pi log2(1 + 15 t))) / 2``, four waves, each twice as long as the last;
    - a callable: it is called once an epoch with an array of t, and returns as many factors.

    ``partial_fit``, which knows no N, takes none of these.
learning_rate_init : float, default=0.001
    The initial learning rate, with a stochastic solver.
power_t : float, default=0.5
    The exponent of 'invscaling'.
max_iter : int, default=200
    The most epochs of a stochastic solver, or iterations of 'lbfgs'.
shuffle : bool, default=True
    Whether to shuffle the rows before each epoch of a stochastic solver.
random_state : int, RandomState or Generator instance, or None, default=None
    Where the initial weights, the validation rows and the orders of the rows come from. The
    same int gives the numbers that scikit-learn gives for it. A Generator's own stream is used.
tol : float, default=1e-4
    By how much the loss or the validation score must improve; with 'lbfgs', the greatest
    component of the gradient to stop at.
verbose : bool, default=False
    Whether to print the loss of each epoch.
warm_start : bool, default=False
    Whether ``fit`` goes on from the weights of the last fit.
momentum : float, default=0.9
    The momentum of 'sgd', in [0, 1].
nesterovs_momentum : bool, default=True
    Whether it is Nesterov's.
early_stopping : bool, default=False
    Whether to hold out rows, stop when their score no longer improves, and end with the best
    weights. 'lbfgs' does so where it is said what to watch: with `scoring`, or with rows to
    validate with given to ``fit``.
validation_fraction : float, default=0.1
    The fraction of rows held out, in [0, 1), where ``fit`` is given none to validate with.
beta_1 : float, default=0.9
    Decay of the first moment, with 'adam' and 'adamw', in [0, 1).
beta_2 : float, default=0.999
    Decay of the second moment, with 'adam', 'adamw' and 'rmsprop', in [0, 1).
epsilon : float, default=1e-8
    What 'adam', 'adamw' and 'rmsprop' add to the root of the second moment; 'adamw' once the
    moment's bias is corrected.
n_iter_no_change : int or inf, default=10
    Epochs without improvement that make a plateau.
max_fun : int, default=15000
    The most evaluations of the loss by 'lbfgs'.
init : {options(INITIALIZERS)}, default='glorot_uniform'
    How the weights are drawn: 'glorot_uniform' as in scikit-learn, biases too; the others as
    ``mlp_c.kernels.initialize`` says, with biases zero.
compute_dtype : {{'float32', 'float64'}} or None, default=None
    The dtype of the weights and the arithmetic of a stochastic solver; None for float32 where the
    training rows are float32, else float64. Dense rows of another dtype are converted a batch
    at a time; `coefs_` have this dtype, and predictions are made in it. Going on from earlier
    weights keeps theirs.
n_threads : int or None, default=None
    Threads to use; None for what this process may use. The results have the same bits for any
    number.
warmup : float, default=0.0
    The part of a fit by a stochastic solver, from 0 to 1, in which the learning rate rises to what
    it is otherwise: it is multiplied by ``min(1, (s + 1) / round(warmup * N))``.
scoring : str, callable or None, default=None
    What `early_stopping` watches: None for what ``score`` gives; 'loss' for the loss of the rows
    held out, negated; the name of a scorer of scikit-learn's; or a callable
    ``scoring(estimator, X, y)``, which is given a copy of these rows and returns a number: the
    greater, the better. Without `early_stopping` it has no effect.
weight_decay : float or None, default=None
    Before each step of a stochastic solver, weights (not biases) are multiplied with
    ``1 - learning_rate * weight_decay``. None for 0.01 with 'adamw', else 0.
max_grad_norm : float or None, default=None
    The greatest norm of a batch's gradients, all layers' and the L2 term's together, with a
    stochastic solver: longer ones are shortened to it. None for any.
dropout : float or list of float, default=0.0
    The probability that a stochastic solver drops an output of a hidden layer, in [0, 1), or
    one for each of them, anew for each row of a batch. Outputs that are kept are divided by the
    probability of being kept. Predictions, scores and losses of rows held out drop nothing.
input_dropout : float, default=0.0
    The same of the inputs; of sparse rows, of the elements that are stored.
"""

_ATTRIBUTES = """
coefs_ : list of ndarrays of shape (n_in, n_out)
    The weights of each layer, in the dtype of the arithmetic: see `compute_dtype`.
intercepts_ : list of ndarrays of shape (n_out,)
    Its biases.
loss_ : float
    The loss of the last epoch or iteration.
loss_curve_ : list of float
    The loss of every epoch, or iteration of 'lbfgs'.
learning_rate_curve_ : list of float
    The learning rate of the last batch of every epoch of a stochastic solver: as long as
    `loss_curve_`, and NaN for what another solver, scikit-learn or an older version has done.
history_ : dict of list
    What is known of each epoch or iteration, for ``pandas.DataFrame``: `epoch`, counted from 1,
    `loss`, `validation_loss`, `validation_score`, `learning_rate` and `seconds`, in lists as long
    as `loss_curve_`, with NaN for what is not known. The seconds are those of training and
    validation, without callbacks. Copies and files hold none, so epochs of before have NaN there.
n_steps_ : int
    Steps of the last fit by a stochastic solver, and of each ``partial_fit`` since: one for each
    batch that has weight.
best_loss_ : float or None
    The least of them; None with `early_stopping`.
validation_scores_ : list of float or None
    The validation score of every epoch, with `early_stopping`: as `scoring` says.
best_validation_score_ : float or None
    The greatest of them.
validation_loss_curve_ : list of float
    The loss of the rows held out after every epoch, without the L2 term, only where rows are.
best_iter_ : int
    Which of these epochs, counted from 1, scored best and left its weights, only where rows are
    held out; 0 if none did.
dropout_seed_ : int
    The seed of what is dropped, drawn from `random_state`, only with `dropout` or
    `input_dropout`: :func:`mlp_c.kernels.dropout_mask` tells by it what a step has dropped.
t_ : int
    Training rows seen by a stochastic solver.
n_iter_ : int
    Epochs or iterations run.
n_layers_ : int
    Layers, those of the inputs and outputs included.
n_outputs_ : int
    Outputs of the network.
n_features_in_ : int
    Features seen in ``fit``.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Their names, where `X` had names that are all strings.
"""

_NOTES = """
Notes
-----
Stopping the training with Ctrl-C leaves a usable model, with a warning: the weights are
those after the last whole batch, or the last iteration of 'lbfgs', whose arithmetic is
float64 whatever the dtype of the fitted weights; with `early_stopping`, those that scored
best. Where an update takes longer than 30 ms, as of a network of tens of millions of weights,
some may be one batch further.

References
----------
Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks"
(2010); He, Zhang, Ren & Sun, "Delving deep into rectifiers" (2015); Kingma & Ba, "Adam: a
method for stochastic optimization" (2014); Loshchilov & Hutter, "Decoupled weight decay
regularization" (2019); Tieleman & Hinton, "Neural networks for machine learning", lecture 6.5
(2012), on RMSprop; Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural
networks" (2013), on clipped gradients; Szegedy et al., "Rethinking the Inception
architecture for computer vision" (2016), on label smoothing; Koenker & Bassett, "Regression
quantiles" (1978); Nix & Weigend, "Estimating the mean and variance of the target probability
distribution" (1994).
"""


documented_estimator = documented(parameters=_PARAMETERS, attributes=_ATTRIBUTES, notes=_NOTES)

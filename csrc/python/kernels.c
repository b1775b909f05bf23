/* The functions behind mlp_c/kernels.py, where their arguments are documented. */
#include "python/data.h"
#include "python/layers.h"
#include "python/names.h"
#include "python/run.h"

/* A list of slopes, one a hidden layer; without views for None. */
static mlp_list
arg_slopes(mlp_call *call, PyObject *obj, mlp_list weights, ptrdiff_t n, mlp_access access)
{
    mlp_list none = {0};
    if (call->failed || obj == Py_None) {
        return none;
    }
    mlp_expectation expected = mlp_expect("slopes", 2, n, access);
    return mlp_arg_list_like(call, obj, mlp_hidden_of(weights), expected);
}

/* forward(X, weights, biases, activation, out, slopes, n_threads) -> out */
PyObject *
mlp_core_forward(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *weights_obj, *biases_obj, *activation, *out, *slopes, *result = NULL;
    int n_threads;
    if (!PyArg_ParseTuple(args, "OOOOOOi:forward", &x_obj, &weights_obj, &biases_obj, &activation,
                          &out, &slopes, &n_threads)) {
        return NULL;
    }
    mlp_forward_args forward = {0};
    mlp_call call;
    mlp_begin(&call);
    forward.data = mlp_arg_rows(&call, x_obj);
    mlp_settle_rows(&call, &forward.data);
    ptrdiff_t n = forward.data.n;
    mlp_list weights = mlp_arg_weights(&call, weights_obj, forward.data.x.cols, MLP_READ);
    mlp_list biases = mlp_arg_biases(&call, biases_obj, weights, MLP_READ);
    forward.network = mlp_arg_network(&call, weights, biases, activation, weights.n - 1);
    if (out == Py_None) {
        out = mlp_new_list_like(&call, weights, n, 2);
    }
    mlp_expectation outputs = mlp_expect("out", 2, n, MLP_WRITE);
    forward.outputs = mlp_arg_list_like(&call, out, weights, outputs).views;
    forward.slopes = arg_slopes(&call, slopes, weights, n, MLP_WRITE).views;
    forward.kernels = mlp_kernels_for(module, &call);
    n_threads = mlp_threads_for(n_threads, mlp_count_work(n, weights));
    if (mlp_ready(&call) && mlp_run_job(module, &mlp_forward_job, &forward, n_threads)) {
        result = Py_NewRef(out);
    }
    mlp_end(&call);
    return result;
}

/* softmax(logits, out) -> out */
PyObject *
mlp_core_softmax(PyObject *module, PyObject *args)
{
    PyObject *logits_obj, *out, *result = NULL;
    if (!PyArg_ParseTuple(args, "OO:softmax", &logits_obj, &out)) {
        return NULL;
    }
    mlp_softmax_args softmax = {0};
    mlp_call call;
    mlp_begin(&call);
    mlp_matrix logits = mlp_arg_matrix(&call, logits_obj, "logits", MLP_ANY, MLP_ANY, MLP_READ);
    if (out == Py_None) {
        out = mlp_new_matrix(&call, logits.rows, logits.cols);
    }
    softmax.logits = logits;
    softmax.out = mlp_arg_matrix(&call, out, "out", logits.rows, logits.cols, MLP_WRITE);
    softmax.kernels = mlp_kernels_for(module, &call);
    if (mlp_ready(&call) && mlp_run_job(module, &mlp_softmax_job, &softmax, 1)) {
        result = Py_NewRef(out);
    }
    mlp_end(&call);
    return result;
}

/* The cross-entropy of the kernels: without bounds. */
static mlp_loss
plain_cross_entropy(double eps)
{
    return (mlp_loss){.code = MLP_CROSS_ENTROPY,
                      .cross_entropy = {.eps = eps, .floor = -Py_HUGE_VAL, .ceiling = Py_HUGE_VAL}};
}

/* softmax_cross_entropy(logits, y, eps, out) -> (loss, out) */
PyObject *
mlp_core_softmax_cross_entropy(PyObject *module, PyObject *args)
{
    PyObject *logits_obj, *y_obj, *out, *result = NULL;
    double eps;
    if (!PyArg_ParseTuple(args, "OOdO:softmax_cross_entropy", &logits_obj, &y_obj, &eps, &out)) {
        return NULL;
    }
    mlp_softmax_cross_entropy_args loss = {.loss = plain_cross_entropy(eps)};
    mlp_call call;
    mlp_begin(&call);
    mlp_matrix logits = mlp_arg_matrix(&call, logits_obj, "logits", MLP_ANY, MLP_ANY, MLP_READ);
    loss.logits = logits;
    loss.targets = mlp_arg_targets(&call, y_obj, "y", logits.rows, logits.cols);
    if (out == Py_None) {
        out = mlp_new_matrix(&call, logits.rows, logits.cols);
    }
    loss.dlogits = mlp_arg_matrix(&call, out, "out", logits.rows, logits.cols, MLP_WRITE);
    loss.kernels = mlp_kernels_for(module, &call);
    if (mlp_ready(&call) && mlp_run_job(module, &mlp_softmax_cross_entropy_job, &loss, 1)) {
        double n = logits.rows > 0 ? (double)logits.rows : 1;
        result = Py_BuildValue("(dO)", loss.total_loss / n, out);
    }
    mlp_end(&call);
    return result;
}

/* Fails the call where a hidden layer's activation needs slopes and there are none. */
static void
require_slopes(mlp_call *call, const mlp_network *network, const mlp_matrix *slopes)
{
    for (ptrdiff_t l = 0; l < network->n_layers - 1 && slopes == NULL && !call->failed; l++) {
        mlp_activation activation = network->layers[l].activation;
        if (mlp_needs_slopes(activation)) {
            PyErr_Format(
                PyExc_ValueError,
                "slopes must be a list of arrays for activation '%s', whose derivative its "
                "output does not tell, got None",
                mlp_activation_names.names[activation]);
            call->failed = true;
        }
    }
}

/* backward(X, activations, dlogits, weights, activation, slopes, out, n_threads)
 *     -> out: (dweights, dbiases) */
PyObject *
mlp_core_backward(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *activations_obj, *dlogits_obj, *weights_obj, *activation, *slopes, *out;
    PyObject *result = NULL;
    int n_threads;
    if (!PyArg_ParseTuple(args, "OOOOOOOi:backward", &x_obj, &activations_obj, &dlogits_obj,
                          &weights_obj, &activation, &slopes, &out, &n_threads)) {
        return NULL;
    }
    if (out != Py_None && (!PyTuple_Check(out) || PyTuple_GET_SIZE(out) != 2)) {
        PyErr_Format(PyExc_TypeError, "out must be a tuple (dweights, dbiases) of lists, got %S",
                     (PyObject *)Py_TYPE(out));
        return NULL;
    }
    mlp_backward_args backward = {0};
    mlp_call call;
    mlp_begin(&call);
    backward.data = mlp_arg_rows(&call, x_obj);
    mlp_settle_rows(&call, &backward.data);
    ptrdiff_t n = backward.data.n;
    mlp_list weights = mlp_arg_weights(&call, weights_obj, backward.data.x.cols, MLP_READ);
    backward.network = mlp_arg_network(&call, weights, (mlp_list){0}, activation, weights.n - 1);
    mlp_expectation outputs = mlp_expect("activations", 2, n, MLP_READ);
    backward.outputs = mlp_arg_list_like(&call, activations_obj, weights, outputs).views;
    backward.slopes = arg_slopes(&call, slopes, weights, n, MLP_READ).views;
    require_slopes(&call, &backward.network, backward.slopes);
    ptrdiff_t n_out = mlp_count_outputs(&call, weights);
    backward.dlogits = mlp_arg_matrix(&call, dlogits_obj, "dlogits", n, n_out, MLP_READ);

    bool is_new = out == Py_None;
    PyObject *dweights_obj =
        is_new ? mlp_new_list_like(&call, weights, MLP_LIKE, 2) : PyTuple_GET_ITEM(out, 0);
    PyObject *dbiases_obj =
        is_new ? mlp_new_list_like(&call, weights, 1, 1) : PyTuple_GET_ITEM(out, 1);
    mlp_list dweights = mlp_arg_list_like(&call, dweights_obj, weights,
                                          mlp_expect("out[0]", 2, MLP_LIKE, MLP_WRITE));
    mlp_list dbiases =
        mlp_arg_list_like(&call, dbiases_obj, weights, mlp_expect("out[1]", 1, 1, MLP_WRITE));
    mlp_set_gradients(&backward.network, dweights, dbiases);
    backward.kernels = mlp_kernels_for(module, &call);
    n_threads = mlp_threads_for(n_threads, 2 * mlp_count_work(n, weights));
    if (mlp_ready(&call) && mlp_run_job(module, &mlp_backward_job, &backward, n_threads)) {
        result = is_new ? PyTuple_Pack(2, dweights_obj, dbiases_obj) : Py_NewRef(out);
    }
    mlp_end(&call);
    return result;
}

/* The update of an element takes as long as so many multiply-adds, for it passes over memory: a
 * second thread comes at some 94,000 elements. */
static const double WORK_OF_UPDATE = 64;

/* sgd_step(params, grads, learning_rate, n_threads) */
PyObject *
mlp_core_sgd_step(PyObject *module, PyObject *args)
{
    PyObject *params_obj, *grads_obj, *result = NULL;
    mlp_sgd_step_args step = {0};
    int n_threads;
    if (!PyArg_ParseTuple(args, "OOdi:sgd_step", &params_obj, &grads_obj, &step.learning_rate,
                          &n_threads)) {
        return NULL;
    }
    mlp_call call;
    mlp_begin(&call);
    mlp_list params =
        mlp_arg_list(&call, params_obj, mlp_expect("params", MLP_ANY, MLP_ANY, MLP_WRITE));
    mlp_list grads = mlp_arg_list_like(&call, grads_obj, params,
                                       mlp_expect("grads", MLP_LIKE, MLP_LIKE, MLP_READ));
    step.n_params = params.n;
    step.params = params.views;
    step.grads = grads.views;
    step.kernels = mlp_kernels_for(module, &call);
    n_threads = mlp_threads_for(n_threads, WORK_OF_UPDATE * mlp_count_work(1, params));
    if (mlp_ready(&call)
        && (params.n == 0 || mlp_run_job(module, &mlp_sgd_step_job, &step, n_threads))) {
        result = Py_NewRef(Py_None);
    }
    mlp_end(&call);
    return result;
}

/* drop(values, dropout, seed, step, layer, n_threads) */
PyObject *
mlp_core_drop(PyObject *module, PyObject *args)
{
    PyObject *values, *result = NULL;
    double dropout;
    Py_ssize_t seed, step, layer;
    int n_threads;
    if (!PyArg_ParseTuple(args, "Odnnni:drop", &values, &dropout, &seed, &step, &layer,
                          &n_threads)) {
        return NULL;
    }
    mlp_call call;
    mlp_begin(&call);
    mlp_drop_args drop = {
        .mask = {.probability = mlp_check_probability(&call, "dropout", MLP_ANY, dropout),
                 .seed = (uint64_t)seed,
                 .step = step,
                 .layer = layer}};
    drop.values = mlp_arg_matrix(&call, values, "values", MLP_ANY, MLP_ANY, MLP_WRITE);
    drop.kernels = mlp_kernels_for(module, &call);
    double work = WORK_OF_UPDATE * (double)drop.values.rows * (double)drop.values.cols;
    if (mlp_ready(&call)
        && mlp_run_job(module, &mlp_drop_job, &drop, mlp_threads_for(n_threads, work))) {
        result = Py_NewRef(Py_None);
    }
    mlp_end(&call);
    return result;
}

/* train_step(X, y, rows, weights, biases, activation, eps, learning_rate, n_threads) -> loss */
PyObject *
mlp_core_train_step(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *y, *rows, *weights_obj, *biases_obj, *activation, *result = NULL;
    double eps, learning_rate;
    int n_threads;
    if (!PyArg_ParseTuple(args, "OOOOOOddi:train_step", &x_obj, &y, &rows, &weights_obj,
                          &biases_obj, &activation, &eps, &learning_rate, &n_threads)) {
        return NULL;
    }
    mlp_train_epoch_args step = {
        .objective = {.loss = plain_cross_entropy(eps), .gradient_scale = 1},
        .rule = {.code = MLP_SGD},
        .learning_rates = &learning_rate,
    };
    mlp_call call;
    mlp_begin(&call);
    step.data = mlp_arg_rows(&call, x_obj);
    mlp_list weights = mlp_arg_weights(&call, weights_obj, step.data.x.cols, MLP_WRITE);
    mlp_list biases = mlp_arg_biases(&call, biases_obj, weights, MLP_WRITE);
    step.network = mlp_arg_network(&call, weights, biases, activation, weights.n - 1);
    mlp_arg_batch(&call, rows, y, mlp_count_outputs(&call, weights), &step.data);
    mlp_settle_rows(&call, &step.data);
    ptrdiff_t n = step.data.n;
    step.batch_size = mlp_max(n, 1);
    step.kernels = mlp_kernels_for(module, &call);
    n_threads = mlp_threads_for(n_threads, 3 * mlp_count_work(n, weights));
    if (mlp_ready(&call) && mlp_run_job(module, &mlp_train_step_job, &step, n_threads)) {
        result = PyFloat_FromDouble(step.total_loss / (n > 0 ? (double)n : 1));
    }
    mlp_end(&call);
    return result;
}

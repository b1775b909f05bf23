/* The functions behind mlp_c/kernels.py, where their arguments are documented. */
#include "python/data.h"
#include "python/run.h"

/* forward(X, weights, biases, activation, out, n_threads) -> out */
PyObject *
mlp_core_forward(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *weights_obj, *biases_obj, *out, *result = NULL;
    PyObject *activation;
    int n_threads;
    if (!PyArg_ParseTuple(args, "OOOOOi:forward", &x_obj, &weights_obj, &biases_obj, &activation,
                          &out, &n_threads)) {
        return NULL;
    }
    mlp_forward_args kernel_args = {0};
    mlp_call call;
    mlp_begin(&call);
    kernel_args.x = mlp_take_matrix(&call, x_obj, "X", MLP_ANY, MLP_ANY, MLP_READ);
    mlp_list weights = mlp_take_weights(&call, weights_obj, kernel_args.x.cols, MLP_READ);
    kernel_args.network = mlp_take_network(&call, weights, biases_obj, activation, MLP_READ);
    ptrdiff_t n = kernel_args.x.rows;
    if (out == Py_None) {
        out = mlp_new_list_like(&call, weights, n, 2);
    }
    kernel_args.activations = mlp_take_list_like(&call, out, "out", weights, n, 2, MLP_WRITE).views;
    n_threads = mlp_threads_for(n_threads, mlp_count_work(n, weights));
    if (mlp_ready(&call)
        && mlp_run_kernel(module, &mlp_kernels_for(module, &call)->forward, &kernel_args,
                          n_threads)) {
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
    mlp_softmax_args kernel_args = {0};
    mlp_call call;
    mlp_begin(&call);
    mlp_matrix logits = mlp_take_matrix(&call, logits_obj, "logits", MLP_ANY, MLP_ANY, MLP_READ);
    if (out == Py_None) {
        out = mlp_new_matrix(&call, logits.rows, logits.cols);
    }
    kernel_args.logits = logits;
    kernel_args.out = mlp_take_matrix(&call, out, "out", logits.rows, logits.cols, MLP_WRITE);
    if (mlp_ready(&call)
        && mlp_run_kernel(module, &mlp_kernels_for(module, &call)->softmax, &kernel_args, 1)) {
        result = Py_NewRef(out);
    }
    mlp_end(&call);
    return result;
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
    mlp_softmax_cross_entropy_args kernel_args = {
        .loss = {.eps = eps, .floor = -Py_HUGE_VAL, .ceiling = Py_HUGE_VAL}};
    mlp_call call;
    mlp_begin(&call);
    mlp_matrix logits = mlp_take_matrix(&call, logits_obj, "logits", MLP_ANY, MLP_ANY, MLP_READ);
    kernel_args.logits = logits;
    kernel_args.targets = mlp_take_targets(&call, y_obj, "y", logits.rows, logits.cols);
    if (out == Py_None) {
        out = mlp_new_matrix(&call, logits.rows, logits.cols);
    }
    kernel_args.dlogits = mlp_take_matrix(&call, out, "out", logits.rows, logits.cols, MLP_WRITE);
    if (mlp_ready(&call)
        && mlp_run_kernel(module, &mlp_kernels_for(module, &call)->softmax_cross_entropy,
                          &kernel_args, 1)) {
        double n = logits.rows > 0 ? (double)logits.rows : 1;
        result = Py_BuildValue("(dO)", kernel_args.total_loss / n, out);
    }
    mlp_end(&call);
    return result;
}

/* backward(X, activations, dlogits, weights, activation, out, n_threads)
 *     -> out: (dweights, dbiases) */
PyObject *
mlp_core_backward(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *activations_obj, *dlogits_obj, *weights_obj, *out, *result = NULL;
    PyObject *activation;
    int n_threads;
    if (!PyArg_ParseTuple(args, "OOOOOOi:backward", &x_obj, &activations_obj, &dlogits_obj,
                          &weights_obj, &activation, &out, &n_threads)) {
        return NULL;
    }
    if (out != Py_None && (!PyTuple_Check(out) || PyTuple_GET_SIZE(out) != 2)) {
        PyErr_Format(PyExc_TypeError, "out must be a tuple (dweights, dbiases) of lists, got %S",
                     (PyObject *)Py_TYPE(out));
        return NULL;
    }
    mlp_backward_args kernel_args = {0};
    mlp_call call;
    mlp_begin(&call);
    kernel_args.network.activation = mlp_parse_activation(&call, activation);
    kernel_args.x = mlp_take_matrix(&call, x_obj, "X", MLP_ANY, MLP_ANY, MLP_READ);
    ptrdiff_t n = kernel_args.x.rows;
    mlp_list weights = mlp_take_weights(&call, weights_obj, kernel_args.x.cols, MLP_READ);
    kernel_args.network.n_layers = weights.n;
    kernel_args.network.weights = weights.views;
    kernel_args.activations =
        mlp_take_list_like(&call, activations_obj, "activations", weights, n, 2, MLP_READ).views;
    ptrdiff_t n_out = mlp_count_outputs(&call, weights);
    kernel_args.dlogits = mlp_take_matrix(&call, dlogits_obj, "dlogits", n, n_out, MLP_READ);
    PyObject *dweights =
        out == Py_None ? mlp_new_list_like(&call, weights, MLP_LIKE, 2) : PyTuple_GET_ITEM(out, 0);
    PyObject *dbiases =
        out == Py_None ? mlp_new_list_like(&call, weights, 1, 1) : PyTuple_GET_ITEM(out, 1);
    kernel_args.dweights =
        mlp_take_list_like(&call, dweights, "out[0]", weights, MLP_LIKE, 2, MLP_WRITE).views;
    kernel_args.dbiases =
        mlp_take_list_like(&call, dbiases, "out[1]", weights, 1, 1, MLP_WRITE).views;
    n_threads = mlp_threads_for(n_threads, 2 * mlp_count_work(n, weights));
    if (mlp_ready(&call)
        && mlp_run_kernel(module, &mlp_kernels_for(module, &call)->backward, &kernel_args,
                          n_threads)) {
        result = out == Py_None ? PyTuple_Pack(2, dweights, dbiases) : Py_NewRef(out);
    }
    mlp_end(&call);
    return result;
}

/* sgd_step(params, grads, learning_rate) */
PyObject *
mlp_core_sgd_step(PyObject *module, PyObject *args)
{
    PyObject *params_obj, *grads_obj, *result = NULL;
    mlp_update_args kernel_args = {.optimizer = {.rule = MLP_SGD}};
    if (!PyArg_ParseTuple(args, "OOd:sgd_step", &params_obj, &grads_obj,
                          &kernel_args.optimizer.learning_rate)) {
        return NULL;
    }
    mlp_call call;
    mlp_begin(&call);
    mlp_list params = mlp_take_list(&call, params_obj, "params", MLP_ANY, MLP_WRITE);
    mlp_list grads =
        mlp_take_list_like(&call, grads_obj, "grads", params, MLP_LIKE, MLP_LIKE, MLP_READ);
    kernel_args.n_params = params.n;
    kernel_args.params = params.views;
    kernel_args.grads = grads.views;
    if (mlp_ready(&call)
        && (params.n == 0
            || mlp_run_kernel(module, &mlp_kernels_for(module, &call)->update, &kernel_args, 1))) {
        result = Py_NewRef(Py_None);
    }
    mlp_end(&call);
    return result;
}

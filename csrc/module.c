/* mlp_c._core: the kernels as Python functions.
 *
 * Each function checks all of its arguments, takes every pointer, releases the
 * GIL and runs one kernel. The public signatures and their documentation are
 * in mlp_c/kernels.py; arguments here are positional.
 */
#include "pyarrays.h"

#include <string.h>

#include "arena.h"
#include "cpu.h"

typedef struct {
    const mlp_isa *isa;
    PyObject *main_thread; /* threading.main_thread */
} module_state;

/* Work in multiply-adds below which another thread costs more than it brings:
 * to start one, and to meet it at the barriers of a batch. */
static const double WORK_PER_THREAD = 2e6, BATCH_WORK_PER_THREAD = 3e5;

static const mlp_kernels *
kernels_for(PyObject *module, int dtype)
{
    return &((module_state *)PyModule_GetState(module))->isa->tables[dtype];
}

/* ---- running a kernel ---- */

/* Retakes the GIL to see whether a signal handler raised. */
static bool
poll_signals(void *context)
{
    PyThreadState **thread = context;
    PyEval_RestoreThread(*thread);
    int raised = PyErr_CheckSignals();
    *thread = PyEval_SaveThread();
    return raised != 0;
}

/* Python runs signal handlers on its main thread only: 1 there, else 0. */
static int
on_main_thread(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    PyObject *main_thread = PyObject_CallNoArgs(state->main_thread);
    PyObject *ident = main_thread == NULL ? NULL : PyObject_GetAttrString(main_thread, "ident");
    Py_XDECREF(main_thread);
    if (ident == NULL) {
        return -1;
    }
    unsigned long main_ident = PyLong_AsUnsignedLongMask(ident);
    Py_DECREF(ident);
    return PyErr_Occurred() ? -1 : main_ident == PyThread_get_thread_ident();
}

/* Gives args, whose first member is the workspace pointer, the workspace it
 * needs and runs the kernel with the GIL released. */
static int
run_kernel(PyObject *module, const mlp_kernel *kernel, void *args, int n_threads)
{
    int is_main = on_main_thread(module);
    if (is_main < 0) {
        return -1;
    }
    size_t size = kernel->workspace(args, n_threads);
    char *block =
        size > PY_SSIZE_T_MAX - MLP_ALIGNMENT ? NULL : PyMem_RawMalloc(size + MLP_ALIGNMENT);
    if (block == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *(void **)args = block + (MLP_ALIGNMENT - (uintptr_t)block % MLP_ALIGNMENT);
    PyThreadState *thread = PyEval_SaveThread();
    mlp_outcome outcome =
        mlp_run(n_threads, kernel->run, args, is_main ? poll_signals : NULL, &thread);
    PyEval_RestoreThread(thread);
    PyMem_RawFree(block);
    if (outcome == MLP_NO_MEMORY) {
        PyErr_NoMemory();
    }
    return outcome == MLP_DONE ? 0 : -1;
}

static int
useful_threads(int n_threads, double work, double work_per_thread)
{
    double useful = work / work_per_thread;
    return useful < 1 ? 1 : useful < n_threads ? (int)useful : n_threads;
}

/* ---- networks ---- */

static const char *const activation_names[] = {
#define A(CODE, name) [MLP_##CODE] = #name,
    MLP_ACTIVATIONS(A)
#undef A
        NULL};

static const char *const rule_names[] = {
#define R(CODE, name) [MLP_##CODE] = #name,
    MLP_RULES(R)
#undef R
        NULL};

/* Which of the names (ended by NULL) it is; -1 with an exception that lists them. */
static int
parse_name(const char *const *names, const char *argument, const char *name)
{
    char choices[256] = "";
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
        size_t used = strlen(choices);
        PyOS_snprintf(choices + used, sizeof choices - used, "%s'%s'", i == 0 ? "" : ", ",
                      names[i]);
    }
    PyErr_Format(PyExc_ValueError, "%s must be one of %s, got '%s'", argument, choices, name);
    return -1;
}

static int
parse_activation(const char *name, mlp_activation *activation)
{
    int code = parse_name(activation_names, "activation", name);
    *activation = (mlp_activation)code;
    return code < 0 ? -1 : 0;
}

/* Opens the weights of a network on n_in inputs. */
static int
open_weights(PyObject *obj, ptrdiff_t n_in, int dtype, mlp_access access, mlp_array_list *weights)
{
    if (mlp_open_list(obj, "weights", MLP_ANY_SIZE, weights) < 0) {
        return -1;
    }
    if (weights->n == 0) {
        PyErr_SetString(PyExc_ValueError, "weights must hold at least one array, got none");
        return -1;
    }
    for (Py_ssize_t l = 0; l < weights->n; l++) {
        mlp_expected expected = {"weights", l, 2, n_in, MLP_ANY_SIZE, dtype, access};
        if (mlp_view_element(weights, l, expected) < 0) {
            return -1;
        }
        n_in = weights->views[l].cols;
    }
    return 0;
}

/* Opens a list of vectors, one for each layer's outputs. */
static int
open_vectors(PyObject *obj, const char *name, const mlp_array_list *weights, int dtype,
             mlp_access access, mlp_array_list *list)
{
    PyObject *arrays = mlp_open_like(obj, name, weights, 1, 1, dtype, access, list);
    Py_XDECREF(arrays);
    return arrays == NULL ? -1 : 0;
}

/* Multiply-adds of one pass over the layers. */
static double
count_work(ptrdiff_t rows, const mlp_array_list *weights)
{
    double work = 0;
    for (Py_ssize_t l = 0; l < weights->n; l++) {
        work += (double)weights->views[l].rows * (double)weights->views[l].cols;
    }
    return work * (double)rows;
}

static int
check_disjoint(const mlp_array_list *outputs, const mlp_array_list *others)
{
    return mlp_check_disjoint(outputs->arrays, outputs->n, others->arrays, others->n);
}

static int
view_matrix(PyObject *obj, const char *name, ptrdiff_t rows, ptrdiff_t cols, int dtype,
            mlp_array *array)
{
    mlp_expected expected = {name, -1, 2, rows, cols, dtype, MLP_READ};
    return mlp_view_array(obj, &expected, array);
}

/* ---- the functions ---- */

/* forward(X, weights, biases, activation, out, n_threads) */
static PyObject *
core_forward(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *weights_obj, *biases_obj, *out_obj, *result = NULL;
    const char *activation;
    int n_threads;
    mlp_array_list weights = {0}, biases = {0}, out = {0};
    mlp_array x;
    mlp_forward_args call = {0};
    if (!PyArg_ParseTuple(args, "OOOsOi:forward", &x_obj, &weights_obj, &biases_obj, &activation,
                          &out_obj, &n_threads)
        || parse_activation(activation, &call.network.activation) < 0) {
        return NULL;
    }
    int dtype = mlp_dtype_of(x_obj, "X");
    if (dtype < 0 || view_matrix(x_obj, "X", MLP_ANY_SIZE, MLP_ANY_SIZE, dtype, &x) < 0
        || open_weights(weights_obj, x.view.cols, dtype, MLP_READ, &weights) < 0
        || open_vectors(biases_obj, "biases", &weights, dtype, MLP_READ, &biases) < 0) {
        goto done;
    }
    result = mlp_open_like(out_obj, "out", &weights, x.view.rows, 2, dtype, MLP_WRITE, &out);
    if (result == NULL || mlp_check_outputs(out.arrays, out.n) < 0
        || mlp_check_disjoint(out.arrays, out.n, &x, 1) < 0 || check_disjoint(&out, &weights) < 0
        || check_disjoint(&out, &biases) < 0) {
        Py_CLEAR(result);
        goto done;
    }
    call.x = x.view;
    call.network.n_layers = weights.n;
    call.network.weights = weights.views;
    call.network.biases = biases.views;
    call.activations = out.views;
    n_threads = useful_threads(n_threads, count_work(x.view.rows, &weights), WORK_PER_THREAD);
    if (run_kernel(module, &kernels_for(module, dtype)->forward, &call, n_threads) < 0) {
        Py_CLEAR(result);
    }
done:
    mlp_close_list(&weights);
    mlp_close_list(&biases);
    mlp_close_list(&out);
    return result;
}

/* Opens an output shaped as an input is, a new array where obj is None. Returns
 * a new reference to it. */
static PyObject *
open_output_like(PyObject *obj, const mlp_array *input, int dtype, mlp_array *output)
{
    const mlp_matrix *shape = &input->view;
    PyObject *array =
        obj == Py_None ? mlp_new_array(dtype, 2, shape->rows, shape->cols) : Py_NewRef(obj);
    mlp_expected expected = {"out", -1, 2, shape->rows, shape->cols, dtype, MLP_WRITE};
    if (array != NULL
        && (mlp_view_array(array, &expected, output) < 0 || mlp_check_outputs(output, 1) < 0
            || mlp_check_disjoint(output, 1, input, 1) < 0)) {
        Py_CLEAR(array);
    }
    return array;
}

/* softmax(logits, out) */
static PyObject *
core_softmax(PyObject *module, PyObject *args)
{
    PyObject *logits_obj, *out_obj;
    mlp_array logits, out;
    if (!PyArg_ParseTuple(args, "OO:softmax", &logits_obj, &out_obj)) {
        return NULL;
    }
    int dtype = mlp_dtype_of(logits_obj, "logits");
    if (dtype < 0
        || view_matrix(logits_obj, "logits", MLP_ANY_SIZE, MLP_ANY_SIZE, dtype, &logits) < 0) {
        return NULL;
    }
    PyObject *result = open_output_like(out_obj, &logits, dtype, &out);
    if (result == NULL) {
        return NULL;
    }
    mlp_softmax_args call = {.logits = logits.view, .out = out.view};
    if (run_kernel(module, &kernels_for(module, dtype)->softmax, &call, 1) < 0) {
        Py_CLEAR(result);
    }
    return result;
}

/* Opens class targets for n rows of k logits: labels, copied, to be freed with
 * PyMem_Free, or rows, viewed; *has_rows says which. */
static int
open_targets(PyObject *obj, ptrdiff_t n, ptrdiff_t k, int dtype, mlp_targets *targets,
             mlp_array *rows, int32_t **labels)
{
    *labels = NULL;
    if (!mlp_is_label_array(obj)) {
        mlp_expected expected = {"y", -1, 2, n, k, dtype, MLP_READ};
        return mlp_view_targets(obj, &expected, targets, rows);
    }
    *labels = mlp_copy_labels(obj, "y", n, k);
    *targets = (mlp_targets){.labels = *labels};
    return *labels == NULL ? -1 : 0;
}

/* softmax_cross_entropy(logits, y, eps, out) -> (loss, dlogits) */
static PyObject *
core_softmax_cross_entropy(PyObject *module, PyObject *args)
{
    PyObject *logits_obj, *y_obj, *out_obj, *dlogits_obj = NULL, *result = NULL;
    double eps;
    mlp_array logits, dlogits, y;
    int32_t *labels;
    mlp_softmax_cross_entropy_args call = {0};
    if (!PyArg_ParseTuple(args, "OOdO:softmax_cross_entropy", &logits_obj, &y_obj, &eps,
                          &out_obj)) {
        return NULL;
    }
    int dtype = mlp_dtype_of(logits_obj, "logits");
    if (dtype < 0
        || view_matrix(logits_obj, "logits", MLP_ANY_SIZE, MLP_ANY_SIZE, dtype, &logits) < 0
        || open_targets(y_obj, logits.view.rows, logits.view.cols, dtype, &call.targets, &y,
                        &labels)
               < 0) {
        return NULL;
    }
    dlogits_obj = open_output_like(out_obj, &logits, dtype, &dlogits);
    if (dlogits_obj == NULL || (labels == NULL && mlp_check_disjoint(&dlogits, 1, &y, 1) < 0)) {
        goto done;
    }
    call.logits = logits.view;
    call.dlogits = dlogits.view;
    call.loss = (mlp_loss){.eps = eps, .floor = -Py_HUGE_VAL, .ceiling = Py_HUGE_VAL};
    if (run_kernel(module, &kernels_for(module, dtype)->softmax_cross_entropy, &call, 1) == 0) {
        double n = logits.view.rows > 0 ? (double)logits.view.rows : 1;
        result = Py_BuildValue("(dO)", call.total_loss / n, dlogits_obj);
    }
done:
    PyMem_Free(labels);
    Py_XDECREF(dlogits_obj);
    return result;
}

/* backward(X, activations, dlogits, weights, activation, out, n_threads)
 *     -> (dweights, dbiases) */
static PyObject *
core_backward(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *activations_obj, *dlogits_obj, *weights_obj, *out_obj, *result = NULL;
    PyObject *dweights_obj = Py_None, *dbiases_obj = Py_None;
    const char *activation;
    int n_threads;
    mlp_array_list weights = {0}, activations = {0}, dweights = {0}, dbiases = {0};
    mlp_array x, dlogits;
    mlp_backward_args call = {0};
    if (!PyArg_ParseTuple(args, "OOOOsOi:backward", &x_obj, &activations_obj, &dlogits_obj,
                          &weights_obj, &activation, &out_obj, &n_threads)
        || parse_activation(activation, &call.network.activation) < 0) {
        return NULL;
    }
    if (out_obj != Py_None && (!PyTuple_Check(out_obj) || PyTuple_GET_SIZE(out_obj) != 2)) {
        PyErr_SetString(PyExc_TypeError, "out must be a tuple (dweights, dbiases) of lists");
        return NULL;
    }
    if (out_obj != Py_None) {
        dweights_obj = PyTuple_GET_ITEM(out_obj, 0);
        dbiases_obj = PyTuple_GET_ITEM(out_obj, 1);
    }
    int dtype = mlp_dtype_of(x_obj, "X");
    if (dtype < 0 || view_matrix(x_obj, "X", MLP_ANY_SIZE, MLP_ANY_SIZE, dtype, &x) < 0
        || open_weights(weights_obj, x.view.cols, dtype, MLP_READ, &weights) < 0) {
        goto done;
    }
    PyObject *opened = mlp_open_like(activations_obj, "activations", &weights, x.view.rows, 2,
                                     dtype, MLP_READ, &activations);
    Py_XDECREF(opened);
    if (opened == NULL
        || view_matrix(dlogits_obj, "dlogits", x.view.rows, weights.views[weights.n - 1].cols,
                       dtype, &dlogits)
               < 0) {
        goto done;
    }
    dweights_obj =
        mlp_open_like(dweights_obj, "out[0]", &weights, MLP_LIKE, 2, dtype, MLP_WRITE, &dweights);
    if (dweights_obj == NULL) {
        goto done;
    }
    dbiases_obj = mlp_open_like(dbiases_obj, "out[1]", &weights, 1, 1, dtype, MLP_WRITE, &dbiases);
    if (dbiases_obj == NULL) {
        Py_DECREF(dweights_obj);
        goto done;
    }
    result = out_obj == Py_None ? PyTuple_Pack(2, dweights_obj, dbiases_obj) : Py_NewRef(out_obj);
    Py_DECREF(dweights_obj);
    Py_DECREF(dbiases_obj);
    const mlp_array_list *outputs[] = {&dweights, &dbiases};
    for (int i = 0; result != NULL && i < 2; i++) {
        const mlp_array_list *out = outputs[i];
        if (mlp_check_outputs(out->arrays, out->n) < 0
            || mlp_check_disjoint(out->arrays, out->n, &x, 1) < 0
            || mlp_check_disjoint(out->arrays, out->n, &dlogits, 1) < 0
            || check_disjoint(out, &weights) < 0 || check_disjoint(out, &activations) < 0
            || (i == 1 && check_disjoint(out, &dweights) < 0)) {
            Py_CLEAR(result);
        }
    }
    if (result == NULL) {
        goto done;
    }
    call.x = x.view;
    call.network.n_layers = weights.n;
    call.network.weights = weights.views;
    call.activations = activations.views;
    call.dlogits = dlogits.view;
    call.dweights = dweights.views;
    call.dbiases = dbiases.views;
    n_threads = useful_threads(n_threads, 2 * count_work(x.view.rows, &weights), WORK_PER_THREAD);
    if (run_kernel(module, &kernels_for(module, dtype)->backward, &call, n_threads) < 0) {
        Py_CLEAR(result);
    }
done:
    mlp_close_list(&weights);
    mlp_close_list(&activations);
    mlp_close_list(&dweights);
    mlp_close_list(&dbiases);
    return result;
}

/* sgd_step(params, grads, learning_rate) */
static PyObject *
core_sgd_step(PyObject *module, PyObject *args)
{
    PyObject *params_obj, *grads_obj, *result = NULL;
    mlp_array_list params = {0}, grads = {0};
    mlp_update_args call = {.optimizer = {.rule = MLP_SGD}};
    if (!PyArg_ParseTuple(args, "OOd:sgd_step", &params_obj, &grads_obj,
                          &call.optimizer.learning_rate)
        || mlp_open_list(params_obj, "params", MLP_ANY_SIZE, &params) < 0) {
        goto done;
    }
    int dtype =
        params.n == 0 ? MLP_FLOAT64 : mlp_dtype_of(PyTuple_GET_ITEM(params.tuple, 0), "params[0]");
    for (Py_ssize_t i = 0; dtype >= 0 && i < params.n; i++) {
        mlp_expected expected = {"params", i, 0, MLP_ANY_SIZE, MLP_ANY_SIZE, dtype, MLP_WRITE};
        if (mlp_view_element(&params, i, expected) < 0) {
            goto done;
        }
    }
    PyObject *opened = dtype < 0 ? NULL
                                 : mlp_open_like(grads_obj, "grads", &params, MLP_LIKE, MLP_LIKE,
                                                 dtype, MLP_READ, &grads);
    Py_XDECREF(opened);
    if (opened == NULL || mlp_check_outputs(params.arrays, params.n) < 0
        || check_disjoint(&params, &grads) < 0) {
        goto done;
    }
    call.n_params = params.n;
    call.params = params.views;
    call.grads = grads.views;
    if (run_kernel(module, &kernels_for(module, dtype)->update, &call, 1) == 0) {
        result = Py_NewRef(Py_None);
    }
done:
    mlp_close_list(&params);
    mlp_close_list(&grads);
    return result;
}

/* Opens the moments of a list of parameters. */
static int
open_moments(PyObject *obj, const char *name, const mlp_array_list *params, int dtype,
             mlp_array_list *moments)
{
    if (obj == Py_None) {
        PyErr_Format(PyExc_TypeError, "%s must be a list of arrays, got None", name);
        return -1;
    }
    PyObject *opened =
        mlp_open_like(obj, name, params, MLP_LIKE, MLP_LIKE, dtype, MLP_WRITE, moments);
    Py_XDECREF(opened);
    return opened == NULL ? -1 : 0;
}

/* train_epoch(X, y, order, batch_size, weights, biases, moments, activation, rule,
 *     learning_rate, momentum, l2, loss_bounds, n_threads) -> total loss
 *
 * order is None or row numbers; moments is (weight moments, bias moments), of
 * Nones for a rule that has none; loss_bounds is (floor, ceiling). */
static PyObject *
core_train_epoch(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *y_obj, *order_obj, *weights_obj, *biases_obj, *result = NULL;
    PyObject *weight_moments_obj, *bias_moments_obj, *order = NULL;
    const char *activation, *rule_name;
    int n_threads;
    mlp_array x, y;
    int32_t *labels = NULL;
    mlp_array_list weights = {0}, biases = {0}, weight_moments = {0}, bias_moments = {0};
    mlp_train_epoch_args call = {0};
    if (!PyArg_ParseTuple(args, "OOOnOO(OO)ssddd(dd)i:train_epoch", &x_obj, &y_obj, &order_obj,
                          &call.batch_size, &weights_obj, &biases_obj, &weight_moments_obj,
                          &bias_moments_obj, &activation, &rule_name, &call.optimizer.learning_rate,
                          &call.optimizer.momentum, &call.l2, &call.loss.floor, &call.loss.ceiling,
                          &n_threads)
        || parse_activation(activation, &call.network.activation) < 0) {
        return NULL;
    }
    int rule = parse_name(rule_names, "rule", rule_name);
    if (rule < 0) {
        return NULL;
    }
    call.optimizer.rule = (mlp_rule)rule;
    if (call.batch_size < 1) {
        PyErr_Format(PyExc_ValueError, "batch_size must be at least 1, got %zd", call.batch_size);
        return NULL;
    }
    int dtype = mlp_dtype_of(x_obj, "X");
    if (dtype < 0 || view_matrix(x_obj, "X", MLP_ANY_SIZE, MLP_ANY_SIZE, dtype, &x) < 0
        || open_weights(weights_obj, x.view.cols, dtype, MLP_WRITE, &weights) < 0
        || open_vectors(biases_obj, "biases", &weights, dtype, MLP_WRITE, &biases) < 0
        || open_targets(y_obj, x.view.rows, weights.views[weights.n - 1].cols, dtype, &call.targets,
                        &y, &labels)
               < 0) {
        goto done;
    }
    if (rule != MLP_SGD
        && (open_moments(weight_moments_obj, "weight_moments", &weights, dtype, &weight_moments) < 0
            || open_moments(bias_moments_obj, "bias_moments", &biases, dtype, &bias_moments) < 0)) {
        goto done;
    }
    const mlp_array_list *written[] = {&weights, &biases, &weight_moments, &bias_moments};
    for (int i = 0; i < 4; i++) {
        if (mlp_check_outputs(written[i]->arrays, written[i]->n) < 0
            || mlp_check_disjoint(written[i]->arrays, written[i]->n, &x, 1) < 0
            || (labels == NULL
                && mlp_check_disjoint(written[i]->arrays, written[i]->n, &y, 1) < 0)) {
            goto done;
        }
        for (int j = 0; j < i; j++) {
            if (check_disjoint(written[i], written[j]) < 0) {
                goto done;
            }
        }
    }
    call.n = x.view.rows;
    if (order_obj != Py_None) {
        order = mlp_copy_order(order_obj, "order", x.view.rows, &call.order, &call.n);
        if (order == NULL) {
            goto done;
        }
    }
    call.x = x.view;
    call.network.n_layers = weights.n;
    call.network.weights = weights.views;
    call.network.biases = biases.views;
    if (rule != MLP_SGD) {
        call.weight_moments = weight_moments.views;
        call.bias_moments = bias_moments.views;
    }
    ptrdiff_t batch_rows = call.batch_size < call.n ? call.batch_size : call.n;
    n_threads = useful_threads(n_threads, 3 * count_work(call.n, &weights), WORK_PER_THREAD);
    n_threads =
        useful_threads(n_threads, 3 * count_work(batch_rows, &weights), BATCH_WORK_PER_THREAD);
    if (run_kernel(module, &kernels_for(module, dtype)->train_epoch, &call, n_threads) == 0) {
        result = PyFloat_FromDouble(call.total_loss);
    }
done:
    PyMem_Free(labels);
    Py_XDECREF(order);
    mlp_close_list(&weights);
    mlp_close_list(&biases);
    mlp_close_list(&weight_moments);
    mlp_close_list(&bias_moments);
    return result;
}

/* ---- configuration ---- */

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* Chooses the best instruction set no better than `limit` (NULL: the best). */
static int
choose_isa(module_state *state, const char *limit)
{
    const mlp_isa *found[MLP_MAX_ISAS];
    int n = mlp_supported_isas(found);
    if (limit != NULL && mlp_isa_rank(limit) < 0) {
        return -1;
    }
    while (limit != NULL && n > 1 && mlp_isa_rank(found[n - 1]->name) > mlp_isa_rank(limit)) {
        n--;
    }
    state->isa = found[n - 1];
    return 0;
}

/* set_isa(limit) -> name: for tests. */
static PyObject *
core_set_isa(PyObject *module, PyObject *arg)
{
    module_state *state = PyModule_GetState(module);
    const char *limit = PyUnicode_AsUTF8(arg);
    if (limit == NULL) {
        return NULL;
    }
    if (choose_isa(state, limit) < 0) {
        PyErr_Format(PyExc_ValueError, "unknown instruction set '%s'", limit);
        return NULL;
    }
    return PyUnicode_FromString(state->isa->name);
}

/* config() -> dict */
static PyObject *
core_config(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    module_state *state = PyModule_GetState(module);
    const mlp_isa *found[MLP_MAX_ISAS];
    int n = mlp_supported_isas(found);
    PyObject *names = PyList_New(n);
    for (int i = 0; names != NULL && i < n; i++) {
        PyObject *name = PyUnicode_FromString(found[i]->name);
        if (name == NULL) {
            Py_CLEAR(names);
        }
        else {
            PyList_SET_ITEM(names, i, name);
        }
    }
    return names == NULL
               ? NULL
               : Py_BuildValue("{s:s,s:N,s:s,s:s}", "isa", state->isa->name, "supported_isas",
                               names, "compiler", COMPILER, "build_flags", MLP_BUILD_FLAGS);
}

/* ---- the module ---- */

static int
module_exec(PyObject *module)
{
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "mlp_c does not support subinterpreters");
        return -1;
    }
    if (mlp_import_numpy() < 0) {
        return -1;
    }
    module_state *state = PyModule_GetState(module);
    const char *limit = getenv("MLP_C_ISA");
    if (choose_isa(state, limit) < 0) {
        PyErr_Format(PyExc_ImportError, "MLP_C_ISA: unknown instruction set '%s'", limit);
        return -1;
    }
    PyObject *threading = PyImport_ImportModule("threading");
    if (threading == NULL) {
        return -1;
    }
    state->main_thread = PyObject_GetAttrString(threading, "main_thread");
    Py_DECREF(threading);
    return state->main_thread == NULL ? -1 : 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = PyModule_GetState(module);
    Py_VISIT(state->main_thread);
    return 0;
}

static int
module_clear(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->main_thread);
    return 0;
}

static PyMethodDef module_methods[] = {
    {"forward", core_forward, METH_VARARGS, NULL},
    {"softmax", core_softmax, METH_VARARGS, NULL},
    {"softmax_cross_entropy", core_softmax_cross_entropy, METH_VARARGS, NULL},
    {"backward", core_backward, METH_VARARGS, NULL},
    {"sgd_step", core_sgd_step, METH_VARARGS, NULL},
    {"train_epoch", core_train_epoch, METH_VARARGS, NULL},
    {"set_isa", core_set_isa, METH_O, NULL},
    {"config", core_config, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mlp_c._core",
    .m_doc = "The kernels of mlp_c; see mlp_c.kernels.",
    .m_size = sizeof(module_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&module_def);
}

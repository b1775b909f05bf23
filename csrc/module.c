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
kernels_for(PyObject *module, const mlp_call *call)
{
    return &((module_state *)PyModule_GetState(module))->isa->tables[call->dtype];
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
 * needs and runs the kernel with the GIL released. False with an exception set
 * if it did not come to its end. */
static bool
run_kernel(PyObject *module, const mlp_kernel *kernel, void *args, int n_threads)
{
    int is_main = on_main_thread(module);
    if (is_main < 0) {
        return false;
    }
    size_t size = kernel->workspace(args, n_threads);
    char *block =
        size > PY_SSIZE_T_MAX - MLP_ALIGNMENT ? NULL : PyMem_RawMalloc(size + MLP_ALIGNMENT);
    if (block == NULL) {
        PyErr_NoMemory();
        return false;
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
    return outcome == MLP_DONE;
}

static int
useful_threads(int n_threads, double work, double work_per_thread)
{
    double useful = work / work_per_thread;
    return useful < 1 ? 1 : useful < n_threads ? (int)useful : n_threads;
}

/* ---- arguments ---- */

#define A(CODE, name) #name,
static const char *const activation_names[] = {MLP_ACTIVATIONS(A) NULL};
#undef A
#define R(CODE, name, moments) #name,
static const char *const rule_names[] = {MLP_RULES(R) NULL};
#undef R
#define R(CODE, name, moments) moments,
static const int rule_moments[] = {MLP_RULES(R)};
#undef R
#define L(CODE, name, output) #name,
static const char *const loss_names[] = {MLP_LOSSES(L) NULL};
#undef L

/* Which of the names (ended by NULL) it is; fails the call if none. */
static int
parse_name(mlp_call *call, const char *const *names, const char *argument, PyObject *name)
{
    if (call->failed) {
        return 0;
    }
    call->failed = true;
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "%s must be a str, got %s", argument, Py_TYPE(name)->tp_name);
        return 0;
    }
    char choices[256] = "";
    for (int i = 0; names[i] != NULL; i++) {
        if (PyUnicode_CompareWithASCIIString(name, names[i]) == 0) {
            call->failed = false;
            return i;
        }
        size_t used = strlen(choices);
        PyOS_snprintf(choices + used, sizeof choices - used, "%s'%s'", i == 0 ? "" : ", ",
                      names[i]);
    }
    PyErr_Format(PyExc_ValueError, "%s must be one of %s, got %R", argument, choices, name);
    return 0;
}

static mlp_activation
parse_activation(mlp_call *call, PyObject *name)
{
    return (mlp_activation)parse_name(call, activation_names, "activation", name);
}

static mlp_loss_function
parse_loss(mlp_call *call, PyObject *name)
{
    return (mlp_loss_function)parse_name(call, loss_names, "loss", name);
}

/* Multiply-adds of a pass of so many rows through the layers. */
static double
count_work(ptrdiff_t rows, mlp_list weights)
{
    double work = 0;
    for (Py_ssize_t l = 0; l < weights.n; l++) {
        work += (double)weights.views[l].rows * (double)weights.views[l].cols;
    }
    return work * (double)rows;
}

/* The weights of a network of n_in inputs, each layer taking what the last gives. */
static mlp_list
take_weights(mlp_call *call, PyObject *obj, ptrdiff_t n_in, mlp_access access)
{
    mlp_list weights = mlp_take_list(call, obj, "weights", 2, access);
    if (!call->failed && weights.n == 0) {
        PyErr_SetString(PyExc_ValueError, "weights must hold at least one array, got none");
        call->failed = true;
    }
    for (Py_ssize_t l = 0; l < weights.n && !call->failed; l++) {
        if (weights.views[l].rows != n_in) {
            PyErr_Format(PyExc_ValueError,
                         "weights[%zd] must have shape (%zd, any), got (%zd, %zd)", l,
                         (Py_ssize_t)n_in, (Py_ssize_t)weights.views[l].rows,
                         (Py_ssize_t)weights.views[l].cols);
            call->failed = true;
        }
        n_in = weights.views[l].cols;
    }
    return weights;
}

/* ---- the functions ---- */

/* forward(X, weights, biases, activation, out, n_threads) -> out */
static PyObject *
core_forward(PyObject *module, PyObject *args)
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
    kernel_args.network.activation = parse_activation(&call, activation);
    kernel_args.x = mlp_take_matrix(&call, x_obj, "X", MLP_ANY, MLP_ANY, MLP_READ);
    mlp_list weights = take_weights(&call, weights_obj, kernel_args.x.cols, MLP_READ);
    mlp_list biases = mlp_take_list_like(&call, biases_obj, "biases", weights, 1, 1, MLP_READ);
    ptrdiff_t n = kernel_args.x.rows;
    if (out == Py_None) {
        out = mlp_new_list_like(&call, weights, n, 2);
    }
    kernel_args.network.n_layers = weights.n;
    kernel_args.network.weights = weights.views;
    kernel_args.network.biases = biases.views;
    kernel_args.activations = mlp_take_list_like(&call, out, "out", weights, n, 2, MLP_WRITE).views;
    n_threads = useful_threads(n_threads, count_work(n, weights), WORK_PER_THREAD);
    if (mlp_ready(&call)
        && run_kernel(module, &kernels_for(module, &call)->forward, &kernel_args, n_threads)) {
        result = Py_NewRef(out);
    }
    mlp_end(&call);
    return result;
}

/* softmax(logits, out) -> out */
static PyObject *
core_softmax(PyObject *module, PyObject *args)
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
        && run_kernel(module, &kernels_for(module, &call)->softmax, &kernel_args, 1)) {
        result = Py_NewRef(out);
    }
    mlp_end(&call);
    return result;
}

/* softmax_cross_entropy(logits, y, eps, out) -> (loss, out) */
static PyObject *
core_softmax_cross_entropy(PyObject *module, PyObject *args)
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
        && run_kernel(module, &kernels_for(module, &call)->softmax_cross_entropy, &kernel_args,
                      1)) {
        double n = logits.rows > 0 ? (double)logits.rows : 1;
        result = Py_BuildValue("(dO)", kernel_args.total_loss / n, out);
    }
    mlp_end(&call);
    return result;
}

/* backward(X, activations, dlogits, weights, activation, out, n_threads)
 *     -> out: (dweights, dbiases) */
static PyObject *
core_backward(PyObject *module, PyObject *args)
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
    kernel_args.network.activation = parse_activation(&call, activation);
    kernel_args.x = mlp_take_matrix(&call, x_obj, "X", MLP_ANY, MLP_ANY, MLP_READ);
    ptrdiff_t n = kernel_args.x.rows;
    mlp_list weights = take_weights(&call, weights_obj, kernel_args.x.cols, MLP_READ);
    kernel_args.network.n_layers = weights.n;
    kernel_args.network.weights = weights.views;
    kernel_args.activations =
        mlp_take_list_like(&call, activations_obj, "activations", weights, n, 2, MLP_READ).views;
    ptrdiff_t n_out = call.failed ? 0 : weights.views[weights.n - 1].cols;
    kernel_args.dlogits = mlp_take_matrix(&call, dlogits_obj, "dlogits", n, n_out, MLP_READ);
    PyObject *dweights =
        out == Py_None ? mlp_new_list_like(&call, weights, MLP_LIKE, 2) : PyTuple_GET_ITEM(out, 0);
    PyObject *dbiases =
        out == Py_None ? mlp_new_list_like(&call, weights, 1, 1) : PyTuple_GET_ITEM(out, 1);
    kernel_args.dweights =
        mlp_take_list_like(&call, dweights, "out[0]", weights, MLP_LIKE, 2, MLP_WRITE).views;
    kernel_args.dbiases =
        mlp_take_list_like(&call, dbiases, "out[1]", weights, 1, 1, MLP_WRITE).views;
    n_threads = useful_threads(n_threads, 2 * count_work(n, weights), WORK_PER_THREAD);
    if (mlp_ready(&call)
        && run_kernel(module, &kernels_for(module, &call)->backward, &kernel_args, n_threads)) {
        result = out == Py_None ? PyTuple_Pack(2, dweights, dbiases) : Py_NewRef(out);
    }
    mlp_end(&call);
    return result;
}

/* sgd_step(params, grads, learning_rate) */
static PyObject *
core_sgd_step(PyObject *module, PyObject *args)
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
            || run_kernel(module, &kernels_for(module, &call)->update, &kernel_args, 1))) {
        result = Py_NewRef(Py_None);
    }
    mlp_end(&call);
    return result;
}

/* The biases of a network whose weights were taken, and the network. */
static mlp_network
take_network(mlp_call *call, mlp_list weights, PyObject *biases_obj, PyObject *activation,
             mlp_access access)
{
    mlp_list biases = mlp_take_list_like(call, biases_obj, "biases", weights, 1, 1, access);
    return (mlp_network){weights.n, parse_activation(call, activation), weights.views,
                         biases.views};
}

/* Outputs of the last layer. */
static ptrdiff_t
count_outputs(const mlp_call *call, mlp_list weights)
{
    return call->failed ? 0 : weights.views[weights.n - 1].cols;
}

/* What a function that trains is given of its data and objective. */
typedef struct {
    PyObject *x, *y, *sample_weight, *order, *weights, *biases;
    PyObject *activation, *loss;
} training_arguments;

/* Takes the data and the network, whose weights it returns. */
static mlp_list
take_training(mlp_call *call, const training_arguments *given, mlp_access access, mlp_data *data,
              mlp_objective *objective)
{
    objective->loss.function = parse_loss(call, given->loss);
    data->x = mlp_take_input(call, given->x, "X");
    mlp_list weights = take_weights(call, given->weights, data->x.cols, access);
    objective->network = take_network(call, weights, given->biases, given->activation, access);
    data->targets =
        mlp_take_targets(call, given->y, "y", data->x.rows, count_outputs(call, weights));
    if (!call->failed && data->targets.labels != NULL
        && objective->loss.function != MLP_CROSS_ENTROPY) {
        PyErr_Format(PyExc_ValueError, "y must be a row of targets each for loss %R, got labels",
                     given->loss);
        call->failed = true;
    }
    data->sample_weight =
        mlp_take_vector(call, given->sample_weight, "sample_weight", data->x.rows);
    data->order = mlp_take_order(call, given->order, "order", data->x.rows, &data->n);
    return weights;
}

/* train_epoch(X, y, sample_weight, order, weights, biases, activation,
 *     (loss, floor, ceiling), l2, batch_size,
 *     (rule, learning_rate, momentum, beta_1, beta_2, epsilon, steps), moments, n_threads)
 *     -> (total loss, steps)
 *
 * X is an array or the tuple of a sparse matrix; order is None or row numbers;
 * moments is a tuple of as many lists as the rule keeps, each with an array for
 * every weights array and then every biases array. */
static PyObject *
core_train_epoch(PyObject *module, PyObject *args)
{
    training_arguments given;
    PyObject *moments, *result = NULL;
    PyObject *rule;
    long long steps;
    int n_threads;
    mlp_train_epoch_args epoch = {.objective.loss.gradient_scale = 1};
    mlp_objective *objective = &epoch.objective;
    mlp_optimizer *optimizer = &epoch.optimizer;
    if (!PyArg_ParseTuple(args, "OOOOOOO(Odd)dn(OdddddL)O!i:train_epoch", &given.x, &given.y,
                          &given.sample_weight, &given.order, &given.weights, &given.biases,
                          &given.activation, &given.loss, &objective->loss.floor,
                          &objective->loss.ceiling, &objective->l2, &epoch.batch_size, &rule,
                          &optimizer->learning_rate, &optimizer->momentum, &optimizer->beta_1,
                          &optimizer->beta_2, &optimizer->epsilon, &steps, &PyTuple_Type, &moments,
                          &n_threads)) {
        return NULL;
    }
    if (epoch.batch_size < 1) {
        PyErr_Format(PyExc_ValueError, "batch_size must be at least 1, got %zd", epoch.batch_size);
        return NULL;
    }
    mlp_call call;
    mlp_begin(&call);
    mlp_list weights = take_training(&call, &given, MLP_WRITE, &epoch.data, objective);
    optimizer->rule = (mlp_rule)parse_name(&call, rule_names, "rule", rule);
    optimizer->steps = steps;
    int n_moments = rule_moments[optimizer->rule];
    if (!call.failed && PyTuple_GET_SIZE(moments) != n_moments) {
        PyErr_Format(PyExc_ValueError, "moments must hold %d lists for rule %R, got %zd", n_moments,
                     rule, PyTuple_GET_SIZE(moments));
        call.failed = true;
    }
    mlp_list parameters = mlp_join(&call, weights, objective->network.biases);
    for (int m = 0; m < n_moments && !call.failed; m++) {
        epoch.moments[m] = mlp_take_list_like(&call, PyTuple_GET_ITEM(moments, m), "moments",
                                              parameters, MLP_LIKE, MLP_LIKE, MLP_WRITE)
                               .views;
    }
    ptrdiff_t batch_rows = Py_MIN(epoch.batch_size, epoch.data.n);
    n_threads = useful_threads(n_threads, 3 * count_work(epoch.data.n, weights), WORK_PER_THREAD);
    n_threads =
        useful_threads(n_threads, 3 * count_work(batch_rows, weights), BATCH_WORK_PER_THREAD);
    if (mlp_ready(&call)
        && run_kernel(module, &kernels_for(module, &call)->train_epoch, &epoch, n_threads)) {
        result = Py_BuildValue("(dL)", epoch.total_loss, (long long)optimizer->steps);
    }
    mlp_end(&call);
    return result;
}

/* loss_gradient(X, y, sample_weight, weights, biases, activation,
 *     (loss, floor, ceiling, gradient_scale), l2, dweights, dbiases, n_threads) -> loss */
static PyObject *
core_loss_gradient(PyObject *module, PyObject *args)
{
    training_arguments given = {.order = Py_None};
    PyObject *dweights_obj, *dbiases_obj, *result = NULL;
    int n_threads;
    mlp_loss_gradient_args kernel_args = {0};
    mlp_objective *objective = &kernel_args.objective;
    if (!PyArg_ParseTuple(args, "OOOOOO(Oddd)dOOi:loss_gradient", &given.x, &given.y,
                          &given.sample_weight, &given.weights, &given.biases, &given.activation,
                          &given.loss, &objective->loss.floor, &objective->loss.ceiling,
                          &objective->loss.gradient_scale, &objective->l2, &dweights_obj,
                          &dbiases_obj, &n_threads)) {
        return NULL;
    }
    mlp_call call;
    mlp_begin(&call);
    mlp_list weights = take_training(&call, &given, MLP_READ, &kernel_args.data, objective);
    kernel_args.dweights =
        mlp_take_list_like(&call, dweights_obj, "dweights", weights, MLP_LIKE, 2, MLP_WRITE).views;
    kernel_args.dbiases =
        mlp_take_list_like(&call, dbiases_obj, "dbiases", weights, 1, 1, MLP_WRITE).views;
    n_threads =
        useful_threads(n_threads, 3 * count_work(kernel_args.data.n, weights), WORK_PER_THREAD);
    if (mlp_ready(&call)
        && run_kernel(module, &kernels_for(module, &call)->loss_gradient, &kernel_args,
                      n_threads)) {
        result = PyFloat_FromDouble(kernel_args.loss);
    }
    mlp_end(&call);
    return result;
}

/* predict(X, weights, biases, activation, loss, n_threads) -> outputs */
static PyObject *
core_predict(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *weights_obj, *biases_obj, *result = NULL;
    PyObject *activation, *loss;
    int n_threads;
    if (!PyArg_ParseTuple(args, "OOOOOi:predict", &x_obj, &weights_obj, &biases_obj, &activation,
                          &loss, &n_threads)) {
        return NULL;
    }
    mlp_predict_args kernel_args = {0};
    mlp_call call;
    mlp_begin(&call);
    kernel_args.loss = parse_loss(&call, loss);
    kernel_args.x = mlp_take_input(&call, x_obj, "X");
    mlp_list weights = take_weights(&call, weights_obj, kernel_args.x.cols, MLP_READ);
    kernel_args.network = take_network(&call, weights, biases_obj, activation, MLP_READ);
    ptrdiff_t n = kernel_args.x.rows, n_outputs = count_outputs(&call, weights);
    PyObject *out = mlp_new_matrix(&call, n, n_outputs);
    kernel_args.out = mlp_take_matrix(&call, out, "out", n, n_outputs, MLP_WRITE);
    n_threads = useful_threads(n_threads, count_work(n, weights), WORK_PER_THREAD);
    if (mlp_ready(&call)
        && run_kernel(module, &kernels_for(module, &call)->predict, &kernel_args, n_threads)) {
        result = Py_NewRef(out);
    }
    mlp_end(&call);
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
    {"loss_gradient", core_loss_gradient, METH_VARARGS, NULL},
    {"predict", core_predict, METH_VARARGS, NULL},
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

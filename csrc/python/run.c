#include "python/run.h"

#include <string.h>

#include "base/arena.h"

/* Work in multiply-adds below which another thread costs more than it brings:
 * to start one, and to meet it at the barriers of a batch. */
#ifdef MLP_SHARE_ALL_WORK /* for tests: the smallest network runs on all threads asked for */
static const double WORK_PER_THREAD = 1, BATCH_WORK_PER_THREAD = 1;
#else
static const double WORK_PER_THREAD = 6e6, BATCH_WORK_PER_THREAD = 3e5;
#endif

/* More than any machine has for one process, and few enough to lay out memory for. */
enum { MOST_THREADS = 512 };

const mlp_kernels *
mlp_kernels_for(PyObject *module, const mlp_call *call)
{
    return &((mlp_module_state *)PyModule_GetState(module))->isa->tables[call->dtype];
}

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
    mlp_module_state *state = PyModule_GetState(module);
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

bool
mlp_run_kernel(PyObject *module, const mlp_kernel *kernel, void *args, int n_threads)
{
    int is_main = on_main_thread(module);
    if (is_main < 0) {
        return false;
    }
    int limit = mlp_c_get_num_threads();
    n_threads = limit > 0 && limit < n_threads ? limit : n_threads;
    /* The team may come to be smaller, and share its work, and memory, in another way. */
    size_t size = 0;
    for (int n = 1; n <= n_threads && size < SIZE_MAX; n++) {
        size_t needed = kernel->workspace(args, n);
        size = needed > size ? needed : size;
        if (PyErr_CheckSignals() < 0) { /* hundreds of layers and threads take long to lay out */
            return false;
        }
    }
    char *block =
        size > PY_SSIZE_T_MAX - MLP_ALIGNMENT ? NULL : PyMem_RawCalloc(1, size + MLP_ALIGNMENT);
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
    if (outcome == MLP_FORKED) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a child process forked by a signal handler in the midst of a call cannot "
                        "go on with it: its threads are its parent's");
    }
    return outcome == MLP_DONE;
}

static int
useful_threads(int n_threads, double useful)
{
    n_threads = n_threads < MOST_THREADS ? n_threads : MOST_THREADS;
    return useful < 1 || n_threads < 1 ? 1 : useful < n_threads ? (int)useful : n_threads;
}

int
mlp_threads_for(int n_threads, double work)
{
    return useful_threads(n_threads, work / WORK_PER_THREAD);
}

int
mlp_threads_for_batch(int n_threads, double work)
{
    return useful_threads(n_threads, work / BATCH_WORK_PER_THREAD);
}

/* ---- arguments ---- */

#define A(CODE, name) #name,
static const char *const activation_names[] = {MLP_ACTIVATIONS(A) NULL};
#undef A
#define R(CODE, name, moments) #name,
static const char *const rule_names[] = {MLP_RULES(R) NULL};
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

mlp_activation
mlp_parse_activation(mlp_call *call, PyObject *name)
{
    return (mlp_activation)parse_name(call, activation_names, "activation", name);
}

mlp_loss_function
mlp_parse_loss(mlp_call *call, PyObject *name)
{
    return (mlp_loss_function)parse_name(call, loss_names, "loss", name);
}

mlp_rule
mlp_parse_rule(mlp_call *call, PyObject *name)
{
    return (mlp_rule)parse_name(call, rule_names, "rule", name);
}

double
mlp_count_work(ptrdiff_t rows, mlp_list weights)
{
    double work = 0;
    for (Py_ssize_t l = 0; l < weights.n; l++) {
        work += (double)weights.views[l].rows * (double)weights.views[l].cols;
    }
    return work * (double)rows;
}

mlp_list
mlp_take_weights(mlp_call *call, PyObject *obj, ptrdiff_t n_in, mlp_access access)
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

mlp_network
mlp_take_network(mlp_call *call, mlp_list weights, PyObject *biases_obj, PyObject *activation,
                 mlp_access access)
{
    mlp_list biases = mlp_take_list_like(call, biases_obj, "biases", weights, 1, 1, access);
    return (mlp_network){weights.n, mlp_parse_activation(call, activation), weights.views,
                         biases.views};
}

ptrdiff_t
mlp_count_outputs(const mlp_call *call, mlp_list weights)
{
    return call->failed ? 0 : weights.views[weights.n - 1].cols;
}

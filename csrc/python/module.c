/* mlp_c._core: the kernels as Python functions.
 *
 * Each function (kernels.c, training.c, members.c, prediction.c) checks all of its arguments, takes
 * every pointer, releases the GIL and runs a job. The public signatures are in mlp_c/kernels.py.
 */
#include "python/run.h"
#include "threads/pool.h"
#include "threads/stages.h"

/* ---- configuration ---- */

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* Chooses the best instruction set no better than `limit` (NULL: the best). */
static int
choose_isa(mlp_module_state *state, const char *limit)
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
    mlp_module_state *state = PyModule_GetState(module);
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
    mlp_module_state *state = PyModule_GetState(module);
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

/* thread_limit() -> the most threads of any call, or 0 */
static PyObject *
core_thread_limit(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(mlp_c_get_num_threads());
}

#ifdef MLP_PROFILE
/* take_stages() -> for each member a dict of the seconds that it spent in each stage since this was
 * last called */
static PyObject *
core_take_stages(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    static const char *const names[] = {
#define S(CODE, name) name,
        MLP_STAGES(S)
#undef S
    };
    int64_t ns[MLP_MOST_PROFILED][MLP_N_STAGES];
    mlp_take_stages(ns);
    PyObject *members = PyList_New(0);
    for (int rank = 0; rank < MLP_MOST_PROFILED && members != NULL; rank++) {
        PyObject *stages = PyDict_New();
        bool failed = stages == NULL || PyList_Append(members, stages) < 0;
        for (int stage = 0; stage < MLP_N_STAGES && !failed; stage++) {
            PyObject *seconds = PyFloat_FromDouble((double)ns[rank][stage] * 1e-9);
            failed = seconds == NULL || PyDict_SetItemString(stages, names[stage], seconds) < 0;
            Py_XDECREF(seconds);
        }
        Py_XDECREF(stages);
        if (failed) {
            Py_CLEAR(members);
        }
    }
    return members;
}
#endif

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
    mlp_module_state *state = PyModule_GetState(module);
    const char *limit = getenv("MLP_C_ISA");
    if (limit != NULL && *limit == '\0') { /* as good as not set */
        limit = NULL;
    }
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
    state->ident = PyUnicode_InternFromString("ident");
    return state->main_thread == NULL || state->ident == NULL ? -1 : 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    mlp_module_state *state = PyModule_GetState(module);
    Py_VISIT(state->main_thread);
    Py_VISIT(state->ident);
    return 0;
}

static int
module_clear(PyObject *module)
{
    mlp_module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->main_thread);
    Py_CLEAR(state->ident);
    return 0;
}

/* Leaves no thread behind. */
static void
module_free(void *module)
{
    (void)module;
    mlp_end_threads();
}

static PyMethodDef module_methods[] = {
    {"forward", mlp_core_forward, METH_VARARGS, NULL},
    {"softmax", mlp_core_softmax, METH_VARARGS, NULL},
    {"softmax_cross_entropy", mlp_core_softmax_cross_entropy, METH_VARARGS, NULL},
    {"backward", mlp_core_backward, METH_VARARGS, NULL},
    {"drop", mlp_core_drop, METH_VARARGS, NULL},
    {"sgd_step", mlp_core_sgd_step, METH_VARARGS, NULL},
    {"train_step", mlp_core_train_step, METH_VARARGS, NULL},
    {"train_epoch", mlp_core_train_epoch, METH_O, NULL},
    {"train_share", mlp_core_train_share, METH_VARARGS, NULL},
    {"share_gradient", mlp_core_share_gradient, METH_VARARGS, NULL},
    {"train_members", mlp_core_train_members, METH_VARARGS, NULL},
    {"loss_gradient", mlp_core_loss_gradient, METH_O, NULL},
    {"evaluate", mlp_core_evaluate, METH_O, NULL},
    {"predict", mlp_core_predict, METH_VARARGS, NULL},
    {"index_nonzeros", mlp_core_index_nonzeros, METH_VARARGS, NULL},
    {"names", mlp_core_names, METH_NOARGS, NULL},
    {"set_isa", core_set_isa, METH_O, NULL},
    {"config", core_config, METH_NOARGS, NULL},
    {"thread_limit", core_thread_limit, METH_NOARGS, NULL},
#ifdef MLP_PROFILE
    {"take_stages", core_take_stages, METH_NOARGS, NULL},
#endif
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
    .m_size = sizeof(mlp_module_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&module_def);
}

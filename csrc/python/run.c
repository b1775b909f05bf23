#include "python/run.h"

/* Work in multiply-adds below which another thread costs more than it brings: to wake one, and to
 * meet it at the barriers of a batch. */
#ifdef MLP_SHARE_ALL_WORK /* for tests: the smallest network runs on all threads asked for */
static const double WORK_PER_THREAD = 1, BATCH_WORK_PER_THREAD = 1;
#else
static const double WORK_PER_THREAD = 1.5e6, BATCH_WORK_PER_THREAD = 6e5;
#endif

const mlp_kernels *
mlp_kernels_for(PyObject *module, const mlp_call *call)
{
    mlp_module_state *state = PyModule_GetState(module);
    return call->failed || call->dtype == MLP_ANY ? NULL : &state->isa->tables[call->dtype];
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
    PyObject *ident = main_thread == NULL ? NULL : PyObject_GetAttr(main_thread, state->ident);
    Py_XDECREF(main_thread);
    if (ident == NULL) {
        return -1;
    }
    unsigned long main_ident = PyLong_AsUnsignedLongMask(ident);
    Py_DECREF(ident);
    return PyErr_Occurred() ? -1 : main_ident == PyThread_get_thread_ident();
}

/* Sets the exception that an outcome is. Returns whether the job came to its end. */
static bool
conclude(mlp_outcome outcome)
{
    switch (outcome) {
    case MLP_DONE: return true;
    case MLP_STOPPED: return false; /* the signal handler's exception is set */
    case MLP_NO_MEMORY: PyErr_NoMemory(); return false;
    case MLP_FORKED:
        PyErr_SetString(PyExc_RuntimeError,
                        "a child process forked by a signal handler in the midst of a call cannot "
                        "go on with it: its threads are its parent's");
        return false;
    }
    return false;
}

bool
mlp_run_job(PyObject *module, const mlp_job *job, void *args, int n_threads)
{
    int is_main = on_main_thread(module);
    if (is_main < 0) {
        return false;
    }
    int limit = mlp_c_get_num_threads();
    n_threads = limit > 0 ? (int)mlp_min(limit, n_threads) : n_threads;
    mlp_job_memory *memory = args;
    *memory = (mlp_job_memory){.calloc = PyMem_RawCalloc, .malloc = PyMem_RawMalloc};

    PyThreadState *thread = PyEval_SaveThread();
    mlp_caller caller = {is_main ? poll_signals : NULL, &thread};
    mlp_outcome outcome = mlp_run(n_threads, job, args, caller);
    for (; memory != NULL; memory = memory->next) {
        for (int i = 0; i < memory->n_blocks; i++) {
            PyMem_RawFree(memory->blocks[i]);
        }
    }
    PyEval_RestoreThread(thread);
    return conclude(outcome);
}

static int
useful_threads(int n_threads, double useful)
{
    double most = (double)mlp_min(n_threads, MLP_MOST_THREADS);
    return useful < 1 || most < 1 ? 1 : (int)(useful < most ? useful : most);
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

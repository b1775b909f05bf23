/* Several networks trained in one call: the members of an ensemble, each a learner of its own. */
#include "python/run.h"
#include "python/training.h"

/* What a call trains. */
typedef struct {
    mlp_train_members_args job;
    int64_t **steps; /* where those of each learner are counted */
    double work;
} ensemble;

/* ---- errors ---- */

/* The exception that is set, which is set no more; and whether Python code has raised it. */
static PyObject *
fetch_error(bool *is_pythons)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *error = PyErr_GetRaisedException(), *traceback = PyException_GetTraceback(error);
#else
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(error, traceback);
    }
    Py_DECREF(type);
#endif
    *is_pythons = traceback != NULL;
    Py_XDECREF(traceback);
    return error;
}

/* Has the message of a refusal begin with the member that it is of. What is no refusal, or was
 * raised by an argument's own code, is left as it is. */
static void
name_member(Py_ssize_t i)
{
    bool is_pythons;
    PyObject *error = fetch_error(&is_pythons), *type = (PyObject *)Py_TYPE(error);
    bool is_refusal = type == PyExc_TypeError || type == PyExc_ValueError;
    if (is_refusal && !is_pythons) {
        PyErr_Format(type, "members[%zd]: %S", i, error);
    }
    else {
        PyErr_SetObject(type, error);
    }
    Py_DECREF(error);
}

/* ---- arguments ---- */

/* Begins a part of a member: its arrays may be of another dtype than those before. */
static void
begin_part(mlp_call *call, Py_ssize_t member, bool is_held_out)
{
    call->purpose = (mlp_purpose){member, is_held_out};
    call->dtype = MLP_ANY;
}

/* Takes member i: the tuple of its epoch and of its rows held out, or None. */
static void
arg_member(PyObject *module, mlp_call *call, PyObject *pair, Py_ssize_t i, ensemble *e)
{
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        mlp_expectation expected = {.name = "members", .index = i};
        const char *came = PyTuple_Check(pair) ? "another tuple" : Py_TYPE(pair)->tp_name;
        mlp_reject_text(call, PyExc_TypeError, &expected, "be (epoch, held_out)", came);
        return;
    }
    mlp_learner *learner = &e->job.learners[i];
    PyObject *held_out = PyTuple_GET_ITEM(pair, 1);
    mlp_effort effort;
    begin_part(call, i, false);
    e->steps[i] =
        mlp_arg_epoch(module, call, PyTuple_GET_ITEM(pair, 0), MLP_ANY, &learner->epoch, &effort);
    e->work += effort.work;
    learner->has_held_out = held_out != Py_None;
    if (learner->has_held_out && !call->failed) {
        begin_part(call, i, true);
        mlp_arg_evaluation(module, call, held_out, &learner->held_out, &effort);
        e->work += effort.work;
    }
    if (call->failed) {
        name_member(i);
    }
}

static void
arg_members(PyObject *module, mlp_call *call, PyObject *obj, ensemble *e)
{
    PyObject *members = mlp_arg_items(call, obj, "members", MLP_ANY, "(epoch, held_out)");
    Py_ssize_t n = members == NULL ? 0 : PyTuple_GET_SIZE(members);
    e->job.n = n;
    e->job.learners = mlp_alloc_for(call, n, sizeof(mlp_learner));
    e->steps = mlp_alloc_for(call, n, sizeof(int64_t *));
    for (Py_ssize_t i = 0; i < n && !call->failed; i++) {
        arg_member(module, call, PyTuple_GET_ITEM(members, i), i, e);
    }
}

/* ---- results ---- */

/* A list of results without their values, kept by the call: it is made before anything is trained,
 * which is not to be lost for want of memory. NULL if the call failed. */
static PyObject *
make_results(mlp_call *call, const ensemble *e)
{
    PyObject *list = call->failed ? NULL : PyList_New(e->job.n);
    for (Py_ssize_t i = 0; list != NULL && i < e->job.n; i++) {
        const mlp_learner *learner = &e->job.learners[i];
        Py_ssize_t rows = learner->epoch.data.n;
        PyObject *result = learner->has_held_out ? Py_BuildValue("(dnd)", 0.0, rows, 0.0)
                                                 : Py_BuildValue("(dnO)", 0.0, rows, Py_None);
        if (result == NULL) {
            Py_CLEAR(list);
        }
        else {
            PyList_SET_ITEM(list, i, result);
        }
    }
    bool kept = mlp_keep(call, list);
    Py_XDECREF(list);
    return kept ? list : NULL;
}

/* Writes the value of a float that nobody has seen. */
static void
set_float(PyObject *obj, double value)
{
    ((PyFloatObject *)obj)->ob_fval = value;
}

/* Writes the values. Returns false, with an exception set, where there is no memory for one. */
static bool
write_results(const ensemble *e, PyObject *list)
{
    for (Py_ssize_t i = 0; i < e->job.n; i++) {
        const mlp_learner *learner = &e->job.learners[i];
        PyObject *result = PyList_GET_ITEM(list, i);
        set_float(PyTuple_GET_ITEM(result, 0), learner->epoch.total_loss);
        if (learner->epoch.rows != learner->epoch.data.n) { /* some were passed over */
            PyObject *rows = PyLong_FromSsize_t(learner->epoch.rows);
            if (rows == NULL) {
                return false;
            }
            Py_DECREF(PyTuple_GET_ITEM(result, 1));
            PyTuple_SET_ITEM(result, 1, rows);
        }
        if (learner->has_held_out) {
            set_float(PyTuple_GET_ITEM(result, 2), learner->held_out.total);
        }
    }
    return true;
}

/* train_members(members, n_threads) -> a list of (total loss, rows that it is of, total loss of the
 *     rows held out or None)
 *
 * Each member is the tuple of the fields of train_epoch, and of those of evaluate or None, whose
 * weights and biases may be those that the epoch trains. It has the bits that train_epoch and then
 * evaluate give, is the work of one thread, and does not look at n_threads of its fields. Threads
 * beyond one for each member have nothing to do.
 *
 * steps go on counting even where an exception ends the epochs. */
PyObject *
mlp_core_train_members(PyObject *module, PyObject *args)
{
    PyObject *members, *result = NULL;
    int n_threads;
    if (!PyArg_ParseTuple(args, "Oi:train_members", &members, &n_threads)) {
        return NULL;
    }
    ensemble e = {0};
    mlp_call call;
    mlp_begin(&call);
    arg_members(module, &call, members, &e);
    if (!call.failed && !mlp_ready(&call)) {
        name_member(call.purpose.member);
    }
    PyObject *results = make_results(&call, &e);
    if (results != NULL) {
        n_threads = mlp_threads_for((int)mlp_min(n_threads, e.job.n), e.work);
        if (mlp_run_job(module, &mlp_train_members_job, &e.job, n_threads)
            && write_results(&e, results)) {
            result = Py_NewRef(results);
        }
        for (Py_ssize_t i = 0; i < e.job.n; i++) {
            mlp_count_steps(e.steps[i], &e.job.learners[i].epoch);
        }
    }
    mlp_end(&call);
    return result;
}

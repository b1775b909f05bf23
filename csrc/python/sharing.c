/* What several processes do together: train_share and share_gradient, and the calls back to Python
 * with which gradients are exchanged. */
#include "python/fields.h"
#include "python/integers.h"
#include "python/layers.h"
#include "python/run.h"
#include "python/training.h"
#include "python/vectors.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

/* exchange(point, index, loss) -> loss is called at the points of jobs.h, by their names. What is
 * exchanged there is not touched meanwhile; other pieces may be. dweights and dbiases are where
 * gradients are exchanged, of the weights' shapes; of a part without rows, they are left as they
 * are. piece_starts, part_starts, batch_rows and first_rows hold integers, weight_sums float64. */
#define EXCHANGE_FIELDS(F)  \
    F(object, exchange)     \
    F(object, dweights)     \
    F(object, dbiases)      \
    F(object, piece_starts) \
    F(object, part_starts)  \
    F(object, batch_rows)   \
    F(object, first_rows)   \
    F(object, weight_sums)  \
    F(size, n_parts)        \
    F(integer, goes_on)

typedef struct {
    EXCHANGE_FIELDS(MLP_MEMBER)
} exchange_fields;

/* ---- the call back ---- */

static const char *const points[] = {
    [MLP_RECEIVE] = "receive", [MLP_SEND] = "send", [MLP_CONCLUDE] = "conclude"};

/* Retakes the GIL for a call. Its exception stays set until the job has ended. */
static bool
call_back(void *context, mlp_exchange_point point, ptrdiff_t index, double *loss)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *result =
        PyObject_CallFunction(context, "snd", points[point], (Py_ssize_t)index, *loss);
    double given = result == NULL ? 0 : PyFloat_AsDouble(result);
    bool is_good = result != NULL && !(given == -1 && PyErr_Occurred());
    Py_XDECREF(result);
    *loss = given;
    PyGILState_Release(state);
    return is_good;
}

/* ---- arguments ---- */

/* Takes the arrays in which gradients are exchanged. */
static void
arg_gradients(mlp_call *call, const exchange_fields *given, mlp_network *network)
{
    Py_ssize_t n = call->failed ? 0 : network->n_layers;
    mlp_list weights = {n, 0, mlp_alloc_for(call, n, sizeof(mlp_matrix))};
    for (Py_ssize_t l = 0; l < n && !call->failed; l++) {
        weights.views[l] = network->layers[l].weights.value;
    }
    mlp_list dweights = mlp_arg_list_like(call, given->dweights, weights,
                                          mlp_expect("dweights", 2, MLP_LIKE, MLP_WRITE));
    mlp_list dbiases =
        mlp_arg_list_like(call, given->dbiases, weights, mlp_expect("dbiases", 1, 1, MLP_WRITE));
    mlp_set_gradients(network, dweights, dbiases);
}

/* n integers in [0, limit), which the call keeps. */
static const int64_t *
arg_counts(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t limit)
{
    PyObject *copy = mlp_arg_integers(call, obj, name, n, limit, PyExc_ValueError);
    return copy == NULL ? NULL : PyArray_DATA((PyArrayObject *)copy);
}

/* The sums of weights of batches, which those that are not passed over are divided by. */
static const double *
arg_weight_sums(mlp_call *call, PyObject *obj, const mlp_exchange *exchange)
{
    ptrdiff_t n = exchange->n_batches;
    mlp_vector given = mlp_arg_contiguous(call, obj, "weight_sums", n, MLP_DOUBLES);
    const double *copy = mlp_copy_elements(call, given, given.n);
    for (ptrdiff_t b = 0; b < n && mlp_go_on(call, b); b++) {
        if (exchange->batch_rows[b] > 0 && !(copy[b] > 0)) {
            mlp_expectation expected = {.name = "weight_sums", .index = b};
            mlp_reject(call, PyExc_ValueError, &expected, "be above 0 for a batch of some rows",
                       PyFloat_FromDouble(copy[b]));
        }
    }
    return copy;
}

/* Where pieces of the gradient of the first layer begin. */
static void
arg_pieces(mlp_call *call, PyObject *obj, ptrdiff_t n_inputs, mlp_exchange *exchange)
{
    PyObject *array = mlp_require_array(
        call, obj, &(mlp_expectation){"piece_starts", MLP_ANY, 1, 1, MLP_ANY, MLP_READ});
    ptrdiff_t n = array == NULL ? 0 : PyArray_SIZE((PyArrayObject *)array) - 1;
    if (array != NULL && n < 1) {
        mlp_expectation expected = {.name = "piece_starts", .index = MLP_ANY};
        mlp_reject_text(call, PyExc_ValueError, &expected, "hold two numbers or more", "fewer");
    }
    exchange->n_pieces = n;
    exchange->piece_starts = mlp_arg_starts(call, obj, "piece_starts", n, n_inputs);
    for (ptrdiff_t i = 1; i <= n && mlp_go_on(call, i); i++) {
        int64_t start = exchange->piece_starts[i];
        if (i == n ? start != n_inputs : start % 2 != 0) {
            mlp_expectation expected = {.name = "piece_starts", .index = i};
            mlp_reject(call, PyExc_ValueError, &expected,
                       i == n ? "be all inputs" : "be an even number of them",
                       PyLong_FromLongLong(start));
        }
    }
}

/* The rows of the parts of each batch: all rows of the data, in order. */
static void
arg_parts(mlp_call *call, const exchange_fields *given, ptrdiff_t n, mlp_exchange *exchange)
{
    ptrdiff_t n_parts = 0;
    exchange->n_parts = given->n_parts;
    if (!call->failed
        && (given->n_parts < 1
            || __builtin_mul_overflow(exchange->n_batches, given->n_parts, &n_parts)
            || n_parts == PTRDIFF_MAX)) {
        mlp_expectation expected = {.name = "n_parts", .index = MLP_ANY};
        mlp_reject(call, PyExc_ValueError, &expected, "be 1 or more that can be counted",
                   PyLong_FromSsize_t(given->n_parts));
    }
    if (call->failed) {
        return;
    }
    exchange->part_starts = mlp_arg_starts(call, given->part_starts, "part_starts", n_parts, n);
    if (!call->failed && exchange->part_starts[n_parts] != n) {
        mlp_expectation expected = {.name = "part_starts", .index = n_parts};
        mlp_reject(call, PyExc_ValueError, &expected, "be all rows",
                   PyLong_FromLongLong(exchange->part_starts[n_parts]));
    }
}

/* Checks that the parts of a batch are among its rows. Of one that is passed over, nothing is read.
 */
static void
check_batches(mlp_call *call, const mlp_exchange *exchange)
{
    for (ptrdiff_t b = 0; b < exchange->n_batches && mlp_go_on(call, b); b++) {
        const int64_t *starts = exchange->part_starts + b * exchange->n_parts;
        int64_t n = starts[exchange->n_parts] - starts[0];
        int64_t most = exchange->batch_rows[b] - exchange->first_rows[b];
        if (exchange->batch_rows[b] > 0 && n > most) {
            mlp_expectation expected = {.name = "batch_rows", .index = b};
            mlp_reject(call, PyExc_ValueError, &expected,
                       "be no fewer than first_rows and those of its parts",
                       PyLong_FromLongLong(exchange->batch_rows[b]));
        }
    }
}

/* Takes an exchange of gradients of a network, of so many rows that are here. */
static void
arg_exchange(mlp_call *call, const exchange_fields *given, mlp_network *network, ptrdiff_t n_rows,
             mlp_exchange *exchange)
{
    ptrdiff_t n_inputs = call->failed ? 0 : mlp_layer_inputs(&network->layers[0]);
    arg_gradients(call, given, network);
    arg_parts(call, given, n_rows, exchange);
    arg_pieces(call, given->piece_starts, n_inputs, exchange);
    const ptrdiff_t n = exchange->n_batches, most = PTRDIFF_MAX;
    exchange->batch_rows = arg_counts(call, MLP_NAMED(*given, batch_rows), n, most);
    exchange->first_rows = arg_counts(call, MLP_NAMED(*given, first_rows), n, most);
    exchange->weight_sums = arg_weight_sums(call, given->weight_sums, exchange);
    exchange->goes_on = given->goes_on != 0;
    exchange->ask = call_back;
    exchange->context = given->exchange;
    if (!call->failed && exchange->goes_on && exchange->n_parts > 1) {
        mlp_expectation expected = {.name = "n_parts", .index = MLP_ANY};
        mlp_reject(call, PyExc_ValueError, &expected, "be 1 of a process that goes on",
                   PyLong_FromSsize_t(exchange->n_parts));
    }
    if (!call->failed && !PyCallable_Check(given->exchange)) {
        mlp_expectation expected = {.name = "exchange", .index = MLP_ANY};
        mlp_reject_text(call, PyExc_TypeError, &expected, "be callable",
                        Py_TYPE(given->exchange)->tp_name);
    }
    check_batches(call, exchange);
}

/* The most rows of a batch that are here. */
static ptrdiff_t
most_batch_rows(const mlp_exchange *exchange)
{
    ptrdiff_t most = 0;
    for (ptrdiff_t b = 0; b < exchange->n_batches; b++) {
        const int64_t *starts = exchange->part_starts + b * exchange->n_parts;
        most = mlp_max(most, (ptrdiff_t)(starts[exchange->n_parts] - starts[0]));
    }
    return most;
}

/* Reads the fields of an exchange. Returns how many batches there are. */
static ptrdiff_t
read_exchange(mlp_call *call, PyObject *fields, exchange_fields *given)
{
    MLP_ARG_FIELDS(call, fields, "fields of an exchange", EXCHANGE_FIELDS, given);
    PyObject *array =
        mlp_require_array(call, given->batch_rows,
                          &(mlp_expectation){"batch_rows", MLP_ANY, 1, 1, MLP_ANY, MLP_READ});
    return array == NULL ? 0 : PyArray_SIZE((PyArrayObject *)array);
}

/* train_share(fields, exchange) -> (total loss, rows that it is of)
 *
 * fields are train_epoch's, with a learning rate for each batch; rows, targets and weights those of
 * the batches that are here, one after the other. steps goes on counting as in train_epoch. */
PyObject *
mlp_core_train_share(PyObject *module, PyObject *args)
{
    PyObject *fields, *exchange, *result = NULL;
    if (!PyArg_ParseTuple(args, "OO:train_share", &fields, &exchange)) {
        return NULL;
    }
    exchange_fields given = {0};
    mlp_train_share_args share = {0};
    mlp_effort effort;
    mlp_call call;
    mlp_begin(&call);
    share.exchange.n_batches = read_exchange(&call, exchange, &given);
    int64_t *steps =
        mlp_arg_epoch(module, &call, fields, share.exchange.n_batches, &share.epoch, &effort);
    arg_exchange(&call, &given, &share.epoch.network, share.epoch.data.n, &share.exchange);
    if (mlp_ready(&call)) {
        double of_rows = (double)mlp_max(share.epoch.data.n, 1);
        double in_batch = (double)most_batch_rows(&share.exchange);
        int n_threads = mlp_threads_for(effort.n_threads, effort.work);
        n_threads = mlp_threads_for_batch(n_threads, effort.work / of_rows * in_batch);
        if (mlp_run_job(module, &mlp_train_share_job, &share, n_threads)) {
            result = Py_BuildValue("(dn)", share.epoch.total_loss, (Py_ssize_t)share.epoch.rows);
        }
        mlp_count_steps(steps, &share.epoch);
    }
    mlp_end(&call);
    return result;
}

/* share_gradient(fields, exchange) -> value of the objective
 *
 * Its gradients are written to those of the exchange, of one batch. fields are loss_gradient's
 * without dweights and dbiases, of the rows that are here. */
PyObject *
mlp_core_share_gradient(PyObject *module, PyObject *args)
{
    PyObject *fields, *exchange, *result = NULL;
    if (!PyArg_ParseTuple(args, "OO:share_gradient", &fields, &exchange)) {
        return NULL;
    }
    exchange_fields given = {0};
    mlp_share_gradient_args share;
    mlp_effort effort;
    mlp_call call;
    mlp_begin(&call);
    ptrdiff_t n_batches = read_exchange(&call, exchange, &given);
    mlp_arg_share_gradient(module, &call, fields, &share, &effort);
    share.exchange.n_batches = n_batches;
    arg_exchange(&call, &given, &share.network, share.data.n, &share.exchange);
    if (!call.failed && (n_batches != 1 || share.exchange.batch_rows[0] == 0)) {
        mlp_expectation expected = {.name = "batch_rows", .index = MLP_ANY};
        mlp_reject(&call, PyExc_ValueError, &expected, "be of one batch that has some",
                   PyLong_FromSsize_t(n_batches));
    }
    if (mlp_ready(&call)
        && mlp_run_job(module, &mlp_share_gradient_job, &share,
                       mlp_threads_for(effort.n_threads, effort.work))) {
        result = PyFloat_FromDouble(share.value);
    }
    mlp_end(&call);
    return result;
}

/* The functions behind the estimators' predictions, and how they train on mostly-zero rows. */
#include "python/data.h"
#include "python/layers.h"
#include "python/names.h"
#include "python/run.h"

/* predict(X, order, weights, biases, activation, output, check_finite, n_threads,
 *         are_hidden=False)
 *     -> outputs, or None where check_finite, X is dense and of the weights' dtype, and an
 *     element of it is infinite or NaN
 *
 * Where all layers are hidden ones, activation is of the last, too. output is a name, or the tuple
 * of one and of the widths of the heads that it is applied to.
 *
 * Positional: of one row, to read the arguments is a good part of the work. */
PyObject *
mlp_core_predict(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *order, *weights_obj, *biases_obj, *activation, *output, *result = NULL;
    int check_finite, n_threads, are_hidden = false;
    if (!PyArg_ParseTuple(args, "OOOOOOpi|p:predict", &x_obj, &order, &weights_obj, &biases_obj,
                          &activation, &output, &check_finite, &n_threads, &are_hidden)) {
        return NULL;
    }
    mlp_predict_args predict = {0};
    mlp_data *data = &predict.data;
    mlp_call call;
    mlp_begin(&call);
    bool has_heads = PyTuple_Check(output) && PyTuple_GET_SIZE(output) == 2;
    PyObject *name = has_heads ? PyTuple_GET_ITEM(output, 0) : output;
    predict.output = mlp_arg_output(&call, name, has_heads ? "output[0]" : "output");
    data->x = mlp_arg_input(&call, x_obj);
    mlp_list weights = mlp_arg_weights(&call, weights_obj, data->x.cols, MLP_READ);
    mlp_list biases = mlp_arg_biases(&call, biases_obj, weights, MLP_READ);
    predict.network = mlp_arg_network(&call, weights, biases, activation, weights.n - !are_hidden);
    data->order = mlp_arg_order(&call, order, "order", data->x.rows, &data->n);
    bool is_dense = data->x.values == NULL && data->x.codes == NULL;
    predict.check_finite = check_finite && is_dense && (int)data->x.element == call.dtype;
    mlp_settle_rows(&call, data);
    ptrdiff_t n = data->n, n_outputs = mlp_count_outputs(&call, weights);
    if (has_heads) {
        predict.heads = mlp_arg_heads(&call, PyTuple_GET_ITEM(output, 1), "output[1]", n_outputs);
    }
    PyObject *out = mlp_new_matrix(&call, n, n_outputs);
    predict.out = mlp_arg_matrix(&call, out, "out", n, n_outputs, MLP_WRITE);
    predict.kernels = mlp_kernels_for(module, &call);
    n_threads = mlp_threads_for(n_threads, mlp_count_work(n, weights));
    if (mlp_ready(&call) && mlp_run_job(module, &mlp_predict_job, &predict, n_threads)) {
        result = Py_NewRef(atomic_load(&predict.found_non_finite) ? Py_None : out);
    }
    mlp_end(&call);
    return result;
}

/* What index_nonzeros has found. */
typedef struct {
    mlp_pairs_args job;
    int n_threads;
    PyObject *row_starts;
    ptrdiff_t n; /* pairs */
} pair_index;

/* Counts the pairs of each row, and adds the counts up. */
static bool
count_pairs(PyObject *module, mlp_call *call, pair_index *index)
{
    ptrdiff_t rows = index->job.x.rows;
    int64_t *starts;
    index->row_starts = mlp_new_starts(call, rows, &starts);
    if (starts == NULL) {
        return false;
    }
    index->job.counts = starts + 1;
    index->job.lists.row_starts = starts;
    if (!mlp_ready(call)
        || !mlp_run_job(module, &mlp_count_pairs_job, &index->job, index->n_threads)) {
        return false;
    }
    starts[0] = 0;
    for (ptrdiff_t row = 0; row < rows && mlp_go_on(call, row); row++) {
        starts[row + 1] += starts[row];
    }
    index->n = starts[rows];
    return !call->failed;
}

/* The tuple of the pairs that were counted. */
static PyObject *
list_pairs(PyObject *module, mlp_call *call, pair_index *index)
{
    mlp_pair_lists *lists = &index->job.lists;
    PyObject *columns = mlp_new_columns(call, index->n, lists->column_bytes, &lists->columns);
    PyObject *pairs = mlp_new_pairs(call, index->n, &lists->pairs);
    if (call->failed || !mlp_run_job(module, &mlp_list_pairs_job, &index->job, index->n_threads)) {
        return NULL;
    }
    return Py_BuildValue("(OOOn)", pairs, columns, index->row_starts,
                         (Py_ssize_t)index->job.x.cols);
}

/* index_nonzeros(X, dtype, max_density, max_bytes, n_threads) -> None, (X, None), or
 *     (values, columns, row_starts, n_columns)
 *
 * How to train on X: as it is where more than that fraction of its pairs of columns is not zero,
 * else as a sparse array of such pairs, of that dtype; or, where that would take more than
 * max_bytes, so that its zeros are skipped as its rows are used. */
PyObject *
mlp_core_index_nonzeros(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *dtype, *result = NULL;
    double max_density, max_bytes;
    pair_index index = {0};
    if (!PyArg_ParseTuple(args, "OUddi:index_nonzeros", &x_obj, &dtype, &max_density, &max_bytes,
                          &index.n_threads)) {
        return NULL;
    }
    mlp_call call;
    mlp_begin(&call);
    mlp_set_dtype(&call, dtype);
    mlp_input x = mlp_arg_dense(&call, x_obj);
    index.job.x = x;
    index.job.lists.column_bytes = x.row_slots <= UINT16_MAX + 1 ? 2 : 4;
    index.job.kernels = mlp_kernels_for(module, &call);
    index.n_threads = mlp_threads_for(index.n_threads, (double)x.rows * (double)x.cols);
    if (count_pairs(module, &call, &index)) {
        double n = (double)index.n, slots = (double)x.rows * (double)x.row_slots;
        int pair_bytes = 2 * mlp_item_of((mlp_dtype)call.dtype) + index.job.lists.column_bytes;
        if (x.cols > INT32_MAX || n > max_density * slots) {
            result = Py_NewRef(Py_None);
        }
        else if (n * pair_bytes + 8.0 * (double)x.rows > max_bytes) {
            result = PyTuple_Pack(2, x_obj, Py_None);
        }
        else {
            result = list_pairs(module, &call, &index);
        }
    }
    mlp_end(&call);
    return result;
}

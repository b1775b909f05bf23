#include "python/data.h"

#include "network/zeros.h"
#include "python/codes.h"
#include "python/integers.h"
#include "python/vectors.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

/* ---- rows ---- */

/* Where the values of each row begin, a private copy that is checked to lie within so many. */
static void
arg_row_starts(mlp_call *call, PyObject *obj, ptrdiff_t n_values, mlp_input *x)
{
    PyArrayObject *starts = (PyArrayObject *)mlp_arg_integers(
        call, obj, "X.indptr", MLP_ANY, call->failed ? 0 : n_values + 1, PyExc_ValueError);
    if (starts == NULL) {
        return;
    }
    ptrdiff_t n_starts = PyArray_DIM(starts, 0);
    x->row_starts = PyArray_DATA(starts);
    bool ascend = n_starts > 0 && x->row_starts[0] == 0;
    for (ptrdiff_t row = 0; ascend && row < n_starts - 1 && mlp_go_on(call, row); row++) {
        ptrdiff_t slots = x->row_starts[row + 1] - x->row_starts[row];
        ascend = slots >= 0;
        x->row_slots = mlp_max(x->row_slots, slots);
    }
    if (!ascend && !call->failed) {
        PyErr_SetString(PyExc_ValueError, "X.indptr must ascend from 0");
        call->failed = true;
    }
    x->rows = n_starts - 1;
}

/* NumPy's types of the elements that dense rows may have. */
#define E(CODE, type, value) NPY_##CODE,
static const int element_types[] = {MLP_ELEMENTS(E)};
#undef E

mlp_input
mlp_arg_dense(mlp_call *call, PyObject *obj)
{
    enum { N_TYPES = sizeof element_types / sizeof element_types[0] };
    mlp_expectation expected = {"X", MLP_ANY, 2, MLP_ANY, MLP_ANY, MLP_READ};
    mlp_input x = {0};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return x;
    }
    int element = 0, type = PyArray_TYPE(array);
    while (element < N_TYPES && !PyArray_EquivTypenums(element_types[element], type)) {
        element++;
    }
    if (element == N_TYPES || !PyArray_ISNOTSWAPPED(array)) {
        mlp_reject_dtype(call, &expected, "hold floats of up to 64 bits, integers or bool", obj);
        return x;
    }
    x.element = (mlp_element)element;
    x.dense = mlp_view_array(call, obj, &expected);
    x.rows = x.dense.rows;
    x.cols = x.dense.cols;
    x.row_slots = mlp_count_pair_columns(x.cols);
    return x;
}

/* A CSR matrix, or its like of pairs, from a tuple of its parts. The columns are checked as they
 * are used. */
static mlp_input
arg_csr(mlp_call *call, PyObject *parts)
{
    Py_ssize_t n_columns = PyNumber_AsSsize_t(PyTuple_GET_ITEM(parts, 3), NULL);
    if (PyErr_Occurred()) {
        call->failed = true;
    }
    else if (n_columns < 0 || n_columns > INT32_MAX) {
        PyErr_Format(PyExc_ValueError, "X must have less than 2**31 columns, got %zd", n_columns);
        call->failed = true;
    }
    mlp_input x = {.is_sparse = true, .cols = n_columns};
    mlp_vector values =
        mlp_arg_contiguous(call, PyTuple_GET_ITEM(parts, 0), "X.data", MLP_ANY, MLP_REALS_OR_PAIRS);
    mlp_vector columns =
        mlp_arg_contiguous(call, PyTuple_GET_ITEM(parts, 1), "X.indices", MLP_ANY, MLP_INTEGERS);
    if (!call->failed && values.n < columns.n) {
        PyErr_SetString(PyExc_ValueError, "X.data must be as long as X.indices");
        call->failed = true;
    }
    x.values = values.data;
    x.is_paired = values.is_paired;
    x.columns = columns.data;
    x.column_bytes = columns.item;
    arg_row_starts(call, PyTuple_GET_ITEM(parts, 2), columns.n, &x);
    return x;
}

/* Has the zeros of a dense input skipped, if its columns can be numbered. */
static void
skip_zeros(mlp_input *x)
{
    x->is_sparse = x->cols <= UINT32_MAX;
}

mlp_data
mlp_arg_rows(mlp_call *call, PyObject *obj)
{
    mlp_matrix dense = mlp_arg_matrix(call, obj, "X", MLP_ANY, MLP_ANY, MLP_READ);
    mlp_data data = {.x = {.rows = dense.rows, .cols = dense.cols, .dense = dense}};
    if (call->failed) {
        return data;
    }
    data.n = dense.rows;
    data.x.element = (mlp_element)call->dtype;
    data.x.row_slots = mlp_count_pair_columns(dense.cols);
    return data;
}

mlp_input
mlp_arg_input(mlp_call *call, PyObject *obj)
{
    if (call->failed || !PyTuple_Check(obj)) {
        mlp_input x;
        return mlp_arg_coded(call, obj, &x) ? x : mlp_arg_dense(call, obj);
    }
    Py_ssize_t n = PyTuple_GET_SIZE(obj);
    if (n == 2 && PyTuple_GET_ITEM(obj, 1) == Py_None) {
        mlp_input x = mlp_arg_dense(call, PyTuple_GET_ITEM(obj, 0));
        skip_zeros(&x);
        return x;
    }
    if (n == 4 && PyIndex_Check(PyTuple_GET_ITEM(obj, 3))) {
        return arg_csr(call, obj);
    }
    mlp_expectation expected = {.name = "X", .index = MLP_ANY};
    mlp_reject_text(call, PyExc_TypeError, &expected, "be (values, columns, row_starts, n_columns)",
                    "a tuple of something else");
    return (mlp_input){0};
}

const int64_t *
mlp_arg_order(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n_rows, ptrdiff_t *n)
{
    if (obj == Py_None) {
        *n = n_rows;
        return NULL;
    }
    PyArrayObject *copy =
        (PyArrayObject *)mlp_arg_integers(call, obj, name, MLP_ANY, n_rows, PyExc_ValueError);
    *n = copy == NULL ? 0 : PyArray_DIM(copy, 0);
    return copy == NULL ? NULL : PyArray_DATA(copy);
}

int64_t *
mlp_arg_count(mlp_call *call, PyObject *obj, const char *name, int64_t *value)
{
    const int64_t limit = (int64_t)1 << 62; /* lest what is added to it overflows */
    mlp_expectation expected = {name, MLP_ANY, 1, 1, 1, MLP_WRITE};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return NULL;
    }
    if (!PyArray_EquivTypenums(PyArray_TYPE(array), NPY_INT64) || !PyArray_ISNOTSWAPPED(array)) {
        mlp_reject_dtype(call, &expected, "have dtype int64", obj);
        return NULL;
    }
    int64_t *count = mlp_view_array(call, obj, &expected).data;
    if (call->failed) {
        return NULL;
    }
    *value = __atomic_load_n(count, __ATOMIC_RELAXED); /* once: another thread may change it */
    if (*value < 0 || *value >= limit) {
        mlp_reject(call, PyExc_ValueError, &expected, "hold an integer in [0, 2**62)",
                   PyLong_FromLongLong(*value));
    }
    return call->failed ? NULL : count;
}

void
mlp_settle_rows(mlp_call *call, mlp_data *data)
{
    if (!call->failed && !data->x.is_sparse && mlp_are_mostly_zero(data)) {
        skip_zeros(&data->x);
    }
    ptrdiff_t n = call->failed || !data->x.is_sparse ? 0 : data->n, some;
    for (ptrdiff_t first = 0; first < n && mlp_go_on(call, first); first += some) {
        /* Of dense rows the count takes no loop. */
        some = data->x.values != NULL ? mlp_min(MLP_ITEMS, n - first) : n - first;
        ptrdiff_t slots = mlp_count_slots(data, first, some);
        if (__builtin_add_overflow(data->slots, slots, &data->slots)) {
            data->slots = PTRDIFF_MAX;
            return;
        }
    }
}

/* ---- new arrays ---- */

static PyObject *
new_array(mlp_call *call, int ndim, ptrdiff_t rows, ptrdiff_t cols, int typenum, void **data)
{
    PyObject *array = mlp_new_array(call, ndim, rows, cols, typenum);
    *data = array == NULL ? NULL : PyArray_DATA((PyArrayObject *)array);
    return array;
}

PyObject *
mlp_new_starts(mlp_call *call, ptrdiff_t rows, int64_t **data)
{
    ptrdiff_t n = 0;
    if (!call->failed && __builtin_add_overflow(rows, 1, &n)) {
        PyErr_NoMemory();
        call->failed = true;
    }
    void *memory;
    PyObject *array = new_array(call, 1, 1, n, NPY_INT64, &memory);
    *data = memory;
    return array;
}

PyObject *
mlp_new_columns(mlp_call *call, ptrdiff_t n, int bytes, void **data)
{
    return new_array(call, 1, 1, n, bytes == 2 ? NPY_UINT16 : NPY_UINT32, data);
}

PyObject *
mlp_new_pairs(mlp_call *call, ptrdiff_t n, void **data)
{
    *data = NULL;
    return call->failed ? NULL : new_array(call, 2, n, 2, mlp_typenum(call), data);
}

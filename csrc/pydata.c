#include "pydata.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

enum { TEXT_BYTES = 96 };

/* A private int64 copy of n integers (or MLP_ANY) in [0, limit), kept by the call. */
static PyArrayObject *
take_integers(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t limit)
{
    mlp_expectation expected = {name, MLP_ANY, 1, 1, n, MLP_READ};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return NULL;
    }
    if (!PyArray_ISINTEGER(array)) {
        mlp_reject_dtype(call, &expected, "hold integers", obj);
        return NULL;
    }
    if (PyArray_NDIM(array) != 1 || (n != MLP_ANY && PyArray_DIM(array, 0) != n)) {
        mlp_reject_shape(call, &expected, obj);
        return NULL;
    }
    /* uint64 values from 2^63 on become negative, and are refused as such. */
    PyArrayObject *copy = (PyArrayObject *)PyArray_FROMANY(
        obj, NPY_INT64, 1, 1,
        NPY_ARRAY_CARRAY | NPY_ARRAY_ENSURECOPY | NPY_ARRAY_ENSUREARRAY | NPY_ARRAY_FORCECAST);
    mlp_keep(call, (PyObject *)copy);
    Py_XDECREF(copy);
    for (ptrdiff_t i = 0; !call->failed && i < PyArray_DIM(copy, 0); i++) {
        int64_t value = ((const int64_t *)PyArray_DATA(copy))[i];
        if (value < 0 || value >= limit) {
            char what[TEXT_BYTES];
            PyOS_snprintf(what, sizeof what, "hold integers in [0, %zd)", (Py_ssize_t)limit);
            PyObject *came = PySequence_GetItem(obj, i);
            if (came != NULL) {
                Py_SETREF(came, PyUnicode_FromFormat("%S at index %zd", came, (Py_ssize_t)i));
            }
            mlp_reject(call, PyExc_ValueError, &expected, what, came);
        }
    }
    if (!call->failed) {
        mlp_add_array(call, obj, &expected); /* no output may write over it all the same */
    }
    return call->failed ? NULL : copy;
}

/* The data of a contiguous vector of one of two types; NULL if the call failed. */
static const void *
take_contiguous(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, bool *wide)
{
    mlp_expectation expected = {name, MLP_ANY, 1, 1, n, MLP_READ};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return NULL;
    }
    if (wide == NULL) {
        if (!mlp_check_dtype(call, obj, &expected)) {
            return NULL;
        }
    }
    else {
        *wide = PyArray_ITEMSIZE(array) == 8;
        if (!PyArray_ISSIGNED(array) || !PyArray_ISINTEGER(array) || !PyArray_ISNOTSWAPPED(array)
            || (PyArray_ITEMSIZE(array) != 4 && !*wide)) {
            mlp_reject_dtype(call, &expected, "have dtype int32 or int64", obj);
            return NULL;
        }
    }
    mlp_matrix view = mlp_view_array(call, obj, &expected);
    if (!call->failed && view.cols > 1 && view.col_stride != 1) {
        mlp_reject_text(call, PyExc_ValueError, &expected, "be contiguous", "a strided array");
    }
    if (!call->failed) {
        mlp_add_array(call, obj, &expected);
    }
    return call->failed ? NULL : view.data;
}

const void *
mlp_take_vector(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n)
{
    return obj == Py_None ? NULL : take_contiguous(call, obj, name, n, NULL);
}

static int64_t
index_at(const void *indices, bool wide, ptrdiff_t i)
{
    return wide ? ((const int64_t *)indices)[i] : ((const int32_t *)indices)[i];
}

/* Whether rows begin where the last ended and columns ascend within their bounds. */
static bool
is_canonical(const mlp_input *x)
{
    int64_t end = 0;
    if (index_at(x->row_starts, x->wide, 0) != 0) {
        return false;
    }
    for (ptrdiff_t row = 0; row < x->rows; row++) {
        int64_t begin = end;
        end = index_at(x->row_starts, x->wide, row + 1);
        if (end < begin || end > x->nnz) {
            return false;
        }
        int64_t last = -1;
        for (int64_t e = begin; e < end; e++) {
            int64_t column = index_at(x->columns, x->wide, e);
            if (column <= last || column >= x->cols) {
                return false;
            }
            last = column;
        }
    }
    return true;
}

mlp_input
mlp_take_input(mlp_call *call, PyObject *obj, const char *name)
{
    if (!PyTuple_Check(obj)) {
        mlp_matrix dense = mlp_take_matrix(call, obj, name, MLP_ANY, MLP_ANY, MLP_READ);
        return (mlp_input){.rows = dense.rows, .cols = dense.cols, .dense = dense};
    }
    PyObject *values, *columns, *row_starts;
    Py_ssize_t n_columns;
    mlp_input x = {0};
    if (call->failed
        || !PyArg_ParseTuple(obj, "OOOn", &values, &columns, &row_starts, &n_columns)) {
        call->failed = true;
        return x;
    }
    bool wide_columns = false;
    x.values = take_contiguous(call, values, "X.data", MLP_ANY, NULL);
    x.nnz = call->failed ? 0 : PyArray_DIM((PyArrayObject *)values, 0);
    x.columns = take_contiguous(call, columns, "X.indices", x.nnz, &wide_columns);
    x.row_starts = take_contiguous(call, row_starts, "X.indptr", MLP_ANY, &x.wide);
    x.rows = call->failed ? 0 : PyArray_DIM((PyArrayObject *)row_starts, 0) - 1;
    x.cols = n_columns;
    if (!call->failed && (x.rows < 0 || wide_columns != x.wide || !is_canonical(&x))) {
        PyErr_Format(PyExc_ValueError,
                     "%s must be in canonical CSR form, with indices in [0, %zd) of one dtype",
                     name, n_columns);
        call->failed = true;
    }
    return x;
}

const int64_t *
mlp_take_order(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n_rows, ptrdiff_t *n)
{
    if (obj == Py_None) {
        *n = n_rows;
        return NULL;
    }
    PyArrayObject *copy = take_integers(call, obj, name, MLP_ANY, n_rows);
    *n = copy == NULL ? 0 : PyArray_DIM(copy, 0);
    return copy == NULL ? NULL : PyArray_DATA(copy);
}

static mlp_targets
take_labels(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t k)
{
    PyArrayObject *copy = take_integers(call, obj, name, n, Py_MIN(k, INT32_MAX));
    int32_t *labels = mlp_take_memory(call, n, sizeof(int32_t));
    for (ptrdiff_t i = 0; labels != NULL && i < n; i++) {
        labels[i] = (int32_t)((const int64_t *)PyArray_DATA(copy))[i];
    }
    return (mlp_targets){.labels = labels};
}

mlp_targets
mlp_take_targets(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t k)
{
    mlp_expectation expected = {name, MLP_ANY, 2, n, k, MLP_READ};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return (mlp_targets){0};
    }
    if (PyArray_NDIM(array) == 1) {
        return take_labels(call, obj, name, n, k);
    }
    if (PyArray_TYPE(array) != NPY_BOOL) {
        return (mlp_targets){.matrix = mlp_take_array(call, obj, &expected)};
    }
    mlp_targets targets = {.matrix = mlp_view_array(call, obj, &expected), .is_bool = true};
    if (!call->failed) {
        mlp_add_array(call, obj, &expected);
    }
    return targets;
}

#include "python/integers.h"

#include "base/sizes.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

bool
mlp_check_shape(mlp_call *call, PyObject *obj, const mlp_expectation *expected)
{
    PyArrayObject *array = (PyArrayObject *)obj;
    int last = expected->ndim - 1;
    if (PyArray_NDIM(array) != expected->ndim
        || (expected->cols != MLP_ANY && PyArray_DIM(array, last) != expected->cols)
        || (last == 1 && expected->rows != MLP_ANY && PyArray_DIM(array, 0) != expected->rows)) {
        mlp_reject_shape(call, expected, obj);
        return false;
    }
    return true;
}

/* Copies integers of any type, some rows at a time: in a copy of NumPy no handler runs. */
static void
copy_rows(mlp_call *call, PyObject *from, PyObject *to, ptrdiff_t rows, ptrdiff_t cols)
{
    ptrdiff_t some = mlp_max(MLP_ITEMS / mlp_max(cols, 1), 1);
    for (ptrdiff_t i = 0; i < rows && mlp_go_on(call, 0); i += some) {
        PyObject *source = PySequence_GetSlice(from, i, i + some);
        PyObject *place = source == NULL ? NULL : PySequence_GetSlice(to, i, i + some);
        call->failed =
            place == NULL || PyArray_CopyInto((PyArrayObject *)place, (PyArrayObject *)source) < 0;
        Py_XDECREF(source);
        Py_XDECREF(place);
    }
}

/* A private copy, int64 and contiguous, of an array of integers of the shape that is expected, kept
 * by the call; NULL if that failed. */
static PyArrayObject *
copy_integers(mlp_call *call, PyObject *obj, const mlp_expectation *expected)
{
    PyObject *array = mlp_require_array(call, obj, expected);
    if (array == NULL) {
        return NULL;
    }
    if (!PyArray_ISINTEGER((PyArrayObject *)array)) {
        mlp_reject_dtype(call, expected, "hold integers", obj);
        return NULL;
    }
    if (!mlp_check_shape(call, obj, expected)) {
        return NULL;
    }
    ptrdiff_t rows = PyArray_DIM((PyArrayObject *)array, 0);
    ptrdiff_t cols = expected->ndim == 1 ? 1 : expected->cols;
    ptrdiff_t last = expected->ndim == 1 ? rows : cols;
    PyObject *copy = mlp_new_array(call, expected->ndim, rows, last, NPY_INT64);
    if (copy == NULL) {
        return NULL;
    }
    Py_INCREF(obj);
    PyObject *plain = PyArray_EnsureArray(obj); /* of no subclass */
    if (plain == NULL) {
        call->failed = true;
        return NULL;
    }
    copy_rows(call, plain, copy, rows, cols);
    Py_DECREF(plain);
    bool is_good = !call->failed && mlp_check_shape(call, copy, expected);
    return is_good ? (PyArrayObject *)copy : NULL;
}

/* An integer and where it is, for a message. */
static PyObject *
describe(PyObject *obj, int ndim, int64_t value, Py_ssize_t row, Py_ssize_t col)
{
    PyArrayObject *array = (PyArrayObject *)obj;
    /* uint64 values from 2^63 on have become negative. */
    const char *index = PyArray_ISUNSIGNED(array) ? "%llu at index %zd" : "%lld at index %zd";
    const char *pair =
        PyArray_ISUNSIGNED(array) ? "%llu at index (%zd, %zd)" : "%lld at index (%zd, %zd)";
    return ndim == 1 ? PyUnicode_FromFormat(index, (long long)value, row)
                     : PyUnicode_FromFormat(pair, (long long)value, row, col);
}

/* The copy of an array of rows of integers, each in [0, limit) of its column; a vector has rows of
 * one. NULL if the call failed. */
static PyObject *
take_integers(mlp_call *call, PyObject *obj, const mlp_expectation *expected,
              const ptrdiff_t limits[], ptrdiff_t n_limits, PyObject *beyond)
{
    PyArrayObject *copy = copy_integers(call, obj, expected);
    if (copy == NULL) {
        return NULL;
    }
    const int64_t *values = PyArray_DATA(copy);
    ptrdiff_t n = PyArray_SIZE(copy);
    for (ptrdiff_t i = 0, col = 0; i < n && mlp_go_on(call, i); i++) {
        if (values[i] < 0 || values[i] >= limits[col]) {
            char what[MLP_TEXT_BYTES];
            PyOS_snprintf(what, sizeof what, "hold integers in [0, %zd)", (Py_ssize_t)limits[col]);
            mlp_reject(call, beyond, expected, what,
                       describe(obj, expected->ndim, values[i], i / n_limits, col));
        }
        col = col + 1 == n_limits ? 0 : col + 1;
    }
    if (!call->failed) {
        mlp_add_array(call, obj, expected); /* no output may write over it all the same */
    }
    return call->failed ? NULL : (PyObject *)copy;
}

PyObject *
mlp_arg_integers(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t limit,
                 PyObject *beyond)
{
    mlp_expectation expected = {name, MLP_ANY, 1, 1, n, MLP_READ};
    return take_integers(call, obj, &expected, &limit, 1, beyond);
}

PyObject *
mlp_arg_integer_rows(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n,
                     const ptrdiff_t limits[], ptrdiff_t n_limits)
{
    mlp_expectation expected = {name, MLP_ANY, 2, n, n_limits, MLP_READ};
    return take_integers(call, obj, &expected, limits, n_limits, PyExc_ValueError);
}

const int64_t *
mlp_arg_starts(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t most)
{
    PyArrayObject *copy =
        (PyArrayObject *)mlp_arg_integers(call, obj, name, n + 1, most + 1, PyExc_ValueError);
    const int64_t *starts = copy == NULL ? NULL : PyArray_DATA(copy);
    if (starts == NULL) {
        return NULL;
    }
    bool ascend = starts[0] == 0;
    for (ptrdiff_t c = 0; ascend && c < n && mlp_go_on(call, c); c++) {
        ascend = starts[c] <= starts[c + 1];
    }
    if (!ascend && !call->failed) {
        PyErr_Format(PyExc_ValueError, "%s must ascend from 0", name);
        call->failed = true;
    }
    return starts;
}

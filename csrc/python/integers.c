#include "python/integers.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

bool
mlp_check_vector(mlp_call *call, PyObject *obj, const mlp_expectation *expected)
{
    PyArrayObject *array = (PyArrayObject *)obj;
    if (PyArray_NDIM(array) != 1
        || (expected->cols != MLP_ANY && PyArray_DIM(array, 0) != expected->cols)) {
        mlp_reject_shape(call, expected, (PyObject *)array);
        return false;
    }
    return true;
}

PyObject *
mlp_arg_integers(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t limit,
                 PyObject *beyond)
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
    if (!mlp_check_vector(call, obj, &expected)) {
        return NULL;
    }
    /* uint64 values from 2^63 on become negative, and are refused as such. */
    const char *came = PyArray_ISUNSIGNED(array) ? "%llu at index %zd" : "%lld at index %zd";
    PyArrayObject *copy = (PyArrayObject *)PyArray_FROMANY(
        obj, NPY_INT64, 1, 1,
        NPY_ARRAY_CARRAY | NPY_ARRAY_ENSURECOPY | NPY_ARRAY_ENSUREARRAY | NPY_ARRAY_FORCECAST);
    bool kept = mlp_keep(call, (PyObject *)copy);
    Py_XDECREF(copy);
    if (copy == NULL || !kept || !mlp_check_vector(call, (PyObject *)copy, &expected)) {
        return NULL;
    }
    for (ptrdiff_t i = 0; i < PyArray_DIM(copy, 0) && mlp_go_on(call, i); i++) {
        int64_t value = ((const int64_t *)PyArray_DATA(copy))[i];
        if (value < 0 || value >= limit) {
            char what[MLP_TEXT_BYTES];
            PyOS_snprintf(what, sizeof what, "hold integers in [0, %zd)", (Py_ssize_t)limit);
            mlp_reject(call, beyond, &expected, what,
                       PyUnicode_FromFormat(came, (long long)value, (Py_ssize_t)i));
        }
    }
    if (!call->failed) {
        mlp_add_array(call, obj, &expected); /* no output may write over it all the same */
    }
    return call->failed ? NULL : (PyObject *)copy;
}

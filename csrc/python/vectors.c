#include "python/vectors.h"

#include "base/sizes.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

/* Whether an array has elements of this type; fails the call if not. */
static bool
check_elements(mlp_call *call, PyArrayObject *array, mlp_element_type type,
               const mlp_expectation *expected)
{
    bool is_native = PyArray_ISNOTSWAPPED(array);
    if (type == MLP_DOUBLES && (PyArray_TYPE(array) != NPY_DOUBLE || !is_native)) {
        mlp_reject_dtype(call, expected, "have dtype float64", (PyObject *)array);
    }
    else if (type == MLP_INTEGERS
             && (!PyArray_ISINTEGER(array) || !is_native || PyArray_ITEMSIZE(array) == 1)) {
        mlp_reject_dtype(call, expected, "hold integers of 2, 4 or 8 bytes", (PyObject *)array);
    }
    else if (type == MLP_BYTES && PyArray_TYPE(array) != NPY_UINT8) {
        mlp_reject_dtype(call, expected, "have dtype uint8", (PyObject *)array);
    }
    else if (type == MLP_REALS || type == MLP_REALS_OR_PAIRS) {
        mlp_check_dtype(call, (PyObject *)array, expected);
    }
    return !call->failed;
}

/* A contiguous vector of n elements, or pairs, to read or to write. */
static mlp_vector
take_contiguous(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, mlp_element_type type,
                mlp_access access)
{
    mlp_expectation expected = {name, MLP_ANY, 1, 1, n, access};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return (mlp_vector){0};
    }
    bool is_paired = type == MLP_REALS_OR_PAIRS && PyArray_NDIM(array) == 2;
    if (is_paired) {
        expected = (mlp_expectation){name, MLP_ANY, 2, n, 2, access};
    }
    if (!check_elements(call, array, type, &expected)) {
        return (mlp_vector){0};
    }
    mlp_matrix view = mlp_view_array(call, obj, &expected);
    bool is_strided =
        (view.cols > 1 && view.col_stride != 1) || (view.rows > 1 && view.row_stride != view.cols);
    if (!call->failed && view.rows > 0 && is_strided) {
        mlp_reject_text(call, PyExc_ValueError, &expected, "be contiguous", "a strided array");
    }
    if (call->failed) {
        return (mlp_vector){0};
    }
    return (mlp_vector){view.data, is_paired ? view.rows : view.cols, view.item, is_paired};
}

mlp_vector
mlp_arg_contiguous(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n,
                   mlp_element_type type)
{
    return take_contiguous(call, obj, name, n, type, MLP_READ);
}

double *
mlp_arg_doubles(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n)
{
    void *data = take_contiguous(call, obj, name, n, MLP_DOUBLES, MLP_WRITE).data;
    return data;
}

const void *
mlp_copy_elements(mlp_call *call, mlp_vector from, ptrdiff_t n)
{
    ptrdiff_t item = from.item;
    char *copy = from.data == NULL ? NULL : mlp_alloc_for(call, n, (size_t)item);
    for (ptrdiff_t i = 0; copy != NULL && i < n && mlp_go_on(call, i); i += MLP_ITEMS) {
        ptrdiff_t some = mlp_min(MLP_ITEMS, n - i);
        memcpy(copy + i * item, from.data + i * item, (size_t)(some * item));
    }
    return copy;
}

const void *
mlp_arg_vector(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n)
{
    return call->failed || obj == Py_None
               ? NULL
               : mlp_copy_elements(call, mlp_arg_contiguous(call, obj, name, n, MLP_REALS), n);
}

const double *
mlp_arg_rates(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n)
{
    mlp_vector rates = mlp_arg_contiguous(call, obj, name, MLP_ANY, MLP_DOUBLES);
    if (!call->failed && rates.n < n) {
        mlp_expectation expected = {.name = name, .index = MLP_ANY};
        char what[MLP_TEXT_BYTES];
        PyOS_snprintf(what, sizeof what, "hold at least %zd rates, one for each batch",
                      (Py_ssize_t)n);
        mlp_reject(call, PyExc_ValueError, &expected, what, PyLong_FromSsize_t(rates.n));
    }
    return call->failed ? NULL : mlp_copy_elements(call, rates, n);
}

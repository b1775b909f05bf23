#include "python/data.h"
#include "python/integers.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

/* Integers that were taken, in 32 bits; NULL if the call failed. */
static const int32_t *
as_labels(mlp_call *call, PyObject *taken)
{
    ptrdiff_t n = taken == NULL ? 0 : PyArray_SIZE((PyArrayObject *)taken);
    int32_t *labels = mlp_alloc_for(call, n, sizeof *labels);
    for (ptrdiff_t i = 0; labels != NULL && i < n && mlp_go_on(call, i); i++) {
        labels[i] = (int32_t)((const int64_t *)PyArray_DATA((PyArrayObject *)taken))[i];
    }
    return labels;
}

static mlp_targets
arg_labels(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t k)
{
    PyObject *copy = mlp_arg_integers(call, obj, name, n, mlp_min(k, INT32_MAX), PyExc_ValueError);
    return (mlp_targets){.labels = as_labels(call, copy)};
}

mlp_heads
mlp_arg_heads(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n_outputs)
{
    mlp_expectation expected = {name, MLP_ANY, 1, 1, MLP_ANY, MLP_READ};
    PyArrayObject *copy =
        (PyArrayObject *)mlp_arg_integers(call, obj, name, MLP_ANY, INT32_MAX, PyExc_ValueError);
    mlp_heads heads = {.n = copy == NULL ? 0 : PyArray_DIM(copy, 0)};
    ptrdiff_t *widths = mlp_alloc_for(call, heads.n, sizeof *widths), left = n_outputs;
    for (ptrdiff_t h = 0; widths != NULL && h < heads.n && left >= 0 && mlp_go_on(call, h); h++) {
        widths[h] = (ptrdiff_t)((const int64_t *)PyArray_DATA(copy))[h];
        left -= widths[h];
    }
    if (!call->failed && left != 0) {
        char what[MLP_TEXT_BYTES];
        PyOS_snprintf(what, sizeof what, "hold widths of %zd outputs together",
                      (Py_ssize_t)n_outputs);
        mlp_reject_text(call, PyExc_ValueError, &expected, what, left > 0 ? "fewer" : "more");
    }
    heads.widths = widths;
    return heads;
}

mlp_targets
mlp_arg_label_rows(mlp_call *call, PyObject *tuple, ptrdiff_t n, ptrdiff_t n_outputs)
{
    if (!call->failed && PyTuple_GET_SIZE(tuple) != 2) {
        PyErr_Format(PyExc_ValueError,
                     "y must be an array, or a tuple of labels and widths, got "
                     "one of length %zd",
                     PyTuple_GET_SIZE(tuple));
        call->failed = true;
    }
    if (call->failed) {
        return (mlp_targets){0};
    }
    mlp_heads heads = mlp_arg_heads(call, PyTuple_GET_ITEM(tuple, 1), "y[1]", n_outputs);
    PyObject *copy =
        mlp_arg_integer_rows(call, PyTuple_GET_ITEM(tuple, 0), "y[0]", n, heads.widths, heads.n);
    return (mlp_targets){.labels = as_labels(call, copy), .heads = heads};
}

mlp_targets
mlp_arg_targets(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t k)
{
    mlp_expectation expected = {name, MLP_ANY, 2, n, k, MLP_READ};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return (mlp_targets){0};
    }
    if (PyArray_NDIM(array) == 1) {
        return arg_labels(call, obj, name, n, k);
    }
    if (PyArray_ISINTEGER(array) && PyArray_NDIM(array) == 2 && PyArray_DIM(array, 1) == 1) {
        mlp_reject_text(call, PyExc_ValueError, &expected,
                        "be labels in one dimension, or a row of targets each of the logits' dtype",
                        "integers in one column: y.ravel() makes labels of them");
        return (mlp_targets){0};
    }
    if (PyArray_TYPE(array) != NPY_BOOL) {
        return (mlp_targets){.matrix = mlp_arg_array(call, obj, &expected)};
    }
    return (mlp_targets){.matrix = mlp_view_array(call, obj, &expected), .is_bool = true};
}

/* The labels of the rows of an order, from those of n_rows. */
static mlp_targets
arg_labels_of(mlp_call *call, PyObject *obj, PyArrayObject *order, ptrdiff_t n_rows, ptrdiff_t k)
{
    mlp_expectation expected = {"y", MLP_ANY, 1, 1, n_rows, MLP_READ};
    PyArrayObject *array = (PyArrayObject *)obj;
    mlp_targets targets = {0};
    if (!mlp_check_shape(call, obj, &expected) || !mlp_add_array(call, obj, &expected)) {
        return targets;
    }
    PyObject *labels = PyArray_TakeFrom(array, (PyObject *)order, 0, NULL, NPY_RAISE);
    bool kept = mlp_keep(call, labels);
    Py_XDECREF(labels);
    if (kept) {
        targets = arg_labels(call, labels, "y[rows]", PyArray_DIM(order, 0), k);
        targets.is_ordered = true;
    }
    return targets;
}

void
mlp_arg_batch(mlp_call *call, PyObject *rows, PyObject *y, ptrdiff_t n_outputs, mlp_data *data)
{
    PyArrayObject *order = NULL;
    if (rows != Py_None) {
        order = (PyArrayObject *)mlp_arg_integers(call, rows, "rows", MLP_ANY, data->x.rows,
                                                  PyExc_IndexError);
        data->n = order == NULL ? 0 : PyArray_DIM(order, 0);
        data->order = order == NULL ? NULL : PyArray_DATA(order);
    }
    bool are_labels = PyArray_Check(y) && PyArray_NDIM((PyArrayObject *)y) == 1;
    data->targets = !call->failed && order != NULL && are_labels
                        ? arg_labels_of(call, y, order, data->x.rows, n_outputs)
                        : mlp_arg_targets(call, y, "y", data->x.rows, n_outputs);
}

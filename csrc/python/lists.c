#include "python/arrays.h"

PyObject *
mlp_arg_items(mlp_call *call, PyObject *obj, const char *name, Py_ssize_t n, const char *of)
{
    if (call->failed) {
        return NULL;
    }
    mlp_expectation expected = {.name = name, .index = MLP_ANY};
    char what[MLP_TEXT_BYTES];
    if (!PyList_Check(obj) && !PyTuple_Check(obj)) {
        PyOS_snprintf(what, sizeof what, "be a list of %s", of);
        mlp_reject_text(call, PyExc_TypeError, &expected, what, Py_TYPE(obj)->tp_name);
        return NULL;
    }
    PyObject *items =
        PyList_Check(obj) ? PyList_AsTuple(obj) : PyTuple_GetSlice(obj, 0, PY_SSIZE_T_MAX);
    bool kept = mlp_keep(call, items);
    Py_XDECREF(items);
    if (!kept) {
        return NULL;
    }
    if (n != MLP_ANY && PyTuple_GET_SIZE(items) != n) {
        PyOS_snprintf(what, sizeof what, "hold %zd %s", n, of);
        mlp_reject(call, PyExc_ValueError, &expected, what,
                   PyLong_FromSsize_t(PyTuple_GET_SIZE(items)));
        return NULL;
    }
    return items;
}

/* Opens a list of n arrays (or MLP_ANY), whose views are still to be made. */
static PyObject *
open_list(mlp_call *call, PyObject *obj, const char *name, Py_ssize_t n, mlp_list *list)
{
    PyObject *arrays = mlp_arg_items(call, obj, name, n, "arrays");
    Py_ssize_t size = arrays == NULL ? 0 : PyTuple_GET_SIZE(arrays);
    mlp_matrix *views = mlp_alloc_for(call, size, sizeof(mlp_matrix));
    *list = (mlp_list){views == NULL ? 0 : size, call->n_arrays, views};
    return views == NULL ? NULL : arrays;
}

mlp_list
mlp_arg_list(mlp_call *call, PyObject *obj, mlp_expectation each)
{
    mlp_list list;
    PyObject *arrays = open_list(call, obj, each.name, MLP_ANY, &list);
    for (Py_ssize_t i = 0; i < list.n && mlp_go_on(call, i); i++) {
        each.index = i;
        list.views[i] = mlp_arg_array(call, PyTuple_GET_ITEM(arrays, i), &each);
    }
    return list;
}

/* What element i of a list must be to be like another's. */
static mlp_expectation
expect_like(mlp_call *call, mlp_list like, Py_ssize_t i, mlp_expectation each)
{
    each.index = i;
    each.ndim = each.ndim == MLP_LIKE ? mlp_ndim(call, like.first + i) : each.ndim;
    each.rows = each.rows == MLP_LIKE ? like.views[i].rows : each.rows;
    each.cols = like.views[i].cols;
    return each;
}

mlp_list
mlp_arg_list_like(mlp_call *call, PyObject *obj, mlp_list like, mlp_expectation each)
{
    mlp_list list;
    PyObject *arrays = open_list(call, obj, each.name, like.n, &list);
    for (Py_ssize_t i = 0; i < list.n && mlp_go_on(call, i); i++) {
        mlp_expectation expected = expect_like(call, like, i, each);
        list.views[i] = mlp_arg_array(call, PyTuple_GET_ITEM(arrays, i), &expected);
    }
    return list;
}

mlp_list
mlp_join(mlp_call *call, mlp_list list, mlp_list next)
{
    mlp_list joined = {list.n + next.n, list.first, NULL};
    joined.views = mlp_alloc_for(call, joined.n, sizeof(mlp_matrix));
    for (Py_ssize_t i = 0; i < joined.n && !call->failed; i++) {
        joined.views[i] = i < list.n ? list.views[i] : next.views[i - list.n];
    }
    return joined;
}

PyObject *
mlp_new_list_like(mlp_call *call, mlp_list like, ptrdiff_t rows, int ndim)
{
    PyObject *list = call->failed ? NULL : PyList_New(0);
    for (Py_ssize_t i = 0; list != NULL && i < like.n && !call->failed; i++) {
        mlp_expectation expected =
            expect_like(call, like, i, mlp_expect("", ndim, rows, MLP_WRITE));
        PyObject *array =
            mlp_new_array(call, expected.ndim, expected.rows, expected.cols, mlp_typenum(call));
        if (array != NULL && PyList_Append(list, array) < 0) {
            call->failed = true;
        }
    }
    bool kept = mlp_keep(call, list);
    Py_XDECREF(list);
    return kept ? list : NULL;
}

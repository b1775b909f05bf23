#include "python/arrays.h"

/* Opens a list of n arrays (or MLP_ANY) as a tuple that the call keeps, whatever
 * becomes of the caller's list. Of a subclass, what it holds: its methods are not asked. */
static PyObject *
open_list(mlp_call *call, PyObject *obj, const char *name, Py_ssize_t n, mlp_list *list)
{
    *list = (mlp_list){0};
    if (call->failed) {
        return NULL;
    }
    mlp_expectation expected = {.name = name, .index = MLP_ANY};
    if (!PyList_Check(obj) && !PyTuple_Check(obj)) {
        mlp_reject_text(call, PyExc_TypeError, &expected, "be a list of arrays",
                        Py_TYPE(obj)->tp_name);
        return NULL;
    }
    PyObject *tuple =
        PyList_Check(obj) ? PyList_AsTuple(obj) : PyTuple_GetSlice(obj, 0, PY_SSIZE_T_MAX);
    mlp_keep(call, tuple);
    Py_XDECREF(tuple);
    if (call->failed) {
        return NULL;
    }
    Py_ssize_t size = PyTuple_GET_SIZE(tuple);
    list->first = call->n_arrays;
    if (n != MLP_ANY && size != n) {
        char what[MLP_TEXT_BYTES];
        PyOS_snprintf(what, sizeof what, "hold %zd arrays", n);
        mlp_reject(call, PyExc_ValueError, &expected, what, PyLong_FromSsize_t(size));
        return NULL;
    }
    list->views = mlp_take_memory(call, size, sizeof(mlp_matrix));
    if (list->views == NULL) {
        return NULL;
    }
    list->n = size;
    return tuple;
}

mlp_list
mlp_take_list(mlp_call *call, PyObject *obj, const char *name, int ndim, mlp_access access)
{
    mlp_list list;
    PyObject *tuple = open_list(call, obj, name, MLP_ANY, &list);
    for (Py_ssize_t i = 0; tuple != NULL && i < list.n && mlp_go_on(call, i); i++) {
        mlp_expectation expected = {name, i, ndim, MLP_ANY, MLP_ANY, access};
        list.views[i] = mlp_take_array(call, PyTuple_GET_ITEM(tuple, i), &expected);
    }
    return list;
}

/* What element i of a list must be to be like another's. */
static mlp_expectation
expect_like(mlp_call *call, const char *name, mlp_list like, Py_ssize_t i, ptrdiff_t rows, int ndim,
            mlp_access access)
{
    return (mlp_expectation){
        .name = name,
        .index = i,
        .ndim = ndim == MLP_LIKE ? mlp_ndim(call, like.first + i) : ndim,
        .rows = rows == MLP_LIKE ? like.views[i].rows : rows,
        .cols = like.views[i].cols,
        .access = access,
    };
}

mlp_list
mlp_take_list_like(mlp_call *call, PyObject *obj, const char *name, mlp_list like, ptrdiff_t rows,
                   int ndim, mlp_access access)
{
    mlp_list list;
    PyObject *tuple = open_list(call, obj, name, like.n, &list);
    for (Py_ssize_t i = 0; tuple != NULL && i < list.n && mlp_go_on(call, i); i++) {
        mlp_expectation expected = expect_like(call, name, like, i, rows, ndim, access);
        list.views[i] = mlp_take_array(call, PyTuple_GET_ITEM(tuple, i), &expected);
    }
    return list;
}

mlp_list
mlp_join(mlp_call *call, mlp_list list, const mlp_matrix *next)
{
    mlp_list joined = {2 * list.n, list.first, NULL};
    joined.views = mlp_take_memory(call, joined.n, sizeof(mlp_matrix));
    for (Py_ssize_t i = 0; i < list.n && !call->failed; i++) {
        joined.views[i] = list.views[i];
        joined.views[list.n + i] = next[i];
    }
    return joined;
}

PyObject *
mlp_new_list_like(mlp_call *call, mlp_list like, ptrdiff_t rows, int ndim)
{
    PyObject *list = call->failed ? NULL : PyList_New(0);
    for (Py_ssize_t i = 0; list != NULL && i < like.n && !call->failed; i++) {
        mlp_expectation expected = expect_like(call, "", like, i, rows, ndim, MLP_WRITE);
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

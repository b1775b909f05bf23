#include "pyarrays.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

enum { NAME_BYTES = 64, SHAPE_BYTES = 64, OVERLAP_WORK = 100000 };

static const int typenums[MLP_N_DTYPES] = {NPY_FLOAT32, NPY_FLOAT64};
static const char *const dtype_names[MLP_N_DTYPES] = {"float32", "float64"};

int
mlp_import_numpy(void)
{
    return PyArray_ImportNumPyAPI();
}

static void
write_name(const char *name, Py_ssize_t index, char buffer[NAME_BYTES])
{
    if (index < 0) {
        PyOS_snprintf(buffer, NAME_BYTES, "%s", name);
    }
    else {
        PyOS_snprintf(buffer, NAME_BYTES, "%s[%zd]", name, index);
    }
}

static void
write_size(ptrdiff_t size, char *buffer, size_t room)
{
    if (size == MLP_ANY_SIZE) {
        PyOS_snprintf(buffer, room, "any");
    }
    else {
        PyOS_snprintf(buffer, room, "%zd", (Py_ssize_t)size);
    }
}

static void
write_shape(const mlp_expected *expected, char buffer[SHAPE_BYTES])
{
    char rows[24], cols[24];
    write_size(expected->rows, rows, sizeof rows);
    write_size(expected->cols, cols, sizeof cols);
    if (expected->ndim == 1) {
        PyOS_snprintf(buffer, SHAPE_BYTES, "(%s,)", cols);
    }
    else {
        PyOS_snprintf(buffer, SHAPE_BYTES, "(%s, %s)", rows, cols);
    }
}

/* Sets `type` with "<name> must <what>, got <came>". Steals came, which may be
 * NULL with an exception set. Returns -1. */
static int
reject(PyObject *type, const char *name, const char *what, PyObject *came)
{
    if (came != NULL) {
        PyErr_Format(type, "%s must %s, got %S", name, what, came);
        Py_DECREF(came);
    }
    return -1;
}

static int
require_array(PyObject *obj, const char *name)
{
    if (PyArray_Check(obj)) {
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s must be a NumPy array, got %s", name, Py_TYPE(obj)->tp_name);
    return -1;
}

/* -1 if the array is neither native float32 nor native float64; no exception. */
static int
find_dtype(PyArrayObject *array)
{
    if (!PyArray_ISNBO(PyArray_DESCR(array)->byteorder)) {
        return -1;
    }
    for (int dtype = 0; dtype < MLP_N_DTYPES; dtype++) {
        if (PyArray_TYPE(array) == typenums[dtype]) {
            return dtype;
        }
    }
    return -1;
}

int
mlp_dtype_of(PyObject *obj, const char *name)
{
    if (require_array(obj, name) < 0) {
        return -1;
    }
    int dtype = find_dtype((PyArrayObject *)obj);
    if (dtype < 0) {
        reject(PyExc_TypeError, name, "have dtype float32 or float64",
               PyObject_GetAttrString(obj, "dtype"));
    }
    return dtype;
}

/* Checks everything but the dtype; the view's strides are in items of the
 * array's own dtype. */
static int
view_array(PyArrayObject *array, const char *name, const mlp_expected *expected, mlp_array *result)
{
    int ndim = PyArray_NDIM(array);
    *result = (mlp_array){
        .array = (PyObject *)array, .ndim = ndim, .name = expected->name, .index = expected->index};
    mlp_matrix *view = &result->view;
    const npy_intp *shape = PyArray_DIMS(array), *strides = PyArray_STRIDES(array);
    if (expected->ndim == 0 ? ndim != 1 && ndim != 2 : ndim != expected->ndim) {
        char what[64];
        if (expected->ndim == 0) {
            PyOS_snprintf(what, sizeof what, "have 1 or 2 dimensions");
        }
        else {
            PyOS_snprintf(what, sizeof what, "have %d dimension%s", expected->ndim,
                          expected->ndim == 1 ? "" : "s");
        }
        return reject(PyExc_ValueError, name, what, PyLong_FromLong(ndim));
    }
    ptrdiff_t item = PyArray_ITEMSIZE(array);
    *view = (mlp_matrix){
        .data = PyArray_DATA(array),
        .rows = ndim == 2 ? shape[0] : 1,
        .cols = shape[ndim - 1],
        /* The stride of a dimension of one element is arbitrary. */
        .row_stride = ndim == 2 && shape[0] > 1 ? strides[0] : 0,
        .col_stride = shape[ndim - 1] > 1 ? strides[ndim - 1] : 0,
    };
    if ((expected->rows != MLP_ANY_SIZE && view->rows != expected->rows)
        || (expected->cols != MLP_ANY_SIZE && view->cols != expected->cols)) {
        char shape_text[SHAPE_BYTES], what[SHAPE_BYTES + 16];
        write_shape(expected, shape_text);
        PyOS_snprintf(what, sizeof what, "have shape %s", shape_text);
        return reject(PyExc_ValueError, name, what,
                      PyObject_GetAttrString((PyObject *)array, "shape"));
    }
    if (!PyArray_ISALIGNED(array) || view->row_stride % item != 0 || view->col_stride % item != 0) {
        PyErr_Format(PyExc_ValueError, "%s must be aligned to its dtype", name);
        return -1;
    }
    view->row_stride /= item;
    view->col_stride /= item;
    if (expected->access == MLP_WRITE && !PyArray_ISWRITEABLE(array)) {
        PyErr_Format(PyExc_ValueError, "%s must be writeable, got a read-only array", name);
        return -1;
    }
    return 0;
}

int
mlp_view_array(PyObject *obj, const mlp_expected *expected, mlp_array *array)
{
    char name[NAME_BYTES];
    write_name(expected->name, expected->index, name);
    if (require_array(obj, name) < 0) {
        return -1;
    }
    int dtype = find_dtype((PyArrayObject *)obj);
    if (dtype < 0 || (expected->dtype != MLP_ANY_DTYPE && dtype != expected->dtype)) {
        char what[48] = "have dtype float32 or float64";
        if (expected->dtype != MLP_ANY_DTYPE) {
            PyOS_snprintf(what, sizeof what, "have dtype %s", dtype_names[expected->dtype]);
        }
        return reject(PyExc_TypeError, name, what, PyObject_GetAttrString(obj, "dtype"));
    }
    return view_array((PyArrayObject *)obj, name, expected, array);
}

PyObject *
mlp_new_array(int dtype, int ndim, ptrdiff_t rows, ptrdiff_t cols)
{
    npy_intp shape[2] = {ndim == 1 ? cols : rows, cols};
    return PyArray_SimpleNew(ndim, shape, typenums[dtype]);
}

/* Whether two elements of an array may share memory. Exact for what slicing and
 * transposing make; other overlapping-looking strides count as overlapping. */
static bool
overlaps_itself(PyArrayObject *array)
{
    const npy_intp *shape = PyArray_DIMS(array), *strides = PyArray_STRIDES(array);
    npy_intp used = PyArray_ITEMSIZE(array); /* bytes an element and its inner neighbours span */
    bool seen[2] = {false, false};
    for (int round = 0; round < PyArray_NDIM(array); round++) {
        int least = -1;
        for (int d = 0; d < PyArray_NDIM(array); d++) {
            if (!seen[d] && (least < 0 || Py_ABS(strides[d]) < Py_ABS(strides[least]))) {
                least = d;
            }
        }
        seen[least] = true;
        if (shape[least] == 0) {
            return false;
        }
        if (shape[least] > 1) {
            if (Py_ABS(strides[least]) < used) {
                return true;
            }
            used += (shape[least] - 1) * Py_ABS(strides[least]);
        }
    }
    return false;
}

static void
find_bounds(PyArrayObject *array, uintptr_t *low, uintptr_t *high)
{
    *low = *high = (uintptr_t)PyArray_DATA(array);
    if (PyArray_SIZE(array) == 0) {
        return;
    }
    for (int d = 0; d < PyArray_NDIM(array); d++) {
        npy_intp reach = (PyArray_DIM(array, d) - 1) * PyArray_STRIDE(array, d);
        *(reach < 0 ? low : high) += (uintptr_t)reach;
    }
    *high += (uintptr_t)PyArray_ITEMSIZE(array);
}

/* 1 if two arrays share memory, 0 if not, -1 with an exception set. Interleaved
 * arrays are left to NumPy; what it finds too hard counts as sharing. */
static int
share_memory(PyArrayObject *a, PyArrayObject *b)
{
    uintptr_t a_low, a_high, b_low, b_high;
    find_bounds(a, &a_low, &a_high);
    find_bounds(b, &b_low, &b_high);
    if (a_high <= b_low || b_high <= a_low || a_low == a_high || b_low == b_high) {
        return 0;
    }
    PyObject *numpy = PyImport_ImportModule("numpy");
    if (numpy == NULL) {
        return -1;
    }
    PyObject *answer = PyObject_CallMethod(numpy, "shares_memory", "OOi", (PyObject *)a,
                                           (PyObject *)b, (int)OVERLAP_WORK);
    Py_DECREF(numpy);
    if (answer == NULL) {
        if (PyErr_ExceptionMatches(PyExc_RuntimeError)) { /* numpy.exceptions.TooHardError */
            PyErr_Clear();
            return 1;
        }
        return -1;
    }
    int shared = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return shared;
}

int
mlp_check_outputs(const mlp_array *outputs, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        if (overlaps_itself((PyArrayObject *)outputs[i].array)) {
            char name[NAME_BYTES];
            write_name(outputs[i].name, outputs[i].index, name);
            PyErr_Format(PyExc_ValueError, "%s must not overlap itself", name);
            return -1;
        }
        if (mlp_check_disjoint(outputs + i, 1, outputs, i) < 0) {
            return -1;
        }
    }
    return 0;
}

int
mlp_check_disjoint(const mlp_array *outputs, Py_ssize_t n_outputs, const mlp_array *others,
                   Py_ssize_t n_others)
{
    for (Py_ssize_t i = 0; i < n_outputs; i++) {
        for (Py_ssize_t j = 0; j < n_others; j++) {
            int shared =
                share_memory((PyArrayObject *)outputs[i].array, (PyArrayObject *)others[j].array);
            if (shared != 0) {
                char name[NAME_BYTES], other[NAME_BYTES];
                write_name(outputs[i].name, outputs[i].index, name);
                write_name(others[j].name, others[j].index, other);
                if (shared > 0) {
                    PyErr_Format(PyExc_ValueError, "%s must not overlap %s", name, other);
                }
                return -1;
            }
        }
    }
    return 0;
}

void
mlp_close_list(mlp_array_list *list)
{
    Py_XDECREF(list->tuple);
    PyMem_Free(list->arrays);
    PyMem_Free(list->views);
    *list = (mlp_array_list){0};
}

int
mlp_open_list(PyObject *obj, const char *name, Py_ssize_t n, mlp_array_list *list)
{
    *list = (mlp_array_list){0};
    if (!PyList_Check(obj) && !PyTuple_Check(obj)) {
        PyErr_Format(PyExc_TypeError, "%s must be a list of arrays, got %s", name,
                     Py_TYPE(obj)->tp_name);
        return -1;
    }
    list->tuple = PySequence_Tuple(obj);
    if (list->tuple == NULL) {
        return -1;
    }
    list->n = PyTuple_GET_SIZE(list->tuple);
    if (n != MLP_ANY_SIZE && list->n != n) {
        PyErr_Format(PyExc_ValueError, "%s must hold %zd arrays, got %zd", name, n, list->n);
        return -1;
    }
    list->arrays = PyMem_New(mlp_array, list->n + 1);
    list->views = PyMem_New(mlp_matrix, list->n + 1);
    if (list->arrays == NULL || list->views == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

int
mlp_view_element(mlp_array_list *list, Py_ssize_t i, mlp_expected expected)
{
    expected.index = i;
    if (mlp_view_array(PyTuple_GET_ITEM(list->tuple, i), &expected, &list->arrays[i]) < 0) {
        return -1;
    }
    list->views[i] = list->arrays[i].view;
    return 0;
}

PyObject *
mlp_open_like(PyObject *obj, const char *name, const mlp_array_list *like, ptrdiff_t rows, int ndim,
              int dtype, mlp_access access, mlp_array_list *list)
{
    PyObject *arrays = obj == Py_None ? PyList_New(like->n) : Py_NewRef(obj);
    for (Py_ssize_t i = 0; arrays != NULL && obj == Py_None && i < like->n; i++) {
        const mlp_matrix *shape = &like->views[i];
        PyObject *array = mlp_new_array(dtype, ndim == MLP_LIKE ? like->arrays[i].ndim : ndim,
                                        rows == MLP_LIKE ? shape->rows : rows, shape->cols);
        if (array == NULL) {
            Py_CLEAR(arrays);
        }
        else {
            PyList_SET_ITEM(arrays, i, array);
        }
    }
    if (arrays == NULL || mlp_open_list(arrays, name, like->n, list) < 0) {
        goto fail;
    }
    for (Py_ssize_t i = 0; i < list->n; i++) {
        const mlp_matrix *shape = &like->views[i];
        mlp_expected expected = {.name = name,
                                 .ndim = ndim == MLP_LIKE ? like->arrays[i].ndim : ndim,
                                 .rows = rows == MLP_LIKE ? shape->rows : rows,
                                 .cols = shape->cols,
                                 .dtype = dtype,
                                 .access = access};
        if (mlp_view_element(list, i, expected) < 0) {
            goto fail;
        }
    }
    return arrays;
fail:
    Py_XDECREF(arrays);
    return NULL;
}

/* A private int64 copy of an integer vector; -1 sizes are free. NULL with an
 * exception set. */
static PyArrayObject *
copy_integers(PyObject *obj, const char *name, ptrdiff_t n)
{
    if (require_array(obj, name) < 0) {
        return NULL;
    }
    if (!PyArray_ISINTEGER((PyArrayObject *)obj)) {
        reject(PyExc_TypeError, name, "hold integers", PyObject_GetAttrString(obj, "dtype"));
        return NULL;
    }
    if (PyArray_NDIM((PyArrayObject *)obj) != 1
        || (n != MLP_ANY_SIZE && PyArray_DIM((PyArrayObject *)obj, 0) != n)) {
        char size[24], what[48];
        write_size(n, size, sizeof size);
        PyOS_snprintf(what, sizeof what, "have shape (%s,)", size);
        reject(PyExc_ValueError, name, what, PyObject_GetAttrString(obj, "shape"));
        return NULL;
    }
    /* uint64 values from 2^63 on become negative, and are refused as such. */
    return (PyArrayObject *)PyArray_FROMANY(obj, NPY_INT64, 1, 1,
                                            NPY_ARRAY_CARRAY | NPY_ARRAY_ENSURECOPY
                                                | NPY_ARRAY_ENSUREARRAY | NPY_ARRAY_FORCECAST);
}

static int
check_range(const int64_t *values, ptrdiff_t n, const char *name, ptrdiff_t limit)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        if (values[i] < 0 || values[i] >= limit) {
            PyErr_Format(PyExc_ValueError,
                         "%s must hold integers in [0, %zd), got %lld at index %zd", name,
                         (Py_ssize_t)limit, (long long)values[i], (Py_ssize_t)i);
            return -1;
        }
    }
    return 0;
}

int32_t *
mlp_copy_labels(PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t k)
{
    PyArrayObject *copy = copy_integers(obj, name, n);
    if (copy == NULL) {
        return NULL;
    }
    const int64_t *values = PyArray_DATA(copy);
    int32_t *labels = NULL;
    if (check_range(values, n, name, k < INT32_MAX ? k : INT32_MAX) == 0) {
        labels = PyMem_New(int32_t, n > 0 ? n : 1);
        if (labels == NULL) {
            PyErr_NoMemory();
        }
        for (ptrdiff_t i = 0; labels != NULL && i < n; i++) {
            labels[i] = (int32_t)values[i];
        }
    }
    Py_DECREF(copy);
    return labels;
}

PyObject *
mlp_copy_order(PyObject *obj, const char *name, ptrdiff_t n_rows, const int64_t **order,
               ptrdiff_t *n)
{
    PyArrayObject *copy = copy_integers(obj, name, MLP_ANY_SIZE);
    if (copy == NULL) {
        return NULL;
    }
    *order = PyArray_DATA(copy);
    *n = PyArray_DIM(copy, 0);
    if (check_range(*order, *n, name, n_rows) < 0) {
        Py_CLEAR(copy);
    }
    return (PyObject *)copy;
}

int
mlp_is_label_array(PyObject *obj)
{
    return PyArray_Check(obj) && PyArray_NDIM((PyArrayObject *)obj) == 1;
}

int
mlp_view_targets(PyObject *obj, const mlp_expected *expected, mlp_targets *targets,
                 mlp_array *array)
{
    *targets = (mlp_targets){.labels = NULL};
    if (PyArray_Check(obj) && PyArray_TYPE((PyArrayObject *)obj) == NPY_BOOL) {
        targets->is_bool = true;
        if (view_array((PyArrayObject *)obj, expected->name, expected, array) < 0) {
            return -1;
        }
    }
    else if (mlp_view_array(obj, expected, array) < 0) {
        return -1;
    }
    targets->matrix = array->view;
    return 0;
}

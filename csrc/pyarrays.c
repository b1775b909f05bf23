#include "pyarrays.h"

#include "pyoverlap.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

enum { NAME_BYTES = 64, TEXT_BYTES = 96, OVERLAP_WORK = 100000 };

/* What an array must be. */
typedef struct {
    const char *name;
    Py_ssize_t index;     /* of an element, as in weights[1]; else MLP_ANY */
    int ndim;             /* 1, 2 or MLP_ANY of these */
    ptrdiff_t rows, cols; /* or MLP_ANY; a vector is one row */
    mlp_access access;
} expectation;

struct mlp_array {
    PyArrayObject *array; /* kept by the call */
    expectation expected;
};

static const int typenums[MLP_N_DTYPES] = {NPY_FLOAT32, NPY_FLOAT64};
static const char *const dtype_names[MLP_N_DTYPES] = {"float32", "float64"};

int
mlp_import_numpy(void)
{
    return PyArray_ImportNumPyAPI();
}

/* ---- messages ---- */

/* Sets `type` with "<name> must <what>, got <came>" and fails the call. Takes over
 * came, which may be NULL with an exception set. */
static void
reject(mlp_call *call, PyObject *type, const expectation *expected, const char *what,
       PyObject *came)
{
    call->failed = true;
    if (came == NULL) {
        return;
    }
    if (expected->index == MLP_ANY) {
        PyErr_Format(type, "%s must %s, got %S", expected->name, what, came);
    }
    else {
        PyErr_Format(type, "%s[%zd] must %s, got %S", expected->name, expected->index, what, came);
    }
    Py_DECREF(came);
}

static void
reject_text(mlp_call *call, PyObject *type, const expectation *expected, const char *what,
            const char *came)
{
    reject(call, type, expected, what, PyUnicode_FromString(came));
}

static void
reject_attribute(mlp_call *call, PyObject *type, const expectation *expected, const char *what,
                 PyArrayObject *array, const char *attribute)
{
    reject(call, type, expected, what, PyObject_GetAttrString((PyObject *)array, attribute));
}

static void
write_size(ptrdiff_t size, char buffer[24])
{
    if (size == MLP_ANY) {
        strcpy(buffer, "any");
    }
    else {
        PyOS_snprintf(buffer, 24, "%zd", (Py_ssize_t)size);
    }
}

static void
reject_shape(mlp_call *call, const expectation *expected, PyArrayObject *array)
{
    char rows[24], cols[24], what[TEXT_BYTES];
    write_size(expected->rows, rows);
    write_size(expected->cols, cols);
    if (expected->ndim == 1) {
        PyOS_snprintf(what, sizeof what, "have shape (%s,)", cols);
    }
    else {
        PyOS_snprintf(what, sizeof what, "have shape (%s, %s)", rows, cols);
    }
    reject_attribute(call, PyExc_ValueError, expected, what, array, "shape");
}

/* ---- one array ---- */

static PyArrayObject *
require_array(mlp_call *call, PyObject *obj, const expectation *expected)
{
    if (PyArray_Check(obj)) {
        return (PyArrayObject *)obj;
    }
    reject_text(call, PyExc_TypeError, expected, "be a NumPy array", Py_TYPE(obj)->tp_name);
    return NULL;
}

/* Which kernel dtype an array has, or MLP_ANY. */
static int
find_dtype(PyArrayObject *array)
{
    for (int dtype = 0; dtype < MLP_N_DTYPES; dtype++) {
        if (PyArray_TYPE(array) == typenums[dtype] && PyArray_ISNOTSWAPPED(array)) {
            return dtype;
        }
    }
    return MLP_ANY;
}

static bool
check_dtype(mlp_call *call, PyArrayObject *array, const expectation *expected)
{
    int dtype = find_dtype(array);
    if (dtype != MLP_ANY && (call->dtype == MLP_ANY || call->dtype == dtype)) {
        call->dtype = dtype;
        return true;
    }
    char what[TEXT_BYTES] = "have dtype float32 or float64";
    if (call->dtype != MLP_ANY) {
        PyOS_snprintf(what, sizeof what, "have dtype %s", dtype_names[call->dtype]);
    }
    reject_attribute(call, PyExc_TypeError, expected, what, array, "dtype");
    return false;
}

/* The view of an array whose dtype is settled; everything else is checked here. */
static mlp_matrix
view_array(mlp_call *call, PyArrayObject *array, const expectation *expected)
{
    int ndim = PyArray_NDIM(array);
    if (ndim < 1 || ndim > 2 || (expected->ndim != MLP_ANY && ndim != expected->ndim)) {
        const char *what = expected->ndim == 1   ? "have 1 dimension"
                           : expected->ndim == 2 ? "have 2 dimensions"
                                                 : "have 1 or 2 dimensions";
        reject(call, PyExc_ValueError, expected, what, PyLong_FromLong(ndim));
        return (mlp_matrix){0};
    }
    const npy_intp *shape = PyArray_DIMS(array), *strides = PyArray_STRIDES(array);
    ptrdiff_t item = PyArray_ITEMSIZE(array);
    mlp_matrix view = {
        .data = PyArray_DATA(array),
        .rows = ndim == 2 ? shape[0] : 1,
        .cols = shape[ndim - 1],
        /* The stride of a dimension of one element is arbitrary. */
        .row_stride = ndim == 2 && shape[0] > 1 ? strides[0] : 0,
        .col_stride = shape[ndim - 1] > 1 ? strides[ndim - 1] : 0,
    };
    if ((expected->rows != MLP_ANY && view.rows != expected->rows)
        || (expected->cols != MLP_ANY && view.cols != expected->cols)) {
        reject_shape(call, expected, array);
    }
    else if (!PyArray_ISALIGNED(array) || view.row_stride % item != 0
             || view.col_stride % item != 0) {
        reject_text(call, PyExc_ValueError, expected, "be aligned to its dtype",
                    "a misaligned array");
    }
    else if (expected->access == MLP_WRITE && !PyArray_ISWRITEABLE(array)) {
        reject_text(call, PyExc_ValueError, expected, "be writeable", "a read-only array");
    }
    view.row_stride /= item;
    view.col_stride /= item;
    return view;
}

/* Keeps an object until the call ends. */
static bool
keep(mlp_call *call, PyObject *obj)
{
    if (obj == NULL || PyList_Append(call->kept, obj) < 0) {
        call->failed = true;
    }
    return !call->failed;
}

static void
add_array(mlp_call *call, PyArrayObject *array, const expectation *expected)
{
    if (call->n_arrays == call->capacity) {
        Py_ssize_t capacity = 2 * call->capacity + 16;
        mlp_array *arrays = PyMem_Resize(call->arrays, mlp_array, capacity);
        if (arrays == NULL) {
            PyErr_NoMemory();
            call->failed = true;
            return;
        }
        call->arrays = arrays;
        call->capacity = capacity;
    }
    if (keep(call, (PyObject *)array)) {
        call->arrays[call->n_arrays++] = (mlp_array){array, *expected};
    }
}

static mlp_matrix
take_array(mlp_call *call, PyObject *obj, const expectation *expected)
{
    mlp_matrix view = {0};
    PyArrayObject *array = call->failed ? NULL : require_array(call, obj, expected);
    if (array != NULL && check_dtype(call, array, expected)) {
        view = view_array(call, array, expected);
        if (!call->failed) {
            add_array(call, array, expected);
        }
    }
    return view;
}

mlp_matrix
mlp_take_matrix(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t rows, ptrdiff_t cols,
                mlp_access access)
{
    return take_array(call, obj, &(expectation){name, MLP_ANY, 2, rows, cols, access});
}

/* ---- lists ---- */

/* Opens a list of n arrays (or MLP_ANY) as a tuple that the call keeps, whatever
 * becomes of the caller's list. */
static PyObject *
open_list(mlp_call *call, PyObject *obj, const char *name, Py_ssize_t n, mlp_list *list)
{
    *list = (mlp_list){0};
    if (call->failed) {
        return NULL;
    }
    expectation expected = {.name = name, .index = MLP_ANY};
    if (!PyList_Check(obj) && !PyTuple_Check(obj)) {
        reject_text(call, PyExc_TypeError, &expected, "be a list of arrays", Py_TYPE(obj)->tp_name);
        return NULL;
    }
    PyObject *tuple = PySequence_Tuple(obj);
    keep(call, tuple);
    Py_XDECREF(tuple);
    if (call->failed) {
        return NULL;
    }
    list->n = PyTuple_GET_SIZE(tuple);
    list->first = call->n_arrays;
    if (n != MLP_ANY && list->n != n) {
        char what[TEXT_BYTES];
        PyOS_snprintf(what, sizeof what, "hold %zd arrays", n);
        reject(call, PyExc_ValueError, &expected, what, PyLong_FromSsize_t(list->n));
        return NULL;
    }
    list->views = mlp_take_memory(call, list->n, sizeof(mlp_matrix));
    return list->views == NULL ? NULL : tuple;
}

mlp_list
mlp_take_list(mlp_call *call, PyObject *obj, const char *name, int ndim, mlp_access access)
{
    mlp_list list;
    PyObject *tuple = open_list(call, obj, name, MLP_ANY, &list);
    for (Py_ssize_t i = 0; tuple != NULL && i < list.n && !call->failed; i++) {
        expectation expected = {name, i, ndim, MLP_ANY, MLP_ANY, access};
        list.views[i] = take_array(call, PyTuple_GET_ITEM(tuple, i), &expected);
    }
    return list;
}

/* What element i of a list must be to be like another's. */
static expectation
expect_like(mlp_call *call, const char *name, mlp_list like, Py_ssize_t i, ptrdiff_t rows, int ndim,
            mlp_access access)
{
    return (expectation){
        .name = name,
        .index = i,
        .ndim = ndim == MLP_LIKE ? PyArray_NDIM(call->arrays[like.first + i].array) : ndim,
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
    for (Py_ssize_t i = 0; tuple != NULL && i < list.n && !call->failed; i++) {
        expectation expected = expect_like(call, name, like, i, rows, ndim, access);
        list.views[i] = take_array(call, PyTuple_GET_ITEM(tuple, i), &expected);
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

static PyObject *
new_array(mlp_call *call, int ndim, ptrdiff_t rows, ptrdiff_t cols)
{
    npy_intp shape[2] = {ndim == 1 ? cols : rows, cols};
    PyObject *array = PyArray_SimpleNew(ndim, shape, typenums[call->dtype]);
    if (array == NULL) {
        call->failed = true;
    }
    return array;
}

PyObject *
mlp_new_matrix(mlp_call *call, ptrdiff_t rows, ptrdiff_t cols)
{
    PyObject *array = call->failed ? NULL : new_array(call, 2, rows, cols);
    bool kept = array != NULL && keep(call, array);
    Py_XDECREF(array);
    return kept ? array : NULL;
}

PyObject *
mlp_new_list_like(mlp_call *call, mlp_list like, ptrdiff_t rows, int ndim)
{
    PyObject *list = call->failed ? NULL : PyList_New(0);
    for (Py_ssize_t i = 0; list != NULL && i < like.n && !call->failed; i++) {
        expectation expected = expect_like(call, "", like, i, rows, ndim, MLP_WRITE);
        PyObject *array = new_array(call, expected.ndim, expected.rows, expected.cols);
        if (array == NULL || PyList_Append(list, array) < 0) {
            call->failed = true;
        }
        Py_XDECREF(array);
    }
    bool kept = keep(call, list);
    Py_XDECREF(list);
    return kept ? list : NULL;
}

/* ---- integers and targets ---- */

/* A private int64 copy of n integers (or MLP_ANY) in [0, limit), kept by the call. */
static PyArrayObject *
take_integers(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t limit)
{
    expectation expected = {name, MLP_ANY, 1, 1, n, MLP_READ};
    PyArrayObject *array = call->failed ? NULL : require_array(call, obj, &expected);
    if (array == NULL) {
        return NULL;
    }
    if (!PyArray_ISINTEGER(array)) {
        reject_attribute(call, PyExc_TypeError, &expected, "hold integers", array, "dtype");
        return NULL;
    }
    if (PyArray_NDIM(array) != 1 || (n != MLP_ANY && PyArray_DIM(array, 0) != n)) {
        reject_shape(call, &expected, array);
        return NULL;
    }
    /* uint64 values from 2^63 on become negative, and are refused as such. */
    PyArrayObject *copy = (PyArrayObject *)PyArray_FROMANY(
        obj, NPY_INT64, 1, 1,
        NPY_ARRAY_CARRAY | NPY_ARRAY_ENSURECOPY | NPY_ARRAY_ENSUREARRAY | NPY_ARRAY_FORCECAST);
    keep(call, (PyObject *)copy);
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
            reject(call, PyExc_ValueError, &expected, what, came);
        }
    }
    if (!call->failed) {
        add_array(call, array, &expected); /* no output may write over it all the same */
    }
    return call->failed ? NULL : copy;
}

/* The data of a contiguous vector of one of two types; NULL if the call failed. */
static const void *
take_contiguous(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, bool *wide)
{
    expectation expected = {name, MLP_ANY, 1, 1, n, MLP_READ};
    PyArrayObject *array = call->failed ? NULL : require_array(call, obj, &expected);
    if (array == NULL) {
        return NULL;
    }
    if (wide == NULL) {
        if (!check_dtype(call, array, &expected)) {
            return NULL;
        }
    }
    else {
        *wide = PyArray_ITEMSIZE(array) == 8;
        if (!PyArray_ISSIGNED(array) || !PyArray_ISINTEGER(array) || !PyArray_ISNOTSWAPPED(array)
            || (PyArray_ITEMSIZE(array) != 4 && !*wide)) {
            reject_attribute(call, PyExc_TypeError, &expected, "have dtype int32 or int64", array,
                             "dtype");
            return NULL;
        }
    }
    mlp_matrix view = view_array(call, array, &expected);
    if (!call->failed && view.cols > 1 && view.col_stride != 1) {
        reject_text(call, PyExc_ValueError, &expected, "be contiguous", "a strided array");
    }
    if (!call->failed) {
        add_array(call, array, &expected);
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
    expectation expected = {name, MLP_ANY, 2, n, k, MLP_READ};
    PyArrayObject *array = call->failed ? NULL : require_array(call, obj, &expected);
    if (array == NULL) {
        return (mlp_targets){0};
    }
    if (PyArray_NDIM(array) == 1) {
        return take_labels(call, obj, name, n, k);
    }
    if (PyArray_TYPE(array) != NPY_BOOL) {
        return (mlp_targets){.matrix = take_array(call, obj, &expected)};
    }
    mlp_targets targets = {.matrix = view_array(call, array, &expected), .is_bool = true};
    if (!call->failed) {
        add_array(call, array, &expected);
    }
    return targets;
}

/* ---- the call ---- */

/* Fails the call where array i, which is written, shares memory with array j. */
static void
check_disjoint(mlp_call *call, Py_ssize_t i, Py_ssize_t j)
{
    const mlp_array *written = &call->arrays[i], *other = &call->arrays[j];
    int shared = i == j ? mlp_overlaps_itself((PyObject *)written->array)
                        : mlp_share_memory((PyObject *)written->array, (PyObject *)other->array);
    if (shared < 0) {
        call->failed = true;
    }
    else if (shared > 0) {
        const expectation *with = &other->expected;
        PyObject *name =
            i == j ? PyUnicode_FromString("one that overlaps itself")
            : with->index == MLP_ANY
                ? PyUnicode_FromFormat("one that overlaps %s", with->name)
                : PyUnicode_FromFormat("one that overlaps %s[%zd]", with->name, with->index);
        reject(call, PyExc_ValueError, &written->expected, "be an array of its own", name);
    }
}

void
mlp_begin(mlp_call *call)
{
    *call = (mlp_call){.dtype = MLP_ANY, .kept = PyList_New(0)};
    call->failed = call->kept == NULL;
}

bool
mlp_ready(mlp_call *call)
{
    for (Py_ssize_t i = 0; i < call->n_arrays && !call->failed; i++) {
        for (Py_ssize_t j = 0; j < call->n_arrays && !call->failed; j++) {
            /* Each pair once: two written ones from the later. */
            bool both = call->arrays[j].expected.access == MLP_WRITE;
            if (call->arrays[i].expected.access == MLP_WRITE && (!both || j <= i)) {
                check_disjoint(call, i, j);
            }
        }
    }
    return !call->failed;
}

void *
mlp_take_memory(mlp_call *call, Py_ssize_t n, size_t item)
{
    size_t bytes;
    void **block = NULL;
    if (call->failed) {
        return NULL;
    }
    if (!__builtin_mul_overflow((size_t)n, item, &bytes) && bytes < PY_SSIZE_T_MAX - 64) {
        block = PyMem_Malloc(bytes + 2 * sizeof(void *));
    }
    if (block == NULL) {
        PyErr_NoMemory();
        call->failed = true;
        return NULL;
    }
    *block = call->blocks;
    call->blocks = block;
    return block + 2; /* keeps the alignment of malloc */
}

void
mlp_end(mlp_call *call)
{
    while (call->blocks != NULL) {
        void **block = call->blocks;
        call->blocks = *block;
        PyMem_Free(block);
    }
    PyMem_Free(call->arrays);
    Py_XDECREF(call->kept);
}

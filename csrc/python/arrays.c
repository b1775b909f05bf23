#include "python/arrays.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#include <numpy/arrayobject.h>

struct mlp_array {
    mlp_memory memory;
    mlp_expectation expected;
    mlp_purpose purpose;
};

/* Where an array of a call lies, by its number. */
typedef struct {
    mlp_extent extent;
    Py_ssize_t i;
} located;

static const int typenums[MLP_N_DTYPES] = {NPY_FLOAT32, NPY_FLOAT64};
static const char *const dtype_names[MLP_N_DTYPES] = {"float32", "float64"};

int
mlp_import_numpy(void)
{
    return PyArray_ImportNumPyAPI();
}

/* ---- messages ---- */

void
mlp_reject(mlp_call *call, PyObject *type, const mlp_expectation *expected, const char *what,
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

void
mlp_reject_text(mlp_call *call, PyObject *type, const mlp_expectation *expected, const char *what,
                const char *came)
{
    mlp_reject(call, type, expected, what, PyUnicode_FromString(came));
}

void
mlp_reject_dtype(mlp_call *call, const mlp_expectation *expected, const char *what, PyObject *array)
{
    mlp_reject(call, PyExc_TypeError, expected, what, PyObject_GetAttrString(array, "dtype"));
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

void
mlp_reject_shape(mlp_call *call, const mlp_expectation *expected, PyObject *array)
{
    char rows[24], cols[24], what[MLP_TEXT_BYTES];
    write_size(expected->rows, rows);
    write_size(expected->cols, cols);
    if (expected->ndim == 1) {
        PyOS_snprintf(what, sizeof what, "have shape (%s,)", cols);
    }
    else {
        PyOS_snprintf(what, sizeof what, "have shape (%s, %s)", rows, cols);
    }
    mlp_reject(call, PyExc_ValueError, expected, what, PyObject_GetAttrString(array, "shape"));
}

/* ---- one array ---- */

PyObject *
mlp_require_array(mlp_call *call, PyObject *obj, const mlp_expectation *expected)
{
    if (call->failed || PyArray_Check(obj)) {
        return call->failed ? NULL : obj;
    }
    mlp_reject_text(call, PyExc_TypeError, expected, "be a NumPy array", Py_TYPE(obj)->tp_name);
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

void
mlp_set_dtype(mlp_call *call, PyObject *name)
{
    for (int dtype = 0; dtype < MLP_N_DTYPES; dtype++) {
        if (PyUnicode_CompareWithASCIIString(name, dtype_names[dtype]) == 0) {
            call->dtype = dtype;
            return;
        }
    }
    PyErr_Format(PyExc_ValueError, "dtype must be 'float32' or 'float64', got %R", name);
    call->failed = true;
}

bool
mlp_check_dtype(mlp_call *call, PyObject *array, const mlp_expectation *expected)
{
    int dtype = find_dtype((PyArrayObject *)array);
    if (dtype != MLP_ANY && (call->dtype == MLP_ANY || call->dtype == dtype)) {
        call->dtype = dtype;
        return true;
    }
    char what[MLP_TEXT_BYTES] = "have dtype float32 or float64";
    if (call->dtype != MLP_ANY) {
        PyOS_snprintf(what, sizeof what, "have dtype %s", dtype_names[call->dtype]);
    }
    mlp_reject_dtype(call, expected, what, array);
    return false;
}

bool
mlp_keep(mlp_call *call, PyObject *obj)
{
    if (obj == NULL || PyList_Append(call->kept, obj) < 0) {
        call->failed = true;
    }
    return !call->failed;
}

/* Room for another array; false, with the call failed, if there is no memory. */
static bool
make_room(mlp_call *call)
{
    if (call->n_arrays < call->capacity) {
        return true;
    }
    Py_ssize_t capacity = 2 * call->capacity + 16;
    mlp_array *arrays = PyMem_Realloc(call->arrays, (size_t)capacity * sizeof(mlp_array));
    if (arrays == NULL) {
        PyErr_NoMemory();
        call->failed = true;
        return false;
    }
    call->arrays = arrays;
    call->capacity = capacity;
    return true;
}

const mlp_memory *
mlp_add_array(mlp_call *call, PyObject *obj, const mlp_expectation *expected)
{
    PyArrayObject *array = (PyArrayObject *)obj;
    int ndim = PyArray_NDIM(array);
    if (ndim < 1 || ndim > 2 || (expected->ndim != MLP_ANY && ndim != expected->ndim)) {
        const char *what = expected->ndim == 1   ? "have 1 dimension"
                           : expected->ndim == 2 ? "have 2 dimensions"
                                                 : "have 1 or 2 dimensions";
        mlp_reject(call, PyExc_ValueError, expected, what, PyLong_FromLong(ndim));
        return NULL;
    }
    if (!make_room(call) || !mlp_keep(call, obj)) {
        return NULL;
    }
    mlp_array *added = &call->arrays[call->n_arrays++];
    added->expected = *expected;
    added->purpose = call->purpose;
    added->memory = (mlp_memory){.data = PyArray_DATA(array), .item = PyArray_ITEMSIZE(array)};
    added->memory.ndim = ndim;
    for (int d = 0; d < ndim; d++) {
        added->memory.shape[d] = PyArray_DIM(array, d);
        added->memory.strides[d] = PyArray_STRIDE(array, d);
    }
    return &added->memory;
}

mlp_matrix
mlp_view_array(mlp_call *call, PyObject *obj, const mlp_expectation *expected)
{
    PyArrayObject *array = (PyArrayObject *)obj;
    const mlp_memory *memory = mlp_add_array(call, obj, expected);
    if (memory == NULL) {
        return (mlp_matrix){0};
    }
    int last = memory->ndim - 1;
    ptrdiff_t item = memory->item;
    mlp_matrix view = {
        .data = memory->data,
        .rows = last == 1 ? memory->shape[0] : 1,
        .cols = memory->shape[last],
        /* The stride of a dimension of one element is arbitrary. */
        .row_stride = last == 1 && memory->shape[0] > 1 ? memory->strides[0] : 0,
        .col_stride = memory->shape[last] > 1 ? memory->strides[last] : 0,
        .item = (int)item,
    };
    if ((expected->rows != MLP_ANY && view.rows != expected->rows)
        || (expected->cols != MLP_ANY && view.cols != expected->cols)) {
        mlp_reject_shape(call, expected, obj);
    }
    else if (!PyArray_ISALIGNED(array) || view.row_stride % item != 0
             || view.col_stride % item != 0) {
        mlp_reject_text(call, PyExc_ValueError, expected, "be aligned to its dtype",
                        "a misaligned array");
    }
    else if (expected->access == MLP_WRITE && !PyArray_ISWRITEABLE(array)) {
        mlp_reject_text(call, PyExc_ValueError, expected, "be writeable", "a read-only array");
    }
    view.row_stride /= item;
    view.col_stride /= item;
    return view;
}

int
mlp_ndim(const mlp_call *call, Py_ssize_t i)
{
    return call->arrays[i].memory.ndim;
}

mlp_matrix
mlp_arg_array(mlp_call *call, PyObject *obj, const mlp_expectation *expected)
{
    PyObject *array = mlp_require_array(call, obj, expected);
    return array != NULL && mlp_check_dtype(call, array, expected)
               ? mlp_view_array(call, array, expected)
               : (mlp_matrix){0};
}

mlp_matrix
mlp_arg_matrix(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t rows, ptrdiff_t cols,
               mlp_access access)
{
    return mlp_arg_array(call, obj, &(mlp_expectation){name, MLP_ANY, 2, rows, cols, access});
}

/* ---- new arrays ---- */

int
mlp_typenum(const mlp_call *call)
{
    return typenums[call->dtype];
}

PyObject *
mlp_new_array(mlp_call *call, int ndim, ptrdiff_t rows, ptrdiff_t cols, int typenum)
{
    npy_intp shape[2] = {ndim == 1 ? cols : rows, cols};
    PyObject *array = call->failed ? NULL : PyArray_SimpleNew(ndim, shape, typenum);
    bool kept = mlp_keep(call, array);
    Py_XDECREF(array);
    return kept ? array : NULL;
}

PyObject *
mlp_new_matrix(mlp_call *call, ptrdiff_t rows, ptrdiff_t cols)
{
    return call->failed ? NULL : mlp_new_array(call, 2, rows, cols, mlp_typenum(call));
}

/* ---- the call ---- */

static bool
is_written(const mlp_call *call, Py_ssize_t i)
{
    return call->arrays[i].expected.access == MLP_WRITE;
}

/* Whether an array is read when a written one has come to be what it is meant to be. */
static bool
is_read_after(const mlp_array *other, const mlp_array *written)
{
    return other->expected.access == MLP_READ_LATER && !written->purpose.is_held_out
           && other->purpose.member == written->purpose.member;
}

/* The name of an array that a written one overlaps. */
static PyObject *
name_of(const mlp_array *other, const mlp_array *written)
{
    const mlp_expectation *expected = &other->expected;
    char whose[MLP_TEXT_BYTES] = "";
    if (other->purpose.member != written->purpose.member) {
        PyOS_snprintf(whose, sizeof whose, " of members[%zd]", other->purpose.member);
    }
    else if (other->purpose.is_held_out != written->purpose.is_held_out) {
        PyOS_snprintf(whose, sizeof whose, " of its %s",
                      other->purpose.is_held_out ? "held-out rows" : "epoch");
    }
    return expected->index == MLP_ANY
               ? PyUnicode_FromFormat("one that overlaps %s%s", expected->name, whose)
               : PyUnicode_FromFormat("one that overlaps %s[%zd]%s", expected->name,
                                      expected->index, whose);
}

/* Fails the call where one of arrays i and j, which may overlap, is written, of two the later, and
 * they share memory. */
static void
check_disjoint(mlp_call *call, Py_ssize_t i, Py_ssize_t j)
{
    bool is_later = is_written(call, i) && (!is_written(call, j) || j <= i);
    const mlp_array *written = &call->arrays[is_later ? i : j];
    const mlp_array *other = &call->arrays[is_later ? j : i];
    if (written->expected.access != MLP_WRITE || is_read_after(other, written)) {
        return;
    }
    int shared = i == j ? mlp_overlaps_itself(&written->memory)
                        : mlp_share_memory(&written->memory, &other->memory);
    if (shared < 0) {
        call->failed = true;
    }
    else if (shared > 0) {
        PyObject *name =
            i == j ? PyUnicode_FromString("one that overlaps itself") : name_of(other, written);
        call->purpose = written->purpose;
        mlp_reject(call, PyExc_ValueError, &written->expected, "be an array of its own", name);
    }
}

static int
compare_lows(const void *a, const void *b)
{
    const located *first = a, *second = b;
    return (first->extent.low > second->extent.low) - (first->extent.low < second->extent.low);
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
    Py_ssize_t n = call->n_arrays;
    located *arrays = mlp_alloc_for(call, n, sizeof *arrays);
    if (arrays == NULL) {
        return false;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        arrays[i] = (located){mlp_extent_of(&call->arrays[i].memory), i};
    }
    qsort(arrays, (size_t)n, sizeof *arrays, compare_lows);
    for (Py_ssize_t p = 0; p < n && !call->failed; p++) {
        uintptr_t high = arrays[p].extent.high;
        for (Py_ssize_t q = p; q < n && !call->failed && arrays[q].extent.low < high; q++) {
            check_disjoint(call, arrays[p].i, arrays[q].i);
        }
        if (!call->failed && PyErr_CheckSignals() < 0) { /* there may be many pairs */
            call->failed = true;
        }
    }
    return !call->failed;
}

void *
mlp_alloc_for(mlp_call *call, Py_ssize_t n, size_t item)
{
    size_t bytes;
    void **block = NULL;
    if (call->failed) {
        return NULL;
    }
    if (!__builtin_mul_overflow((size_t)n, item, &bytes) && bytes < PY_SSIZE_T_MAX - 64) {
        block = PyMem_Calloc(1, bytes + 2 * sizeof(void *));
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

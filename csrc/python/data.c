#include "python/data.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

/* Whether an array is a vector of as many elements as are expected; fails the call if not. */
static bool
check_vector(mlp_call *call, PyArrayObject *array, const mlp_expectation *expected)
{
    if (PyArray_NDIM(array) != 1
        || (expected->cols != MLP_ANY && PyArray_DIM(array, 0) != expected->cols)) {
        mlp_reject_shape(call, expected, (PyObject *)array);
        return false;
    }
    return true;
}

/* A private int64 copy of n integers (or MLP_ANY) in [0, limit), kept by the call. What is
 * checked before is checked again of the copy: another thread may change the array. */
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
    if (!check_vector(call, array, &expected)) {
        return NULL;
    }
    /* uint64 values from 2^63 on become negative, and are refused as such. */
    const char *came = PyArray_ISUNSIGNED(array) ? "%llu at index %zd" : "%lld at index %zd";
    PyArrayObject *copy = (PyArrayObject *)PyArray_FROMANY(
        obj, NPY_INT64, 1, 1,
        NPY_ARRAY_CARRAY | NPY_ARRAY_ENSURECOPY | NPY_ARRAY_ENSUREARRAY | NPY_ARRAY_FORCECAST);
    bool kept = mlp_keep(call, (PyObject *)copy);
    Py_XDECREF(copy);
    if (copy == NULL || !kept || !check_vector(call, copy, &expected)) {
        return NULL;
    }
    for (ptrdiff_t i = 0; i < PyArray_DIM(copy, 0) && mlp_go_on(call, i); i++) {
        int64_t value = ((const int64_t *)PyArray_DATA(copy))[i];
        if (value < 0 || value >= limit) {
            char what[MLP_TEXT_BYTES];
            PyOS_snprintf(what, sizeof what, "hold integers in [0, %zd)", (Py_ssize_t)limit);
            mlp_reject(call, PyExc_ValueError, &expected, what,
                       PyUnicode_FromFormat(came, (long long)value, (Py_ssize_t)i));
        }
    }
    if (!call->failed) {
        mlp_add_array(call, obj, &expected); /* no output may write over it all the same */
    }
    return call->failed ? NULL : copy;
}

/* A contiguous vector of n elements (or MLP_ANY), or of pairs of them if it is a matrix and
 * is_paired is not NULL, which then receives that: of the call's dtype where `integers` is
 * false, else of integers of 2, 4 or 8 bytes, which *bytes receives. */
static const void *
take_contiguous(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t *n, bool integers,
                int *bytes, bool *is_paired)
{
    mlp_expectation expected = {name, MLP_ANY, 1, 1, *n, MLP_READ};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return NULL;
    }
    bool paired = is_paired != NULL && PyArray_NDIM(array) == 2;
    if (paired) {
        *is_paired = true;
        expected = (mlp_expectation){name, MLP_ANY, 2, *n, 2, MLP_READ};
    }
    *bytes = (int)PyArray_ITEMSIZE(array);
    if (integers && (!PyArray_ISINTEGER(array) || !PyArray_ISNOTSWAPPED(array) || *bytes == 1)) {
        mlp_reject_dtype(call, &expected, "hold integers of 2, 4 or 8 bytes", obj);
        return NULL;
    }
    if (!integers && !mlp_check_dtype(call, obj, &expected)) {
        return NULL;
    }
    mlp_matrix view = mlp_view_array(call, obj, &expected);
    bool is_strided =
        (view.cols > 1 && view.col_stride != 1) || (view.rows > 1 && view.row_stride != view.cols);
    if (!call->failed && view.rows > 0 && is_strided) {
        mlp_reject_text(call, PyExc_ValueError, &expected, "be contiguous", "a strided array");
    }
    if (call->failed) {
        return NULL;
    }
    *n = paired ? view.rows : view.cols;
    return view.data;
}

const void *
mlp_take_vector(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n)
{
    int bytes = 0;
    const void *elements =
        obj == Py_None ? NULL : take_contiguous(call, obj, name, &n, false, &bytes, NULL);
    char *copy = elements == NULL ? NULL : mlp_take_memory(call, n, (size_t)bytes);
    for (ptrdiff_t i = 0; copy != NULL && i < n && mlp_go_on(call, i); i += MLP_ITEMS) {
        ptrdiff_t some = Py_MIN(MLP_ITEMS, n - i);
        memcpy(copy + i * bytes, (const char *)elements + i * bytes, (size_t)(some * bytes));
    }
    return copy;
}

/* Columns of so many values, and a private copy of where each row's begin, checked to lie
 * in them. The columns themselves are checked as they are used. */
static void
take_places(mlp_call *call, PyObject *columns, PyObject *row_starts, ptrdiff_t n_values,
            mlp_input *x)
{
    ptrdiff_t n_columns = MLP_ANY;
    x->columns =
        take_contiguous(call, columns, "X.indices", &n_columns, true, &x->column_bytes, NULL);
    if (!call->failed && n_values < n_columns) {
        PyErr_SetString(PyExc_ValueError, "X.data must be as long as X.indices");
        call->failed = true;
    }
    PyArrayObject *starts =
        take_integers(call, row_starts, "X.indptr", MLP_ANY, call->failed ? 0 : n_columns + 1);
    if (starts == NULL) {
        return;
    }
    ptrdiff_t n_starts = PyArray_DIM(starts, 0);
    x->row_starts = PyArray_DATA(starts);
    bool ascend = n_starts > 0 && x->row_starts[0] == 0;
    for (ptrdiff_t row = 0; ascend && row < n_starts - 1 && mlp_go_on(call, row); row++) {
        ptrdiff_t places = x->row_starts[row + 1] - x->row_starts[row];
        ascend = places >= 0;
        x->row_places = Py_MAX(x->row_places, places);
    }
    if (!ascend && !call->failed) {
        PyErr_SetString(PyExc_ValueError, "X.indptr must ascend from 0");
        call->failed = true;
    }
    x->rows = n_starts - 1;
}

/* NumPy's types of the elements that dense rows may have. */
#define E(CODE, type, value) NPY_##CODE,
static const int element_types[] = {MLP_ELEMENTS(E)};
#undef E

mlp_input
mlp_take_dense(mlp_call *call, PyObject *obj)
{
    enum { N_TYPES = sizeof element_types / sizeof element_types[0] };
    mlp_expectation expected = {"X", MLP_ANY, 2, MLP_ANY, MLP_ANY, MLP_READ};
    mlp_input x = {0};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return x;
    }
    int element = 0, type = PyArray_TYPE(array);
    while (element < N_TYPES && !PyArray_EquivTypenums(element_types[element], type)) {
        element++;
    }
    if (element == N_TYPES || !PyArray_ISNOTSWAPPED(array)) {
        mlp_reject_dtype(call, &expected, "hold floats of up to 64 bits, integers or bool", obj);
        return x;
    }
    x.element = (mlp_element)element;
    x.item = PyArray_ITEMSIZE(array);
    x.dense = mlp_view_array(call, obj, &expected);
    x.rows = x.dense.rows;
    x.cols = x.dense.cols;
    x.row_places = x.cols / 2 + x.cols % 2;
    return x;
}

/* A CSR matrix, or its like of pairs, from its parts. */
static mlp_input
take_csr(mlp_call *call, PyObject *values, PyObject *columns, PyObject *row_starts,
         Py_ssize_t n_columns)
{
    mlp_input x = {.is_sparse = true, .cols = n_columns};
    ptrdiff_t n = MLP_ANY;
    int bytes;
    x.values = take_contiguous(call, values, "X.data", &n, false, &bytes, &x.is_paired);
    if (!call->failed && (n_columns < 0 || n_columns > INT32_MAX)) {
        PyErr_Format(PyExc_ValueError, "X must have less than 2**31 columns, got %zd", n_columns);
        call->failed = true;
    }
    take_places(call, columns, row_starts, n, &x);
    return x;
}

void
mlp_skip_zeros(mlp_input *x)
{
    x->is_sparse = x->is_sparse || x->cols <= UINT32_MAX;
}

mlp_input
mlp_take_input(mlp_call *call, PyObject *obj)
{
    if (call->failed || !PyTuple_Check(obj)) {
        return mlp_take_dense(call, obj);
    }
    PyObject *elements, *columns, *row_starts;
    Py_ssize_t n_columns;
    if (PyTuple_GET_SIZE(obj) == 2 && PyTuple_GET_ITEM(obj, 1) == Py_None) {
        mlp_input x = mlp_take_dense(call, PyTuple_GET_ITEM(obj, 0));
        mlp_skip_zeros(&x);
        return x;
    }
    if (!PyArg_ParseTuple(obj, "OOOn;X must be (values, columns, row_starts, n_columns)", &elements,
                          &columns, &row_starts, &n_columns)) {
        call->failed = true;
        return (mlp_input){0};
    }
    return take_csr(call, elements, columns, row_starts, n_columns);
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

int64_t *
mlp_take_count(mlp_call *call, PyObject *obj, const char *name, int64_t *value)
{
    const int64_t limit = (int64_t)1 << 62; /* lest what is added to it overflows */
    mlp_expectation expected = {name, MLP_ANY, 1, 1, 1, MLP_WRITE};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return NULL;
    }
    if (!PyArray_EquivTypenums(PyArray_TYPE(array), NPY_INT64) || !PyArray_ISNOTSWAPPED(array)) {
        mlp_reject_dtype(call, &expected, "have dtype int64", obj);
        return NULL;
    }
    int64_t *count = mlp_view_array(call, obj, &expected).data;
    if (call->failed) {
        return NULL;
    }
    *value = __atomic_load_n(count, __ATOMIC_RELAXED); /* once: another thread may change it */
    if (*value < 0 || *value >= limit) {
        mlp_reject(call, PyExc_ValueError, &expected, "hold an integer in [0, 2**62)",
                   PyLong_FromLongLong(*value));
    }
    return call->failed ? NULL : count;
}

ptrdiff_t
mlp_count_all_places(mlp_call *call, const mlp_data *data)
{
    ptrdiff_t places = 0, n = call->failed || !data->x.is_sparse ? 0 : data->n, some;
    for (ptrdiff_t first = 0; first < n && mlp_go_on(call, first); first += some) {
        /* Of dense rows the count takes no loop. */
        some = data->x.values != NULL && n - first > MLP_ITEMS ? MLP_ITEMS : n - first;
        if (__builtin_add_overflow(places, mlp_count_places(data, first, some), &places)) {
            return PTRDIFF_MAX;
        }
    }
    return places;
}

static mlp_targets
take_labels(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t k)
{
    PyArrayObject *copy = take_integers(call, obj, name, n, Py_MIN(k, INT32_MAX));
    int32_t *labels = copy == NULL ? NULL : mlp_take_memory(call, n, sizeof(int32_t));
    for (ptrdiff_t i = 0; labels != NULL && i < n && mlp_go_on(call, i); i++) {
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
    return (mlp_targets){.matrix = mlp_view_array(call, obj, &expected), .is_bool = true};
}

static PyObject *
new_array(mlp_call *call, int ndim, ptrdiff_t rows, ptrdiff_t cols, int typenum, void **data)
{
    PyObject *array = mlp_new_array(call, ndim, rows, cols, typenum);
    *data = array == NULL ? NULL : PyArray_DATA((PyArrayObject *)array);
    return array;
}

PyObject *
mlp_new_starts(mlp_call *call, ptrdiff_t rows, int64_t **data)
{
    ptrdiff_t n = 0;
    if (!call->failed && __builtin_add_overflow(rows, 1, &n)) {
        PyErr_NoMemory();
        call->failed = true;
    }
    void *memory;
    PyObject *array = new_array(call, 1, 1, n, NPY_INT64, &memory);
    *data = memory;
    return array;
}

PyObject *
mlp_new_columns(mlp_call *call, ptrdiff_t n, int bytes, void **data)
{
    return new_array(call, 1, 1, n, bytes == 2 ? NPY_UINT16 : NPY_UINT32, data);
}

PyObject *
mlp_new_pairs(mlp_call *call, ptrdiff_t n, void **data)
{
    *data = NULL;
    return call->failed ? NULL : new_array(call, 2, n, 2, mlp_typenum(call), data);
}

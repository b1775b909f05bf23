#include "python/data.h"

#include "network/zeros.h"

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

/* A private int64 copy of n integers (or MLP_ANY) in [0, limit), kept by the call; those beyond are
 * an exception of that type. What is checked before is checked again of the copy: another thread
 * may change the array. */
static PyArrayObject *
arg_integers(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t limit,
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
            mlp_reject(call, beyond, &expected, what,
                       PyUnicode_FromFormat(came, (long long)value, (Py_ssize_t)i));
        }
    }
    if (!call->failed) {
        mlp_add_array(call, obj, &expected); /* no output may write over it all the same */
    }
    return call->failed ? NULL : copy;
}

/* What the elements of a contiguous array are to be: of the call's dtype, also in pairs, a matrix
 * of two columns; double; or integers of 2, 4 or 8 bytes. */
typedef enum { REALS, REALS_OR_PAIRS, DOUBLES, INTEGERS } element_type;

/* A contiguous array. */
typedef struct {
    const char *data; /* NULL if the call failed */
    ptrdiff_t n;      /* elements, or pairs */
    int item;         /* bytes of an element */
    bool is_paired;
} vector;

/* Whether an array has elements of this type; fails the call if not. */
static bool
check_elements(mlp_call *call, PyArrayObject *array, element_type type,
               const mlp_expectation *expected)
{
    bool is_native = PyArray_ISNOTSWAPPED(array);
    if (type == DOUBLES && (PyArray_TYPE(array) != NPY_DOUBLE || !is_native)) {
        mlp_reject_dtype(call, expected, "have dtype float64", (PyObject *)array);
    }
    else if (type == INTEGERS
             && (!PyArray_ISINTEGER(array) || !is_native || PyArray_ITEMSIZE(array) == 1)) {
        mlp_reject_dtype(call, expected, "hold integers of 2, 4 or 8 bytes", (PyObject *)array);
    }
    else if (type == REALS || type == REALS_OR_PAIRS) {
        mlp_check_dtype(call, (PyObject *)array, expected);
    }
    return !call->failed;
}

/* A contiguous vector of n elements (or MLP_ANY), or pairs, where it lies. */
static vector
arg_contiguous(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, element_type type)
{
    mlp_expectation expected = {name, MLP_ANY, 1, 1, n, MLP_READ};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return (vector){0};
    }
    bool is_paired = type == REALS_OR_PAIRS && PyArray_NDIM(array) == 2;
    if (is_paired) {
        expected = (mlp_expectation){name, MLP_ANY, 2, n, 2, MLP_READ};
    }
    if (!check_elements(call, array, type, &expected)) {
        return (vector){0};
    }
    mlp_matrix view = mlp_view_array(call, obj, &expected);
    bool is_strided =
        (view.cols > 1 && view.col_stride != 1) || (view.rows > 1 && view.row_stride != view.cols);
    if (!call->failed && view.rows > 0 && is_strided) {
        mlp_reject_text(call, PyExc_ValueError, &expected, "be contiguous", "a strided array");
    }
    if (call->failed) {
        return (vector){0};
    }
    return (vector){view.data, is_paired ? view.rows : view.cols, view.item, is_paired};
}

/* A private copy of the first n elements. */
static const void *
copy_elements(mlp_call *call, vector from, ptrdiff_t n)
{
    ptrdiff_t item = from.item;
    char *copy = call->failed ? NULL : mlp_alloc_for(call, n, (size_t)item);
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
               : copy_elements(call, arg_contiguous(call, obj, name, n, REALS), n);
}

const double *
mlp_arg_rates(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n)
{
    vector rates = arg_contiguous(call, obj, name, MLP_ANY, DOUBLES);
    if (!call->failed && rates.n < n) {
        mlp_expectation expected = {.name = name, .index = MLP_ANY};
        char what[MLP_TEXT_BYTES];
        PyOS_snprintf(what, sizeof what, "hold at least %zd rates, one for each batch",
                      (Py_ssize_t)n);
        mlp_reject(call, PyExc_ValueError, &expected, what, PyLong_FromSsize_t(rates.n));
    }
    return call->failed ? NULL : copy_elements(call, rates, n);
}

/* ---- rows ---- */

/* Where the values of each row begin, a private copy that is checked to lie within so many. */
static void
arg_row_starts(mlp_call *call, PyObject *obj, ptrdiff_t n_values, mlp_input *x)
{
    PyArrayObject *starts = arg_integers(call, obj, "X.indptr", MLP_ANY,
                                         call->failed ? 0 : n_values + 1, PyExc_ValueError);
    if (starts == NULL) {
        return;
    }
    ptrdiff_t n_starts = PyArray_DIM(starts, 0);
    x->row_starts = PyArray_DATA(starts);
    bool ascend = n_starts > 0 && x->row_starts[0] == 0;
    for (ptrdiff_t row = 0; ascend && row < n_starts - 1 && mlp_go_on(call, row); row++) {
        ptrdiff_t slots = x->row_starts[row + 1] - x->row_starts[row];
        ascend = slots >= 0;
        x->row_slots = mlp_max(x->row_slots, slots);
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
mlp_arg_dense(mlp_call *call, PyObject *obj)
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
    x.dense = mlp_view_array(call, obj, &expected);
    x.rows = x.dense.rows;
    x.cols = x.dense.cols;
    x.row_slots = mlp_count_pair_columns(x.cols);
    return x;
}

/* A CSR matrix, or its like of pairs, from a tuple of its parts. The columns are checked as they
 * are used. */
static mlp_input
arg_csr(mlp_call *call, PyObject *parts)
{
    Py_ssize_t n_columns = PyNumber_AsSsize_t(PyTuple_GET_ITEM(parts, 3), NULL);
    if (PyErr_Occurred()) {
        call->failed = true;
    }
    else if (n_columns < 0 || n_columns > INT32_MAX) {
        PyErr_Format(PyExc_ValueError, "X must have less than 2**31 columns, got %zd", n_columns);
        call->failed = true;
    }
    mlp_input x = {.is_sparse = true, .cols = n_columns};
    vector values =
        arg_contiguous(call, PyTuple_GET_ITEM(parts, 0), "X.data", MLP_ANY, REALS_OR_PAIRS);
    vector columns =
        arg_contiguous(call, PyTuple_GET_ITEM(parts, 1), "X.indices", MLP_ANY, INTEGERS);
    if (!call->failed && values.n < columns.n) {
        PyErr_SetString(PyExc_ValueError, "X.data must be as long as X.indices");
        call->failed = true;
    }
    x.values = values.data;
    x.is_paired = values.is_paired;
    x.columns = columns.data;
    x.column_bytes = columns.item;
    arg_row_starts(call, PyTuple_GET_ITEM(parts, 2), columns.n, &x);
    return x;
}

/* Has the zeros of a dense input skipped, if its columns can be numbered. */
static void
skip_zeros(mlp_input *x)
{
    x->is_sparse = x->cols <= UINT32_MAX;
}

mlp_data
mlp_arg_rows(mlp_call *call, PyObject *obj)
{
    mlp_matrix dense = mlp_arg_matrix(call, obj, "X", MLP_ANY, MLP_ANY, MLP_READ);
    mlp_data data = {.x = {.rows = dense.rows, .cols = dense.cols, .dense = dense}};
    if (call->failed) {
        return data;
    }
    data.n = dense.rows;
    data.x.element = (mlp_element)call->dtype;
    data.x.row_slots = mlp_count_pair_columns(dense.cols);
    return data;
}

mlp_input
mlp_arg_input(mlp_call *call, PyObject *obj)
{
    if (call->failed || !PyTuple_Check(obj)) {
        return mlp_arg_dense(call, obj);
    }
    Py_ssize_t n = PyTuple_GET_SIZE(obj);
    if (n == 2 && PyTuple_GET_ITEM(obj, 1) == Py_None) {
        mlp_input x = mlp_arg_dense(call, PyTuple_GET_ITEM(obj, 0));
        skip_zeros(&x);
        return x;
    }
    if (n == 4 && PyIndex_Check(PyTuple_GET_ITEM(obj, 3))) {
        return arg_csr(call, obj);
    }
    mlp_expectation expected = {.name = "X", .index = MLP_ANY};
    mlp_reject_text(call, PyExc_TypeError, &expected, "be (values, columns, row_starts, n_columns)",
                    "a tuple of something else");
    return (mlp_input){0};
}

const int64_t *
mlp_arg_order(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n_rows, ptrdiff_t *n)
{
    if (obj == Py_None) {
        *n = n_rows;
        return NULL;
    }
    PyArrayObject *copy = arg_integers(call, obj, name, MLP_ANY, n_rows, PyExc_ValueError);
    *n = copy == NULL ? 0 : PyArray_DIM(copy, 0);
    return copy == NULL ? NULL : PyArray_DATA(copy);
}

int64_t *
mlp_arg_count(mlp_call *call, PyObject *obj, const char *name, int64_t *value)
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

void
mlp_settle_rows(mlp_call *call, mlp_data *data)
{
    if (!call->failed && !data->x.is_sparse && mlp_are_mostly_zero(data)) {
        skip_zeros(&data->x);
    }
    ptrdiff_t n = call->failed || !data->x.is_sparse ? 0 : data->n, some;
    for (ptrdiff_t first = 0; first < n && mlp_go_on(call, first); first += some) {
        /* Of dense rows the count takes no loop. */
        some = data->x.values != NULL ? mlp_min(MLP_ITEMS, n - first) : n - first;
        ptrdiff_t slots = mlp_count_slots(data, first, some);
        if (__builtin_add_overflow(data->slots, slots, &data->slots)) {
            data->slots = PTRDIFF_MAX;
            return;
        }
    }
}

/* ---- targets ---- */

static mlp_targets
arg_labels(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t k)
{
    PyArrayObject *copy = arg_integers(call, obj, name, n, mlp_min(k, INT32_MAX), PyExc_ValueError);
    int32_t *labels = copy == NULL ? NULL : mlp_alloc_for(call, n, sizeof(int32_t));
    for (ptrdiff_t i = 0; labels != NULL && i < n && mlp_go_on(call, i); i++) {
        labels[i] = (int32_t)((const int64_t *)PyArray_DATA(copy))[i];
    }
    return (mlp_targets){.labels = labels};
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
    if (!check_vector(call, array, &expected) || !mlp_add_array(call, obj, &expected)) {
        return targets;
    }
    PyObject *labels = PyArray_TakeFrom(array, (PyObject *)order, 0, NULL, NPY_RAISE);
    bool kept = mlp_keep(call, labels);
    Py_XDECREF(labels);
    if (kept) {
        targets = arg_labels(call, labels, "y", PyArray_DIM(order, 0), k);
        targets.is_ordered = true;
    }
    return targets;
}

void
mlp_arg_batch(mlp_call *call, PyObject *rows, PyObject *y, ptrdiff_t n_outputs, mlp_data *data)
{
    PyArrayObject *order = NULL;
    if (rows != Py_None) {
        order = arg_integers(call, rows, "rows", MLP_ANY, data->x.rows, PyExc_IndexError);
        data->n = order == NULL ? 0 : PyArray_DIM(order, 0);
        data->order = order == NULL ? NULL : PyArray_DATA(order);
    }
    bool are_labels = PyArray_Check(y) && PyArray_NDIM((PyArrayObject *)y) == 1;
    data->targets = !call->failed && order != NULL && are_labels
                        ? arg_labels_of(call, y, order, data->x.rows, n_outputs)
                        : mlp_arg_targets(call, y, "y", data->x.rows, n_outputs);
}

/* ---- new arrays ---- */

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

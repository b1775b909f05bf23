#include "python/codes.h"

#include <math.h>

#include "python/fields.h"
#include "python/integers.h"
#include "python/vectors.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

/* ---- attributes ---- */

enum { TABLE, KINDS, CENTERS, SCALES, KNOT_STARTS, KNOTS, UNIT_STARTS, BIN_VALUE, N_ATTRIBUTES };
static const char *const names[] = {"table",       "kinds", "centers",     "scales",
                                    "knot_starts", "knots", "unit_starts", "bin_value"};
#define NAMES                                                                        \
    "'table', 'kinds', 'centers', 'scales', 'knot_starts', 'knots', 'unit_starts', " \
    "'bin_value'"

_Static_assert(sizeof names / sizeof names[0] == N_ATTRIBUTES, "each attribute has a name");

/* An attribute, kept by the call; NULL where there is none, or the call has failed. */
static PyObject *
find_attribute(mlp_call *call, PyObject *obj, const char *name)
{
    PyObject *found = PyObject_GetAttrString(obj, name);
    if (found == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return NULL;
    }
    bool kept = mlp_keep(call, found);
    Py_XDECREF(found);
    return kept ? found : NULL;
}

/* Finds all attributes, before any of them is looked at: to ask for one may run Python code.
 * Returns whether the object has a table, or the call has failed. */
static bool
find_attributes(mlp_call *call, PyObject *obj, PyObject *found[N_ATTRIBUTES])
{
    for (int a = 0; a < N_ATTRIBUTES && !call->failed; a++) {
        found[a] = find_attribute(call, obj, names[a]);
        if (found[a] == NULL && !call->failed && a == TABLE) {
            return false;
        }
        if (found[a] == NULL && !call->failed) {
            PyErr_Format(PyExc_TypeError, "X must be coded rows of " NAMES ", got %s without '%s'",
                         Py_TYPE(obj)->tp_name, names[a]);
            call->failed = true;
        }
    }
    return true;
}

/* ---- checks of copies ---- */

/* Fails the call for element i of a vector. Takes over `came`, which may be NULL. */
static void
reject_element(mlp_call *call, const char *name, const char *what, PyObject *came, ptrdiff_t i)
{
    mlp_expectation expected = {.name = name, .index = MLP_ANY};
    PyObject *where = came == NULL ? NULL : PyUnicode_FromFormat("%S at index %zd", came, i);
    Py_XDECREF(came);
    mlp_reject(call, PyExc_ValueError, &expected, what, where);
}

/* n finite numbers above `least`, or (or MLP_ANY) as many as there are. */
static const double *
arg_finite(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t *n, double least)
{
    mlp_vector given = mlp_arg_contiguous(call, obj, name, *n, MLP_DOUBLES);
    const double *copy = mlp_copy_elements(call, given, given.n);
    for (ptrdiff_t i = 0; i < given.n && mlp_go_on(call, i); i++) {
        if (!isfinite(copy[i]) || copy[i] <= least) {
            const char *what = isfinite(least) ? "hold finite numbers above 0" : "be finite";
            reject_element(call, name, what, PyFloat_FromDouble(copy[i]), i);
        }
    }
    *n = given.n;
    return copy;
}

static const uint8_t *
arg_kinds(mlp_call *call, PyObject *obj, ptrdiff_t n)
{
    mlp_vector given = mlp_arg_contiguous(call, obj, "X.kinds", n, MLP_BYTES);
    const uint8_t *kinds = mlp_copy_elements(call, given, given.n);
    for (ptrdiff_t c = 0; c < given.n && mlp_go_on(call, c); c++) {
        if (kinds[c] >= MLP_N_COLUMN_KINDS) {
            reject_element(call, "X.kinds", "hold 0, 1 or 2", PyLong_FromLong(kinds[c]), c);
        }
    }
    return kinds;
}

/* A column's number of units, where its kind and knots tell; else, of a category, an even one. */
static bool
has_fitting_units(const mlp_codes *codes, ptrdiff_t c)
{
    int64_t n_knots = codes->knot_starts[c + 1] - codes->knot_starts[c];
    int64_t n_units = codes->unit_starts[c + 1] - codes->unit_starts[c];
    switch ((mlp_column_kind)codes->kinds[c]) {
    case MLP_NUMBER: return n_units == 2 + 2 * (n_knots / 2);
    case MLP_SIGN: return n_units == 2;
    default: return n_units % 2 == 0;
    }
}

/* Checks the knots of a column, and whether it has as many units as these say. */
static void
check_column(mlp_call *call, const mlp_codes *codes, ptrdiff_t c)
{
    ptrdiff_t begin = (ptrdiff_t)codes->knot_starts[c], end = (ptrdiff_t)codes->knot_starts[c + 1];
    bool is_number = codes->kinds[c] == MLP_NUMBER;
    if (is_number ? end - begin == 1 : end > begin) {
        const char *what =
            is_number ? "give a number no knots, or at least 2" : "give knots to numbers alone";
        reject_element(call, "X.knot_starts", what, PyLong_FromSsize_t(end - begin), c);
        return;
    }
    for (ptrdiff_t k = begin + 1; k < end && mlp_go_on(call, k); k++) {
        double step = codes->knots[k] - codes->knots[k - 1];
        if (!(step > 0 && isfinite(step))) {
            reject_element(call, "X.knots", "ascend in a column, by steps that float64 holds",
                           PyFloat_FromDouble(codes->knots[k]), k);
        }
    }
    if (!call->failed && !has_fitting_units(codes, c)) {
        PyObject *units = PyLong_FromLongLong(codes->unit_starts[c + 1] - codes->unit_starts[c]);
        reject_element(call, "X.unit_starts", "give a column an even number of units that fits it",
                       units, c);
    }
}

/* To read a number may run Python code: arrays are to be looked at after that. */
static double
arg_bin_value(mlp_call *call, PyObject *obj)
{
    mlp_expectation expected = {.name = "X.bin_value", .index = MLP_ANY};
    double value = 0;
    if (call->failed) {
        return value;
    }
    if (mlp_real_kind.read(obj, &value)) {
        if (!isfinite(value) || value <= 0) {
            mlp_reject(call, PyExc_ValueError, &expected, "be a finite number above 0",
                       PyFloat_FromDouble(value));
        }
        return value;
    }
    call->failed = true;
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        mlp_reject_text(call, PyExc_TypeError, &expected, "be a real number",
                        Py_TYPE(obj)->tp_name);
    }
    else if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        mlp_reject_text(call, PyExc_ValueError, &expected, "be a finite number above 0",
                        "a larger one than float64 holds");
    }
    return value;
}

/* The codes of n columns. */
static mlp_codes
arg_codes(mlp_call *call, PyObject *const given[N_ATTRIBUTES], ptrdiff_t n)
{
    mlp_codes codes = {.n = n};
    ptrdiff_t n_centers = n, n_scales = n, n_knots = MLP_ANY;
    codes.kinds = arg_kinds(call, given[KINDS], n);
    codes.centers = arg_finite(call, given[CENTERS], "X.centers", &n_centers, -INFINITY);
    codes.scales = arg_finite(call, given[SCALES], "X.scales", &n_scales, 0);
    codes.knots = arg_finite(call, given[KNOTS], "X.knots", &n_knots, -INFINITY);
    codes.knot_starts = mlp_arg_starts(call, given[KNOT_STARTS], "X.knot_starts", n, n_knots);
    codes.unit_starts = mlp_arg_starts(call, given[UNIT_STARTS], "X.unit_starts", n, INT32_MAX);
    if (!call->failed && codes.knot_starts[n] != n_knots) {
        PyErr_Format(PyExc_ValueError,
                     "X.knot_starts must end at the number of knots, %zd, got %zd",
                     (Py_ssize_t)n_knots, (Py_ssize_t)codes.knot_starts[n]);
        call->failed = true;
    }
    for (ptrdiff_t c = 0; c < n && mlp_go_on(call, c); c++) {
        check_column(call, &codes, c);
    }
    return codes;
}

/* ---- rows ---- */

static mlp_matrix
arg_table(mlp_call *call, PyObject *obj)
{
    mlp_expectation expected = {"X.table", MLP_ANY, 2, MLP_ANY, MLP_ANY, MLP_READ};
    PyArrayObject *array = (PyArrayObject *)mlp_require_array(call, obj, &expected);
    if (array == NULL) {
        return (mlp_matrix){0};
    }
    if (PyArray_TYPE(array) != NPY_DOUBLE || !PyArray_ISNOTSWAPPED(array)) {
        mlp_reject_dtype(call, &expected, "have dtype float64", obj);
        return (mlp_matrix){0};
    }
    return mlp_view_array(call, obj, &expected);
}

/* The most pairs that a row has to multiply, or that are written for it: of a number, one and those
 * of its bins. */
static ptrdiff_t
count_slots_of_row(const mlp_codes *codes)
{
    ptrdiff_t slots = 0;
    for (ptrdiff_t c = 0; c < codes->n; c++) {
        slots += 1 + (ptrdiff_t)(codes->knot_starts[c + 1] - codes->knot_starts[c]) / 2;
    }
    return slots;
}

bool
mlp_arg_coded(mlp_call *call, PyObject *obj, mlp_input *x)
{
    PyObject *given[N_ATTRIBUTES] = {NULL};
    *x = (mlp_input){0};
    if (call->failed || PyArray_Check(obj) || !find_attributes(call, obj, given)) {
        return call->failed;
    }
    double bin_value = arg_bin_value(call, given[BIN_VALUE]);
    mlp_matrix table = arg_table(call, given[TABLE]);
    mlp_codes codes = arg_codes(call, given, table.cols);
    mlp_codes *kept = mlp_alloc_for(call, 1, sizeof *kept);
    if (kept == NULL || codes.unit_starts == NULL) { /* the call has failed */
        return true;
    }
    *kept = codes;
    kept->bin_value = bin_value;
    *x = (mlp_input){.rows = table.rows,
                     .cols = (ptrdiff_t)codes.unit_starts[codes.n],
                     .dense = table,
                     .codes = kept,
                     .element = MLP_OF_FLOAT64,
                     .is_sparse = true,
                     .row_slots = count_slots_of_row(&codes)};
    return true;
}

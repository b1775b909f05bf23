#include "testing/arguments.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

bool
import_numpy(void)
{
    return PyArray_ImportNumPyAPI() == 0;
}

/* ---- names ---- */

#define NAME(CODE, name, ...) #name,
#define FUNCTION_NAME(name) #name,
static const char *const activations[] = {MLP_ACTIVATIONS(NAME) NULL};
static const char *const outputs[] = {MLP_OUTPUTS(NAME) NULL};
static const char *const losses[] = {MLP_LOSSES(NAME) NULL};
static const char *const functions[] = {MLP_LENT_FUNCTIONS(FUNCTION_NAME) NULL};
#define RULE_NAME(CODE, name, n_moments, constants) #name,
static const char *const rules[] = {MLP_RULES(RULE_NAME) NULL};

/* Where each of an entry's constants is in its struct. */
typedef struct {
    size_t offset;
    enum { IS_real, IS_reals } kind;
} constant;

#define CONSTANT(constant_kind, member) {offsetof(__typeof__(*these), member), IS_##constant_kind},
#define COUNT(kind, name) +1

/* ---- constants ---- */

/* Writes one of the constants of an entry to its struct. Those that are several are kept by the
 * call, which has room for so many. */
static bool
put_constant(lent_call *call, PyObject *obj, const constant *as, void *to)
{
    void *member = (char *)to + as->offset;
    if (as->kind == IS_real) {
        *(mlp_real_constant *)member = PyFloat_AsDouble(obj);
        return !PyErr_Occurred();
    }
    Py_ssize_t n = PyTuple_Check(obj) ? PyTuple_GET_SIZE(obj) : MOST_REALS + 1;
    if (n > MOST_REALS) {
        PyErr_SetString(PyExc_TypeError, "expected a tuple of a few numbers");
        return false;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        call->reals[i] = PyFloat_AsDouble(PyTuple_GET_ITEM(obj, i));
    }
    *(mlp_reals_constant *)member = (mlp_reals_constant){call->reals, n};
    return !PyErr_Occurred();
}

/* Writes the constants in an entry (name, *constants). */
static bool
put_constants(lent_call *call, PyObject *entry, const constant *as, Py_ssize_t n, void *to)
{
    if (PyTuple_GET_SIZE(entry) != n + 1) {
        PyErr_Format(PyExc_ValueError, "expected %zd constants in %R", n, entry);
        return false;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!put_constant(call, PyTuple_GET_ITEM(entry, i + 1), &as[i], to)) {
            return false;
        }
    }
    return true;
}

#define PUT_CONSTANTS(call, entry, list, values)                         \
    do {                                                                 \
        __typeof__(values) these = values;                               \
        static const constant listed[] = {list(CONSTANT){0}};            \
        return put_constants(call, entry, listed, 0 list(COUNT), these); \
    } while (0)

static int
find_name(const char *const names[], PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);
    for (int i = 0; text != NULL && names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0) {
            return i;
        }
    }
    if (text != NULL) {
        PyErr_Format(PyExc_ValueError, "unknown name %R", name);
    }
    return -1;
}

/* ---- arguments ---- */

/* The code of an entry (name, *constants); -1 with an exception set. */
static int
find_entry(const char *const names[], PyObject *entry)
{
    if (!PyTuple_Check(entry) || PyTuple_GET_SIZE(entry) == 0) {
        PyErr_SetString(PyExc_TypeError, "expected (name, *constants)");
        return -1;
    }
    return find_name(names, PyTuple_GET_ITEM(entry, 0));
}

static bool
arg_loss(lent_call *call, PyObject *entry)
{
    int code = find_entry(losses, entry);
    call->loss.code = (mlp_loss_code)code;
    switch (code) {
#define L(CODE, name, constants) \
    case MLP_##CODE: PUT_CONSTANTS(call, entry, constants, &call->loss.name);
        MLP_LOSSES(L)
#undef L
    default: return false;
    }
}

static bool
arg_rule(lent_call *call, PyObject *entry)
{
    int code = find_entry(rules, entry);
    call->rule.code = (mlp_rule_code)code;
    switch (code) {
#define R(CODE, name, n_moments, constants) \
    case MLP_##CODE: PUT_CONSTANTS(call, entry, constants, &call->rule.name);
        MLP_RULES(R)
#undef R
    default: return false;
    }
}

/* An array as a matrix; `wanted` is its type, or -1 for the call's. */
static bool
arg_matrix(lent_call *call, PyObject *obj, int wanted, mlp_matrix *m)
{
    if (!PyArray_Check(obj) || PyArray_NDIM((PyArrayObject *)obj) > 2
        || PyArray_NDIM((PyArrayObject *)obj) < 1) {
        PyErr_Format(PyExc_TypeError, "expected an array of one or two dimensions, got %R", obj);
        return false;
    }
    PyArrayObject *array = (PyArrayObject *)obj;
    int type = PyArray_TYPE(array);
    if (wanted == -1 && call->dtype == -1 && (type == NPY_FLOAT32 || type == NPY_FLOAT64)) {
        call->dtype = type == NPY_FLOAT32 ? MLP_FLOAT32 : MLP_FLOAT64;
    }
    int of_call = call->dtype == MLP_FLOAT32 ? NPY_FLOAT32 : NPY_FLOAT64;
    bool fits = wanted == -1 ? call->dtype != -1 && type == of_call : type == wanted;
    ptrdiff_t item = PyArray_ITEMSIZE(array), last = PyArray_NDIM(array) - 1;
    const npy_intp *strides = PyArray_STRIDES(array), *shape = PyArray_DIMS(array);
    if (!fits || !PyArray_ISALIGNED(array) || strides[0] % item != 0 || strides[last] % item != 0) {
        PyErr_Format(PyExc_TypeError, "an array of the wrong type: %R", obj);
        return false;
    }
    *m = (mlp_matrix){
        .data = PyArray_DATA(array),
        .rows = last == 0 ? 1 : shape[0],
        .cols = shape[last],
        .row_stride = last == 0 ? 0 : strides[0] / item,
        .col_stride = strides[last] / item,
        .item = (int)item,
    };
    return true;
}

static bool
arg_targets(lent_call *call, PyObject *obj)
{
    if (PyTuple_Check(obj) && PyTuple_GET_SIZE(obj) == 2) {
        mlp_matrix labels, widths;
        bool are_good = arg_matrix(call, PyTuple_GET_ITEM(obj, 0), NPY_INT32, &labels)
                        && arg_matrix(call, PyTuple_GET_ITEM(obj, 1), NPY_INTP, &widths);
        if (are_good) {
            call->targets.labels = labels.data;
            call->targets.heads = (mlp_heads){widths.cols, widths.data};
        }
        return are_good;
    }
    int type = PyArray_Check(obj) ? PyArray_TYPE((PyArrayObject *)obj) : -1;
    mlp_matrix m;
    call->targets.is_bool = type == NPY_BOOL;
    if (type != NPY_INT32) {
        return arg_matrix(call, obj, type == NPY_BOOL ? NPY_BOOL : -1, &call->targets.matrix);
    }
    bool is_good = arg_matrix(call, obj, NPY_INT32, &m);
    call->targets.labels = is_good ? m.data : NULL;
    return is_good;
}

static bool
arg_moments(lent_call *call, PyObject *obj)
{
    Py_ssize_t n = PyTuple_Check(obj) ? PyTuple_GET_SIZE(obj) : MLP_MAX_MOMENTS + 1;
    if (n > MLP_MAX_MOMENTS) {
        PyErr_SetString(PyExc_TypeError, "expected a tuple of moments");
        return false;
    }
    bool is_good = true;
    for (Py_ssize_t i = 0; i < n && is_good; i++) {
        is_good = arg_matrix(call, PyTuple_GET_ITEM(obj, i), -1, &call->moments[i]);
    }
    return is_good;
}

/* Takes an argument by its kind, a letter of a signature. */
bool
arg_lent(lent_call *call, char kind, PyObject *obj)
{
    mlp_matrix *next = &call->arrays[call->n_arrays];
    switch (kind) {
    case 'A': return (call->code = find_name(activations, obj)) >= 0;
    case 'O': return (call->code = find_name(outputs, obj)) >= 0;
    case 'F': return (call->code = find_name(functions, obj)) >= 0;
    case 'L': return arg_loss(call, obj);
    case 'R': return arg_rule(call, obj);
    case 'n': call->numbers[call->n_numbers++] = PyFloat_AsDouble(obj); return !PyErr_Occurred();
    case 'm': call->n_arrays++; return arg_matrix(call, obj, -1, next);
    case '?': call->n_arrays++; return obj == Py_None || arg_matrix(call, obj, -1, next);
    case 'd': call->n_arrays++; return obj == Py_None || arg_matrix(call, obj, NPY_FLOAT64, next);
    case 'M': return arg_moments(call, obj);
    case 't': return arg_targets(call, obj);
    default: Py_UNREACHABLE();
    }
}

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

/* Their offsets in their struct, and how many they are. */
#define COUNT(name) +1
static const struct {
    size_t offset;
    int n;
} loss_constants[] =
    {
#define L(CODE, name, constants) {offsetof(mlp_loss, name), 0 constants(COUNT)},
        MLP_LOSSES(L)
#undef L
},
  rule_constants[] = {
#define R(CODE, name, n_moments, constants) {offsetof(mlp_rule, name), 0 constants(COUNT)},
      MLP_RULES(R)
#undef R
};

/* Each has its room in MOST_CONSTANTS. */
#define L(CODE, name, constants) _Static_assert(0 constants(COUNT) <= MOST_CONSTANTS, #name);
#define R(CODE, name, n_moments, constants) L(CODE, name, constants)
MLP_LOSSES(L)
MLP_RULES(R)
#undef L
#undef R

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

/* (name, constants): the code, and the constants written to `members`, doubles. */
static int
arg_entry(PyObject *entry, const char *const names[], int *n, double members[])
{
    if (!PyTuple_Check(entry) || PyTuple_GET_SIZE(entry) == 0) {
        PyErr_SetString(PyExc_TypeError, "expected (name, *constants)");
        return -1;
    }
    *n = (int)PyTuple_GET_SIZE(entry) - 1;
    for (int i = 0; i < *n && i < MOST_CONSTANTS; i++) {
        members[i] = PyFloat_AsDouble(PyTuple_GET_ITEM(entry, i + 1));
    }
    return PyErr_Occurred() ? -1 : find_name(names, PyTuple_GET_ITEM(entry, 0));
}

static bool
put_constants(void *to, size_t offset, int wanted, int n, const double constants[])
{
    if (n != wanted) {
        PyErr_Format(PyExc_ValueError, "expected %d constants, got %d", wanted, n);
        return false;
    }
    memcpy((char *)to + offset, constants, (size_t)n * sizeof(double));
    return true;
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
    double constants[MOST_CONSTANTS];
    int code, n;
    mlp_matrix *next = &call->arrays[call->n_arrays];
    switch (kind) {
    case 'A': return (call->code = find_name(activations, obj)) >= 0;
    case 'O': return (call->code = find_name(outputs, obj)) >= 0;
    case 'F': return (call->code = find_name(functions, obj)) >= 0;
    case 'L':
        code = arg_entry(obj, losses, &n, constants);
        call->loss.code = (mlp_loss_code)code;
        return code >= 0
               && put_constants(&call->loss, loss_constants[code].offset, loss_constants[code].n, n,
                                constants);
    case 'R':
        code = arg_entry(obj, rules, &n, constants);
        call->rule.code = (mlp_rule_code)code;
        return code >= 0
               && put_constants(&call->rule, rule_constants[code].offset, rule_constants[code].n, n,
                                constants);
    case 'n': call->numbers[call->n_numbers++] = PyFloat_AsDouble(obj); return !PyErr_Occurred();
    case 'm': call->n_arrays++; return arg_matrix(call, obj, -1, next);
    case '?': call->n_arrays++; return obj == Py_None || arg_matrix(call, obj, -1, next);
    case 'd': call->n_arrays++; return obj == Py_None || arg_matrix(call, obj, NPY_FLOAT64, next);
    case 'M': return arg_moments(call, obj);
    case 't': return arg_targets(call, obj);
    default: Py_UNREACHABLE();
    }
}

#include "python/fields.h"

/* What no other thread may change while it is looked at. Where there is the GIL, that is held. */
#ifndef Py_BEGIN_CRITICAL_SECTION
#define Py_BEGIN_CRITICAL_SECTION(obj) {
#define Py_END_CRITICAL_SECTION() }
#endif

/* ---- kinds ---- */

static bool
read_object(PyObject *obj, void *value)
{
    *(PyObject **)value = obj;
    return true;
}

static bool
read_nothing(PyObject *obj, void *value)
{
    (void)obj;
    (void)value;
    return true;
}

static bool
read_real(PyObject *obj, void *value)
{
    double real = PyFloat_AsDouble(obj);
    *(double *)value = real;
    return real != -1 || !PyErr_Occurred();
}

static bool
read_size(PyObject *obj, void *value)
{
    Py_ssize_t size = PyNumber_AsSsize_t(obj, PyExc_OverflowError);
    *(Py_ssize_t *)value = size;
    return size != -1 || !PyErr_Occurred();
}

static bool
read_integer(PyObject *obj, void *value)
{
    Py_ssize_t size;
    if (!read_size(obj, &size)) {
        return false;
    }
    if (size < INT_MIN || size > INT_MAX) {
        PyErr_SetNone(PyExc_OverflowError);
        return false;
    }
    *(int *)value = (int)size;
    return true;
}

const mlp_kind mlp_object_kind = {read_object, "anything", "anything"};
const mlp_kind mlp_known_kind = {read_nothing, "anything", "anything"};
const mlp_kind mlp_real_kind = {read_real, "a real number", "a number that float64 holds"};
const mlp_kind mlp_reals_kind = {NULL, NULL, NULL};
const mlp_kind mlp_size_kind = {read_size, "an integer", "an integer of at most 64 bits"};
const mlp_kind mlp_integer_kind = {read_integer, "an integer", "an integer of at most 32 bits"};

/* ---- looking fields up ---- */

/* Which field a key names; -1 for none. */
static Py_ssize_t
find_field(const mlp_field *fields, PyObject *key)
{
    for (Py_ssize_t i = 0; fields[i].name != NULL && PyUnicode_CheckExact(key); i++) {
        if (PyUnicode_CompareWithASCIIString(key, fields[i].name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Writes to found[i] what a dict holds as field i, kept by the call. Returns a key that is no
 * field, likewise kept, and NULL if there is none or others_pass. No Python code runs meanwhile
 * that could change the dict. */
static PyObject *
look_up(mlp_call *call, PyObject *dict, const mlp_field *fields, bool others_pass, PyObject **found)
{
    PyObject *key, *value, *other = NULL;
    Py_ssize_t position = 0;
    Py_BEGIN_CRITICAL_SECTION(dict);
    while (!call->failed && other == NULL && PyDict_Next(dict, &position, &key, &value)) {
        Py_ssize_t i = find_field(fields, key);
        if (i >= 0 && mlp_keep(call, value)) {
            found[i] = value;
        }
        if (i < 0 && !others_pass && mlp_keep(call, key)) {
            other = key;
        }
    }
    Py_END_CRITICAL_SECTION();
    return other;
}

/* Whether an object is a dict; fails the call if not. */
static bool
check_dict(mlp_call *call, PyObject *obj, const char *title)
{
    if (!call->failed && !PyDict_Check(obj)) {
        PyErr_Format(PyExc_TypeError, "%s must be a dict, got %s", title, Py_TYPE(obj)->tp_name);
        call->failed = true;
    }
    return !call->failed;
}

/* Fails the call for a key that is no field. */
static void
reject_key(mlp_call *call, const mlp_record *record, PyObject *key)
{
    const char *title = record->title, *names = record->names;
    call->failed = true;
    if (PyUnicode_CheckExact(key)) {
        PyErr_Format(PyExc_TypeError, "%s must be a dict of %s, got one with %R", title, names,
                     key);
    }
    else {
        PyErr_Format(PyExc_TypeError, "%s must be a dict of %s, got one with a key of type %s",
                     title, names, Py_TYPE(key)->tp_name);
    }
}

static void
reject_missing(mlp_call *call, const char *title, const char *names, const char *missing)
{
    call->failed = true;
    PyErr_Format(PyExc_TypeError, "%s must be a dict of %s, got one without '%s'", title, names,
                 missing);
}

/* ---- reading them ---- */

/* Reads one of the real numbers in a list. What its object itself raises is left as it is, but for
 * what says that it is no number, or too large. */
static double
read_item(mlp_call *call, const char *name, Py_ssize_t i, PyObject *obj)
{
    double real = 0;
    mlp_expectation expected = {.name = name, .index = i};
    if (read_real(obj, &real)) {
        return real;
    }
    call->failed = true;
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        mlp_reject_text(call, PyExc_TypeError, &expected, "be a real number",
                        Py_TYPE(obj)->tp_name);
    }
    else if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        mlp_reject_text(call, PyExc_ValueError, &expected, "be a number that float64 holds",
                        "a larger one");
    }
    return real;
}

static void
read_items(mlp_call *call, const char *name, PyObject *obj, mlp_reals_constant *reals)
{
    PyObject *items = mlp_arg_items(call, obj, name, MLP_ANY, "real numbers");
    Py_ssize_t n = items == NULL ? 0 : PyTuple_GET_SIZE(items);
    double *values = mlp_alloc_for(call, n, sizeof(double));
    for (Py_ssize_t i = 0; i < n && values != NULL && mlp_go_on(call, i); i++) {
        values[i] = read_item(call, name, i, PyTuple_GET_ITEM(items, i));
    }
    *reals = (mlp_reals_constant){values, n};
}

/* Reads one field, likewise. */
static void
read_field(mlp_call *call, const mlp_record *record, const mlp_field *field, PyObject *obj,
           void *values)
{
    const mlp_kind *kind = field->kind;
    void *value = (char *)values + field->offset;
    if (kind->read == NULL) {
        read_items(call, field->name, obj, value);
        return;
    }
    if (kind->read(obj, value)) {
        return;
    }
    call->failed = true;
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Format(PyExc_TypeError, "%s: %s must be %s, got %s", record->title, field->name,
                     kind->what, Py_TYPE(obj)->tp_name);
    }
    else if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Format(PyExc_ValueError, "%s: %s must be %s, got a larger %s", record->title,
                     field->name, kind->fitting, Py_TYPE(obj)->tp_name);
    }
}

void
mlp_arg_fields(mlp_call *call, PyObject *dict, const mlp_record *record, void *values)
{
    Py_ssize_t n = 0;
    while (record->fields[n].name != NULL) {
        n++;
    }
    PyObject **found = mlp_alloc_for(call, n, sizeof(PyObject *));
    if (!check_dict(call, dict, record->title)) {
        return;
    }
    PyObject *other = look_up(call, dict, record->fields, false, found);
    if (other != NULL) {
        reject_key(call, record, other);
    }
    for (Py_ssize_t i = 0; i < n && !call->failed; i++) {
        if (found[i] == NULL) {
            reject_missing(call, record->title, record->names, record->fields[i].name);
        }
    }
    for (Py_ssize_t i = 0; i < n && !call->failed; i++) {
        read_field(call, record, &record->fields[i], found[i], values);
    }
}

PyObject *
mlp_arg_field(mlp_call *call, PyObject *dict, const char *title, const char *names,
              const char *name)
{
    const mlp_field fields[] = {{name, &mlp_object_kind, 0}, {NULL, NULL, 0}};
    PyObject *found = NULL;
    if (!check_dict(call, dict, title)) {
        return NULL;
    }
    look_up(call, dict, fields, true, &found);
    if (!call->failed && found == NULL) {
        reject_missing(call, title, names, name);
    }
    return found;
}

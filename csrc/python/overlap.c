#include "python/overlap.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL mlp_numpy_api
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

/* Steps NumPy may take to decide about two interleaved arrays. */
#define OVERLAP_WORK 100000

static bool
is_empty(const mlp_memory *memory)
{
    for (int d = 0; d < memory->ndim; d++) {
        if (memory->shape[d] == 0) {
            return true;
        }
    }
    return false;
}

bool
mlp_overlaps_itself(const mlp_memory *memory)
{
    const Py_ssize_t *shape = memory->shape, *strides = memory->strides;
    Py_ssize_t used = memory->item; /* bytes an element and its inner neighbours span */
    int last = memory->ndim - 1;
    int inner = last == 1 && Py_ABS(strides[0]) < Py_ABS(strides[1]) ? 0 : last;
    for (int round = 0; round <= last; round++) {
        int d = round == 0 ? inner : last - inner;
        if (shape[d] > 1) {
            if (Py_ABS(strides[d]) < used) {
                return true;
            }
            Py_ssize_t reach;
            if (__builtin_mul_overflow(shape[d] - 1, Py_ABS(strides[d]), &reach)
                || __builtin_add_overflow(used, reach, &used)) {
                return true; /* nor is there such an array */
            }
        }
    }
    return false;
}

mlp_extent
mlp_extent_of(const mlp_memory *memory)
{
    mlp_extent extent = {(uintptr_t)memory->data, (uintptr_t)memory->data};
    if (is_empty(memory)) {
        return extent;
    }
    for (int d = 0; d < memory->ndim; d++) {
        uintptr_t reach = (uintptr_t)(memory->shape[d] - 1) * (uintptr_t)memory->strides[d];
        *(memory->strides[d] < 0 ? &extent.low : &extent.high) += reach;
    }
    extent.high += (uintptr_t)memory->item;
    return extent;
}

/* An array there, of elements without a meaning, that nobody else has. */
static PyObject *
view_memory(const mlp_memory *memory)
{
    npy_intp shape[2] = {memory->shape[0], memory->shape[1]};
    npy_intp strides[2] = {memory->strides[0], memory->strides[1]};
    return PyArray_New(&PyArray_Type, memory->ndim, shape, NPY_VOID, strides, memory->data,
                       (int)memory->item, 0, NULL);
}

int
mlp_share_memory(const mlp_memory *first, const mlp_memory *second)
{
    if (is_empty(first) || is_empty(second)) {
        return 0;
    }
    PyObject *numpy = PyImport_ImportModule("numpy");
    PyObject *a = numpy == NULL ? NULL : view_memory(first);
    PyObject *b = a == NULL ? NULL : view_memory(second);
    PyObject *answer =
        b == NULL ? NULL : PyObject_CallMethod(numpy, "shares_memory", "OOi", a, b, OVERLAP_WORK);
    Py_XDECREF(numpy);
    Py_XDECREF(a);
    Py_XDECREF(b);
    if (answer == NULL) {
        if (PyErr_Occurred() == PyExc_RuntimeError) { /* what NumPy says without memory */
            PyErr_NoMemory();
            return -1;
        }
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

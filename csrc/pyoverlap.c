#include "pyoverlap.h"

#include <stdbool.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define NO_IMPORT_ARRAY /* field access only */
#include <numpy/arrayobject.h>

/* Steps NumPy may take to decide about two interleaved arrays. */
#define OVERLAP_WORK 100000

static bool
is_empty(PyArrayObject *array)
{
    for (int d = 0; d < PyArray_NDIM(array); d++) {
        if (PyArray_DIM(array, d) == 0) {
            return true;
        }
    }
    return false;
}

int
mlp_overlaps_itself(PyObject *obj)
{
    PyArrayObject *array = (PyArrayObject *)obj;
    const npy_intp *shape = PyArray_DIMS(array), *strides = PyArray_STRIDES(array);
    npy_intp used = PyArray_ITEMSIZE(array); /* bytes an element and its inner neighbours span */
    bool seen[2] = {false, false};
    if (is_empty(array)) {
        return false;
    }
    if (PyArray_NDIM(array) > 2) {
        return true; /* its shape was set since it was checked: not to be written to */
    }
    for (int round = 0; round < PyArray_NDIM(array); round++) {
        int least = -1;
        for (int d = 0; d < PyArray_NDIM(array); d++) {
            if (!seen[d] && (least < 0 || Py_ABS(strides[d]) < Py_ABS(strides[least]))) {
                least = d;
            }
        }
        seen[least] = true;
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
    if (is_empty(array)) {
        return;
    }
    for (int d = 0; d < PyArray_NDIM(array); d++) {
        npy_intp reach = (PyArray_DIM(array, d) - 1) * PyArray_STRIDE(array, d);
        *(reach < 0 ? low : high) += (uintptr_t)reach;
    }
    *high += (uintptr_t)PyArray_ITEMSIZE(array);
}

int
mlp_share_memory(PyObject *first, PyObject *second)
{
    PyArrayObject *a = (PyArrayObject *)first, *b = (PyArrayObject *)second;
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
    PyObject *answer =
        PyObject_CallMethod(numpy, "shares_memory", "OOi", first, second, OVERLAP_WORK);
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

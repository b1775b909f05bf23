/* Counts operations on denormal numbers, which many processors are slow at, exactly and on any
 * x86-64 of Linux, whatever they cost there. */
#ifndef MLP_TESTING_DENORMALS_H
#define MLP_TESTING_DENORMALS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* count_denormals(function): calls it, and returns how many instructions of the calling thread took
 * or made denormal numbers meanwhile. NotImplementedError on other systems. */
PyObject *count_denormals(PyObject *module, PyObject *function);

#endif

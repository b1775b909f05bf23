/* Whether arrays share memory: what an output must not do. */
#ifndef MLP_PYOVERLAP_H
#define MLP_PYOVERLAP_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Whether two elements of an array of one or two dimensions may share memory.
 * Exact for what slicing and transposing make; other strides that reach into
 * each other count as overlapping. */
int mlp_overlaps_itself(PyObject *array);

/* 1 if two arrays share memory, 0 if not, -1 with an exception set. Interleaved
 * arrays are left to NumPy; what it finds too hard counts as sharing. */
int mlp_share_memory(PyObject *first, PyObject *second);

#endif

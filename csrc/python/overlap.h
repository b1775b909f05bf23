/* What arrays are made of, and whether they share memory: what an output must not do. */
#ifndef MLP_PYOVERLAP_H
#define MLP_PYOVERLAP_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

/* An array of one or two dimensions, as it was when it was looked at. */
typedef struct {
    char *data;
    Py_ssize_t item; /* bytes of an element */
    int ndim;
    Py_ssize_t shape[2], strides[2]; /* ndim of each; strides count bytes */
} mlp_memory;

/* The addresses from the first byte of an array to past its last; of an empty one, none. */
typedef struct {
    uintptr_t low, high;
} mlp_extent;

mlp_extent mlp_extent_of(const mlp_memory *memory);

/* Whether two elements of an array, which has some, may share memory. Exact for what slicing and
 * transposing make; other strides that reach into each other count as overlapping. */
bool mlp_overlaps_itself(const mlp_memory *memory);

/* 1 if two arrays share memory, 0 if not, -1 with an exception set. Unless one is empty that is
 * left to NumPy, which takes microseconds; what it finds too hard counts as sharing. */
int mlp_share_memory(const mlp_memory *first, const mlp_memory *second);

#endif

/* Contiguous vectors, where they lie or as private copies. */
#ifndef MLP_PYVECTORS_H
#define MLP_PYVECTORS_H

#include "python/arrays.h"

/* What the elements of a contiguous array are to be: of the call's dtype, also in pairs, a matrix
 * of two columns; double; integers of 2, 4 or 8 bytes; or unsigned integers of one. */
typedef enum {
    MLP_REALS,
    MLP_REALS_OR_PAIRS,
    MLP_DOUBLES,
    MLP_INTEGERS,
    MLP_BYTES
} mlp_element_type;

/* A contiguous array. */
typedef struct {
    char *data;  /* NULL if the call failed */
    ptrdiff_t n; /* elements, or pairs */
    int item;    /* bytes of an element */
    bool is_paired;
} mlp_vector;

/* A contiguous vector of n elements (or MLP_ANY), or pairs, where it lies. */
mlp_vector mlp_arg_contiguous(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n,
                              mlp_element_type type);

/* Where n contiguous elements of float64 are written; NULL if the call failed. */
double *mlp_arg_doubles(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n);

/* A private copy of the first n elements. */
const void *mlp_copy_elements(mlp_call *call, mlp_vector from, ptrdiff_t n);

/* A private copy of n contiguous elements of the call's dtype; NULL for None. */
const void *mlp_arg_vector(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n);

/* A private copy of n learning rates, of a contiguous array of float64 that has no fewer. */
const double *mlp_arg_rates(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n);

#endif

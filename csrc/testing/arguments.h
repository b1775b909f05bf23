/* The arguments of a lent kernel. */
#ifndef MLP_TESTING_ARGUMENTS_H
#define MLP_TESTING_ARGUMENTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernels/kernels.h"
#include "testing/lent.h"

enum { MOST_ARRAYS = 8, MOST_NUMBERS = 7, MOST_REALS = 8 };

/* The arguments of a call, in the order of the kernel's signature by kind. */
typedef struct {
    const mlp_kernels *kernels;
    mlp_map *const (*functions)[MLP_N_DTYPES];
    int dtype; /* -1 until the first array that is not of another */
    int n_arrays, n_numbers;
    int code; /* of an activation, output or function */
    mlp_loss loss;
    mlp_rule rule;
    mlp_matrix arrays[MOST_ARRAYS]; /* those left out are absent */
    mlp_matrix moments[MLP_MAX_MOMENTS];
    double numbers[MOST_NUMBERS];
    double reals[MOST_REALS]; /* of a constant that is several */
    mlp_targets targets;
    void *memory;    /* freed after the call */
    bool has_failed; /* for want of memory */
} lent_call;

/* Imports NumPy; false with an exception set. */
bool import_numpy(void);

/* Takes an argument by its kind, a letter of a signature (calls.h); false with an exception set.
 */
bool arg_lent(lent_call *call, char kind, PyObject *obj);

#endif

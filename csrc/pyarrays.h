/* The arrays of one call as checked views.
 *
 * A call takes its arrays one after the other. What cannot be used as it lies
 * sets TypeError or ValueError, naming the argument, what came and what was
 * expected, and makes the rest of the call do nothing, so that a function takes
 * all it needs, asks once whether the call is ready, and ends it. Nothing is
 * converted. All functions need the GIL.
 */
#ifndef MLP_PYARRAYS_H
#define MLP_PYARRAYS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernels.h"

typedef enum { MLP_READ, MLP_WRITE } mlp_access;

/* Stands for a size or dimension that is free, or the same as the like list's. */
enum { MLP_ANY = -1, MLP_LIKE = -2 };

typedef struct mlp_array mlp_array;

typedef struct {
    bool failed; /* an exception is set */
    int dtype;   /* of all arrays: that of the first; MLP_ANY until then */
    mlp_array *arrays;
    Py_ssize_t n_arrays, capacity;
    PyObject *kept; /* list of what must live until the end */
    void **blocks;  /* memory freed at the end, each linked to the one before */
} mlp_call;

/* The views of a list of arrays. */
typedef struct {
    Py_ssize_t n;
    Py_ssize_t first; /* of its arrays among the call's */
    mlp_matrix *views;
} mlp_list;

int mlp_import_numpy(void);

void mlp_begin(mlp_call *call);
void mlp_end(mlp_call *call);

/* Whether every array was taken and no written one shares memory with itself or
 * any other. */
bool mlp_ready(mlp_call *call);

/* A matrix of the call's dtype and these sizes; a size may be MLP_ANY. */
mlp_matrix mlp_take_matrix(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t rows,
                           ptrdiff_t cols, mlp_access access);

/* A list of arrays of one or two dimensions (ndim MLP_ANY) or of ndim. */
mlp_list mlp_take_list(mlp_call *call, PyObject *obj, const char *name, int ndim,
                       mlp_access access);

/* A list of as many arrays as like's, with their columns; rows and ndim may be
 * MLP_LIKE. A vector is one row. */
mlp_list mlp_take_list_like(mlp_call *call, PyObject *obj, const char *name, mlp_list like,
                            ptrdiff_t rows, int ndim, mlp_access access);

/* A list of n arrays followed by as many, taken right after it and viewed by next. */
mlp_list mlp_join(mlp_call *call, mlp_list list, const mlp_matrix *next);

/* A new list of new arrays of such shapes, kept by the call; NULL if it failed. */
PyObject *mlp_new_list_like(mlp_call *call, mlp_list like, ptrdiff_t rows, int ndim);

/* A new matrix of the call's dtype, kept by the call; NULL if it failed. */
PyObject *mlp_new_matrix(mlp_call *call, ptrdiff_t rows, ptrdiff_t cols);

/* n labels in [0, k) where obj is a vector, else a row of k targets each, of the
 * call's dtype or bool. Labels are copied first and then checked, so that nobody
 * can change them after. */
mlp_targets mlp_take_targets(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n,
                             ptrdiff_t k);

/* Rows of the call's dtype: a matrix, or the tuple (values, columns, row_starts,
 * n_columns) of a sparse one, whose three vectors are contiguous, the latter two
 * of int32 or both of int64. */
mlp_input mlp_take_input(mlp_call *call, PyObject *obj, const char *name);

/* n contiguous elements of the call's dtype; NULL for None. */
const void *mlp_take_vector(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n);

/* Row numbers in [0, n_rows), copied, and how many; NULL for None. */
const int64_t *mlp_take_order(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n_rows,
                              ptrdiff_t *n);

/* Memory for n items until the end; NULL if the call failed. */
void *mlp_take_memory(mlp_call *call, Py_ssize_t n, size_t item);

#endif

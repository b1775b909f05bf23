/* NumPy arrays as checked views.
 *
 * Every function here either returns views that a kernel may use as they are or
 * sets TypeError or ValueError naming the argument, what came and what was
 * expected. Nothing is converted. All need the GIL.
 */
#ifndef MLP_PYARRAYS_H
#define MLP_PYARRAYS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernels.h"

enum { MLP_ANY_SIZE = -1, MLP_ANY_DTYPE = -1, MLP_LIKE = -2 };

typedef enum { MLP_READ, MLP_WRITE } mlp_access;

/* What an argument must be. The name may be of an element: index >= 0 is added
 * as in weights[1]. */
typedef struct {
    const char *name;
    Py_ssize_t index;
    int ndim;             /* 1 or 2; 0 for either */
    ptrdiff_t rows, cols; /* MLP_ANY_SIZE where free; a vector is one row */
    int dtype;            /* an mlp_dtype, or MLP_ANY_DTYPE for either */
    mlp_access access;
} mlp_expected;

/* A checked array; the caller holds a reference to it for as long as it is used. */
typedef struct {
    PyObject *array; /* borrowed */
    mlp_matrix view;
    int ndim;
    const char *name;
    Py_ssize_t index;
} mlp_array;

int mlp_import_numpy(void);

/* Fills *array from obj; -1 with an exception set. */
int mlp_view_array(PyObject *obj, const mlp_expected *expected, mlp_array *array);

/* The dtype of a float32 or float64 array; -1 with an exception set. */
int mlp_dtype_of(PyObject *obj, const char *name);

/* A new uninitialised C-ordered array; a vector where ndim is 1. */
PyObject *mlp_new_array(int dtype, int ndim, ptrdiff_t rows, ptrdiff_t cols);

/* No output shares memory with itself or with another output. */
int mlp_check_outputs(const mlp_array *outputs, Py_ssize_t n);

/* No output shares memory with any of the others. */
int mlp_check_disjoint(const mlp_array *outputs, Py_ssize_t n_outputs, const mlp_array *others,
                       Py_ssize_t n_others);

/* A list or tuple of arrays. Close it whether opening it succeeded or not. */
typedef struct {
    PyObject *tuple; /* keeps the arrays, whatever becomes of the caller's list */
    Py_ssize_t n;
    mlp_array *arrays;
    mlp_matrix *views;
} mlp_array_list;

/* Opens a list of n arrays, or of MLP_ANY_SIZE; its elements are still to be viewed. */
int mlp_open_list(PyObject *obj, const char *name, Py_ssize_t n, mlp_array_list *list);

/* Views element i, which must be as expected (whose index is set here). */
int mlp_view_element(mlp_array_list *list, Py_ssize_t i, mlp_expected expected);

/* Opens a list and views its elements, each with the columns of like's, and its
 * rows and ndim where they are given as MLP_LIKE. Where obj is None, the list is
 * of new arrays. Returns a new reference to what was opened. */
PyObject *mlp_open_like(PyObject *obj, const char *name, const mlp_array_list *like, ptrdiff_t rows,
                        int ndim, int dtype, mlp_access access, mlp_array_list *list);

void mlp_close_list(mlp_array_list *list);

/* Whether class targets come as labels (a vector) rather than as a row each. */
int mlp_is_label_array(PyObject *obj);

/* A private copy of n integer labels, each checked to be in [0, k); to be freed
 * with PyMem_Free. Copied before it is checked: nobody can change it after. */
int32_t *mlp_copy_labels(PyObject *obj, const char *name, ptrdiff_t n, ptrdiff_t k);

/* A private copy, as a new array, of row numbers, each in [0, n_rows). */
PyObject *mlp_copy_order(PyObject *obj, const char *name, ptrdiff_t n_rows, const int64_t **order,
                         ptrdiff_t *n);

/* Targets, a row each, of the expected dtype or bool. */
int mlp_view_targets(PyObject *obj, const mlp_expected *expected, mlp_targets *targets,
                     mlp_array *array);

#endif

/* The arrays of one call as checked views.
 *
 * A call takes its arguments one after the other (mlp_arg_*). What cannot be used as it lies sets
 * TypeError or ValueError, naming the argument, what came and what was expected, and makes the rest
 * of the call do nothing. So a function takes all it needs, asks once whether the call is ready,
 * and ends it. Nothing is converted. All functions need the GIL.
 */
#ifndef MLP_PYARRAYS_H
#define MLP_PYARRAYS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "base/views.h"
#include "python/overlap.h"

/* MLP_READ_LATER: read when all is written that the same learner's epoch writes. */
typedef enum { MLP_READ, MLP_WRITE, MLP_READ_LATER } mlp_access;

/* Stands for a size or dimension that is free, or the same as the like list's. */
enum { MLP_ANY = -1, MLP_LIKE = -2 };

/* What an array must be. */
typedef struct {
    const char *name;
    Py_ssize_t index;     /* of an element, as in weights[1]; else MLP_ANY */
    int ndim;             /* 1, 2 or MLP_ANY of these */
    ptrdiff_t rows, cols; /* or MLP_ANY; a vector is one row */
    mlp_access access;
} mlp_expectation;

/* What an array is for, in a call that trains several networks: of which of its members, and
 * whether for the epoch or for the rows held out. */
typedef struct {
    Py_ssize_t member;
    bool is_held_out;
} mlp_purpose;

typedef struct mlp_array mlp_array;

typedef struct {
    bool failed;         /* an exception is set */
    int dtype;           /* of all arrays: that of the first; MLP_ANY until then */
    mlp_purpose purpose; /* of the next arrays; where they overlap, of one that is written */
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
 * any other, but for one that is read later. */
bool mlp_ready(mlp_call *call);

/* Between how many items a loop that keeps the GIL lets signal handlers run. */
enum { MLP_ITEMS = 1 << 14 };

/* Whether such a loop may go on with item i; if not, a handler has raised. */
static inline bool
mlp_go_on(mlp_call *call, ptrdiff_t i)
{
    if (i % MLP_ITEMS == 0 && PyErr_CheckSignals() < 0) {
        call->failed = true;
    }
    return !call->failed;
}

/* Settles the call's dtype by its name. */
void mlp_set_dtype(mlp_call *call, PyObject *name);

/* A matrix of the call's dtype and these sizes; a size may be MLP_ANY. */
mlp_matrix mlp_arg_matrix(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t rows,
                          ptrdiff_t cols, mlp_access access);

/* A new matrix of the call's dtype, kept by the call; NULL if it failed. */
PyObject *mlp_new_matrix(mlp_call *call, ptrdiff_t rows, ptrdiff_t cols);

/* Zeroed memory for n items until the end; NULL if the call failed. */
void *mlp_alloc_for(mlp_call *call, Py_ssize_t n, size_t item);

/* ---- lists (lists.c) ---- */

/* What the arrays of a list must be, besides `like` another's. */
static inline mlp_expectation
mlp_expect(const char *name, int ndim, ptrdiff_t rows, mlp_access access)
{
    return (mlp_expectation){name, MLP_ANY, ndim, rows, MLP_ANY, access};
}

/* What a list or tuple holds, as a tuple that the call keeps, whatever becomes of the list; NULL,
 * with the call failed, where it is neither, or holds another number than n (or MLP_ANY). Of a
 * subclass, what it holds: its methods are not asked. `of` says what it is to hold: "arrays". */
PyObject *mlp_arg_items(mlp_call *call, PyObject *obj, const char *name, Py_ssize_t n,
                        const char *of);

/* A list of arrays of one or two dimensions (ndim MLP_ANY) or of ndim. */
mlp_list mlp_arg_list(mlp_call *call, PyObject *obj, mlp_expectation each);

/* A list of as many arrays as like's, with their columns; rows and ndim may be MLP_LIKE. A vector
 * is one row. */
mlp_list mlp_arg_list_like(mlp_call *call, PyObject *obj, mlp_list like, mlp_expectation each);

/* A list followed by another, taken right after it. */
mlp_list mlp_join(mlp_call *call, mlp_list list, mlp_list next);

/* A new list of new arrays of such shapes, kept by the call; NULL if it failed. */
PyObject *mlp_new_list_like(mlp_call *call, mlp_list like, ptrdiff_t rows, int ndim);

/* ---- for the other arguments: the steps that taking an array is made of ---- */

enum { MLP_TEXT_BYTES = 256 }; /* for a part of a message */

/* Sets `type` with "<name> must <what>, got <came>" and fails the call. Takes over
 * came, which may be NULL with an exception set. */
void mlp_reject(mlp_call *call, PyObject *type, const mlp_expectation *expected, const char *what,
                PyObject *came);
void mlp_reject_text(mlp_call *call, PyObject *type, const mlp_expectation *expected,
                     const char *what, const char *came);
void mlp_reject_shape(mlp_call *call, const mlp_expectation *expected, PyObject *array);
void mlp_reject_dtype(mlp_call *call, const mlp_expectation *expected, const char *what,
                      PyObject *array);

/* obj if it is an array and the call has not failed, else NULL. */
PyObject *mlp_require_array(mlp_call *call, PyObject *obj, const mlp_expectation *expected);

/* Whether an array has the call's dtype, which it settles if it is the first. */
bool mlp_check_dtype(mlp_call *call, PyObject *array, const mlp_expectation *expected);

/* Makes an array of one or two dimensions one of the call's, for the overlap check. Returns
 * what it is now, until the next is added: nothing else is looked at again, for another
 * thread may give the array another shape. NULL, with the call failed, for other dimensions
 * than are expected. */
const mlp_memory *mlp_add_array(mlp_call *call, PyObject *array, const mlp_expectation *expected);

/* The view of an array whose dtype is settled, and which becomes one of the call's;
 * everything else is checked here. */
mlp_matrix mlp_view_array(mlp_call *call, PyObject *array, const mlp_expectation *expected);

/* How many dimensions the i-th of these has. */
int mlp_ndim(const mlp_call *call, Py_ssize_t i);

/* All of these. */
mlp_matrix mlp_arg_array(mlp_call *call, PyObject *obj, const mlp_expectation *expected);

/* A new vector of cols elements (ndim 1) or matrix, kept by the call; NULL if it failed. */
PyObject *mlp_new_array(mlp_call *call, int ndim, ptrdiff_t rows, ptrdiff_t cols, int typenum);

/* NumPy's number of the call's dtype. */
int mlp_typenum(const mlp_call *call);

/* Keeps an object until the call ends; false, with the call failed, for NULL. */
bool mlp_keep(mlp_call *call, PyObject *obj);

#endif

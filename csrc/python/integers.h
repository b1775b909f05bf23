/* Integers from outside: row numbers, labels, where rows start. */
#ifndef MLP_PYINTEGERS_H
#define MLP_PYINTEGERS_H

#include "python/arrays.h"

/* Whether an array has as many dimensions and elements as are expected; fails the call if not. */
bool mlp_check_shape(mlp_call *call, PyObject *array, const mlp_expectation *expected);

/* A private array, int64 and contiguous, of n integers (or MLP_ANY) in [0, limit), kept by the
 * call; NULL if that failed. Those beyond are an exception of that type. What is checked before is
 * checked again of the copy: another thread may change the array. */
PyObject *mlp_arg_integers(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n,
                           ptrdiff_t limit, PyObject *beyond);

/* The same of n rows, with a limit for each column: another integer is a ValueError. */
PyObject *mlp_arg_integer_rows(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n,
                               const ptrdiff_t limits[], ptrdiff_t n_limits);

/* Where each of n things begins, and the last ends: n + 1 integers up to `most` that ascend from 0;
 * NULL if the call failed. */
const int64_t *mlp_arg_starts(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n,
                              ptrdiff_t most);

#endif

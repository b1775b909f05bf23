/* What a network is trained on as views and copies: rows, targets, orders. */
#ifndef MLP_PYDATA_H
#define MLP_PYDATA_H

#include <Python.h>

#include "kernels/data.h"
#include "python/arrays.h"

/* n labels in [0, k) where obj is a vector, else a row of k targets each, of the call's dtype or
 * bool. Labels are copied first and then checked, so that nobody can change them after. */
mlp_targets mlp_arg_targets(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n,
                            ptrdiff_t k);

/* How wide each head of so many outputs is: a vector of their widths. */
mlp_heads mlp_arg_heads(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n_outputs);

/* y: the tuple of an array of n rows of labels, one for each head, and of the heads' widths. */
mlp_targets mlp_arg_label_rows(mlp_call *call, PyObject *tuple, ptrdiff_t n, ptrdiff_t n_outputs);

/* X: a dense array of any type in MLP_ELEMENTS, which does not settle the call's dtype. */
mlp_input mlp_arg_dense(mlp_call *call, PyObject *obj);

/* X: a matrix of the call's dtype, of which all rows are used, or those of mlp_arg_batch. */
mlp_data mlp_arg_rows(mlp_call *call, PyObject *obj);

/* X: a dense array; the tuple (array, None) of one whose zeros are to be skipped, be they many or
 * not; or (values, columns, row_starts, n_columns) of a CSR matrix of the call's dtype, or of its
 * like where values are pairs, with a column 2c and the next for each c of `columns`; or coded rows
 * (codes.h). */
mlp_input mlp_arg_input(mlp_call *call, PyObject *obj);

/* To be called once it is known which rows of X are used: has the zeros of a dense array skipped
 * where they are mostly zeros, and counts the slots of sparse ones. */
void mlp_settle_rows(mlp_call *call, mlp_data *data);

/* Row numbers in [0, n_rows), copied, and how many; NULL for None. */
const int64_t *mlp_arg_order(mlp_call *call, PyObject *obj, const char *name, ptrdiff_t n_rows,
                             ptrdiff_t *n);

/* The rows of the data to use, None for all, and their targets, of y for all rows. Another row is
 * an IndexError. Labels of other rows are not looked at. */
void mlp_arg_batch(mlp_call *call, PyObject *rows, PyObject *y, ptrdiff_t n_outputs,
                   mlp_data *data);

/* A count that goes on, an int64 array of one element, and its value, which is in [0, 2**62). NULL
 * if the call failed. */
int64_t *mlp_arg_count(mlp_call *call, PyObject *obj, const char *name, int64_t *value);

/* New arrays, kept by the call, NULL if it failed: of an int64 for each row and one more, of n
 * unsigned integers of 2 or 4 bytes, and of n pairs of the call's dtype. */
PyObject *mlp_new_starts(mlp_call *call, ptrdiff_t rows, int64_t **data);
PyObject *mlp_new_columns(mlp_call *call, ptrdiff_t n, int bytes, void **data);
PyObject *mlp_new_pairs(mlp_call *call, ptrdiff_t n, void **data);

#endif

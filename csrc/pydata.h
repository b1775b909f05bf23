/* What a network is trained on as views and copies: rows, targets, orders. */
#ifndef MLP_PYDATA_H
#define MLP_PYDATA_H

#include "pyarrays.h"

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

#endif

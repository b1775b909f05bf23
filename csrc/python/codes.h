/* Coded rows from Python: a table and what its columns become. */
#ifndef MLP_PYCODES_H
#define MLP_PYCODES_H

#include <Python.h>

#include "kernels/data.h"
#include "python/arrays.h"

/* X where that is an object with the attributes `table`, a float64 array of rows; and of its
 * columns `kinds`, uint8 in the numbers of mlp_column_kind, `centers`, `scales` and `knots`, which
 * are float64, `knot_starts` and `unit_starts`, integers, one more than columns; and `bin_value`, a
 * number. All but the table are copied first and then checked. Returns whether it is such an
 * object, or the call has failed. */
bool mlp_arg_coded(mlp_call *call, PyObject *obj, mlp_input *x);

#endif

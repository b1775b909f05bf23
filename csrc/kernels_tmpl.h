/* Every kernel for one dtype; included by kernels_impl.h once for each. */

/* Element (i, j) of a view. */
static inline REAL *
FN(at)(const mlp_matrix *m, ptrdiff_t i, ptrdiff_t j)
{
    return (REAL *)m->data + i * m->row_stride + j * m->col_stride;
}

/* Rows begin to end of a view. */
static inline mlp_matrix
FN(rows_of)(const mlp_matrix *m, ptrdiff_t begin, ptrdiff_t end)
{
    mlp_matrix rows = *m;
    rows.data = FN(at)(m, begin, 0);
    rows.rows = end - begin;
    return rows;
}

/* Polls now and then in a loop over rows; returns whether to stop. */
static inline bool
FN(poll_row)(mlp_worker *worker, ptrdiff_t row)
{
    return row % 256 == 0 && mlp_poll(worker);
}

#include "vector_tmpl.h"

#include "gemm_tmpl.h"

#include "activations_tmpl.h"

#include "softmax_tmpl.h"

#include "losses_tmpl.h"

#include "sparse_tmpl.h"

#include "layers_tmpl.h"

#include "update_tmpl.h"

#include "epoch_tmpl.h"

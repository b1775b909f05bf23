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

/* Columns begin to end of a view. Where these end before those of the view, they end with a
 * whole vector, or the view is not padded. */
static inline mlp_matrix
FN(cols_of)(const mlp_matrix *m, ptrdiff_t begin, ptrdiff_t end)
{
    mlp_matrix cols = *m;
    cols.data = FN(at)(m, 0, begin);
    cols.cols = end - begin;
    return cols;
}

/* Of the kernels that work in their arguments alone. */
static size_t
FN(no_workspace)(const void *args, int n_threads)
{
    (void)args;
    (void)n_threads;
    return 0;
}

#include "poll_tmpl.h"

#include "vector_tmpl.h"

#include "gemm_tmpl.h"

#include "activations_tmpl.h"

#include "softmax_tmpl.h"

#include "losses_tmpl.h"

#include "input_tmpl.h"

#include "pairs_tmpl.h"

#include "row_product_tmpl.h"

#include "sparse_tmpl.h"

#include "nonzeros_tmpl.h"

#include "slice_tmpl.h"

#include "chunk_tmpl.h"

#include "layers_tmpl.h"

#include "predict_tmpl.h"

#include "update_tmpl.h"

#include "space_tmpl.h"

#include "epoch_tmpl.h"

/* Every kernel for one dtype; included by instance.h once for each. */

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

#include "kernels/poll.h"

#include "kernels/vector.h"

#include "kernels/gemm.h"

#include "kernels/activations.h"

#include "kernels/softmax.h"

#include "kernels/losses.h"

#include "kernels/rows.h"

#include "kernels/pairs.h"

#include "kernels/row_product.h"

#include "kernels/sparse.h"

#include "kernels/nonzeros.h"

#include "network/slice.h"

#include "network/chunk.h"

#include "network/layers.h"

#include "network/predict.h"

#include "kernels/update.h"

#include "network/space.h"

#include "network/epoch.h"

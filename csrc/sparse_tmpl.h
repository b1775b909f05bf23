/* The first layer on rows of a sparse matrix: only what is stored is multiplied,
 * in the order of the columns, so the sums are those of the dense product with
 * its zero terms left out.
 *
 * Columns were checked before; they are checked again where they are used, as
 * another thread could change them meanwhile.
 */

enum { FN(SPARSE_VECTORS) = 8 };

/* Rows of an input: those of an order from `first` on, or from row `first` on. */
typedef struct {
    const mlp_input *input;
    const int64_t *order;
    ptrdiff_t first;
} ROWS;

static inline ptrdiff_t
FN(row_number)(const ROWS *rows, ptrdiff_t i)
{
    return rows->order == NULL ? rows->first + i : (ptrdiff_t)rows->order[rows->first + i];
}

static inline ptrdiff_t
FN(index_at)(const void *indices, bool wide, ptrdiff_t i)
{
    return wide ? (ptrdiff_t)((const int64_t *)indices)[i] : ((const int32_t *)indices)[i];
}

/* Where the elements of a row begin and end. */
static inline void
FN(row_range)(const mlp_input *x, ptrdiff_t row, ptrdiff_t *begin, ptrdiff_t *end)
{
    *begin = FN(index_at)(x->row_starts, x->wide, row);
    *end = FN(index_at)(x->row_starts, x->wide, row + 1);
    if (*begin < 0 || *end > x->nnz) {
        *begin = *end = 0;
    }
}

/* out[i] = bias + sum of values * rows of weights, for rows row(i) of x. */
static void
FN(sparse_forward)(mlp_worker *worker, const ROWS *rows, const mlp_matrix *weights,
                   const mlp_matrix *bias, const mlp_matrix *out, ptrdiff_t first)
{
    const mlp_input *x = rows->input;
    const REAL *values = x->values;
    for (ptrdiff_t i = 0; i < out->rows && !FN(poll_row)(worker, i); i++) {
        ptrdiff_t begin, end;
        FN(row_range)(x, FN(row_number)(rows, first + i), &begin, &end);
        for (ptrdiff_t j = 0; j < out->cols; j += FN(SPARSE_VECTORS) * LANES) {
            VEC sums[FN(SPARSE_VECTORS)];
            for (ptrdiff_t v = 0; v < FN(SPARSE_VECTORS); v++) {
                sums[v] = FN(load)(FN(at)(bias, 0, j + v * LANES), bias->col_stride,
                                   out->cols - j - v * LANES);
            }
            for (ptrdiff_t e = begin; e < end; e++) {
                ptrdiff_t column = FN(index_at)(x->columns, x->wide, e);
                if (column < 0 || column >= x->cols) {
                    continue;
                }
                const REAL *w = FN(at)(weights, column, j);
                for (ptrdiff_t v = 0; v < FN(SPARSE_VECTORS); v++) {
                    sums[v] += values[e]
                               * FN(load)(w + v * LANES * weights->col_stride, weights->col_stride,
                                          out->cols - j - v * LANES);
                }
            }
            for (ptrdiff_t v = 0; v < FN(SPARSE_VECTORS); v++) {
                FN(store)
                (FN(at)(out, i, j + v * LANES), out->col_stride, out->cols - j - v * LANES,
                 sums[v]);
            }
        }
    }
}

/* dweights = x^T deltas for input units begin_unit to end_unit, going on from
 * dweights if `accumulate`. */
static void
FN(sparse_gradient)(mlp_worker *worker, const ROWS *rows, const mlp_matrix *deltas, bool accumulate,
                    const mlp_matrix *dweights, ptrdiff_t begin_unit, ptrdiff_t end_unit)
{
    const mlp_input *x = rows->input;
    const REAL *values = x->values;
    for (ptrdiff_t unit = begin_unit; unit < end_unit && !accumulate; unit++) {
        memset(FN(at)(dweights, unit, 0), 0, (size_t)dweights->cols * sizeof(REAL));
    }
    for (ptrdiff_t i = 0; i < deltas->rows && !FN(poll_row)(worker, i); i++) {
        ptrdiff_t begin, end;
        FN(row_range)(x, FN(row_number)(rows, i), &begin, &end);
        for (ptrdiff_t e = begin; e < end; e++) {
            ptrdiff_t unit = FN(index_at)(x->columns, x->wide, e);
            if (unit < begin_unit || unit >= end_unit) {
                continue;
            }
            REAL *sum = FN(at)(dweights, unit, 0);
            const REAL *delta = FN(at)(deltas, i, 0);
            for (ptrdiff_t j = 0; j < deltas->cols; j += LANES) {
                ptrdiff_t count = deltas->cols - j;
                FN(store)
                (sum + j, 1, count,
                 FN(load)(sum + j, 1, count) + values[e] * FN(load)(delta + j, 1, count));
            }
        }
    }
}

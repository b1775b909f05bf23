/* The product of one row with weights as they lie: the row's sums stay in registers
 * while the weights stream by, once. For rows that are too few to pack the weights or
 * to list the rows' elements for.
 */

enum { FN(RUN_VECTORS) = 8 }; /* sums that stay in registers */

/* A row: its elements, `stride` apart, or those of them that are not zero, as pairs. */
typedef struct {
    const REAL *elements; /* NULL where there are pairs */
    ptrdiff_t stride;
    const PAIR *pairs;
    const uint32_t *columns; /* of the pairs */
    ptrdiff_t count;         /* of elements, or of pairs */
} ROW;

/* out (n vectors, the last one `last` elements behind the first) = bias + row times
 * weights. */
static inline ALWAYS_INLINE void
FN(row_run)(int n, ROW row, const REAL *weights, ptrdiff_t w_rows, ptrdiff_t w_row,
            const REAL *bias, ptrdiff_t bias_col, REAL *out, ptrdiff_t last)
{
    VEC sums[FN(RUN_VECTORS)];
    for (int v = 0; v < n; v++) {
        sums[v] = FN(load)(bias + (v < n - 1 ? v * LANES : last) * bias_col, bias_col, LANES);
    }
    for (ptrdiff_t e = 0; e < row.count && row.elements == NULL; e++) {
        for (ptrdiff_t k = 0; k < 2; k++) {
            const REAL *w = weights + FN(pair_row)(row.columns[e], k, w_rows) * w_row;
            for (int v = 0; v < n; v++) {
                sums[v] +=
                    row.pairs[e].values[k] * *(const VEC *)(w + (v < n - 1 ? v * LANES : last));
            }
        }
    }
    for (ptrdiff_t e = 0; e < row.count && row.elements != NULL; e++) {
        const REAL *w = weights + e * w_row;
        for (int v = 0; v < n; v++) {
            sums[v] +=
                row.elements[e * row.stride] * *(const VEC *)(w + (v < n - 1 ? v * LANES : last));
        }
    }
    for (int v = 0; v < n; v++) {
        *(VEC *)(out + (v < n - 1 ? v * LANES : last)) = sums[v];
    }
}

/* The same for up to LANES columns, fewer or with strides. */
static void
FN(row_tail)(ROW row, const mlp_matrix *weights, ptrdiff_t j, const mlp_matrix *bias, REAL *out,
             ptrdiff_t out_col)
{
    ptrdiff_t cols = weights->cols - j, per_count = row.elements == NULL ? 2 : 1;
    VEC sums = FN(load)(FN(at)(bias, 0, j), bias->col_stride, cols);
    for (ptrdiff_t e = 0; e < row.count; e++) {
        for (ptrdiff_t k = 0; k < per_count; k++) {
            bool paired = row.elements == NULL;
            ptrdiff_t i = paired ? FN(pair_row)(row.columns[e], k, weights->rows) : e;
            REAL value = paired ? row.pairs[e].values[k] : row.elements[e * row.stride];
            sums += value * FN(load)(FN(at)(weights, i, j), weights->col_stride, cols);
        }
    }
    FN(store)(out + j * out_col, out_col, cols, sums);
}

/* out = bias + row times weights. */
static void
FN(multiply_row)(ROW row, const mlp_matrix *weights, const mlp_matrix *bias, REAL *out,
                 ptrdiff_t out_col)
{
    ptrdiff_t cols = weights->cols, w_row = weights->row_stride, bias_col = bias->col_stride;
    if (weights->col_stride != 1 || out_col != 1 || cols < LANES) {
        for (ptrdiff_t j = 0; j < cols; j += LANES) {
            FN(row_tail)(row, weights, j, bias, out, out_col);
        }
        return;
    }
    /* Runs of like length; the last vector moves back to end with the columns. */
    ptrdiff_t n_vectors = (cols + LANES - 1) / LANES;
    ptrdiff_t n_runs = (n_vectors + FN(RUN_VECTORS) - 1) / FN(RUN_VECTORS);
    ptrdiff_t run = (n_vectors + n_runs - 1) / n_runs;
    for (ptrdiff_t v = 0; v < n_vectors; v += run) {
        ptrdiff_t j = v * LANES, n = n_vectors - v < run ? n_vectors - v : run;
        ptrdiff_t last = j + n * LANES <= cols ? (n - 1) * LANES : cols - LANES - j;
        const REAL *w = FN(at)(weights, 0, j), *b = FN(at)(bias, 0, j);
        REAL *o = out + j;
        switch (n) {
#define RUN(n) \
    case n: FN(row_run)(n, row, w, weights->rows, w_row, b, bias_col, o, last); break;
            RUN(1) RUN(2) RUN(3) RUN(4) RUN(5) RUN(6) RUN(7) RUN(8)
#undef RUN
        }
    }
}

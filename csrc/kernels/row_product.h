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
        sums[v] =
            FN(load_biases)(bias + (v < n - 1 ? v * LANES : last) * bias_col, bias_col, LANES);
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
FN(row_tail)(ROW row, const mlp_matrix *weights, const mlp_matrix *bias, const mlp_matrix *out)
{
    ptrdiff_t cols = weights->cols, per_count = row.elements == NULL ? 2 : 1;
    VEC sums = FN(load_biases)(bias->data, bias->col_stride, cols);
    for (ptrdiff_t e = 0; e < row.count; e++) {
        for (ptrdiff_t k = 0; k < per_count; k++) {
            bool paired = row.elements == NULL;
            ptrdiff_t i = paired ? FN(pair_row)(row.columns[e], k, weights->rows) : e;
            REAL value = paired ? row.pairs[e].values[k] : row.elements[e * row.stride];
            sums += value * FN(load)(FN(at)(weights, i, 0), weights->col_stride, cols);
        }
    }
    FN(store)(out->data, out->col_stride, cols, sums);
}

/* out = bias + row times weights, for a run of n vectors of columns, or the tail where n is 0. The
 * last vector moves back to end with the columns; if it is the only one, into the run before, whose
 * sums there it makes once more from their start. */
static void
FN(multiply_run)(ptrdiff_t n, ROW row, const mlp_matrix *weights, const mlp_matrix *bias,
                 const mlp_matrix *out)
{
    const REAL *w = weights->data, *b = bias->data;
    ptrdiff_t last = weights->cols < n * LANES ? weights->cols - LANES : (n - 1) * LANES;
    switch (n) {
    case 0: FN(row_tail)(row, weights, bias, out); break;
#define RUN(n)                                                                                 \
    case n:                                                                                    \
        FN(row_run)                                                                            \
        (n, row, w, weights->rows, weights->row_stride, b, bias->col_stride, out->data, last); \
        break;
        RUN(1) RUN(2) RUN(3) RUN(4) RUN(5) RUN(6) RUN(7) RUN(8)
#undef RUN
    }
}

/* The row's elements, or pairs, from `begin` on, as many as there are between two polls. */
static inline ROW
FN(row_from)(ROW row, ptrdiff_t begin)
{
    row.count = row.count - begin < FN(POLL_WORK) ? row.count - begin : FN(POLL_WORK);
    if (row.elements != NULL) {
        row.elements += begin * row.stride;
    }
    else {
        row.pairs += begin;
        row.columns += begin;
    }
    return row;
}

/* out, a row, = bias + row times weights. Returns whether the team is to stop: then not all of
 * it is done. */
static bool
FN(multiply_row)(mlp_worker *worker, ROW row, const mlp_matrix *weights, const mlp_matrix *bias,
                 const mlp_matrix *out, ptrdiff_t *work)
{
    ptrdiff_t cols = weights->cols, n_vectors = (cols + LANES - 1) / LANES, run = 1;
    bool is_tail = weights->col_stride != 1 || out->col_stride != 1 || cols < LANES;
    if (!is_tail && n_vectors > 0) { /* runs of like length */
        ptrdiff_t n_runs = (n_vectors + FN(RUN_VECTORS) - 1) / FN(RUN_VECTORS);
        run = (n_vectors + n_runs - 1) / n_runs;
    }
    for (ptrdiff_t v = 0; v < n_vectors; v += run) {
        ptrdiff_t n = n_vectors - v < run ? n_vectors - v : run, begin = 0;
        ptrdiff_t end = cols < (v + n) * LANES ? cols : (v + n) * LANES;
        mlp_matrix w = FN(cols_of)(weights, v * LANES, end),
                   start = FN(cols_of)(bias, v * LANES, end);
        mlp_matrix sums = FN(cols_of)(out, v * LANES, end);
        do {
            ROW some = FN(row_from)(row, begin);
            FN(multiply_run)(is_tail ? 0 : n, some, &w, &start, &sums);
            if (FN(poll_work)(worker, work, (some.count + 1) * (end - v * LANES))) {
                return true;
            }
            begin += some.count;
            start = sums; /* which go on with the elements that are left */
            if (row.elements != NULL) {
                w = FN(rows_of)(&w, some.count, w.rows);
            }
        } while (begin < row.count);
    }
    return false;
}

/* The first layer on rows of which most elements are zero: only the others are
 * multiplied, in the order of the columns, so that the sums are those of the dense
 * product with its zero terms left out.
 *
 * The rows of a chunk are compacted first, into values and columns side by side,
 * with marks where each block of columns begins. A block's weights, for a few
 * vectors of outputs, then stay in the first-level cache while all rows of the
 * chunk pass over them.
 */

enum {
    FN(RUN_VECTORS) = 8,    /* sums that stay in registers */
    FN(BLOCK_COLUMNS) = 64, /* whose weights for a run fill half the first-level cache */
    FN(BLOCK_PLACES) = 8,   /* places a row should have in a block to be worth the visit */
};

/* Compacted rows. Row i has room for row_places elements from i * row_places on;
 * block b of its columns begins at marks[i * (n_blocks + 1) + b] among them. */
typedef struct {
    REAL *values;
    int32_t *columns;
    int32_t *marks;
    ptrdiff_t row_places;
    ptrdiff_t n_blocks, block_columns;
} COMPACT;

static inline int64_t
FN(column_at)(const void *p, int bytes, ptrdiff_t i)
{
    return bytes == 2   ? ((const uint16_t *)p)[i]
           : bytes == 4 ? ((const uint32_t *)p)[i]
                        : ((const int64_t *)p)[i];
}

/* Sets out room for `rows` compacted rows of x, for a layer of so many outputs. The
 * sums of a block, from which it is updated too, fit a second-level cache. */
static void
FN(take_compact)(mlp_arena *arena, const mlp_input *x, ptrdiff_t rows, ptrdiff_t width,
                 COMPACT *compact)
{
    ptrdiff_t mean_places = x->rows == 0 ? 0 : x->row_starts[x->rows] / x->rows;
    compact->row_places = x->row_places;
    ptrdiff_t most = x->cols / FN(BLOCK_COLUMNS) + 1, useful = mean_places / FN(BLOCK_PLACES) + 1;
    ptrdiff_t fitting = PACK_BYTES / (ptrdiff_t)sizeof(REAL) / (width + 1) + 1;
    ptrdiff_t least = x->cols / fitting + 1;
    useful = useful > least ? useful : least;
    compact->n_blocks = most < useful ? most : useful;
    compact->block_columns = x->cols / compact->n_blocks + 1;
    compact->values = mlp_take(arena, rows, compact->row_places, sizeof(REAL));
    compact->columns = mlp_take(arena, rows, compact->row_places, sizeof(int32_t));
    compact->marks = mlp_take(arena, rows, compact->n_blocks + 1, sizeof(int32_t));
}

/* Compacts a row of x as row i. Columns that do not ascend within their bounds,
 * which only another thread can have made, are passed over. */
static inline ALWAYS_INLINE void
FN(compact_row_of)(const mlp_input *x, int column_bytes, ptrdiff_t row, const COMPACT *compact,
                   ptrdiff_t i)
{
    REAL *values = compact->values + i * compact->row_places;
    int32_t *columns = compact->columns + i * compact->row_places;
    int32_t *marks = compact->marks + i * (compact->n_blocks + 1);
    const REAL *from = x->values == NULL ? FN(at)(&x->dense, row, 0) : x->values;
    ptrdiff_t begin = x->row_starts[row], end = x->row_starts[row + 1];
    ptrdiff_t n = 0, block = 0;
    int64_t last = -1, block_end = compact->block_columns;
    marks[0] = 0;
    for (ptrdiff_t e = begin; e < end; e++) {
        int64_t column = FN(column_at)(x->columns, column_bytes, e);
        if (column <= last || column >= x->cols) {
            continue;
        }
        last = column;
        for (; column >= block_end; block_end += compact->block_columns) {
            marks[++block] = (int32_t)n;
        }
        columns[n] = (int32_t)column;
        values[n] = x->values == NULL ? from[column * x->dense.col_stride] : from[e];
        n++;
    }
    while (block < compact->n_blocks) {
        marks[++block] = (int32_t)n;
    }
}

static void
FN(compact_row)(const mlp_input *x, ptrdiff_t row, const COMPACT *compact, ptrdiff_t i)
{
    switch (x->column_bytes) {
    case 2: FN(compact_row_of)(x, 2, row, compact, i); break;
    case 4: FN(compact_row_of)(x, 4, row, compact, i); break;
    default: FN(compact_row_of)(x, 8, row, compact, i); break;
    }
}

/* How many vectors of outputs to take next from column *j of cols on; where a
 * last one would pass the end, *j moves back: outputs it then shares with the one
 * before come out the same. 0 stands for one vector that is not whole. */
static inline int
FN(next_run)(ptrdiff_t cols, ptrdiff_t *j)
{
    if (cols < LANES) {
        return 0;
    }
    *j = *j < cols - LANES ? *j : cols - LANES;
    ptrdiff_t whole = (cols - *j) / LANES;
    return whole >= FN(RUN_VECTORS) ? FN(RUN_VECTORS) : whole >= 4 ? 4 : whole >= 2 ? 2 : 1;
}

/* out[i, run] goes on from itself, or from the bias in the first block, with the
 * products of row i's elements in the block. */
static inline ALWAYS_INLINE void
FN(forward_run_of)(int n, const COMPACT *compact, ptrdiff_t block, const mlp_matrix *weights,
                   const mlp_matrix *bias, const mlp_matrix *out, ptrdiff_t first, ptrdiff_t j)
{
    ptrdiff_t w_col = n == 0 ? weights->col_stride : 1, count = n == 0 ? weights->cols : LANES;
    ptrdiff_t out_col = n == 0 ? out->col_stride : 1;
    int n_vectors = n == 0 ? 1 : n;
    for (ptrdiff_t i = 0; i < out->rows; i++) {
        const int32_t *marks = compact->marks + (first + i) * (compact->n_blocks + 1) + block;
        const int32_t *columns = compact->columns + (first + i) * compact->row_places;
        const REAL *values = compact->values + (first + i) * compact->row_places;
        REAL *to = FN(at)(out, i, j);
        VEC sums[FN(RUN_VECTORS)];
        for (int v = 0; v < n_vectors; v++) {
            sums[v] = block > 0 ? FN(load)(to + v * LANES, out_col, count)
                                : FN(load)(FN(at)(bias, 0, j + v * LANES), bias->col_stride, count);
        }
        for (ptrdiff_t e = marks[0], end = marks[1]; e < end; e++) {
            const REAL *w = FN(at)(weights, columns[e], j);
            for (int v = 0; v < n_vectors; v++) {
                sums[v] += values[e] * FN(load)(w + v * LANES, w_col, count);
            }
        }
        for (int v = 0; v < n_vectors; v++) {
            FN(store)(to + v * LANES, out_col, count, sums[v]);
        }
    }
}

static void
FN(forward_run)(int n, const COMPACT *compact, ptrdiff_t block, const mlp_matrix *weights,
                const mlp_matrix *bias, const mlp_matrix *out, ptrdiff_t first, ptrdiff_t j)
{
    switch (n) {
    case 8: FN(forward_run_of)(8, compact, block, weights, bias, out, first, j); break;
    case 4: FN(forward_run_of)(4, compact, block, weights, bias, out, first, j); break;
    case 2: FN(forward_run_of)(2, compact, block, weights, bias, out, first, j); break;
    case 1: FN(forward_run_of)(1, compact, block, weights, bias, out, first, j); break;
    default: FN(forward_run_of)(0, compact, block, weights, bias, out, first, j); break;
    }
}

/* out = bias + x weights for compacted rows from `first` on, as many as out has. */
static void
FN(sparse_forward)(mlp_worker *worker, const COMPACT *compact, const mlp_matrix *weights,
                   const mlp_matrix *bias, const mlp_matrix *out, ptrdiff_t first)
{
    bool plain = weights->col_stride == 1 && out->col_stride == 1;
    int n;
    for (ptrdiff_t j = 0; j < out->cols; j += n == 0 ? LANES : n * LANES) {
        n = FN(next_run)(plain ? out->cols : 0, &j);
        mlp_matrix w = *weights, o = *out, b = *bias;
        if (n == 0) { /* what is left, at most a vector of it */
            w.cols = out->cols - j < LANES ? out->cols - j : LANES;
        }
        for (ptrdiff_t block = 0; block < compact->n_blocks && !mlp_poll(worker); block++) {
            FN(forward_run)(n, compact, block, &w, &b, &o, first, j);
        }
    }
}

/* sums (block_columns rows, padded to whole vectors) goes on with the products of
 * the block's elements of `rows` compacted rows with their deltas, also padded. */
static inline ALWAYS_INLINE void
FN(gradient_run_of)(int n, const COMPACT *compact, ptrdiff_t block, const mlp_matrix *deltas,
                    const mlp_matrix *sums, ptrdiff_t j)
{
    ptrdiff_t stride = sums->row_stride, first_column = block * compact->block_columns;
    REAL *first = FN(at)(sums, 0, j);
    for (ptrdiff_t i = 0; i < deltas->rows; i++) {
        const int32_t *marks = compact->marks + i * (compact->n_blocks + 1) + block;
        const int32_t *columns = compact->columns + i * compact->row_places;
        const REAL *values = compact->values + i * compact->row_places;
        const VEC *delta = (const VEC *)FN(at)(deltas, i, j);
        VEC d[FN(RUN_VECTORS)];
        for (int v = 0; v < n; v++) {
            d[v] = delta[v];
        }
        for (ptrdiff_t e = marks[0], end = marks[1]; e < end; e++) {
            REAL *sum = first + (columns[e] - first_column) * stride;
            VEC value = FN(splat)(values[e]);
            VEC terms[FN(RUN_VECTORS)];
            for (int v = 0; v < n; v++) {
                terms[v] = ((const VEC *)sum)[v] + value * d[v];
            }
            for (int v = 0; v < n; v++) {
                ((VEC *)sum)[v] = terms[v];
            }
        }
    }
}

/* sums = x^T deltas for the columns of a block, or added to. */
static void
FN(sparse_gradient)(const COMPACT *compact, ptrdiff_t block, const mlp_matrix *deltas,
                    bool accumulate, const mlp_matrix *sums)
{
    ptrdiff_t cols = (deltas->cols + LANES - 1) / LANES * LANES;
    for (ptrdiff_t i = 0; i < sums->rows && !accumulate; i++) {
        memset(FN(at)(sums, i, 0), 0, (size_t)cols * sizeof(REAL));
    }
    int n;
    for (ptrdiff_t j = 0; j < cols; j += n * LANES) {
        n = FN(next_run)(cols, &j);
        switch (n) {
        case 8: FN(gradient_run_of)(8, compact, block, deltas, sums, j); break;
        case 4: FN(gradient_run_of)(4, compact, block, deltas, sums, j); break;
        case 2: FN(gradient_run_of)(2, compact, block, deltas, sums, j); break;
        default: FN(gradient_run_of)(1, compact, block, deltas, sums, j); break;
        }
    }
}

/* ---- finding the places in a dense array ---- */

static void
FN(count_nonzeros)(mlp_worker *worker, void *arguments)
{
    mlp_count_nonzeros_args *args = arguments;
    const mlp_matrix *x = &args->x;
    ptrdiff_t begin, end;
    mlp_share(worker, x->rows, 1, &begin, &end);
    ptrdiff_t work = 0;
    for (ptrdiff_t i = begin; i < end && !FN(poll_work)(worker, &work, x->cols); i++) {
        BITS_VEC counts = {0};
        for (ptrdiff_t j = 0; j < x->cols; j += LANES) {
            counts -= FN(load)(FN(at)(x, i, j), x->col_stride, x->cols - j) != 0;
        }
        args->counts[i] = 0;
        for (ptrdiff_t lane = 0; lane < LANES; lane++) {
            args->counts[i] += counts[lane];
        }
    }
}

static void
FN(list_nonzeros)(mlp_worker *worker, void *arguments)
{
    mlp_list_nonzeros_args *args = arguments;
    const mlp_matrix *x = &args->x;
    ptrdiff_t begin, end;
    mlp_share(worker, x->rows, 1, &begin, &end);
    ptrdiff_t work = 0;
    for (ptrdiff_t i = begin; i < end && !FN(poll_work)(worker, &work, x->cols); i++) {
        ptrdiff_t at = args->row_starts[i], row_end = args->row_starts[i + 1];
        for (ptrdiff_t j = 0; j < x->cols && at < row_end; j++) {
            /* Written always, kept where it counts: no branch on the data. */
            if (args->column_bytes == 2) {
                ((uint16_t *)args->columns)[at] = (uint16_t)j;
            }
            else {
                ((uint32_t *)args->columns)[at] = (uint32_t)j;
            }
            at += *FN(at)(x, i, j) != 0;
        }
    }
}

/* The first layer on rows of which most elements are zero: only pairs of which one is not are
 * multiplied, in the order of the columns, so that the sums are those of the dense product with
 * most of its zero terms left out.
 *
 * Pairs are listed by column (strips.h). Forward, the weights of a column stay in registers while
 * the sums of its rows come from the first-level cache and go back; for the gradient, its sums stay
 * in registers while the rows' deltas come from there. Both take some vectors of the rows at a
 * time, in runs of like length.
 */
#ifndef MLP_SPARSE_TEMPLATE
#define MLP_SPARSE_TEMPLATE

#include "kernels/pairs.h"
#include "kernels/poll.h"
#include "kernels/row_product.h"
#include "kernels/rows.h"
#include "kernels/strips.h"
#include "kernels/tuning.h"

#define STRIP FN(strip)
#define ASIDE FN(aside)
#define PAIR_COLUMNS FN(pair_columns)

/* How many vectors a run of `cols` columns has. */
static inline ptrdiff_t
FN(list_run)(ptrdiff_t cols)
{
    ptrdiff_t n_vectors = mlp_ceil_div(cols, LANES);
    ptrdiff_t n_runs = mlp_ceil_div(n_vectors, FN(LIST_VECTORS));
    return n_runs == 0 ? 1 : mlp_ceil_div(n_vectors, n_runs);
}

/* ---- forward ---- */

/* Rows that are listed together. */
typedef struct {
    const mlp_pairs *pairs;
    ptrdiff_t number;
} STRIP;

/* What goes on beside the products, column by column: polls; and asking for the rows that come
 * next, so that they are near when they are loaded. */
typedef struct {
    mlp_poller poller;
    const mlp_data *data;
    ptrdiff_t next, end; /* rows to ask for */
    ptrdiff_t steps, rows, done;
} ASIDE;

static inline ALWAYS_INLINE void
FN(ask_ahead)(ASIDE *aside)
{
    aside->done += aside->rows;
    if (aside->done >= aside->steps && aside->next < aside->end) {
        FN(prefetch_row)(aside->data, aside->next++);
        aside->done -= aside->steps;
    }
}

/* out, n vectors of a strip's rows, += the strip's pairs times their columns' weights. With
 * `whole`, so many weights can be loaded of each row. Returns whether the team is to stop. */
static inline ALWAYS_INLINE bool
FN(add_strip)(int n, bool whole, STRIP strip, const mlp_matrix *weights, const mlp_matrix *out,
              ASIDE *aside)
{
    const mlp_pairs *pairs = strip.pairs;
    const ptrdiff_t *begins = FN(begins_of)(pairs, strip.number);
    ptrdiff_t stride = out->row_stride, tail = whole ? n * LANES : out->cols;
    ptrdiff_t col = whole ? 1 : weights->col_stride;
    REAL *first_out = out->data;
    ptrdiff_t first_row = strip.number * pairs->strip_rows;
    for (ptrdiff_t c = 0; c < pairs->cols; c++) {
        const ENTRY *e = (const ENTRY *)pairs->entries + begins[c];
        const ENTRY *last = (const ENTRY *)pairs->entries + begins[c + 1];
        FN(ask_ahead)(aside);
        if (mlp_poll_after(&aside->poller, (last - e) * n * LANES + 1)) {
            return true;
        }
        if (e == last) {
            continue;
        }
        VEC w[2][FN(LIST_VECTORS)];
        for (ptrdiff_t k = 0; k < 2; k++) {
            const REAL *p = FN(at)(weights, FN(pair_row)((uint32_t)c, k, weights->rows), 0);
            for (int v = 0; v < n; v++) {
                w[k][v] = FN(load)(p + v * LANES * col, col, tail - v * LANES);
            }
        }
        for (; e < last; e++) {
            assert(first_row <= e->row && e->row - first_row < out->rows);
            VEC *sums = (VEC *)(first_out + ((ptrdiff_t)e->row - first_row) * stride);
            REAL first = e->pair.values[0], second = e->pair.values[1];
            for (int v = 0; v < n; v++) {
                VEC sum = sums[v] + first * w[0][v];
                sums[v] = sum + second * w[1][v];
            }
        }
    }
    return false;
}

/* out = bias + a strip's rows times weights, for a run of columns. The rows of out are padded.
 * Returns whether the team is to stop. */
static bool
FN(multiply_strip)(STRIP strip, const mlp_matrix *weights, const mlp_matrix *bias,
                   const mlp_matrix *out, ASIDE *aside)
{
    ptrdiff_t n = mlp_ceil_div(out->cols, LANES);
    for (ptrdiff_t j = 0; j < out->cols; j += LANES) {
        VEC start = FN(load_biases)(FN(at)(bias, 0, j), bias->col_stride, out->cols - j);
        for (ptrdiff_t i = 0; i < out->rows; i++) {
            *(VEC *)FN(at)(out, i, j) = start;
        }
    }
    bool whole = weights->col_stride == 1 && (weights->padded || out->cols == n * LANES);
    bool stop = false;
    switch (n) {
#define RUN(n)                                                              \
    case n:                                                                 \
        stop = whole ? FN(add_strip)(n, true, strip, weights, out, aside)   \
                     : FN(add_strip)(n, false, strip, weights, out, aside); \
        break;
        RUN(1) RUN(2) RUN(3) RUN(4)
#undef RUN
    }
    for (ptrdiff_t i = 0; i < out->rows; i++) {
        for (ptrdiff_t j = 0; j < n * LANES; j += LANES) {
            VEC *sums = (VEC *)FN(at)(out, i, j);
            *sums = FN(end_sums)(*sums);
        }
    }
    return stop;
}

/* By columns. */
static bool
FN(multiply_strips)(mlp_worker *worker, const mlp_rows *rows, const mlp_matrix *weights,
                    const mlp_matrix *bias, const mlp_matrix *out)
{
    const mlp_pairs *pairs = &rows->pairs;
    const ptrdiff_t strip_rows = pairs->strip_rows, n = rows->end - rows->begin;
    const ptrdiff_t run = FN(list_run)(out->cols), next = rows->span.first + rows->span.n;
    const ptrdiff_t n_runs = mlp_ceil_div(mlp_ceil_div(out->cols, LANES), run);
    assert(n == 0 || rows->begin % strip_rows == 0); /* a member without rows begins anywhere */
    assert(n <= out->rows);
    ASIDE aside = {
        .poller = {worker, 0},
        .data = rows->span.data,
        .next = next + rows->load_begin,
        .end = next + rows->load_end,
        .steps = mlp_ceil_div(n, strip_rows) * n_runs * pairs->cols,
        .rows = rows->load_end - rows->load_begin,
    };
    for (ptrdiff_t i = 0; i < n; i += strip_rows) {
        STRIP strip = {pairs, (rows->begin + i) / strip_rows};
        mlp_matrix strip_out = mlp_rows_of(out, i, i + mlp_min(n - i, strip_rows));
        for (ptrdiff_t j = 0; j < out->cols; j += run * LANES) {
            ptrdiff_t end = j + mlp_min(out->cols - j, run * LANES);
            mlp_matrix w = mlp_cols_of(weights, j, end), b = mlp_cols_of(bias, j, end);
            mlp_matrix sums = mlp_cols_of(&strip_out, j, end);
            if (FN(multiply_strip)(strip, &w, &b, &sums, &aside)) {
                return true;
            }
        }
    }
    return false;
}

static bool
FN(multiply_pairs)(mlp_worker *worker, const mlp_rows *rows, const mlp_matrix *weights,
                   const mlp_matrix *bias, const mlp_matrix *out)
{
    const mlp_pairs *pairs = &rows->pairs;
    assert(rows->is_sparse && out->rows >= rows->end - rows->begin);
    if (pairs->n_strips > 0 && out->padded && mlp_are_many(rows)) {
        return FN(multiply_strips)(worker, rows, weights, bias, out);
    }
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t i = rows->begin; i < rows->end; i++) {
        TERMS row = {
            .pairs = pairs->pairs[i], .columns = pairs->columns[i], .count = pairs->counts[i]};
        mlp_matrix sums = mlp_rows_of(out, i - rows->begin, i - rows->begin + 1);
        if (FN(multiply_row)(&poller, row, weights, bias, &sums)) {
            return true;
        }
    }
    return false;
}

/* ---- the gradient ---- */

/* Some columns of listed pairs. */
typedef struct {
    const mlp_pairs *pairs;
    ptrdiff_t begin, end;
} PAIR_COLUMNS;

/* sums, n vectors for each column of the pairs, = the pairs times their rows' deltas, or that
 * added; not all of them where the team is to stop. */
static inline ALWAYS_INLINE void
FN(sum_columns)(int n, mlp_poller *poller, PAIR_COLUMNS x, const mlp_matrix *deltas,
                bool accumulate, const mlp_matrix *sums)
{
    const mlp_pairs *pairs = x.pairs;
    const REAL *first_delta = deltas->data;
    ptrdiff_t stride = deltas->row_stride;
    for (ptrdiff_t c = x.begin; c < x.end; c++) {
        VEC *out[2] = {(VEC *)FN(at)(sums, 2 * (c - x.begin), 0),
                       (VEC *)FN(at)(sums, 2 * (c - x.begin) + 1, 0)};
        VEC run[2][FN(LIST_VECTORS)];
        for (int v = 0; v < n; v++) {
            run[0][v] = accumulate ? out[0][v] : (VEC){0};
            run[1][v] = accumulate ? out[1][v] : (VEC){0};
        }
        const ptrdiff_t *begins = pairs->entry_begins + c;
        for (ptrdiff_t strip = 0; strip < pairs->n_strips; strip++, begins += pairs->cols + 1) {
            const ENTRY *entries = pairs->entries, *last = entries + begins[1];
            if (mlp_poll_after(poller, (begins[1] - begins[0] + 1) * n * LANES)) {
                return;
            }
            for (const ENTRY *e = entries + begins[0]; e < last; e++) {
                assert(e->row < deltas->rows);
                const VEC *delta = (const VEC *)(first_delta + (ptrdiff_t)e->row * stride);
                for (int v = 0; v < n; v++) {
                    run[0][v] += e->pair.values[0] * delta[v];
                    run[1][v] += e->pair.values[1] * delta[v];
                }
            }
        }
        for (int v = 0; v < n; v++) {
            out[0][v] = FN(end_sums)(run[0][v]);
            out[1][v] = FN(end_sums)(run[1][v]);
        }
    }
}

static void
FN(multiply_pairs_transposed)(mlp_worker *worker, const mlp_pairs *pairs, ptrdiff_t begin,
                              const mlp_matrix *deltas, bool accumulate, const mlp_matrix *sums)
{
    PAIR_COLUMNS x = {pairs, begin / 2, mlp_count_pair_columns(begin + sums->rows)};
    assert(begin % 2 == 0 && x.end <= pairs->cols);
    ptrdiff_t run = FN(list_run)(deltas->cols);
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t j = 0; j < deltas->cols; j += run * LANES) {
        ptrdiff_t end = j + mlp_min(deltas->cols - j, run * LANES);
        mlp_matrix some = mlp_cols_of(deltas, j, end), out = mlp_cols_of(sums, j, end);
        switch (mlp_ceil_div(some.cols, LANES)) {
#define RUN(n) \
    case n: FN(sum_columns)(n, &poller, x, &some, accumulate, &out); break;
            RUN(1) RUN(2) RUN(3) RUN(4)
#undef RUN
        }
    }
}

#endif

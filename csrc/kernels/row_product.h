/* Products with weights as they lie, for rows that are too few to pack the weights or to list the
 * rows' elements for. Of one row, the sums stay in registers while the weights stream by, once; of
 * several, tiles of the sums do, where the weights have whole vectors.
 */
#ifndef MLP_ROW_PRODUCT_TEMPLATE
#define MLP_ROW_PRODUCT_TEMPLATE

#include "kernels/gemm.h"
#include "kernels/pairs.h"
#include "kernels/poll.h"
#include "kernels/tuning.h"
#include "kernels/vector.h"

#define TERMS FN(terms)

/* What a row multiplies weights with: its elements, `stride` apart, or those of them that are not
 * zero, as pairs. */
typedef struct {
    const REAL *elements; /* NULL where there are pairs */
    ptrdiff_t stride;
    const PAIR *pairs;
    const uint32_t *columns; /* of the pairs */
    ptrdiff_t count;         /* of elements, or of pairs */
} TERMS;

/* Where vector v of a run of n begins: the last one at `last`. */
static inline ALWAYS_INLINE ptrdiff_t
FN(run_column)(int n, int v, ptrdiff_t last)
{
    return v < n - 1 ? v * LANES : last;
}

/* out = bias + row times weights, for a run of n vectors of contiguous columns, of a row that has
 * LANES at least. The last vector moves back to end with the columns: into the vector before or, if
 * it is the only one, the run before, whose sums there it makes once more from their start. */
static inline ALWAYS_INLINE void
FN(multiply_vectors)(int n, TERMS row, const mlp_matrix *weights, const mlp_matrix *bias,
                     const mlp_matrix *out)
{
    const ptrdiff_t w_row = weights->row_stride, bias_col = bias->col_stride;
    const ptrdiff_t last = weights->cols < n * LANES ? weights->cols - LANES : (n - 1) * LANES;
    VEC sums[FN(RUN_VECTORS)];
    for (int v = 0; v < n; v++) {
        const REAL *b = (const REAL *)bias->data + FN(run_column)(n, v, last) * bias_col;
        sums[v] = FN(load_biases)(b, bias_col, LANES);
    }
    for (ptrdiff_t e = 0; e < row.count && row.elements == NULL; e++) {
        for (ptrdiff_t k = 0; k < 2; k++) {
            ptrdiff_t i = FN(pair_row)(row.columns[e], k, weights->rows);
            const REAL *w = (const REAL *)weights->data + i * w_row;
            for (int v = 0; v < n; v++) {
                sums[v] += row.pairs[e].values[k] * *(const VEC *)(w + FN(run_column)(n, v, last));
            }
        }
    }
    for (ptrdiff_t e = 0; e < row.count && row.elements != NULL; e++) {
        const REAL *w = (const REAL *)weights->data + e * w_row;
        for (int v = 0; v < n; v++) {
            sums[v] +=
                row.elements[e * row.stride] * *(const VEC *)(w + FN(run_column)(n, v, last));
        }
    }
    for (int v = 0; v < n; v++) {
        *(VEC *)((REAL *)out->data + FN(run_column)(n, v, last)) = FN(end_sums)(sums[v]);
    }
}

/* The same for up to LANES columns, fewer or with strides. */
static void
FN(multiply_tail)(TERMS row, const mlp_matrix *weights, const mlp_matrix *bias,
                  const mlp_matrix *out)
{
    assert(weights->cols <= LANES);
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
    FN(store)(out->data, out->col_stride, cols, FN(end_sums)(sums));
}

/* Either, by the number of vectors, which is 0 for a tail. */
static void
FN(multiply_run)(ptrdiff_t n, TERMS row, const mlp_matrix *weights, const mlp_matrix *bias,
                 const mlp_matrix *out)
{
    switch (n) {
    case 0: FN(multiply_tail)(row, weights, bias, out); break;
#define RUN(n) \
    case n: FN(multiply_vectors)(n, row, weights, bias, out); break;
        RUN(1) RUN(2) RUN(3) RUN(4) RUN(5) RUN(6) RUN(7) RUN(8)
#undef RUN
    }
}

/* The row's terms from `begin` on, as many as there are between two polls. */
static inline TERMS
FN(terms_from)(TERMS row, ptrdiff_t begin)
{
    row.count = mlp_min(row.count - begin, MLP_POLL_WORK);
    if (row.elements != NULL) {
        row.elements += begin * row.stride;
    }
    else {
        row.pairs += begin;
        row.columns += begin;
    }
    return row;
}

/* out, a row, = bias + row times weights, in runs of vectors of like length. Returns whether the
 * team is to stop. */
static bool
FN(multiply_row)(mlp_poller *poller, TERMS row, const mlp_matrix *weights, const mlp_matrix *bias,
                 const mlp_matrix *out)
{
    ptrdiff_t cols = weights->cols, n_vectors = mlp_ceil_div(cols, LANES), run = 1;
    bool is_tail = weights->col_stride != 1 || out->col_stride != 1 || cols < LANES;
    if (!is_tail && n_vectors > 0) {
        run = mlp_ceil_div(n_vectors, mlp_ceil_div(n_vectors, FN(RUN_VECTORS)));
    }
    for (ptrdiff_t v = 0; v < n_vectors; v += run) {
        ptrdiff_t n = mlp_min(n_vectors - v, run), begin = 0;
        ptrdiff_t first = v * LANES, end = mlp_min(cols, (v + n) * LANES);
        mlp_matrix w = mlp_cols_of(weights, first, end), start = mlp_cols_of(bias, first, end);
        mlp_matrix sums = mlp_cols_of(out, first, end);
        do {
            TERMS some = FN(terms_from)(row, begin);
            FN(multiply_run)(is_tail ? 0 : n, some, &w, &start, &sums);
            if (mlp_poll_after(poller, (some.count + 1) * (end - first))) {
                return true;
            }
            begin += some.count;
            start = sums; /* which go on with the terms that are left */
            if (row.elements != NULL) {
                w = mlp_rows_of(&w, some.count, w.rows);
            }
        } while (begin < row.count);
    }
    return false;
}

static bool
FN(multiply_few)(mlp_worker *worker, const mlp_matrix *a, const mlp_matrix *weights,
                 const mlp_matrix *bias, const mlp_matrix *out)
{
    assert(a->rows == out->rows && a->cols == weights->rows && weights->cols == out->cols);
    if (out->rows > 1 && mlp_has_whole_vectors(weights, LANES)) {
        PANELS as_they_lie = {weights->data, 1, weights->row_stride};
        return FN(multiply_panels)(worker, a, as_they_lie, out, (mlp_start){.bias = bias});
    }
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t i = 0; i < out->rows; i++) {
        TERMS row = {.elements = FN(at)(a, i, 0), .stride = a->col_stride, .count = a->cols};
        mlp_matrix sums = mlp_rows_of(out, i, i + 1);
        if (FN(multiply_row)(&poller, row, weights, bias, &sums)) {
            return true;
        }
    }
    return false;
}

#endif

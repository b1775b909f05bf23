/* Loading rows of the data: dense ones, or pairs of sparse and coded ones. */
#ifndef MLP_LOAD_TEMPLATE
#define MLP_LOAD_TEMPLATE

#include "kernels/codes.h"
#include "kernels/dropout.h"
#include "kernels/pairs.h"
#include "kernels/poll.h"
#include "kernels/rows.h"
#include "kernels/tuning.h"

/* Loads a row of x as row i, to slots from `slot` on; returns how many it took. A column out of
 * range, which only another thread can have made, counts as the last one. */
static ptrdiff_t
FN(load_pairs_of_row)(mlp_worker *worker, const mlp_input *x, ptrdiff_t row,
                      const mlp_pairs *loaded, ptrdiff_t i, ptrdiff_t slot)
{
    uint32_t *columns = loaded->column_slots + slot;
    PAIR *slots = (PAIR *)loaded->pair_slots + slot;
    loaded->columns[i] = columns;
    if (x->codes != NULL) {
        loaded->pairs[i] = slots;
        loaded->counts[i] = FN(code_row)(worker, x, row, slots, columns);
        return loaded->counts[i];
    }
    if (x->values == NULL) {
        /* Elements may be converted in the list's own place. */
        ROW elements = FN(dense_row)(worker, x, row, slots->values);
        loaded->pairs[i] = slots;
        loaded->counts[i] = FN(list_pairs_of_row)(worker, elements, slots, columns, loaded->cols);
        return loaded->counts[i];
    }
    ptrdiff_t begin = x->row_starts[row], n = x->cols == 0 ? 0 : x->row_starts[row + 1] - begin;
    uint32_t last = (uint32_t)(x->is_paired ? loaded->cols : x->cols) - 1;
    const char *from = (const char *)x->columns + begin * x->column_bytes;
    switch (x->column_bytes) {
    case 2: n = FN(copy_columns)(worker, from, 2, n, last, columns); break;
    case 4: n = FN(copy_columns)(worker, from, 4, n, last, columns); break;
    default: n = FN(copy_columns)(worker, from, 8, n, last, columns); break;
    }
    if (x->is_paired) {
        loaded->pairs[i] = (const PAIR *)x->values + begin;
        loaded->counts[i] = n;
        return n;
    }
    loaded->pairs[i] = slots;
    loaded->counts[i] = FN(join_pairs)(worker, (const REAL *)x->values + begin, columns, n, slots);
    return loaded->counts[i];
}

/* Loads the pairs of the member's rows. Where the team is to stop, the rows that are left have
 * none.
 */
static void
FN(load_pairs)(mlp_worker *worker, const mlp_rows *rows)
{
    const mlp_span *span = &rows->span;
    const mlp_data *data = span->data;
    const mlp_pairs *pairs = &rows->pairs;
    ptrdiff_t slot = mlp_count_slots(data, span->first, rows->load_begin);
    ptrdiff_t i = rows->load_begin;
    mlp_poller poller = {worker, 0};
    bool stop = false;
    for (; i < rows->load_end && !stop; i++) {
        if (i + FN(SPARSE_AHEAD) < rows->load_end) {
            FN(prefetch_row)(data, span->first + i + FN(SPARSE_AHEAD));
        }
        ptrdiff_t row = mlp_data_row(data, span->first + i);
        ptrdiff_t n = FN(load_pairs_of_row)(worker, &data->x, row, pairs, i, slot);
        if (rows->mask.probability > 0) {
            PAIR *dropped = (PAIR *)pairs->pair_slots + slot;
            FN(drop_pairs)(worker, &rows->mask, i, pairs->columns[i], n, pairs->pairs[i], dropped);
            pairs->pairs[i] = dropped;
        }
        stop = mlp_poll_after(&poller, data->x.values == NULL ? data->x.dense.cols : n);
        slot += n;
    }
    for (; i < rows->load_end; i++) {
        pairs->columns[i] = pairs->column_slots + slot;
        pairs->counts[i] = 0;
    }
}

static void
FN(load_rows)(mlp_worker *worker, const mlp_rows *rows)
{
    assert(0 <= rows->load_begin && rows->load_end <= rows->span.n);
    if (rows->is_sparse) {
        FN(load_pairs)(worker, rows);
    }
    else {
        FN(load_dense_rows)(worker, rows);
    }
}

/* Whether n elements, `stride` apart, are finite. True as well where the team is to stop. */
static inline bool
FN(are_all_finite)(mlp_worker *worker, const REAL *elements, ptrdiff_t stride, ptrdiff_t n)
{
    VEC sum = {0};
    for (mlp_segment some = {0}; mlp_next_segment(worker, n, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            VEC v = FN(load)(elements + j * stride, stride, n - j);
            sum += v - v; /* 0, or NaN, which stays */
        }
    }
    bool is_finite = true;
    for (ptrdiff_t lane = 0; lane < LANES; lane++) {
        is_finite &= sum[lane] == 0;
    }
    return is_finite;
}

static bool
FN(are_finite)(mlp_worker *worker, const mlp_rows *rows)
{
    const mlp_pairs *pairs = &rows->pairs;
    mlp_poller poller = {worker, 0};
    bool are_finite = true;
    for (ptrdiff_t i = rows->load_begin; i < rows->load_end && are_finite; i++) {
        if (rows->is_sparse) { /* what is not in a pair is 0 */
            are_finite = FN(are_all_finite)(worker, pairs->pairs[i], 1, 2 * pairs->counts[i]);
        }
        else {
            const REAL *row = FN(at)(&rows->x, i, 0);
            are_finite = FN(are_all_finite)(worker, row, rows->x.col_stride, rows->x.cols);
        }
        if (mlp_poll_after(&poller, rows->is_sparse ? pairs->counts[i] : rows->x.cols)) {
            return true;
        }
    }
    return are_finite;
}

#endif

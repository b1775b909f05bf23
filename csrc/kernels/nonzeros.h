/* Counting and listing the pairs of a dense array. */
#ifndef MLP_NONZEROS_TEMPLATE
#define MLP_NONZEROS_TEMPLATE

#include "kernels/pairs.h"
#include "kernels/poll.h"
#include "kernels/rows.h"

/* How many pairs a row has; or less where the team is to stop. */
static ptrdiff_t
FN(count_pairs_of_row)(mlp_worker *worker, ROW row)
{
    BITS_VEC counts = {0};
    for (mlp_segment some = {0}; mlp_next_segment(worker, row.n, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            /* In even lanes, an element and the next; asked for as is_pair does. */
            const REAL *p = row.data + j * row.stride;
            BITS_VEC elements = (BITS_VEC)FN(load)(p, row.stride, row.n - j);
            BITS_VEC next = (BITS_VEC)FN(load)(p + row.stride, row.stride, row.n - j - 1);
            counts -= ((elements | next) & ~SIGN_BIT) != 0;
        }
    }
    ptrdiff_t count = 0;
    for (ptrdiff_t lane = 0; lane < LANES; lane += 2) {
        count += counts[lane];
    }
    return count;
}

static void
FN(count_pairs)(mlp_worker *worker, const mlp_scan *scan, int64_t *counts)
{
    const mlp_input *x = scan->x;
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t i = scan->begin; i < scan->end && !mlp_poll_after(&poller, x->cols); i++) {
        counts[i] = FN(count_pairs_of_row)(worker, FN(dense_row)(worker, x, i, scan->row));
    }
}

/* Stores n columns in so many bytes each, 2 or 4; not all of them where the team is to stop. */
static void
FN(store_columns)(mlp_worker *worker, const uint32_t *columns, ptrdiff_t n, int bytes, void *to)
{
    for (mlp_segment some = {0}; mlp_next_segment(worker, n, &some);) {
        for (ptrdiff_t e = some.begin; e < some.end; e++) {
            if (bytes == 2) {
                ((uint16_t *)to)[e] = (uint16_t)columns[e];
            }
            else {
                ((uint32_t *)to)[e] = columns[e];
            }
        }
    }
}

static void
FN(list_pairs)(mlp_worker *worker, const mlp_scan *scan, const mlp_pair_lists *lists)
{
    const mlp_input *x = scan->x;
    int bytes = lists->column_bytes;
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t i = scan->begin; i < scan->end && !mlp_poll_after(&poller, x->cols); i++) {
        ptrdiff_t start = lists->row_starts[i], n = lists->row_starts[i + 1] - start;
        PAIR *pairs = (PAIR *)lists->pairs + start;
        ROW row = FN(dense_row)(worker, x, i, scan->row);
        ptrdiff_t found = FN(list_pairs_of_row)(worker, row, pairs, scan->columns, n);
        /* Fewer than were counted, where another thread has changed them. */
        memset(pairs + found, 0, (size_t)(n - found) * sizeof(PAIR));
        memset(scan->columns + found, 0, (size_t)(n - found) * sizeof(uint32_t));
        FN(store_columns)(worker, scan->columns, n, bytes, (char *)lists->columns + start * bytes);
    }
}

#endif

/* Listing pairs by column, a strip of rows at a time, by a counting sort. */
#ifndef MLP_STRIPS_TEMPLATE
#define MLP_STRIPS_TEMPLATE

#include "kernels/pairs.h"
#include "kernels/poll.h"

#define ENTRY FN(entry)

typedef struct {
    PAIR pair;
    uint32_t row; /* of those in work */
} ENTRY;

/* Where the entries of the columns of pairs of a strip begin, and the last of them end. */
static inline ptrdiff_t *
FN(begins_of)(const mlp_pairs *pairs, ptrdiff_t strip)
{
    assert(0 <= strip && strip < pairs->n_strips);
    return pairs->entry_begins + strip * (pairs->cols + 1);
}

/* Lists the pairs of rows begin to end, a strip that is loaded, by column. Returns whether the team
 * is to stop: then there is no list. */
static bool
FN(list_strip)(mlp_worker *worker, const mlp_pairs *pairs, ptrdiff_t begin, ptrdiff_t end)
{
    assert(begin % pairs->strip_rows == 0 && end - begin <= pairs->strip_rows);
    ptrdiff_t *next = FN(begins_of)(pairs, begin / pairs->strip_rows);
    ptrdiff_t slot = pairs->columns[begin] - pairs->column_slots;
    ENTRY *entries = pairs->entries;
    mlp_poller poller = {worker, 0};
    for (mlp_segment some = {0}; mlp_next_segment(worker, pairs->cols + 1, &some);) {
        memset(next + some.begin, 0, (size_t)(some.end - some.begin) * sizeof *next);
    }
    for (ptrdiff_t i = begin; i < end && !mlp_poll_after(&poller, pairs->counts[i]); i++) {
        for (mlp_segment some = {0}; mlp_next_segment(worker, pairs->counts[i], &some);) {
            for (ptrdiff_t e = some.begin; e < some.end; e++) {
                assert(pairs->columns[i][e] < pairs->cols);
                next[pairs->columns[i][e] + 1]++;
            }
        }
    }
    /* next[c + 1] is to become where column c begins, and ends once it is filled. */
    next[0] = slot;
    for (mlp_segment some = {0}; mlp_next_segment(worker, pairs->cols, &some);) {
        for (ptrdiff_t c = some.begin; c < some.end; c++) {
            ptrdiff_t count = next[c + 1];
            next[c + 1] = slot;
            slot += count;
        }
    }
    if (mlp_poll(worker)) { /* what was not cleared would count, and lead out of the list */
        return true;
    }
    for (ptrdiff_t i = begin; i < end && !mlp_poll_after(&poller, pairs->counts[i]); i++) {
        const uint32_t *columns = pairs->columns[i];
        const PAIR *values = pairs->pairs[i];
        for (mlp_segment some = {0}; mlp_next_segment(worker, pairs->counts[i], &some);) {
            for (ptrdiff_t e = some.begin; e < some.end; e++) {
                assert(next[columns[e] + 1] < slot);
                entries[next[columns[e] + 1]++] = (ENTRY){values[e], (uint32_t)i};
            }
        }
    }
    return mlp_poll(worker);
}

static bool
FN(list_rows)(mlp_worker *worker, const mlp_rows *rows)
{
    ptrdiff_t step = rows->pairs.strip_rows;
    for (ptrdiff_t i = rows->load_begin; i < rows->load_end && rows->is_sparse; i += step) {
        if (FN(list_strip)(worker, &rows->pairs, i, i + mlp_min(rows->load_end - i, step))) {
            return true;
        }
    }
    return false;
}

#endif

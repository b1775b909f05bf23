/* Long work in segments of a few ms at most, with a poll between them, so that Ctrl-C is heard in
 * time.
 *
 * Where a poll says to stop, loops over segments end, and the loops around them. What a function
 * that polls returns is then not to be used. The next barrier tells all members.
 */
#ifndef MLP_POLL_H
#define MLP_POLL_H

#include "base/sizes.h"
#include "base/views.h"
#include "threads/team.h"

/* Between two polls: elements of a row, or multiply-adds. */
enum { MLP_POLL_WORK = 1 << 16 };

/* The work that a member has done since it last polled. */
typedef struct {
    mlp_worker *worker;
    ptrdiff_t work;
} mlp_poller;

/* Adds a step, and polls if that makes enough; returns whether to stop. */
static inline bool
mlp_poll_after(mlp_poller *poller, ptrdiff_t step)
{
    poller->work += step;
    if (poller->work < MLP_POLL_WORK) {
        return false;
    }
    poller->work = 0;
    return mlp_poll(poller->worker);
}

/* Elements begin to end of a row. */
typedef struct {
    ptrdiff_t begin, end;
} mlp_segment;

/* Goes on to the next segment of n elements. Returns whether there is one. Polls before each but
 * the first, and returns false on a stop. Begins with {0}; ends where it last came to. */
static inline __attribute__((always_inline)) bool
mlp_next_segment(mlp_worker *worker, ptrdiff_t n, mlp_segment *segment)
{
    if (segment->end == n || (segment->end > 0 && mlp_poll(worker))) {
        return false;
    }
    segment->begin = segment->end;
    segment->end = segment->begin + mlp_min(n - segment->begin, MLP_POLL_WORK);
    return true;
}

/* Some whole rows of a matrix, or where these are long some columns of one. */
typedef struct {
    ptrdiff_t row, end_row, col, end_col;
} mlp_block;

/* Goes on to the next block. Returns whether there is one. Polls before each but the first, and
 * returns false on a stop. Begins with {0}. */
static inline bool
mlp_next_block(mlp_worker *worker, const mlp_matrix *m, mlp_block *block)
{
    enum { MOST = MLP_POLL_WORK / 4 }; /* elements, of which a step may load four, and tanh */
    ptrdiff_t cols = mlp_min(m->cols, MOST), rows = cols == 0 ? m->rows : MOST / cols;
    bool same_rows = block->end_row > 0 && block->end_col < m->cols;
    block->row = same_rows ? block->row : block->end_row;
    block->col = same_rows ? block->end_col : 0;
    block->end_row = block->row + mlp_min(m->rows - block->row, rows);
    block->end_col = block->col + mlp_min(m->cols - block->col, cols);
    bool is_first = block->row == 0 && block->col == 0;
    return block->row < m->rows && cols > 0 && (is_first || !mlp_poll(worker));
}

static inline mlp_matrix
mlp_block_of(const mlp_matrix *m, const mlp_block *block)
{
    mlp_matrix rows = mlp_rows_of(m, block->row, block->end_row);
    return mlp_cols_of(&rows, block->col, block->end_col);
}

#endif

/* Long work in pieces of a few ms at most, with a poll between them, so that Ctrl-C is heard in
 * time.
 *
 * Where a poll says to stop, loops over pieces end, and those around them.
 * What a function that polls returns is then not to be used; that, the next barrier tells all.
 */

/* Between two polls: elements of a row, or multiply-adds. */
enum { FN(POLL_WORK) = 1 << 16 };

/* Adds a step to the work done since the last poll, and polls if that is enough;
 * returns whether to stop. */
static inline bool
FN(poll_work)(mlp_worker *worker, ptrdiff_t *work, ptrdiff_t step)
{
    *work += step;
    if (*work < FN(POLL_WORK)) {
        return false;
    }
    *work = 0;
    return mlp_poll(worker);
}

/* Elements begin to end of a row. */
typedef struct {
    ptrdiff_t begin, end;
} SEGMENT;

/* Goes on to the next of n elements; returns whether there are any, and no stop was asked for,
 * which is not asked before the first. Begins with {0}; ends where it last came to. */
static inline ALWAYS_INLINE bool
FN(next_segment)(mlp_worker *worker, ptrdiff_t n, SEGMENT *segment)
{
    if (segment->end == n || (segment->end > 0 && mlp_poll(worker))) {
        return false;
    }
    segment->begin = segment->end;
    segment->end = n - segment->begin < FN(POLL_WORK) ? n : segment->begin + FN(POLL_WORK);
    return true;
}

/* Some whole rows of a matrix, or where these are long some columns of one. */
typedef struct {
    ptrdiff_t row, end_row, col, end_col;
} BLOCK;

/* Goes on to the next block; returns whether there is one, and no stop was asked for, which is not
 * asked before the first. Begins with {0}. */
static bool
FN(next_block)(mlp_worker *worker, const mlp_matrix *m, BLOCK *block)
{
    enum { MOST = FN(POLL_WORK) / 4 }; /* elements, of which a step may load four, and tanh */
    ptrdiff_t cols = m->cols < MOST ? m->cols : MOST, rows = cols == 0 ? m->rows : MOST / cols;
    bool same_rows = block->end_row > 0 && block->end_col < m->cols;
    block->row = same_rows ? block->row : block->end_row;
    block->col = same_rows ? block->end_col : 0;
    block->end_row = m->rows - block->row < rows ? m->rows : block->row + rows;
    block->end_col = m->cols - block->col < cols ? m->cols : block->col + cols;
    bool is_first = block->row == 0 && block->col == 0;
    return block->row < m->rows && cols > 0 && (is_first || !mlp_poll(worker));
}

static inline mlp_matrix
FN(block_of)(const mlp_matrix *m, const BLOCK *block)
{
    mlp_matrix rows = FN(rows_of)(m, block->row, block->end_row);
    return FN(cols_of)(&rows, block->col, block->end_col);
}

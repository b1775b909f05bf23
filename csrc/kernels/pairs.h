/* Pairs: the elements of a row that are multiplied where most are zero.
 *
 * Neighbours tend to be zero together, in pictures above all, so elements are kept by twos, of
 * columns 2c and 2c + 1, where not both are zero: a slot of a list, and what is loaded and stored
 * for it, then serve two products. A zero in a pair is multiplied; of an odd number of columns the
 * last is paired with a zero that has no column.
 */
#ifndef MLP_PAIRS_TEMPLATE
#define MLP_PAIRS_TEMPLATE

#include "kernels/compress.h"
#include "kernels/poll.h"
#include "kernels/vector.h"

/* The row of weights that value k of a pair is multiplied with: one that exists, always. */
static inline ptrdiff_t
FN(pair_row)(uint32_t column, ptrdiff_t k, ptrdiff_t n_rows)
{
    ptrdiff_t row = 2 * (ptrdiff_t)column + k;
    return mlp_min(row, n_rows - 1);
}

/* Lists the pairs of a row, which the pairs may overwrite, and their columns, in as many slots as
 * there are; returns how many, or less where the team is to stop. */
static inline ptrdiff_t
FN(list_pairs_of_row)(mlp_worker *worker, ROW row, PAIR *pairs, uint32_t *columns, ptrdiff_t slots)
{
    const REAL *p = row.data;
    const ptrdiff_t stride = row.stride, n = row.n;
    ptrdiff_t found = 0;
    for (mlp_segment some = {0}; mlp_next_segment(worker, n, &some);) {
        ptrdiff_t j = some.begin;
        for (; stride == 1 && j + LANES <= some.end && found + LANES / 2 <= slots; j += LANES) {
            found += FN(compress)(p + j, (uint32_t)(j / 2), pairs + found, columns + found);
        }
        for (; j < some.end && found < slots; j += 2) {
            pairs[found] = (PAIR){{p[j * stride], j + 1 < n ? p[(j + 1) * stride] : 0}};
            columns[found] = (uint32_t)(j / 2);
            found += FN(is_pair)(pairs[found]); /* no branch on the data */
        }
    }
    return found;
}

/* Copies n columns of so many bytes; one beyond `last` becomes `last`. Another thread may write to
 * what they are copied from, so it is the copy that is checked, once it lies there: no compiler may
 * look at the original for it again. Returns how many are copied, fewer where the team is to stop.
 */
static inline ALWAYS_INLINE ptrdiff_t
FN(copy_columns)(mlp_worker *worker, const void *from, int bytes, ptrdiff_t n, uint32_t last,
                 uint32_t *to)
{
    mlp_segment some = {0};
    while (mlp_next_segment(worker, n, &some)) {
        for (ptrdiff_t e = some.begin; e < some.end; e++) {
            uint64_t column = bytes == 2   ? ((const uint16_t *)from)[e]
                              : bytes == 4 ? ((const uint32_t *)from)[e]
                                           : ((const uint64_t *)from)[e];
            to[e] = column < UINT32_MAX ? (uint32_t)column : UINT32_MAX;
        }
        atomic_signal_fence(memory_order_seq_cst);
        for (ptrdiff_t e = some.begin; e < some.end; e++) {
            to[e] = to[e] < last ? to[e] : last;
        }
    }
    return some.end;
}

/* Joins the n values of a row whose columns these are, ascending, to pairs: their columns take the
 * place of the others. Returns how many there are, or less where the team is to stop. */
static ptrdiff_t
FN(join_pairs)(mlp_worker *worker, const REAL *values, uint32_t *columns, ptrdiff_t n, PAIR *pairs)
{
    ptrdiff_t found = 0;
    for (mlp_segment some = {0}; mlp_next_segment(worker, n, &some);) {
        for (ptrdiff_t e = some.begin; e < some.end; e++) {
            uint32_t column = columns[e];
            if (found == 0 || columns[found - 1] != column / 2) {
                columns[found] = column / 2;
                pairs[found++] = (PAIR){{0, 0}};
            }
            pairs[found - 1].values[column % 2] = values[e];
        }
    }
    return found;
}

#endif

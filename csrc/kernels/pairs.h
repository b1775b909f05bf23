/* Pairs: the elements of a row that are multiplied where most are zero.
 *
 * Neighbours tend to be zero together, in pictures above all, so elements are kept by twos, of
 * columns 2c and 2c + 1, where not both are zero: a slot of a list, and what is loaded and stored
 * for it, then serve two products. A zero in a pair is multiplied; of an odd number of columns the
 * last is paired with a zero that has no column.
 */
#ifndef MLP_PAIRS_TEMPLATE
#define MLP_PAIRS_TEMPLATE

#include "kernels/poll.h"
#include "kernels/vector.h"

#define PAIR FN(pair)
#define PAIR_LIST FN(pair_list)

typedef struct {
    REAL values[2];
} PAIR;

_Static_assert(sizeof(PAIR) == 2 * sizeof(REAL), "a list of pairs is one of their values");

/* The row of weights that value k of a pair is multiplied with: one that exists, always. */
static inline ptrdiff_t
FN(pair_row)(uint32_t column, ptrdiff_t k, ptrdiff_t n_rows)
{
    ptrdiff_t row = 2 * (ptrdiff_t)column + k;
    return mlp_min(row, n_rows - 1);
}

/* Whether all bits are. */
static inline bool
FN(is_zero)(VEC v)
{
    typedef uint64_t words __attribute__((vector_size(MLP_VECTOR_BYTES)));
    words w = (words)v;
    uint64_t any = 0;
    for (size_t i = 0; i < sizeof w / sizeof w[0]; i++) {
        any |= w[i];
    }
    return any == 0;
}

/* Whether a pair has an element that is not zero: by its bits, whatever is done to denormals. */
static inline bool
FN(is_pair)(PAIR pair)
{
    union {
        PAIR pair;
        BITS bits[2];
    } both = {pair};
    return ((both.bits[0] | both.bits[1]) & ~SIGN_BIT) != 0;
}

/* A list that is written: pairs, and columns of so many bytes, in as many slots as there are. */
typedef struct {
    PAIR *pairs;
    void *columns;
    int column_bytes; /* 2 or 4 */
    ptrdiff_t slots;
} PAIR_LIST;

/* Lists the pair of column c if it is one: written always, kept where it counts, so that there is
 * no branch on the data. */
static inline ALWAYS_INLINE ptrdiff_t
FN(list_pair)(PAIR pair, ptrdiff_t c, PAIR_LIST list, ptrdiff_t found)
{
    assert(found < list.slots);
    if (list.column_bytes == 2) {
        ((uint16_t *)list.columns)[found] = (uint16_t)c;
    }
    else {
        ((uint32_t *)list.columns)[found] = (uint32_t)c;
    }
    list.pairs[found] = pair;
    return found + FN(is_pair)(pair);
}

/* Lists the pairs of a row, which the pairs may overwrite, as far as there are slots; returns how
 * many, or less where the team is to stop. */
static inline ALWAYS_INLINE ptrdiff_t
FN(list_pairs_of_row)(mlp_worker *worker, ROW row, PAIR_LIST list)
{
    const REAL *p = row.data;
    const ptrdiff_t stride = row.stride, n = row.n;
    ptrdiff_t found = 0;
    for (mlp_segment some = {0}; mlp_next_segment(worker, n, &some);) {
        ptrdiff_t j = some.begin;
        for (; stride == 1 && j + LANES <= some.end && found + LANES / 2 <= list.slots;
             j += LANES) {
            if (!FN(is_zero)(*(const VEC *)(p + j))) {
                for (ptrdiff_t lane = j; lane < j + LANES; lane += 2) {
                    PAIR pair = {{p[lane], p[lane + 1]}};
                    found = FN(list_pair)(pair, lane / 2, list, found);
                }
            }
        }
        for (; j < some.end && found < list.slots; j += 2) {
            PAIR pair = {{p[j * stride], j + 1 < n ? p[(j + 1) * stride] : 0}};
            found = FN(list_pair)(pair, j / 2, list, found);
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

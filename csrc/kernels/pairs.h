/* Pairs: the elements of a row that are multiplied where most are zero.
 *
 * Neighbours tend to be zero together, in pictures above all, so elements are kept by
 * twos, of columns 2c and 2c + 1, where not both are zero: a place in a list, and what
 * is loaded and stored for it, then serve two products. A zero in a pair is multiplied;
 * of an odd number of columns the last is paired with a zero that has no column.
 */

typedef struct {
    REAL values[2];
} PAIR;

_Static_assert(sizeof(PAIR) == 2 * sizeof(REAL), "a list of pairs is one of their values");

/* The row of weights that value k of a pair is multiplied with: one that exists, always. */
static inline ptrdiff_t
FN(pair_row)(uint32_t column, ptrdiff_t k, ptrdiff_t n_rows)
{
    ptrdiff_t row = 2 * (ptrdiff_t)column + k;
    return row < n_rows ? row : n_rows - 1;
}

static inline ptrdiff_t
FN(count_pair_columns)(ptrdiff_t cols)
{
    return cols / 2 + cols % 2;
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

/* Whether a pair has an element that is not zero: by its bits, whatever is done to
 * denormals. */
static inline bool
FN(is_pair)(PAIR pair)
{
    union {
        PAIR pair;
        BITS bits[2];
    } both = {pair};
    return ((both.bits[0] | both.bits[1]) & ~SIGN_BIT) != 0;
}

/* Lists the pair of column c if it is one: written always, kept where it counts, so
 * that there is no branch on the data. */
static inline ALWAYS_INLINE ptrdiff_t
FN(list_pair)(PAIR pair, ptrdiff_t c, PAIR *pairs, void *columns, int column_bytes, ptrdiff_t found)
{
    if (column_bytes == 2) {
        ((uint16_t *)columns)[found] = (uint16_t)c;
    }
    else {
        ((uint32_t *)columns)[found] = (uint32_t)c;
    }
    pairs[found] = pair;
    return found + FN(is_pair)(pair);
}

/* Lists the pairs of n elements: pairs, which may take the place of the elements, and
 * columns of so many bytes, up to `room` of them; returns how many, or less where the team is to
 * stop. */
static inline ALWAYS_INLINE ptrdiff_t
FN(list_pairs)(mlp_worker *worker, const REAL *row, ptrdiff_t stride, ptrdiff_t n, PAIR *pairs,
               void *columns, int column_bytes, ptrdiff_t room)
{
    ptrdiff_t found = 0;
    for (SEGMENT some = {0}; FN(next_segment)(worker, n, &some);) {
        ptrdiff_t j = some.begin;
        for (; stride == 1 && j + LANES <= some.end && found + LANES / 2 <= room; j += LANES) {
            if (!FN(is_zero)(*(const VEC *)(row + j))) {
                for (ptrdiff_t lane = j; lane < j + LANES; lane += 2) {
                    PAIR pair = {{row[lane], row[lane + 1]}};
                    found = FN(list_pair)(pair, lane / 2, pairs, columns, column_bytes, found);
                }
            }
        }
        for (; j < some.end && found < room; j += 2) {
            PAIR pair = {{row[j * stride], j + 1 < n ? row[(j + 1) * stride] : 0}};
            found = FN(list_pair)(pair, j / 2, pairs, columns, column_bytes, found);
        }
    }
    return found;
}

/* Copies n columns of so many bytes from `begin` on; one beyond `last` becomes `last`. Another
 * thread may write to what they are copied from, so it is the copy that is checked, once
 * it lies there: no compiler may look at the original for it again. Returns how many are copied,
 * fewer where the team is to stop. */
static inline ALWAYS_INLINE ptrdiff_t
FN(copy_columns)(mlp_worker *worker, const void *from, int bytes, ptrdiff_t begin, ptrdiff_t n,
                 uint32_t last, uint32_t *to)
{
    SEGMENT some = {0};
    while (FN(next_segment)(worker, n, &some)) {
        for (ptrdiff_t e = some.begin; e < some.end; e++) {
            uint64_t column = bytes == 2   ? ((const uint16_t *)from)[begin + e]
                              : bytes == 4 ? ((const uint32_t *)from)[begin + e]
                                           : ((const uint64_t *)from)[begin + e];
            to[e] = column < UINT32_MAX ? (uint32_t)column : UINT32_MAX;
        }
        atomic_signal_fence(memory_order_seq_cst);
        for (ptrdiff_t e = some.begin; e < some.end; e++) {
            to[e] = to[e] < last ? to[e] : last;
        }
    }
    return some.end;
}

/* Joins the n values of a row whose columns these are, ascending, to pairs: their columns
 * take the place of the others. Returns how many there are, or less where the team is to stop. */
static ptrdiff_t
FN(join_pairs)(mlp_worker *worker, const REAL *values, uint32_t *columns, ptrdiff_t n, PAIR *pairs)
{
    ptrdiff_t found = 0;
    for (SEGMENT some = {0}; FN(next_segment)(worker, n, &some);) {
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

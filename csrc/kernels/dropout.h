/* Dropout: elements become 0 at random, and the others are divided by the probability of being
 * kept: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting"
 * (2014), in the inverted form, which leaves predictions alone.
 *
 * Which elements these are is a function of a mask's numbers alone. The random word of unit u is
 * number u % 64 / 16 of the counter (u / 64 * 16 + u % 16, row, step, layer), each modulo 2^32,
 * with the seed as the key: the words of 64 units come at once, in order, on vectors of any width.
 * An element is dropped if its word is less than 2^32 times the probability.
 */
#ifndef MLP_DROPOUT_TEMPLATE
#define MLP_DROPOUT_TEMPLATE

#include "kernels/compress.h"
#include "kernels/philox.h"
#include "kernels/poll.h"
#include "kernels/vector.h"

/* What a row's units from MLP_RANDOM_WORDS * block on are multiplied with. */
static inline void
FN(mask_factors)(const mlp_mask *mask, ptrdiff_t row, ptrdiff_t block,
                 REAL factors[MLP_RANDOM_WORDS])
{
    const uint32_t counter[] = {(uint32_t)block, (uint32_t)row, (uint32_t)mask->step,
                                (uint32_t)mask->layer};
    const uint32_t least = (uint32_t)(mask->probability * 0x1p32);
    const REAL kept = (REAL)(1 / (1 - mask->probability));
    uint32_t words[MLP_RANDOM_WORDS];
    mlp_random_words(mask->seed, counter, words);
    for (ptrdiff_t i = 0; i < MLP_RANDOM_WORDS; i++) {
        factors[i] = words[i] < least ? 0 : kept;
    }
}

/* values *= factors, for the first of so many neighbours. */
static inline ALWAYS_INLINE void
FN(scale_units)(const REAL *factors, ptrdiff_t count, REAL *values, ptrdiff_t stride)
{
    for (ptrdiff_t j = 0; j < count; j += LANES) {
        VEC v = FN(load)(values + j * stride, stride, count - j);
        v *= FN(load)(factors + j, 1, count - j);
        FN(store)(values + j * stride, stride, count - j, v);
    }
}

/* Drops elements of a row of the mask, and of its slopes unless they are absent. */
static void
FN(drop_row)(const mlp_mask *mask, ptrdiff_t row, ROW values, ROW slopes)
{
    ptrdiff_t count;
    for (ptrdiff_t j = 0; j < values.n; j += count) {
        ptrdiff_t unit = mask->unit + j, at = unit % MLP_RANDOM_WORDS;
        REAL factors[MLP_RANDOM_WORDS];
        FN(mask_factors)(mask, mask->row + row, unit / MLP_RANDOM_WORDS, factors);
        count = mlp_min(MLP_RANDOM_WORDS - at, values.n - j);
        FN(scale_units)(factors + at, count, values.data + j * values.stride, values.stride);
        if (slopes.data != NULL) {
            FN(scale_units)(factors + at, count, slopes.data + j * slopes.stride, slopes.stride);
        }
    }
}

static void
FN(drop)(mlp_worker *worker, const mlp_mask *mask, const mlp_matrix *values,
         const mlp_matrix *slopes)
{
    for (mlp_block block = {0}; mlp_next_block(worker, values, &block);) {
        const mlp_matrix some = mlp_block_of(values, &block);
        const mlp_matrix some_slopes = mlp_block_of(slopes, &block);
        mlp_mask from = *mask;
        from.row += block.row;
        from.unit += block.col;
        for (ptrdiff_t i = 0; i < some.rows; i++) {
            ROW of_slopes = {0};
            if (slopes->data != NULL) {
                of_slopes = FN(row_of)(&some_slopes, i);
            }
            FN(drop_row)(&from, i, FN(row_of)(&some, i), of_slopes);
        }
    }
}

/* dropped = pairs whose columns these are, of a row of the mask, without the elements that are
 * dropped; in their place or elsewhere. Not all of them where the team is to stop. */
static void
FN(drop_pairs)(mlp_worker *worker, const mlp_mask *mask, ptrdiff_t row, const uint32_t *columns,
               ptrdiff_t n, const PAIR *pairs, PAIR *dropped)
{
    REAL factors[MLP_RANDOM_WORDS];
    ptrdiff_t block = -1; /* whose factors these are */
    for (mlp_segment some = {0}; mlp_next_segment(worker, n, &some);) {
        for (ptrdiff_t e = some.begin; e < some.end; e++) {
            ptrdiff_t unit = 2 * (ptrdiff_t)columns[e], at = unit % MLP_RANDOM_WORDS;
            if (unit / MLP_RANDOM_WORDS != block) {
                block = unit / MLP_RANDOM_WORDS;
                FN(mask_factors)(mask, mask->row + row, block, factors);
            }
            dropped[e] =
                (PAIR){{pairs[e].values[0] * factors[at], pairs[e].values[1] * factors[at + 1]}};
        }
    }
}

#endif

/* Numbers that training sets to 0 where it makes them, lest they, or what is made of them, become
 * denormal: many processors take some 150 cycles for each operation on a denormal number.
 *
 * As a network grows sure of itself, the probabilities of wrong classes, the deltas, the moments of
 * units that get no deltas, and under the L2 term their weights, fall without end. What is dropped
 * here is too small to change what a network computes, as long as adam's epsilon is far above the
 * gradients that are dropped. With E = 126 in float32 and 1022 in float64, 2^-E the smallest normal
 * number, the thresholds are
 *
 *     deltas             2^-80, 2^-500   so that their products with weights are normal
 *     weights            2^-46, 2^-511   the rest of E, and so that their squares are normal; only
 *                                        where they decay, or the L2 term is strong, see below
 *     velocities         2^-(E - 26)     so that their products with a momentum are normal
 *     gradients squared  2^-(E / 2 - 8)  their squares, times 1 - beta_2 of 2^-10, reach the next
 *     second moments     2^-(E - 6)      by their roots, which are at hand
 *     first moments      2^-(E / 2 - 3)  such a root; what a gradient adds is larger
 *
 * Where a second moment becomes 0, so does what is divided by its root, the first moment or
 * rmsprop's gradient: divided by an epsilon alone, it would explode.
 *
 * Under adam, weights without another gradient shrink until l2 * weight is dropped, for l2 below
 * 2^-12 a step while their products with deltas are normal; under sgd, so small an l2 takes
 * millions of steps to get there. Weights are dropped where l2 is larger.
 *
 * The caller's data, and what the public kernels write, are never changed, and neither is the
 * floating-point mode. docs/dev/ says how operations on denormal numbers are counted.
 */
#ifndef MLP_TINY_TEMPLATE
#define MLP_TINY_TEMPLATE

#include "kernels/vector.h"

#undef TINY_DELTA
#undef LOG_TINY_DELTA
#undef TINY_VELOCITY
#undef TINY_WEIGHT
#undef STRONG_L2
#undef TINY_SQUARED_GRADIENT
#undef TINY_FIRST_MOMENT

#if REAL_BITS == 32
#define TINY_DELTA 0x1p-80f
#define LOG_TINY_DELTA -56.0f /* below its logarithm */
#define TINY_VELOCITY 0x1p-100f
#define TINY_WEIGHT 0x1p-46f
#define TINY_SQUARED_GRADIENT 0x1p-55f
#define TINY_FIRST_MOMENT 0x1p-60f
#else
#define TINY_DELTA 0x1p-500
#define LOG_TINY_DELTA -347.0
#define TINY_VELOCITY 0x1p-996
#define TINY_WEIGHT 0x1p-511
#define TINY_SQUARED_GRADIENT 0x1p-503
#define TINY_FIRST_MOMENT 0x1p-508
#endif

/* The L2 term of a step from which on weights are dropped. */
#define STRONG_L2 0x1p-12

/* Which lanes are smaller than `tiny`. */
static inline BITS_VEC
FN(is_tiny)(VEC x, REAL tiny)
{
    return (VEC)((BITS_VEC)x & ~SIGN_BIT) < tiny;
}

/* 0 in the place of numbers smaller than `tiny`; NaN stays NaN. */
static inline VEC
FN(drop_tiny)(VEC x, REAL tiny)
{
    return (VEC)((BITS_VEC)x & ~FN(is_tiny)(x, tiny));
}

#endif

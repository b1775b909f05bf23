/* The normal distribution's lower tail, accurate to a few ulps as far as it is not 0.
 *
 * Phi(-u) = exp(-u^2 / 2) G(u) for u >= 0, where G falls slowly from 1/2; for large u it
 * approaches 1 / (sqrt(2 pi) u). It is computed without a difference of nearly equal numbers. G is
 * a polynomial in t = (u - 3) / (u + 3), which makes a short interval of all u, divided by u + 3
 * (Schonfelder, "Chebyshev expansions for the error and related functions", 1978; Shepherd &
 * Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x", 1981).
 *
 * All instruction sets with fused multiply-add give the same bits, whichever products a compiler
 * fuses: no sum has two products, unless they are exact.
 */
#ifndef MLP_NORMAL_TEMPLATE
#define MLP_NORMAL_TEMPLATE

#include "kernels/functions.h"

/* exp(-u^2 / 2) as a number about 1, which is returned, times 2^k, for u from 0 to NORMAL_END.
 *
 * An error of u^2 is one of the result, relative, u^2 / 2 times as large. So u is a high part,
 * whose square is exact, and a rest: what that adds to the square goes straight to what is left of
 * the exponent once it is reduced. The reduction starts with the difference of two products, of
 * which it does not matter which is fused: both are exact, or too small to matter. */
static inline VEC
FN(exp_of_half_square)(VEC u, VEC *k)
{
    const BITS unit = (BITS)1 << LOW_BITS;
    u = FN(select)(u < NORMAL_BEGIN, FN(splat)(NORMAL_BEGIN), u); /* where it is 1, too */
    VEC high = (VEC)(((BITS_VEC)u + unit / 2) & -unit);
    VEC half_rest = (REAL)0.5 * (u - high);
    VEC r = FN(reduce)((REAL)-0.5 * (high * high), k);
    r -= half_rest * (u + high);
    return 1 + FN(expm1_reduced)(r);
}

/* G(u), for u from 0 to NORMAL_END. A quotient, not a product: it may be added to one.
 *
 * Odd and even powers are summed apart, which takes half the time, and makes loops so short that
 * compilers unroll them: with a loop between a product and its sum, they would not be fused. */
static inline VEC
FN(normal_tail)(VEC u)
{
    VEC t = (u - 3) / (u + 3), t2 = t * t;
    VEC odd = FN(splat)(FN(normal_terms)[0][0]), even = FN(splat)(FN(normal_terms)[0][1]);
    for (size_t i = 1; i < sizeof FN(normal_terms) / sizeof FN(normal_terms)[0]; i++) {
        odd = odd * t2 + FN(normal_terms)[i][0];
        even = even * t2 + FN(normal_terms)[i][1];
    }
    return (even + odd * t) / (u + 3);
}

#endif

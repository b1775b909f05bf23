/* The elementary functions of a vector. */
#ifndef MLP_FUNCTIONS_TEMPLATE
#define MLP_FUNCTIONS_TEMPLATE

#include "kernels/vector.h"

/* The lanes are spelled out for the compiler to join: there is no vector form. */
static inline VEC
FN(sqrt)(VEC x)
{
    REAL lanes[LANES];
    *(VEC *)lanes = x;
    for (ptrdiff_t i = 0; i < LANES; i++) {
        lanes[i] = SQRT(lanes[i]);
    }
    return *(VEC *)lanes;
}

/* 2^k for integral k whose result is a normal number. */
static inline VEC
FN(exp2_integral)(VEC k)
{
    /* Adding 3 * 2^(digits - 2) leaves k in the low bits of the sum. */
    BITS_VEC low_bits = (BITS_VEC)(k + ROUNDING_SHIFT);
    return (VEC)((low_bits << MANTISSA_BITS) + ONE_BITS);
}

/* Splits x into k ln 2 + r with k integral and |r| <= ln(2) / 2; returns r. ln 2 is taken in two
 * parts, the first with trailing zeros so that its multiples are exact. */
static inline VEC
FN(reduce)(VEC x, VEC *k)
{
    VEC n = x * LOG2_E + ROUNDING_SHIFT;
    n -= ROUNDING_SHIFT;
    VEC r = x - n * LN2_HIGH;
    r -= n * LN2_LOW;
    *k = n;
    return r;
}

/* exp(r) - 1 for the r of a reduction, by its Taylor series, exact to the last place. */
static inline VEC
FN(expm1_reduced)(VEC r)
{
    VEC sum = FN(splat)(FN(inverse_factorials)[0]);
    for (size_t i = 1; i < sizeof FN(inverse_factorials) / sizeof(REAL); i++) {
        sum = sum * r + FN(inverse_factorials)[i];
    }
    return r + sum * (r * r);
}

/* exp(x): 0 and inf where it leaves the range, denormals between, NaN for NaN. */
static inline VEC
FN(exp)(VEC x)
{
    VEC k;
    VEC r = FN(reduce)(FN(clamp)(x, EXP_LOW, EXP_HIGH), &k);
    VEC y = 1 + FN(expm1_reduced)(r);
    /* 2^k itself may be out of range where 2^k y is not. */
    VEC half = FN(clamp)(k, -HALF_EXPONENT, HALF_EXPONENT);
    return FN(select)(x == x, y * FN(exp2_integral)(half) * FN(exp2_integral)(k - half), x);
}

/* exp(x) - 1 for |x| <= 64. */
static inline VEC
FN(expm1)(VEC x)
{
    VEC k;
    VEC r = FN(reduce)(x, &k);
    VEC y = FN(expm1_reduced)(r);
    VEC scale = FN(exp2_integral)(k);
    return scale * y + (scale - 1);
}

/* 1 / (1 + exp(-x)), from exp(-|x|), which cannot overflow. */
static inline VEC
FN(logistic)(VEC x)
{
    VEC z = FN(exp)(FN(select)(x < 0, x, -x));
    return FN(select)(x < 0, z, FN(splat)(1)) / (1 + z);
}

/* tanh(x) = e / (e + 2) with e = exp(2x) - 1; it is +-1 from |x| = 20 on. */
static inline VEC
FN(tanh)(VEC x)
{
    VEC e = FN(expm1)(2 * FN(clamp)(x, -20, 20));
    return FN(select)(x == x, e / (e + 2), x);
}

/* (artanh(s) / s - 1) / s^2 from the s^2 of a logarithm, by its Taylor series. */
static inline VEC
FN(artanh_sum)(VEC s2)
{
    VEC sum = FN(splat)(FN(artanh_terms)[0]);
    for (size_t i = 1; i < sizeof FN(artanh_terms) / sizeof(REAL); i++) {
        sum = sum * s2 + FN(artanh_terms)[i];
    }
    return sum;
}

/* log(x) for x > 0; -inf for 0, NaN below 0, inf and NaN kept.
 * x = 2^k m with sqrt(1/2) <= m < sqrt(2); log m = 2 artanh((m - 1) / (m + 1)). */
static inline VEC
FN(log)(VEC x)
{
    BITS_VEC tiny = x < SMALLEST_NORMAL;
    VEC scaled = FN(select)(tiny, x * DENORMAL_SCALE, x);
    BITS_VEC bits = (BITS_VEC)scaled - SQRT_HALF_BITS;
    BITS_VEC exponent = bits >> MANTISSA_BITS;
    VEC m = (VEC)((bits & MANTISSA_MASK) + SQRT_HALF_BITS);
    VEC k = __builtin_convertvector(exponent, VEC);
    k -= FN(select)(tiny, FN(splat)(DENORMAL_EXPONENT), FN(splat)(0));
    VEC s = (m - 1) / (m + 1);
    VEC s2 = s * s;
    VEC y = k * LN2_LOW + 2 * s * s2 * FN(artanh_sum)(s2);
    y = k * LN2_HIGH + (2 * s + y);
    y = FN(select)(x == 0, FN(splat)(-(REAL)INFINITY), y);
    y = FN(select)(x < 0, FN(splat)((REAL)NAN), y);
    return FN(select)((x == (REAL)INFINITY) | (x != x), x, y);
}

/* Below, log(1 + x) is x. */
#define LOG1P_BEGIN ((REAL)0x1p-55)

/* log(1 + x) for 0 <= x <= 1: 2 artanh(x / (x + 2)). From sqrt(2) - 1 on, it is ln 2 and the
 * logarithm of (1 + x) / 2, which is 2 artanh((x - 1) / (x + 3)). */
static inline VEC
FN(log1p)(VEC x)
{
    BITS_VEC large = x > (REAL)0.41421356237309505;
    VEC y = FN(select)(large, x - 1, x) / (FN(select)(large, x + 3, x + 2) * (REAL)0.5);
    VEC s = FN(select)(FN(abs)(y) < LOG1P_BEGIN, FN(splat)(LOG1P_BEGIN), y) * (REAL)0.5;
    VEC s2 = s * s;
    return FN(select)(large, FN(splat)(LN2), FN(splat)(0)) + (y + y * (s2 * FN(artanh_sum)(s2)));
}

#endif

/* Vectors of REAL: loads and stores that take tails and strides, selection, and
 * the elementary functions.
 *
 * A vector whose last lanes lie past the data is loaded with zeros there and
 * stored without them, so tails run the code of the bodies and an element's
 * result does not depend on where it stands.
 */

typedef REAL VEC __attribute__((vector_size(MLP_VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
typedef BITS BITS_VEC
    __attribute__((vector_size(MLP_VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

/* count elements from p on, at most LANES; the other lanes are zero. */
static inline VEC
FN(load)(const REAL *p, ptrdiff_t stride, ptrdiff_t count)
{
    if (stride == 1 && count >= LANES) {
        return *(const VEC *)p;
    }
    REAL lanes[LANES] = {0};
    for (ptrdiff_t i = 0; i < count && i < LANES; i++) {
        lanes[i] = p[i * stride];
    }
    return *(const VEC *)lanes;
}

/* The biases that sums start from: +0 for -0, lest a sum depend on whether terms of 0 are left
 * out. */
static inline VEC
FN(load_biases)(const REAL *p, ptrdiff_t stride, ptrdiff_t count)
{
    return FN(load)(p, stride, count) + 0;
}

static inline void
FN(store)(REAL *p, ptrdiff_t stride, ptrdiff_t count, VEC v)
{
    if (stride == 1 && count >= LANES) {
        *(VEC *)p = v;
        return;
    }
    REAL lanes[LANES];
    *(VEC *)lanes = v;
    for (ptrdiff_t i = 0; i < count && i < LANES; i++) {
        p[i * stride] = lanes[i];
    }
}

static inline VEC
FN(splat)(REAL value)
{
    return value - (VEC){0};
}

/* mask ? a : b by lane; a mask is what a vector comparison gives. */
static inline VEC
FN(select)(BITS_VEC mask, VEC a, VEC b)
{
    return (VEC)(((BITS_VEC)a & mask) | ((BITS_VEC)b & ~mask));
}

static inline VEC
FN(clamp)(VEC x, REAL low, REAL high)
{
    x = FN(select)(x < low, FN(splat)(low), x);
    return FN(select)(x > high, FN(splat)(high), x);
}

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

/* Splits x into k ln 2 + r with k integral and |r| <= ln(2) / 2, and returns
 * exp(r) - 1 by its Taylor series, exact to the last place. ln 2 is taken in
 * two parts, the first with trailing zeros so that its multiples are exact. */
static inline VEC
FN(expm1_reduced)(VEC x, VEC *k)
{
    VEC n = x * LOG2_E + ROUNDING_SHIFT;
    n -= ROUNDING_SHIFT;
    VEC r = x - n * LN2_HIGH;
    r -= n * LN2_LOW;
    VEC sum = FN(splat)(INVERSE_FACTORIALS[0]);
    for (size_t i = 1; i < sizeof INVERSE_FACTORIALS / sizeof(REAL); i++) {
        sum = sum * r + INVERSE_FACTORIALS[i];
    }
    *k = n;
    return r + sum * (r * r);
}

/* exp(x): 0 and inf where it leaves the range, denormals between, NaN for NaN. */
static inline VEC
FN(exp)(VEC x)
{
    VEC k;
    VEC y = 1 + FN(expm1_reduced)(FN(clamp)(x, EXP_LOW, EXP_HIGH), &k);
    /* 2^k itself may be out of range where 2^k y is not. */
    VEC half = FN(clamp)(k, -HALF_EXPONENT, HALF_EXPONENT);
    return FN(select)(x == x, y * FN(exp2_integral)(half) * FN(exp2_integral)(k - half), x);
}

/* exp(x) - 1 for |x| <= 64. */
static inline VEC
FN(expm1)(VEC x)
{
    VEC k;
    VEC y = FN(expm1_reduced)(x, &k);
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

/* log(x) for normal x > 0; -inf for 0, NaN below 0, inf and NaN kept.
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
    VEC sum = FN(splat)(ARTANH_TERMS[0]);
    for (size_t i = 1; i < sizeof ARTANH_TERMS / sizeof(REAL); i++) {
        sum = sum * s2 + ARTANH_TERMS[i];
    }
    VEC y = k * LN2_LOW + 2 * s * s2 * sum;
    y = k * LN2_HIGH + (2 * s + y);
    y = FN(select)(x == 0, FN(splat)(-(REAL)INFINITY), y);
    y = FN(select)(x < 0, FN(splat)((REAL)NAN), y);
    return FN(select)((x == (REAL)INFINITY) | (x != x), x, y);
}

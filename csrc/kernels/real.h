/* What the templates know of their dtype: REAL_BITS, defined by the includer as
 * 32 or 64, chooses. To be included anew for each.
 *
 * ln 2 is LN2_HIGH + LN2_LOW; LN2_HIGH ends in zeros, so that its multiples by
 * the exponents of the type are exact.
 */
#undef REAL
#undef BITS
#undef SUFFIX
#undef SQRT
#undef SIGN_BIT
#undef OWN_ELEMENT
#undef MANTISSA_BITS
#undef MANTISSA_MASK
#undef ONE_BITS
#undef SQRT_HALF_BITS
#undef SMALLEST_NORMAL
#undef DENORMAL_SCALE
#undef DENORMAL_EXPONENT
#undef ROUNDING_SHIFT
#undef LOG2_E
#undef LN2_HIGH
#undef LN2_LOW
#undef EXP_LOW
#undef EXP_HIGH
#undef HALF_EXPONENT
#undef INVERSE_FACTORIALS
#undef ARTANH_TERMS

#if REAL_BITS == 32

#define REAL float
#define BITS int32_t
#define SUFFIX f32
#define SQRT sqrtf
#define SIGN_BIT INT32_MIN
#define OWN_ELEMENT MLP_OF_FLOAT32
#define MANTISSA_BITS 23
#define MANTISSA_MASK 0x7fffff
#define ONE_BITS 0x3f800000
#define SQRT_HALF_BITS 0x3f3504f3
#define SMALLEST_NORMAL 0x1p-126f
#define DENORMAL_SCALE 0x1p25f
#define DENORMAL_EXPONENT 25
#define ROUNDING_SHIFT 0x1.8p23f
#define LOG2_E 0x1.715476p0f
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define EXP_LOW -104.5f /* exp is 0 from here down */
#define EXP_HIGH 89.0f  /* and inf from here up */
#define HALF_EXPONENT 64
#define INVERSE_FACTORIALS inverse_factorials_f32
#define ARTANH_TERMS artanh_terms_f32
static const float inverse_factorials_f32[] = {1.f / 5040, 1.f / 720, 1.f / 120,
                                               1.f / 24,   1.f / 6,   1.f / 2};
static const float artanh_terms_f32[] = {1.f / 9, 1.f / 7, 1.f / 5, 1.f / 3};

#else

#define REAL double
#define BITS int64_t
#define SUFFIX f64
#define SQRT sqrt
#define SIGN_BIT INT64_MIN
#define OWN_ELEMENT MLP_OF_FLOAT64
#define MANTISSA_BITS 52
#define MANTISSA_MASK 0xfffffffffffff
#define ONE_BITS 0x3ff0000000000000
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcd
#define SMALLEST_NORMAL 0x1p-1022
#define DENORMAL_SCALE 0x1p54
#define DENORMAL_EXPONENT 54
#define ROUNDING_SHIFT 0x1.8p52
#define LOG2_E 0x1.71547652b82fep0
#define LN2_HIGH 0x1.62e42fefa3p-1
#define LN2_LOW 0x1.3de6af278ece6p-42
#define EXP_LOW -746.0
#define EXP_HIGH 710.0
#define HALF_EXPONENT 512
#define INVERSE_FACTORIALS inverse_factorials_f64
#define ARTANH_TERMS artanh_terms_f64
static const double inverse_factorials_f64[] = {
    1. / 6227020800, 1. / 479001600, 1. / 39916800, 1. / 3628800, 1. / 362880, 1. / 40320,
    1. / 5040,       1. / 720,       1. / 120,      1. / 24,      1. / 6,      1. / 2};
static const double artanh_terms_f64[] = {1. / 21, 1. / 19, 1. / 17, 1. / 15, 1. / 13,
                                          1. / 11, 1. / 9,  1. / 7,  1. / 5,  1. / 3};

#endif

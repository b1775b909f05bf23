/* What the templates know of their dtype, all of it in one place.
 *
 * REAL_BITS, 32 or 64, chooses. Templates are included once for each dtype: templates.h undefines
 * their guards, this one's among them, before each. FN(name) is the name of the dtype's function,
 * type or size. Macros for its types, such as VEC, stand where these are declared.
 */
#ifndef MLP_REAL_TEMPLATE
#define MLP_REAL_TEMPLATE

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/sizes.h"
#include "base/views.h"
#include "kernels/kernels.h"

/* An editor that opens a template by itself sees it for float32 and the narrowest vectors. */
#ifndef REAL_BITS
#define REAL_BITS 32
#endif
#ifndef MLP_VECTOR_BYTES
#define MLP_VECTOR_BYTES 16
#endif

#define ALWAYS_INLINE __attribute__((always_inline))
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define FN(name) JOIN(name, SUFFIX)
#define LANES (MLP_VECTOR_BYTES / (ptrdiff_t)sizeof(REAL)) /* elements of a vector */

#undef REAL
#undef BITS
#undef SUFFIX
#undef SQRT
#undef SIGN_BIT
#undef OWN_DTYPE
#undef MANTISSA_BITS
#undef MANTISSA_MASK
#undef ONE_BITS
#undef SQRT_HALF_BITS
#undef SMALLEST_NORMAL
#undef DENORMAL_SCALE
#undef DENORMAL_EXPONENT
#undef ROUNDING_SHIFT
#undef LOG2_E
#undef LN2
#undef LN2_HIGH
#undef LN2_LOW
#undef EXP_LOW
#undef EXP_HIGH
#undef EXP_TAIL_END
#undef HALF_EXPONENT
#undef LOW_BITS
#undef NORMAL_BEGIN
#undef NORMAL_END
#undef SQRT_2_PI

/* ln 2 is LN2_HIGH + LN2_LOW. LN2_HIGH ends in zeros, so that its multiples by the exponents of
 * the type are exact. exp(x) is 0 for x below EXP_LOW, and inf above EXP_HIGH; u exp(-u) is 0 for u
 * above EXP_TAIL_END. */
#if REAL_BITS == 32

#define REAL float
#define BITS int32_t
#define SUFFIX f32
#define SQRT sqrtf
#define SIGN_BIT INT32_MIN
#define OWN_DTYPE MLP_FLOAT32
#define MANTISSA_BITS 23
#define MANTISSA_MASK 0x7fffff
#define ONE_BITS 0x3f800000
#define SQRT_HALF_BITS 0x3f3504f3
#define SMALLEST_NORMAL 0x1p-126f
#define DENORMAL_SCALE 0x1p25f
#define DENORMAL_EXPONENT 25
#define ROUNDING_SHIFT 0x1.8p23f
#define LOG2_E 0x1.715476p0f
#define LN2 0x1.62e430p-1f
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define EXP_LOW -104.5f
#define EXP_HIGH 89.0f
#define EXP_TAIL_END 110.0f
#define HALF_EXPONENT 64
#define LOW_BITS 12 /* without which a number has an exact square */
#define NORMAL_BEGIN 0x1p-30f
#define NORMAL_END 15.0f
#define SQRT_2_PI 2.50662827463f

#else

#define REAL double
#define BITS int64_t
#define SUFFIX f64
#define SQRT sqrt
#define SIGN_BIT INT64_MIN
#define OWN_DTYPE MLP_FLOAT64
#define MANTISSA_BITS 52
#define MANTISSA_MASK 0xfffffffffffff
#define ONE_BITS 0x3ff0000000000000
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcd
#define SMALLEST_NORMAL 0x1p-1022
#define DENORMAL_SCALE 0x1p54
#define DENORMAL_EXPONENT 54
#define ROUNDING_SHIFT 0x1.8p52
#define LOG2_E 0x1.71547652b82fep0
#define LN2 0x1.62e42fefa39efp-1
#define LN2_HIGH 0x1.62e42fefa3p-1
#define LN2_LOW 0x1.3de6af278ece6p-42
#define EXP_LOW -746.0
#define EXP_HIGH 710.0
#define EXP_TAIL_END 755.0
#define HALF_EXPONENT 512
#define LOW_BITS 27
#define NORMAL_BEGIN 0x1p-30
#define NORMAL_END 39.0
#define SQRT_2_PI 2.5066282746310002

#endif

/* Taylor series of exp, from its last term down to that of r^2, and of 2 artanh, down to s^3:
 * enough terms for |r| <= ln(2) / 2 and s from a mantissa between sqrt(1/2) and sqrt(2). */
static const REAL FN(inverse_factorials)[] = {
#if REAL_BITS == 32
    1.f / 5040, 1.f / 720, 1.f / 120, 1.f / 24,
    1.f / 6,    1.f / 2
#else
    1. / 6227020800, 1. / 479001600, 1. / 39916800, 1. / 3628800, 1. / 362880,
    1. / 40320,      1. / 5040,      1. / 720,      1. / 120,     1. / 24,
    1. / 6,          1. / 2
#endif
};

static const REAL FN(artanh_terms)[] = {
#if REAL_BITS == 32
    1.f / 9, 1.f / 7, 1.f / 5, 1.f / 3
#else
    1. / 21, 1. / 19, 1. / 17, 1. / 15, 1. / 13, 1. / 11,
    1. / 9,  1. / 7,  1. / 5,  1. / 3
#endif
};

/* G(u) = Phi(-u) exp(u^2 / 2), with Phi the normal distribution, is P(t) / (u + 3) with
 * t = (u - 3) / (u + 3): the coefficients of P by twos, of an odd power of t and the even one below
 * it, from the highest down; for u from 0 to NORMAL_END, where Phi(-u) has long been 0. P is the
 * interpolation of (u + 3) G(u) in as many Chebyshev points of t, computed in 60 digits; its
 * relative error is at most 1.3e-9 in float32 and 3.2e-17 in float64, before the coefficients are
 * rounded. */
static const REAL FN(normal_terms)[][2] = {
#if REAL_BITS == 32
    {6.37173025e-06f, 6.57131168e-05f},
    {0.000128341591f, -0.00025755493f},
    {-0.001033935f, 0.0010300217f},
    {0.00697022909f, -0.0104634296f},
    {-0.0472628213f, 0.230017751f},
    {-0.509332001f, 0.729083717f}
#else
    {-4.7870720959922925e-09, -1.3135933402247276e-08},
    {1.657033137527329e-08, 9.487232199276363e-08},
    {5.684486037424846e-08, -2.7328560573942945e-07},
    {-6.074709787998142e-07, 8.436576374559394e-09},
    {2.2657541545091404e-06, 3.639661016328273e-06},
    {-3.5216120993913375e-06, -2.0688992367067843e-05},
    {-1.3244941486425609e-05, 7.881264329401229e-05},
    {0.00015439426231460667, -0.0002565753435054921},
    {-0.0010458285990398509, 0.0010275922589893913},
    {0.006972621238880609, -0.010462867023309811},
    {-0.04726302514292172, 0.23001771997460368},
    {-0.50933198191749, 0.729083690133373}
#endif
};

#endif

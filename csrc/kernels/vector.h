/* Vectors of REAL: loads and stores that take tails and strides, and selection.
 *
 * A vector whose last lanes lie past the data is loaded with zeros there and stored without them,
 * so tails run the code of the bodies and an element's result does not depend on where it stands.
 */
#ifndef MLP_VECTOR_TEMPLATE
#define MLP_VECTOR_TEMPLATE

#include "kernels/real.h"

#define VEC FN(vec)
#define BITS_VEC FN(bits_vec)
#define ROW FN(row)

typedef REAL VEC __attribute__((vector_size(MLP_VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
typedef BITS BITS_VEC
    __attribute__((vector_size(MLP_VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

/* A row of n elements, `stride` apart. */
typedef struct {
    REAL *data;
    ptrdiff_t stride, n;
} ROW;

/* Element (i, j) of a matrix. */
static inline REAL *
FN(at)(const mlp_matrix *m, ptrdiff_t i, ptrdiff_t j)
{
    return (REAL *)m->data + i * m->row_stride + j * m->col_stride;
}

/* Row i of a matrix. */
static inline ROW
FN(row_of)(const mlp_matrix *m, ptrdiff_t i)
{
    return (ROW){FN(at)(m, i, 0), m->col_stride, m->cols};
}

/* Copies elements that are next to each other, fewer than LANES: in pieces of powers of two, each
 * of which takes an instruction. */
static inline void
FN(copy_some)(const REAL *from, ptrdiff_t count, REAL *to)
{
    assert(0 <= count && count < LANES);
    for (ptrdiff_t piece = LANES / 2; piece > 0; piece /= 2) {
        if (count & piece) {
            memcpy(to, from, (size_t)piece * sizeof(REAL));
            from += piece;
            to += piece;
        }
    }
}

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

/* Sums as they begin and as they are kept: +0 for -0, lest they depend on whether terms of 0 are
 * left out. A bias can be -0, and a product that underflows leave it behind. */
static inline VEC
FN(end_sums)(VEC sums)
{
    return sums + 0;
}

/* The biases that sums start from. */
static inline VEC
FN(load_biases)(const REAL *p, ptrdiff_t stride, ptrdiff_t count)
{
    return FN(end_sums)(FN(load)(p, stride, count));
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
    if (stride == 1) {
        FN(copy_some)(lanes, count, p);
    }
    for (ptrdiff_t i = 0; i < count && i < LANES && stride != 1; i++) {
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

/* a b + c, rounded once on instruction sets that can. GCC always does; Clang decides anew wherever
 * it inlines a sum, unless it is told. */
static inline VEC
FN(multiply_add)(VEC a, VEC b, VEC c)
{
#if defined(__clang__) && (defined(__FMA__) || defined(__ARM_FEATURE_FMA))
#if __has_builtin(__builtin_elementwise_fma)
    return __builtin_elementwise_fma(a, b, c);
#endif
#endif
    return a * b + c;
}

static inline VEC
FN(abs)(VEC x)
{
    return (VEC)((BITS_VEC)x & ~SIGN_BIT);
}

static inline VEC
FN(clamp)(VEC x, REAL low, REAL high)
{
    x = FN(select)(x < low, FN(splat)(low), x);
    return FN(select)(x > high, FN(splat)(high), x);
}

#endif

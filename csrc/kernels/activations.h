/* Hidden activations and their slopes, on the rows of a matrix.
 *
 * An activation NAME is a line of MLP_ACTIVATIONS in lists.h and, where that says that the slope
 * comes from the OUTPUT, two functions:
 *     NAME             z -> a = f(z)
 *     NAME_derivative  a -> f'(z), in terms of a
 * and where it comes from the INPUT, one:
 *     NAME_with_slope  z -> a, and f'(z) written to *slope
 */
#ifndef MLP_ACTIVATIONS_TEMPLATE
#define MLP_ACTIVATIONS_TEMPLATE

#include "kernels/functions.h"
#include "kernels/normal.h"
#include "kernels/poll.h"
#include "kernels/tiny.h"

static inline VEC
FN(identity)(VEC z)
{
    return z;
}

static inline VEC
FN(identity_derivative)(VEC a)
{
    (void)a;
    return FN(splat)(1);
}

static inline VEC
FN(logistic_derivative)(VEC a)
{
    return a * (1 - a);
}

static inline VEC
FN(tanh_derivative)(VEC a)
{
    return 1 - a * a;
}

/* NaN stays NaN, as in NumPy's maximum. */
static inline VEC
FN(relu)(VEC z)
{
    return FN(select)(z < 0, FN(splat)(0), z);
}

/* 0 at 0: the subgradient the notebook and scikit-learn take. */
static inline VEC
FN(relu_derivative)(VEC a)
{
    return FN(select)(a == 0, FN(splat)(0), FN(splat)(1));
}

/* Activations f(z) = z F(z) of an F that rises from 0 to 1. With u = |z|, the tail is what F is
 * away from the nearer of the two:
 *     f(z) = max(z, 0) - u tail
 *     f'(z) = change for z < 0, else 1 - change
 * The tail and the change are given without a factor of 2^k, which comes last, lest they lose
 * digits to denormals where their product has not left the normal numbers. */
static inline VEC
FN(gated)(VEC z, VEC u, VEC k, VEC tail, VEC change, VEC *slope)
{
    VEC half = FN(clamp)(k, -HALF_EXPONENT, HALF_EXPONENT);
    VEC scale = FN(exp2_integral)(half), rest = FN(exp2_integral)(k - half);
    change = FN(select)(z < 0, change, -change);
    *slope = FN(select)(z < 0, FN(splat)(0), FN(splat)(1)) + change * scale * rest;
    return FN(relu)(z) - u * tail * scale * rest;
}

/* z Phi(z) with Phi the normal distribution: Hendrycks & Gimpel, "Gaussian error linear units"
 * (2016). The tail is Phi(-u), the change Phi(-u) - u phi(u), with phi = Phi'. phi is divided by
 * sqrt(2 pi), not multiplied by a constant: whether a compiler fuses that product differs between
 * instruction sets. */
static inline VEC
FN(gelu_with_slope)(VEC z, VEC *slope)
{
    VEC k, u = FN(clamp)(FN(abs)(z), 0, NORMAL_END);
    VEC e = FN(exp_of_half_square)(u, &k), tail = FN(normal_tail)(u);
    return FN(gated)(z, u, k, e * tail, e * (tail - u / SQRT_2_PI), slope);
}

/* Below, exp(-u) is 1, and 1 - exp(-u) is u: no power of a smaller u is computed, which might be
 * denormal. */
#define EXP_TAIL_BEGIN ((REAL)0x1p-55)

/* exp(-u) for u from 0 to EXP_TAIL_END as a number about 1, which is returned, times 2^k. *power is
 * 2^k; or, where that is far too small to be added to 1, a larger one, lest its square be denormal.
 */
static inline VEC
FN(exp_tail)(VEC u, VEC *k, VEC *power)
{
    u = FN(select)(u < EXP_TAIL_BEGIN, FN(splat)(EXP_TAIL_BEGIN), u);
    VEC r = FN(reduce)(-u, k);
    *power = FN(exp2_integral)(FN(clamp)(*k, (REAL)-0.5 * HALF_EXPONENT, 0));
    return 1 + FN(expm1_reduced)(r);
}

/* z / (1 + exp(-z)): Ramachandran, Zoph & Le, "Searching for activation functions" (2017). With
 * e = exp(-u), the tail is e / (1 + e), and the change the tail times 1 - u / (1 + e). */
static inline VEC
FN(silu_with_slope)(VEC z, VEC *slope)
{
    VEC k, power, u = FN(clamp)(FN(abs)(z), 0, EXP_TAIL_END);
    VEC y = FN(exp_tail)(u, &k, &power), sum = 1 + y * power;
    VEC tail = y / sum;
    return FN(gated)(z, u, k, tail, tail * (1 - u / sum), slope);
}

/* z tanh(log(1 + exp(z))): Misra, "Mish: a self regularized non-monotonic activation function"
 * (2019). With e = exp(-u), x = e for z < 0, else 2 e, and D = 1 + x (1 + x / 2):
 *     z < 0     tail x (1 + x / 2) / D    change x (1 + x / 2 - u (1 + x) / D) / D
 *     else      tail x (x / 2) / D        change x (x / 2 - u x (1 + x / 2) / D) / D */
static inline VEC
FN(mish_with_slope)(VEC z, VEC *slope)
{
    VEC k, power, u = FN(clamp)(FN(abs)(z), 0, EXP_TAIL_END);
    VEC y = FN(exp_tail)(u, &k, &power);
    y = FN(select)(z < 0, y, 2 * y);
    VEC x = y * power, denominator = 1 + x * (1 + x / 2);
    VEC numerator = FN(select)(z < 0, 1 + x / 2, x / 2);
    VEC rise = FN(select)(z < 0, 1 + x, denominator - 1);
    VEC tail = y / denominator;
    return FN(gated)(z, u, k, tail * numerator, tail * (numerator - u * rise / denominator), slope);
}

/* Clevert, Unterthiner & Hochreiter, "Fast and accurate deep network learning by exponential linear
 * units" (2015), with alpha = 1: z for z > 0, else exp(z) - 1, which is -1 long before -64. */
static inline VEC
FN(elu)(VEC z)
{
    VEC below_0 = FN(expm1)(FN(clamp)(z, -64, -EXP_TAIL_BEGIN));
    return FN(select)(z > -EXP_TAIL_BEGIN, z, below_0);
}

static inline VEC
FN(elu_derivative)(VEC a)
{
    return FN(select)(a > 0, FN(splat)(1), a + 1);
}

#define SELU_LAMBDA ((REAL)1.0507009873554805)
#define SELU_LAMBDA_ALPHA ((REAL)1.7580993408473766)

/* lambda z for z > 0, else lambda alpha (exp(z) - 1): Klambauer et al., "Self-normalizing neural
 * networks" (2017). */
static inline VEC
FN(selu)(VEC z)
{
    return FN(select)(z > 0, SELU_LAMBDA * z, SELU_LAMBDA_ALPHA * FN(elu)(z));
}

static inline VEC
FN(selu_derivative)(VEC a)
{
    return FN(select)(a > 0, FN(splat)(SELU_LAMBDA), a + SELU_LAMBDA_ALPHA);
}

#define LEAK ((REAL)0.01)

/* z for z > 0, else z / 100: Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network
 * acoustic models" (2013). */
static inline VEC
FN(leaky_relu)(VEC z)
{
    return FN(select)(z > 0, z, z * LEAK);
}

/* At 0 it is the slope below 0, as in PyTorch. */
static inline VEC
FN(leaky_relu_derivative)(VEC a)
{
    return FN(select)(a > 0, FN(splat)(1), FN(splat)(LEAK));
}

/* log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)): Dugas et al., "Incorporating second-order
 * functional knowledge for better option pricing" (2000). From 64 on, it is z. */
static inline VEC
FN(softplus)(VEC z)
{
    VEC u = FN(clamp)(FN(abs)(z), EXP_TAIL_BEGIN, (REAL)INFINITY);
    VEC e = FN(exp)(FN(select)(z > 64, FN(splat)(-64), -u));
    return FN(relu)(z) + FN(log1p)(e);
}

/* 1 - exp(-a) */
static inline VEC
FN(softplus_derivative)(VEC a)
{
    return -FN(elu)(-a);
}

/* What the list has of each activation by one of two ways: NAME and NAME_with_slope. */
#define COMPLETE_OUTPUT(name)                                   \
    static inline VEC FN(name##_with_slope)(VEC z, VEC * slope) \
    {                                                           \
        VEC a = FN(name)(z);                                    \
        *slope = FN(name##_derivative)(a);                      \
        return a;                                               \
    }
#define COMPLETE_INPUT(name)                     \
    static inline VEC FN(name)(VEC z)            \
    {                                            \
        VEC slope;                               \
        return FN(name##_with_slope)(z, &slope); \
    }
#define A(CODE, name, from) COMPLETE_##from(name)
MLP_ACTIVATIONS(A)
#undef A
#undef COMPLETE_OUTPUT
#undef COMPLETE_INPUT

typedef VEC FN(vector_function)(VEC);
typedef VEC FN(slope_function)(VEC, VEC *);

/* a = f(z), which may be a itself */
static inline ALWAYS_INLINE void
FN(map_rows)(FN(vector_function) * f, const mlp_matrix *z, const mlp_matrix *a)
{
    for (ptrdiff_t i = 0; i < z->rows; i++) {
        for (ptrdiff_t j = 0; j < z->cols; j += LANES) {
            VEC v = f(FN(load)(FN(at)(z, i, j), z->col_stride, z->cols - j));
            FN(store)(FN(at)(a, i, j), a->col_stride, a->cols - j, v);
        }
    }
}

/* a = f(z), slopes = f'(z) */
static inline ALWAYS_INLINE void
FN(map_rows_with_slopes)(FN(slope_function) * f, const mlp_matrix *z, const mlp_matrix *a,
                         const mlp_matrix *slopes)
{
    for (ptrdiff_t i = 0; i < z->rows; i++) {
        for (ptrdiff_t j = 0; j < z->cols; j += LANES) {
            VEC slope;
            VEC v = f(FN(load)(FN(at)(z, i, j), z->col_stride, z->cols - j), &slope);
            FN(store)(FN(at)(a, i, j), a->col_stride, a->cols - j, v);
            FN(store)(FN(at)(slopes, i, j), slopes->col_stride, slopes->cols - j, slope);
        }
    }
}

/* deltas = deltas * f(a); with drops_tiny, 0 where that is tiny (tiny.h). */
static inline ALWAYS_INLINE void
FN(scale_rows)(FN(vector_function) * f, bool drops_tiny, const mlp_matrix *a,
               const mlp_matrix *deltas)
{
    for (ptrdiff_t i = 0; i < deltas->rows; i++) {
        for (ptrdiff_t j = 0; j < deltas->cols; j += LANES) {
            REAL *p = FN(at)(deltas, i, j);
            ptrdiff_t count = deltas->cols - j;
            VEC slope = f(FN(load)(FN(at)(a, i, j), a->col_stride, count));
            VEC scaled = FN(load)(p, deltas->col_stride, count) * slope;
            scaled = drops_tiny ? FN(drop_tiny)(scaled, TINY_DELTA) : scaled;
            FN(store)(p, deltas->col_stride, count, scaled);
        }
    }
}

static void
FN(copy)(const mlp_matrix *from, const mlp_matrix *to)
{
    FN(map_rows)(FN(identity), from, to);
}

static void
FN(activate)(mlp_worker *worker, mlp_activation activation, const mlp_matrix *z,
             const mlp_matrix *a, const mlp_matrix *slopes)
{
    for (mlp_block block = {0}; mlp_next_block(worker, a, &block);) {
        mlp_matrix from = mlp_block_of(z, &block), to = mlp_block_of(a, &block);
        mlp_matrix some_slopes = mlp_block_of(slopes, &block);
        switch (activation) {
#define A(CODE, name, from_where)                                                      \
    case MLP_##CODE:                                                                   \
        if (slopes->data == NULL) {                                                    \
            FN(map_rows)(FN(name), &from, &to);                                        \
        }                                                                              \
        else {                                                                         \
            FN(map_rows_with_slopes)(FN(name##_with_slope), &from, &to, &some_slopes); \
        }                                                                              \
        break;
            MLP_ACTIVATIONS(A)
#undef A
        }
    }
}

/* By the derivative in terms of the activation, where there is one. */
#define SCALE_OUTPUT(CODE, name)                                                  \
    case MLP_##CODE:                                                              \
        FN(scale_rows)(FN(name##_derivative), drops_tiny, &some_a, &some_deltas); \
        break;
#define SCALE_INPUT(CODE, name)

static inline ALWAYS_INLINE void
FN(apply_some_slopes)(bool drops_tiny, mlp_worker *worker, mlp_activation activation,
                      const mlp_matrix *a, const mlp_matrix *slopes, const mlp_matrix *deltas)
{
    for (mlp_block block = {0}; mlp_next_block(worker, deltas, &block);) {
        mlp_matrix some_deltas = mlp_block_of(deltas, &block);
        if (slopes->data != NULL) {
            mlp_matrix some_slopes = mlp_block_of(slopes, &block);
            FN(scale_rows)(FN(identity), drops_tiny, &some_slopes, &some_deltas);
            continue;
        }
        mlp_matrix some_a = mlp_block_of(a, &block);
        switch (activation) {
#define A(CODE, name, from) SCALE_##from(CODE, name)
            MLP_ACTIVATIONS(A)
#undef A
        default: assert(!"slopes of the others are not absent");
        }
    }
}

#undef SCALE_OUTPUT
#undef SCALE_INPUT

static void
FN(apply_slopes)(mlp_worker *worker, mlp_activation activation, const mlp_matrix *a,
                 const mlp_matrix *slopes, bool drops_tiny, const mlp_matrix *deltas)
{
    if (drops_tiny) {
        FN(apply_some_slopes)(true, worker, activation, a, slopes, deltas);
    }
    else {
        FN(apply_some_slopes)(false, worker, activation, a, slopes, deltas);
    }
}

#endif

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

/* z Phi(z) with Phi the normal distribution: Hendrycks & Gimpel, "Gaussian error linear units"
 * (2016). With u = |z| and phi = Phi':
 *     f(z) = max(z, 0) - u Phi(-u)
 *     f'(z) = Phi(-u) - u phi(u) for z < 0, else 1 less that
 * The tails have a common factor of 2^k, which comes last, lest they lose digits to denormals where
 * their product has not left the normal numbers. phi is divided by sqrt(2 pi), not multiplied by a
 * constant: whether a compiler fuses that product differs between instruction sets. */
static inline VEC
FN(gelu_with_slope)(VEC z, VEC *slope)
{
    VEC k, u = FN(clamp)(FN(abs)(z), 0, NORMAL_END);
    VEC e = FN(exp_of_half_square)(u, &k), tail = FN(normal_tail)(u);
    VEC half = FN(clamp)(k, -HALF_EXPONENT, HALF_EXPONENT);
    VEC scale = FN(exp2_integral)(half), rest = FN(exp2_integral)(k - half);
    VEC change = tail - u / SQRT_2_PI;
    change = FN(select)(z < 0, change, -change);
    *slope = FN(select)(z < 0, FN(splat)(0), FN(splat)(1)) + e * change * scale * rest;
    return FN(relu)(z) - u * (e * tail) * scale * rest;
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
#define SCALE_OUTPUT(name) FN(scale_rows)(FN(name##_derivative), drops_tiny, &some_a, &some_deltas)
#define SCALE_INPUT(name) assert(!"slopes of " #name " are not absent")

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
#define A(CODE, name, from) \
    case MLP_##CODE: SCALE_##from(name); break;
            MLP_ACTIVATIONS(A)
#undef A
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

/* The lists that everything with a name comes from: types of elements, activations, outputs,
 * losses and update rules.
 *
 * A line of a list gives a code, MLP_<CODE>, and a name: that by which Python knows it, and that
 * of the functions that compute it. docs/dev/ shows, list by list, what else an entry needs.
 */
#ifndef MLP_LISTS_H
#define MLP_LISTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/views.h"

/* What the elements of dense rows may be: code, C type, and the function that gives their value
 * (rows.h). Kernels convert elements that are not of their dtype as they need them. */
#define MLP_ELEMENTS(E)        \
    E(FLOAT32, float, plain)   \
    E(FLOAT64, double, plain)  \
    E(FLOAT16, uint16_t, half) \
    E(BOOL, uint8_t, truth)    \
    E(INT8, int8_t, plain)     \
    E(INT16, int16_t, plain)   \
    E(INT32, int32_t, plain)   \
    E(INT64, int64_t, plain)   \
    E(UINT8, uint8_t, plain)   \
    E(UINT16, uint16_t, plain) \
    E(UINT32, uint32_t, plain) \
    E(UINT64, uint64_t, plain)

typedef enum {
#define E(CODE, type, value) MLP_OF_##CODE,
    MLP_ELEMENTS(E)
#undef E
} mlp_element;

_Static_assert((int)MLP_OF_FLOAT32 == MLP_FLOAT32 && (int)MLP_OF_FLOAT64 == MLP_FLOAT64,
               "the kernels' dtypes come first, in their order");

/* Hidden activations: code, name, and what the derivative is computed from: the OUTPUT of the
 * activation, as the pass backward finds it; or the INPUT, which is gone by then, so that the pass
 * forward leaves slopes f'(z) behind. The functions are in activations.h. */
#define MLP_ACTIVATIONS(A)            \
    A(IDENTITY, identity, OUTPUT)     \
    A(LOGISTIC, logistic, OUTPUT)     \
    A(TANH, tanh, OUTPUT)             \
    A(RELU, relu, OUTPUT)             \
    A(GELU, gelu, INPUT)              \
    A(SILU, silu, INPUT)              \
    A(MISH, mish, INPUT)              \
    A(ELU, elu, OUTPUT)               \
    A(SELU, selu, OUTPUT)             \
    A(LEAKY_RELU, leaky_relu, OUTPUT) \
    A(SOFTPLUS, softplus, OUTPUT)

typedef enum {
#define A(CODE, name, from) MLP_##CODE,
    MLP_ACTIVATIONS(A)
#undef A
} mlp_activation;

/* Whether the pass backward needs an activation's slopes. */
static inline bool
mlp_needs_slopes(mlp_activation activation)
{
    enum { OUTPUT, INPUT };
    static const bool needs[] = {
#define A(CODE, name, from) (from) == INPUT,
        MLP_ACTIVATIONS(A)
#undef A
    };
    return needs[activation];
}

/* Output activations: code, MLP_OUTPUT_<CODE>, and name. The functions are in outputs.h. */
#define MLP_OUTPUTS(O)    \
    O(IDENTITY, identity) \
    O(LOGISTIC, logistic) \
    O(SOFTMAX, softmax)   \
    O(EXP, exp)

typedef enum {
#define O(CODE, name) MLP_OUTPUT_##CODE,
    MLP_OUTPUTS(O)
#undef O
} mlp_output;

/* Constants of losses and update rules, by kind and name: a real number, or several. A list makes
 * the members of a struct, and the entries that Python gives. */
#define MLP_NO_CONSTANTS(C)
#define MLP_CONSTANT_MEMBER(kind, name) mlp_##kind##_constant name;

typedef double mlp_real_constant;
typedef struct {
    const double *values;
    ptrdiff_t n;
} mlp_reals_constant;

/* Losses of a row of logits: code, name, list of constants. The functions are in losses.h. */
#define MLP_LOSSES(L)                                            \
    L(CROSS_ENTROPY, cross_entropy, MLP_CROSS_ENTROPY_CONSTANTS) \
    L(LOGISTIC_LOSS, logistic_loss, MLP_LOGISTIC_LOSS_CONSTANTS) \
    L(SQUARED_ERROR, squared_error, MLP_NO_CONSTANTS)            \
    L(ABSOLUTE_ERROR, absolute_error, MLP_NO_CONSTANTS)          \
    L(HUBER_LOSS, huber_loss, MLP_HUBER_LOSS_CONSTANTS)          \
    L(PINBALL_LOSS, pinball_loss, MLP_PINBALL_LOSS_CONSTANTS)    \
    L(POISSON_LOSS, poisson_loss, MLP_NO_CONSTANTS)              \
    L(GAMMA_LOSS, gamma_loss, MLP_NO_CONSTANTS)                  \
    L(TWEEDIE_LOSS, tweedie_loss, MLP_TWEEDIE_LOSS_CONSTANTS)    \
    L(GAUSSIAN_LOSS, gaussian_loss, MLP_NO_CONSTANTS)

/* The loss of a class of probability p is -log(p + eps), held within [floor, ceiling]; the
 * gradient knows of neither. Of the targets, the part `smoothing` is shared out among all classes
 * evenly, of which a logistic output has two: Szegedy et al., "Rethinking the Inception
 * architecture for computer vision" (2016), section 7. */
#define MLP_CROSS_ENTROPY_CONSTANTS(C) \
    C(real, eps) C(real, floor) C(real, ceiling) C(real, smoothing)
#define MLP_LOGISTIC_LOSS_CONSTANTS(C) C(real, floor) C(real, ceiling) C(real, smoothing)

/* The residual from which a loss is linear; the quantiles that are estimated, each by outputs for
 * all targets, one quantile after the other; and the power of the mean that the variance is in
 * proportion to, from 1 to 2. */
#define MLP_HUBER_LOSS_CONSTANTS(C) C(real, delta)
#define MLP_PINBALL_LOSS_CONSTANTS(C) C(reals, quantiles)
#define MLP_TWEEDIE_LOSS_CONSTANTS(C) C(real, power)

typedef enum {
#define L(CODE, name, constants) MLP_##CODE,
    MLP_LOSSES(L)
#undef L
} mlp_loss_code;

/* A loss and its constants. */
typedef struct {
    mlp_loss_code code;
    union {
#define L(CODE, name, constants)                                             \
    struct {                                                                 \
        constants(MLP_CONSTANT_MEMBER) bool end; /* C has no empty struct */ \
    } name;
        MLP_LOSSES(L)
#undef L
    };
} mlp_loss;

/* Update rules: code, name, how many moments they keep of each parameter, list of constants. The
 * functions are in rules.h. */
#define MLP_RULES(R)                                 \
    R(SGD, sgd, 0, MLP_NO_CONSTANTS)                 \
    R(MOMENTUM, momentum, 1, MLP_MOMENTUM_CONSTANTS) \
    R(NESTEROV, nesterov, 1, MLP_MOMENTUM_CONSTANTS) \
    R(ADAM, adam, 2, MLP_ADAM_CONSTANTS)             \
    R(ADAMW, adamw, 2, MLP_ADAM_CONSTANTS)           \
    R(RMSPROP, rmsprop, 1, MLP_RMSPROP_CONSTANTS)

#define MLP_MOMENTUM_CONSTANTS(C) C(real, momentum)
#define MLP_ADAM_CONSTANTS(C) C(real, beta_1) C(real, beta_2) C(real, epsilon)
#define MLP_RMSPROP_CONSTANTS(C) C(real, beta_2) C(real, epsilon)

typedef enum {
#define R(CODE, name, n_moments, constants) MLP_##CODE,
    MLP_RULES(R)
#undef R
} mlp_rule_code;

/* An update rule and its constants. */
typedef struct {
    mlp_rule_code code;
    union {
#define R(CODE, name, n_moments, constants)                                  \
    struct {                                                                 \
        constants(MLP_CONSTANT_MEMBER) bool end; /* C has no empty struct */ \
    } name;
        MLP_RULES(R)
#undef R
    };
} mlp_rule;

/* The most moments that a rule keeps: a byte for each in the largest of these arrays, and one. */
union mlp_moment_counts {
#define R(CODE, name, n_moments, constants) char name[(n_moments) + 1];
    MLP_RULES(R)
#undef R
};
enum { MLP_MAX_MOMENTS = sizeof(union mlp_moment_counts) - 1 };

#endif

/* The update rules.
 *
 * momentum, nesterov: Sutskever, Martens, Dahl & Hinton, "On the importance of initialization and
 * momentum in deep learning" (2013), in the form that keeps the learning rate inside the velocity,
 * as scikit-learn does.
 * adam: Kingma & Ba, "Adam: a method for stochastic optimization" (2014), with the bias corrections
 * folded into the learning rate (end of section 2).
 * adamw: Loshchilov & Hutter, "Decoupled weight decay regularization" (2019), as PyTorch has it:
 * epsilon is added to the root once its bias is corrected. The decay is no part of the rule: it is
 * mlp_step's.
 * rmsprop: Tieleman & Hinton, lecture 6.5 of "Neural networks for machine learning" (2012), as
 * PyTorch has it: epsilon is added to the root.
 *
 * A rule is a line of MLP_RULES in lists.h and here
 *     NAME_constants  what it computes with, of the dtype
 *     NAME_begin      gives these for one step
 *     NAME            returns the new values of LANES parameters and updates their moments
 */
#ifndef MLP_RULES_TEMPLATE
#define MLP_RULES_TEMPLATE

#include "kernels/functions.h"
#include "kernels/tiny.h"

/* A rule, and what it is given: its own constants, and as many moments as it keeps. */
typedef VEC FN(rule)(const void *constants, VEC value, VEC gradient, VEC moments[]);

typedef struct {
    REAL learning_rate;
} FN(sgd_constants);

static inline FN(sgd_constants) FN(sgd_begin)(const mlp_step *step)
{
    return (FN(sgd_constants)){(REAL)step->learning_rate};
}

static inline VEC
FN(sgd)(const void *constants, VEC value, VEC gradient, VEC moments[])
{
    const FN(sgd_constants) *c = constants;
    (void)moments;
    return value - c->learning_rate * gradient;
}

typedef struct {
    REAL learning_rate, momentum;
} FN(momentum_constants);

static inline FN(momentum_constants) FN(momentum_begin)(const mlp_step *step)
{
    return (FN(momentum_constants)){(REAL)step->learning_rate, (REAL)step->rule->momentum.momentum};
}

static inline VEC
FN(next_velocity)(REAL momentum, VEC velocity, VEC change)
{
    return FN(drop_tiny)(FN(multiply_add)(FN(splat)(momentum), velocity, -change), TINY_VELOCITY);
}

static inline VEC
FN(momentum)(const void *constants, VEC value, VEC gradient, VEC moments[])
{
    const FN(momentum_constants) *c = constants;
    moments[0] = FN(next_velocity)(c->momentum, moments[0], c->learning_rate * gradient);
    return value + moments[0];
}

typedef FN(momentum_constants) FN(nesterov_constants);

static inline FN(nesterov_constants) FN(nesterov_begin)(const mlp_step *step)
{
    return (FN(nesterov_constants)){(REAL)step->learning_rate, (REAL)step->rule->nesterov.momentum};
}

static inline VEC
FN(nesterov)(const void *constants, VEC value, VEC gradient, VEC moments[])
{
    const FN(nesterov_constants) *c = constants;
    VEC change = c->learning_rate * gradient;
    moments[0] = FN(next_velocity)(c->momentum, moments[0], change);
    return value + FN(multiply_add)(FN(splat)(c->momentum), moments[0], -change);
}

typedef struct {
    REAL learning_rate; /* with the bias corrections */
    REAL beta_1, beta_2, one_minus_beta_1, one_minus_beta_2, epsilon;
} FN(adam_constants);

/* beta^t, or 0 where it is less than exp(-64): 1 - beta^t is then 1, and pow would come to denormal
 * numbers. beta^t is at most exp(-t (1 - beta)). */
static inline double
FN(power)(double beta, double t)
{
    return t * (1 - beta) > 64 ? 0 : pow(beta, t);
}

/* An epsilon that the dtype holds: 0 / 0 is NaN. */
static inline REAL
FN(normal_epsilon)(double epsilon)
{
    return (REAL)fmax(epsilon, SMALLEST_NORMAL);
}

static inline FN(adam_constants)
    FN(adam_with)(const mlp_step *step, double beta_1, double beta_2, double epsilon)
{
    const double t = (double)step->number;
    double learning_rate = step->learning_rate;
    learning_rate *= sqrt(1 - FN(power)(beta_2, t)) / (1 - FN(power)(beta_1, t));
    return (FN(adam_constants)){
        .learning_rate = (REAL)learning_rate,
        .beta_1 = (REAL)beta_1,
        .beta_2 = (REAL)beta_2,
        .one_minus_beta_1 = (REAL)(1 - beta_1),
        .one_minus_beta_2 = (REAL)(1 - beta_2),
        .epsilon = FN(normal_epsilon)(epsilon),
    };
}

static inline FN(adam_constants) FN(adam_begin)(const mlp_step *step)
{
    const mlp_rule *rule = step->rule;
    return FN(adam_with)(step, rule->adam.beta_1, rule->adam.beta_2, rule->adam.epsilon);
}

/* Moves a mean of squared gradients on; returns its root. Where it becomes 0, being tiny, so does
 * the gradient or mean that is to be divided by the root. */
static inline VEC
FN(mean_square)(REAL beta_2, REAL one_minus_beta_2, VEC gradient, VEC *mean_square, VEC *divided)
{
    VEC second = one_minus_beta_2 * gradient * gradient;
    VEC square = FN(multiply_add)(FN(splat)(beta_2), *mean_square, second);
    VEC root = FN(sqrt)(square);
    BITS_VEC is_tiny = root < TINY_FIRST_MOMENT;
    *mean_square = (VEC)((BITS_VEC)square & ~is_tiny);
    *divided = (VEC)((BITS_VEC)*divided & ~is_tiny);
    return root;
}

static inline VEC
FN(adam)(const void *constants, VEC value, VEC gradient, VEC moments[])
{
    const FN(adam_constants) *c = constants;
    gradient = FN(drop_tiny)(gradient, TINY_SQUARED_GRADIENT);
    VEC first = c->one_minus_beta_1 * gradient;
    first = FN(multiply_add)(FN(splat)(c->beta_1), moments[0], first);
    moments[0] = FN(drop_tiny)(first, TINY_FIRST_MOMENT);
    VEC root = FN(mean_square)(c->beta_2, c->one_minus_beta_2, gradient, &moments[1], &moments[0]);
    return value - c->learning_rate * moments[0] / (root + c->epsilon);
}

typedef FN(adam_constants) FN(adamw_constants);

/* root / correction + epsilon is (root + correction * epsilon) / correction: adam with another
 * epsilon. */
static inline FN(adamw_constants) FN(adamw_begin)(const mlp_step *step)
{
    const mlp_rule *rule = step->rule;
    const double correction = sqrt(1 - FN(power)(rule->adamw.beta_2, (double)step->number));
    return FN(adam_with)(step, rule->adamw.beta_1, rule->adamw.beta_2,
                         rule->adamw.epsilon * correction);
}

static inline VEC
FN(adamw)(const void *constants, VEC value, VEC gradient, VEC moments[])
{
    return FN(adam)(constants, value, gradient, moments);
}

typedef struct {
    REAL learning_rate, beta_2, one_minus_beta_2, epsilon;
} FN(rmsprop_constants);

static inline FN(rmsprop_constants) FN(rmsprop_begin)(const mlp_step *step)
{
    const double beta_2 = step->rule->rmsprop.beta_2;
    return (FN(rmsprop_constants)){
        .learning_rate = (REAL)step->learning_rate,
        .beta_2 = (REAL)beta_2,
        .one_minus_beta_2 = (REAL)(1 - beta_2),
        .epsilon = FN(normal_epsilon)(step->rule->rmsprop.epsilon),
    };
}

static inline VEC
FN(rmsprop)(const void *constants, VEC value, VEC gradient, VEC moments[])
{
    const FN(rmsprop_constants) *c = constants;
    gradient = FN(drop_tiny)(gradient, TINY_SQUARED_GRADIENT);
    VEC change = gradient;
    VEC root = FN(mean_square)(c->beta_2, c->one_minus_beta_2, gradient, &moments[0], &change);
    return value - c->learning_rate * change / (root + c->epsilon);
}

#endif

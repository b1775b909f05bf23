/* The update rules.
 *
 * momentum, nesterov: Sutskever, Martens, Dahl & Hinton, "On the importance of initialization and
 * momentum in deep learning" (2013), in the form that keeps the learning rate inside the velocity,
 * as scikit-learn does.
 * adam: Kingma & Ba, "Adam: a method for stochastic optimization" (2014), with the bias corrections
 * folded into the learning rate (end of section 2).
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
FN(momentum)(const void *constants, VEC value, VEC gradient, VEC moments[])
{
    const FN(momentum_constants) *c = constants;
    VEC change = c->learning_rate * gradient;
    moments[0] = FN(drop_tiny)(c->momentum * moments[0] - change, TINY_VELOCITY);
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
    moments[0] = FN(drop_tiny)(c->momentum * moments[0] - change, TINY_VELOCITY);
    return value + (c->momentum * moments[0] - change);
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

static inline FN(adam_constants) FN(adam_begin)(const mlp_step *step)
{
    const double beta_1 = step->rule->adam.beta_1, beta_2 = step->rule->adam.beta_2;
    const double t = (double)step->number;
    double learning_rate = step->learning_rate;
    learning_rate *= sqrt(1 - FN(power)(beta_2, t)) / (1 - FN(power)(beta_1, t));
    return (FN(adam_constants)){
        .learning_rate = (REAL)learning_rate,
        .beta_1 = (REAL)beta_1,
        .beta_2 = (REAL)beta_2,
        .one_minus_beta_1 = (REAL)(1 - beta_1),
        .one_minus_beta_2 = (REAL)(1 - beta_2),
        .epsilon = (REAL)fmax(step->rule->adam.epsilon, SMALLEST_NORMAL), /* 0 / 0 is NaN */
    };
}

static inline VEC
FN(adam)(const void *constants, VEC value, VEC gradient, VEC moments[])
{
    const FN(adam_constants) *c = constants;
    gradient = FN(drop_tiny)(gradient, TINY_SQUARED_GRADIENT);
    VEC first = c->one_minus_beta_1 * gradient;
    VEC second = c->one_minus_beta_2 * gradient * gradient;
    VEC mean = c->beta_1 * moments[0] + first, square = c->beta_2 * moments[1] + second;
    VEC root = FN(sqrt)(square);
    BITS_VEC no_square = root < TINY_FIRST_MOMENT, no_mean = FN(is_tiny)(mean, TINY_FIRST_MOMENT);
    moments[0] = (VEC)((BITS_VEC)mean & ~(no_mean | no_square));
    moments[1] = (VEC)((BITS_VEC)square & ~no_square);
    return value - c->learning_rate * moments[0] / (root + c->epsilon);
}

#endif

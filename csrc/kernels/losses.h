/* Losses of rows of logits, with their gradients in these.
 *
 * A loss is a line of MLP_LOSSES in lists.h and a function NAME_row, which returns the loss of a
 * row and, where somebody asks for it, writes its gradient in the logits. cross_entropy.h has that
 * of the loss of a row's softmax; here are those of outputs one by one.
 */
#ifndef MLP_LOSSES_TEMPLATE
#define MLP_LOSSES_TEMPLATE

#include "kernels/cross_entropy.h"
#include "kernels/functions.h"
#include "kernels/loss_row.h"
#include "kernels/narrow_rows.h"
#include "kernels/poll.h"
#include "kernels/tiny.h"

/* Loss of LANES outputs of one row, and their gradient. */
typedef VEC FN(output_loss)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient);

/* Returns the sum of the losses of a row's outputs. Where the compiler sees that nobody asks for
 * the gradient, it leaves out what is computed for that alone. */
static inline ALWAYS_INLINE double
FN(sum_some_outputs)(bool with_gradient, FN(output_loss) * f, mlp_worker *worker,
                     const mlp_loss *loss, const LOSS_ROW *row)
{
    const REAL *z = row->z.data;
    REAL *d = row->gradient.data;
    const ptrdiff_t k = row->z.n;
    double total = 0;
    for (mlp_segment some = {0}; mlp_next_segment(worker, k, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            VEC gradient;
            VEC y = FN(load_targets)(row->targets, row->number, j);
            VEC value = f(loss, FN(load)(z + j, 1, k - j), y, &gradient);
            if (with_gradient) {
                VEC delta = gradient * row->scale;
                delta = row->drops_tiny ? FN(drop_tiny)(delta, TINY_DELTA) : delta;
                FN(store)(d + j, 1, k - j, delta);
            }
            for (ptrdiff_t lane = 0; lane < LANES && lane < k - j; lane++) {
                total += (double)value[lane];
            }
        }
    }
    return total;
}

static inline ALWAYS_INLINE double
FN(sum_outputs)(FN(output_loss) * f, mlp_worker *worker, const mlp_loss *loss, const LOSS_ROW *row)
{
    assert(row->z.stride == 1 && row->gradient.stride == 1);
    return row->gradient.data == NULL ? FN(sum_some_outputs)(false, f, worker, loss, row)
                                      : FN(sum_some_outputs)(true, f, worker, loss, row);
}

/* -y log p - (1 - y) log(1 - p), with -log p = log(1 + exp(-z)) and smoothed targets y. */
static inline VEC
FN(logistic_loss_of)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    const REAL floor = (REAL)loss->logistic_loss.floor;
    const REAL ceiling = (REAL)loss->logistic_loss.ceiling;
    const double smoothing = loss->logistic_loss.smoothing;
    y = (REAL)(1 - smoothing) * y + (REAL)(smoothing / 2);
    /* Beyond these bounds 1 + exp(-|z|) is 1, and the gradient 0 or tiny. */
    VEC bounded = FN(clamp)(z, LOG_TINY_DELTA, -LOG_TINY_DELTA);
    VEC shared = FN(log)(1 + FN(exp)(FN(select)(bounded < 0, bounded, -bounded)));
    VEC positive = FN(clamp)(shared + FN(select)(z < 0, -z, FN(splat)(0)), floor, ceiling);
    VEC negative = FN(clamp)(shared + FN(select)(z > 0, z, FN(splat)(0)), floor, ceiling);
    *gradient = FN(logistic)(bounded) - y;
    return y * positive + (1 - y) * negative;
}

/* (z - y)^2 / 2 */
static inline VEC
FN(squared_error_of)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    (void)loss;
    *gradient = z - y;
    return (REAL)0.5 * *gradient * *gradient;
}

/* |z - y|. Its gradient is 0 where these are equal. */
static inline VEC
FN(absolute_error_of)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    (void)loss;
    VEC r = z - y;
    *gradient = FN(select)(r > 0, FN(splat)(1), FN(select)(r < 0, FN(splat)(-1), r));
    return FN(abs)(r);
}

/* r^2 / 2 of residuals r up to delta, delta (|r| - delta / 2) of others: Huber, "Robust estimation
 * of a location parameter" (1964). */
static inline VEC
FN(huber_loss_of)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    const REAL delta = (REAL)loss->huber_loss.delta;
    VEC r = z - y;
    *gradient = FN(clamp)(r, -delta, delta);
    return *gradient * (r - (REAL)0.5 * *gradient);
}

/* The first quantile q's: q (y - z) where z is below y, (1 - q) (z - y) where it is above. Its
 * gradient is 0 where these are equal: Koenker & Bassett, "Regression quantiles" (1978). */
static inline VEC
FN(pinball_loss_of)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    const double q = loss->pinball_loss.quantiles.values[0];
    const REAL below = (REAL)q, above = (REAL)(1 - q);
    VEC r = z - y;
    *gradient = FN(select)(r > 0, FN(splat)(above), FN(select)(r < 0, FN(splat)(-below), r));
    return *gradient * r;
}

/* Half the Poisson deviance: y log(y / p) - y + p, with log p = z; 0 log 0 = 0. */
static inline VEC
FN(poisson_loss_of)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    (void)loss;
    *gradient = FN(exp)(z) - y;
    VEC weighted = y * (FN(log)(y) - z);
    return FN(select)(y == 0, FN(splat)(0), weighted) + *gradient;
}

/* Half the gamma deviance: y / p - log(y / p) - 1, with log p = z. */
static inline VEC
FN(gamma_loss_of)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    (void)loss;
    VEC log_ratio = FN(log)(y) - z;
    VEC excess = FN(exp)(log_ratio) - 1;
    *gradient = -excess;
    return excess - log_ratio;
}

/* (exp(c x) - exp(c y)) / c, for a c that may be small. */
static inline VEC
FN(divided_difference)(REAL c, VEC x, VEC y)
{
    VEC d = c * (x - y), exp_y = FN(exp)(c * y), apart = FN(exp)(c * x) - exp_y;
    VEC close = exp_y * FN(expm1)(FN(clamp)(d, -1, 1));
    return FN(select)(FN(abs)(d) < 1, close, apart) / c;
}

/* Half the Tweedie deviance of a power k between 1 and 2, with log p = z:
 * y (y^(1 - k) - p^(1 - k)) / (1 - k) + (p^(2 - k) - y^(2 - k)) / (2 - k). */
static inline VEC
FN(tweedie_loss_of)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    const REAL power = (REAL)loss->tweedie_loss.power;
    VEC log_y = FN(log)(y), at_0 = FN(exp)((2 - power) * z);
    VEC rest = FN(select)(y == 0, FN(splat)(0), y * FN(exp)((1 - power) * z)); /* not 0 inf */
    *gradient = at_0 - rest;
    VEC first = FN(divided_difference)(1 - power, log_y, z);
    VEC second = FN(divided_difference)(2 - power, z, log_y);
    return FN(select)(y == 0, at_0 / (2 - power), y * first + second);
}

/* NAME_row of losses whose sum over a row's outputs is that of the row. */
#define SUM_OVER_OUTPUTS(name)                                                                   \
    static double FN(name##_row)(mlp_worker * worker, const mlp_loss *loss, const LOSS_ROW *row) \
    {                                                                                            \
        return FN(sum_outputs)(FN(name##_of), worker, loss, row);                                \
    }
SUM_OVER_OUTPUTS(logistic_loss)
SUM_OVER_OUTPUTS(absolute_error)
SUM_OVER_OUTPUTS(huber_loss)
SUM_OVER_OUTPUTS(poisson_loss)
SUM_OVER_OUTPUTS(gamma_loss)
#undef SUM_OVER_OUTPUTS

/* The mean over outputs; the gradient is that of their sum. */
static double
FN(squared_error_row)(mlp_worker *worker, const mlp_loss *loss, const LOSS_ROW *row)
{
    return FN(sum_outputs)(FN(squared_error_of), worker, loss, row) / (double)row->z.n;
}

/* Outputs begin to begin + n of a row. */
static inline LOSS_ROW
FN(outputs_of)(const LOSS_ROW *row, ptrdiff_t begin, ptrdiff_t n)
{
    LOSS_ROW some = *row;
    REAL *gradient = row->gradient.data;
    some.z = (ROW){row->z.data + begin, 1, n};
    some.gradient = (ROW){gradient == NULL ? NULL : gradient + begin, 1, n};
    return some;
}

/* Each quantile's outputs, one after the other. */
static double
FN(pinball_loss_row)(mlp_worker *worker, const mlp_loss *loss, const LOSS_ROW *row)
{
    const ptrdiff_t n = loss->pinball_loss.quantiles.n, k = row->z.n / n;
    mlp_poller poller = {worker, 0};
    mlp_loss one = *loss;
    double total = 0;
    for (ptrdiff_t i = 0; i < n && !mlp_poll_after(&poller, k); i++) {
        LOSS_ROW some = FN(outputs_of)(row, i * k, k);
        one.pinball_loss.quantiles =
            (mlp_reals_constant){&loss->pinball_loss.quantiles.values[i], 1};
        total += FN(sum_outputs)(FN(pinball_loss_of), worker, &one, &some);
    }
    return total;
}

/* (s + (y - mean)^2 exp(-s)) / 2, with s the logarithm of the variance, of LANES targets; and the
 * gradients in mean and s: Nix & Weigend, "Estimating the mean and variance of the target
 * probability distribution" (1994). The exponential is bounded, as it is multiplied with what may
 * be 0. */
static inline VEC
FN(gaussian_loss_of)(VEC mean, VEC s, VEC y, VEC *in_mean, VEC *in_s)
{
    VEC r = mean - y, precision = FN(exp)(-FN(clamp)(s, LOG_TINY_DELTA, -LOG_TINY_DELTA));
    *in_mean = r * precision;
    *in_s = (REAL)0.5 * FN(multiply_add)(-r, *in_mean, FN(splat)(1));
    return (REAL)0.5 * FN(multiply_add)(r, *in_mean, s);
}

/* The outputs are k means, then k logarithms of variances. */
static inline ALWAYS_INLINE double
FN(sum_gaussians)(bool with_gradient, mlp_worker *worker, const LOSS_ROW *row)
{
    const ptrdiff_t k = row->z.n / 2;
    const REAL *z = row->z.data;
    REAL *d = row->gradient.data;
    double total = 0;
    for (mlp_segment some = {0}; mlp_next_segment(worker, k, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            VEC mean = FN(load)(z + j, 1, k - j), s = FN(load)(z + k + j, 1, k - j), delta[2];
            VEC y = FN(load_targets)(row->targets, row->number, j);
            VEC value = FN(gaussian_loss_of)(mean, s, y, &delta[0], &delta[1]);
            for (ptrdiff_t i = 0; with_gradient && i < 2; i++) {
                delta[i] *= row->scale;
                delta[i] = row->drops_tiny ? FN(drop_tiny)(delta[i], TINY_DELTA) : delta[i];
                FN(store)(d + i * k + j, 1, k - j, delta[i]);
            }
            for (ptrdiff_t lane = 0; lane < LANES && lane < k - j; lane++) {
                total += (double)value[lane];
            }
        }
    }
    return total;
}

static double
FN(gaussian_loss_row)(mlp_worker *worker, const mlp_loss *loss, const LOSS_ROW *row)
{
    (void)loss;
    assert(row->z.stride == 1 && row->gradient.stride == 1 && row->z.n % 2 == 0);
    return row->gradient.data == NULL ? FN(sum_gaussians)(false, worker, row)
                                      : FN(sum_gaussians)(true, worker, row);
}

/* The deviances of powers 1 and 2 are limits. */
static double
FN(tweedie_loss_row)(mlp_worker *worker, const mlp_loss *loss, const LOSS_ROW *row)
{
    const REAL power = (REAL)loss->tweedie_loss.power;
    if (power == 1) {
        return FN(poisson_loss_row)(worker, loss, row);
    }
    if (power == 2) {
        return FN(gamma_loss_row)(worker, loss, row);
    }
    return FN(sum_outputs)(FN(tweedie_loss_of), worker, loss, row);
}

/* ---- the kernels ---- */

static double
FN(loss_of_row)(mlp_worker *worker, const mlp_loss *loss, const LOSS_ROW *row)
{
    switch (loss->code) {
#define L(CODE, name, constants) \
    case MLP_##CODE: return FN(name##_row)(worker, loss, row);
        MLP_LOSSES(L)
#undef L
    }
    return 0;
}

/* Row i of those whose losses are computed. */
static inline LOSS_ROW
FN(loss_row_of)(const mlp_loss_rows *rows, ptrdiff_t i)
{
    const mlp_data *data = rows->span.data;
    const mlp_matrix *logits = &rows->logits, *deltas = &rows->deltas;
    const ptrdiff_t number = mlp_data_row(data, rows->span.first + i);
    const ptrdiff_t target = data->targets.is_ordered ? rows->span.first + i : number;
    const REAL *weights = data->sample_weight;
    const REAL weight = weights == NULL ? 1 : weights[number];
    return (LOSS_ROW){
        .z = {FN(at)(logits, i, 0), 1, logits->cols},
        .targets = &data->targets,
        .number = target,
        .labels = mlp_labels_of(&data->targets, target),
        .weight = weight,
        .scale = weight * (REAL)rows->scale,
        .drops_tiny = rows->drops_tiny,
        .gradient = {deltas->data != NULL ? FN(at)(deltas, i, 0) : NULL, 1, logits->cols},
    };
}

static void
FN(compute_losses)(mlp_worker *worker, const mlp_loss *loss, const mlp_loss_rows *rows)
{
    mlp_poller poller = {worker, 0};
    ptrdiff_t i = rows->begin, n = 0;
    while (i < rows->end && !mlp_poll_after(&poller, n * rows->logits.cols)) {
        LOSS_ROW some[LANES];
        double losses[LANES];
        some[0] = FN(loss_row_of)(rows, i);
        n = 1;
        if (rows->end - i >= LANES && FN(is_narrow)(loss, some)) {
            for (; n < LANES; n++) {
                some[n] = FN(loss_row_of)(rows, i + n);
            }
            FN(narrow_rows)(loss, some, losses);
        }
        else {
            losses[0] = FN(loss_of_row)(worker, loss, some);
        }
        for (ptrdiff_t k = 0; k < n; k++, i++) {
            rows->losses[i] = (double)some[k].weight * losses[k];
        }
    }
}

#endif

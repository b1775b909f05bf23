/* Losses by row, with the output activations they are canonical for: then the
 * gradient of the loss in the logits is (output - target).
 *
 * A loss is a line of MLP_LOSSES in kernels.h, a function NAME_row here and, if
 * its output activation is new, a function OUTPUT_row.
 */

/* The activation of one row of outputs, in place. */
static void
FN(map_row)(FN(vector_function) * f, mlp_worker *worker, REAL *z, ptrdiff_t stride, ptrdiff_t k)
{
    for (SEGMENT some = {0}; FN(next_segment)(worker, k, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            REAL *p = z + j * stride;
            FN(store)(p, stride, k - j, f(FN(load)(p, stride, k - j)));
        }
    }
}

static void
FN(softmax_row)(mlp_worker *worker, REAL *z, ptrdiff_t stride, ptrdiff_t k)
{
    FN(normalize_row)(worker, z, stride, k, z, stride);
}

static void
FN(logistic_row)(mlp_worker *worker, REAL *z, ptrdiff_t stride, ptrdiff_t k)
{
    FN(map_row)(FN(logistic), worker, z, stride, k);
}

static void
FN(identity_row)(mlp_worker *worker, REAL *z, ptrdiff_t stride, ptrdiff_t k)
{
    (void)worker;
    (void)z;
    (void)stride;
    (void)k;
}

static void
FN(exp_row)(mlp_worker *worker, REAL *z, ptrdiff_t stride, ptrdiff_t k)
{
    FN(map_row)(FN(exp), worker, z, stride, k);
}

/* z = the output activation of a loss, for one row of k logits. */
static void
FN(output_row)(mlp_worker *worker, mlp_loss_function loss, REAL *z, ptrdiff_t stride, ptrdiff_t k)
{
    switch (loss) {
#define L(CODE, name, output) \
    case MLP_##CODE: FN(output##_row)(worker, z, stride, k); break;
        MLP_LOSSES(L)
#undef L
    }
}

/* Loss of LANES outputs of one row, and their gradient. */
typedef VEC FN(output_loss)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient);

/* -y log p - (1 - y) log(1 - p), with -log p = log(1 + exp(-z)). */
static inline VEC
FN(logistic_output)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    VEC shared = FN(log)(1 + FN(exp)(FN(select)(z < 0, z, -z)));
    VEC positive = FN(clamp)(shared + FN(select)(z < 0, -z, FN(splat)(0)), (REAL)loss->floor,
                             (REAL)loss->ceiling);
    VEC negative = FN(clamp)(shared + FN(select)(z > 0, z, FN(splat)(0)), (REAL)loss->floor,
                             (REAL)loss->ceiling);
    *gradient = FN(logistic)(z) - y;
    return y * positive + (1 - y) * negative;
}

/* (z - y)^2 / 2 */
static inline VEC
FN(squared_output)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    (void)loss;
    *gradient = z - y;
    return (REAL)0.5 * *gradient * *gradient;
}

/* Half the Poisson deviance: y log(y / p) - y + p, with log p = z; 0 log 0 = 0. */
static inline VEC
FN(poisson_output)(const mlp_loss *loss, VEC z, VEC y, VEC *gradient)
{
    (void)loss;
    *gradient = FN(exp)(z) - y;
    VEC weighted = y * (FN(log)(y) - z);
    return FN(select)(y == 0, FN(splat)(0), weighted) + *gradient;
}

/* One row: d = gradient * scale; returns the sum of the outputs' losses. */
static inline ALWAYS_INLINE double
FN(sum_outputs)(FN(output_loss) * f, mlp_worker *worker, const mlp_loss *loss, const REAL *z,
                ptrdiff_t k, const mlp_targets *targets, ptrdiff_t row, REAL scale, REAL *d)
{
    double total = 0;
    for (SEGMENT some = {0}; FN(next_segment)(worker, k, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            VEC gradient;
            VEC y = FN(load_targets)(targets, row, j);
            VEC value = f(loss, FN(load)(z + j, 1, k - j), y, &gradient);
            FN(store)(d + j, 1, k - j, gradient * scale);
            for (ptrdiff_t lane = 0; lane < LANES && lane < k - j; lane++) {
                total += (double)value[lane];
            }
        }
    }
    return total;
}

static double
FN(cross_entropy_row)(mlp_worker *worker, const mlp_loss *loss, const REAL *z, ptrdiff_t k,
                      const mlp_targets *targets, ptrdiff_t row, REAL scale, REAL *d)
{
    return FN(softmax_loss_row)(worker, loss, z, 1, k, targets, row, scale, d, 1);
}

static double
FN(logistic_loss_row)(mlp_worker *worker, const mlp_loss *loss, const REAL *z, ptrdiff_t k,
                      const mlp_targets *targets, ptrdiff_t row, REAL scale, REAL *d)
{
    return FN(sum_outputs)(FN(logistic_output), worker, loss, z, k, targets, row, scale, d);
}

/* The mean over outputs; the gradient is that of their sum. */
static double
FN(squared_error_row)(mlp_worker *worker, const mlp_loss *loss, const REAL *z, ptrdiff_t k,
                      const mlp_targets *targets, ptrdiff_t row, REAL scale, REAL *d)
{
    return FN(sum_outputs)(FN(squared_output), worker, loss, z, k, targets, row, scale, d)
           / (double)k;
}

static double
FN(poisson_loss_row)(mlp_worker *worker, const mlp_loss *loss, const REAL *z, ptrdiff_t k,
                     const mlp_targets *targets, ptrdiff_t row, REAL scale, REAL *d)
{
    return FN(sum_outputs)(FN(poisson_output), worker, loss, z, k, targets, row, scale, d);
}

/* The loss of one row of k logits; d = its gradient * scale. Contiguous rows. */
static double
FN(loss_row)(mlp_worker *worker, const mlp_loss *loss, const REAL *z, ptrdiff_t k,
             const mlp_targets *targets, ptrdiff_t row, REAL scale, REAL *d)
{
    switch (loss->function) {
#define L(CODE, name, output) \
    case MLP_##CODE: return FN(name##_row)(worker, loss, z, k, targets, row, scale, d);
        MLP_LOSSES(L)
#undef L
    }
    return 0;
}

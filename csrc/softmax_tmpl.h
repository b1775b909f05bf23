/* Softmax and its cross-entropy.
 *
 * A row is shifted by its largest logit, so exp cannot overflow and its sum is
 * at least 1 (Goodfellow, Bengio & Courville, Deep Learning, section 4.1).
 * With eps = 0 the loss is log(sum) - shifted logit, which stays finite where
 * the probability itself underflows.
 */

/* Polls now and then in a loop over rows; returns whether to stop. */
static inline bool
FN(poll_row)(mlp_worker *worker, ptrdiff_t row)
{
    return row % 256 == 0 && mlp_poll(worker);
}

typedef struct {
    REAL largest; /* of the logits */
    REAL sum;     /* of exp(logits - largest), in order */
} FN(softmax_row_sums);

/* out = exp(z - max z) for one row of k logits. */
static FN(softmax_row_sums)
    FN(softmax_row)(const REAL *z, ptrdiff_t z_stride, ptrdiff_t k, REAL *out, ptrdiff_t out_stride)
{
    FN(softmax_row_sums) row = {.largest = -(REAL)INFINITY, .sum = 0};
    for (ptrdiff_t j = 0; j < k; j++) {
        REAL value = z[j * z_stride];
        row.largest = value > row.largest ? value : row.largest;
    }
    for (ptrdiff_t j = 0; j < k; j += LANES) {
        VEC shifted = FN(load)(z + j * z_stride, z_stride, k - j) - row.largest;
        FN(store)(out + j * out_stride, out_stride, k - j, FN(exp)(shifted));
    }
    for (ptrdiff_t j = 0; j < k; j++) {
        row.sum += out[j * out_stride];
    }
    return row;
}

static size_t
FN(softmax_workspace)(const void *args, int n_threads)
{
    (void)args;
    (void)n_threads;
    return 0;
}

static void
FN(softmax)(mlp_worker *worker, void *arguments)
{
    mlp_softmax_args *args = arguments;
    ptrdiff_t k = args->out.cols, stride = args->out.col_stride;
    ptrdiff_t begin, end;
    mlp_share(worker, args->out.rows, 1, &begin, &end);
    for (ptrdiff_t i = begin; i < end && !FN(poll_row)(worker, i); i++) {
        REAL *out = FN(at)(&args->out, i, 0);
        FN(softmax_row_sums)
        row = FN(softmax_row)(FN(at)(&args->logits, i, 0), args->logits.col_stride, k, out, stride);
        for (ptrdiff_t j = 0; j < k; j += LANES) {
            VEC p = FN(load)(out + j * stride, stride, k - j) / row.sum;
            FN(store)(out + j * stride, stride, k - j, p);
        }
    }
}

/* The targets of LANES classes from j on, zero past the last. */
static inline VEC
FN(load_targets)(const mlp_targets *targets, ptrdiff_t row, ptrdiff_t j)
{
    const mlp_matrix *m = &targets->matrix;
    if (!targets->is_bool) {
        return FN(load)(FN(at)(m, row, j), m->col_stride, m->cols - j);
    }
    const uint8_t *p = (const uint8_t *)m->data + row * m->row_stride + j * m->col_stride;
    VEC y = {0};
    for (ptrdiff_t lane = 0; lane < LANES && lane < m->cols - j; lane++) {
        y[lane] = p[lane * m->col_stride] != 0;
    }
    return y;
}

/* -log(p + eps) for classes of shifted logits z and probabilities p, held
 * within the loss's bounds. */
static inline VEC
FN(class_loss)(const mlp_loss *loss, VEC z, VEC p, VEC log_sum)
{
    VEC value = log_sum - z;
    if (loss->eps > 0) {
        value = -FN(log)(p + (REAL)loss->eps);
    }
    return FN(clamp)(value, (REAL)loss->floor, (REAL)loss->ceiling);
}

/* One row: dlogits = (p - y) * scale; returns the loss. `row` counts rows of
 * the targets. */
static double
FN(cross_entropy_row)(const mlp_loss *loss, const REAL *z, ptrdiff_t z_stride, ptrdiff_t k,
                      const mlp_targets *targets, ptrdiff_t row, REAL scale, REAL *d,
                      ptrdiff_t d_stride)
{
    FN(softmax_row_sums) sums = FN(softmax_row)(z, z_stride, k, d, d_stride);
    VEC log_sum = FN(log)(FN(splat)(sums.sum));
    if (targets->labels != NULL) {
        ptrdiff_t at = targets->labels[row];
        REAL p = d[at * d_stride] / sums.sum;
        VEC value =
            FN(class_loss)(loss, FN(splat)(z[at * z_stride] - sums.largest), FN(splat)(p), log_sum);
        for (ptrdiff_t j = 0; j < k; j += LANES) {
            REAL *out = d + j * d_stride;
            VEC e = FN(load)(out, d_stride, k - j);
            FN(store)(out, d_stride, k - j, e / sums.sum * scale);
        }
        d[at * d_stride] = (p - 1) * scale;
        return (double)value[0];
    }
    double total = 0;
    for (ptrdiff_t j = 0; j < k; j += LANES) {
        REAL *out = d + j * d_stride;
        VEC y = FN(load_targets)(targets, row, j);
        VEC p = FN(load)(out, d_stride, k - j) / sums.sum;
        VEC shifted = FN(load)(z + j * z_stride, z_stride, k - j) - sums.largest;
        FN(store)(out, d_stride, k - j, (p - y) * scale);
        VEC value = FN(class_loss)(loss, shifted, p, log_sum);
        for (ptrdiff_t lane = 0; lane < LANES && lane < k - j; lane++) {
            if (y[lane] != 0) { /* 0 log 0 = 0 */
                double term = (double)y[lane] * (double)value[lane];
                total += term;
            }
        }
    }
    return total;
}

static size_t
FN(softmax_cross_entropy_workspace)(const void *args, int n_threads)
{
    (void)args;
    (void)n_threads;
    return 0;
}

static void
FN(softmax_cross_entropy)(mlp_worker *worker, void *arguments)
{
    mlp_softmax_cross_entropy_args *args = arguments;
    const mlp_matrix *logits = &args->logits, *dlogits = &args->dlogits;
    REAL scale = 1 / (REAL)logits->rows;
    double total = 0;
    for (ptrdiff_t i = 0; i < logits->rows && !FN(poll_row)(worker, i); i++) {
        total += FN(cross_entropy_row)(&args->loss, FN(at)(logits, i, 0), logits->col_stride,
                                       logits->cols, &args->targets, i, scale,
                                       FN(at)(dlogits, i, 0), dlogits->col_stride);
    }
    args->total_loss = total;
}

/* Softmax and its cross-entropy.
 *
 * A row is shifted by its largest logit, so exp cannot overflow and its sum is
 * at least 1 (Goodfellow, Bengio & Courville, Deep Learning, section 4.1).
 * With eps = 0 the loss is log(sum) - shifted logit, which stays finite where
 * the probability itself underflows.
 */

typedef struct {
    REAL largest; /* of the logits */
    REAL sum;     /* of exp(logits - largest), in order */
} ROW_SUMS;

/* out = exp(z - max z) for one row of k logits. */
static ROW_SUMS
FN(exponentials_row)(mlp_worker *worker, const REAL *z, ptrdiff_t z_stride, ptrdiff_t k, REAL *out,
                     ptrdiff_t out_stride)
{
    ROW_SUMS row = {.largest = -(REAL)INFINITY, .sum = 0};
    for (SEGMENT some = {0}; FN(next_segment)(worker, k, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j++) {
            REAL value = z[j * z_stride];
            row.largest = value > row.largest ? value : row.largest;
        }
    }
    for (SEGMENT some = {0}; FN(next_segment)(worker, k, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            VEC shifted = FN(load)(z + j * z_stride, z_stride, k - j) - row.largest;
            FN(store)(out + j * out_stride, out_stride, k - j, FN(exp)(shifted));
        }
        for (ptrdiff_t j = some.begin; j < some.end; j++) {
            row.sum += out[j * out_stride];
        }
    }
    return row;
}

/* out = softmax(z) for one row; out may be z. */
static void
FN(normalize_row)(mlp_worker *worker, const REAL *z, ptrdiff_t z_stride, ptrdiff_t k, REAL *out,
                  ptrdiff_t out_stride)
{
    REAL sum = FN(exponentials_row)(worker, z, z_stride, k, out, out_stride).sum;
    for (SEGMENT some = {0}; FN(next_segment)(worker, k, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            REAL *p = out + j * out_stride;
            FN(store)(p, out_stride, k - j, FN(load)(p, out_stride, k - j) / sum);
        }
    }
}

static void
FN(softmax)(mlp_worker *worker, void *arguments)
{
    mlp_softmax_args *args = arguments;
    const mlp_matrix *logits = &args->logits, *out = &args->out;
    ptrdiff_t begin, end;
    mlp_share(worker->size, worker->rank, out->cols == 0 ? 0 : out->rows, 1, &begin, &end);
    ptrdiff_t work = 0;
    for (ptrdiff_t i = begin; i < end && !FN(poll_work)(worker, &work, out->cols); i++) {
        FN(normalize_row)
        (worker, FN(at)(logits, i, 0), logits->col_stride, out->cols, FN(at)(out, i, 0),
         out->col_stride);
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
        y[lane] = (REAL)(p[lane * m->col_stride] != 0);
    }
    return y;
}

/* -log(p + eps) for a class of probability p and logit z, held within the loss's
 * bounds. In double, where the difference of any two float logits is finite. */
static double
FN(class_loss)(const mlp_loss *loss, REAL z, REAL p, ROW_SUMS row)
{
    double value;
    if (loss->eps > 0) {
        value = -(double)FN(log)(FN(splat)(p + (REAL)loss->eps))[0];
    }
    else {
        value = (double)FN(log)(FN(splat)(row.sum))[0] - ((double)z - (double)row.largest);
    }
    value = value < loss->floor ? loss->floor : value;
    return value > loss->ceiling ? loss->ceiling : value;
}

/* One row: d = (p - y) * scale; returns the loss. `row` counts rows of the
 * targets. */
static double
FN(softmax_loss_row)(mlp_worker *worker, const mlp_loss *loss, const REAL *z, ptrdiff_t z_stride,
                     ptrdiff_t k, const mlp_targets *targets, ptrdiff_t row, REAL scale, REAL *d,
                     ptrdiff_t d_stride)
{
    ROW_SUMS sums = FN(exponentials_row)(worker, z, z_stride, k, d, d_stride);
    if (targets->labels != NULL) {
        ptrdiff_t label = targets->labels[row];
        REAL p = d[label * d_stride] / sums.sum;
        for (SEGMENT some = {0}; FN(next_segment)(worker, k, &some);) {
            for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
                REAL *out = d + j * d_stride;
                VEC e = FN(load)(out, d_stride, k - j);
                FN(store)(out, d_stride, k - j, e / sums.sum * scale);
            }
        }
        d[label * d_stride] = (p - 1) * scale;
        return FN(class_loss)(loss, z[label * z_stride], p, sums);
    }
    double total = 0;
    for (SEGMENT some = {0}; FN(next_segment)(worker, k, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            REAL *out = d + j * d_stride;
            VEC y = FN(load_targets)(targets, row, j);
            VEC p = FN(load)(out, d_stride, k - j) / sums.sum;
            FN(store)(out, d_stride, k - j, (p - y) * scale);
            for (ptrdiff_t lane = 0; lane < LANES && lane < k - j; lane++) {
                if (y[lane] != 0) { /* 0 log 0 = 0 */
                    REAL logit = z[(j + lane) * z_stride];
                    total += (double)y[lane] * FN(class_loss)(loss, logit, p[lane], sums);
                }
            }
        }
    }
    return total;
}

static void
FN(softmax_cross_entropy)(mlp_worker *worker, void *arguments)
{
    mlp_softmax_cross_entropy_args *args = arguments;
    const mlp_matrix *logits = &args->logits, *dlogits = &args->dlogits;
    REAL scale = 1 / (REAL)logits->rows;
    double total = 0;
    ptrdiff_t work = 0, n = logits->cols == 0 ? 0 : logits->rows;
    for (ptrdiff_t i = 0; i < n && !FN(poll_work)(worker, &work, logits->cols); i++) {
        total += FN(softmax_loss_row)(worker, &args->loss, FN(at)(logits, i, 0), logits->col_stride,
                                      logits->cols, &args->targets, i, scale, FN(at)(dlogits, i, 0),
                                      dlogits->col_stride);
    }
    args->total_loss = total;
}

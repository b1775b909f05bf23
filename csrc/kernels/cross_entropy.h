/* The cross-entropy of a row's softmax, or of those of its heads, with its gradient in the logits.
 */
#ifndef MLP_CROSS_ENTROPY_TEMPLATE
#define MLP_CROSS_ENTROPY_TEMPLATE

#include "kernels/functions.h"
#include "kernels/loss_row.h"
#include "kernels/poll.h"
#include "kernels/softmax.h"
#include "kernels/tiny.h"

/* -log(p + eps) for a class of probability p and logit z, held within the loss's bounds. With
 * eps = 0 it is log(sum) - shifted logit, which stays finite where the probability itself
 * underflows: in double, where the difference of any two float logits is finite. log_sum is what
 * log_of_sum says of the row. */
static inline ALWAYS_INLINE double
FN(class_loss)(const mlp_loss *loss, REAL z, REAL p, ROW_SUMS row, double log_sum)
{
    const double floor = loss->cross_entropy.floor, ceiling = loss->cross_entropy.ceiling;
    double value;
    if (loss->cross_entropy.eps > 0) {
        value = -(double)FN(log)(FN(splat)(p + (REAL)loss->cross_entropy.eps))[0];
    }
    else {
        value = log_sum - ((double)z - (double)row.largest);
    }
    value = value < floor ? floor : value;
    return value > ceiling ? ceiling : value;
}

/* The logarithm of a row's sum, for class_loss, which has no use for it where eps > 0. */
static inline ALWAYS_INLINE double
FN(log_of_sum)(const mlp_loss *loss, ROW_SUMS row)
{
    return loss->cross_entropy.eps > 0 ? 0 : (double)FN(log)(FN(splat)(row.sum))[0];
}

/* Whether the targets are labels, to be taken as they are. */
static inline bool
FN(has_plain_label)(const mlp_loss *loss, const LOSS_ROW *row)
{
    return row->labels != NULL && !(loss->cross_entropy.smoothing > 0);
}

/* Targets with smoothing, of so many classes. */
static inline VEC
FN(smooth)(const mlp_loss *loss, VEC y, ptrdiff_t n_classes)
{
    const double smoothing = loss->cross_entropy.smoothing;
    return (REAL)(1 - smoothing) * y + (REAL)(smoothing / (double)n_classes);
}

/* The targets of LANES classes from j on, of labels or rows, with smoothing; past the last class,
 * anything. */
static inline VEC
FN(class_targets)(const mlp_loss *loss, const LOSS_ROW *row, ptrdiff_t j)
{
    VEC y = {0};
    if (row->labels == NULL) {
        y = FN(load_targets)(row->targets, row->number, j);
    }
    else {
        ptrdiff_t label = *row->labels;
        if (j <= label && label < j + LANES) {
            y[label - j] = 1;
        }
    }
    return FN(smooth)(loss, y, row->z.n);
}

/* The probability of a class of logit z. */
static REAL
FN(probability)(REAL z, ROW_SUMS row)
{
    return FN(exp)(FN(splat)(z - row.largest))[0] / row.sum;
}

/* Without a gradient, of targets or a label. */
static double
FN(cross_entropy_value)(mlp_worker *worker, const mlp_loss *loss, const LOSS_ROW *row)
{
    const ROW z = row->z;
    const bool needs_p = loss->cross_entropy.eps > 0;
    ROW_SUMS sums = FN(sums_of_exponentials)(worker, z);
    const double log_sum = FN(log_of_sum)(loss, sums);
    if (FN(has_plain_label)(loss, row)) {
        REAL logit = z.data[*row->labels * z.stride];
        REAL p = needs_p ? FN(probability)(logit, sums) : 0;
        return FN(class_loss)(loss, logit, p, sums, log_sum);
    }
    double total = 0;
    for (mlp_segment some = {0}; mlp_next_segment(worker, z.n, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            VEC y = FN(class_targets)(loss, row, j);
            for (ptrdiff_t lane = 0; lane < LANES && lane < z.n - j; lane++) {
                if (y[lane] != 0) { /* 0 log 0 = 0 */
                    REAL logit = z.data[(j + lane) * z.stride];
                    REAL p = needs_p ? FN(probability)(logit, sums) : 0;
                    total += (double)y[lane] * FN(class_loss)(loss, logit, p, sums, log_sum);
                }
            }
        }
    }
    return total;
}

/* With a gradient, which first has room for the exponentials; with drops_tiny, without what is tiny
 * of it. */
static inline ALWAYS_INLINE double
FN(cross_entropy_with_gradient)(bool drops_tiny, mlp_worker *worker, const mlp_loss *loss,
                                const LOSS_ROW *row)
{
    const ROW z = row->z, d = row->gradient;
    const REAL scale = row->scale;
    ROW_SUMS sums = FN(exponentials_of)(worker, z, drops_tiny, d);
    const double log_sum = FN(log_of_sum)(loss, sums);
    if (FN(has_plain_label)(loss, row)) {
        ptrdiff_t label = *row->labels;
        assert(0 <= label && label < z.n);
        REAL p = d.data[label * d.stride] / sums.sum;
        for (mlp_segment some = {0}; mlp_next_segment(worker, z.n, &some);) {
            for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
                REAL *out = d.data + j * d.stride;
                VEC e = FN(load)(out, d.stride, z.n - j);
                VEC delta = e / sums.sum * scale;
                delta = drops_tiny ? FN(drop_tiny)(delta, TINY_DELTA) : delta;
                FN(store)(out, d.stride, z.n - j, delta);
            }
        }
        d.data[label * d.stride] = (p - 1) * scale;
        return FN(class_loss)(loss, z.data[label * z.stride], p, sums, log_sum);
    }
    double total = 0;
    for (mlp_segment some = {0}; mlp_next_segment(worker, z.n, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            REAL *out = d.data + j * d.stride;
            VEC y = FN(class_targets)(loss, row, j);
            VEC p = FN(load)(out, d.stride, z.n - j) / sums.sum;
            VEC delta = (p - y) * scale;
            delta = drops_tiny ? FN(drop_tiny)(delta, TINY_DELTA) : delta;
            FN(store)(out, d.stride, z.n - j, delta);
            for (ptrdiff_t lane = 0; lane < LANES && lane < z.n - j; lane++) {
                if (y[lane] != 0) { /* 0 log 0 = 0 */
                    REAL logit = z.data[(j + lane) * z.stride];
                    total += (double)y[lane] * FN(class_loss)(loss, logit, p[lane], sums, log_sum);
                }
            }
        }
    }
    return total;
}

/* Of one softmax over all of a row's logits. */
static double
FN(cross_entropy_of_head)(mlp_worker *worker, const mlp_loss *loss, const LOSS_ROW *row)
{
    if (row->gradient.data == NULL) {
        return FN(cross_entropy_value)(worker, loss, row);
    }
    return row->drops_tiny ? FN(cross_entropy_with_gradient)(true, worker, loss, row)
                           : FN(cross_entropy_with_gradient)(false, worker, loss, row);
}

/* The sum over the heads, each of which has a softmax and a label of its own. */
static double
FN(cross_entropy_row)(mlp_worker *worker, const mlp_loss *loss, const LOSS_ROW *row)
{
    const mlp_heads *heads = &row->targets->heads;
    if (heads->widths == NULL) {
        return FN(cross_entropy_of_head)(worker, loss, row);
    }
    enum { HEAD_WORK = 64 }; /* elements that take as long as a narrow head */
    LOSS_ROW head = *row;
    double total = 0;
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t h = 0; h < heads->n && !mlp_poll_after(&poller, HEAD_WORK + heads->widths[h]);
         h++) {
        head.z.n = head.gradient.n = heads->widths[h];
        total += FN(cross_entropy_of_head)(worker, loss, &head);
        head.z.data += head.z.n * head.z.stride;
        if (head.gradient.data != NULL) {
            head.gradient.data += head.gradient.n * head.gradient.stride;
        }
        head.labels++;
    }
    return total;
}

/* ---- the kernel ---- */

static double
FN(softmax_cross_entropy)(mlp_worker *worker, const mlp_loss *loss, const mlp_matrix *logits,
                          const mlp_targets *targets, const mlp_matrix *dlogits)
{
    assert(loss->code == MLP_CROSS_ENTROPY);
    const REAL scale = (REAL)(1 / (double)logits->rows);
    ptrdiff_t n = logits->cols == 0 ? 0 : logits->rows;
    double total = 0;
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t i = 0; i < n && !mlp_poll_after(&poller, logits->cols); i++) {
        LOSS_ROW row = {
            .z = FN(row_of)(logits, i),
            .targets = targets,
            .number = i,
            .labels = mlp_labels_of(targets, i),
            .scale = scale,
            .gradient = FN(row_of)(dlogits, i),
        };
        total += FN(cross_entropy_with_gradient)(false, worker, loss, &row);
    }
    return total;
}

#endif

/* The cross-entropy of rows of few logits, a row a lane: a row by itself would fill a vector or two
 * in part, and its largest logit, its sum and its logarithm would each wait for the last. Every
 * lane has the bits that its row has by itself (cross_entropy.h).
 */
#ifndef MLP_NARROW_ROWS_TEMPLATE
#define MLP_NARROW_ROWS_TEMPLATE

#include "kernels/cross_entropy.h"

enum { FN(MOST_NARROW) = 32 }; /* logits: vectors of them take 2 KB of the first-level cache */

/* Whether rows like this one are to be taken by lanes. */
static inline bool
FN(is_narrow)(const mlp_loss *loss, const LOSS_ROW *row)
{
    return loss->code == MLP_CROSS_ENTROPY && row->labels != NULL
           && row->targets->heads.widths == NULL && row->z.n <= FN(MOST_NARROW);
}

/* columns[j], lane by lane, = logit j of the rows. */
static inline void
FN(gather_columns)(const LOSS_ROW rows[], ptrdiff_t n, VEC columns[])
{
    for (ptrdiff_t lane = 0; lane < LANES; lane++) {
        const ROW z = rows[lane].z;
        for (ptrdiff_t j = 0; j < n; j++) {
            ((REAL *)&columns[j])[lane] = z.data[j * z.stride];
        }
    }
}

/* The way back, to the rows' gradients. */
static inline void
FN(scatter_columns)(const VEC columns[], ptrdiff_t n, const LOSS_ROW rows[])
{
    for (ptrdiff_t lane = 0; lane < LANES; lane++) {
        const ROW d = rows[lane].gradient;
        for (ptrdiff_t j = 0; j < n; j++) {
            d.data[j * d.stride] = ((const REAL *)&columns[j])[lane];
        }
    }
}

/* columns[j] = exp(columns[j] - the largest); without what is tiny, with drops_tiny. */
static inline ALWAYS_INLINE void
FN(exponentials_by_lane)(bool drops_tiny, ptrdiff_t n, VEC columns[], VEC *largest, VEC *sum)
{
    VEC most = FN(splat)(-(REAL)INFINITY), total = {0};
    for (ptrdiff_t j = 0; j < n; j++) {
        most = FN(select)(columns[j] > most, columns[j], most);
    }
    for (ptrdiff_t j = 0; j < n; j++) {
        VEC shifted = columns[j] - most;
        columns[j] = drops_tiny ? FN(exp_unless_tiny)(shifted) : FN(exp)(shifted);
        total += columns[j];
    }
    *largest = most;
    *sum = total;
}

/* What class_loss is told of a lane's row. */
typedef struct {
    const VEC *exponentials;
    VEC largest, sum, log_sum;
} FN(lane_sums);

/* The loss of one class of a lane's row. */
static inline double
FN(class_loss_of_lane)(const mlp_loss *loss, const LOSS_ROW *row, const FN(lane_sums) * sums,
                       ptrdiff_t lane, ptrdiff_t class)
{
    ROW_SUMS of_row = {.largest = sums->largest[lane], .sum = sums->sum[lane]};
    REAL p = sums->exponentials[class][lane] / of_row.sum;
    REAL logit = row->z.data[class * row->z.stride];
    return FN(class_loss)(loss, logit, p, of_row, (double)sums->log_sum[lane]);
}

/* The loss of a lane's row. */
static inline double
FN(loss_of_lane)(const mlp_loss *loss, const LOSS_ROW *row, const FN(lane_sums) * sums,
                 ptrdiff_t lane)
{
    const ptrdiff_t label = *row->labels;
    if (FN(has_plain_label)(loss, row)) {
        return FN(class_loss_of_lane)(loss, row, sums, lane, label);
    }
    double total = 0;
    for (ptrdiff_t j = 0; j < row->z.n; j++) {
        REAL y = FN(smooth)(loss, FN(splat)(j == label ? 1 : 0), row->z.n)[0];
        if (y != 0) { /* 0 log 0 = 0 */
            total += (double)y * FN(class_loss_of_lane)(loss, row, sums, lane, j);
        }
    }
    return total;
}

/* The gradients of LANES rows in their logits. */
static inline ALWAYS_INLINE void
FN(gradients_by_lane)(const mlp_loss *loss, const LOSS_ROW rows[], ptrdiff_t n,
                      const FN(lane_sums) * sums)
{
    const bool is_plain = FN(has_plain_label)(loss, rows);
    _Alignas(MLP_ALIGNMENT) VEC deltas[FN(MOST_NARROW)];
    VEC scale;
    BITS_VEC labels;
    for (ptrdiff_t lane = 0; lane < LANES; lane++) {
        scale[lane] = rows[lane].scale;
        labels[lane] = (BITS)*rows[lane].labels;
    }
    for (ptrdiff_t j = 0; j < n; j++) {
        VEC p = sums->exponentials[j] / sums->sum;
        BITS_VEC is_label = labels == (BITS)j;
        VEC y = FN(select)(is_label, FN(splat)(1), FN(splat)(0));
        VEC delta = (p - (is_plain ? y : FN(smooth)(loss, y, n))) * scale;
        VEC kept = rows->drops_tiny ? FN(drop_tiny)(delta, TINY_DELTA) : delta;
        deltas[j] = is_plain ? FN(select)(is_label, delta, kept) : kept;
    }
    FN(scatter_columns)(deltas, n, rows);
}

/* The losses of LANES rows, and their gradients where somebody asks for these. */
static void
FN(narrow_rows)(const mlp_loss *loss, const LOSS_ROW rows[], double losses[])
{
    const ptrdiff_t n = rows->z.n;
    const bool with_gradient = rows->gradient.data != NULL;
    _Alignas(MLP_ALIGNMENT) VEC columns[FN(MOST_NARROW)];
    FN(lane_sums) sums = {.exponentials = columns};
    FN(gather_columns)(rows, n, columns);
    if (with_gradient && rows->drops_tiny) {
        FN(exponentials_by_lane)(true, n, columns, &sums.largest, &sums.sum);
    }
    else {
        FN(exponentials_by_lane)(false, n, columns, &sums.largest, &sums.sum);
    }
    if (!(loss->cross_entropy.eps > 0)) {
        sums.log_sum = FN(log)(sums.sum);
    }
    for (ptrdiff_t lane = 0; lane < LANES; lane++) {
        losses[lane] = FN(loss_of_lane)(loss, &rows[lane], &sums, lane);
    }
    if (with_gradient) {
        FN(gradients_by_lane)(loss, rows, n, &sums);
    }
}

#endif

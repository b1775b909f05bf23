/* Softmax of a row.
 *
 * A row is shifted by its largest logit, so exp cannot overflow and its sum is at least 1
 * (Goodfellow, Bengio & Courville, Deep Learning, section 4.1).
 */
#ifndef MLP_SOFTMAX_TEMPLATE
#define MLP_SOFTMAX_TEMPLATE

#include "kernels/functions.h"
#include "kernels/poll.h"
#include "kernels/tiny.h"

#define ROW_SUMS FN(row_sums)

typedef struct {
    REAL largest; /* of the logits */
    REAL sum;     /* of exp(logits - largest), in order */
} ROW_SUMS;

static inline ALWAYS_INLINE REAL
FN(largest_of)(mlp_worker *worker, ROW z)
{
    REAL largest = -(REAL)INFINITY;
    for (mlp_segment some = {0}; mlp_next_segment(worker, z.n, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j++) {
            REAL value = z.data[j * z.stride];
            largest = value > largest ? value : largest;
        }
    }
    return largest;
}

/* exp(x), and 0 where that is tiny. */
static inline VEC
FN(exp_unless_tiny)(VEC x)
{
    BITS_VEC is_less = x < LOG_TINY_DELTA;
    VEC e = FN(exp)(FN(select)(is_less, FN(splat)(0), x));
    return (VEC)((BITS_VEC)e & ~is_less);
}

/* out = exp(z - max z); with drops_tiny, 0 where that is tiny (tiny.h). */
static inline ALWAYS_INLINE ROW_SUMS
FN(exponentials_of)(mlp_worker *worker, ROW z, bool drops_tiny, ROW out)
{
    ROW_SUMS row = {.largest = FN(largest_of)(worker, z), .sum = 0};
    for (mlp_segment some = {0}; mlp_next_segment(worker, z.n, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            VEC shifted = FN(load)(z.data + j * z.stride, z.stride, z.n - j) - row.largest;
            VEC e = drops_tiny ? FN(exp_unless_tiny)(shifted) : FN(exp)(shifted);
            FN(store)(out.data + j * out.stride, out.stride, z.n - j, e);
        }
        for (ptrdiff_t j = some.begin; j < some.end; j++) {
            row.sum += out.data[j * out.stride];
        }
    }
    return row;
}

/* The same sums, without room for the exponentials. */
static ROW_SUMS
FN(sums_of_exponentials)(mlp_worker *worker, ROW z)
{
    ROW_SUMS row = {.largest = FN(largest_of)(worker, z), .sum = 0};
    for (mlp_segment some = {0}; mlp_next_segment(worker, z.n, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            VEC shifted = FN(load)(z.data + j * z.stride, z.stride, z.n - j) - row.largest;
            VEC e = FN(exp)(shifted);
            for (ptrdiff_t lane = 0; lane < LANES && lane < z.n - j; lane++) {
                row.sum += e[lane];
            }
        }
    }
    return row;
}

/* out = softmax(z), which may be z itself. */
static inline ALWAYS_INLINE void
FN(normalize)(mlp_worker *worker, ROW z, ROW out)
{
    REAL sum = FN(exponentials_of)(worker, z, false, out).sum;
    for (mlp_segment some = {0}; mlp_next_segment(worker, z.n, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            REAL *p = out.data + j * out.stride;
            FN(store)(p, out.stride, z.n - j, FN(load)(p, out.stride, z.n - j) / sum);
        }
    }
}

static void
FN(softmax)(mlp_worker *worker, const mlp_matrix *logits, const mlp_matrix *out)
{
    ptrdiff_t n = out->cols == 0 ? 0 : out->rows;
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t i = 0; i < n && !mlp_poll_after(&poller, out->cols); i++) {
        FN(normalize)(worker, FN(row_of)(logits, i), FN(row_of)(out, i));
    }
}

#endif

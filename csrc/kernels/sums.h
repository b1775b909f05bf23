/* Sums of a matrix: of its rows, and of the squares of each row. */
#ifndef MLP_SUMS_TEMPLATE
#define MLP_SUMS_TEMPLATE

#include "kernels/poll.h"
#include "kernels/tuning.h"
#include "kernels/vector.h"

static void
FN(sum_rows)(mlp_worker *worker, const mlp_matrix *m, bool accumulate, const mlp_matrix *out)
{
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t j = 0; j < m->cols && !mlp_poll_after(&poller, m->rows * LANES); j += LANES) {
        REAL *p = FN(at)(out, 0, j);
        VEC sum = {0};
        if (accumulate) {
            sum = FN(load)(p, out->col_stride, m->cols - j);
        }
        for (ptrdiff_t i = 0; i < m->rows; i++) {
            sum += FN(load)(FN(at)(m, i, j), m->col_stride, m->cols - j);
        }
        FN(store)(p, out->col_stride, m->cols - j, sum);
    }
}

/* NAME(sums): the sum of MLP_SQUARE_LANES lanes of a type, which vectors of it hold, by halves. */
#define SUM_LANES(name, type, vector)                                      \
    static inline double name(const vector sums[])                         \
    {                                                                      \
        type lanes[MLP_SQUARE_LANES];                                      \
        memcpy(lanes, sums, sizeof lanes);                                 \
        for (ptrdiff_t half = MLP_SQUARE_LANES / 2; half > 0; half /= 2) { \
            for (ptrdiff_t i = 0; i < half; i++) {                         \
                lanes[i] += lanes[i + half];                               \
            }                                                              \
        }                                                                  \
        return (double)lanes[0];                                           \
    }

SUM_LANES(FN(sum_lanes), REAL, VEC)

/* The sums of row i of a matrix; not of all of it where the team is to stop. One function for all
 * layouts: whether the compiler fuses a product with its sum may depend on what stands around it.
 */
static __attribute__((noinline)) void
FN(sum_squares)(mlp_worker *worker, const mlp_matrix *m, ptrdiff_t i, const mlp_squares *squares)
{
    ptrdiff_t begin = 0, stride = m->col_stride;
    for (ptrdiff_t part = 0; part < squares->n_parts; part++) {
        VEC sums[MLP_SQUARE_LANES / LANES] = {0};
        const REAL *row = FN(at)(m, i, begin);
        ptrdiff_t cols = squares->ends[part] - begin;
        for (mlp_segment some = {0}; mlp_next_segment(worker, cols, &some);) {
            for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
                VEC value = FN(load)(row + j * stride, stride, cols - j);
                sums[j / LANES % (MLP_SQUARE_LANES / LANES)] += value * value;
            }
        }
        squares->sums[part * squares->stride + i] = FN(sum_lanes)(sums);
        begin = squares->ends[part];
    }
}

/* ---- in double ---- */

#define DOUBLE_LANES (MLP_VECTOR_BYTES / (ptrdiff_t)sizeof(double))
#define DOUBLES FN(doubles)
#define FEW FN(few)

typedef double DOUBLES __attribute__((vector_size(MLP_VECTOR_BYTES)));
typedef REAL FEW __attribute__((vector_size(DOUBLE_LANES * sizeof(REAL)))); /* as many of REAL */

/* Adds the squares of LANES numbers to as many sums. */
static inline void
FN(add_squares)(VEC numbers, DOUBLES sums[])
{
    FEW parts[LANES / DOUBLE_LANES];
    memcpy(parts, &numbers, sizeof parts);
    for (ptrdiff_t i = 0; i < LANES / DOUBLE_LANES; i++) {
        DOUBLES part = __builtin_convertvector(parts[i], DOUBLES);
        sums[i] += part * part;
    }
}

SUM_LANES(FN(sum_doubles), double, DOUBLES)

#undef SUM_LANES

#endif

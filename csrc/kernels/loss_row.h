/* What the loss of a row is computed from. */
#ifndef MLP_LOSS_ROW_TEMPLATE
#define MLP_LOSS_ROW_TEMPLATE

#include "kernels/vector.h"

#define LOSS_ROW FN(loss_row)

/* A row of logits, its targets, the weight of its loss, and what its gradient is multiplied with
 * and written to. */
typedef struct {
    ROW z;
    const mlp_targets *targets;
    ptrdiff_t number;      /* of the row among the targets */
    const int32_t *labels; /* its labels among them, or NULL: that of z comes first */
    REAL weight, scale;
    bool drops_tiny; /* of the gradient */
    ROW gradient;    /* without data where nobody asks for it */
} LOSS_ROW;

/* The targets of LANES outputs from j on, zero past the last. */
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

#endif

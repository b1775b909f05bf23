/* Update rules (rules.h), applied to matrices; and the L2 term, by itself and with its sum. */
#ifndef MLP_UPDATE_TEMPLATE
#define MLP_UPDATE_TEMPLATE

#include "kernels/poll.h"
#include "kernels/rules.h"
#include "kernels/sums.h"

#define APPLIED FN(applied)
#define UPDATE_ROW FN(update_row)

/* What a rule is applied with. */
typedef struct {
    int n_moments;
    const void *constants;
    REAL l2;
    bool is_plain; /* nothing of what follows is asked for. Known to the compiler */
    REAL gradient_factor, decay;
    REAL least_weight; /* smaller ones are dropped: tiny.h */
} APPLIED;

/* A row of a parameter, its gradient and its moments. */
typedef struct {
    ROW value, gradient, moments[MLP_MAX_MOMENTS];
} UPDATE_ROW;

/* gradient + l2 * value, but without l2 the gradient: 0 * inf would be NaN */
static inline VEC
FN(with_l2)(REAL l2, VEC value, VEC gradient)
{
    if (l2 != 0) {
        gradient += l2 * value;
    }
    return gradient;
}

/* The new values of LANES elements, whose moments are updated. */
static inline ALWAYS_INLINE VEC
FN(apply_rule)(FN(rule) * rule, APPLIED with, VEC value, VEC gradient, VEC moments[])
{
    gradient = FN(with_l2)(with.l2, value, gradient);
    if (with.is_plain) {
        return rule(with.constants, value, gradient, moments);
    }
    gradient *= with.gradient_factor;
    if (with.decay != 0) { /* 0 * inf would be NaN */
        value -= with.decay * value;
    }
    return FN(drop_tiny)(rule(with.constants, value, gradient, moments), with.least_weight);
}

/* Applies a rule to LANES elements of a row from j on, or as many as there are. With `whole`, there
 * are so many, next to each other. */
static inline ALWAYS_INLINE void
FN(apply_to_vector)(FN(rule) * rule, APPLIED with, bool whole, const UPDATE_ROW *row, ptrdiff_t j)
{
    const ptrdiff_t count = whole ? LANES : row->value.n - j;
    const ptrdiff_t stride = whole ? 1 : row->value.stride;
    const ptrdiff_t g_stride = whole ? 1 : row->gradient.stride;
    VEC old = FN(load)(row->value.data + j * stride, stride, count);
    VEC g = FN(load)(row->gradient.data + j * g_stride, g_stride, count);
    VEC moments[MLP_MAX_MOMENTS];
    for (int m = 0; m < with.n_moments; m++) {
        ptrdiff_t m_stride = whole ? 1 : row->moments[m].stride;
        moments[m] = FN(load)(row->moments[m].data + j * m_stride, m_stride, count);
    }
    VEC new = FN(apply_rule)(rule, with, old, g, moments);
    FN(store)(row->value.data + j * stride, stride, count, new);
    for (int m = 0; m < with.n_moments; m++) {
        ptrdiff_t m_stride = whole ? 1 : row->moments[m].stride;
        FN(store)(row->moments[m].data + j * m_stride, m_stride, count, moments[m]);
    }
}

/* The same for the last elements of a contiguous row of at least LANES, from j on, which are
 * fewer: in a vector that ends with them, whose other lanes are kept. */
static inline ALWAYS_INLINE void
FN(apply_to_tail)(FN(rule) * rule, APPLIED with, const UPDATE_ROW *row, ptrdiff_t j)
{
    const ptrdiff_t at = row->value.n - LANES, count = row->value.n - j;
    assert(at >= 0 && 0 < count && count < LANES);
    BITS_VEC lanes = {0};
    for (ptrdiff_t lane = 0; lane < LANES; lane++) {
        lanes[lane] = (BITS)lane;
    }
    BITS_VEC is_kept = lanes < (BITS)(LANES - count);
    VEC *value = (VEC *)(row->value.data + at);
    VEC before = *value, g = *(const VEC *)(row->gradient.data + at);
    VEC kept[MLP_MAX_MOMENTS], changed[MLP_MAX_MOMENTS];
    for (int m = 0; m < with.n_moments; m++) {
        kept[m] = changed[m] = *(const VEC *)(row->moments[m].data + at);
    }
    VEC after = FN(apply_rule)(rule, with, before, g, changed);
    *value = FN(select)(is_kept, before, after);
    for (int m = 0; m < with.n_moments; m++) {
        *(VEC *)(row->moments[m].data + at) = FN(select)(is_kept, kept[m], changed[m]);
    }
}

/* Applies a rule to some rows and columns of a parameter. */
static inline ALWAYS_INLINE void
FN(apply_to_block)(FN(rule) * rule, APPLIED with, const mlp_update_rows *rows,
                   const mlp_block *block)
{
    const mlp_matrix value = mlp_block_of(&rows->value, block);
    const mlp_matrix gradient = mlp_block_of(&rows->gradient, block);
    mlp_matrix moments[MLP_MAX_MOMENTS];
    bool contiguous = value.col_stride == 1 && gradient.col_stride == 1;
    for (int m = 0; m < with.n_moments; m++) {
        moments[m] = mlp_block_of(&rows->moments[m], block);
        contiguous = contiguous && moments[m].col_stride == 1;
    }
    for (ptrdiff_t i = 0; i < value.rows; i++) {
        UPDATE_ROW row = {FN(row_of)(&value, i), FN(row_of)(&gradient, i), {{0}}};
        for (int m = 0; m < with.n_moments; m++) {
            row.moments[m] = FN(row_of)(&moments[m], i);
        }
        ptrdiff_t j = 0;
        for (; contiguous && j + LANES <= value.cols; j += LANES) {
            FN(apply_to_vector)(rule, with, true, &row, j);
        }
        if (contiguous && value.cols >= LANES && j < value.cols) {
            FN(apply_to_tail)(rule, with, &row, j);
            continue;
        }
        for (; j < value.cols; j += LANES) {
            FN(apply_to_vector)(rule, with, false, &row, j);
        }
    }
}

/* Applies a rule block by block. */
static inline ALWAYS_INLINE void
FN(apply_to_rows)(mlp_worker *worker, FN(rule) * rule, APPLIED with, const mlp_update_rows *rows,
                  const mlp_squares *squares)
{
    for (mlp_block block = {0}; mlp_next_block(worker, &rows->value, &block);) {
        bool is_summed = squares->sums != NULL && block.col == 0; /* rows are, as they begin */
        for (ptrdiff_t i = block.row; is_summed && i < block.end_row; i++) {
            FN(sum_squares)(worker, &rows->value, i, squares);
        }
        FN(apply_to_block)(rule, with, rows, &block);
    }
}

static void
FN(update)(mlp_worker *worker, const mlp_step *step, const mlp_update_rows *rows,
           const mlp_squares *squares)
{
    const REAL l2 = (REAL)step->l2, factor = (REAL)step->gradient_factor;
    const REAL decay = (REAL)step->decay;
    const bool keeps_weights = step->l2 < STRONG_L2 && step->decay == 0;
    const REAL least_weight = keeps_weights ? 0 : TINY_WEIGHT;
    switch (step->rule->code) {
#define R(CODE, name, n_moments, list)                                                         \
    case MLP_##CODE: {                                                                         \
        const FN(name##_constants) constants = FN(name##_begin)(step);                         \
        const APPLIED plain = {n_moments, &constants, l2, .is_plain = true};                   \
        const APPLIED whole = {n_moments, &constants, l2, false, factor, decay, least_weight}; \
        if (keeps_weights && step->gradient_factor == 1) {                                     \
            FN(apply_to_rows)(worker, FN(name), plain, rows, squares);                         \
        }                                                                                      \
        else {                                                                                 \
            FN(apply_to_rows)(worker, FN(name), whole, rows, squares);                         \
        }                                                                                      \
        break;                                                                                 \
    }
        MLP_RULES(R)
#undef R
    }
}

static void
FN(add_l2)(mlp_worker *worker, double l2, const mlp_update_rows *rows, const mlp_matrix *out,
           const mlp_squares *squares)
{
    const mlp_matrix *value = &rows->value, *gradient = &rows->gradient;
    const REAL factor = (REAL)l2;
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t i = 0; i < value->rows && !mlp_poll_after(&poller, value->cols); i++) {
        for (mlp_segment some = {0}; mlp_next_segment(worker, value->cols, &some);) {
            for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
                ptrdiff_t count = value->cols - j;
                VEC g = FN(load)(FN(at)(gradient, i, j), gradient->col_stride, count);
                VEC p = FN(load)(FN(at)(value, i, j), value->col_stride, count);
                FN(store)(FN(at)(out, i, j), out->col_stride, count, FN(with_l2)(factor, p, g));
            }
        }
        if (squares->sums != NULL) {
            FN(sum_squares)(worker, value, i, squares);
        }
    }
}

/* Adds the squares of a row of gradient + l2 * value to MLP_SQUARE_LANES sums; not of all of it
 * where the team is to stop. */
static inline ALWAYS_INLINE void
FN(add_gradient_squares)(mlp_worker *worker, REAL l2, ROW value, ROW gradient, DOUBLES sums[])
{
    for (mlp_segment some = {0}; mlp_next_segment(worker, value.n, &some);) {
        for (ptrdiff_t begin = some.begin; begin < some.end; begin += MLP_SQUARE_LANES) {
            for (ptrdiff_t at = 0; at < MLP_SQUARE_LANES && begin + at < some.end; at += LANES) {
                const ptrdiff_t j = begin + at, count = value.n - j;
                VEC p = FN(load)(value.data + j * value.stride, value.stride, count);
                VEC g = FN(load)(gradient.data + j * gradient.stride, gradient.stride, count);
                FN(add_squares)(FN(with_l2)(l2, p, g), &sums[at / DOUBLE_LANES]);
            }
        }
    }
}

static void
FN(square_gradient)(mlp_worker *worker, double l2, const mlp_update_rows *rows,
                    const mlp_squares *squares)
{
    mlp_poller poller = {worker, 0};
    ptrdiff_t n = rows->value.rows;
    for (ptrdiff_t first = 0; first < n; first += MLP_SQUARE_ROWS) {
        ptrdiff_t end = mlp_min(first + MLP_SQUARE_ROWS, n), begin_col = 0;
        if (mlp_poll_after(&poller, (end - first) * rows->value.cols)) {
            return;
        }
        for (ptrdiff_t part = 0; part < squares->n_parts; part++) {
            const mlp_block block = {first, end, begin_col, squares->ends[part]};
            const mlp_matrix value = mlp_block_of(&rows->value, &block);
            const mlp_matrix gradient = mlp_block_of(&rows->gradient, &block);
            DOUBLES sums[MLP_SQUARE_LANES / DOUBLE_LANES] = {0};
            for (ptrdiff_t i = 0; i < value.rows; i++) {
                FN(add_gradient_squares)
                (worker, (REAL)l2, FN(row_of)(&value, i), FN(row_of)(&gradient, i), sums);
            }
            squares->sums[part * squares->stride + first / MLP_SQUARE_ROWS] = FN(sum_doubles)(sums);
            begin_col = squares->ends[part];
        }
    }
}

#endif

/* Update rules: parameters from gradients, in place.
 *
 * momentum, nesterov: Sutskever, Martens, Dahl & Hinton, "On the importance of
 * initialization and momentum in deep learning" (2013), in the form that keeps
 * the learning rate inside the velocity, as scikit-learn does.
 * adam: Kingma & Ba, "Adam: a method for stochastic optimization" (2014), with
 * the bias corrections folded into the learning rate (end of section 2).
 *
 * A rule is a line of MLP_RULES in kernels.h and a function NAME here, which
 * returns the new parameters and updates the moments.
 */

typedef struct {
    REAL learning_rate, momentum;
    REAL beta_1, beta_2, one_minus_beta_1, one_minus_beta_2, epsilon;
    REAL l2; /* adds l2 * parameter to its gradient */
} CONSTANTS;

static CONSTANTS
FN(constants)(const mlp_optimizer *o, double l2)
{
    double learning_rate = o->learning_rate;
    if (o->rule == MLP_ADAM) {
        double t = (double)o->steps + 1;
        learning_rate *= sqrt(1 - pow(o->beta_2, t)) / (1 - pow(o->beta_1, t));
    }
    return (CONSTANTS){
        .learning_rate = (REAL)learning_rate,
        .momentum = (REAL)o->momentum,
        .beta_1 = (REAL)o->beta_1,
        .beta_2 = (REAL)o->beta_2,
        .one_minus_beta_1 = (REAL)(1 - o->beta_1),
        .one_minus_beta_2 = (REAL)(1 - o->beta_2),
        .epsilon = (REAL)o->epsilon,
        .l2 = (REAL)l2,
    };
}

typedef VEC FN(rule)(const CONSTANTS *c, VEC p, VEC gradient, VEC moments[]);

static inline VEC
FN(sgd)(const CONSTANTS *c, VEC p, VEC gradient, VEC moments[])
{
    (void)moments;
    return p - c->learning_rate * gradient;
}

static inline VEC
FN(momentum)(const CONSTANTS *c, VEC p, VEC gradient, VEC moments[])
{
    VEC step = c->learning_rate * gradient;
    moments[0] = c->momentum * moments[0] - step;
    return p + moments[0];
}

static inline VEC
FN(nesterov)(const CONSTANTS *c, VEC p, VEC gradient, VEC moments[])
{
    VEC step = c->learning_rate * gradient;
    moments[0] = c->momentum * moments[0] - step;
    return p + (c->momentum * moments[0] - step);
}

static inline VEC
FN(adam)(const CONSTANTS *c, VEC p, VEC gradient, VEC moments[])
{
    VEC first = c->one_minus_beta_1 * gradient;
    VEC second = c->one_minus_beta_2 * gradient * gradient;
    moments[0] = c->beta_1 * moments[0] + first;
    moments[1] = c->beta_2 * moments[1] + second;
    return p - c->learning_rate * moments[0] / (FN(sqrt)(moments[1]) + c->epsilon);
}

_Static_assert(SQUARE_LANES % LANES == 0, "partial sums of squares are whole vectors");

/* The sum of SQUARE_LANES lanes, by halves. */
static inline double
FN(sum_lanes)(const VEC sums[])
{
    REAL lanes[SQUARE_LANES];
    memcpy(lanes, sums, sizeof lanes);
    for (ptrdiff_t half = SQUARE_LANES / 2; half > 0; half /= 2) {
        for (ptrdiff_t i = 0; i < half; i++) {
            lanes[i] += lanes[i + half];
        }
    }
    return (double)lanes[0];
}

/* Where the sums of a matrix's squared elements go, by row and, in a row, by part: sums of
 * neighbouring parts are `stride` apart. A part ends with a column that is a multiple of
 * SQUARE_LANES, or the last one. */
typedef struct {
    double *sums; /* NULL where nobody asks for them */
    ptrdiff_t stride;
    ptrdiff_t n_parts, ends[FN(PARTS)];
} SQUARES;

static inline SQUARES
FN(no_squares)(ptrdiff_t cols)
{
    return (SQUARES){.n_parts = 1, .ends = {cols}};
}

/* The sums of row i of a matrix; not of all of it where the team is to stop. One function for all
 * layouts: whether the compiler fuses a product with its sum may depend on what stands around it.
 */
static __attribute__((noinline)) void
FN(sum_squares)(mlp_worker *worker, const mlp_matrix *p, ptrdiff_t i, const SQUARES *squares)
{
    ptrdiff_t begin = 0, stride = p->col_stride;
    for (ptrdiff_t part = 0; part < squares->n_parts; part++) {
        VEC sums[SQUARE_LANES / LANES] = {0};
        const REAL *row = FN(at)(p, i, begin);
        ptrdiff_t cols = squares->ends[part] - begin;
        for (SEGMENT some = {0}; FN(next_segment)(worker, cols, &some);) {
            for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
                VEC value = FN(load)(row + j * stride, stride, cols - j);
                sums[j / LANES % (SQUARE_LANES / LANES)] += value * value;
            }
        }
        squares->sums[part * squares->stride + i] = FN(sum_lanes)(sums);
        begin = squares->ends[part];
    }
}

/* out = gradient + l2 * p, of one shape, and the squares of p; not all of it where the team is to
 * stop. */
static void
FN(add_l2)(mlp_worker *worker, REAL l2, const mlp_matrix *p, const mlp_matrix *gradient,
           const mlp_matrix *out, const SQUARES *squares)
{
    ptrdiff_t work = 0;
    for (ptrdiff_t i = 0; i < p->rows && !FN(poll_work)(worker, &work, p->cols); i++) {
        for (SEGMENT some = {0}; FN(next_segment)(worker, p->cols, &some);) {
            for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
                ptrdiff_t count = p->cols - j;
                VEC g = FN(load)(FN(at)(gradient, i, j), gradient->col_stride, count);
                if (l2 != 0) { /* 0 * inf would be NaN */
                    g += l2 * FN(load)(FN(at)(p, i, j), p->col_stride, count);
                }
                FN(store)(FN(at)(out, i, j), out->col_stride, count, g);
            }
        }
        if (squares->sums != NULL) {
            FN(sum_squares)(worker, p, i, squares);
        }
    }
}

/* Applies a rule to the first LANES of `count` elements of a parameter, its gradient and
 * its moments, of these strides. */
static inline ALWAYS_INLINE void
FN(apply_vector)(FN(rule) * rule, int n_moments, const CONSTANTS *c, REAL *p, ptrdiff_t p_col,
                 const REAL *gradient, ptrdiff_t g_col, REAL *const moments[],
                 const ptrdiff_t m_cols[], ptrdiff_t j, ptrdiff_t count)
{
    VEC old = FN(load)(p + j * p_col, p_col, count);
    VEC g = FN(load)(gradient + j * g_col, g_col, count);
    VEC kept[MLP_MAX_MOMENTS];
    for (int m = 0; m < n_moments; m++) {
        kept[m] = FN(load)(moments[m] + j * m_cols[m], m_cols[m], count);
    }
    if (c->l2 != 0) { /* 0 * inf would be NaN */
        g += c->l2 * old;
    }
    FN(store)(p + j * p_col, p_col, count, rule(c, old, g, kept));
    for (int m = 0; m < n_moments; m++) {
        FN(store)(moments[m] + j * m_cols[m], m_cols[m], count, kept[m]);
    }
}

/* The same for the last `count` of `cols` elements, fewer than LANES, of which there are as
 * many at least, of unit stride: in a vector that ends with them, whose other lanes are kept. */
static inline ALWAYS_INLINE void
FN(apply_tail)(FN(rule) * rule, int n_moments, const CONSTANTS *c, REAL *p, const REAL *gradient,
               REAL *const moments[], ptrdiff_t cols, ptrdiff_t count)
{
    ptrdiff_t at = cols - LANES;
    BITS_VEC lanes = {0};
    for (ptrdiff_t lane = 0; lane < LANES; lane++) {
        lanes[lane] = (BITS)lane;
    }
    BITS_VEC is_kept = lanes < (BITS)(LANES - count);
    VEC before = *(const VEC *)(p + at), g = *(const VEC *)(gradient + at);
    VEC kept[MLP_MAX_MOMENTS], changed[MLP_MAX_MOMENTS];
    for (int m = 0; m < n_moments; m++) {
        kept[m] = changed[m] = *(const VEC *)(moments[m] + at);
    }
    if (c->l2 != 0) { /* 0 * inf would be NaN */
        g += c->l2 * before;
    }
    *(VEC *)(p + at) = FN(select)(is_kept, before, rule(c, before, g, changed));
    for (int m = 0; m < n_moments; m++) {
        *(VEC *)(moments[m] + at) = FN(select)(is_kept, kept[m], changed[m]);
    }
}

/* Applies a rule to a matrix. */
static inline ALWAYS_INLINE void
FN(apply_rule)(FN(rule) * rule, int n_moments, const CONSTANTS *constants, const mlp_matrix *p,
               const mlp_matrix *gradient, const mlp_matrix moments[])
{
    const CONSTANTS c = *constants;
    ptrdiff_t p_col = p->col_stride, g_col = gradient->col_stride, m_cols[MLP_MAX_MOMENTS];
    bool contiguous = p_col == 1 && g_col == 1;
    for (int m = 0; m < n_moments; m++) {
        m_cols[m] = moments[m].col_stride;
        contiguous = contiguous && m_cols[m] == 1;
    }
    static const ptrdiff_t ones[MLP_MAX_MOMENTS] = {1, 1};
    for (ptrdiff_t i = 0; i < p->rows; i++) {
        REAL *row = FN(at)(p, i, 0), *m_rows[MLP_MAX_MOMENTS];
        const REAL *g_row = FN(at)(gradient, i, 0);
        for (int m = 0; m < n_moments; m++) {
            m_rows[m] = FN(at)(&moments[m], i, 0);
        }
        ptrdiff_t j = 0;
        for (; contiguous && j + LANES <= p->cols; j += LANES) {
            FN(apply_vector)(rule, n_moments, &c, row, 1, g_row, 1, m_rows, ones, j, LANES);
        }
        if (contiguous && p->cols >= LANES && j < p->cols) {
            FN(apply_tail)(rule, n_moments, &c, row, g_row, m_rows, p->cols, p->cols - j);
            continue;
        }
        for (; j < p->cols; j += LANES) {
            FN(apply_vector)
            (rule, n_moments, &c, row, p_col, g_row, g_col, m_rows, m_cols, j, p->cols - j);
        }
    }
}

/* Applies a rule by its code, where the team is to stop not to all of the matrix. The squares are
 * those of the parameters before. */
static void
FN(update_matrix)(mlp_worker *worker, mlp_rule rule, const CONSTANTS *c, const mlp_matrix *p,
                  const mlp_matrix *gradient, const mlp_matrix moments[], const SQUARES *squares)
{
    for (BLOCK block = {0}; FN(next_block)(worker, p, &block);) {
        bool is_summed = squares->sums != NULL && block.col == 0; /* rows are, as they begin */
        for (ptrdiff_t i = block.row; is_summed && i < block.end_row; i++) {
            FN(sum_squares)(worker, p, i, squares);
        }
        mlp_matrix some_p = FN(block_of)(p, &block), some_g = FN(block_of)(gradient, &block);
        mlp_matrix some_m[MLP_MAX_MOMENTS];
        for (int m = 0; m < MLP_MAX_MOMENTS; m++) {
            some_m[m] = FN(block_of)(&moments[m], &block);
        }
        switch (rule) {
#define R(CODE, name, n) \
    case MLP_##CODE: FN(apply_rule)(FN(name), n, c, &some_p, &some_g, some_m); break;
            MLP_RULES(R)
#undef R
        }
    }
}

/* Rows begin to end of the moments of a parameter, as many as the rule keeps. */
static void
FN(rows_of_moments)(mlp_matrix *const lists[], ptrdiff_t parameter, ptrdiff_t begin, ptrdiff_t end,
                    mlp_matrix moments[])
{
    for (int m = 0; m < MLP_MAX_MOMENTS; m++) {
        moments[m] =
            lists[m] == NULL ? (mlp_matrix){0} : FN(rows_of)(&lists[m][parameter], begin, end);
    }
}

static void
FN(update)(mlp_worker *worker, void *arguments)
{
    mlp_update_args *args = arguments;
    CONSTANTS constants = FN(constants)(&args->optimizer, 0);
    mlp_matrix no_moments[MLP_MAX_MOMENTS] = {0};
    for (ptrdiff_t i = 0; i < args->n_params && !mlp_poll(worker); i++) {
        const mlp_matrix *p = &args->params[i];
        SQUARES none = FN(no_squares)(p->cols);
        FN(update_matrix)
        (worker, args->optimizer.rule, &constants, p, &args->grads[i], no_moments, &none);
    }
}

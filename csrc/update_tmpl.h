/* Update rules: parameters from gradients, in place.
 *
 * momentum, Nesterov: Sutskever, Martens, Dahl & Hinton, "On the importance of
 * initialization and momentum in deep learning" (2013), in the form that keeps
 * the learning rate inside the velocity, as scikit-learn does.
 *
 * A rule is a function that returns the new parameters for old ones, their
 * gradients and their moments, a code in mlp_rule, and a case in update_rows.
 */

typedef struct {
    REAL learning_rate, momentum;
    REAL l2; /* adds l2 * parameter to its gradient */
} FN(update_constants);

typedef VEC FN(update_rule)(const FN(update_constants) *, VEC p, VEC gradient, VEC *velocity);

static inline VEC
FN(sgd)(const FN(update_constants) * c, VEC p, VEC gradient, VEC *velocity)
{
    (void)velocity;
    return p - c->learning_rate * gradient;
}

static inline VEC
FN(momentum)(const FN(update_constants) * c, VEC p, VEC gradient, VEC *velocity)
{
    VEC step = c->learning_rate * gradient;
    *velocity = c->momentum * *velocity - step;
    return p + *velocity;
}

static inline VEC
FN(nesterov)(const FN(update_constants) * c, VEC p, VEC gradient, VEC *velocity)
{
    VEC step = c->learning_rate * gradient;
    *velocity = c->momentum * *velocity - step;
    return p + (c->momentum * *velocity - step);
}

/* The sum of SQUARE_LANES lanes, in order. */
static inline double
FN(sum_lanes)(const VEC sums[])
{
    double total = 0;
    for (ptrdiff_t lane = 0; lane < SQUARE_LANES; lane++) {
        total += (double)sums[lane / LANES][lane % LANES];
    }
    return total;
}

/* Applies a rule to a matrix. squares (a row each, or NULL) receives the sum of
 * a row's squared parameters as they were before. */
static inline ALWAYS_INLINE void
FN(apply_rule)(FN(update_rule) * rule, const FN(update_constants) * constants, const mlp_matrix *p,
               const mlp_matrix *gradient, const mlp_matrix *velocity, double *squares)
{
    for (ptrdiff_t i = 0; i < p->rows; i++) {
        VEC sums[SQUARE_LANES / LANES] = {0};
        for (ptrdiff_t j = 0; j < p->cols; j += LANES) {
            ptrdiff_t count = p->cols - j;
            REAL *element = FN(at)(p, i, j);
            VEC old = FN(load)(element, p->col_stride, count);
            VEC g = FN(load)(FN(at)(gradient, i, j), gradient->col_stride, count);
            VEC v = {0};
            if (velocity != NULL) {
                v = FN(load)(FN(at)(velocity, i, j), velocity->col_stride, count);
            }
            VEC updated = rule(constants, old, g + constants->l2 * old, &v);
            FN(store)(element, p->col_stride, count, updated);
            if (velocity != NULL) {
                FN(store)(FN(at)(velocity, i, j), velocity->col_stride, count, v);
            }
            sums[j / LANES % (SQUARE_LANES / LANES)] += old * old;
        }
        if (squares != NULL) {
            squares[i] = FN(sum_lanes)(sums);
        }
    }
}

static void
FN(update_rows)(const mlp_optimizer *optimizer, double l2, const mlp_matrix *p,
                const mlp_matrix *gradient, const mlp_matrix *velocity, double *squares)
{
    FN(update_constants) c = {(REAL)optimizer->learning_rate, (REAL)optimizer->momentum, (REAL)l2};
    switch (optimizer->rule) {
    case MLP_SGD: FN(apply_rule)(FN(sgd), &c, p, gradient, NULL, squares); break;
    case MLP_MOMENTUM: FN(apply_rule)(FN(momentum), &c, p, gradient, velocity, squares); break;
    case MLP_NESTEROV: FN(apply_rule)(FN(nesterov), &c, p, gradient, velocity, squares); break;
    }
}

static size_t
FN(update_workspace)(const void *args, int n_threads)
{
    (void)args;
    (void)n_threads;
    return 0;
}

static void
FN(update)(mlp_worker *worker, void *arguments)
{
    mlp_update_args *args = arguments;
    for (ptrdiff_t i = 0; i < args->n_params; i++) {
        ptrdiff_t begin, end;
        mlp_share(worker, args->params[i].rows, 1, &begin, &end);
        mlp_matrix p = FN(rows_of)(&args->params[i], begin, end);
        mlp_matrix gradient = FN(rows_of)(&args->grads[i], begin, end);
        mlp_matrix velocity = {0};
        if (args->moments != NULL) {
            velocity = FN(rows_of)(&args->moments[i], begin, end);
        }
        FN(update_rows)
        (&args->optimizer, 0, &p, &gradient, args->moments == NULL ? NULL : &velocity, NULL);
    }
}

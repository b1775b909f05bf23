/* Hidden activations and their derivatives, on the rows of a matrix in place.
 *
 * An activation NAME is two functions of a vector:
 *     NAME            z -> a
 *     NAME_derivative a -> da/dz, in terms of the activation itself
 * and a line of MLP_ACTIVATIONS in kernels.h.
 */

static inline VEC
FN(identity)(VEC z)
{
    return z;
}

static inline VEC
FN(identity_derivative)(VEC a)
{
    (void)a;
    return FN(splat)(1);
}

static inline VEC
FN(logistic_derivative)(VEC a)
{
    return a * (1 - a);
}

static inline VEC
FN(tanh_derivative)(VEC a)
{
    return 1 - a * a;
}

/* NaN stays NaN, as in NumPy's maximum. */
static inline VEC
FN(relu)(VEC z)
{
    return FN(select)(z < 0, FN(splat)(0), z);
}

/* 0 at 0: the subgradient the notebook and scikit-learn take. */
static inline VEC
FN(relu_derivative)(VEC a)
{
    return FN(select)(a == 0, FN(splat)(0), FN(splat)(1));
}

typedef VEC FN(vector_function)(VEC);

/* a = f(z), which may be a itself */
static inline ALWAYS_INLINE void
FN(map_rows)(FN(vector_function) * f, const mlp_matrix *z, const mlp_matrix *a)
{
    for (ptrdiff_t i = 0; i < z->rows; i++) {
        for (ptrdiff_t j = 0; j < z->cols; j += LANES) {
            VEC v = f(FN(load)(FN(at)(z, i, j), z->col_stride, z->cols - j));
            FN(store)(FN(at)(a, i, j), a->col_stride, a->cols - j, v);
        }
    }
}

/* to = from, of one shape */
static void
FN(copy)(const mlp_matrix *from, const mlp_matrix *to)
{
    FN(map_rows)(FN(identity), from, to);
}

/* delta = delta * f(a) */
static inline ALWAYS_INLINE void
FN(scale_rows)(FN(vector_function) * f, const mlp_matrix *a, const mlp_matrix *delta)
{
    for (ptrdiff_t i = 0; i < delta->rows; i++) {
        for (ptrdiff_t j = 0; j < delta->cols; j += LANES) {
            REAL *p = FN(at)(delta, i, j);
            ptrdiff_t count = delta->cols - j;
            VEC slope = f(FN(load)(FN(at)(a, i, j), a->col_stride, count));
            FN(store)(p, delta->col_stride, count, FN(load)(p, delta->col_stride, count) * slope);
        }
    }
}

/* a = activation(z), which may be a itself; not all of it where the team is to stop. */
static void
FN(activate)(mlp_worker *worker, mlp_activation activation, const mlp_matrix *z,
             const mlp_matrix *a)
{
    for (BLOCK block = {0}; FN(next_block)(worker, a, &block);) {
        mlp_matrix from = FN(block_of)(z, &block), to = FN(block_of)(a, &block);
        switch (activation) {
#define A(CODE, name) \
    case MLP_##CODE: FN(map_rows)(FN(name), &from, &to); break;
            MLP_ACTIVATIONS(A)
#undef A
        }
    }
}

/* delta = delta * activation'(z), given a = activation(z); not all of it where the team is to
 * stop. */
static void
FN(activate_backward)(mlp_worker *worker, mlp_activation activation, const mlp_matrix *a,
                      const mlp_matrix *delta)
{
    for (BLOCK block = {0}; FN(next_block)(worker, delta, &block);) {
        mlp_matrix some_a = FN(block_of)(a, &block), some_delta = FN(block_of)(delta, &block);
        switch (activation) {
#define A(CODE, name) \
    case MLP_##CODE: FN(scale_rows)(FN(name##_derivative), &some_a, &some_delta); break;
            MLP_ACTIVATIONS(A)
#undef A
        }
    }
}

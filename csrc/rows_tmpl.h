/* Rows of the data where they lie. */

static inline ptrdiff_t
FN(data_row)(const mlp_data *data, ptrdiff_t i)
{
    return data->order == NULL ? i : (ptrdiff_t)data->order[i];
}

/* n rows of the data from `first` on. */
typedef struct {
    const mlp_data *data;
    ptrdiff_t first, n;
} SPAN;

/* Inlined always: GCC takes a function that only prefetches for one without effects,
 * and leaves calls of it out. */
static inline ALWAYS_INLINE void
FN(prefetch)(const void *from, ptrdiff_t bytes)
{
    for (ptrdiff_t byte = 0; byte < bytes; byte += MLP_ALIGNMENT) {
        __builtin_prefetch((const char *)from + byte, 0, 3);
    }
}

/* Asks for a row before it is needed, and before that for where it begins; unless rows
 * follow each other. */
static inline ALWAYS_INLINE void
FN(prefetch_row)(const mlp_data *data, ptrdiff_t i)
{
    enum { FURTHER = 8 };
    const mlp_input *x = &data->x;
    ptrdiff_t item = (ptrdiff_t)sizeof(REAL);
    if (data->order == NULL || i >= data->n) {
        return;
    }
    ptrdiff_t row = data->order[i];
    if (x->values == NULL) {
        FN(prefetch)(FN(at)(&x->dense, row, 0), x->cols * item);
        return;
    }
    if (i + FURTHER < data->n) {
        __builtin_prefetch(x->row_starts + data->order[i + FURTHER]);
    }
    ptrdiff_t begin = x->row_starts[row], n = x->row_starts[row + 1] - begin;
    FN(prefetch)((const char *)x->values + begin * item, n * item);
    FN(prefetch)((const char *)x->columns + begin * x->column_bytes, n * x->column_bytes);
}

/* Whether all elements of these dense rows are finite. */
static bool
FN(are_finite)(const SPAN *span)
{
    for (ptrdiff_t i = span->first; i < span->first + span->n; i++) {
        const mlp_matrix *x = &span->data->x.dense;
        const REAL *row = FN(at)(x, FN(data_row)(span->data, i), 0);
        VEC sum = {0};
        for (ptrdiff_t j = 0; j < x->cols; j += LANES) {
            VEC v = FN(load)(row + j * x->col_stride, x->col_stride, x->cols - j);
            sum += v - v; /* 0, or NaN, which stays */
        }
        for (ptrdiff_t lane = 0; lane < LANES; lane++) {
            if (sum[lane] != 0) {
                return false;
            }
        }
    }
    return true;
}

/* Rows of the data where they lie, or converted. */

/* Elements `stride` apart, as REAL. */
#define E(CODE, type, value)                                                                  \
    static void FN(convert_##CODE)(const void *from, ptrdiff_t stride, ptrdiff_t n, REAL *to) \
    {                                                                                         \
        for (ptrdiff_t j = 0; j < n; j++) {                                                   \
            to[j] = (REAL)mlp_##value(((const type *)from)[j * stride]);                      \
        }                                                                                     \
    }
MLP_ELEMENTS(E)
#undef E

static inline const char *
FN(row_address)(const mlp_input *x, ptrdiff_t row)
{
    return (const char *)x->dense.data + row * x->dense.row_stride * x->item;
}

/* A dense row of x, converted; not all of it where the team is to stop. */
static void
FN(convert_row)(mlp_worker *worker, const mlp_input *x, ptrdiff_t row, REAL *to)
{
    ptrdiff_t stride = x->dense.col_stride;
    for (SEGMENT some = {0}; FN(next_segment)(worker, x->cols, &some);) {
        const char *from = FN(row_address)(x, row) + some.begin * stride * x->item;
        switch (x->element) {
#define E(CODE, type, value)                                                      \
    case MLP_OF_##CODE:                                                           \
        FN(convert_##CODE)(from, stride, some.end - some.begin, to + some.begin); \
        break;
            MLP_ELEMENTS(E)
#undef E
        }
    }
}

/* A dense row of x, its elements *stride apart: where it lies if they are REAL, else
 * converted into `room`. */
static const REAL *
FN(dense_row)(mlp_worker *worker, const mlp_input *x, ptrdiff_t row, REAL *room, ptrdiff_t *stride)
{
    if (x->element == OWN_ELEMENT) {
        *stride = x->dense.col_stride;
        return (const REAL *)FN(row_address)(x, row);
    }
    FN(convert_row)(worker, x, row, room);
    *stride = 1;
    return room;
}

/* Whether dense rows of the data are used where they lie. */
static inline bool
FN(is_in_place)(const mlp_data *data)
{
    return data->order == NULL && data->x.element == OWN_ELEMENT;
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
    enum { MOST = 8192 }; /* lest long rows drive everything else from the cache */
    for (ptrdiff_t byte = 0; byte < bytes && byte < MOST; byte += MLP_ALIGNMENT) {
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
    if (data->order == NULL || i >= data->n) {
        return;
    }
    ptrdiff_t row = data->order[i];
    if (x->values == NULL) {
        if (x->dense.col_stride == 1) {
            FN(prefetch)(FN(row_address)(x, row), x->cols * x->item);
        }
        return;
    }
    if (i + FURTHER < data->n) {
        __builtin_prefetch(x->row_starts + data->order[i + FURTHER]);
    }
    ptrdiff_t begin = x->row_starts[row], n = x->row_starts[row + 1] - begin;
    ptrdiff_t bytes = (x->is_paired ? 2 : 1) * (ptrdiff_t)sizeof(REAL);
    FN(prefetch)((const char *)x->values + begin * bytes, n * bytes);
    FN(prefetch)((const char *)x->columns + begin * x->column_bytes, n * x->column_bytes);
}

/* Whether all elements of these dense rows, which are REAL, are finite; as far as they were
 * looked at, where the team is to stop. */
static bool
FN(are_finite)(mlp_worker *worker, const SPAN *span)
{
    ptrdiff_t work = 0;
    for (ptrdiff_t i = span->first; i < span->first + span->n; i++) {
        const mlp_matrix *x = &span->data->x.dense;
        const REAL *row = FN(at)(x, mlp_data_row(span->data, i), 0);
        VEC sum = {0};
        for (SEGMENT some = {0}; FN(next_segment)(worker, x->cols, &some);) {
            for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
                VEC v = FN(load)(row + j * x->col_stride, x->col_stride, x->cols - j);
                sum += v - v; /* 0, or NaN, which stays */
            }
        }
        if (FN(poll_work)(worker, &work, x->cols)) {
            return true;
        }
        for (ptrdiff_t lane = 0; lane < LANES; lane++) {
            if (sum[lane] != 0) {
                return false;
            }
        }
    }
    return true;
}

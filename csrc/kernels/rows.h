/* Rows of the data where they lie, or converted. */
#ifndef MLP_ROWS_TEMPLATE
#define MLP_ROWS_TEMPLATE

#include "base/arena.h"
#include "kernels/dropout.h"
#include "kernels/elements.h"
#include "kernels/poll.h"
#include "kernels/tuning.h"
#include "kernels/vector.h"

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
    return (const char *)x->dense.data + row * x->dense.row_stride * x->dense.item;
}

/* A dense row of x, converted; not all of it where the team is to stop. */
static void
FN(convert_row)(mlp_worker *worker, const mlp_input *x, ptrdiff_t row, REAL *to)
{
    ptrdiff_t stride = x->dense.col_stride;
    for (mlp_segment some = {0}; mlp_next_segment(worker, x->cols, &some);) {
        const char *from = FN(row_address)(x, row) + some.begin * stride * x->dense.item;
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

/* A dense row of x, which is only read: where it lies if its elements are REAL, else converted into
 * `room`. */
static ROW
FN(dense_row)(mlp_worker *worker, const mlp_input *x, ptrdiff_t row, REAL *room)
{
    if ((int)x->element == (int)OWN_DTYPE) {
        return (ROW){(REAL *)FN(row_address)(x, row), x->dense.col_stride, x->cols};
    }
    FN(convert_row)(worker, x, row, room);
    return (ROW){room, 1, x->cols};
}

/* Inlined always: GCC takes a function that only prefetches for one without effects, and leaves
 * calls of it out. */
static inline ALWAYS_INLINE void
FN(prefetch)(const void *from, ptrdiff_t bytes)
{
    for (ptrdiff_t byte = 0; byte < bytes && byte < FN(MOST_PREFETCHED); byte += MLP_ALIGNMENT) {
        __builtin_prefetch((const char *)from + byte, 0, 3);
    }
}

/* Asks for a row before it is needed, and before that for where it begins; unless rows follow each
 * other. */
static inline ALWAYS_INLINE void
FN(prefetch_row)(const mlp_data *data, ptrdiff_t i)
{
    const mlp_input *x = &data->x;
    if (data->order == NULL || i >= data->n) {
        return;
    }
    ptrdiff_t row = data->order[i];
    if (x->values == NULL) {
        if (x->dense.col_stride == 1) {
            FN(prefetch)(FN(row_address)(x, row), x->dense.cols * x->dense.item);
        }
        return;
    }
    if (i + FN(STARTS_AHEAD) < data->n) {
        __builtin_prefetch(x->row_starts + data->order[i + FN(STARTS_AHEAD)]);
    }
    ptrdiff_t begin = x->row_starts[row], n = x->row_starts[row + 1] - begin;
    ptrdiff_t bytes = (x->is_paired ? 2 : 1) * (ptrdiff_t)sizeof(REAL);
    FN(prefetch)((const char *)x->values + begin * bytes, n * bytes);
    FN(prefetch)((const char *)x->columns + begin * x->column_bytes, n * x->column_bytes);
}

/* Gathers and converts the member's dense rows, unless they are used in place, and drops elements.
 */
static void
FN(load_dense_rows)(mlp_worker *worker, const mlp_rows *rows)
{
    const mlp_data *data = rows->span.data;
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t i = rows->load_begin; i < rows->load_end && !mlp_is_in_place(data, OWN_DTYPE);
         i++) {
        ptrdiff_t row = rows->span.first + i;
        FN(prefetch_row)(data, row + FN(DENSE_AHEAD));
        FN(convert_row)(worker, &data->x, mlp_data_row(data, row), FN(at)(&rows->gathered, i, 0));
        if (rows->mask.probability > 0) {
            FN(drop_row)(&rows->mask, i, FN(row_of)(&rows->gathered, i), (ROW){0});
        }
        if (mlp_poll_after(&poller, data->x.cols)) {
            return;
        }
    }
}

#endif

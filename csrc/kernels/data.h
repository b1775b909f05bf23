/* What a network is trained on, and the rows of it that are in work. */
#ifndef MLP_DATA_H
#define MLP_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "base/sizes.h"
#include "base/views.h"
#include "kernels/lists.h"

/* What a column of a table is: a number, a category that is told by its index, or one of two. */
typedef enum { MLP_NUMBER, MLP_CATEGORY, MLP_SIGN, MLP_N_COLUMN_KINDS } mlp_column_kind;

/* How the columns of a table become input units: codes.h says what these are. Column c has the
 * units from unit_starts[c] to unit_starts[c + 1], both even, and the knots likewise. */
typedef struct {
    ptrdiff_t n; /* columns of the table */
    const uint8_t *kinds;
    const double *centers, *scales; /* of numbers; finite, scales above 0 */
    const double *knots; /* of a number none, or two or more; finite, ascending by finite steps */
    const int64_t *knot_starts, *unit_starts; /* n + 1 */
    double bin_value;                         /* what a full bin is worth; finite, above 0 */
} mlp_codes;

/* Rows of a dense array, or of a sparse one (CSR), or coded ones.
 *
 * Of a sparse array, and of a dense one with is_sparse, only pairs are multiplied: the elements of
 * two neighbouring columns 2c and 2c + 1 that are not both zero, in the order of c. Where values
 * are paired, there are two of them to each of `columns`, which holds c; past an odd number of
 * columns, the second is 0. Rows of a table are coded as they are loaded, so that pairs of all rows
 * never lie anywhere: `dense` is the table then, of float64, and is_sparse is set. */
typedef struct {
    ptrdiff_t rows, cols;
    mlp_matrix dense;       /* the elements, where values is NULL */
    const mlp_codes *codes; /* of its columns, or NULL: they are the elements as they lie */
    mlp_element element;
    bool is_sparse;
    bool is_paired;
    const void *values;        /* of row i: from row_starts[i] to row_starts[i + 1] */
    const void *columns;       /* theirs, ascending in a row */
    int column_bytes;          /* 2 or 4 of an unsigned integer or 8 of a signed one */
    const int64_t *row_starts; /* rows + 1, not descending, within columns */
    ptrdiff_t row_slots;       /* the most values, or pairs, that a row has to multiply */
} mlp_input;

/* Neighbouring outputs that are classes of one question: how many each head has, which are all
 * outputs together. Without widths there is one head. */
typedef struct {
    ptrdiff_t n;
    const ptrdiff_t *widths;
} mlp_heads;

/* What the loss compares with: for each row a label a head, or a row of targets. */
typedef struct {
    const int32_t *labels; /* each in [0, width of its head), or NULL */
    mlp_heads heads;
    mlp_matrix matrix; /* used where labels is NULL */
    bool is_bool;      /* matrix holds bool, not the kernel's dtype */
    bool is_ordered;   /* of the rows to use, one after the other, not of all rows */
} mlp_targets;

/* The labels of a row, NULL where there are none. */
static inline const int32_t *
mlp_labels_of(const mlp_targets *targets, ptrdiff_t row)
{
    ptrdiff_t n = targets->heads.widths == NULL ? 1 : targets->heads.n;
    return targets->labels == NULL ? NULL : targets->labels + row * n;
}

/* Rows, their targets and weights. */
typedef struct {
    mlp_input x;
    double dropout; /* of their elements: a probability, 0 for none */
    mlp_targets targets;
    const void *sample_weight; /* one a row of x, of the kernel's dtype; NULL: all 1 */
    const int64_t *order;      /* n row numbers of x, or NULL: 0 .. n-1 */
    ptrdiff_t n;
    ptrdiff_t slots; /* where x is sparse: mlp_count_slots of all of them */
} mlp_data;

/* The number in x of the i-th row. */
static inline ptrdiff_t
mlp_data_row(const mlp_data *data, ptrdiff_t i)
{
    return data->order == NULL ? i : (ptrdiff_t)data->order[i];
}

/* How many values, or pairs, n sparse rows of the data from `first` on have at most;
 * PTRDIFF_MAX if beyond any memory. */
static inline ptrdiff_t
mlp_count_slots(const mlp_data *data, ptrdiff_t first, ptrdiff_t n)
{
    const int64_t *starts = data->x.row_starts;
    ptrdiff_t slots = 0;
    bool overflows = starts == NULL && __builtin_mul_overflow(n, data->x.row_slots, &slots);
    for (ptrdiff_t i = first; i < first + n && starts != NULL; i++) {
        ptrdiff_t row = mlp_data_row(data, i);
        overflows |= __builtin_add_overflow(slots, starts[row + 1] - starts[row], &slots);
    }
    return overflows ? PTRDIFF_MAX : slots;
}

/* Columns of pairs that `cols` columns make. */
static inline ptrdiff_t
mlp_count_pair_columns(ptrdiff_t cols)
{
    return mlp_ceil_div(cols, 2);
}

/* n rows of the data from `first` on. */
typedef struct {
    const mlp_data *data;
    ptrdiff_t first, n;
} mlp_span;

/* The pairs of the rows in work: by row as they are loaded, then listed by column, a strip of rows
 * at a time, as entries: a pair and its row's number. One member of the team loads and lists a
 * strip, in slots of its own. docs/dev/ draws it. */
typedef struct {
    ptrdiff_t cols; /* of pairs */
    /* By row: */
    const void **pairs;       /* where they lie */
    const uint32_t **columns; /* theirs, in private memory */
    ptrdiff_t *counts;        /* how many */
    void *pair_slots;         /* where x has no list of them */
    uint32_t *column_slots;
    /* By strip, column and row: */
    void *entries;
    ptrdiff_t *entry_begins;        /* by strip, cols + 1 */
    ptrdiff_t strip_rows, n_strips; /* none where they are not listed */
} mlp_pairs;

/* Which elements of some rows of a layer are dropped, if any: dropout.h says how these numbers
 * choose. */
typedef struct {
    double probability;
    uint64_t seed;
    int64_t step;        /* of the fit, counted from 0 */
    ptrdiff_t layer;     /* 0: the inputs; then the hidden layers */
    ptrdiff_t row, unit; /* of the batch and the layer, where the rows begin */
} mlp_mask;

/* The rows in work: one member's view, of memory that its group shares, its team, or nobody. */
typedef struct {
    mlp_span span;
    ptrdiff_t load_begin, load_end; /* of them, those that the member loads */
    ptrdiff_t begin, end;           /* and those that it takes forward */
    bool is_sparse;
    mlp_mask mask;       /* of the elements; layers take its seed, step and row for theirs */
    mlp_matrix x;        /* their elements, where all are multiplied */
    mlp_matrix gathered; /* room for x where its rows are not used in place */
    mlp_pairs pairs;     /* otherwise */
} mlp_rows;

/* Whether dense rows of the data are used where they lie. */
static inline bool
mlp_is_in_place(const mlp_data *data, mlp_dtype dtype)
{
    return data->order == NULL && (int)data->x.element == (int)dtype && data->dropout == 0;
}

/* Whether the rows that the member takes forward are worth multiplying by columns: where most
 * columns would be empty, to go through them costs more. */
static inline bool
mlp_are_many(const mlp_rows *rows)
{
    ptrdiff_t n_pairs = 0;
    for (ptrdiff_t i = rows->begin; i < rows->end; i++) {
        n_pairs += rows->pairs.counts[i];
    }
    return n_pairs >= rows->pairs.cols;
}

#endif

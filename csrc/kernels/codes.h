/* Coded rows: what a network takes of the columns of a table, as pairs, a row at a time.
 *
 * Of a column's units, from its first on,
 *
 *     a number has     z, whether it is missing (NaN), and a unit for each bin,
 *     a category       one for each index, 1 where it is this one, and
 *     one of two       -1 for index 0, 1 for index 1; and an unused one.
 *
 * A column ends with an unused unit where that makes their number even, so that no two columns have
 * a pair in common. z is (v - center) / scale, u, clipped smoothly: u / sqrt(1 + (u / 3)^2). Bins
 * lie between neighbouring knots and have the piecewise linear code of Gorishniy et al., "On
 * embeddings for numerical features in tabular deep learning" (2022): a bin is bin_value times the
 * part of it that lies below v, so that those below v's are full, and those above are 0. Of a
 * missing number the other units are 0, and so are all of an index that there is not.
 *
 * The columns are computed in float64, with the same bits on all instruction sets: a sum holds no
 * product, or products with 0 or 1, which have the same bits fused.
 */
#ifndef MLP_CODES_TEMPLATE
#define MLP_CODES_TEMPLATE

#include "kernels/compress.h"
#include "kernels/poll.h"
#include "kernels/rows.h"

#define CODED FN(coded)
#define COLUMN FN(column)

/* Where the pairs of a row go, and how many there are. */
typedef struct {
    PAIR *pairs;
    uint32_t *columns;
    ptrdiff_t n;
} CODED;

/* Adds a pair, unless it is zero: in a slot that is there in any case, without a branch on the
 * data. */
static inline ALWAYS_INLINE void
FN(add_pair)(CODED *row, ptrdiff_t column, double first, double second)
{
    PAIR pair = {{(REAL)first, (REAL)second}};
    row->pairs[row->n] = pair;
    row->columns[row->n] = (uint32_t)column;
    row->n += FN(is_pair)(pair);
}

/* Beyond 2^60, 1 + x is x, and z past its limits. To hold the square there keeps it finite, and is
 * what stands between the product and the sum. */
static inline double
FN(clip_smoothly)(double u)
{
    const double most = 0x1p60;
    double square = (u / 3) * (u / 3);
    square = square < most ? square : most;
    double z = u / sqrt(1 + square);
    z = z < -3 ? -3 : z;
    return z > 3 ? 3 : z;
}

/* The last of n knots that is not above v, of those that another follows; the first where all are
 * above. Few are counted, which compilers do in vectors; no branch depends on the data. */
static inline ptrdiff_t
FN(find_knot)(const double *knots, ptrdiff_t n, double v)
{
    enum { FEW = 16 };
    ptrdiff_t k = 0, left = n - 1, half;
    for (; left > FEW; left -= half) {
        half = left / 2;
        k += (knots[k + half] <= v) * half;
    }
    ptrdiff_t count = 0;
    for (ptrdiff_t j = 1; j < left; j++) {
        count += knots[k + j] <= v;
    }
    return k + count;
}

/* What a column of a table is. */
typedef struct {
    double center, scale, bin_value;
    const double *knots;
    ptrdiff_t n_knots, unit, n_units; /* its first unit, and how many it has */
} COLUMN;

static inline ALWAYS_INLINE COLUMN
FN(column_of)(const mlp_codes *codes, ptrdiff_t c)
{
    ptrdiff_t knot = (ptrdiff_t)codes->knot_starts[c], unit = (ptrdiff_t)codes->unit_starts[c];
    return (COLUMN){
        .center = codes->centers[c],
        .scale = codes->scales[c],
        .bin_value = codes->bin_value,
        .knots = codes->knots + knot,
        .n_knots = (ptrdiff_t)codes->knot_starts[c + 1] - knot,
        .unit = unit,
        .n_units = (ptrdiff_t)codes->unit_starts[c + 1] - unit,
    };
}

/* Adds the pairs of the bins: full ones, then that of v's bin. All slots that there are for them
 * are filled, for to end with the full ones would take a branch on the data; factors of 0 and 1
 * tell which unit of its pair v's bin is. Where the team is to stop, there are fewer. */
static inline ALWAYS_INLINE void
FN(code_bins)(mlp_worker *worker, CODED *row, COLUMN column, double v)
{
    ptrdiff_t k = FN(find_knot)(column.knots, column.n_knots, v), first = column.unit / 2 + 1;
    double low = column.knots[k], high = column.knots[k + 1], full = column.bin_value;
    mlp_segment some = {0};
    while (mlp_next_segment(worker, column.n_knots / 2, &some)) {
        for (ptrdiff_t j = some.begin; j < some.end; j++) {
            row->pairs[row->n + j] = (PAIR){{(REAL)full, (REAL)full}};
            row->columns[row->n + j] = (uint32_t)(first + j);
        }
    }
    row->n += mlp_min(k / 2, some.end);
    v = v < low ? low : v;
    v = v > high ? high : v;
    double part = full * ((v - low) / (high - low));
    double odd = (double)(k & 1), even = 1 - odd;
    FN(add_pair)(row, first + k / 2, even * part + odd * full, odd * part);
}

static inline ALWAYS_INLINE void
FN(code_number)(mlp_worker *worker, CODED *row, COLUMN column, double v)
{
    if (isnan(v)) {
        FN(add_pair)(row, column.unit / 2, 0, 1);
        return;
    }
    double u = (v - column.center) / column.scale;
    FN(add_pair)(row, column.unit / 2, FN(clip_smoothly)(u), 0);
    if (column.n_knots > 0) {
        FN(code_bins)(worker, row, column, v);
    }
}

static inline ALWAYS_INLINE void
FN(code_category)(CODED *row, COLUMN column, double v)
{
    ptrdiff_t index = v >= 0 && v < (double)column.n_units ? (ptrdiff_t)v : 0;
    bool is_index = (double)index == v && index < column.n_units, is_odd = index % 2 != 0;
    if (is_index) {
        FN(add_pair)(row, (column.unit + index) / 2, !is_odd, is_odd);
    }
}

static inline ALWAYS_INLINE void
FN(code_sign)(CODED *row, COLUMN column, double v)
{
    FN(add_pair)(row, column.unit / 2, v == 0 ? -1 : v == 1 ? 1 : 0, 0);
}

/* Lists the pairs of a row of a table that are not zero, and their columns; returns how many, or
 * less where the team is to stop. */
static ptrdiff_t
FN(code_row)(mlp_worker *worker, const mlp_input *x, ptrdiff_t row, PAIR *pairs, uint32_t *columns)
{
    const mlp_codes *codes = x->codes;
    const double *values = (const double *)FN(row_address)(x, row);
    CODED coded = {pairs, columns, 0};
    mlp_poller poller = {worker, 0};
    bool stop = false;
    for (ptrdiff_t c = 0; c < codes->n && !stop; c++) {
        /* Another thread may write to the table: what is checked is what is used. */
        double v = *(const volatile double *)(values + c * x->dense.col_stride);
        COLUMN column = FN(column_of)(codes, c);
        switch ((mlp_column_kind)codes->kinds[c]) {
        case MLP_NUMBER: FN(code_number)(worker, &coded, column, v); break;
        case MLP_CATEGORY: FN(code_category)(&coded, column, v); break;
        default: FN(code_sign)(&coded, column, v); break;
        }
        stop = mlp_poll_after(&poller, 1 + column.n_knots / 2);
    }
    return coded.n;
}

#endif

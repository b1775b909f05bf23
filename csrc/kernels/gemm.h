/* C = start + A B for strided A, B, C: the three products of a layer differ in their views and
 * their start only.
 *
 * B is packed before, in panels of TILE_COLS columns, where it was made or last changed, once for
 * all members and all products with it; for few rows it is taken as it lies. A is read where it
 * lies, one element broadcast to a vector of products; or, where its rows are columns in memory and
 * many panels follow, from a copy, as they would drive a panel from the first-level cache. A tile
 * of C stays in registers while it runs through a block of the inner dimension, and goes on from
 * where the last block left it: each element of C is one sum in index order.
 */
#ifndef MLP_GEMM_TEMPLATE
#define MLP_GEMM_TEMPLATE

#include <stdlib.h>

#include "kernels/poll.h"
#include "kernels/tuning.h"
#include "kernels/vector.h"

#define PANEL FN(panel)
#define PANELS FN(panels)
#define FACTOR FN(factor)
#define TILE FN(tile)
#define PRODUCT FN(product)

/* Packs n elements of a row, or LANES of them; with zeros as far as `end`, or as a vector goes. */
static inline void
FN(pack_some)(const REAL *from, ptrdiff_t stride, ptrdiff_t n, REAL *to, ptrdiff_t end)
{
    if (stride == 1 && n < LANES && end >= LANES) { /* a vector would be stored twice */
        *(VEC *)to = (VEC){0};
        FN(copy_some)(from, n, to);
    }
    else {
        FN(store)(to, 1, end, FN(load)(from, stride, n));
    }
}

/* Packs b, row by row, in one panel from `to` on; with zeros as far as column `end`. */
static inline ALWAYS_INLINE void
FN(pack_rows)(const mlp_matrix *b, ptrdiff_t end, REAL *to)
{
    bool whole = b->col_stride == 1 && end % LANES == 0 && (b->padded || end == b->cols);
    for (ptrdiff_t p = 0; p < b->rows; p++, to += FN(TILE_COLS)) {
        const REAL *from = FN(at)(b, p, 0);
        for (ptrdiff_t v = 0; v < end && whole; v += LANES) {
            *(VEC *)(to + v) = *(const VEC *)(from + v);
        }
        for (ptrdiff_t v = 0; v < end && !whole; v += LANES) {
            FN(pack_some)(from + v * b->col_stride, b->col_stride, b->cols - v, to + v, end - v);
        }
    }
}

/* The same of rows that are closer in memory than columns, in square blocks: a row touches a cache
 * line of each column. */
static inline ALWAYS_INLINE void
FN(pack_columns)(const mlp_matrix *b, ptrdiff_t end, REAL *to)
{
    for (ptrdiff_t p = 0, n; p < b->rows; p += n, to += n * FN(TILE_COLS)) {
        n = mlp_min(b->rows - p, FN(TILE_COLS));
        for (ptrdiff_t v = 0; v < b->cols; v++) {
            const REAL *from = FN(at)(b, p, v);
            __builtin_prefetch(FN(at)(b, mlp_min(p + FN(COLUMNS_AHEAD), b->rows - 1), v));
            for (ptrdiff_t i = 0; i < n; i++) {
                to[i * FN(TILE_COLS) + v] = from[i * b->row_stride];
            }
        }
        for (ptrdiff_t i = 0; i < n; i++) {
            for (ptrdiff_t v = b->cols; v < end; v++) {
                to[i * FN(TILE_COLS) + v] = 0;
            }
        }
    }
}

/* Some rows of all panels at a time where there are several, as rows may lie on pages of their own;
 * of columns, or of a single panel, as many rows as need no poll between them. A padded b begins
 * with a vector. */
static void
FN(pack)(mlp_worker *worker, const mlp_matrix *b, ptrdiff_t row, ptrdiff_t col,
         const mlp_packed *packed)
{
    assert(row >= 0 && col >= 0 && row + b->rows <= packed->inner);
    mlp_poller poller = {worker, 0};
    bool by_columns = b->rows > 1 && llabs(b->row_stride) < llabs(b->col_stride);
    bool is_long = by_columns || b->cols <= FN(TILE_COLS);
    ptrdiff_t n_rows = is_long ? MLP_POLL_WORK / FN(TILE_COLS) : FN(PACKED_ROWS);
    for (ptrdiff_t p = 0; p < b->rows && b->cols > 0; p += n_rows) {
        mlp_matrix rows = mlp_rows_of(b, p, p + mlp_min(b->rows - p, n_rows));
        for (ptrdiff_t j = 0, n; j < b->cols; j += n) {
            ptrdiff_t within = (col + j) % FN(TILE_COLS);
            n = mlp_min(FN(TILE_COLS) - within, b->cols - j);
            ptrdiff_t end = n; /* with zeros past the last column, where it is */
            if (col + j + n == packed->cols) {
                end = mlp_ceil_div(within + n, LANES) * LANES - within;
            }
            REAL *panel = (REAL *)packed->data + (col + j - within) * packed->inner;
            REAL *to = panel + (row + p) * FN(TILE_COLS) + within;
            mlp_matrix part = mlp_cols_of(&rows, j, j + n);
            part.padded = b->padded && j + n == b->cols;
            if (by_columns) {
                FN(pack_columns)(&part, end, to);
            }
            else {
                FN(pack_rows)(&part, end, to);
            }
            if (mlp_poll_after(&poller, rows.rows * n)) {
                return;
            }
        }
    }
}

/* The first factor of a tile: element p of row i is data[i * row_stride + p * inner_stride]. The
 * next tile's lies tile_step after it. */
typedef struct {
    const REAL *data;
    ptrdiff_t row_stride, inner_stride, tile_step;
} FACTOR;

/* The second: `inner` rows of a panel, so far apart. Each tile asks for some bytes of the next
 * panel, which lies elsewhere. */
typedef struct {
    const REAL *data;
    ptrdiff_t inner, row_stride;
    const char *next;
    ptrdiff_t bytes_a_tile;
} PANEL;

/* Where the panels of all columns are: that of column j at data + j * col_step. */
typedef struct {
    const REAL *data;
    ptrdiff_t col_step, row_stride;
} PANELS;

/* What a tile computes: the first TILE_ROWS rows, or as many as there are, and the first vectors
 * of columns. */
typedef struct {
    REAL *data;
    ptrdiff_t row_stride, col_stride;
    ptrdiff_t rows, cols; /* that there are */
} TILE;

/* One tile: n_vectors of c's columns go on from `start`, or from themselves if that is NULL, with
 * inner products of rows of a and one panel. Rows past the last repeat it; they are computed and
 * not stored. Where the compiler sees that c is whole, it leaves out all that is for others. */
static inline ALWAYS_INLINE void
FN(multiply_tile)(int n_vectors, FACTOR a, PANEL b, const VEC *start, TILE c)
{
    VEC sums[TILE_ROWS][TILE_VECTORS];
    const REAL *a_rows[TILE_ROWS];
    for (ptrdiff_t i = 0; i < TILE_ROWS; i++) {
        ptrdiff_t row = i < c.rows ? i : c.rows - 1;
        a_rows[i] = a.data + row * a.row_stride;
        for (ptrdiff_t v = 0; v < n_vectors; v++) {
            REAL *p = c.data + row * c.row_stride + v * LANES * c.col_stride;
            sums[i][v] = start != NULL ? start[v] : FN(load)(p, c.col_stride, c.cols - v * LANES);
        }
    }
    for (ptrdiff_t p = 0, at = 0; p < b.inner; p++, at += a.inner_stride) {
        const VEC *b_row = (const VEC *)b.data;
        for (ptrdiff_t i = 0; i < TILE_ROWS; i++) {
            for (ptrdiff_t v = 0; v < n_vectors; v++) {
                sums[i][v] += a_rows[i][at] * b_row[v];
            }
        }
        b.data += b.row_stride;
        __asm__("" : "+r"(at)); /* else GCC counts up a pointer for each row, and not this */
    }
    for (ptrdiff_t i = 0; i < TILE_ROWS && i < c.rows; i++) {
        for (ptrdiff_t v = 0; v < n_vectors; v++) {
            REAL *p = c.data + i * c.row_stride + v * LANES * c.col_stride;
            FN(store)(p, c.col_stride, c.cols - v * LANES, FN(end_sums)(sums[i][v]));
        }
    }
}

/* Asks for the next bytes of the next panel. They go to the second-level cache: the first holds
 * this panel. Inlined always, as rows.h says. */
static inline ALWAYS_INLINE void
FN(prefetch_panel)(PANEL *b)
{
    for (ptrdiff_t byte = 0; byte < b->bytes_a_tile; byte += MLP_ALIGNMENT) {
        __builtin_prefetch(b->next + byte, 0, 2);
    }
    b->next += b->bytes_a_tile;
}

/* A column of tiles: all rows of c, and its first n_vectors of columns, which are a panel's. */
static inline ALWAYS_INLINE void
FN(multiply_panel)(int n_vectors, FACTOR a, PANEL b, mlp_start start, const mlp_matrix *c)
{
    VEC first[TILE_VECTORS] = {0};
    for (ptrdiff_t v = 0; v < n_vectors && start.bias != NULL; v++) {
        ptrdiff_t at = v * LANES, stride = start.bias->col_stride;
        first[v] = FN(load_biases)(FN(at)(start.bias, 0, at), stride, c->cols - at);
    }
    const VEC *from = start.accumulate ? NULL : first;
    bool is_whole = c->col_stride == 1 && (c->padded || c->cols >= n_vectors * LANES);
    FACTOR rows = a;
    ptrdiff_t i = 0;
    for (; is_whole && i + TILE_ROWS <= c->rows; i += TILE_ROWS) {
        rows.data = a.data + i / TILE_ROWS * a.tile_step;
        TILE tile = {FN(at)(c, i, 0), c->row_stride, 1, TILE_ROWS, n_vectors * LANES};
        FN(prefetch_panel)(&b);
        FN(multiply_tile)(n_vectors, rows, b, from, tile);
    }
    for (; i < c->rows; i += TILE_ROWS) {
        rows.data = a.data + i / TILE_ROWS * a.tile_step;
        TILE tile = {FN(at)(c, i, 0), c->row_stride, c->col_stride, c->rows - i, c->cols};
        FN(multiply_tile)(n_vectors, rows, b, from, tile);
    }
}

/* Some rows of a product, and of these the columns of a block and the part of the inner dimension
 * that are worked on. */
typedef struct {
    mlp_matrix a, c;
    PANELS b;
    mlp_start start;
    ptrdiff_t first, last, p, end_p;
} PRODUCT;

/* The part, with its factor a. Returns whether the team is to stop. */
static bool
FN(multiply_part)(mlp_poller *poller, const PRODUCT *product, FACTOR a)
{
    const mlp_matrix *bias = product->start.bias;
    ptrdiff_t p = product->p, n = product->end_p - p, rows = product->c.rows;
    ptrdiff_t bytes = n * FN(TILE_COLS) * (int)sizeof(REAL), tiles = mlp_max(rows / TILE_ROWS, 1);
    ptrdiff_t bytes_a_tile = mlp_min(mlp_ceil_div(bytes, tiles), FN(PANEL_AHEAD));
    for (ptrdiff_t j = product->first; j < product->last; j += FN(TILE_COLS)) {
        mlp_matrix c = mlp_cols_of(&product->c, j, product->c.cols), biases;
        mlp_start start = {NULL, product->start.accumulate || p > 0};
        if (bias != NULL) {
            biases = mlp_cols_of(bias, j, bias->cols);
            start.bias = &biases;
        }
        PANEL b = {.data = product->b.data + j * product->b.col_step + p * product->b.row_stride,
                   .inner = n,
                   .row_stride = product->b.row_stride};
        b.next = (const char *)b.data;
        if (j + FN(TILE_COLS) < product->last && b.row_stride == FN(TILE_COLS)) { /* in one piece */
            b.next = (const char *)(b.data + FN(TILE_COLS) * product->b.col_step);
            b.bytes_a_tile = bytes_a_tile;
        }
        switch (mlp_min(mlp_ceil_div(c.cols, LANES), TILE_VECTORS)) {
        case 1: FN(multiply_panel)(1, a, b, start, &c); break;
        case 2: FN(multiply_panel)(2, a, b, start, &c); break;
#if TILE_VECTORS == 4
        case 3: FN(multiply_panel)(3, a, b, start, &c); break;
        case 4: FN(multiply_panel)(4, a, b, start, &c); break;
#elif TILE_VECTORS != 2
#error "TILE_VECTORS must be 2 or 4"
#endif
        }
        if (mlp_poll_after(poller, rows * (n + 1))) {
            return true;
        }
    }
    return false;
}

/* The same with a copy of a, whose rows are columns in memory: each tile lies in one piece. In a
 * function of its own, so that other products do not take its stack. */
static __attribute__((noinline)) bool
FN(multiply_copy)(mlp_poller *poller, const PRODUCT *product, const mlp_matrix *a)
{
    REAL copy[FN(COPIED_ROWS) * FN(BLOCK_INNER)];
    ptrdiff_t whole = a->rows / TILE_ROWS * TILE_ROWS;
    for (ptrdiff_t p = 0; p < a->cols; p++) {
        const REAL *from = FN(at)(a, 0, p);
        for (ptrdiff_t i = 0; i < whole; i += TILE_ROWS) {
            memcpy(copy + i * a->cols + p * TILE_ROWS, from + i, TILE_ROWS * sizeof(REAL));
        }
        for (ptrdiff_t i = whole; i < a->rows; i++) {
            copy[whole * a->cols + p * TILE_ROWS + i - whole] = from[i];
        }
    }
    FACTOR tiles = {copy, 1, TILE_ROWS, TILE_ROWS * a->cols};
    return FN(multiply_part)(poller, product, tiles);
}

/* How many rows of A are worked on at a time; of those that are copied, shares of like size. */
static ptrdiff_t
FN(count_block_rows)(bool copies, ptrdiff_t rows)
{
    if (!copies) {
        return FN(BLOCK_ROWS);
    }
    ptrdiff_t share = mlp_ceil_div(rows, mlp_max(mlp_ceil_div(rows, FN(COPIED_ROWS)), 1));
    return mlp_max(mlp_ceil_div(share, TILE_ROWS), 1) * TILE_ROWS;
}

static bool
FN(multiply_panels)(mlp_worker *worker, const mlp_matrix *a, PANELS b, const mlp_matrix *c,
                    mlp_start start)
{
    assert(a->rows == c->rows);
    mlp_poller poller = {worker, 0};
    bool copies = a->row_stride == 1 && a->col_stride != 1 && a->cols >= FN(LEAST_COPIED_INNER)
                  && c->cols >= FN(LEAST_COPIED_COLS);
    ptrdiff_t n_rows = FN(count_block_rows)(copies, c->rows);
    for (ptrdiff_t j = 0; j < c->cols; j += FN(BLOCK_COLS)) {
        for (ptrdiff_t i = 0; i < c->rows; i += n_rows) {
            ptrdiff_t end = i + mlp_min(c->rows - i, n_rows), p = 0;
            PRODUCT rows = {.a = mlp_rows_of(a, i, end),
                            .c = mlp_rows_of(c, i, end),
                            .b = b,
                            .start = start,
                            .first = j,
                            .last = j + mlp_min(c->cols - j, FN(BLOCK_COLS))};
            do { /* once even where there are no products: C is then its start */
                rows.p = p;
                p = rows.end_p = p + mlp_min(a->cols - p, FN(BLOCK_INNER));
                mlp_matrix part = mlp_cols_of(&rows.a, rows.p, rows.end_p);
                FACTOR as_it_lies = {part.data, part.row_stride, part.col_stride,
                                     TILE_ROWS * part.row_stride};
                if (copies ? FN(multiply_copy)(&poller, &rows, &part)
                           : FN(multiply_part)(&poller, &rows, as_it_lies)) {
                    return true;
                }
            } while (p < a->cols);
        }
    }
    return false;
}

static bool
FN(multiply)(mlp_worker *worker, const mlp_matrix *a, const mlp_packed *b, const mlp_matrix *c,
             mlp_start start)
{
    assert(a->cols <= b->inner);
    PANELS panels = {b->data, b->inner, FN(TILE_COLS)};
    return FN(multiply_panels)(worker, a, panels, c, start);
}

#endif

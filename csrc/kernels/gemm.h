/* C = start + A B for strided A, B, C: the three products of a layer differ in their views and
 * their start only.
 *
 * B is packed before, in panels of TILE_COLS columns, where it was made or last changed, once for
 * all members and all products with it; for few rows it is taken as it lies. A is read where it
 * lies, one element broadcast to a vector of products. A tile of C stays in registers while it runs
 * through a block of the inner dimension, and goes on from where the last block left it: each
 * element of C is one sum in index order.
 */
#ifndef MLP_GEMM_TEMPLATE
#define MLP_GEMM_TEMPLATE

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

static void
FN(pack)(mlp_worker *worker, const mlp_matrix *b, ptrdiff_t row, ptrdiff_t col,
         const mlp_packed *packed)
{
    assert(row >= 0 && col >= 0 && row + b->rows <= packed->inner);
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t j = 0, n; j < b->cols; j += n) {
        ptrdiff_t within = (col + j) % FN(TILE_COLS);
        n = mlp_min(FN(TILE_COLS) - within, b->cols - j);
        REAL *panel = (REAL *)packed->data + (col + j - within) * packed->inner;
        REAL *to = panel + row * FN(TILE_COLS) + within;
        bool whole = b->col_stride == 1 && (n % LANES == 0 || (b->padded && j + n == b->cols));
        ptrdiff_t end = n; /* with zeros past the last column, where it is */
        if (col + j + n == packed->cols) {
            end = mlp_ceil_div(within + n, LANES) * LANES - within;
        }
        for (mlp_segment rows = {0}; mlp_next_segment(worker, b->rows, &rows);) {
            for (ptrdiff_t p = rows.begin; p < rows.end; p++, to += FN(TILE_COLS)) {
                const REAL *from = FN(at)(b, p, j);
                for (ptrdiff_t v = 0; v < n && whole; v += LANES) {
                    *(VEC *)(to + v) = *(const VEC *)(from + v);
                }
                for (ptrdiff_t v = 0; v < end && !whole; v += LANES) {
                    FN(pack_some)(from + v * b->col_stride, b->col_stride, n - v, to + v, end - v);
                }
            }
        }
        if (mlp_poll_after(&poller, b->rows * n)) {
            return;
        }
    }
}

/* The first factor of a tile: element p of row i is data[i * row_stride + p * inner_stride]. */
typedef struct {
    const REAL *data;
    ptrdiff_t row_stride, inner_stride;
} FACTOR;

/* The second: `inner` rows of a panel, so far apart. */
typedef struct {
    const REAL *data;
    ptrdiff_t inner, row_stride;
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
    }
    for (ptrdiff_t i = 0; i < TILE_ROWS && i < c.rows; i++) {
        for (ptrdiff_t v = 0; v < n_vectors; v++) {
            REAL *p = c.data + i * c.row_stride + v * LANES * c.col_stride;
            FN(store)(p, c.col_stride, c.cols - v * LANES, FN(end_sums)(sums[i][v]));
        }
    }
}

/* A column of tiles: all rows of c, and its first n_vectors of columns, which are a panel's. */
static inline ALWAYS_INLINE void
FN(multiply_panel)(int n_vectors, const mlp_matrix *a, PANEL b, mlp_start start,
                   const mlp_matrix *c)
{
    VEC first[TILE_VECTORS] = {0};
    for (ptrdiff_t v = 0; v < n_vectors && start.bias != NULL; v++) {
        ptrdiff_t at = v * LANES, stride = start.bias->col_stride;
        first[v] = FN(load_biases)(FN(at)(start.bias, 0, at), stride, c->cols - at);
    }
    const VEC *from = start.accumulate ? NULL : first;
    FACTOR rows = {NULL, a->row_stride, a->col_stride};
    bool is_whole = c->col_stride == 1 && (c->padded || c->cols >= n_vectors * LANES);
    ptrdiff_t i = 0;
    for (; is_whole && i + TILE_ROWS <= c->rows; i += TILE_ROWS) {
        rows.data = FN(at)(a, i, 0);
        TILE tile = {FN(at)(c, i, 0), c->row_stride, 1, TILE_ROWS, n_vectors * LANES};
        FN(multiply_tile)(n_vectors, rows, b, from, tile);
    }
    for (; i < c->rows; i += TILE_ROWS) {
        rows.data = FN(at)(a, i, 0);
        TILE tile = {FN(at)(c, i, 0), c->row_stride, c->col_stride, c->rows - i, c->cols};
        FN(multiply_tile)(n_vectors, rows, b, from, tile);
    }
}

/* Some rows of a product. */
typedef struct {
    mlp_matrix a, c;
    PANELS b;
    mlp_start start;
} PRODUCT;

/* A block of columns of c, from `first` on. Returns whether the team is to stop. */
static bool
FN(multiply_block)(mlp_poller *poller, const PRODUCT *product, ptrdiff_t first)
{
    const mlp_matrix *bias = product->start.bias;
    ptrdiff_t inner = product->a.cols, rows = product->c.rows, p = 0;
    ptrdiff_t last = first + mlp_min(product->c.cols - first, FN(BLOCK_COLS));
    do { /* once even where inner is 0: C is then its start */
        ptrdiff_t n = mlp_min(inner - p, FN(BLOCK_INNER));
        mlp_matrix a = mlp_cols_of(&product->a, p, p + n);
        for (ptrdiff_t j = first; j < last; j += FN(TILE_COLS)) {
            mlp_matrix c = mlp_cols_of(&product->c, j, product->c.cols), biases;
            mlp_start start = {NULL, product->start.accumulate || p > 0};
            if (bias != NULL) {
                biases = mlp_cols_of(bias, j, bias->cols);
                start.bias = &biases;
            }
            PANEL b = {product->b.data + j * product->b.col_step + p * product->b.row_stride, n,
                       product->b.row_stride};
            switch (mlp_min(mlp_ceil_div(c.cols, LANES), TILE_VECTORS)) {
            case 1: FN(multiply_panel)(1, &a, b, start, &c); break;
            case 2: FN(multiply_panel)(2, &a, b, start, &c); break;
#if TILE_VECTORS == 4
            case 3: FN(multiply_panel)(3, &a, b, start, &c); break;
            case 4: FN(multiply_panel)(4, &a, b, start, &c); break;
#elif TILE_VECTORS != 2
#error "TILE_VECTORS must be 2 or 4"
#endif
            }
            if (mlp_poll_after(poller, rows * (n + 1))) {
                return true;
            }
        }
        p += n;
    } while (p < inner);
    return false;
}

static bool
FN(multiply_panels)(mlp_worker *worker, const mlp_matrix *a, PANELS b, const mlp_matrix *c,
                    mlp_start start)
{
    assert(a->rows == c->rows);
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t j = 0; j < c->cols; j += FN(BLOCK_COLS)) {
        for (ptrdiff_t i = 0; i < c->rows; i += FN(BLOCK_ROWS)) {
            ptrdiff_t end = i + mlp_min(c->rows - i, FN(BLOCK_ROWS));
            PRODUCT rows = {mlp_rows_of(a, i, end), mlp_rows_of(c, i, end), b, start};
            if (FN(multiply_block)(&poller, &rows, j)) {
                return true;
            }
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

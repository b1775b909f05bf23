/* C = start + A B for strided A, B, C: the three products of a layer differ in
 * their views and their start only.
 *
 * B is packed, a block that fits the second-level cache at a time, into panels
 * of TILE_COLS columns with the tail zero-filled; A is read where it lies, one
 * element broadcast to a vector of products. A tile of C stays in registers
 * while it runs through a block of the inner dimension, and goes on from where
 * the last block left it: each element of C is one sum in index order.
 */

enum {
    FN(TILE_COLS) = TILE_VECTORS * LANES,
    FN(BLOCK_INNER) = 256,
    FN(BLOCK_ROWS) = 96,
    FN(BLOCK_COLS) = PACK_BYTES / (FN(BLOCK_INNER) * (int)sizeof(REAL)),
};

_Static_assert(FN(BLOCK_COLS) % FN(TILE_COLS) == 0, "a packed block is of whole panels");

/* Where a product starts: at a vector added to each row of C, at zero (a NULL
 * bias), or at what C holds. */
typedef struct {
    const mlp_matrix *bias;
    bool accumulate;
} GEMM_START;

/* packed[panel][p][j] = b[p][panel * TILE_COLS + j], zero past the last column. */
static void
FN(pack_panels)(const REAL *b, ptrdiff_t row_stride, ptrdiff_t col_stride, ptrdiff_t inner,
                ptrdiff_t cols, REAL *packed)
{
    for (ptrdiff_t j = 0; j < cols; j += FN(TILE_COLS)) {
        for (ptrdiff_t p = 0; p < inner; p++) {
            const REAL *row = b + p * row_stride + j * col_stride;
            for (ptrdiff_t v = 0; v < FN(TILE_COLS); v += LANES) {
                VEC elements = FN(load)(row + v * col_stride, col_stride, cols - j - v);
                *(VEC *)(packed + v) = elements;
            }
            packed += FN(TILE_COLS);
        }
    }
}

/* One tile: c (rows <= TILE_ROWS, cols <= TILE_COLS) goes on from `start` with
 * inner products of rows of a and one packed panel. Rows past the last repeat
 * it; they are computed and not stored. */
static inline void
FN(gemm_tile)(const REAL *a, ptrdiff_t a_row, ptrdiff_t a_inner, const REAL *panel, ptrdiff_t inner,
              const REAL *start, ptrdiff_t start_row, ptrdiff_t start_col, REAL *c, ptrdiff_t c_row,
              ptrdiff_t c_col, ptrdiff_t rows, ptrdiff_t cols)
{
    VEC sums[TILE_ROWS][TILE_VECTORS];
    const REAL *a_rows[TILE_ROWS];
    for (ptrdiff_t i = 0; i < TILE_ROWS; i++) {
        ptrdiff_t row = i < rows ? i : rows - 1;
        a_rows[i] = a + row * a_row;
        for (ptrdiff_t v = 0; v < TILE_VECTORS; v++) {
            sums[i][v] = start == NULL ? (VEC){0}
                                       : FN(load)(start + row * start_row + v * LANES * start_col,
                                                  start_col, cols - v * LANES);
        }
    }
    for (ptrdiff_t p = 0, at = 0; p < inner; p++, at += a_inner) {
        const VEC *b = (const VEC *)panel;
        for (ptrdiff_t i = 0; i < TILE_ROWS; i++) {
            for (ptrdiff_t v = 0; v < TILE_VECTORS; v++) {
                sums[i][v] += a_rows[i][at] * b[v];
            }
        }
        panel += FN(TILE_COLS);
    }
    for (ptrdiff_t i = 0; i < rows && i < TILE_ROWS; i++) {
        for (ptrdiff_t v = 0; v < TILE_VECTORS; v++) {
            FN(store)(c + i * c_row + v * LANES * c_col, c_col, cols - v * LANES, sums[i][v]);
        }
    }
}

/* pack: PACK_BYTES of the calling member's own. Leaves early, with c unfinished,
 * where the team is to stop. */
static void
FN(gemm)(mlp_worker *worker, const mlp_matrix *a, const mlp_matrix *b, const mlp_matrix *c,
         GEMM_START start, REAL *pack)
{
    ptrdiff_t inner = a->cols;
    ptrdiff_t p = 0;
    do { /* once even where inner is 0: C is then its start */
        ptrdiff_t n_inner = inner - p < FN(BLOCK_INNER) ? inner - p : FN(BLOCK_INNER);
        for (ptrdiff_t j = 0; j < c->cols; j += FN(BLOCK_COLS)) {
            ptrdiff_t n_cols = c->cols - j < FN(BLOCK_COLS) ? c->cols - j : FN(BLOCK_COLS);
            FN(pack_panels)(FN(at)(b, p, j), b->row_stride, b->col_stride, n_inner, n_cols, pack);
            for (ptrdiff_t i = 0; i < c->rows; i += FN(BLOCK_ROWS)) {
                ptrdiff_t n_rows = c->rows - i < FN(BLOCK_ROWS) ? c->rows - i : FN(BLOCK_ROWS);
                if (mlp_poll(worker)) {
                    return;
                }
                for (ptrdiff_t jt = 0; jt < n_cols; jt += FN(TILE_COLS)) {
                    for (ptrdiff_t it = 0; it < n_rows; it += TILE_ROWS) {
                        REAL *c_tile = FN(at)(c, i + it, j + jt);
                        const REAL *from = c_tile;
                        ptrdiff_t from_row = c->row_stride, from_col = c->col_stride;
                        if (p == 0 && !start.accumulate) {
                            from = start.bias == NULL ? NULL : FN(at)(start.bias, 0, j + jt);
                            from_row = 0;
                            from_col = start.bias == NULL ? 0 : start.bias->col_stride;
                        }
                        FN(gemm_tile)
                        (FN(at)(a, i + it, p), a->row_stride, a->col_stride, pack + jt * n_inner,
                         n_inner, from, from_row, from_col, c_tile, c->row_stride, c->col_stride,
                         n_rows - it, n_cols - jt);
                    }
                }
            }
        }
        p += n_inner;
    } while (p < inner);
}

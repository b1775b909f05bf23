/* C = start + A B for strided A, B, C: the three products of a layer differ in
 * their views and their start only.
 *
 * B is packed before, in panels of TILE_COLS columns, where it was made or last changed,
 * once for all members and all products with it. A is read where it lies, one element
 * broadcast to a vector of products. A tile of C stays in registers while it runs through
 * a block of the inner dimension, and goes on from where the last block left it: each
 * element of C is one sum in index order.
 */

enum {
    FN(TILE_COLS) = TILE_VECTORS * LANES,
    FN(BLOCK_INNER) = 256,
    FN(BLOCK_ROWS) = 96 / TILE_ROWS * TILE_ROWS,
    FN(BLOCK_COLS) = 2048 / (int)sizeof(REAL),
    /* Input units in a piece of work on a gradient: at least 24, whole tiles, and whole
     * panels of the transposed weights, lest members write to the same lines of these.
     * A panel's width is a power of two. */
    FN(WHOLE_UNITS) = TILE_ROWS * FN(TILE_COLS) / (TILE_ROWS & -TILE_ROWS),
    FN(BLOCK_UNITS) = (23 / FN(WHOLE_UNITS) + 1) * FN(WHOLE_UNITS),
};

/* B: data[panel][p][j] = b[p][panel * TILE_COLS + j]; what is past the last column leads to
 * nothing that is kept. */
typedef struct {
    REAL *data;
    ptrdiff_t inner;
} PACKED;

/* Where a product starts: at a vector added to each row of C, at zero (a NULL
 * bias), or at what C holds. */
typedef struct {
    const mlp_matrix *bias;
    bool accumulate;
} GEMM_START;

static PACKED
FN(take_packed)(mlp_arena *arena, ptrdiff_t inner, ptrdiff_t cols)
{
    ptrdiff_t panels = cols / FN(TILE_COLS) + (cols % FN(TILE_COLS) != 0), width;
    if (__builtin_mul_overflow(panels, FN(TILE_COLS) * (ptrdiff_t)sizeof(REAL), &width)) {
        width = PTRDIFF_MAX;
    }
    return (PACKED){mlp_take(arena, inner, width, 1), inner};
}

/* Packs b, of which (row, col) is the first element, at its place among others; not all of it
 * where the team is to stop. */
static void
FN(pack)(mlp_worker *worker, const mlp_matrix *b, ptrdiff_t row, ptrdiff_t col,
         const PACKED *packed)
{
    ptrdiff_t work = 0;
    for (ptrdiff_t j = 0, n; j < b->cols; j += n) {
        ptrdiff_t within = (col + j) % FN(TILE_COLS);
        n = FN(TILE_COLS) - within < b->cols - j ? FN(TILE_COLS) - within : b->cols - j;
        REAL *to = packed->data + (col + j - within) * packed->inner + row * FN(TILE_COLS) + within;
        bool whole = b->col_stride == 1 && (n % LANES == 0 || (b->padded && j + n == b->cols));
        for (SEGMENT rows = {0}; FN(next_segment)(worker, b->rows, &rows);) {
            for (ptrdiff_t p = rows.begin; p < rows.end; p++, to += FN(TILE_COLS)) {
                const REAL *from = FN(at)(b, p, j);
                for (ptrdiff_t v = 0; v < n && whole; v += LANES) {
                    *(VEC *)(to + v) = *(const VEC *)(from + v);
                }
                for (ptrdiff_t v = 0; v < n && !whole; v += LANES) {
                    ptrdiff_t stride = b->col_stride;
                    FN(store)(to + v, 1, n - v, FN(load)(from + v * stride, stride, n - v));
                }
            }
        }
        if (FN(poll_work)(worker, &work, b->rows * n)) {
            return;
        }
    }
}

/* One tile: the first TILE_ROWS of c's rows, or as many as there are, and n_vectors of its
 * columns, go on from `start`, or from themselves if that is NULL, with inner products of
 * rows of a and one packed panel. Rows past the last repeat it; they are computed and not
 * stored. A whole tile is stored as it is computed; rows, cols and c_col are not asked. */
static inline ALWAYS_INLINE void
FN(gemm_tile)(int n_vectors, bool whole, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_inner,
              const REAL *panel, ptrdiff_t inner, const VEC *start, REAL *c, ptrdiff_t c_row,
              ptrdiff_t c_col, ptrdiff_t rows, ptrdiff_t cols)
{
    VEC sums[TILE_ROWS][TILE_VECTORS];
    const REAL *a_rows[TILE_ROWS];
    if (whole) {
        rows = TILE_ROWS;
        cols = n_vectors * LANES;
        c_col = 1;
    }
    for (ptrdiff_t i = 0; i < TILE_ROWS; i++) {
        ptrdiff_t row = i < rows ? i : rows - 1;
        a_rows[i] = a + row * a_row;
        for (ptrdiff_t v = 0; v < n_vectors; v++) {
            sums[i][v] = start != NULL ? start[v]
                                       : FN(load)(c + row * c_row + v * LANES * c_col, c_col,
                                                  cols - v * LANES);
        }
    }
    for (ptrdiff_t p = 0, at = 0; p < inner; p++, at += a_inner) {
        const VEC *b = (const VEC *)panel;
        for (ptrdiff_t i = 0; i < TILE_ROWS; i++) {
            for (ptrdiff_t v = 0; v < n_vectors; v++) {
                sums[i][v] += a_rows[i][at] * b[v];
            }
        }
        panel += FN(TILE_COLS);
    }
    for (ptrdiff_t i = 0; i < TILE_ROWS && i < rows; i++) {
        for (ptrdiff_t v = 0; v < n_vectors; v++) {
            FN(store)(c + i * c_row + v * LANES * c_col, c_col, cols - v * LANES, sums[i][v]);
        }
    }
}

/* A column of tiles: the rows begin to end of c, whose columns from j on are a panel's. */
static inline ALWAYS_INLINE void
FN(gemm_tiles)(int n_vectors, const mlp_matrix *a, ptrdiff_t p, const REAL *panel, ptrdiff_t inner,
               GEMM_START start, ptrdiff_t j, const mlp_matrix *c, ptrdiff_t begin, ptrdiff_t end)
{
    VEC first[TILE_VECTORS] = {0};
    for (ptrdiff_t v = 0; v < n_vectors && start.bias != NULL; v++) {
        ptrdiff_t at = j + v * LANES, stride = start.bias->col_stride;
        first[v] = FN(load_biases)(FN(at)(start.bias, 0, at), stride, c->cols - at);
    }
    const VEC *from = p == 0 && !start.accumulate ? first : NULL;
    ptrdiff_t a_row = a->row_stride, a_inner = a->col_stride, cols = c->cols - j;
    bool is_whole = c->col_stride == 1 && (c->padded || cols >= n_vectors * LANES);
    ptrdiff_t i = begin;
    for (; is_whole && i + TILE_ROWS <= end; i += TILE_ROWS) {
        FN(gemm_tile)
        (n_vectors, true, FN(at)(a, i, p), a_row, a_inner, panel, inner, from, FN(at)(c, i, j),
         c->row_stride, 1, 0, 0);
    }
    for (; i < end; i += TILE_ROWS) {
        FN(gemm_tile)
        (n_vectors, false, FN(at)(a, i, p), a_row, a_inner, panel, inner, from, FN(at)(c, i, j),
         c->row_stride, c->col_stride, end - i, cols);
    }
}

/* The rows begin to end of c, in a block of its columns from `first` on. Returns whether
 * the team is to stop: then not all of it is done. */
static bool
FN(gemm_block)(mlp_worker *worker, const mlp_matrix *a, const PACKED *b, const mlp_matrix *c,
               GEMM_START start, ptrdiff_t first, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t *work)
{
    ptrdiff_t inner = a->cols, p = 0;
    ptrdiff_t last = c->cols - first < FN(BLOCK_COLS) ? c->cols : first + FN(BLOCK_COLS);
    do { /* once even where inner is 0: C is then its start */
        ptrdiff_t n = inner - p < FN(BLOCK_INNER) ? inner - p : FN(BLOCK_INNER);
        for (ptrdiff_t j = first; j < last; j += FN(TILE_COLS)) {
            const REAL *panel = b->data + j * b->inner + p * FN(TILE_COLS);
            ptrdiff_t n_vectors = (c->cols - j + LANES - 1) / LANES;
            switch (n_vectors < TILE_VECTORS ? n_vectors : TILE_VECTORS) {
            case 1: FN(gemm_tiles)(1, a, p, panel, n, start, j, c, begin, end); break;
            case 2: FN(gemm_tiles)(2, a, p, panel, n, start, j, c, begin, end); break;
#if TILE_VECTORS == 4
            case 3: FN(gemm_tiles)(3, a, p, panel, n, start, j, c, begin, end); break;
            case 4: FN(gemm_tiles)(4, a, p, panel, n, start, j, c, begin, end); break;
#elif TILE_VECTORS != 2
#error "TILE_VECTORS must be 2 or 4"
#endif
            }
            if (FN(poll_work)(worker, work, (end - begin) * (n + 1))) {
                return true;
            }
        }
        p += n;
    } while (p < inner);
    return false;
}

/* Returns whether the team is to stop: then not all of c is done. The packed columns of a
 * block stay in the last-level cache while all rows pass. */
static bool
FN(gemm)(mlp_worker *worker, const mlp_matrix *a, const PACKED *b, const mlp_matrix *c,
         GEMM_START start)
{
    ptrdiff_t work = 0;
    for (ptrdiff_t j = 0; j < c->cols; j += FN(BLOCK_COLS)) {
        for (ptrdiff_t i = 0; i < c->rows; i += FN(BLOCK_ROWS)) {
            ptrdiff_t last = c->rows - i < FN(BLOCK_ROWS) ? c->rows : i + FN(BLOCK_ROWS);
            if (FN(gemm_block)(worker, a, b, c, start, j, i, last, &work)) {
                return true;
            }
        }
    }
    return false;
}

/* The sizes that are tuned, by dtype and instruction set. Those that are the same everywhere, and
 * that network/ knows as well, are in kernels.h; how much work there is between two polls, in
 * poll.h. */
#ifndef MLP_TUNING_TEMPLATE
#define MLP_TUNING_TEMPLATE

#include "kernels/real.h"

/* The register tile of a product; isa/<name>.c chooses. */
#ifndef TILE_ROWS
#define TILE_ROWS 6
#define TILE_VECTORS 2
#endif

enum {
    /* gemm.h: a tile's columns, and the blocks of a product. A block of B's columns stays in the
     * last-level cache while all rows pass; a panel's part, in the first-level cache. */
    FN(TILE_COLS) = TILE_VECTORS * LANES,
    FN(BLOCK_INNER) = 256,
    FN(BLOCK_ROWS) = 96 / TILE_ROWS * TILE_ROWS,
    FN(BLOCK_COLS) = 2048 / (int)sizeof(REAL),

    /* gemm.h: rows of A in one copy, 32 KB at most, and the least sizes that pay for it. */
    FN(COPIED_ROWS) = 128 / (int)sizeof(REAL) / TILE_ROWS * TILE_ROWS,
    FN(LEAST_COPIED_INNER) = 192,
    FN(LEAST_COPIED_COLS) = 16 * FN(TILE_COLS),

    /* gemm.h: rows that are packed at a time; how many rows ahead those packed by columns are asked
     * for; and how many bytes of the next panel a tile asks for at most. */
    FN(PACKED_ROWS) = 8,
    FN(COLUMNS_AHEAD) = 2 * FN(TILE_COLS),
    FN(PANEL_AHEAD) = 1024,

    /* Input units in a task on a gradient: at least 24, whole tiles, and whole panels of the
     * transposed weights, to avoid false sharing of these. A panel's width is a
     * power of two. */
    FN(WHOLE_UNITS) = TILE_ROWS * FN(TILE_COLS) / (TILE_ROWS & -TILE_ROWS),
    FN(BLOCK_UNITS) = (23 / FN(WHOLE_UNITS) + 1) * FN(WHOLE_UNITS),

    FN(RUN_VECTORS) = 8,  /* row_product.h: sums that stay in registers */
    FN(LIST_VECTORS) = 4, /* sparse.h: vectors in registers, for each column of a pair */

    /* rows.h, sparse.h: how many rows ahead a row is asked for, dense and sparse; how many more its
     * beginning; and how much of it, lest long rows drive everything else from the cache. */
    FN(DENSE_AHEAD) = 4,
    FN(SPARSE_AHEAD) = 8,
    FN(STARTS_AHEAD) = 8,
    FN(MOST_PREFETCHED) = 8192, /* bytes */
};

_Static_assert((FN(TILE_COLS) & (FN(TILE_COLS) - 1)) == 0, "a panel's width is a power of two");
_Static_assert(MLP_PART_COLS % LANES == 0, "a vector lies in one part of a layer");
_Static_assert(MLP_SQUARE_LANES % LANES == 0, "partial sums of squares are whole vectors");
_Static_assert(FN(BLOCK_UNITS) % MLP_SQUARE_ROWS == 0, "a task has whole sums of squares");

#endif

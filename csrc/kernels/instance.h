/* The kernels of one instruction set, for both dtypes, and the table of them.
 *
 * The including file, isa/<name>.c, defines
 *     MLP_TABLE         the name of the table it exports
 *     MLP_VECTOR_BYTES  the width of a vector register
 *     TILE_ROWS, TILE_VECTORS  the shape of the register tile of a product:
 *         TILE_ROWS * TILE_VECTORS sums, TILE_VECTORS operands and a broadcast
 *         should just fit the registers
 * and is compiled with the flags of its instruction set; setup.py lists them.
 */
#ifndef MLP_TABLE /* opened alone by an editor */
#define MLP_TABLE mlp_kernels_baseline
#endif

#define REAL_BITS 32
#include "kernels/templates.h"

#undef REAL_BITS
#define REAL_BITS 64
#include "kernels/templates.h"

#define SIZES(type, suffix)                                             \
    .lanes = MLP_VECTOR_BYTES / sizeof(type), .tile_rows = TILE_ROWS,   \
    .tile_cols = TILE_COLS_##suffix, .block_rows = BLOCK_ROWS_##suffix, \
    .block_units = BLOCK_UNITS_##suffix, .entry_bytes = sizeof(entry_##suffix)

const mlp_kernels MLP_TABLE[MLP_N_DTYPES] = {
    [MLP_FLOAT32] = {.dtype = MLP_FLOAT32,
                     SIZES(float, f32),
#define K(name) .name = name##_f32,
                     MLP_KERNELS(K)
#undef K
    },
    [MLP_FLOAT64] = {.dtype = MLP_FLOAT64,
                     SIZES(double, f64),
#define K(name) .name = name##_f64,
                     MLP_KERNELS(K)
#undef K
    },
};

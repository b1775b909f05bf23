/* AArch64: 32 registers of 16 bytes. GCC holds the broadcasts of a tile's rows in
 * registers of their own, so that a taller tile of 4 vectors would spill. */
#define MLP_TABLE mlp_kernels_neon
#define MLP_VECTOR_BYTES 16
#define TILE_ROWS 5
#define TILE_VECTORS 4
#include "kernels/instance.h"

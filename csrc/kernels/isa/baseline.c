/* Any CPU the compiler targets by default: 16-byte vectors. */
#define MLP_TABLE mlp_kernels_baseline
#define MLP_VECTOR_BYTES 16
#define TILE_ROWS 6
#define TILE_VECTORS 2
#include "kernels/instance.h"

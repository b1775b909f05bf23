/* x86-64 with AVX2 and FMA: 16 registers of 32 bytes. */
#define MLP_TABLE mlp_kernels_avx2
#define MLP_VECTOR_BYTES 32
#define TILE_ROWS 6
#define TILE_VECTORS 2
#include "kernels/instance.h"

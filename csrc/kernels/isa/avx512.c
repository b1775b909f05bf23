/* x86-64 with AVX-512: 32 registers of 64 bytes. */
#define MLP_TABLE mlp_kernels_avx512
#define MLP_VECTOR_BYTES 64
#define TILE_ROWS 8
#define TILE_VECTORS 2
#include "kernels/instance.h"

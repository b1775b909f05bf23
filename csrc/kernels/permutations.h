/* Which instructions compress.h has for vectors of MLP_VECTOR_BYTES, and what those of AVX2 need:
 * the places of the lanes of a vector that are kept, for each set of them. A compiler that may use
 * newer instructions than a file is for, by -march=native say, changes nothing. */
#ifndef MLP_PERMUTATIONS_H
#define MLP_PERMUTATIONS_H

#include <stdint.h>

#if defined(__AVX512VL__) && MLP_VECTOR_BYTES == 64
#include <immintrin.h>
#define MLP_COMPRESSES 512
#elif defined(__AVX2__) && MLP_VECTOR_BYTES == 32
#include <immintrin.h>
#define MLP_COMPRESSES 256

#define KEPT_OF_4(K) \
    K(0, 0, 0, 0)    \
    K(0, 0, 0, 0)    \
    K(1, 0, 0, 0)    \
    K(0, 1, 0, 0)    \
    K(2, 0, 0, 0)    \
    K(0, 2, 0, 0)    \
    K(1, 2, 0, 0)    \
    K(0, 1, 2, 0)    \
    K(3, 0, 0, 0)    \
    K(0, 3, 0, 0)    \
    K(1, 3, 0, 0) K(0, 1, 3, 0) K(2, 3, 0, 0) K(0, 2, 3, 0) K(1, 2, 3, 0) K(0, 1, 2, 3)

/* By the bits of those that are kept: their places; and those of the halves of each. */
#define PLACES(a, b, c, d) {a, b, c, d},
static const uint32_t mlp_kept_of_4[16][4] = {KEPT_OF_4(PLACES)};
#undef PLACES
#define HALVES(a, b, c, d) \
    {2 * (a), 2 * (a) + 1, 2 * (b), 2 * (b) + 1, 2 * (c), 2 * (c) + 1, 2 * (d), 2 * (d) + 1},
static const uint32_t mlp_halves_of_4[16][8] = {KEPT_OF_4(HALVES)};
#undef HALVES
#undef KEPT_OF_4
#else
#define MLP_COMPRESSES 0
#endif

#endif

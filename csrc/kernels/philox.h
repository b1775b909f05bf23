/* Random numbers that are a function of a counter and a key: Philox 4x32-10 of Salmon, Moraes, Dror
 * & Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). Nothing goes from one number to the
 * next, so that whoever computes a number finds the same. */
#ifndef MLP_PHILOX_H
#define MLP_PHILOX_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/* An editor that opens this by itself sees the narrowest vectors. */
#ifndef MLP_VECTOR_BYTES
#define MLP_VECTOR_BYTES 16
#endif

enum {
    MLP_COUNTERS = 16,                   /* that numbers are computed of at a time */
    MLP_RANDOM_WORDS = 4 * MLP_COUNTERS, /* which these give */
};

/* Numbers of 32 bits in the low halves of lanes of 64; what is in the high halves does not count.
 */
typedef uint64_t mlp_low_words
    __attribute__((vector_size(MLP_VECTOR_BYTES), aligned(sizeof(uint32_t)), may_alias));

/* The whole products of x with a constant. They are spelled out where there is an instruction: not
 * every compiler sees that the high halves do not count. */
static inline mlp_low_words
mlp_multiply_words(mlp_low_words x, uint32_t by)
{
#if defined(__AVX512F__) && MLP_VECTOR_BYTES == 64
    return (mlp_low_words)_mm512_mul_epu32((__m512i)x, _mm512_set1_epi64(by));
#elif defined(__AVX2__) && MLP_VECTOR_BYTES == 32
    return (mlp_low_words)_mm256_mul_epu32((__m256i)x, _mm256_set1_epi64x(by));
#elif defined(__SSE2__) && MLP_VECTOR_BYTES == 16
    return (mlp_low_words)_mm_mul_epu32((__m128i)x, _mm_set1_epi64x(by));
#elif defined(__ARM_NEON) && MLP_VECTOR_BYTES == 16
    return (mlp_low_words)vmull_n_u32(vmovn_u64((uint64x2_t)x), by);
#else
    return (x & UINT32_MAX) * by;
#endif
}

/* The numbers of the counters (first + i, counter[1], counter[2], counter[3]), first being
 * MLP_COUNTERS * counter[0]: number k of counter i goes to words[MLP_COUNTERS * k + i]. */
static inline void
mlp_random_words(uint64_t key, const uint32_t counter[4], uint32_t words[MLP_RANDOM_WORDS])
{
    enum { LOW_WORDS = MLP_VECTOR_BYTES / sizeof(uint64_t) };
    mlp_low_words zero = {0}, evens = {0};
    for (uint32_t lane = 0; lane < LOW_WORDS; lane++) {
        evens[lane] = (uint64_t)2 * lane;
    }
    for (uint32_t i = 0; i < MLP_COUNTERS; i += 2 * LOW_WORDS) {
        /* Of counters with an even number, then of the odd ones: so the results interleave. */
        mlp_low_words x[2][4];
        for (uint32_t odd = 0; odd < 2; odd++) {
            x[odd][0] = evens + (MLP_COUNTERS * counter[0] + i + odd);
            for (int word = 1; word < 4; word++) {
                x[odd][word] = zero + counter[word];
            }
        }
        uint32_t key_0 = (uint32_t)key, key_1 = (uint32_t)(key >> 32);
        for (int round = 0; round < 10; round++) {
            for (int odd = 0; odd < 2; odd++) {
                mlp_low_words product_0 = mlp_multiply_words(x[odd][0], 0xd2511f53);
                mlp_low_words product_2 = mlp_multiply_words(x[odd][2], 0xcd9e8d57);
                x[odd][0] = (product_2 >> 32) ^ x[odd][1] ^ key_0;
                x[odd][1] = product_2;
                x[odd][2] = (product_0 >> 32) ^ x[odd][3] ^ key_1;
                x[odd][3] = product_0;
            }
            key_0 += 0x9e3779b9;
            key_1 += 0xbb67ae85;
        }
        for (int word = 0; word < 4; word++) {
            mlp_low_words both = (x[0][word] & UINT32_MAX) | (x[1][word] << 32);
            memcpy(&words[MLP_COUNTERS * word + i], &both, sizeof both);
        }
    }
}

#endif

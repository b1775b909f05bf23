/* The pairs of one vector of elements that are not zero, next to each other: with the instructions
 * that AVX-512 and AVX2 have for that, which templates cannot name otherwise. */
#ifndef MLP_COMPRESS_TEMPLATE
#define MLP_COMPRESS_TEMPLATE

#include "kernels/permutations.h"
#include "kernels/vector.h"

#define PAIR FN(pair)

typedef struct {
    REAL values[2];
} PAIR;

_Static_assert(sizeof(PAIR) == 2 * sizeof(REAL), "a list of pairs is one of their values");

/* Whether a pair has an element that is not zero: by its bits, whatever is done to denormals. */
static inline bool
FN(is_pair)(PAIR pair)
{
    union {
        PAIR pair;
        BITS bits[2];
    } both = {pair};
    return ((both.bits[0] | both.bits[1]) & ~SIGN_BIT) != 0;
}

#if MLP_COMPRESSES == 0
/* Whether all bits are. */
static inline bool
FN(is_zero)(VEC v)
{
    typedef uint64_t words __attribute__((vector_size(MLP_VECTOR_BYTES)));
    words w = (words)v;
    uint64_t any = 0;
    for (size_t i = 0; i < sizeof w / sizeof w[0]; i++) {
        any |= w[i];
    }
    return any == 0;
}
#endif

/* Lists the pairs of LANES elements, of which `column` is the first one's, and their columns.
 * Returns how many there are. Writes LANES / 2 slots of both, which may lie where the elements do:
 * those that are not pairs last. */
static inline ALWAYS_INLINE ptrdiff_t
FN(compress)(const REAL *elements, uint32_t column, PAIR *pairs, uint32_t *columns)
{
#if MLP_COMPRESSES == 512 && REAL_BITS == 32
    __m512i v = _mm512_loadu_si512(elements);
    __mmask8 kept = _mm512_test_epi64_mask(v, _mm512_set1_epi32(0x7fffffff));
    __m256i all = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    all = _mm256_add_epi32(all, _mm256_set1_epi32((int)column));
    _mm512_storeu_si512(pairs, _mm512_maskz_compress_epi64(kept, v));
    _mm256_storeu_si256((__m256i *)columns, _mm256_maskz_compress_epi32(kept, all));
    return __builtin_popcount(kept);
#elif MLP_COMPRESSES == 512
    __m512i v = _mm512_loadu_si512(elements);
    unsigned nonzero = _mm512_test_epi64_mask(v, _mm512_set1_epi64(INT64_MAX));
    unsigned kept = (nonzero | nonzero >> 1) & 0x55;
    __m256i all = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    all = _mm256_add_epi32(all, _mm256_set1_epi32((int)column));
    all = _mm256_maskz_compress_epi32((__mmask8)kept, all);
    _mm512_storeu_si512(pairs, _mm512_maskz_compress_epi64((__mmask8)(kept | kept << 1), v));
    _mm_storeu_si128((__m128i *)columns, _mm256_castsi256_si128(all));
    return __builtin_popcount(kept);
#elif MLP_COMPRESSES == 256 && REAL_BITS == 32
    __m256i v = _mm256_loadu_si256((const __m256i *)elements);
    __m256i bits = _mm256_and_si256(v, _mm256_set1_epi32(0x7fffffff));
    __m256i zero = _mm256_cmpeq_epi64(bits, _mm256_setzero_si256());
    unsigned kept = ~(unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(zero)) & 15;
    __m128i all = _mm_loadu_si128((const __m128i *)mlp_kept_of_4[kept]);
    all = _mm_add_epi32(all, _mm_set1_epi32((int)column));
    __m256i from = _mm256_loadu_si256((const __m256i *)mlp_halves_of_4[kept]);
    _mm256_storeu_si256((__m256i *)pairs, _mm256_permutevar8x32_epi32(v, from));
    _mm_storeu_si128((__m128i *)columns, all);
    return __builtin_popcount(kept);
#elif MLP_COMPRESSES == 256
    __m256i v = _mm256_loadu_si256((const __m256i *)elements);
    __m256i bits = _mm256_and_si256(v, _mm256_set1_epi64x(INT64_MAX));
    __m256i zero = _mm256_cmpeq_epi64(bits, _mm256_setzero_si256());
    unsigned zeros = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(zero));
    bool first = (zeros & 3) != 3, second = zeros >> 2 != 3;
    __m256i swapped = _mm256_permute4x64_epi64(v, 0x4e);
    _mm256_storeu_si256((__m256i *)pairs, first ? v : swapped);
    columns[0] = column + !first;
    columns[1] = column + 1;
    return first + second;
#else
    ptrdiff_t found = 0;
    if (FN(is_zero)(*(const VEC *)elements)) {
        return 0;
    }
    for (ptrdiff_t lane = 0; lane < LANES; lane += 2) {
        pairs[found] = (PAIR){{elements[lane], elements[lane + 1]}};
        columns[found] = column + (uint32_t)(lane / 2);
        found += FN(is_pair)(pairs[found]); /* no branch on the data */
    }
    return found;
#endif
}

#endif

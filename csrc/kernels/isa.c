#include "kernels/isa.h"

#include <string.h>

#if MLP_HAVE_AVX2 || MLP_HAVE_AVX512
#include <cpuid.h>
#endif

static bool
always(void)
{
    return true;
}

#if MLP_HAVE_AVX2 || MLP_HAVE_AVX512
/* Of XCR0, which says what registers the operating system keeps: those of 16, 32
 * and 64 bytes, the last with their masks. */
enum { KEEPS_YMM = 0x06, KEEPS_ZMM = 0xe6 };

/* Whether the CPU has features, as CPUID lists them in ECX of leaf 1 and EBX of leaf
 * 7, and the operating system keeps their registers. Not the compiler's run-time check:
 * Clang's is in a library of its own, which MSVC's linker does not know. */
static bool
has_features(unsigned leaf_1, unsigned leaf_7, unsigned registers)
{
    unsigned eax, ebx, ecx, edx, kept;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & bit_OSXSAVE) == 0
        || (ecx & leaf_1) != leaf_1) {
        return false;
    }
    __asm__("xgetbv" : "=a"(kept), "=d"(edx) : "c"(0));
    return (kept & registers) == registers && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)
           && (ebx & leaf_7) == leaf_7;
}

static bool
has_avx2(void)
{
    return has_features(bit_AVX | bit_FMA, bit_AVX2, KEEPS_YMM);
}

static bool
has_avx512(void)
{
    return has_features(bit_AVX | bit_FMA, bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL,
                        KEEPS_ZMM);
}
#endif

/* Worst first. One that setup.py did not build for this machine has no tables. */
static const struct {
    mlp_isa isa;
    bool (*supported)(void);
} isas[] = {
    {{"baseline", mlp_kernels_baseline}, always},
#if MLP_HAVE_NEON /* part of every AArch64 */
    {{"neon", mlp_kernels_neon}, always},
#else
    {{"neon", NULL}, NULL},
#endif
#if MLP_HAVE_AVX2
    {{"avx2", mlp_kernels_avx2}, has_avx2},
#else
    {{"avx2", NULL}, NULL},
#endif
#if MLP_HAVE_AVX512
    {{"avx512", mlp_kernels_avx512}, has_avx512},
#else
    {{"avx512", NULL}, NULL},
#endif
};

enum { N_ISAS = sizeof isas / sizeof isas[0] };
_Static_assert(N_ISAS <= (int)MLP_MAX_ISAS, "MLP_MAX_ISAS is too small");

int
mlp_supported_isas(const mlp_isa *found[MLP_MAX_ISAS])
{
    int n = 0;
    for (int i = 0; i < (int)N_ISAS; i++) {
        if (isas[i].isa.tables != NULL && isas[i].supported()) {
            found[n++] = &isas[i].isa;
        }
    }
    return n;
}

int
mlp_isa_rank(const char *name)
{
    for (int i = 0; i < (int)N_ISAS; i++) {
        if (strcmp(isas[i].isa.name, name) == 0) {
            return i;
        }
    }
    return -1;
}

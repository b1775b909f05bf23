#include "cpu.h"

#include <string.h>

static bool
always(void)
{
    return true;
}

#if MLP_HAVE_AVX2
/* The compiler's run-time check asks the operating system too (XGETBV). */
static bool
has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

#if MLP_HAVE_AVX512
static bool
has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
           && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
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

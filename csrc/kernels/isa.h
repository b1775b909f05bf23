/* Which instruction sets this build has and this machine can run. */
#ifndef MLP_ISA_H
#define MLP_ISA_H

#include "kernels/kernels.h"

typedef struct {
    const char *name;
    const mlp_kernels *tables; /* by dtype */
} mlp_isa;

/* The built-in instruction sets that CPU and operating system support, worst
 * first, written to found (room for MLP_MAX_ISAS). Returns how many; the first,
 * baseline, is always there. */
enum { MLP_MAX_ISAS = 8 };
int mlp_supported_isas(const mlp_isa *found[MLP_MAX_ISAS]);

/* Where `name` stands among all instruction sets this project knows, built in
 * or not, worst first; -1 for an unknown one. */
int mlp_isa_rank(const char *name);

#endif

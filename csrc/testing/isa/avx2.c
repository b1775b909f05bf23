#include "kernels/isa/avx2.c" /* NOLINT(bugprone-suspicious-include) */
#define MLP_FUNCTIONS mlp_functions_avx2
#include "testing/functions.h"

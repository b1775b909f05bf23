#include "kernels/isa/avx512.c" /* NOLINT(bugprone-suspicious-include) */
#define MLP_FUNCTIONS mlp_functions_avx512
#include "testing/functions.h"

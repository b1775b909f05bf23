#include "kernels/isa/neon.c" /* NOLINT(bugprone-suspicious-include) */
#define MLP_FUNCTIONS mlp_functions_neon
#include "testing/functions.h"

#include "kernels/isa/baseline.c" /* NOLINT(bugprone-suspicious-include) */
#define MLP_FUNCTIONS mlp_functions_baseline
#include "testing/functions.h"

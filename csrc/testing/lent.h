/* What is lent beside the kernels: vector functions, as no kernel applies them by themselves. */
#ifndef MLP_LENT_H
#define MLP_LENT_H

#include "kernels/kernels.h"

#define MLP_LENT_FUNCTIONS(F) F(exp) F(expm1) F(log) F(log1p) F(sqrt) F(tanh) F(logistic)

enum {
#define F(name) MLP_FUNCTION_##name,
    MLP_LENT_FUNCTIONS(F)
#undef F
        MLP_N_FUNCTIONS
};

/* out = the function of x, of one shape. */
typedef void mlp_map(const mlp_matrix *x, const mlp_matrix *out);

/* By function and dtype, of each instruction set. */
extern mlp_map *const mlp_functions_baseline[MLP_N_FUNCTIONS][MLP_N_DTYPES];
extern mlp_map *const mlp_functions_neon[MLP_N_FUNCTIONS][MLP_N_DTYPES];
extern mlp_map *const mlp_functions_avx2[MLP_N_FUNCTIONS][MLP_N_DTYPES];
extern mlp_map *const mlp_functions_avx512[MLP_N_FUNCTIONS][MLP_N_DTYPES];

#endif

/* The vector functions of one instruction set, as they are applied to arrays. The including file,
 * isa/<name>.c, has included the kernels, and defines MLP_FUNCTIONS, the name of the table. */
#include "testing/lent.h"

#ifndef MLP_FUNCTIONS             /* opened alone by an editor */
#include "kernels/isa/baseline.c" /* NOLINT(bugprone-suspicious-include) */
#define MLP_FUNCTIONS mlp_functions_baseline
#endif

#define MAP(name, suffix)                                                         \
    static void map_##name##_##suffix(const mlp_matrix *x, const mlp_matrix *out) \
    {                                                                             \
        map_rows_##suffix(name##_##suffix, x, out);                               \
    }
#define F(name) MAP(name, f32) MAP(name, f64)
MLP_LENT_FUNCTIONS(F)
#undef F

mlp_map *const MLP_FUNCTIONS[MLP_N_FUNCTIONS][MLP_N_DTYPES] = {
#define F(name) {map_##name##_f32, map_##name##_f64},
    MLP_LENT_FUNCTIONS(F)
#undef F
};

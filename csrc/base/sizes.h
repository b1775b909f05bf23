/* Arithmetic of sizes. */
#ifndef MLP_SIZES_H
#define MLP_SIZES_H

#include <stddef.h>

static inline ptrdiff_t
mlp_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static inline ptrdiff_t
mlp_max(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}

/* n / step, rounded up; n is not negative. Cannot overflow. */
static inline ptrdiff_t
mlp_ceil_div(ptrdiff_t n, ptrdiff_t step)
{
    return n / step + (n % step != 0);
}

#endif

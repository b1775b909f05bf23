#include "network/zeros.h"

#include <string.h>

enum {
    MOST_SAMPLED = 128,        /* pairs, each of which may have to come from memory */
    LEAST_SAMPLED = 16,        /* fewer tell nothing */
    PAIRS_OF_ONE_SAMPLED = 16, /* as long as these are between the two */
};

/* Above this fraction of pairs that are not both zero, to multiply all is faster. */
static const double MOST_PAIRS = 0.35;

/* Whether an element is neither 0 nor, of a float, -0. */
static bool
is_nonzero(const mlp_input *x, const char *element)
{
    bool is_float = x->element <= MLP_OF_FLOAT16;
    int item = x->dense.item;
    uint64_t bits = 0;
    switch (item) { /* little-endian, as all machines that it runs on */
    case 1: memcpy(&bits, element, 1); break;
    case 2: memcpy(&bits, element, 2); break;
    case 4: memcpy(&bits, element, 4); break;
    default: memcpy(&bits, element, 8); break;
    }
    uint64_t sign = is_float ? UINT64_C(1) << (8 * item - 1) : 0;
    return (bits & ~sign) != 0;
}

bool
mlp_are_mostly_zero(const mlp_data *data)
{
    const mlp_matrix *m = &data->x.dense;
    ptrdiff_t pairs = mlp_count_pair_columns(m->cols), found = 0, all;
    if (m->col_stride != 1 || data->n == 0) {
        return false;
    }
    if (__builtin_mul_overflow(data->n, pairs, &all)) {
        all = PTRDIFF_MAX;
    }
    ptrdiff_t n = mlp_min(all / PAIRS_OF_ONE_SAMPLED, MOST_SAMPLED);
    if (n < LEAST_SAMPLED) {
        return false;
    }
    const double rows_apart = (double)data->n / (double)n, most = MOST_PAIRS * (double)n;
    for (ptrdiff_t k = 0; k < n && (double)found <= most; k++) {
        /* Multiples of the golden ratio fall anywhere in a row, whatever its period. */
        uint32_t place = (uint32_t)k * 2654435769u;
        ptrdiff_t row = mlp_data_row(data, (ptrdiff_t)((double)k * rows_apart)),
                  col = 2 * (ptrdiff_t)(place * 0x1p-32 * (double)pairs);
        const char *pair = (const char *)m->data + (row * m->row_stride + col) * m->item;
        found += is_nonzero(&data->x, pair)
                 || (col + 1 < m->cols && is_nonzero(&data->x, pair + m->item));
    }
    return (double)found <= most;
}

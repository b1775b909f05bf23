#include "network/zeros.h"

#include <string.h>

enum {
    MOST_SAMPLED = 512,        /* pairs */
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
    memcpy(&bits, element, (size_t)item); /* little-endian, as all machines that it runs on */
    uint64_t sign = is_float ? UINT64_C(1) << (8 * item - 1) : 0;
    return (bits & ~sign) != 0;
}

/* k / n of a total, rounded down. */
static ptrdiff_t
part_of(ptrdiff_t total, ptrdiff_t k, ptrdiff_t n)
{
    return total / n * k + total % n * k / n;
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
    for (ptrdiff_t k = 0; k < n; k++) {
        /* Multiples of the golden ratio fall anywhere in a row, whatever its period. */
        uint32_t place = (uint32_t)k * 2654435769u;
        ptrdiff_t row = mlp_data_row(data, part_of(data->n, k, n)),
                  col = 2 * (ptrdiff_t)(place * 0x1p-32 * (double)pairs);
        const char *pair = (const char *)m->data + (row * m->row_stride + col) * m->item;
        found += is_nonzero(&data->x, pair)
                 || (col + 1 < m->cols && is_nonzero(&data->x, pair + m->item));
    }
    return (double)found <= MOST_PAIRS * (double)n;
}

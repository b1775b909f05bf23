#include "network/zeros.h"

enum {
    MOST_SAMPLED = 512,        /* pairs */
    LEAST_SAMPLED = 32,        /* fewer tell nothing */
    PAIRS_OF_ONE_SAMPLED = 16, /* as long as these are between the two */
};

/* Above this fraction of pairs that are not both zero, to multiply all is faster. */
static const double MOST_PAIRS = 0.35;

/* Whether an element of so many bytes has a bit that is set; -0 has one. */
static bool
has_bits(const char *element, int item)
{
    for (int byte = 0; byte < item; byte++) {
        if (element[byte] != 0) {
            return true;
        }
    }
    return false;
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
        found +=
            has_bits(pair, m->item) || (col + 1 < m->cols && has_bits(pair + m->item, m->item));
    }
    return (double)found <= MOST_PAIRS * (double)n;
}

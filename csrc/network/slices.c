#include "network/slices.h"

enum {
    LEAST_COLS = 2 * MLP_PART_COLS, /* of a slice: narrower ones would be too unequal */
    MOST_BYTES = 8 << 20,           /* of the layer's weights */
};

_Static_assert(MLP_PART_COLS % MLP_SQUARE_LANES == 0, "parts have whole sums of squares");

/* Where a part of so many columns begins. */
static ptrdiff_t
part_begin(ptrdiff_t cols, int part)
{
    ptrdiff_t even = cols / MLP_MAX_PARTS * part + cols % MLP_MAX_PARTS * part / MLP_MAX_PARTS;
    ptrdiff_t begin = (even + MLP_PART_COLS / 2) / MLP_PART_COLS * MLP_PART_COLS;
    return part == MLP_MAX_PARTS ? cols : mlp_min(begin, cols);
}

ptrdiff_t
mlp_part_end(ptrdiff_t cols, int part)
{
    return part_begin(cols, part + 1);
}

int
mlp_count_groups(const mlp_layer *first, int n_members)
{
    const mlp_matrix *weights = &first->weights.value;
    ptrdiff_t cols = weights->cols;
    if (weights->rows > MOST_BYTES / weights->item / (cols + 1)) {
        return 1;
    }
    int n_groups = MLP_MAX_PARTS;
    while (n_groups > 1 && (n_members % n_groups != 0 || cols / n_groups < LEAST_COLS)) {
        n_groups /= 2;
    }
    return n_groups;
}

mlp_slice
mlp_make_slice(ptrdiff_t cols, int n_groups, int group)
{
    mlp_slice slice = {.n_parts = MLP_MAX_PARTS / n_groups};
    slice.first_part = group * slice.n_parts;
    slice.begin = part_begin(cols, slice.first_part);
    slice.end = part_begin(cols, slice.first_part + slice.n_parts);
    return slice;
}

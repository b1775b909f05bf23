/* Slices: the members of a team share the hidden units of the first layer.
 *
 * Most of a network's weights are the first layer's, and nothing goes back through it: who
 * multiplies the rows with some of its columns can compute the gradient of these and update them as
 * well, and no other core's cache ever has these weights. So a team is as many groups as there are
 * slices of columns. The members of a larger group share the rows that they take forward and the
 * input units that they update.
 *
 * Slices are made of whole parts, which depend on the number of columns alone. Sums of squares are
 * kept by part, so that they, too, are the same for any team.
 */
#ifndef MLP_SLICES_H
#define MLP_SLICES_H

#include "network/network.h"

/* Columns begin to end of the first layer, which are its parts first_part and so on. */
typedef struct {
    ptrdiff_t begin, end;
    int first_part, n_parts;
} mlp_slice;

/* Groups that a team of so many members makes for training: an odd number of threads is one group,
 * as is any for weights that no cache would hold. */
int mlp_count_groups(const mlp_layer *first, int n_members);

/* The slice of one of so many groups, of so many columns. */
mlp_slice mlp_make_slice(ptrdiff_t cols, int n_groups, int group);

/* The last column of a part, and one. */
ptrdiff_t mlp_part_end(ptrdiff_t cols, int part);

/* The columns of a slice, of all columns of the first layer. */
static inline mlp_matrix
mlp_slice_of(const mlp_matrix *m, const mlp_slice *slice)
{
    return mlp_cols_of(m, slice->begin, slice->end);
}

#endif

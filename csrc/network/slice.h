/* Slices: the members of a team share the hidden units of the first layer.
 *
 * Most of a network's weights are the first layer's, and nothing goes back through it:
 * who multiplies the rows with some of its columns can make their gradient and update
 * them as well, and no other core's cache ever has these weights. So a team is as many
 * groups as there are slices of columns; the members of a larger group share the rows that
 * they take forward and the input units that they update. An odd number of threads is one
 * group, as is any for weights that no cache would hold.
 *
 * Slices are made of whole parts, which depend on the number of columns alone: sums of
 * squares are kept by part, so that they, too, are the same for any team.
 */

enum {
    FN(PARTS) = 4,
    FN(LEAST_SLICE) = 2 * SLICE_COLS, /* columns: narrower ones would be too unequal */
    FN(MOST_SLICED) = 8 << 20,        /* bytes of the layer's weights */
};

_Static_assert(SLICE_COLS % LANES == 0, "a vector lies in one slice");
_Static_assert(SLICE_COLS % SQUARE_LANES == 0, "parts have whole sums of squares");

/* Where a part of so many columns begins. */
static inline ptrdiff_t
FN(part_begin)(ptrdiff_t cols, ptrdiff_t part)
{
    ptrdiff_t at = cols / FN(PARTS) * part + cols % FN(PARTS) * part / FN(PARTS);
    ptrdiff_t begin = (at + SLICE_COLS / 2) / SLICE_COLS * SLICE_COLS;
    return part == FN(PARTS) || begin > cols ? cols : begin;
}

/* A member's place: its group, its place in that, and the group's columns of the first layer. */
typedef struct {
    ptrdiff_t cols; /* of the layer */
    int n_groups, group;
    int size, rank; /* of the group, and in it */
    ptrdiff_t begin, end;
} SLICE;

/* Where the columns of a group begin; for the number of groups, the end. */
static inline ptrdiff_t
FN(group_begin)(const SLICE *slice, int group)
{
    return FN(part_begin)(slice->cols, (ptrdiff_t)group * FN(PARTS) / slice->n_groups);
}

/* The columns of a group, of all columns of the first layer. */
static inline mlp_matrix
FN(group_of)(const mlp_matrix *m, const SLICE *slice, int group)
{
    return FN(cols_of)(m, FN(group_begin)(slice, group), FN(group_begin)(slice, group + 1));
}

/* The slice of one member of a team: of the whole layer, or, to be trained, in as many groups
 * as there can be. */
static SLICE
FN(make_slice)(const mlp_matrix *weights, int n_threads, int rank, bool is_trained)
{
    ptrdiff_t cols = weights->cols;
    bool fits = weights->rows <= FN(MOST_SLICED) / (ptrdiff_t)sizeof(REAL) / (cols + 1);
    int n_groups = is_trained && fits ? FN(PARTS) : 1;
    while (n_groups > 1 && (n_threads % n_groups != 0 || cols / n_groups < FN(LEAST_SLICE))) {
        n_groups /= 2;
    }
    SLICE slice = {
        .cols = cols,
        .n_groups = n_groups,
        .group = rank % n_groups,
        .size = n_threads / n_groups,
        .rank = rank / n_groups,
    };
    slice.begin = FN(group_begin)(&slice, slice.group);
    slice.end = FN(group_begin)(&slice, slice.group + 1);
    return slice;
}

/* The columns of the member's group, of all columns of the first layer. */
static inline mlp_matrix
FN(slice_of)(const mlp_matrix *m, const SLICE *slice)
{
    return FN(cols_of)(m, slice->begin, slice->end);
}

/* The member's share of the input units of layer l. */
static inline void
FN(share_units)(const mlp_worker *worker, const SLICE *slice, ptrdiff_t l, ptrdiff_t units,
                ptrdiff_t *begin, ptrdiff_t *end)
{
    int size = l == 0 ? slice->size : worker->size, rank = l == 0 ? slice->rank : worker->rank;
    mlp_share(size, rank, units, 1, begin, end);
}

/* A list of layers' matrices of which the first is only a slice's, written to `out`. */
static void
FN(slice_first)(const mlp_matrix *list, ptrdiff_t n_layers, const SLICE *slice, mlp_matrix *out)
{
    memcpy(out, list, (size_t)n_layers * sizeof *out);
    out[0] = FN(slice_of)(&out[0], slice);
}

/* What the members of a team train with: the layout of their memory, and the copies of slices
 * that they train. */

/* What one member works with: views of its own of memory that the team shares,
 * and sums of its own. */
typedef struct {
    mlp_network network; /* of the first layer, the member's slice */
    mlp_matrix *moments[MLP_MAX_MOMENTS];
    CHUNK chunk;
    ROWS rows[2];                   /* the group's, of this chunk, and where it has several
                                       members of the next one */
    double *row_losses;             /* of the chunk */
    double **squares;               /* of weights, by layer, part and input unit */
    mlp_matrix *dweights, *dbiases; /* by layer; weights only where they must be kept */
    mlp_matrix *sums;               /* the member's, by layer, otherwise: a block of units */
    double loss;                    /* member 0's: weighted row losses of the batch */
} SPACE;

/* Sums of squares that are kept of an input unit of layer l. */
static inline ptrdiff_t
FN(count_parts)(ptrdiff_t l)
{
    return l == 0 ? FN(PARTS) : 1;
}

/* Pieces that `rows` rows are listed in, as many for each of a group's members. */
static ptrdiff_t
FN(count_pieces)(ptrdiff_t rows, int size)
{
    ptrdiff_t most = size * (ptrdiff_t)FN(PIECE_ROWS);
    return size * (rows / most + (rows % most != 0));
}

/* Chunks whose rows a group has room for: while one member loads the next chunk, others may
 * still use this one. */
static ptrdiff_t
FN(count_sides)(const SLICE *slice)
{
    return slice->size > 1 ? 2 : 1;
}

/* A slice of a matrix of the first layer's: where it lies if it is whole or only read; else
 * a copy, by group, lest members keep taking each other the lines where their slices meet. */
static mlp_matrix
FN(take_copy)(mlp_arena *arena, const mlp_matrix *m, const SLICE *slice, bool is_written)
{
    mlp_matrix copies[FN(PARTS)];
    if (slice->n_groups == 1 || !is_written) {
        return FN(slice_of)(m, slice);
    }
    FN(take_slices)(arena, slice, m->rows, copies);
    return copies[slice->group];
}

/* The member's views of what is trained: the network, and with it, unless that is NULL, an
 * epoch's moments. */
static void
FN(take_views)(mlp_arena *arena, const mlp_network *network, mlp_matrix *const moments[],
               int n_threads, int rank, SPACE *space)
{
    ptrdiff_t n_layers = network->n_layers, n_lists = 2 + 2 * MLP_MAX_MOMENTS;
    const SLICE *slice = &space->chunk.slice;
    mlp_matrix *views = mlp_take(arena, n_threads, n_lists * n_layers, sizeof(mlp_matrix));
    mlp_matrix weights = FN(take_copy)(arena, &network->weights[0], slice, moments != NULL);
    if (arena->base != NULL) {
        views += rank * n_lists * n_layers;
        space->network = *network;
        space->network.weights = views;
        space->network.biases = views + n_layers;
        FN(slice_first)(network->weights, n_layers, slice, views);
        FN(slice_first)(network->biases, n_layers, slice, views + n_layers);
        views[0] = weights;
    }
    for (int m = 0; m < MLP_MAX_MOMENTS && moments != NULL && moments[m] != NULL; m++) {
        mlp_matrix copy = FN(take_copy)(arena, &moments[m][0], slice, true);
        if (arena->base != NULL) {
            views += 2 * n_layers;
            space->moments[m] = views;
            FN(slice_first)(moments[m], n_layers, slice, views);
            FN(slice_first)(moments[m] + n_layers, n_layers, slice, views + n_layers);
            views[0] = copy;
        }
    }
}

/* Copies the member's rows of a slice, where it is one: of MOST_SLICED bytes at most, and so
 * without a poll. */
static void
FN(copy_slice)(const SLICE *slice, const mlp_matrix *whole, const mlp_matrix *own, bool back)
{
    mlp_matrix there = FN(slice_of)(whole, slice);
    ptrdiff_t begin, end;
    mlp_share(slice->size, slice->rank, own->rows, 1, &begin, &end);
    mlp_matrix from = FN(rows_of)(back ? own : &there, begin, end);
    mlp_matrix to = FN(rows_of)(back ? &there : own, begin, end);
    if (own->data != there.data) {
        FN(copy)(&from, &to);
    }
}

/* Copies what an epoch trains of the first layer to its copies, or back. */
static void
FN(copy_slices)(const mlp_train_epoch_args *args, const SPACE *space, bool back)
{
    const SLICE *slice = &space->chunk.slice;
    FN(copy_slice)
    (slice, &args->objective.network.weights[0], &space->network.weights[0], back);
    for (int m = 0; m < MLP_MAX_MOMENTS && args->moments[m] != NULL; m++) {
        FN(copy_slice)(slice, &args->moments[m][0], &space->moments[m][0], back);
    }
}

/* Room for the gradients of layer l, all of them or those of a block of input units by member;
 * and for its squares. */
static void
FN(take_layer)(mlp_arena *arena, const mlp_network *network, ptrdiff_t l, bool is_sparse,
               bool keep_gradients, int n_threads, int rank, SPACE *space)
{
    const mlp_matrix *weights = &network->weights[l];
    ptrdiff_t units = weights->rows + weights->rows % 2; /* for whole pairs */
    mlp_matrix dbiases = FN(take_matrix)(arena, 1, weights->cols), sums = {0};
    mlp_matrix dweights = FN(take_matrix)(arena, keep_gradients ? units : 0, weights->cols);
    double *squares = mlp_take(arena, weights->rows, FN(count_parts)(l), sizeof(double));
    for (int member = 0; member < n_threads; member++) {
        SLICE slice = FN(make_slice)(&network->weights[0], n_threads, member, true);
        ptrdiff_t block = FN(unit_block)(&slice, is_sparse, l);
        ptrdiff_t rows = keep_gradients ? 0 : block < units ? block : units;
        ptrdiff_t cols = l == 0 ? slice.end - slice.begin : weights->cols;
        mlp_matrix own = FN(take_matrix)(arena, rows, cols);
        sums = member == rank ? own : sums;
    }
    if (arena->base != NULL) { /* of the first layer, as the network has it */
        const SLICE *slice = &space->chunk.slice;
        space->dbiases[l] = l == 0 ? FN(slice_of)(&dbiases, slice) : dbiases;
        space->dweights[l] = l == 0 ? FN(slice_of)(&dweights, slice) : dweights;
        space->sums[l] = sums;
        space->squares[l] = squares;
    }
}

static void
FN(take_space)(mlp_arena *arena, const mlp_data *data, const mlp_network *network,
               mlp_matrix *const moments[], ptrdiff_t batch_size, bool keep_gradients,
               int n_threads, int rank, SPACE *space)
{
    ptrdiff_t n_layers = network->n_layers;
    ptrdiff_t rows = batch_size < FN(CHUNK_ROWS) ? batch_size : FN(CHUNK_ROWS);
    bool is_sparse = data->x.is_sparse;
    mlp_matrix firsts[FN(PARTS)] = {0};
    *space = (SPACE){.loss = 0};
    space->chunk = FN(take_chunk)(arena, network, n_threads, rank, true);
    const SLICE *slice = &space->chunk.slice;
    FN(take_views)(arena, network, moments, n_threads, rank, space);
    FN(take_slices)(arena, slice, rows, firsts);
    space->chunk.first = firsts[slice->group];
    FN(take_layers)(arena, network, n_layers, rows, space->chunk.activations);
    FN(take_layers)(arena, network, n_layers, rows, space->chunk.deltas);
    for (int group = 0; group < slice->n_groups; group++) {
        ROWS others[2];
        FN(take_rows)
        (arena, data, rows, FN(count_pieces)(rows, slice->size), FN(count_sides)(slice),
         group == slice->group ? space->rows : others);
    }
    FN(take_forward_packs)(arena, network, rows, is_sparse, &space->chunk);
    FN(take_backward_packs)(arena, network, rows, is_sparse, &space->chunk);
    space->row_losses = mlp_take(arena, rows, 1, sizeof(double));

    mlp_matrix *views = mlp_take(arena, n_threads, 3 * n_layers, sizeof(mlp_matrix));
    double **squares = mlp_take(arena, n_threads, n_layers, sizeof(double *));
    if (arena->base != NULL) {
        space->dweights = views + 3 * n_layers * rank;
        space->dbiases = space->dweights + n_layers;
        space->sums = space->dbiases + n_layers;
        space->squares = squares + rank * n_layers;
    }
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        FN(take_layer)(arena, network, l, is_sparse, keep_gradients, n_threads, rank, space);
    }
}

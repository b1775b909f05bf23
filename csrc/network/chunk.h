/* A chunk: the rows of the data in work, and what the layers make of them. */

enum { FN(CHUNK_ROWS) = 256 };

/* The rows in work: one member's view, of memory that the team may share. */
typedef struct {
    SPAN span;
    ptrdiff_t begin, end; /* of them, those that the member loads and takes forward */
    ptrdiff_t n_pairs;    /* of these */
    mlp_matrix x;         /* their elements, where all are multiplied */
    mlp_matrix gathered;  /* room for x where its rows are scattered or to be converted */
    bool is_sparse;
    SPARSE sparse; /* their pairs otherwise */
} ROWS;

/* One member's view of what the layers make of the rows: its own, of memory that the
 * team shares. */
typedef struct {
    SLICE slice;             /* of the first layer */
    mlp_matrix first;        /* the slice's columns of the first layer's outputs, in memory
                                of its own unless they are all; see forward_first */
    mlp_matrix *activations; /* n_layers, the last one the logits */
    mlp_matrix *deltas;      /* n_layers, the last one the loss's gradient */
    PACKED *weights;         /* n_layers, of the first its slice; no data where they are
                                taken as they lie */
    PACKED *weights_t;       /* transposed, of all layers but the first */
    PACKED *packed_deltas;   /* n_layers, without the first's: these are by group */
    PACKED *packed_slices;   /* n_groups; no data where the rows are sparse */
    mlp_matrix *slices;      /* n_groups, not packed; no data where they are, or are all */
} CHUNK;

/* A matrix of the arena's, its rows padded to an odd number of vectors: of a power
 * of two, they would share a few sets of the cache. */
static mlp_matrix
FN(take_matrix)(mlp_arena *arena, ptrdiff_t rows, ptrdiff_t cols)
{
    ptrdiff_t stride = ((cols + LANES - 1) / LANES | 1) * LANES;
    return (mlp_matrix){mlp_take(arena, rows, stride, sizeof(REAL)), rows, cols, stride, 1, true};
}

/* What each member has of its own. */
static CHUNK
FN(take_chunk)(mlp_arena *arena, const mlp_network *network, int n_threads, int rank,
               bool is_trained)
{
    ptrdiff_t n_layers = network->n_layers;
    CHUNK chunk = {.slice = FN(make_slice)(&network->weights[0], n_threads, rank, is_trained)};
    mlp_matrix *views = mlp_take(arena, n_threads, n_layers * 2 + FN(PARTS), sizeof(mlp_matrix));
    PACKED *packs = mlp_take(arena, n_threads, n_layers * 3 + FN(PARTS), sizeof(PACKED));
    if (arena->base != NULL) {
        chunk.activations = views + rank * (n_layers * 2 + FN(PARTS));
        chunk.deltas = chunk.activations + n_layers;
        chunk.slices = chunk.deltas + n_layers;
        chunk.weights = packs + rank * (n_layers * 3 + FN(PARTS));
        chunk.weights_t = chunk.weights + n_layers;
        chunk.packed_deltas = chunk.weights_t + n_layers;
        chunk.packed_slices = chunk.packed_deltas + n_layers;
    }
    return chunk;
}

/* Room for matrices of so many rows, as wide as the slices, by group; none where one group has
 * the whole. */
static void
FN(take_slices)(mlp_arena *arena, const SLICE *slice, ptrdiff_t rows, mlp_matrix slices[])
{
    for (int group = 0; group < slice->n_groups && slice->n_groups > 1; group++) {
        ptrdiff_t begin = FN(group_begin)(slice, group);
        slices[group] = FN(take_matrix)(arena, rows, FN(group_begin)(slice, group + 1) - begin);
    }
}

/* Room for packed matrices like that, of one group, too. */
static void
FN(take_packed_slices)(mlp_arena *arena, const SLICE *slice, ptrdiff_t inner, PACKED packs[])
{
    for (int group = 0; group < slice->n_groups; group++) {
        ptrdiff_t begin = FN(group_begin)(slice, group);
        packs[group] = FN(take_packed)(arena, inner, FN(group_begin)(slice, group + 1) - begin);
    }
}

/* Room for the packed weights with which `rows` rows go forward, shared by the team. */
static void
FN(take_forward_packs)(mlp_arena *arena, const mlp_network *network, ptrdiff_t rows, bool is_sparse,
                       const CHUNK *chunk)
{
    for (ptrdiff_t l = is_sparse; l < network->n_layers && rows > MLP_FEW_ROWS; l++) {
        const mlp_matrix *w = &network->weights[l];
        PACKED packs[FN(PARTS)], *own = packs;
        if (l == 0) {
            FN(take_packed_slices)(arena, &chunk->slice, w->rows, packs);
            own += chunk->slice.group;
        }
        else {
            *own = FN(take_packed)(arena, w->rows, w->cols);
        }
        if (arena->base != NULL) {
            chunk->weights[l] = *own;
        }
    }
}

/* Room for what `rows` rows leave to the gradients as they go backward: deltas, packed,
 * of the first layer by group, and not packed for sparse rows; and for the weights that they
 * need. */
static void
FN(take_backward_packs)(mlp_arena *arena, const mlp_network *network, ptrdiff_t rows,
                        bool is_sparse, const CHUNK *chunk)
{
    PACKED packs[FN(PARTS)] = {0};
    mlp_matrix slices[FN(PARTS)] = {0};
    if (is_sparse) {
        FN(take_slices)(arena, &chunk->slice, rows, slices);
    }
    else {
        FN(take_packed_slices)(arena, &chunk->slice, rows, packs);
    }
    if (arena->base != NULL) {
        memcpy(chunk->packed_slices, packs, sizeof packs);
        memcpy(chunk->slices, slices, sizeof slices);
    }
    for (ptrdiff_t l = 1; l < network->n_layers; l++) {
        const mlp_matrix *w = &network->weights[l];
        PACKED weights_t = FN(take_packed)(arena, w->cols, w->rows);
        PACKED deltas = FN(take_packed)(arena, rows, w->cols);
        if (arena->base != NULL) {
            chunk->weights_t[l] = weights_t;
            chunk->packed_deltas[l] = deltas;
        }
    }
}

/* Packs the weights of input units begin to end of layer l wherever they are used so. Of the
 * first layer, the network has the member's slice. */
static void
FN(pack_weights)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk, ptrdiff_t l,
                 ptrdiff_t begin, ptrdiff_t end)
{
    mlp_matrix rows = FN(rows_of)(&network->weights[l], begin, end);
    if (chunk->weights[l].data != NULL) {
        FN(pack)(worker, &rows, begin, 0, &chunk->weights[l]);
    }
    if (chunk->weights_t[l].data != NULL) {
        mlp_matrix cols = mlp_transpose(&rows);
        FN(pack)(worker, &cols, 0, begin, &chunk->weights_t[l]);
    }
}

/* Packs all weights, a share each; past the next barrier they are ready. Of the first layer,
 * the network has the member's slice. */
static void
FN(pack_network)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk)
{
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t begin, end;
        FN(share_units)(worker, &chunk->slice, l, network->weights[l].rows, &begin, &end);
        FN(pack_weights)(worker, network, chunk, l, begin, end);
    }
}

/* Leaves the first layer's deltas of some rows, of which `begin` is the first, to all
 * groups. */
static void
FN(put_slices)(mlp_worker *worker, const mlp_matrix *delta, ptrdiff_t begin, const CHUNK *chunk)
{
    const SLICE *slice = &chunk->slice;
    for (int group = 0; group < slice->n_groups; group++) {
        mlp_matrix cols = FN(group_of)(delta, slice, group);
        if (chunk->packed_slices[group].data != NULL) {
            FN(pack)(worker, &cols, begin, 0, &chunk->packed_slices[group]);
        }
        if (chunk->slices[group].data != NULL) {
            mlp_matrix to = FN(rows_of)(&chunk->slices[group], begin, begin + cols.rows);
            FN(activate)(worker, MLP_IDENTITY, &cols, &to);
        }
    }
}

/* Buffers of `rows` rows for the first n of a network's layers, views of them
 * written to `views` unless that is NULL. */
static void
FN(take_layers)(mlp_arena *arena, const mlp_network *network, ptrdiff_t n, ptrdiff_t rows,
                mlp_matrix *views)
{
    for (ptrdiff_t l = 0; l < n; l++) {
        mlp_matrix buffer = FN(take_matrix)(arena, rows, network->weights[l].cols);
        if (views != NULL) {
            views[l] = buffer;
        }
    }
}

/* Room for up to `n` rows of the data, n_sides times over; if they are sparse, to be listed
 * in n_pieces, unless that is 0. */
static void
FN(take_rows)(mlp_arena *arena, const mlp_data *data, ptrdiff_t n, ptrdiff_t n_pieces,
              ptrdiff_t n_sides, ROWS rows[])
{
    rows[0] = (ROWS){.is_sparse = data->x.is_sparse};
    if (data->x.is_sparse) {
        FN(take_sparse)(arena, data, n, &rows[0].sparse);
    }
    for (ptrdiff_t side = 0; side < n_sides; side++) {
        rows[side] = rows[0];
        if (data->x.is_sparse) {
            FN(take_lists)(arena, data, n, n_pieces, &rows[side].sparse);
        }
        else {
            ptrdiff_t room = FN(is_in_place)(data) ? 0 : n;
            rows[side].gathered = FN(take_matrix)(arena, room, data->x.cols);
        }
    }
}

/* Points at n rows of the data from `first` on, to be listed, if they are sparse, in
 * n_pieces of piece_rows. */
static void
FN(set_rows)(const mlp_data *data, ptrdiff_t first, ptrdiff_t n, ptrdiff_t n_pieces,
             ptrdiff_t piece_rows, ROWS *rows)
{
    rows->span = (SPAN){data, first, n};
    rows->sparse.piece_rows = piece_rows;
    rows->sparse.n_pieces = n_pieces;
    if (!rows->is_sparse) {
        rows->x = FN(is_in_place)(data) ? FN(rows_of)(&data->x.dense, first, first + n)
                                        : FN(rows_of)(&rows->gathered, 0, n);
    }
}

/* Loads rows begin to end; where all elements are multiplied, gathers and converts them, unless
 * they follow each other where they lie. */
static void
FN(load_rows)(mlp_worker *worker, ROWS *rows, ptrdiff_t begin, ptrdiff_t end)
{
    enum { N_AHEAD = 4 };
    const mlp_data *data = rows->span.data;
    ptrdiff_t work = 0;
    rows->begin = begin;
    rows->end = end;
    if (rows->is_sparse) {
        rows->n_pairs = FN(load_sparse_rows)(worker, &rows->span, &rows->sparse, begin, end);
        return;
    }
    for (ptrdiff_t i = begin; i < end && !FN(is_in_place)(data); i++) {
        ptrdiff_t row = rows->span.first + i;
        FN(prefetch_row)(data, row + N_AHEAD);
        FN(convert_row)(worker, &data->x, mlp_data_row(data, row), FN(at)(&rows->gathered, i, 0));
        if (FN(poll_work)(worker, &work, data->x.cols)) {
            return;
        }
    }
}

/* Lists the member's rows, which are whole pieces, by column, if they are sparse. Returns whether
 * the team is to stop: then they may not be listed. */
static bool
FN(list_rows)(mlp_worker *worker, const ROWS *rows)
{
    ptrdiff_t step = rows->sparse.piece_rows;
    for (ptrdiff_t i = rows->begin; i < rows->end && rows->is_sparse; i += step) {
        ptrdiff_t end = rows->end - i < step ? rows->end : i + step;
        if (FN(list_piece)(worker, &rows->sparse, i, end)) {
            return true;
        }
    }
    return false;
}

/* Whether the member's rows are worth to be multiplied by columns: where most of these would
 * be empty, to go through them costs more. */
static bool
FN(are_many)(const ROWS *rows)
{
    return rows->n_pairs >= rows->sparse.cols;
}

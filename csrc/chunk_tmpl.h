/* A chunk: the rows of the data in work, and what the layers make of them. */

enum { FN(CHUNK_ROWS) = 256 };

/* One member's view of the rows in work and of what the layers make of them: its own,
 * of memory that the team shares. */
typedef struct {
    SPAN span;           /* the rows */
    mlp_matrix x;        /* their elements, where all are multiplied */
    mlp_matrix gathered; /* room for x where its rows are scattered or to be converted */
    bool is_sparse;
    SPARSE sparse;           /* their elements otherwise */
    mlp_matrix *activations; /* n_layers, the last one the logits */
    mlp_matrix *deltas;      /* n_layers, the last one the loss's gradient */
    PACKED *weights;         /* n_layers; no data where they are taken as they lie */
    PACKED *weights_t;       /* transposed, of all layers but the first */
    PACKED *packed_deltas;   /* n_layers; none of the first where its rows are sparse */
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
static void
FN(take_chunk)(mlp_arena *arena, ptrdiff_t n_layers, int n_threads, int rank, CHUNK *chunk)
{
    mlp_matrix *views = mlp_take(arena, n_threads, n_layers * 2, sizeof(mlp_matrix));
    PACKED *packs = mlp_take(arena, n_threads, n_layers * 3, sizeof(PACKED));
    if (arena->base != NULL) {
        chunk->activations = views + rank * n_layers * 2;
        chunk->deltas = chunk->activations + n_layers;
        chunk->weights = packs + rank * n_layers * 3;
        chunk->weights_t = chunk->weights + n_layers;
        chunk->packed_deltas = chunk->weights_t + n_layers;
    }
}

/* Room for the packed weights with which `rows` rows go forward, shared by the team. */
static void
FN(take_forward_packs)(mlp_arena *arena, const mlp_network *network, ptrdiff_t rows, CHUNK *chunk)
{
    for (ptrdiff_t l = chunk->is_sparse; l < network->n_layers && rows > MLP_FEW_ROWS; l++) {
        const mlp_matrix *w = &network->weights[l];
        PACKED packed = FN(take_packed)(arena, w->rows, w->cols);
        if (arena->base != NULL) {
            chunk->weights[l] = packed;
        }
    }
}

/* Room for what is packed for `rows` rows to go backward. */
static void
FN(take_backward_packs)(mlp_arena *arena, const mlp_network *network, ptrdiff_t rows, CHUNK *chunk)
{
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        const mlp_matrix *w = &network->weights[l];
        PACKED weights_t = {0}, deltas = {0};
        if (l > 0) {
            weights_t = FN(take_packed)(arena, w->cols, w->rows);
        }
        if (l > 0 || !chunk->is_sparse) {
            deltas = FN(take_packed)(arena, rows, w->cols);
        }
        if (arena->base != NULL) {
            chunk->weights_t[l] = weights_t;
            chunk->packed_deltas[l] = deltas;
        }
    }
}

/* Packs the weights of input units begin to end of layer l wherever they are used so. */
static void
FN(pack_weights)(const mlp_network *network, const CHUNK *chunk, ptrdiff_t l, ptrdiff_t begin,
                 ptrdiff_t end)
{
    mlp_matrix rows = FN(rows_of)(&network->weights[l], begin, end);
    if (chunk->weights[l].data != NULL) {
        FN(pack)(&rows, begin, 0, &chunk->weights[l]);
    }
    if (chunk->weights_t[l].data != NULL) {
        mlp_matrix cols = mlp_transpose(&rows);
        FN(pack)(&cols, 0, begin, &chunk->weights_t[l]);
    }
}

/* Packs all weights, a share each; past the next barrier they are ready. */
static void
FN(pack_network)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk)
{
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t begin, end;
        mlp_share(worker, network->weights[l].rows, 1, &begin, &end);
        FN(pack_weights)(network, chunk, l, begin, end);
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

/* Makes rows begin to end of the chunk ready where all their elements are multiplied:
 * gathers and converts them, unless they follow each other where they lie. */
static void
FN(gather_rows)(const mlp_data *data, const CHUNK *chunk, ptrdiff_t first, ptrdiff_t begin,
                ptrdiff_t end)
{
    enum { AHEAD = 4 };
    bool ready = FN(is_in_place)(data) || chunk->is_sparse;
    for (ptrdiff_t i = begin; i < end && !ready; i++) {
        FN(prefetch_row)(data, first + i + AHEAD);
        FN(convert_row)(&data->x, FN(data_row)(data, first + i), FN(at)(&chunk->gathered, i, 0));
    }
}

/* Points the chunk at n rows of the data from `first` on, of which n_pieces pieces of
 * piece_rows are loaded and listed each by itself. */
static void
FN(set_chunk)(const mlp_data *data, CHUNK *chunk, ptrdiff_t first, ptrdiff_t n,
              ptrdiff_t piece_rows)
{
    chunk->span = (SPAN){data, first, n};
    chunk->sparse.piece_rows = piece_rows;
    chunk->sparse.n_pieces = (n + piece_rows - 1) / piece_rows;
    if (!chunk->is_sparse) {
        chunk->x = FN(is_in_place)(data) ? FN(rows_of)(&data->x.dense, first, first + n)
                                         : FN(rows_of)(&chunk->gathered, 0, n);
    }
}

/* Room for `rows` rows of the data; if they are sparse, to be listed in n_pieces. */
static void
FN(take_rows)(mlp_arena *arena, const mlp_data *data, ptrdiff_t rows, ptrdiff_t n_pieces,
              CHUNK *chunk)
{
    chunk->is_sparse = data->x.is_sparse;
    if (chunk->is_sparse) {
        FN(take_sparse)(arena, &data->x, rows, n_pieces, &chunk->sparse);
    }
    else {
        chunk->gathered = FN(take_matrix)(arena, FN(is_in_place)(data) ? 0 : rows, data->x.cols);
    }
}

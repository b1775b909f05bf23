/* The passes through a network's layers, and the kernels forward and backward.
 *
 * Rows go through backward a chunk at a time: deltas are kept for one chunk
 * only, and the gradients go on as sums from chunk to chunk.
 */

enum { FN(CHUNK_ROWS) = FN(BLOCK_INNER) };

/* One member's view of the rows in work and of what the layers make of them:
 * its own, of memory that the team shares; and a block of its own for packing. */
typedef struct {
    ROWS sparse;             /* the rows, where sparse.input is not NULL */
    mlp_matrix x;            /* the rows otherwise */
    mlp_matrix *activations; /* n_layers, the last one the logits */
    mlp_matrix *deltas;      /* n_layers, the last one the loss's gradient */
    REAL *pack;
} CHUNK;

/* Points a chunk at n rows of x from `first` on, in an order if there is one;
 * scattered dense rows are for the caller to gather. */
static void
FN(set_rows)(CHUNK *chunk, const mlp_input *x, const int64_t *order, ptrdiff_t first, ptrdiff_t n)
{
    if (x->values != NULL) {
        chunk->sparse = (ROWS){x, order, first};
    }
    else if (order == NULL) {
        chunk->x = FN(rows_of)(&x->dense, first, first + n);
    }
}

/* activations[l] = f(activations[l - 1] weights[l] + biases[l]), f left out of
 * the last layer, for the rows begin to end. */
static void
FN(forward_rows)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk,
                 ptrdiff_t begin, ptrdiff_t end)
{
    mlp_matrix input = {0};
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        const mlp_matrix *weights = &network->weights[l], *bias = &network->biases[l];
        mlp_matrix output = FN(rows_of)(&chunk->activations[l], begin, end);
        if (l == 0 && chunk->sparse.input != NULL) {
            FN(sparse_forward)(worker, &chunk->sparse, weights, bias, &output, begin);
        }
        else {
            if (l == 0) {
                input = FN(rows_of)(&chunk->x, begin, end);
            }
            FN(gemm)(worker, &input, weights, &output, (GEMM_START){.bias = bias}, chunk->pack);
        }
        if (l < network->n_layers - 1) {
            FN(activate)(network->activation, &output);
        }
        input = output;
    }
}

/* deltas[l] = (deltas[l + 1] weights[l + 1]^T) * f'(z[l]) from the last layer,
 * whose deltas are given, down to the first, for the rows begin to end. */
static void
FN(backward_rows)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk,
                  ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t l = network->n_layers - 2; l >= 0; l--) {
        mlp_matrix above = FN(rows_of)(&chunk->deltas[l + 1], begin, end);
        mlp_matrix delta = FN(rows_of)(&chunk->deltas[l], begin, end);
        mlp_matrix activation = FN(rows_of)(&chunk->activations[l], begin, end);
        mlp_matrix weights_t = mlp_transpose(&network->weights[l + 1]);
        FN(gemm)(worker, &above, &weights_t, &delta, (GEMM_START){.bias = NULL}, chunk->pack);
        FN(activate_backward)(network->activation, &activation, &delta);
    }
}

/* out = the sum of the rows of m, in order, going on from out if `accumulate`. */
static void
FN(sum_rows)(const mlp_matrix *m, bool accumulate, const mlp_matrix *out)
{
    for (ptrdiff_t j = 0; j < m->cols; j += LANES) {
        REAL *p = FN(at)(out, 0, j);
        VEC sum = {0};
        if (accumulate) {
            sum = FN(load)(p, out->col_stride, m->cols - j);
        }
        for (ptrdiff_t i = 0; i < m->rows; i++) {
            sum += FN(load)(FN(at)(m, i, j), m->col_stride, m->cols - j);
        }
        FN(store)(p, out->col_stride, m->cols - j, sum);
    }
}

/* dweights[l] = activations[l - 1]^T deltas[l] and dbiases[l] = column sums of
 * deltas[l], or those added; each member its input units, member 0 the biases. */
static void
FN(gradients)(mlp_worker *worker, ptrdiff_t n_layers, const CHUNK *chunk, bool accumulate,
              const mlp_matrix *dweights, const mlp_matrix *dbiases)
{
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        ptrdiff_t begin, end;
        mlp_share(worker, dweights[l].rows, TILE_ROWS, &begin, &end);
        if (worker->rank == 0) {
            FN(sum_rows)(&chunk->deltas[l], accumulate, &dbiases[l]);
        }
        if (l == 0 && chunk->sparse.input != NULL) {
            FN(sparse_gradient)
            (worker, &chunk->sparse, &chunk->deltas[0], accumulate, &dweights[0], begin, end);
            continue;
        }
        mlp_matrix inputs_t = mlp_transpose(l == 0 ? &chunk->x : &chunk->activations[l - 1]);
        inputs_t = FN(rows_of)(&inputs_t, begin, end);
        mlp_matrix share = FN(rows_of)(&dweights[l], begin, end);
        GEMM_START start = {.accumulate = accumulate};
        FN(gemm)(worker, &inputs_t, &chunk->deltas[l], &share, start, chunk->pack);
    }
}

/* A contiguous matrix of the arena's. */
static mlp_matrix
FN(take_matrix)(mlp_arena *arena, ptrdiff_t rows, ptrdiff_t cols)
{
    return (mlp_matrix){mlp_take(arena, rows, cols, sizeof(REAL)), rows, cols, cols, 1};
}

/* What each member has of its own. */
static void
FN(take_chunk)(mlp_arena *arena, ptrdiff_t n_layers, int n_threads, int rank, CHUNK *chunk)
{
    enum { PACK = PACK_BYTES / sizeof(REAL) };
    REAL *packs = mlp_take(arena, n_threads, PACK, sizeof(REAL));
    mlp_matrix *views = mlp_take(arena, n_threads, n_layers * 2, sizeof(mlp_matrix));
    if (arena->base != NULL) {
        chunk->pack = packs + rank * PACK;
        chunk->activations = views + rank * n_layers * 2;
        chunk->deltas = chunk->activations + n_layers;
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

static size_t
FN(forward_workspace)(const void *arguments, int n_threads)
{
    const mlp_forward_args *args = arguments;
    mlp_arena arena = {NULL, 0};
    CHUNK chunk = {0};
    FN(take_chunk)(&arena, args->network.n_layers, n_threads, 0, &chunk);
    return arena.used;
}

static void
FN(forward)(mlp_worker *worker, void *arguments)
{
    mlp_forward_args *args = arguments;
    mlp_arena arena = {args->workspace, 0};
    CHUNK chunk = {0};
    FN(take_chunk)(&arena, args->network.n_layers, worker->size, worker->rank, &chunk);
    chunk.x = args->x;
    chunk.activations = args->activations;
    ptrdiff_t begin, end;
    mlp_share(worker, args->x.rows, TILE_ROWS, &begin, &end);
    FN(forward_rows)(worker, &args->network, &chunk, begin, end);
}

static CHUNK
FN(take_backward)(mlp_arena *arena, const mlp_backward_args *args, int n_threads, int rank)
{
    CHUNK chunk = {0};
    FN(take_chunk)(arena, args->network.n_layers, n_threads, rank, &chunk);
    FN(take_layers)
    (arena, &args->network, args->network.n_layers - 1, FN(CHUNK_ROWS), chunk.deltas);
    return chunk;
}

static size_t
FN(backward_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    FN(take_backward)(&arena, arguments, n_threads, 0);
    return arena.used;
}

static void
FN(backward)(mlp_worker *worker, void *arguments)
{
    mlp_backward_args *args = arguments;
    mlp_arena arena = {args->workspace, 0};
    CHUNK chunk = FN(take_backward)(&arena, args, worker->size, worker->rank);
    ptrdiff_t n_layers = args->network.n_layers, n = args->x.rows;
    ptrdiff_t first = 0;
    do { /* once even where there are no rows: the gradients are then zero */
        ptrdiff_t last = n - first < FN(CHUNK_ROWS) ? n : first + FN(CHUNK_ROWS);
        chunk.x = FN(rows_of)(&args->x, first, last);
        for (ptrdiff_t l = 0; l < n_layers - 1; l++) {
            chunk.activations[l] = FN(rows_of)(&args->activations[l], first, last);
            chunk.deltas[l].rows = last - first;
        }
        chunk.deltas[n_layers - 1] = FN(rows_of)(&args->dlogits, first, last);
        ptrdiff_t begin, end;
        mlp_share(worker, last - first, TILE_ROWS, &begin, &end);
        FN(backward_rows)(worker, &args->network, &chunk, begin, end);
        if (mlp_barrier(worker)) {
            return;
        }
        FN(gradients)(worker, n_layers, &chunk, first > 0, args->dweights, args->dbiases);
        if (mlp_barrier(worker)) {
            return;
        }
        first = last;
    } while (first < n);
}

/* Rows that one member of predict takes through the layers at a time. */
enum { FN(PREDICT_ROWS) = FN(BLOCK_ROWS) };

static CHUNK
FN(take_predict)(mlp_arena *arena, const mlp_predict_args *args, int n_threads, int rank)
{
    CHUNK chunk = {0};
    ptrdiff_t n_layers = args->network.n_layers;
    FN(take_chunk)(arena, n_layers, n_threads, rank, &chunk);
    for (int member = 0; member < n_threads; member++) {
        FN(take_layers)
        (arena, &args->network, n_layers - 1, FN(PREDICT_ROWS),
         member == rank ? chunk.activations : NULL);
    }
    return chunk;
}

static size_t
FN(predict_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    FN(take_predict)(&arena, arguments, n_threads, 0);
    return arena.used;
}

static void
FN(predict)(mlp_worker *worker, void *arguments)
{
    mlp_predict_args *args = arguments;
    mlp_arena arena = {args->workspace, 0};
    CHUNK chunk = FN(take_predict)(&arena, args, worker->size, worker->rank);
    mlp_matrix *logits = &chunk.activations[args->network.n_layers - 1];
    ptrdiff_t begin, end;
    mlp_share(worker, args->x.rows, TILE_ROWS, &begin, &end);
    for (ptrdiff_t first = begin; first < end && !mlp_poll(worker); first += FN(PREDICT_ROWS)) {
        ptrdiff_t n = end - first < FN(PREDICT_ROWS) ? end - first : FN(PREDICT_ROWS);
        FN(set_rows)(&chunk, &args->x, NULL, first, n);
        *logits = FN(rows_of)(&args->out, first, first + n);
        FN(forward_rows)(worker, &args->network, &chunk, 0, n);
        for (ptrdiff_t i = 0; i < n; i++) {
            FN(output_row)(args->loss, FN(at)(logits, i, 0), logits->col_stride, logits->cols);
        }
    }
}

/* The passes through a network's layers, and the kernels forward and backward.
 *
 * Rows go through backward a chunk at a time: deltas are kept for one chunk
 * only, and the gradients go on as sums from chunk to chunk.
 */

/* activations[l] = f(activations[l - 1] weights[l] + biases[l]), f left out of
 * the last layer, for the rows begin to end. Returns whether the team is to stop: then
 * not all of it is done. */
static bool
FN(forward_rows)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk,
                 ptrdiff_t begin, ptrdiff_t end)
{
    mlp_matrix input = {0};
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        const mlp_matrix *weights = &network->weights[l], *bias = &network->biases[l];
        mlp_matrix output = FN(rows_of)(&chunk->activations[l], begin, end);
        if (l == 0 && chunk->is_sparse) {
            if (FN(sparse_forward)(worker, &chunk->sparse, weights, bias, &output, begin)) {
                return true;
            }
        }
        else {
            if (l == 0) {
                input = FN(rows_of)(&chunk->x, begin, end);
            }
            FN(gemm)(worker, &input, weights, &output, (GEMM_START){.bias = bias}, chunk->pack);
        }
        for (ptrdiff_t i = 0; i < output.rows && l < network->n_layers - 1; i += FN(CHUNK_ROWS)) {
            ptrdiff_t left = output.rows - i;
            ptrdiff_t last = left < FN(CHUNK_ROWS) ? output.rows : i + FN(CHUNK_ROWS);
            mlp_matrix some = FN(rows_of)(&output, i, last);
            if (mlp_poll(worker)) {
                return true;
            }
            FN(activate)(network->activation, &some);
        }
        input = output;
    }
    return mlp_poll(worker);
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

/* Input units of layer l in one piece of work on its gradient. */
static ptrdiff_t
FN(unit_block)(const mlp_network *network, const CHUNK *chunk, ptrdiff_t l)
{
    if (l > 0 || !chunk->is_sparse) {
        return FN(BLOCK_ROWS) / 2;
    }
    return FN(SUMS_BYTES) / ((ptrdiff_t)sizeof(REAL) * (network->weights[l].cols + 1)) + 1;
}

/* The gradient of the weights of input units begin to end of layer l, which sums
 * has the rows of: activations[l - 1]^T deltas[l], or that added. */
static void
FN(gradient_block)(mlp_worker *worker, const CHUNK *chunk, ptrdiff_t l, ptrdiff_t begin,
                   ptrdiff_t end, bool accumulate, const mlp_matrix *sums)
{
    if (l == 0 && chunk->is_sparse) {
        FN(sparse_gradient)(&chunk->sparse, begin, end, &chunk->deltas[0], accumulate, sums);
        return;
    }
    mlp_matrix inputs_t = mlp_transpose(l == 0 ? &chunk->x : &chunk->activations[l - 1]);
    inputs_t = FN(rows_of)(&inputs_t, begin, end);
    GEMM_START start = {.accumulate = accumulate};
    FN(gemm)(worker, &inputs_t, &chunk->deltas[l], sums, start, chunk->pack);
}

/* A piece of the work on the gradients of a chunk: some input units of a layer's
 * weights, or all of its biases. */
typedef struct {
    ptrdiff_t layer, begin, end;
    bool is_bias;
} PIECE;

/* Claims the next piece; false when there is none left. */
static bool
FN(claim_piece)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk, PIECE *piece)
{
    ptrdiff_t number = mlp_claim(worker);
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t units = network->weights[l].rows, block = FN(unit_block)(network, chunk, l);
        ptrdiff_t n_blocks = units / block + (units % block != 0);
        if (number < n_blocks) {
            ptrdiff_t begin = number * block;
            *piece = (PIECE){l, begin, units - begin < block ? units : begin + block, false};
            return true;
        }
        number -= n_blocks;
    }
    *piece = (PIECE){number, 0, 1, true};
    return number < network->n_layers;
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
        PIECE piece;
        while (FN(claim_piece)(worker, &args->network, &chunk, &piece)) {
            ptrdiff_t l = piece.layer;
            if (piece.is_bias) {
                FN(sum_rows)(&chunk.deltas[l], first > 0, &args->dbiases[l]);
                continue;
            }
            mlp_matrix sums = FN(rows_of)(&args->dweights[l], piece.begin, piece.end);
            FN(gradient_block)(worker, &chunk, l, piece.begin, piece.end, first > 0, &sums);
        }
        if (mlp_barrier(worker)) {
            return;
        }
        first = last;
    } while (first < n);
}

/* Rows that one member of predict takes through the layers at a time. */
enum { FN(PREDICT_ROWS) = FN(BLOCK_ROWS) };

static void
FN(take_predict)(mlp_arena *arena, const mlp_predict_args *args, int n_threads, int rank,
                 CHUNK *chunk)
{
    ptrdiff_t n_layers = args->network.n_layers;
    *chunk = (CHUNK){0};
    FN(take_chunk)(arena, n_layers, n_threads, rank, chunk);
    for (int member = 0; member < n_threads; member++) {
        CHUNK other = {.activations = NULL};
        CHUNK *own = member == rank ? chunk : &other;
        FN(take_layers)(arena, &args->network, n_layers - 1, FN(PREDICT_ROWS), own->activations);
        FN(take_rows)(arena, &args->data, FN(PREDICT_ROWS), 0, own);
    }
}

static size_t
FN(predict_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    CHUNK chunk;
    FN(take_predict)(&arena, arguments, n_threads, 0, &chunk);
    return arena.used;
}

static void
FN(predict)(mlp_worker *worker, void *arguments)
{
    mlp_predict_args *args = arguments;
    mlp_arena arena = {args->workspace, 0};
    CHUNK chunk;
    FN(take_predict)(&arena, args, worker->size, worker->rank, &chunk);
    mlp_matrix *logits = &chunk.activations[args->network.n_layers - 1];
    for (ptrdiff_t first; (first = mlp_claim(worker) * FN(PREDICT_ROWS)) < args->data.n;) {
        if (mlp_poll(worker)) {
            return;
        }
        ptrdiff_t left = args->data.n - first;
        ptrdiff_t n = left < FN(PREDICT_ROWS) ? left : FN(PREDICT_ROWS);
        FN(set_chunk)(&args->data, &chunk, first, n, n);
        FN(gather_rows)(&args->data, &chunk, first, 0, n);
        *logits = FN(rows_of)(&args->out, first, first + n);
        FN(forward_rows)(worker, &args->network, &chunk, 0, n);
        for (ptrdiff_t i = 0; i < n; i++) {
            FN(output_row)(args->loss, FN(at)(logits, i, 0), logits->col_stride, logits->cols);
        }
    }
}

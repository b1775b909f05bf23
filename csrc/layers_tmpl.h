/* The passes through a network's layers, and the kernels forward, backward, predict.
 *
 * Rows go through backward a chunk at a time: deltas are kept for one chunk
 * only, and the gradients go on as sums from chunk to chunk.
 */

/* output = input weights[l] + biases[l] for the rows from `begin` on. Returns whether the
 * team is to stop: then not all of it is done. */
static bool
FN(forward_layer)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk, ptrdiff_t l,
                  ptrdiff_t begin, const mlp_matrix *input, const mlp_matrix *output)
{
    const mlp_matrix *weights = &network->weights[l], *bias = &network->biases[l];
    if (l == 0 && chunk->is_sparse) {
        return FN(sparse_forward)(worker, &chunk->sparse, &chunk->span, weights, bias, output,
                                  begin);
    }
    if (chunk->weights[l].data != NULL) {
        return FN(gemm)(worker, input, &chunk->weights[l], output, (GEMM_START){.bias = bias});
    }
    ptrdiff_t work = 0;
    for (ptrdiff_t i = 0; i < output->rows; i++) {
        ROW row = {FN(at)(input, i, 0), input->col_stride, NULL, input->cols};
        FN(multiply_row)(row, weights, bias, FN(at)(output, i, 0), output->col_stride);
        if (FN(poll_work)(worker, &work, row.count * output->cols)) {
            return true;
        }
    }
    return false;
}

/* activations[l] = f(activations[l - 1] weights[l] + biases[l]), f left out of
 * the last layer, for the rows begin to end. Returns whether the team is to stop. */
static bool
FN(forward_rows)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk,
                 ptrdiff_t begin, ptrdiff_t end)
{
    mlp_matrix input = chunk->is_sparse ? chunk->x : FN(rows_of)(&chunk->x, begin, end);
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        mlp_matrix output = FN(rows_of)(&chunk->activations[l], begin, end);
        if (FN(forward_layer)(worker, network, chunk, l, begin, &input, &output)) {
            return true;
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
    return false;
}

/* deltas[l] = (deltas[l + 1] weights[l + 1]^T) * f'(z[l]) from the last layer,
 * whose deltas are given, down to the first, for the rows begin to end; packs them. */
static void
FN(backward_rows)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk,
                  ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t l = network->n_layers - 1; l >= 0; l--) {
        mlp_matrix delta = FN(rows_of)(&chunk->deltas[l], begin, end);
        if (l < network->n_layers - 1) {
            mlp_matrix above = FN(rows_of)(&chunk->deltas[l + 1], begin, end);
            mlp_matrix activation = FN(rows_of)(&chunk->activations[l], begin, end);
            GEMM_START zero = {.bias = NULL};
            FN(gemm)(worker, &above, &chunk->weights_t[l + 1], &delta, zero);
            FN(activate_backward)(network->activation, &activation, &delta);
        }
        if (chunk->packed_deltas[l].data != NULL) {
            FN(pack)(&delta, begin, 0, &chunk->packed_deltas[l]);
        }
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
        return FN(BLOCK_UNITS);
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
    FN(gemm)(worker, &inputs_t, &chunk->packed_deltas[l], sums, start);
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

static CHUNK
FN(take_forward)(mlp_arena *arena, const mlp_forward_args *args, int n_threads, int rank)
{
    CHUNK chunk = {.x = args->x};
    FN(take_chunk)(arena, args->network.n_layers, n_threads, rank, &chunk);
    FN(take_forward_packs)(arena, &args->network, args->x.rows, &chunk);
    chunk.activations = args->activations;
    return chunk;
}

static size_t
FN(forward_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    FN(take_forward)(&arena, arguments, n_threads, 0);
    return arena.used;
}

static void
FN(forward)(mlp_worker *worker, void *arguments)
{
    mlp_forward_args *args = arguments;
    mlp_arena arena = {args->workspace, 0};
    CHUNK chunk = FN(take_forward)(&arena, args, worker->size, worker->rank);
    FN(pack_network)(worker, &args->network, &chunk);
    if (mlp_barrier(worker)) {
        return;
    }
    ptrdiff_t begin, end;
    mlp_share(worker, args->x.rows, TILE_ROWS, &begin, &end);
    FN(forward_rows)(worker, &args->network, &chunk, begin, end);
}

static CHUNK
FN(take_backward)(mlp_arena *arena, const mlp_backward_args *args, int n_threads, int rank)
{
    CHUNK chunk = {0};
    ptrdiff_t rows = args->x.rows < FN(CHUNK_ROWS) ? args->x.rows : FN(CHUNK_ROWS);
    FN(take_chunk)(arena, args->network.n_layers, n_threads, rank, &chunk);
    FN(take_layers)
    (arena, &args->network, args->network.n_layers - 1, rows, chunk.deltas);
    FN(take_backward_packs)(arena, &args->network, rows, &chunk);
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
    FN(pack_network)(worker, &args->network, &chunk);
    if (mlp_barrier(worker)) {
        return;
    }
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
    ptrdiff_t rows = args->data.n < FN(PREDICT_ROWS) ? args->data.n : FN(PREDICT_ROWS);
    *chunk = (CHUNK){0};
    FN(take_chunk)(arena, n_layers, n_threads, rank, chunk);
    for (int member = 0; member < n_threads; member++) {
        CHUNK other = {.activations = NULL};
        CHUNK *own = member == rank ? chunk : &other;
        FN(take_layers)(arena, &args->network, n_layers - 1, rows, own->activations);
        FN(take_rows)(arena, &args->data, rows, 0, own);
    }
    FN(take_forward_packs)(arena, &args->network, args->data.n, chunk);
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
    FN(pack_network)(worker, &args->network, &chunk);
    if (mlp_barrier(worker)) {
        return;
    }
    mlp_matrix *logits = &chunk.activations[args->network.n_layers - 1];
    for (ptrdiff_t first; (first = mlp_claim(worker) * FN(PREDICT_ROWS)) < args->data.n;) {
        if (mlp_poll(worker)
            || atomic_load_explicit(&args->found_non_finite, memory_order_relaxed)) {
            return;
        }
        ptrdiff_t left = args->data.n - first;
        ptrdiff_t n = left < FN(PREDICT_ROWS) ? left : FN(PREDICT_ROWS);
        FN(set_chunk)(&args->data, &chunk, first, n, n);
        if (args->check_finite && !FN(are_finite)(&chunk.span)) {
            atomic_store_explicit(&args->found_non_finite, true, memory_order_relaxed);
            return;
        }
        FN(gather_rows)(&args->data, &chunk, first, 0, n);
        *logits = FN(rows_of)(&args->out, first, first + n);
        FN(forward_rows)(worker, &args->network, &chunk, 0, n);
        for (ptrdiff_t i = 0; i < n; i++) {
            FN(output_row)(args->loss, FN(at)(logits, i, 0), logits->col_stride, logits->cols);
        }
    }
}

/* The passes through a network's layers, and the kernels forward and backward.
 *
 * Rows go through backward a chunk at a time: deltas are kept for one chunk
 * only, and the gradients go on as sums from chunk to chunk.
 */

/* out = x weights + bias for the member's rows, which are sparse, and out's. Returns whether
 * the team is to stop: then not all of it is done. */
static bool
FN(forward_pairs)(mlp_worker *worker, const ROWS *rows, const mlp_matrix *weights,
                  const mlp_matrix *bias, const mlp_matrix *out)
{
    const SPARSE *sparse = &rows->sparse;
    ptrdiff_t begin = rows->begin, n = rows->end - begin, work = 0;
    if (sparse->n_pieces > 0 && FN(are_many)(rows)) {
        ptrdiff_t first = begin / sparse->piece_rows;
        ptrdiff_t last = first + (n + sparse->piece_rows - 1) / sparse->piece_rows;
        ptrdiff_t next = rows->span.first + rows->span.n;
        AHEAD ahead = {
            .data = rows->span.data, .next = next + begin, .end = next + rows->end, .rows = n};
        return FN(sparse_forward)(worker, sparse, first, last, weights, bias, out, &ahead);
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        ROW row = {.pairs = sparse->pairs[begin + i],
                   .columns = sparse->columns[begin + i],
                   .count = sparse->counts[begin + i]};
        mlp_matrix sums = FN(rows_of)(out, i, i + 1);
        if (FN(multiply_row)(worker, row, weights, bias, &sums, &work)) {
            return true;
        }
    }
    return false;
}

/* out = input weights[l] + biases[l]. Returns whether the team is to stop: then not all of it
 * is done. */
static bool
FN(forward_linear)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk, ptrdiff_t l,
                   const mlp_matrix *input, const mlp_matrix *out)
{
    const mlp_matrix *weights = &network->weights[l], *bias = &network->biases[l];
    if (chunk->weights[l].data != NULL) {
        return FN(gemm)(worker, input, &chunk->weights[l], out, (GEMM_START){.bias = bias});
    }
    ptrdiff_t work = 0;
    for (ptrdiff_t i = 0; i < out->rows; i++) {
        ROW row = {
            .elements = FN(at)(input, i, 0), .stride = input->col_stride, .count = input->cols};
        mlp_matrix sums = FN(rows_of)(out, i, i + 1);
        if (FN(multiply_row)(worker, row, weights, bias, &sums, &work)) {
            return true;
        }
    }
    return false;
}

/* to = f(from), of one shape, f the identity for the last layer. Returns whether the team is
 * to stop. */
static bool
FN(forward_activation)(mlp_worker *worker, const mlp_network *network, ptrdiff_t l,
                       const mlp_matrix *from, const mlp_matrix *to)
{
    mlp_activation activation = l < network->n_layers - 1 ? network->activation : MLP_IDENTITY;
    if (from->data != to->data || activation != MLP_IDENTITY) {
        FN(activate)(worker, activation, from, to);
    }
    return mlp_poll(worker);
}

/* activations[0] = f(x weights[0] + biases[0]) for the member's rows and the columns of its
 * slice, which are all that the network has of the first layer. Sums are made in
 * chunk->first, lest members keep taking each other the lines, and neighbours of lines, where
 * their slices meet. Returns whether the team is to stop. */
static bool
FN(forward_first)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk,
                  const ROWS *rows)
{
    ptrdiff_t begin = rows->begin, end = rows->end;
    mlp_matrix output = FN(rows_of)(&chunk->activations[0], begin, end);
    output = FN(slice_of)(&output, &chunk->slice);
    mlp_matrix sums = chunk->first.data == NULL ? output : FN(rows_of)(&chunk->first, begin, end);
    bool stop;
    if (rows->is_sparse) {
        stop = FN(forward_pairs)(worker, rows, &network->weights[0], &network->biases[0], &sums);
    }
    else {
        mlp_matrix input = FN(rows_of)(&rows->x, begin, end);
        stop = FN(forward_linear)(worker, network, chunk, 0, &input, &sums);
    }
    return stop || FN(forward_activation)(worker, network, 0, &sums, &output);
}

/* activations[l] = f(activations[l - 1] weights[l] + biases[l]), f left out of the
 * network's last layer, for all layers but the first and the rows begin to end. Returns
 * whether the team is to stop. */
static bool
FN(forward_others)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk,
                   ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t l = 1; l < network->n_layers; l++) {
        mlp_matrix input = FN(rows_of)(&chunk->activations[l - 1], begin, end);
        mlp_matrix output = FN(rows_of)(&chunk->activations[l], begin, end);
        if (FN(forward_linear)(worker, network, chunk, l, &input, &output)
            || FN(forward_activation)(worker, network, l, &output, &output)) {
            return true;
        }
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
            FN(activate_backward)(worker, network->activation, &activation, &delta);
        }
        if (l > 0) {
            FN(pack)(worker, &delta, begin, 0, &chunk->packed_deltas[l]);
        }
        else {
            FN(put_slices)(worker, &delta, begin, chunk);
        }
    }
}

/* out = the sum of the rows of m, in order, going on from out if `accumulate`. */
static void
FN(sum_rows)(mlp_worker *worker, const mlp_matrix *m, bool accumulate, const mlp_matrix *out)
{
    ptrdiff_t work = 0;
    for (ptrdiff_t j = 0; j < m->cols && !FN(poll_work)(worker, &work, m->rows * LANES);
         j += LANES) {
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
FN(unit_block)(const SLICE *slice, bool is_sparse, ptrdiff_t l)
{
    if (l > 0 || !is_sparse) {
        return FN(BLOCK_UNITS);
    }
    ptrdiff_t bytes = (slice->end - slice->begin + 1) * (ptrdiff_t)sizeof(REAL);
    return 2 * (FN(SUMS_BYTES) / 2 / bytes + 1); /* whole pairs */
}

/* A piece of the work on the gradients of a chunk: some input units of a layer's weights,
 * of the first layer those of a slice; or the layer's biases. */
typedef struct {
    ptrdiff_t layer, begin, end;
    bool is_bias;
    ptrdiff_t done; /* input units of the slice that the member has had, or ALL_DONE */
} PIECE;

enum { FN(ALL_DONE) = -1 };

/* The next piece: first the member's share of its slice, then what is not claimed of the
 * other layers; false when there is none left. Begins with {0}. */
static bool
FN(next_piece)(mlp_worker *worker, const mlp_network *network, const CHUNK *chunk, const ROWS *rows,
               PIECE *piece)
{
    const SLICE *slice = &chunk->slice;
    ptrdiff_t begin, end, block = FN(unit_block)(slice, rows->is_sparse, 0);
    if (piece->done != FN(ALL_DONE)) {
        mlp_share(slice->size, slice->rank, network->weights[0].rows, block, &begin, &end);
        begin += piece->done;
        if (begin < end) {
            end = end - begin < block ? end : begin + block;
            *piece = (PIECE){0, begin, end, false, piece->done + end - begin};
            return true;
        }
        *piece = (PIECE){0, 0, 1, true, FN(ALL_DONE)};
        if (slice->rank == 0) {
            return true;
        }
    }
    ptrdiff_t number = mlp_claim(worker);
    for (ptrdiff_t l = 1; l < network->n_layers; l++) {
        ptrdiff_t units = network->weights[l].rows;
        block = FN(unit_block)(slice, false, l);
        ptrdiff_t n_blocks = units / block + (units % block != 0);
        if (number < n_blocks) {
            begin = number * block;
            end = units - begin < block ? units : begin + block;
            *piece = (PIECE){l, begin, end, false, FN(ALL_DONE)};
            return true;
        }
        number -= n_blocks;
    }
    *piece = (PIECE){number + 1, 0, 1, true, FN(ALL_DONE)};
    return number + 1 < network->n_layers;
}

/* The gradient of a piece, which sums has the rows and columns of: activations[l - 1]^T
 * deltas[l], or the sums of the deltas, or that added. */
static void
FN(gradient)(mlp_worker *worker, const CHUNK *chunk, const ROWS *rows, const PIECE *piece,
             bool accumulate, const mlp_matrix *sums)
{
    ptrdiff_t l = piece->layer;
    mlp_matrix deltas = chunk->deltas[l];
    if (l == 0) {
        const mlp_matrix *own = &chunk->slices[chunk->slice.group];
        deltas = own->data == NULL ? FN(slice_of)(&deltas, &chunk->slice)
                                   : FN(rows_of)(own, 0, deltas.rows);
    }
    if (piece->is_bias) {
        FN(sum_rows)(worker, &deltas, accumulate, sums);
        return;
    }
    if (l == 0 && rows->is_sparse) {
        FN(sparse_gradient)
        (worker, &rows->sparse, piece->begin, piece->end, &deltas, accumulate, sums);
        return;
    }
    mlp_matrix inputs_t = mlp_transpose(l == 0 ? &rows->x : &chunk->activations[l - 1]);
    inputs_t = FN(rows_of)(&inputs_t, piece->begin, piece->end);
    const PACKED *packed =
        l == 0 ? &chunk->packed_slices[chunk->slice.group] : &chunk->packed_deltas[l];
    FN(gemm)(worker, &inputs_t, packed, sums, (GEMM_START){.accumulate = accumulate});
}

/* ---- the kernels forward and backward ---- */

static CHUNK
FN(take_forward)(mlp_arena *arena, const mlp_forward_args *args, int n_threads, int rank)
{
    CHUNK chunk = FN(take_chunk)(arena, &args->network, n_threads, rank, false);
    FN(take_forward_packs)(arena, &args->network, args->x.rows, false, &chunk);
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
    ROWS rows = {.x = args->x};
    FN(pack_network)(worker, &args->network, &chunk);
    if (mlp_barrier(worker)) {
        return;
    }
    mlp_share(worker->size, worker->rank, args->x.rows, TILE_ROWS, &rows.begin, &rows.end);
    if (!FN(forward_first)(worker, &args->network, &chunk, &rows)) {
        FN(forward_others)(worker, &args->network, &chunk, rows.begin, rows.end);
    }
}

static CHUNK
FN(take_backward)(mlp_arena *arena, const mlp_backward_args *args, int n_threads, int rank,
                  mlp_matrix **views)
{
    const mlp_network *network = &args->network;
    ptrdiff_t rows = args->x.rows < FN(CHUNK_ROWS) ? args->x.rows : FN(CHUNK_ROWS);
    CHUNK chunk = FN(take_chunk)(arena, network, n_threads, rank, true);
    FN(take_layers)(arena, network, network->n_layers - 1, rows, chunk.deltas);
    FN(take_backward_packs)(arena, network, rows, false, &chunk);
    *views = mlp_take(arena, n_threads, 2 * network->n_layers, sizeof(mlp_matrix));
    return chunk;
}

static size_t
FN(backward_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    mlp_matrix *views;
    FN(take_backward)(&arena, arguments, n_threads, 0, &views);
    return arena.used;
}

static void
FN(backward)(mlp_worker *worker, void *arguments)
{
    mlp_backward_args *args = arguments;
    mlp_arena arena = {args->workspace, 0};
    mlp_matrix *dweights, *dbiases;
    CHUNK chunk = FN(take_backward)(&arena, args, worker->size, worker->rank, &dweights);
    ptrdiff_t n_layers = args->network.n_layers, n = args->x.rows;
    dweights += 2 * n_layers * worker->rank;
    dbiases = dweights + n_layers;
    FN(slice_first)(args->dweights, n_layers, &chunk.slice, dweights);
    FN(slice_first)(args->dbiases, n_layers, &chunk.slice, dbiases);
    FN(pack_network)(worker, &args->network, &chunk);
    if (mlp_barrier(worker)) {
        return;
    }
    ptrdiff_t first = 0;
    do { /* once even where there are no rows: the gradients are then zero */
        ptrdiff_t last = n - first < FN(CHUNK_ROWS) ? n : first + FN(CHUNK_ROWS);
        ROWS rows = {.x = FN(rows_of)(&args->x, first, last)};
        for (ptrdiff_t l = 0; l < n_layers - 1; l++) {
            chunk.activations[l] = FN(rows_of)(&args->activations[l], first, last);
            chunk.deltas[l].rows = last - first;
        }
        chunk.deltas[n_layers - 1] = FN(rows_of)(&args->dlogits, first, last);
        ptrdiff_t begin, end;
        mlp_share(worker->size, worker->rank, last - first, TILE_ROWS, &begin, &end);
        FN(backward_rows)(worker, &args->network, &chunk, begin, end);
        if (mlp_barrier(worker)) {
            return;
        }
        PIECE piece = {0};
        while (FN(next_piece)(worker, &args->network, &chunk, &rows, &piece)) {
            const mlp_matrix *out = piece.is_bias ? dbiases : dweights;
            mlp_matrix sums = FN(rows_of)(&out[piece.layer], piece.begin, piece.end);
            FN(gradient)(worker, &chunk, &rows, &piece, first > 0, &sums);
        }
        mlp_poll(worker); /* there may have been nothing to multiply */
        if (mlp_barrier(worker)) {
            return;
        }
        first = last;
    } while (first < n);
}

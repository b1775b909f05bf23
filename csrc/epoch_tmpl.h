/* One epoch of training, built from the passes above.
 *
 * A batch goes through in chunks of rows whose activations and deltas fit the
 * cache; each member takes its rows of a chunk forward and backward, then, past
 * a barrier, its input units' gradients over the whole chunk, and once the
 * batch is whole, the update of the same units.
 */

typedef struct {
    FN(chunk) chunk;
    mlp_matrix *dweights, *dbiases; /* n_layers each */
    mlp_matrix rows;                /* the chunk's rows of x, gathered; shared */
    double *row_losses;             /* of the chunk; shared */
    double **squares;               /* by layer and input unit; shared */
} FN(epoch_space);

static ptrdiff_t
FN(epoch_chunk_rows)(const mlp_train_epoch_args *args)
{
    return args->batch_size < FN(CHUNK_ROWS) ? args->batch_size : FN(CHUNK_ROWS);
}

static FN(epoch_space)
    FN(take_epoch)(mlp_arena *arena, const mlp_train_epoch_args *args, int n_threads, int rank)
{
    FN(epoch_space) space = {0};
    const mlp_network *network = &args->network;
    ptrdiff_t n_layers = network->n_layers, rows = FN(epoch_chunk_rows)(args);
    FN(take_chunk)(arena, n_layers, n_threads, rank, &space.chunk);
    FN(take_layers)(arena, network, n_layers, rows, space.chunk.activations);
    FN(take_layers)(arena, network, n_layers, rows, space.chunk.deltas);
    mlp_matrix *views = mlp_take(arena, n_threads, 2 * n_layers, sizeof(mlp_matrix));
    double **squares = mlp_take(arena, n_threads, n_layers, sizeof(double *));
    if (arena->base != NULL) {
        space.dweights = views + rank * 2 * n_layers;
        space.dbiases = space.dweights + n_layers;
        space.squares = squares + rank * n_layers;
    }
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        ptrdiff_t n_in = network->weights[l].rows, n_out = network->weights[l].cols;
        mlp_matrix dweights = FN(take_matrix)(arena, n_in, n_out);
        mlp_matrix dbiases = FN(take_matrix)(arena, 1, n_out);
        double *layer_squares = mlp_take(arena, n_in, 1, sizeof(double));
        if (arena->base != NULL) {
            space.dweights[l] = dweights;
            space.dbiases[l] = dbiases;
            space.squares[l] = layer_squares;
        }
    }
    space.rows = FN(take_matrix)(arena, args->order == NULL ? 0 : rows, args->x.cols);
    space.row_losses = mlp_take(arena, rows, 1, sizeof(double));
    return space;
}

static size_t
FN(train_epoch_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    FN(take_epoch)(&arena, arguments, n_threads, 0);
    return arena.used;
}

/* Points the chunk at rows first to last of the epoch's order; where they are
 * scattered, gathers the member's share of them. */
static void
FN(load_chunk)(const mlp_train_epoch_args *args, FN(epoch_space) * space, ptrdiff_t first,
               ptrdiff_t last, ptrdiff_t begin, ptrdiff_t end)
{
    FN(chunk) *chunk = &space->chunk;
    for (ptrdiff_t l = 0; l < args->network.n_layers; l++) {
        chunk->activations[l].rows = chunk->deltas[l].rows = last - first;
    }
    if (args->order == NULL) {
        chunk->x = FN(rows_of)(&args->x, first, last);
        return;
    }
    chunk->x = FN(rows_of)(&space->rows, 0, last - first);
    for (ptrdiff_t i = begin; i < end; i++) {
        const REAL *from = FN(at)(&args->x, args->order[first + i], 0);
        REAL *to = FN(at)(&chunk->x, i, 0);
        for (ptrdiff_t j = 0; j < args->x.cols; j += LANES) {
            ptrdiff_t count = args->x.cols - j;
            VEC v = FN(load)(from + j * args->x.col_stride, args->x.col_stride, count);
            FN(store)(to + j, 1, count, v);
        }
    }
}

/* Losses and the last layer's deltas of the member's rows. */
static void
FN(loss_rows)(const mlp_train_epoch_args *args, FN(epoch_space) * space, ptrdiff_t first,
              ptrdiff_t begin, ptrdiff_t end, REAL scale)
{
    ptrdiff_t last_layer = args->network.n_layers - 1;
    const mlp_matrix *logits = &space->chunk.activations[last_layer];
    const mlp_matrix *deltas = &space->chunk.deltas[last_layer];
    for (ptrdiff_t i = begin; i < end; i++) {
        ptrdiff_t row = args->order == NULL ? first + i : (ptrdiff_t)args->order[first + i];
        space->row_losses[i] =
            FN(cross_entropy_row)(&args->loss, FN(at)(logits, i, 0), 1, logits->cols,
                                  &args->targets, row, scale, FN(at)(deltas, i, 0), 1);
    }
}

/* The update of the member's input units of every layer; member 0 the biases. */
static void
FN(update_network)(mlp_worker *worker, const mlp_train_epoch_args *args, FN(epoch_space) * space,
                   ptrdiff_t batch_rows)
{
    for (ptrdiff_t l = 0; l < args->network.n_layers; l++) {
        ptrdiff_t begin, end;
        mlp_share(worker, args->network.weights[l].rows, TILE_ROWS, &begin, &end);
        mlp_matrix weights = FN(rows_of)(&args->network.weights[l], begin, end);
        mlp_matrix gradient = FN(rows_of)(&space->dweights[l], begin, end);
        mlp_matrix velocity = {0};
        if (args->weight_moments != NULL) {
            velocity = FN(rows_of)(&args->weight_moments[l], begin, end);
        }
        FN(update_rows)
        (&args->optimizer, args->l2 / (double)batch_rows, &weights, &gradient, &velocity,
         space->squares[l] + begin);
        if (worker->rank == 0) {
            FN(update_rows)
            (&args->optimizer, 0, &args->network.biases[l], &space->dbiases[l],
             args->bias_moments == NULL ? NULL : &args->bias_moments[l], NULL);
        }
    }
}

/* The sum of all squared weights, in order. */
static double
FN(sum_squares)(const mlp_network *network, double **squares)
{
    double sum = 0;
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        for (ptrdiff_t i = 0; i < network->weights[l].rows; i++) {
            sum += squares[l][i];
        }
    }
    return sum;
}

static void
FN(train_epoch)(mlp_worker *worker, void *arguments)
{
    mlp_train_epoch_args *args = arguments;
    mlp_arena arena = {args->workspace, 0};
    FN(epoch_space) space = FN(take_epoch)(&arena, args, worker->size, worker->rank);
    ptrdiff_t chunk_rows = FN(epoch_chunk_rows)(args);
    double total_loss = 0;
    for (ptrdiff_t batch = 0; batch < args->n; batch += args->batch_size) {
        ptrdiff_t left = args->n - batch;
        ptrdiff_t batch_rows = left < args->batch_size ? left : args->batch_size;
        for (ptrdiff_t done = 0; done < batch_rows; done += chunk_rows) {
            ptrdiff_t first = batch + done, begin, end;
            ptrdiff_t rows = batch_rows - done < chunk_rows ? batch_rows - done : chunk_rows;
            mlp_share(worker, rows, TILE_ROWS, &begin, &end);
            FN(load_chunk)(args, &space, first, first + rows, begin, end);
            FN(forward_rows)(worker, &args->network, &space.chunk, begin, end);
            FN(loss_rows)(args, &space, first, begin, end, 1 / (REAL)batch_rows);
            FN(backward_rows)(worker, &args->network, &space.chunk, begin, end);
            if (mlp_barrier(worker)) {
                return;
            }
            FN(gradients)
            (worker, args->network.n_layers, &space.chunk, done > 0, space.dweights, space.dbiases);
            for (ptrdiff_t i = 0; i < rows && worker->rank == 0; i++) {
                total_loss += space.row_losses[i];
            }
            if (mlp_barrier(worker)) {
                return;
            }
        }
        FN(update_network)(worker, args, &space, batch_rows);
        if (mlp_barrier(worker)) {
            return;
        }
        if (worker->rank == 0) {
            total_loss += 0.5 * args->l2 * FN(sum_squares)(&args->network, space.squares);
        }
    }
    if (worker->rank == 0) {
        args->total_loss = total_loss;
    }
}
